// Package witness tells what became of the calls to a server.
package witness

import (
	"context"
	"sync"
	"time"
)

// How long Tell waits for a call to get as far as asked for.
const patience = 10 * time.Second

// Witnesses of the calls that asked for one; its zero value has none.
type Witnesses struct {
	mutex sync.Mutex
	calls map[string]*observed
}

// Testimony is how far a call has come.
type Testimony struct {
	Started, Ended bool
	// It ended because the client went away or the deadline passed.
	Cancelled bool
}

type observed struct {
	started, ended chan struct{}
	cancelled      bool // written before ended is closed
	begin, finish  sync.Once
}

func (w *Witnesses) of(key string) *observed {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	call, known := w.calls[key]
	if !known {
		call = &observed{started: make(chan struct{}), ended: make(chan struct{})}
		if w.calls == nil {
			w.calls = map[string]*observed{}
		}
		w.calls[key] = call
	}
	return call
}

// Attend notes the start of a call, and returns what notes its end.
func (w *Witnesses) Attend(ctx context.Context, key string) func() {
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

// Tell waits until the call has started or, if so asked, ended.
func (w *Witnesses) Tell(key string, untilEnded bool) Testimony {
	call := w.of(key)
	timeout := time.After(patience)
	await(call.started, timeout)
	if untilEnded {
		await(call.ended, timeout)
	}
	told := Testimony{Started: isClosed(call.started), Ended: isClosed(call.ended)}
	told.Cancelled = told.Ended && call.cancelled
	return told
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
