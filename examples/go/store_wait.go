package masstree

// #include "store_bridge.h"
import "C"

import (
	"context"
	"math"
	"runtime/cgo"
)

// A waiter is told when a commit is durable.
type waiter struct {
	store *Store
	done  chan error // has room, so that the log's thread never waits
}

// Wait waits until a commit, and every one before it, is durable. If the context ends first, it returns the
// context's error; the commit may become durable later.
//
// No goroutine and no thread waits on behalf of a Wait that was given up: its channel is freed when the
// commit is durable, at the latest by Close.
func (s *Store) Wait(ctx context.Context, commit uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &waiter{store: s, done: make(chan error, 1)}
	err := s.use(func(store C.uintptr_t) error {
		handle := cgo.NewHandle(w)
		s.waits.Add(1)
		status := C.bridge_on_durable(store, C.uint64_t(commit), C.uintptr_t(handle))
		if status != C.MASSTREE_OK {
			// It will not be called.
			s.waits.Add(-1)
			handle.Delete()
		}
		return toError(status)
	})
	if err != nil {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Sync waits until everything that was committed before the call is durable, as Wait.
func (s *Store) Sync(ctx context.Context) error {
	return s.Wait(ctx, math.MaxUint64)
}

//export bridgeDurable
func bridgeDurable(_ C.uint64_t, status C.int32_t, handle C.uintptr_t) {
	h := cgo.Handle(handle)
	w := h.Value().(*waiter)
	h.Delete()
	w.store.waits.Add(-1)
	w.done <- toError(status)
}
