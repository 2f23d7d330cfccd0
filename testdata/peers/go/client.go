package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"homing.test/peer/peerv1"
)

func connect(target *peerv1.Target) (*grpc.ClientConn, error) {
	calls := []grpc.CallOption{
		grpc.MaxCallRecvMsgSize(maxMessageBytes),
		grpc.MaxCallSendMsgSize(2 * maxMessageBytes),
	}
	if target.Gzip {
		calls = append(calls, grpc.UseCompressor(gzip.Name))
	}
	identity := insecure.NewCredentials()
	if target.Tls != nil {
		pairs, authorities, err := identities(target.Tls)
		if err != nil {
			return nil, err
		}
		identity = credentials.NewTLS(&tls.Config{Certificates: pairs, RootCAs: authorities})
	}
	return grpc.NewClient(target.Address,
		grpc.WithTransportCredentials(identity),
		grpc.WithDefaultCallOptions(calls...))
}

func perform(connection *grpc.ClientConn, call *peerv1.Call) *peerv1.Outcome {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if call.TimeoutMs > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(call.TimeoutMs)*time.Millisecond)
		defer cancel()
	}
	ctx = metadata.NewOutgoingContext(ctx, toMD(call.Headers))
	client := peerv1.NewPeerClient(connection)
	if call.CancelWhenStarted != "" {
		go func() {
			_, _ = client.Witness(context.Background(), &peerv1.WitnessRequest{Key: call.CancelWhenStarted})
			cancel()
		}()
	}
	attempt := &attempt{call: call, cancel: cancel, outcome: &peerv1.Outcome{}}
	err := attempt.make(ctx, client, connection)
	attempt.outcome.Status = report(err)
	attempt.outcome.Headers = fromMD(attempt.header)
	attempt.outcome.Trailers = fromMD(attempt.trailer)
	return attempt.outcome
}

type attempt struct {
	call            *peerv1.Call
	cancel          context.CancelFunc
	outcome         *peerv1.Outcome
	header, trailer metadata.MD
}

func (a *attempt) make(ctx context.Context, client peerv1.PeerClient, connection *grpc.ClientConn) error {
	options := []grpc.CallOption{grpc.Header(&a.header), grpc.Trailer(&a.trailer)}
	switch a.call.Method {
	case "Unary":
		reply, err := client.Unary(ctx, a.request(0), options...)
		return a.receive(reply, err)
	case "ServerStream":
		stream, err := client.ServerStream(ctx, a.request(0), options...)
		if err != nil {
			return err
		}
		return a.drain(stream.Recv, nil)
	case "ClientStream":
		stream, err := client.ClientStream(ctx, options...)
		if err != nil {
			return err
		}
		if !a.feed(stream.Send, nil) || a.call.HoldOpen {
			// Without a half-close: the server ends the call by itself.
			var reply peerv1.Reply
			return a.receive(&reply, stream.RecvMsg(&reply))
		}
		reply, err := stream.CloseAndRecv()
		return a.receive(reply, err)
	case "BidiStream":
		stream, err := client.BidiStream(ctx, options...)
		if err != nil {
			return err
		}
		replies := make(chan struct{}, len(a.call.Requests))
		go func() {
			if a.feed(stream.Send, replies) && !a.call.HoldOpen {
				_ = stream.CloseSend()
			}
		}()
		return a.drain(stream.Recv, replies)
	case "Nothing":
		reply, err := client.Nothing(ctx, &emptypb.Empty{}, options...)
		return a.receiveEmpty(reply, err)
	case "Unimplemented":
		reply, err := client.Unimplemented(ctx, &emptypb.Empty{}, options...)
		return a.receiveEmpty(reply, err)
	case "Absent":
		reply, err := peerv1.NewAbsentClient(connection).Nothing(ctx, &emptypb.Empty{}, options...)
		return a.receiveEmpty(reply, err)
	case "Witness":
		reply, err := client.Witness(ctx, a.call.Witness, options...)
		a.outcome.Witness = reply
		return err
	default:
		return fmt.Errorf("unknown method %q", a.call.Method)
	}
}

func (a *attempt) request(index int) *peerv1.Instruction {
	wanted := a.call.Requests[index]
	instruction := &peerv1.Instruction{}
	if wanted.Instruction != nil {
		instruction = proto.CloneOf(wanted.Instruction)
	}
	instruction.Payload = ballast(wanted.PayloadBytes)
	return instruction
}

// Sends the requests; false when the call ended first.
func (a *attempt) feed(send func(*peerv1.Instruction) error, replies <-chan struct{}) bool {
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
func (a *attempt) drain(receive func() (*peerv1.Reply, error), turns chan<- struct{}) error {
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

func (a *attempt) receive(reply *peerv1.Reply, err error) error {
	if err == nil {
		a.outcome.Replies = append(a.outcome.Replies,
			&peerv1.Received{Payload: weigh(reply.Payload), Seen: reply.Seen})
	}
	return err
}

func (a *attempt) receiveEmpty(_ *emptypb.Empty, err error) error {
	return a.receive(&peerv1.Reply{}, err)
}

func report(err error) *peerv1.Status {
	actual := status.Convert(err).Proto()
	reported := &peerv1.Status{Code: actual.GetCode(), Message: strings.ToValidUTF8(actual.GetMessage(), "\uFFFD")}
	for _, detail := range actual.GetDetails() {
		reported.Details = append(reported.Details,
			&peerv1.Detail{TypeUrl: detail.TypeUrl, Value: detail.Value})
	}
	return reported
}
