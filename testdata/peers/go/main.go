// The grpc-go peer: the test service and a client program for it.
//
//	peer server    reads a Listen from the first line of standard input,
//	               prints the port, and serves until its input ends
//	peer client    reads a Job a line, and prints a Done a line
//
// Lines are protobuf JSON.
package main

import (
	"bufio"
	"fmt"
	"os"

	"homing.test/peer/lines"
)

// Messages above this size are refused by both sides; grpc-go's own default
// for receiving.
const maxMessageBytes = 4 << 20

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("usage: peer server|client")
	}
	switch input := bufio.NewReader(os.Stdin); arguments[0] {
	case "server":
		return serve(input)
	case "client":
		return lines.Work(input, connect, perform)
	default:
		return fmt.Errorf("unknown command %q", arguments[0])
	}
}
