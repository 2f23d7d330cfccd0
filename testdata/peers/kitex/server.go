package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/cloudwego/kitex/pkg/kerrors"
	kitexregistry "github.com/cloudwego/kitex/pkg/registry"
	"github.com/cloudwego/kitex/pkg/remote/codec/protobuf/encoding/gzip"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2/codes"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2/status"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
	"github.com/cloudwego/kitex/pkg/transmeta"
	"github.com/cloudwego/kitex/server"
	"google.golang.org/protobuf/types/known/emptypb"

	"homing.test/kitex/kitex_gen/peer"
	service "homing.test/kitex/kitex_gen/peer/peer"
	"homing.test/peer/lines"
	"homing.test/peer/peerv1"
	"homing.test/peer/witness"
)

// Imported for its registration: a Kitex server that has it compresses all its
// responses to clients that accept it.
const _ = gzip.Name

func serve(input *bufio.Reader, settings *settings) error {
	var listen peerv1.Listen
	if err := lines.Read(input, &listen); err != nil {
		return err
	}
	if listen.Tls != nil {
		return errors.New("Kitex servers have no TLS")
	}
	registrar, err := settings.registrar()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	options := []server.Option{
		server.WithListener(listener),
		server.WithServerBasicInfo(&rpcinfo.EndpointBasicInfo{ServiceName: settings.service, Tags: settings.tags}),
		server.WithRegistry(registrar),
		server.WithMetaHandler(transmeta.ServerHTTP2Handler),
		server.WithErrorHandler(bare),
		server.WithExitWaitTime(time.Second),
	}
	if settings.weight > 0 {
		options = append(options, server.WithRegistryInfo(&kitexregistry.Info{Weight: settings.weight}))
	}
	handler := &implementation{}
	if settings.onward != "" {
		next, err := connect(&peerv1.Target{Address: settings.onward}, settings.service, nil)
		if err != nil {
			return err
		}
		handler.next = next.peer
	}
	kitex := service.NewServer(handler, options...)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		_, _ = io.Copy(io.Discard, input)
		_ = kitex.Stop()
	}()
	return kitex.Run()
}

// The handler's error without " [biz error]", which Kitex otherwise puts behind
// the message.
func bare(_ context.Context, err error) error {
	var detailed *kerrors.DetailedError
	if errors.As(err, &detailed) && detailed.Is(kerrors.ErrBiz) {
		return detailed.Unwrap()
	}
	return err
}

type implementation struct {
	witnesses witness.Witnesses
	// Who answers unary calls; nil: this server.
	next service.Client
}

func (i *implementation) Unary(ctx context.Context, request *peer.Instruction) (*peer.Reply, error) {
	if i.next != nil {
		return i.next.Unary(ctx, request)
	}
	return i.answerOnce(ctx, once(request))
}

func (i *implementation) ServerStream(request *peer.Instruction, stream peer.Peer_ServerStreamServer) error {
	_, err := i.follow(stream.Context(), once(request), stream.Send)
	return err
}

func (i *implementation) ClientStream(stream peer.Peer_ClientStreamServer) error {
	reply, err := i.answerOnce(stream.Context(), stream.Recv)
	if err != nil {
		return err
	}
	return stream.SendAndClose(reply)
}

func (i *implementation) BidiStream(stream peer.Peer_BidiStreamServer) error {
	_, err := i.follow(stream.Context(), stream.Recv, stream.Send)
	return err
}

func (i *implementation) Nothing(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (i *implementation) Witness(_ context.Context, request *peer.WitnessRequest) (*peer.WitnessReply, error) {
	told := i.witnesses.Tell(request.Key, request.UntilEnded)
	return &peer.WitnessReply{Started: told.Started, Ended: told.Ended, Cancelled: told.Cancelled}, nil
}

// Kitex has no servers that lack a method of their service.
func (i *implementation) Unimplemented(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return nil, status.Err(codes.Unimplemented, "not implemented")
}

func once(request *peer.Instruction) func() (*peer.Instruction, error) {
	return func() (*peer.Instruction, error) {
		if request == nil {
			return nil, io.EOF
		}
		only := request
		request = nil
		return only, nil
	}
}

func (i *implementation) answerOnce(ctx context.Context, receive func() (*peer.Instruction, error)) (*peer.Reply, error) {
	newest, err := i.follow(ctx, receive, func(*peer.Reply) error { return nil })
	if err != nil {
		return nil, err
	}
	return newest, nil
}

// Does what the requests say, and returns the first reply that the newest of
// them asked for.
func (i *implementation) follow(
	ctx context.Context,
	receive func() (*peer.Instruction, error),
	send func(*peer.Reply) error,
) (*peer.Reply, error) {
	seen := arrival(ctx)
	answer := &peer.Reply{}
	for {
		request, err := receive()
		if errors.Is(err, io.EOF) {
			return answer, nil
		}
		if err != nil {
			return nil, err
		}
		if len(seen.Requests) == 0 {
			defer i.witnesses.Attend(ctx, request.Witness)()
			if err := announce(ctx, request); err != nil {
				return nil, err
			}
		}
		seen.Requests = append(seen.Requests, weigh(request.Payload))
		answer = &peer.Reply{}
		if request.Describe {
			told := *seen
			answer.Seen = &told
		}
		for index, bytes := range request.Replies {
			reply := &peer.Reply{Payload: ballast(bytes), Seen: answer.Seen}
			if err := send(reply); err != nil {
				return nil, err
			}
			if index == 0 {
				answer = reply
			}
		}
		if request.WaitForCancel {
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		if request.Fail != nil {
			return nil, failure(request.Fail)
		}
		if request.Finish {
			return answer, nil
		}
	}
}

func arrival(ctx context.Context) *peer.Seen {
	seen := &peer.Seen{Metadata: incoming(ctx)}
	if deadline, present := ctx.Deadline(); present {
		remaining := time.Until(deadline).Milliseconds()
		seen.RemainingMs = &remaining
	}
	return seen
}

func announce(ctx context.Context, first *peer.Instruction) error {
	if err := nphttp2.SetHeader(ctx, toMD(first.Headers)); err != nil {
		return err
	}
	return nphttp2.SetTrailer(ctx, toMD(first.Trailers))
}
