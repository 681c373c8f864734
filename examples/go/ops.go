package masstree

// #include "bridge.h"
import "C"

import (
	"runtime"
	"unsafe"
)

// Ops are the operations of a Tree, where each pins for itself, and of a Guard. Any number
// of goroutines may call those of a Tree concurrently.
//
// A key is any byte string, also the empty one. C reads it during the call only.
type Ops struct {
	c C.handles_t
}

// The address of the empty key.
var nothing C.char

// A *C.char and not an unsafe.Pointer, for which cgo would check the whole object that
// the key is part of.
func pointer(key []byte) (*C.char, C.size_t) {
	if len(key) == 0 {
		return &nothing, 0
	}
	return (*C.char)(unsafe.Pointer(&key[0])), C.size_t(len(key))
}

// What most keys and values fit into.
const usualLength = 64

// intoRoom calls f with room for its result, and again with more if that is too small.
func (o *Ops) intoRoom(f func(room *C.char, size C.size_t) C.sized_t) ([]byte, error) {
	// Ends: each round has more room, and keys and values are not endless.
	for room := make([]byte, usualLength); ; {
		p, size := pointer(room)
		result := f(p, size)
		runtime.KeepAlive(o)
		switch result.status {
		case C.MASSTREE_OK:
			return room[:result.len], nil
		case C.MASSTREE_TOO_SMALL:
			room = make([]byte, result.len)
		default:
			return nil, toError(result.status)
		}
	}
}

func (o *Ops) isClosed() bool {
	return o.c.tree == 0
}

func (o *Ops) answer(word C.word_t) (uint64, error) {
	runtime.KeepAlive(o)
	return uint64(word.value), toError(word.status)
}

// Get returns the value of a key, or ErrNotFound.
func (o *Ops) Get(key []byte) (uint64, error) {
	if o.isClosed() {
		return 0, ErrClosed
	}
	p, n := pointer(key)
	return o.answer(C.bridge_get(o.c, p, n))
}

// GetUint64 is Get for a key of eight bytes, most significant first, so that keys sort
// numerically.
func (o *Ops) GetUint64(key uint64) (uint64, error) {
	if o.isClosed() {
		return 0, ErrClosed
	}
	return o.answer(C.bridge_get_u64(o.c, C.uint64_t(key)))
}

// LongestPrefix returns the length and the value of the longest key that is a prefix of the given
// one, or ErrNotFound.
func (o *Ops) LongestPrefix(key []byte) (n int, value uint64, err error) {
	if o.isClosed() {
		return 0, 0, ErrClosed
	}
	p, size := pointer(key)
	match := C.bridge_longest_prefix(o.c, p, size)
	runtime.KeepAlive(o)
	return int(match.len), uint64(match.value), toError(match.status)
}

// Put stores a value under a key, whether the key exists or not.
func (o *Ops) Put(key []byte, value uint64) error {
	if o.isClosed() {
		return ErrClosed
	}
	p, n := pointer(key)
	status := C.bridge_put(o.c, p, n, C.uint64_t(value))
	runtime.KeepAlive(o)
	return toError(status)
}

// PutUint64 is Put for a key as in GetUint64.
func (o *Ops) PutUint64(key uint64, value uint64) error {
	if o.isClosed() {
		return ErrClosed
	}
	status := C.bridge_put_u64(o.c, C.uint64_t(key), C.uint64_t(value))
	runtime.KeepAlive(o)
	return toError(status)
}

// Swap stores a value under a key and returns the previous one. If the key did not exist,
// it stores the value and returns ErrNotFound.
func (o *Ops) Swap(key []byte, value uint64) (old uint64, err error) {
	if o.isClosed() {
		return 0, ErrClosed
	}
	p, n := pointer(key)
	return o.answer(C.bridge_swap(o.c, p, n, C.uint64_t(value)))
}

// Insert stores a value under a key that does not exist. If it exists, Insert changes
// nothing, and returns its value and ErrExists.
func (o *Ops) Insert(key []byte, value uint64) (present uint64, err error) {
	if o.isClosed() {
		return 0, ErrClosed
	}
	p, n := pointer(key)
	return o.answer(C.bridge_insert(o.c, p, n, C.uint64_t(value)))
}

// Delete removes a key and returns its value, or ErrNotFound.
func (o *Ops) Delete(key []byte) (old uint64, err error) {
	if o.isClosed() {
		return 0, ErrClosed
	}
	p, n := pointer(key)
	return o.answer(C.bridge_remove(o.c, p, n))
}

// CompareAndSwap replaces the value of a key if it is the expected one. It returns
// ErrMismatch if the key has another value, ErrNotFound if it does not exist.
func (o *Ops) CompareAndSwap(key []byte, old, new uint64) error {
	if o.isClosed() {
		return ErrClosed
	}
	p, n := pointer(key)
	status := C.bridge_compare_and_swap(o.c, p, n, C.uint64_t(old), C.uint64_t(new))
	runtime.KeepAlive(o)
	return toError(status)
}

// CompareAndDelete removes a key that has the value old. It returns ErrMismatch if the
// key has another value, ErrNotFound if it does not exist.
func (o *Ops) CompareAndDelete(key []byte, old uint64) error {
	if o.isClosed() {
		return ErrClosed
	}
	p, n := pointer(key)
	status := C.bridge_compare_and_delete(o.c, p, n, C.uint64_t(old))
	runtime.KeepAlive(o)
	return toError(status)
}

// Add adds to the value of a key, modulo 2^64, or stores the number if the key is absent. It returns the
// new value.
func (o *Ops) Add(key []byte, more uint64) (uint64, error) {
	if o.isClosed() {
		return 0, ErrClosed
	}
	p, n := pointer(key)
	return o.answer(C.bridge_add(o.c, p, n, C.uint64_t(more)))
}

// Decision is the result of the function of an Update.
type Decision int

// Keep leaves the key unchanged, Set stores the new value, Remove removes the key.
const (
	Keep Decision = iota
	Set
	Remove
)

// Update changes a key atomically. f gets the value, or that the key is absent, and
// decides. No lock is held while f runs, so it may be slow and use the tree; but if another
// goroutine changed the key meanwhile, Update calls f again.
func (o *Ops) Update(key []byte, f func(old uint64, present bool) (uint64, Decision)) error {
	return update(f, conditional[uint64]{
		get:    func() (uint64, error) { return o.Get(key) },
		insert: func(value uint64) error { _, err := o.Insert(key, value); return err },
		swap:   func(old, new uint64) error { return o.CompareAndSwap(key, old, new) },
		remove: func(old uint64) error { return o.CompareAndDelete(key, old) },
	})
}

// What an update does to its key: insert, swap and remove change nothing if the key has changed.
type conditional[V any] struct {
	get    func() (V, error)
	insert func(value V) error
	swap   func(old, new V) error
	remove func(old V) error
}

func update[V any](f func(old V, present bool) (V, Decision), key conditional[V]) error {
	// Ends: when no other goroutine has changed the key during f; each round, one of those that
	// change it at the same time succeeds.
	for {
		old, err := key.get()
		present := err == nil
		if !present && err != ErrNotFound {
			return err
		}
		value, decision := f(old, present)
		switch {
		case decision == Keep, decision == Remove && !present:
			return nil
		case decision == Remove:
			err = key.remove(old)
		case present:
			err = key.swap(old, value)
		default:
			err = key.insert(value)
		}
		if err != ErrMismatch && err != ErrNotFound && err != ErrExists {
			return err
		}
	}
}

// Len returns the number of keys; while goroutines write, an approximation.
func (o *Ops) Len() (int, error) {
	if o.isClosed() {
		return 0, ErrClosed
	}
	n, err := o.answer(C.bridge_len(o.c))
	return int(n), err
}

// Check visits every node and returns ErrCorrupt if an invariant is violated. No goroutine
// may write to the tree meanwhile.
func (o *Ops) Check() error {
	if o.isClosed() {
		return ErrClosed
	}
	status := C.bridge_check(o.c)
	runtime.KeepAlive(o)
	return toError(status)
}
