package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bytedance/gopkg/cloud/metainfo"
	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/client/callopt"
	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/kerrors"
	"github.com/cloudwego/kitex/pkg/remote/codec/protobuf/encoding/gzip"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2/codes"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2/metadata"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2/status"
	"github.com/cloudwego/kitex/pkg/streaming"
	"github.com/cloudwego/kitex/pkg/transmeta"
	"github.com/cloudwego/kitex/transport"
	"google.golang.org/protobuf/types/known/emptypb"

	"homing.test/kitex/kitex_gen/peer"
	"homing.test/kitex/kitex_gen/peer/absent"
	service "homing.test/kitex/kitex_gen/peer/peer"
	"homing.test/peer/peerv1"
)

// The clients of a target, and the options of each of their calls.
type connection struct {
	peer   service.Client
	absent absent.Client
	calls  []callopt.Option
}

func (s *settings) connect(target *peerv1.Target) (*connection, error) {
	resolver, err := s.resolver()
	if err != nil {
		return nil, err
	}
	return connect(target, s.service, resolver)
}

// Without a resolver, to the target's address.
func connect(target *peerv1.Target, name string, resolver discovery.Resolver) (*connection, error) {
	options := []client.Option{
		// Kitex's default for services without a stream is its own protocol.
		client.WithTransportProtocol(transport.GRPC),
		client.WithMetaHandler(transmeta.ClientHTTP2Handler),
	}
	if resolver != nil {
		options = append(options, client.WithResolver(resolver))
	} else {
		options = append(options, client.WithHostPorts(target.Address))
	}
	if target.Tls != nil {
		config, err := identities(target.Tls)
		if err != nil {
			return nil, err
		}
		options = append(options, client.WithGRPCTLSConfig(config))
	}
	made := &connection{}
	if target.Gzip {
		made.calls = append(made.calls, callopt.WithGRPCCompressor(gzip.Name))
	}
	var err error
	if made.peer, err = service.NewClient(name, options...); err != nil {
		return nil, err
	}
	made.absent, err = absent.NewClient(name, options...)
	return made, err
}

func identities(settings *peerv1.Tls) (*tls.Config, error) {
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
	if !config.RootCAs.AppendCertsFromPEM([]byte(settings.Ca)) {
		return nil, errors.New("tls: ca holds no certificate")
	}
	if settings.Certificate != "" {
		pair, err := tls.X509KeyPair([]byte(settings.Certificate), []byte(settings.Key))
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func perform(connection *connection, wanted *peerv1.Call) *peerv1.Outcome {
	call := toKitex(wanted, &peer.Call{})
	ctx, cancel := context.WithCancel(metainfo.WithBackwardValues(context.Background()))
	defer cancel()
	if call.TimeoutMs > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(call.TimeoutMs)*time.Millisecond)
		defer cancel()
	}
	ctx = outgoing(ctx, call.Headers)
	if call.CancelWhenStarted != "" {
		go func() {
			_, _ = connection.peer.Witness(context.Background(), &peer.WitnessRequest{Key: call.CancelWhenStarted})
			cancel()
		}()
	}
	attempt := &attempt{connection: connection, call: call, cancel: cancel, outcome: &peer.Outcome{}}
	err := attempt.make(ctx)
	attempt.outcome.Status = report(err)
	attempt.outcome.Headers = fromMD(attempt.header)
	attempt.outcome.Trailers = append(fromMD(attempt.trailer), named(backward, metainfo.RecvAllBackwardValues(ctx))...)
	return fromKitex(attempt.outcome, &peerv1.Outcome{})
}

type attempt struct {
	connection      *connection
	call            *peer.Call
	cancel          context.CancelFunc
	outcome         *peer.Outcome
	header, trailer metadata.MD
}

func (a *attempt) make(ctx context.Context) error {
	client, options := a.connection.peer, a.connection.calls
	unary := nphttp2.GRPCTrailer(nphttp2.GRPCHeader(ctx, &a.header), &a.trailer)
	switch a.call.Method {
	case "Unary":
		reply, err := client.Unary(unary, a.request(0), options...)
		return a.receive(reply, err)
	case "ServerStream":
		stream, err := client.ServerStream(ctx, a.request(0), options...)
		if err != nil {
			return err
		}
		defer a.note(stream)
		return a.drain(stream.Recv, nil)
	case "ClientStream":
		stream, err := client.ClientStream(ctx, options...)
		if err != nil {
			return err
		}
		defer a.note(stream)
		if !a.feed(stream.Send, nil) || a.call.HoldOpen {
			// Without a half-close: the server ends the call by itself.
			reply := &peer.Reply{}
			return a.receive(reply, stream.RecvMsg(reply))
		}
		return a.receive(stream.CloseAndRecv())
	case "BidiStream":
		stream, err := client.BidiStream(ctx, options...)
		if err != nil {
			return err
		}
		defer a.note(stream)
		replies := make(chan struct{}, len(a.call.Requests))
		go func() {
			if a.feed(stream.Send, replies) && !a.call.HoldOpen {
				_ = stream.Close()
			}
		}()
		return a.drain(stream.Recv, replies)
	case "Nothing":
		_, err := client.Nothing(unary, &emptypb.Empty{}, options...)
		return a.receive(&peer.Reply{}, err)
	case "Unimplemented":
		_, err := client.Unimplemented(unary, &emptypb.Empty{}, options...)
		return a.receive(&peer.Reply{}, err)
	case "Absent":
		_, err := a.connection.absent.Nothing(unary, &emptypb.Empty{}, options...)
		return a.receive(&peer.Reply{}, err)
	case "Witness":
		reply, err := client.Witness(unary, a.call.Witness, options...)
		a.outcome.Witness = reply
		return err
	default:
		return fmt.Errorf("unknown method %q", a.call.Method)
	}
}

// Keeps the metadata that came, once the call has ended.
func (a *attempt) note(stream streaming.Stream) {
	a.header, _ = stream.Header()
	a.trailer = stream.Trailer()
}

func (a *attempt) request(index int) *peer.Instruction {
	wanted := a.call.Requests[index]
	instruction := &peer.Instruction{}
	if wanted.Instruction != nil {
		copied := *wanted.Instruction
		instruction = &copied
	}
	instruction.Payload = ballast(wanted.PayloadBytes)
	return instruction
}

// Sends the requests; false when the call ended first.
func (a *attempt) feed(send func(*peer.Instruction) error, replies <-chan struct{}) bool {
	for index := range a.call.Requests {
		if a.call.TakeTurns && index > 0 {
			if _, more := <-replies; !more {
				return false
			}
		}
		if send(a.request(index)) != nil {
			return false
		}
	}
	return true
}

// Receives until the call ends, telling turns of each reply.
func (a *attempt) drain(receive func() (*peer.Reply, error), turns chan<- struct{}) error {
	if turns != nil {
		defer close(turns)
	}
	for {
		reply, err := receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err := a.receive(reply, err); err != nil {
			return err
		}
		received := uint32(len(a.outcome.Replies))
		if received == a.call.CancelAfterReplies {
			a.cancel()
		}
		if a.call.TakeTurns && turns != nil && received < uint32(len(a.call.Requests)) {
			turns <- struct{}{}
		}
	}
}

func (a *attempt) receive(reply *peer.Reply, err error) error {
	if err == nil {
		a.outcome.Replies = append(a.outcome.Replies,
			&peer.Received{Payload: weigh(reply.Payload), Seen: reply.Seen})
	}
	return err
}

func report(err error) *peer.Status {
	actual := statusOf(err).Proto()
	reported := &peer.Status{Code: actual.GetCode(), Message: strings.ToValidUTF8(actual.GetMessage(), "\uFFFD")}
	for _, detail := range actual.GetDetails() {
		reported.Details = append(reported.Details,
			&peer.Detail{TypeUrl: detail.TypeUrl, Value: detail.Value})
	}
	return reported
}

// Kitex's clients report what befalls a unary call on this side in words of
// their own.
func statusOf(err error) *status.Status {
	actual, is := status.FromError(err)
	switch {
	case is:
		return actual
	case errors.Is(err, context.Canceled):
		return status.New(codes.Canceled, err.Error())
	case kerrors.IsTimeoutError(err):
		return status.New(codes.DeadlineExceeded, err.Error())
	case errors.Is(err, kerrors.ErrRemoteOrNetwork), errors.Is(err, kerrors.ErrServiceDiscovery), errors.Is(err, kerrors.ErrNoMoreInstance):
		return status.New(codes.Unavailable, err.Error())
	default:
		return actual
	}
}
