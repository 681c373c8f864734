package masstree

// #include "batch_bridge.h"
import "C"

import (
	"runtime"
	"unsafe"
)

// The keys of a batch, and whether they were found.
type batchKeys struct {
	bytes    []byte
	ends     []C.size_t
	statuses []int32
}

func (b *batchKeys) add(key []byte) {
	b.bytes = append(b.bytes, key...)
	b.ends = append(b.ends, C.size_t(len(b.bytes)))
	b.statuses = append(b.statuses, int32(ErrNotFound))
}

func (b *batchKeys) reset() {
	b.bytes, b.ends, b.statuses = b.bytes[:0], b.ends[:0], b.statuses[:0]
}

// Len returns the number of keys.
func (b *batchKeys) Len() int {
	return len(b.ends)
}

func (b *batchKeys) err(i int) error {
	return toError(C.int32_t(b.statuses[i]))
}

// A Batch is a list of keys to look up with one call into C, and the results. It is
// reusable, by one goroutine at a time. The zero Batch is empty.
type Batch struct {
	batchKeys
	values []uint64
}

// Add appends a copy of a key.
func (b *Batch) Add(key []byte) {
	b.add(key)
	b.values = append(b.values, 0)
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.reset()
	b.values = b.values[:0]
}

// Value returns the result of the last GetMany for the i-th key: a value, or ErrNotFound.
func (b *Batch) Value(i int) (uint64, error) {
	return b.values[i], b.err(i)
}

// GetMany looks up all keys of a batch, interleaved. Each look-up is atomic, the batch is
// not.
func (o *Ops) GetMany(b *Batch) error {
	if o.isClosed() {
		return ErrClosed
	}
	if len(b.ends) == 0 {
		return nil
	}
	p, _ := pointer(b.bytes)
	status := C.bridge_get_many(o.c, p, &b.ends[0], C.size_t(len(b.ends)),
		(*C.uint64_t)(unsafe.Pointer(&b.values[0])),
		(*C.int32_t)(unsafe.Pointer(&b.statuses[0])))
	runtime.KeepAlive(o)
	return toError(status)
}

// A BytesBatch is a Batch for a BytesTree.
type BytesBatch struct {
	batchKeys
	strings []byte // the values
	values  []span
}

// Part of the values of a batch.
type span struct {
	begin, end int
}

// Add appends a copy of a key.
func (b *BytesBatch) Add(key []byte) {
	b.add(key)
	b.values = append(b.values, span{})
}

// Reset empties the batch and keeps its memory.
func (b *BytesBatch) Reset() {
	b.reset()
	b.strings, b.values = b.strings[:0], b.values[:0]
}

// Value returns the result of the last GetMany for the i-th key: a value, whose bytes the next GetMany and
// the next Reset overwrite, or ErrNotFound.
func (b *BytesBatch) Value(i int) ([]byte, error) {
	at := b.values[i]
	return b.strings[at.begin:at.end:at.end], b.err(i)
}

// GetMany is Tree.GetMany.
func (t *BytesTree) GetMany(b *BytesBatch) error {
	o := &t.tree.Ops
	if o.isClosed() {
		return ErrClosed
	}
	if len(b.ends) == 0 {
		return nil
	}
	var found entries
	defer found.free()
	p, _ := pointer(b.bytes)
	status := C.bridge_get_many_bytes(o.c, p, &b.ends[0], C.size_t(len(b.ends)),
		(*C.int32_t)(unsafe.Pointer(&b.statuses[0])), &found.page)
	runtime.KeepAlive(o)
	b.strings = b.strings[:0]
	for i := range b.values {
		begin := len(b.strings)
		if b.statuses[i] == C.MASSTREE_OK && found.next() {
			b.strings = append(b.strings, found.value...)
		}
		b.values[i] = span{begin, len(b.strings)}
	}
	return toError(status)
}
