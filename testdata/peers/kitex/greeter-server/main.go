package main

import (
	"context"
	"log"
	"net"

	"github.com/bytedance/gopkg/cloud/metainfo"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2/metadata"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
	"github.com/cloudwego/kitex/server"
	consul "github.com/kitex-contrib/registry-consul"

	"homing.test/kitex/kitex_gen/greet"
	"homing.test/kitex/kitex_gen/greet/greeter"
)

type implementation struct{}

func (*implementation) Greet(ctx context.Context, request *greet.GreetRequest) (*greet.GreetResponse, error) {
	tenant, _ := metainfo.GetPersistentValue(ctx, "TENANT")
	if err := nphttp2.SetTrailer(ctx, metadata.Pairs("served-by", "Kitex")); err != nil {
		return nil, err
	}
	return &greet.GreetResponse{Greeting: "Hello, " + request.Name + " of " + tenant + "!"}, nil
}

func main() {
	registry, err := consul.NewConsulRegister("") // CONSUL_HTTP_ADDR, or 127.0.0.1:8500
	if err != nil {
		log.Fatal(err)
	}
	err = greeter.NewServer(new(implementation),
		server.WithServiceAddr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}),
		server.WithServerBasicInfo(&rpcinfo.EndpointBasicInfo{ServiceName: "greeter"}),
		server.WithRegistry(registry),
	).Run()
	if err != nil {
		log.Fatal(err)
	}
}
