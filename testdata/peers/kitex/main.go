// The Kitex peer: the test service and a client program for it, over Kitex's
// gRPC transport, with or without a registry.
//
//	peer server     reads a Listen from the first line of standard input,
//	                prints the port, and serves until its input ends
//	peer client     reads a Job a line, and prints a Done a line
//	peer resolve    prints the instances that Kitex finds in the registry, and ends
//
// Lines are protobuf JSON, those of resolve plain JSON. With a registry, the
// server registers a second after it has begun to listen, as Kitex does, and
// the client calls the service that the flags name, wherever its targets are.
package main

//go:generate sh -c "sed s,homing.test/peer/peerv1,homing.test/kitex/kitex_gen/peer, ../peer.proto >peer.proto && go tool kitex -type protobuf -module homing.test/kitex peer.proto; rm peer.proto"
//go:generate go tool kitex -type protobuf -module homing.test/kitex greet.proto

import (
	"bufio"
	"flag"
	"fmt"
	"os"

	"github.com/cloudwego/kitex/pkg/klog"

	"homing.test/peer/lines"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("usage: peer server|client|resolve [flags]")
	}
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	settings := settingsOf(flags)
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	// Kitex logs each call that fails.
	klog.SetLevel(klog.LevelFatal)
	switch input := bufio.NewReader(os.Stdin); arguments[0] {
	case "server":
		return serve(input, settings)
	case "client":
		return lines.Work(input, settings.connect, perform)
	case "resolve":
		return settings.resolve()
	default:
		return fmt.Errorf("unknown command %q", arguments[0])
	}
}
