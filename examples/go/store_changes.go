package masstree

// #include "changes_bridge.h"
import "C"

import (
	"context"
	"runtime"
	"time"
	"unsafe"
)

// A ChangeKind says what a change does.
type ChangeKind uint32

const (
	ChangePut         = ChangeKind(C.MASSTREE_CHANGE_PUT)          // a key has a value
	ChangeRemove      = ChangeKind(C.MASSTREE_CHANGE_REMOVE)       // a key was removed
	ChangeTreeMade    = ChangeKind(C.MASSTREE_CHANGE_TREE_MADE)    // a tree was made; it is empty
	ChangeTreeDropped = ChangeKind(C.MASSTREE_CHANGE_TREE_DROPPED) // a tree was dropped, with all of its keys
)

// A Change is what a commit has done to a key, or to a tree.
type Change struct {
	Commit     uint64 // the number of its commit
	Kind       ChangeKind
	IsLast     bool // it is the last change of its commit
	Tree       string
	TreeNumber uint32 // which no other tree of the store gets, also none with the same name
	Key, Value []byte
}

// ChangesOptions are options of Store.Changes. The zero value has the defaults of the C library.
type ChangesOptions struct {
	Written   bool   // commits count that are written, but may not be durable yet
	HeldBytes uint64 // of the log, which are kept for what was not read yet; 0: 1 GiB
}

// Changes reads what commits have changed since a number, in the order of the commits:
//
//	changes, err := store.Changes(since, masstree.ChangesOptions{})
//	...
//	defer changes.Close()
//	for err == nil {
//		for changes.Next() {
//			apply(changes.Change())
//		}
//		if err = changes.Err(); err == nil {
//			err = changes.Wait(ctx)
//		}
//	}
//
// The number of the last commit of which every change was applied is all that is needed to go on later. One
// goroutine at a time may use it.
type Changes struct {
	store   *Store
	c       C.uintptr_t
	failure C.masstree_store_failure_t
	change  Change
	err     error
}

// Changes begins to read the changes behind a commit; 0: from the beginning. If a checkpoint has removed the log
// that has them, it is ErrTooOld; if the store has no such commit, ErrNotFound. Then begin with an export.
func (s *Store) Changes(since uint64, options ChangesOptions) (*Changes, error) {
	of, err := s.hold()
	if err != nil {
		return nil, err
	}
	level := C.uint32_t(C.MASSTREE_DURABLE)
	if options.Written {
		level = C.MASSTREE_WRITTEN
	}
	changes := &Changes{store: s}
	status := C.bridge_store_changes(of, C.uint64_t(since), level, C.uint64_t(options.HeldBytes), &changes.c)
	if status != C.MASSTREE_OK {
		s.users.Add(-1)
		return nil, Error(status)
	}
	runtime.SetFinalizer(changes, (*Changes).Close)
	return changes, nil
}

// Next moves to the next change. It returns false if there is none by now, and may be called again later; or after
// an error, which Err returns: ErrTooOld if it has fallen back further than HeldBytes, or a *StoreError.
func (changes *Changes) Next() bool {
	if changes.c == 0 {
		changes.err = ErrClosed
		return false
	}
	next := C.bridge_changes_next(changes.c, &changes.failure)
	changes.err = nil
	switch next.status {
	case C.MASSTREE_OK:
		changes.change.read(&next.change)
	case C.MASSTREE_NOT_FOUND:
	case C.MASSTREE_TOO_OLD:
		changes.err = ErrTooOld
	default:
		changes.err = storeError(next.status, &changes.failure)
	}
	return next.status == C.MASSTREE_OK
}

func (change *Change) read(from *C.masstree_change_t) {
	change.Commit = uint64(from.commit)
	change.Kind = ChangeKind(from.kind)
	change.IsLast = from.is_last != 0
	change.Tree = C.GoString(from.tree)
	change.TreeNumber = uint32(from.tree_number)
	change.Key = append(change.Key[:0], unsafe.Slice((*byte)(from.key), int(from.key_len))...)
	change.Value = append(change.Value[:0], unsafe.Slice((*byte)(from.value), int(from.value_len))...)
}

// Change returns the current change, which the next call of Next overwrites.
func (changes *Changes) Change() *Change {
	return &changes.change
}

// Err returns the error of the last call of Next, if any.
func (changes *Changes) Err() error {
	return changes.err
}

// The library's wait has no end but a time. It returns so often, to see whether the context has ended.
const longestWait = 20 * time.Millisecond

// Wait waits until there may be a change, or returns the context's error. It does not make commits durable:
// SyncInterval does, or a Wait for them. In a store that is only read, it is ErrReadOnly.
func (changes *Changes) Wait(ctx context.Context) error {
	if changes.c == 0 {
		return ErrClosed
	}
	// Ends: with the context.
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		timeout := C.uint64_t(longestWait.Microseconds())
		status := C.masstree_changes_wait(C.changes_at(changes.c), timeout)
		if status != C.MASSTREE_NOT_FOUND {
			return toError(status)
		}
	}
}

// Close ends the reading. What it has kept of the log may go from now on.
func (changes *Changes) Close() error {
	if changes.c == 0 {
		return nil
	}
	C.masstree_changes_destroy(C.changes_at(changes.c))
	changes.c = 0
	changes.store.users.Add(-1)
	runtime.SetFinalizer(changes, nil)
	return nil
}
