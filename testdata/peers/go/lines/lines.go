// Package lines is how a peer's program is spoken to: a message of protobuf JSON a line.
package lines

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"homing.test/peer/peerv1"
)

// Read reads the next line into message; io.EOF when there is none.
func Read(input *bufio.Reader, message proto.Message) error {
	line, err := input.ReadBytes('\n')
	if err == io.EOF && len(line) > 0 {
		return io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	return protojson.Unmarshal(line, message)
}

// Work does the jobs of the input, all at once as they come: a Job a line, and
// on standard output a Done a line. Targets that are equal share what connect
// made of the first.
func Work[C any](
	input *bufio.Reader,
	connect func(*peerv1.Target) (C, error),
	perform func(C, *peerv1.Call) *peerv1.Outcome,
) error {
	connections := map[string]C{}
	var output sync.Mutex
	for {
		var job peerv1.Job
		if err := Read(input, &job); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		key := job.Target.String()
		connection, known := connections[key]
		if !known {
			var err error
			if connection, err = connect(job.Target); err != nil {
				return err
			}
			connections[key] = connection
		}
		go func() {
			done, err := protojson.Marshal(&peerv1.Done{Id: job.Id, Outcome: perform(connection, job.Call)})
			if err != nil {
				fmt.Fprintln(os.Stderr, "peer:", err)
				os.Exit(1)
			}
			output.Lock()
			defer output.Unlock()
			fmt.Printf("%s\n", done)
		}()
	}
}
