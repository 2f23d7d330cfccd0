package main

import (
	"context"
	"sync"
	"time"

	"homing.test/peer/peerv1"
)

// How long Witness waits for a call to get as far as asked for.
const patience = 10 * time.Second

// What became of the calls that asked for a witness.
type witnesses struct {
	mutex sync.Mutex
	calls map[string]*observed
}

type observed struct {
	started, ended chan struct{}
	cancelled      bool // written before ended is closed
	begin, finish  sync.Once
}

func (w *witnesses) of(key string) *observed {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	call, known := w.calls[key]
	if !known {
		call = &observed{started: make(chan struct{}), ended: make(chan struct{})}
		w.calls[key] = call
	}
	return call
}

// Notes the start of a call, and returns what notes its end.
func (w *witnesses) attend(ctx context.Context, key string) func() {
	if key == "" {
		return func() {}
	}
	call := w.of(key)
	call.begin.Do(func() { close(call.started) })
	return func() {
		call.finish.Do(func() {
			call.cancelled = ctx.Err() != nil
			close(call.ended)
		})
	}
}

func (w *witnesses) tell(request *peerv1.WitnessRequest) *peerv1.WitnessReply {
	call := w.of(request.Key)
	timeout := time.After(patience)
	await(call.started, timeout)
	if request.UntilEnded {
		await(call.ended, timeout)
	}
	reply := &peerv1.WitnessReply{Started: isClosed(call.started), Ended: isClosed(call.ended)}
	reply.Cancelled = reply.Ended && call.cancelled
	return reply
}

func await(event <-chan struct{}, timeout <-chan time.Time) {
	select {
	case <-event:
	case <-timeout:
	}
}

func isClosed(event <-chan struct{}) bool {
	select {
	case <-event:
		return true
	default:
		return false
	}
}
