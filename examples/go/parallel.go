package masstree

// #include "sample_bridge.h"
import "C"

import (
	"context"
	"runtime"
	"sync"
)

// Pivots returns at most n keys, in order, that divide the tree into parts of about equally many keys:
// one before the first, one from each up to the next, and one from the last on. They need not be keys
// of the tree. A tree with few keys has fewer.
func (o *Ops) Pivots(n int) ([][]byte, error) {
	if o.isClosed() {
		return nil, ErrClosed
	}
	if n <= 0 {
		return nil, nil
	}
	var found entries
	defer found.free()
	status := C.bridge_pivots(o.c, C.size_t(n), &found.page)
	runtime.KeepAlive(o)
	var pivots [][]byte
	for status == C.MASSTREE_OK && found.next() {
		pivots = append(pivots, clone(found.key))
	}
	return pivots, toError(status)
}

// Pivots is Tree.Pivots.
func (t *BytesTree) Pivots(n int) ([][]byte, error) {
	return t.tree.Pivots(n)
}

// ScanParallel visits all keys with at most n goroutines, each of which visits a part of the tree in
// ascending order (see Pivots): f(part, key, value) is called concurrently, but for one part by one
// goroutine only. An error of f ends the scan, also in the other goroutines, within 64 keys; so does
// the context. ScanParallel returns the first error when all goroutines have ended. The bytes of a
// key are overwritten after the call of f. As an iterator, it is no snapshot.
func (t *Tree) ScanParallel(ctx context.Context, n int, f func(part int, key []byte, value uint64) error) error {
	return t.scanParts(ctx, n, func(part int, it *Iterator) error {
		return f(part, it.key, it.value)
	})
}

// ScanParallel is Tree.ScanParallel; the bytes of a value, too, are overwritten after the call of f.
func (t *BytesTree) ScanParallel(ctx context.Context, n int, f func(part int, key, value []byte) error) error {
	return t.tree.scanParts(ctx, n, func(part int, it *Iterator) error {
		return f(part, it.key, it.bytes)
	})
}

func (t *Tree) scanParts(ctx context.Context, n int, f func(int, *Iterator) error) error {
	pivots, err := t.Pivots(n - 1)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	var once sync.Once
	var first error
	for part := 0; part <= len(pivots); part++ {
		var keys Range
		if part > 0 {
			keys.Lower = pivots[part-1]
		}
		if part < len(pivots) {
			keys.Upper = pivots[part]
		}
		group.Add(1)
		go func(part int) {
			defer group.Done()
			if err := t.scanPart(ctx, part, keys, f); err != nil {
				once.Do(func() {
					first = err
					cancel() // after the error is set: the others return the context's
				})
			}
		}(part)
	}
	group.Wait()
	return first
}

func (t *Tree) scanPart(ctx context.Context, part int, keys Range, f func(int, *Iterator) error) error {
	it := t.Iterate(keys)
	defer it.Close()
	// Asking a context takes its lock, which all goroutines share.
	for visited := 0; it.Next(); visited++ {
		if visited%page == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := f(part, it); err != nil {
			return err
		}
	}
	return it.Err()
}
