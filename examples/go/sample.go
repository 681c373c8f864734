package masstree

// #include "sample_bridge.h"
import "C"

import "runtime"

// A Sampler draws keys at random. Its Seed, any number, determines which; each call advances it. One
// goroutine at a time may use a sampler.
type Sampler struct {
	Seed uint64
}

// Sample draws up to n keys, and calls f for each with its value, until f returns false. It may draw
// a key more than once. Keys that share their first eight bytes with many others are less likely than
// others, unless most keys do; otherwise all keys are equally likely. If the tree is empty, there is
// none to draw. The bytes of a key are overwritten after the call of f.
func (o *Ops) Sample(s *Sampler, n int, f func(key []byte, value uint64) bool) error {
	return o.sample(s, n, false, func(e *entries) bool {
		return f(e.key, e.version)
	})
}

// Sample is Tree.Sample; the bytes of a value, too, are overwritten after the call of f.
func (t *BytesTree) Sample(s *Sampler, n int, f func(key, value []byte) bool) error {
	return t.tree.sample(s, n, true, func(e *entries) bool {
		return f(e.key, e.value)
	})
}

// sample draws a page at a time, so that f runs outside of C, and may end it.
func (o *Ops) sample(s *Sampler, n int, ofBytes bool, f func(*entries) bool) error {
	var drawn entries
	defer drawn.free()
	// Ends: each round takes from n, or draws nothing.
	for ; n > 0; n -= page {
		if o.isClosed() {
			return ErrClosed
		}
		count := n
		if count > page {
			count = page
		}
		drawn.empty()
		word := C.bridge_sample(o.c, C.bool(ofBytes), C.uint64_t(s.Seed), C.size_t(count), &drawn.page)
		runtime.KeepAlive(o)
		s.Seed = uint64(word.value)
		if err := toError(word.status); err != nil {
			return err
		}
		if drawn.page.len == 0 {
			return nil
		}
		for drawn.next() {
			if !f(&drawn) {
				return nil
			}
		}
	}
	return nil
}
