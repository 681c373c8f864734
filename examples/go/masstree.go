// Package masstree is an ordered map from byte strings to 64-bit words (Tree) or to byte strings
// (BytesTree), which any number of goroutines use concurrently, without locks for readers:
// libmasstree, through cgo.
//
// A call into C costs about as much as a look-up. Where that matters, look up many keys
// with one call (Batch); iterators read ahead.
//
// Values are plain words. Do not store Go pointers, which the garbage collector would not
// see: store an index into a slice, or a runtime/cgo.Handle.
package masstree

// #cgo pkg-config: masstree
// #include "bridge.h"
import "C"

import (
	"errors"
	"runtime"
	"sync/atomic"
)

// Error is a status of the C library other than MASSTREE_OK. Compare it with ==, or
// errors.Is.
type Error int32

// Errors of operations.
const (
	ErrNotFound   = Error(C.MASSTREE_NOT_FOUND)
	ErrExists     = Error(C.MASSTREE_EXISTS)
	ErrMismatch   = Error(C.MASSTREE_MISMATCH)
	ErrNoMemory   = Error(C.MASSTREE_NOMEM)
	ErrKeyTooLong = Error(C.MASSTREE_KEY_TOO_LONG)
	ErrForked     = Error(C.MASSTREE_FORKED)
	ErrCorrupt    = Error(C.MASSTREE_CORRUPT)
)

// Operations on closed objects return ErrClosed; Tree.Close returns ErrInUse.
var (
	ErrClosed = errors.New("masstree: closed")
	ErrInUse  = errors.New("masstree: the tree has open guards or iterators")
)

func (e Error) Error() string {
	return "masstree: " + C.GoString(C.masstree_strerror(C.int32_t(e)))
}

func toError(status C.int32_t) error {
	if status == C.MASSTREE_OK {
		return nil
	}
	return Error(status)
}

// ABIVersion returns the number of the C library's binary interface.
func ABIVersion() int {
	return int(C.masstree_abi_version())
}

// A Tree is an ordered map. Close it when you do not need it any more; otherwise the
// garbage collector closes it.
type Tree struct {
	Ops
	users   atomic.Int64 // open guards, and iterators with their own guard
	ofBytes bool         // it is in a BytesTree
}

// New creates an empty tree.
func New() (*Tree, error) {
	return create(false)
}

func create(ofBytes bool) (*Tree, error) {
	t := &Tree{ofBytes: ofBytes}
	if err := toError(C.bridge_create(&t.c, C.bool(ofBytes))); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(t, (*Tree).Close)
	return t, nil
}

// Close frees the tree, unless guards or iterators are open: then it returns ErrInUse.
// No other call on the tree may be active.
func (t *Tree) Close() error {
	if t.isClosed() {
		return nil
	}
	if t.users.Load() != 0 {
		return ErrInUse
	}
	C.bridge_destroy(t.c)
	t.c.tree = 0
	runtime.SetFinalizer(t, nil)
	return nil
}

// A Guard protects memory that is read under it from being freed, and makes calls a little
// cheaper. One goroutine at a time may use it, on any thread. Displaced memory waits for
// every guard: refresh one that is kept for long.
type Guard struct {
	Ops
	owner *Tree
	// The C memory of iterators under this guard; not the iterators, which refer to the
	// guard: the garbage collector would not finalize a cycle.
	open map[*C.ahead_t]struct{}
}

// Guard enters a guard of the tree.
func (t *Tree) Guard() (*Guard, error) {
	if t.isClosed() {
		return nil, ErrClosed
	}
	g := &Guard{owner: t, open: make(map[*C.ahead_t]struct{})}
	g.c = t.c
	if err := toError(C.bridge_enter(&g.c)); err != nil {
		return nil, err
	}
	t.users.Add(1)
	runtime.SetFinalizer(g, (*Guard).Close)
	return g, nil
}

// Refresh ends the protection of everything read under the guard so far.
func (g *Guard) Refresh() error {
	if g.isClosed() {
		return ErrClosed
	}
	C.bridge_refresh(g.c)
	runtime.KeepAlive(g)
	return nil
}

// Close leaves the guard, and closes the iterators that read under it.
func (g *Guard) Close() error {
	if g.isClosed() {
		return nil
	}
	for ahead := range g.open {
		C.bridge_close(ahead)
	}
	C.bridge_leave(g.c)
	g.c, g.open = C.handles_t{}, nil
	g.owner.users.Add(-1)
	runtime.SetFinalizer(g, nil)
	return nil
}
