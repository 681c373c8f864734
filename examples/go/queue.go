package masstree

// #include "queue_bridge.h"
import "C"

import "runtime"

// PopFirst removes the smallest key of a range, and returns it with its value, or ErrNotFound.
// Each key goes to exactly one caller: with many goroutines, a concurrent priority queue. The
// range's Reverse has no effect.
func (o *Ops) PopFirst(r Range) (key []byte, value uint64, err error) {
	return o.pop(r, false)
}

// PopLast is PopFirst for the greatest key of a range.
func (o *Ops) PopLast(r Range) (key []byte, value uint64, err error) {
	return o.pop(r, true)
}

// PopFirst is Tree.PopFirst.
func (t *BytesTree) PopFirst(r Range) (key, value []byte, err error) {
	return t.pop(r, false)
}

// PopLast is Tree.PopLast.
func (t *BytesTree) PopLast(r Range) (key, value []byte, err error) {
	return t.pop(r, true)
}

func (o *Ops) pop(r Range, last bool) (key []byte, value uint64, err error) {
	if o.isClosed() {
		return nil, 0, ErrClosed
	}
	b := r.bounds()
	key, err = o.intoRoom(func(room *C.char, size C.size_t) C.sized_t {
		popped := C.bridge_pop(o.c, C.bool(last), b.open, b.lower, b.lowerLen, b.upper, b.upperLen, room, size)
		value = uint64(popped.value)
		return C.sized_t{len: popped.len, status: popped.status}
	})
	return key, value, err
}

func (t *BytesTree) pop(r Range, last bool) (key, value []byte, err error) {
	o := &t.tree.Ops
	if o.isClosed() {
		return nil, nil, ErrClosed
	}
	b := r.bounds()
	key, err = o.intoRoom(func(room *C.char, size C.size_t) C.sized_t {
		popped := C.bridge_pop_bytes(o.c, C.bool(last), b.open, b.lower, b.lowerLen, b.upper, b.upperLen, room, size)
		value, _ = o.copied(popped)
		return C.sized_t{len: popped.key_len, status: popped.status}
	})
	return key, value, err
}

// DeleteRange deletes the keys of a range, whole nodes at a time, and returns their number. It
// is not one atomic operation: a key that is put meanwhile may stay. The range's Reverse has no
// effect. With ErrNoMemory, the keys that it counts are deleted, and another call goes on.
func (o *Ops) DeleteRange(r Range) (int, error) {
	if o.isClosed() {
		return 0, ErrClosed
	}
	b := r.bounds()
	word := C.bridge_remove_range(o.c, b.open, b.lower, b.lowerLen, b.upper, b.upperLen)
	runtime.KeepAlive(o)
	return int(word.value), toError(word.status)
}

// DeleteRange is Tree.DeleteRange.
func (t *BytesTree) DeleteRange(r Range) (int, error) {
	return t.tree.DeleteRange(r)
}

// A range as C gets it.
type bounds struct {
	open               C.open_t
	lower, upper       *C.char
	lowerLen, upperLen C.size_t
}

func (r Range) bounds() (b bounds) {
	b.open = C.open_t{lower: C.bool(r.Lower == nil), upper: C.bool(r.Upper == nil)}
	b.lower, b.lowerLen = pointer(r.Lower)
	b.upper, b.upperLen = pointer(r.Upper)
	return b
}
