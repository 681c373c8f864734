package masstree

// #include "bridge.h"
import "C"

import (
	"bytes"
	"runtime"
	"unsafe"
)

// A Range is the keys from Lower on, without Upper and what comes after it. nil is no
// bound. The zero Range is every key, in ascending order.
type Range struct {
	Lower, Upper []byte
	Reverse      bool // from the end of the range to its beginning
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

// An Iterator goes through the keys of a range:
//
//	it := tree.Iterate(masstree.Prefix([]byte("user/")))
//	defer it.Close()
//	for it.Next() {
//		fmt.Println(it.Key(), it.Value())
//	}
//	return it.Err()
//
// Keys come strictly in order. One that is there all the time comes exactly once, one that
// is put or deleted meanwhile at most once. It reads up to 64 keys ahead. One goroutine at
// a time may use an iterator.
type Iterator struct {
	tree        *Tree  // what is kept alive, by an iterator that its finalizer closes; or nil
	guard       *Guard // what it works under, which closes it in the end; or nil
	ahead       *C.ahead_t
	at          int    // the place in ahead that Next goes to
	start, stop []byte // nil: none
	begun, done bool
	key         []byte
	value       uint64
	err         error
}

// Iterate gives an iterator over a range. If there can be none, its Err says why.
func (t *Tree) Iterate(r Range) *Iterator {
	it := &Iterator{tree: t}
	if it.open(&t.Ops, r) {
		t.users.Add(1)
		runtime.SetFinalizer(it, (*Iterator).Close)
	}
	return it
}

// Iterate gives an iterator that works under the guard, until the guard is closed.
func (g *Guard) Iterate(r Range) *Iterator {
	it := &Iterator{guard: g}
	if it.open(&g.Ops, r) {
		g.open[it.ahead] = struct{}{}
	}
	return it
}

func (it *Iterator) open(o *Ops, r Range) bool {
	if o.isClosed() {
		it.err = ErrClosed
		return false
	}
	it.start, it.stop = clone(r.Lower), clone(r.Upper)
	if r.Reverse {
		it.start, it.stop = it.stop, it.start
	}
	it.err = toError(C.bridge_open(o.c, C.bool(r.Reverse), &it.ahead))
	runtime.KeepAlive(o)
	return it.err == nil
}

func clone(bound []byte) []byte {
	if bound == nil {
		return nil
	}
	return append([]byte{}, bound...)
}

// Next goes to the next key. It answers false where there is none, or when something went
// wrong, which Err tells.
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
	slice := it.ahead.keys[it.at]
	it.key = append(it.key[:0], unsafe.Slice((*byte)(slice.data), int(slice.len))...)
	it.value = uint64(it.ahead.values[it.at])
	it.at++
	it.done = it.isBeyond()
	runtime.KeepAlive(it)
	return !it.done
}

// fill reads ahead; at least one key, or it answers false.
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

// Key gives the key that Next went to: bytes that the next Next overwrites.
func (it *Iterator) Key() []byte {
	return it.key
}

// Value gives the key's value.
func (it *Iterator) Value() uint64 {
	return it.value
}

// Err says what ended the iteration, if it was not the end of the range.
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
