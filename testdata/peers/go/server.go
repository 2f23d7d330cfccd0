package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"homing.test/peer/lines"
	"homing.test/peer/peerv1"
	"homing.test/peer/witness"
)

func serve(input *bufio.Reader) error {
	var settings peerv1.Listen
	if err := lines.Read(input, &settings); err != nil {
		return err
	}
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.MaxSendMsgSize(2 * maxMessageBytes),
	}
	if settings.Tls != nil {
		pairs, authorities, err := identities(settings.Tls)
		if err != nil {
			return err
		}
		config := &tls.Config{Certificates: pairs, ClientCAs: authorities}
		if settings.Tls.Mutual {
			config.ClientAuth = tls.RequireAndVerifyClientCert
		}
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	server := grpc.NewServer(options...)
	peerv1.RegisterPeerServer(server, &peer{gzip: settings.Gzip})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		_, _ = io.Copy(io.Discard, input)
		server.Stop()
	}()
	return server.Serve(listener)
}

type peer struct {
	peerv1.UnimplementedPeerServer
	gzip      bool
	witnesses witness.Witnesses
}

func (p *peer) Unary(ctx context.Context, request *peerv1.Instruction) (*peerv1.Reply, error) {
	return p.answerOnce(ctx, once(request))
}

func (p *peer) ServerStream(request *peerv1.Instruction, stream grpc.ServerStreamingServer[peerv1.Reply]) error {
	_, err := p.follow(stream.Context(), once(request), stream.Send)
	return err
}

func (p *peer) ClientStream(stream grpc.ClientStreamingServer[peerv1.Instruction, peerv1.Reply]) error {
	reply, err := p.answerOnce(stream.Context(), stream.Recv)
	if err != nil {
		return err
	}
	return stream.SendAndClose(reply)
}

func (p *peer) BidiStream(stream grpc.BidiStreamingServer[peerv1.Instruction, peerv1.Reply]) error {
	_, err := p.follow(stream.Context(), stream.Recv, stream.Send)
	return err
}

func (p *peer) Nothing(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (p *peer) Witness(_ context.Context, request *peerv1.WitnessRequest) (*peerv1.WitnessReply, error) {
	told := p.witnesses.Tell(request.Key, request.UntilEnded)
	return &peerv1.WitnessReply{Started: told.Started, Ended: told.Ended, Cancelled: told.Cancelled}, nil
}

func once(request *peerv1.Instruction) func() (*peerv1.Instruction, error) {
	return func() (*peerv1.Instruction, error) {
		if request == nil {
			return nil, io.EOF
		}
		only := request
		request = nil
		return only, nil
	}
}

func (p *peer) answerOnce(ctx context.Context, receive func() (*peerv1.Instruction, error)) (*peerv1.Reply, error) {
	newest, err := p.follow(ctx, receive, func(*peerv1.Reply) error { return nil })
	if err != nil {
		return nil, err
	}
	return newest, nil
}

// Does what the requests say, and returns the first reply that the newest of
// them asked for.
func (p *peer) follow(
	ctx context.Context,
	receive func() (*peerv1.Instruction, error),
	send func(*peerv1.Reply) error,
) (*peerv1.Reply, error) {
	if p.gzip {
		if err := grpc.SetSendCompressor(ctx, gzip.Name); err != nil {
			return nil, err
		}
	}
	seen := arrival(ctx)
	answer := &peerv1.Reply{}
	for {
		request, err := receive()
		if errors.Is(err, io.EOF) {
			return answer, nil
		}
		if err != nil {
			return nil, err
		}
		if len(seen.Requests) == 0 {
			defer p.witnesses.Attend(ctx, request.Witness)()
			if err := announce(ctx, request); err != nil {
				return nil, err
			}
		}
		seen.Requests = append(seen.Requests, weigh(request.Payload))
		answer = &peerv1.Reply{}
		if request.Describe {
			answer.Seen = proto.CloneOf(seen)
		}
		for i, bytes := range request.Replies {
			reply := &peerv1.Reply{Payload: ballast(bytes), Seen: answer.Seen}
			if err := send(reply); err != nil {
				return nil, err
			}
			if i == 0 {
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

func arrival(ctx context.Context) *peerv1.Seen {
	seen := &peerv1.Seen{}
	if md, present := metadata.FromIncomingContext(ctx); present {
		seen.Metadata = fromMD(md)
	}
	if deadline, present := ctx.Deadline(); present {
		remaining := time.Until(deadline).Milliseconds()
		seen.RemainingMs = &remaining
	}
	return seen
}

func announce(ctx context.Context, first *peerv1.Instruction) error {
	if err := grpc.SetHeader(ctx, toMD(first.Headers)); err != nil {
		return err
	}
	return grpc.SetTrailer(ctx, toMD(first.Trailers))
}

func failure(wanted *peerv1.Status) error {
	encoded, err := proto.Marshal(wanted)
	if err != nil {
		return err
	}
	var converted statuspb.Status
	if err := proto.Unmarshal(encoded, &converted); err != nil {
		return err
	}
	return status.FromProto(&converted).Err()
}
