package masstree

// #include "queue_bridge.h"
import "C"

import "runtime"

// What most keys fit into.
const usualKey = 64

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

func (o *Ops) pop(r Range, last bool) ([]byte, uint64, error) {
	if o.isClosed() {
		return nil, 0, ErrClosed
	}
	lower, lowerLen := pointer(r.Lower)
	upper, upperLen := pointer(r.Upper)
	open := C.open_t{lower: C.bool(r.Lower == nil), upper: C.bool(r.Upper == nil)}
	// Ends: each round has more room, and keys are at most 2^32 - 1 bytes long.
	for room := make([]byte, usualKey); ; {
		p, n := pointer(room)
		popped := C.bridge_pop(o.c, C.bool(last), open, lower, lowerLen, upper, upperLen, p, n)
		runtime.KeepAlive(o)
		switch popped.status {
		case C.MASSTREE_OK:
			return room[:popped.len], uint64(popped.value), nil
		case C.MASSTREE_TOO_SMALL:
			room = make([]byte, popped.len)
		default:
			return nil, 0, toError(popped.status)
		}
	}
}

// DeleteRange deletes the keys of a range, whole nodes at a time, and returns their number. It
// is not one atomic operation: a key that is put meanwhile may stay. The range's Reverse has no
// effect. With ErrNoMemory, the keys that it counts are deleted, and another call goes on.
func (o *Ops) DeleteRange(r Range) (int, error) {
	if o.isClosed() {
		return 0, ErrClosed
	}
	lower, lowerLen := pointer(r.Lower)
	upper, upperLen := pointer(r.Upper)
	open := C.open_t{lower: C.bool(r.Lower == nil), upper: C.bool(r.Upper == nil)}
	word := C.bridge_remove_range(o.c, open, lower, lowerLen, upper, upperLen)
	runtime.KeepAlive(o)
	return int(word.value), toError(word.status)
}
