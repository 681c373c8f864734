package masstree

// #include "bridge.h"
import "C"

import (
	"bytes"
	"runtime"
	"unsafe"
)

// A Range contains the keys k with Lower <= k < Upper. A nil bound is no bound. The zero
// Range contains every key, in ascending order.
type Range struct {
	Lower, Upper []byte
	Reverse      bool // in descending order
}

// Prefix is the range of keys that begin with the given bytes.
func Prefix(prefix []byte) Range {
	upper := append([]byte(nil), prefix...)
	for len(upper) > 0 && upper[len(upper)-1] == 0xff {
		upper = upper[:len(upper)-1]
	}
	if len(upper) == 0 {
		return Range{Lower: prefix}
	}
	upper[len(upper)-1]++
	return Range{Lower: prefix, Upper: upper}
}

// An Iterator visits the keys of a range:
//
//	it := tree.Iterate(masstree.Prefix([]byte("user/")))
//	defer it.Close()
//	for it.Next() {
//		fmt.Println(it.Key(), it.Value())
//	}
//	return it.Err()
//
// Keys are visited strictly in order: exactly once if they exist during the whole iteration,
// at most once if they are put or deleted meanwhile. It reads up to 64 keys ahead. One
// goroutine at a time may use an iterator.
type Iterator struct {
	tree        *Tree  // kept alive if a finalizer closes the iterator; or nil
	guard       *Guard // the guard under which it reads, and which closes it; or nil
	ahead       *C.ahead_t
	at          int    // index in ahead of the next key
	start, stop []byte // nil: no bound
	begun, done bool
	key         []byte
	value       uint64
	bytes       []byte // the value in a BytesTree
	err         error
}

// Iterate returns an iterator over a range. If that fails, its Err returns the reason.
func (t *Tree) Iterate(r Range) *Iterator {
	it := &Iterator{tree: t}
	if it.open(&t.Ops, t.ofBytes, r) {
		t.users.Add(1)
		runtime.SetFinalizer(it, (*Iterator).Close)
	}
	return it
}

// Iterate returns an iterator that reads under the guard, until the guard is closed.
func (g *Guard) Iterate(r Range) *Iterator {
	it := &Iterator{guard: g}
	if it.open(&g.Ops, false, r) {
		g.open[it.ahead] = struct{}{}
	}
	return it
}

func (it *Iterator) open(o *Ops, ofBytes bool, r Range) bool {
	if o.isClosed() {
		it.err = ErrClosed
		return false
	}
	it.start, it.stop = clone(r.Lower), clone(r.Upper)
	if r.Reverse {
		it.start, it.stop = it.stop, it.start
	}
	it.err = toError(C.bridge_open(o.c, C.bool(ofBytes), C.bool(r.Reverse), &it.ahead))
	runtime.KeepAlive(o)
	return it.err == nil
}

func clone(bound []byte) []byte {
	if bound == nil {
		return nil
	}
	return append([]byte{}, bound...)
}

// Next moves to the next key. It returns false if no key is left, or after an error, which
// Err returns.
func (it *Iterator) Next() bool {
	if it.done || it.err != nil {
		return false
	}
	if it.isClosed() {
		it.err = ErrClosed
		return false
	}
	if it.at >= int(it.ahead.count) && !it.fill() {
		return false
	}
	it.key = appendSlice(it.key[:0], it.ahead.keys[it.at])
	it.value = uint64(it.ahead.words[it.at])
	if it.ahead.of_bytes {
		it.bytes = appendSlice(it.bytes[:0], it.ahead.strings[it.at])
	}
	it.at++
	it.done = it.isBeyond()
	runtime.KeepAlive(it)
	return !it.done
}

func appendSlice(to []byte, slice C.masstree_slice_t) []byte {
	return append(to, unsafe.Slice((*byte)(slice.data), int(slice.len))...)
}

// fill reads ahead; returns false if it read no key.
func (it *Iterator) fill() bool {
	var status C.int32_t
	if !it.begun && it.start != nil {
		start, n := pointer(it.start)
		status = C.bridge_seek(it.ahead, start, n)
	} else {
		status = C.bridge_more(it.ahead)
	}
	it.begun, it.at = true, 0
	if status == C.MASSTREE_OK {
		return true
	}
	if it.done = status == C.MASSTREE_END; !it.done {
		it.err = Error(status)
	}
	return false
}

func (it *Iterator) isBeyond() bool {
	if it.stop == nil {
		return false
	}
	order := bytes.Compare(it.key, it.stop)
	return order >= 0 != bool(it.ahead.reverse)
}

func (it *Iterator) isClosed() bool {
	return it.ahead == nil || it.guard != nil && it.guard.isClosed()
}

// Key returns the current key, whose bytes the next call of Next overwrites.
func (it *Iterator) Key() []byte {
	return it.key
}

// Value returns the value of the current key.
func (it *Iterator) Value() uint64 {
	return it.value
}

// Err returns the error that ended the iteration, if any.
func (it *Iterator) Err() error {
	return it.err
}

// Close frees the iterator.
func (it *Iterator) Close() error {
	if it.isClosed() {
		return nil
	}
	if it.guard != nil {
		delete(it.guard.open, it.ahead)
	}
	C.bridge_close(it.ahead)
	it.ahead = nil
	if it.tree != nil {
		it.tree.users.Add(-1)
		runtime.SetFinalizer(it, nil)
	}
	return nil
}
