package main

import (
	"context"
	"fmt"
	"log"

	"github.com/bytedance/gopkg/cloud/metainfo"
	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2/metadata"
	"github.com/cloudwego/kitex/transport"
	consul "github.com/kitex-contrib/registry-consul"

	"homing.test/kitex/kitex_gen/greet"
	"homing.test/kitex/kitex_gen/greet/greeter"
)

func main() {
	resolver, err := consul.NewConsulResolver("") // CONSUL_HTTP_ADDR, or 127.0.0.1:8500
	if err != nil {
		log.Fatal(err)
	}
	greeters := greeter.MustNewClient("homing-greeter",
		client.WithResolver(resolver),
		client.WithTransportProtocol(transport.GRPC), // or Kitex speaks a protocol of its own
	)
	var trailer metadata.MD
	ctx := metainfo.WithPersistentValue(context.Background(), "TENANT", "blue")
	response, err := greeters.Greet(nphttp2.GRPCTrailer(ctx, &trailer), &greet.GreetRequest{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.Greeting, "Served by", trailer.Get("served-by"))
}
