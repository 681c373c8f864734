package masstree

// #include "bytes_bridge.h"
import "C"

import "runtime"

// A BytesTree is an ordered map from byte strings to byte strings, in memory: see StoreTree for a
// durable one. Any number of goroutines may use it concurrently. Close it when you do not need it
// any more; otherwise the garbage collector closes it. The tree copies keys and values.
type BytesTree struct {
	tree *Tree
}

// NewBytes creates an empty tree of byte strings.
func NewBytes() (*BytesTree, error) {
	tree, err := create(true)
	if err != nil {
		return nil, err
	}
	return &BytesTree{tree}, nil
}

// Close frees the tree, unless iterators are open: then it returns ErrInUse. No other call on the
// tree may be active.
func (t *BytesTree) Close() error {
	return t.tree.Close()
}

// Len returns the number of keys; while goroutines write, an approximation.
func (t *BytesTree) Len() (int, error) {
	return t.tree.Len()
}

// Check is Tree.Check.
func (t *BytesTree) Check() error {
	return t.tree.Check()
}

// Get returns a copy of the value of a key, or ErrNotFound.
func (t *BytesTree) Get(key []byte) ([]byte, error) {
	o := &t.tree.Ops
	if o.isClosed() {
		return nil, ErrClosed
	}
	k, n := pointer(key)
	return o.intoRoom(func(room *C.char, size C.size_t) C.sized_t {
		return C.bridge_copy_bytes(o.c, k, n, room, size)
	})
}

// LongestPrefix returns the length and a copy of the value of the longest key that is a prefix of the
// given one, or ErrNotFound.
func (t *BytesTree) LongestPrefix(key []byte) (n int, value []byte, err error) {
	o := &t.tree.Ops
	if o.isClosed() {
		return 0, nil, ErrClosed
	}
	p, size := pointer(key)
	found := C.bridge_longest_prefix_bytes(o.c, p, size)
	value, err = o.copied(found)
	return int(found.key_len), value, err
}

// copied copies a value, and leaves the guard that keeps it.
func (o *Ops) copied(found C.found_t) ([]byte, error) {
	if found.guard == 0 {
		return nil, toError(found.status)
	}
	value := appendSlice([]byte{}, found.value)
	C.bridge_leave(C.handles_t{guard: found.guard})
	runtime.KeepAlive(o)
	return value, nil
}

// Put stores a value under a key, whether the key exists or not.
func (t *BytesTree) Put(key, value []byte) error {
	return t.write(key, value, func(o *Ops, k *C.char, n C.size_t, v *C.char, m C.size_t) C.int32_t {
		return C.bridge_put_bytes(o.c, k, n, v, m)
	})
}

// Swap stores a value under a key and returns a copy of the previous one. If the key did not exist, it
// stores the value and returns ErrNotFound.
func (t *BytesTree) Swap(key, value []byte) (old []byte, err error) {
	o := &t.tree.Ops
	if o.isClosed() {
		return nil, ErrClosed
	}
	k, n := pointer(key)
	v, m := pointer(value)
	return o.copied(C.bridge_swap_bytes(o.c, k, n, v, m))
}

// Insert stores a value under a key that does not exist; if it exists, Insert changes nothing, and
// returns ErrExists.
func (t *BytesTree) Insert(key, value []byte) error {
	return t.write(key, value, func(o *Ops, k *C.char, n C.size_t, v *C.char, m C.size_t) C.int32_t {
		return C.bridge_insert_bytes(o.c, k, n, v, m)
	})
}

// Delete removes a key, or returns ErrNotFound.
func (t *BytesTree) Delete(key []byte) error {
	return t.write(key, nil, func(o *Ops, k *C.char, n C.size_t, _ *C.char, _ C.size_t) C.int32_t {
		return C.bridge_remove_bytes(o.c, k, n)
	})
}

// Take removes a key and returns a copy of its value, or ErrNotFound.
func (t *BytesTree) Take(key []byte) (old []byte, err error) {
	o := &t.tree.Ops
	if o.isClosed() {
		return nil, ErrClosed
	}
	k, n := pointer(key)
	return o.copied(C.bridge_take_bytes(o.c, k, n))
}

// CompareAndDelete removes a key that has the value old. It returns ErrMismatch if the key has
// another value, ErrNotFound if it does not exist.
func (t *BytesTree) CompareAndDelete(key, old []byte) error {
	return t.write(key, old, func(o *Ops, k *C.char, n C.size_t, v *C.char, m C.size_t) C.int32_t {
		return C.bridge_compare_and_delete_bytes(o.c, k, n, v, m)
	})
}

// CompareAndSwap replaces the value of a key if it is the expected one, byte for byte. It returns
// ErrMismatch if the key has another value, ErrNotFound if it does not exist.
func (t *BytesTree) CompareAndSwap(key, old, new []byte) error {
	return t.write(key, old, func(o *Ops, k *C.char, n C.size_t, v *C.char, m C.size_t) C.int32_t {
		p, size := pointer(new)
		return C.bridge_compare_and_swap_bytes(o.c, k, n, v, m, p, size)
	})
}

func (t *BytesTree) write(key, value []byte, call func(*Ops, *C.char, C.size_t, *C.char, C.size_t) C.int32_t) error {
	o := &t.tree.Ops
	if o.isClosed() {
		return ErrClosed
	}
	k, n := pointer(key)
	v, m := pointer(value)
	status := call(o, k, n, v, m)
	runtime.KeepAlive(o)
	return toError(status)
}

// Append appends bytes to the value of a key, or stores them if the key is absent, and returns the
// length of the new value. Of several goroutines that append to one key, each one's bytes are in the
// value once, in one piece. It copies the whole value.
func (t *BytesTree) Append(key, more []byte) (int, error) {
	o := &t.tree.Ops
	if o.isClosed() {
		return 0, ErrClosed
	}
	k, n := pointer(key)
	p, size := pointer(more)
	appended := C.bridge_append_bytes(o.c, k, n, p, size)
	runtime.KeepAlive(o)
	return int(appended.len), toError(appended.status)
}

// Update changes a key atomically. f gets a copy of the value, which it may change and return, or
// that the key is absent, and decides. No lock is held while f runs, so it may be slow and use the
// tree; but if another goroutine changed the key meanwhile, Update calls f again.
func (t *BytesTree) Update(key []byte, f func(old []byte, present bool) ([]byte, Decision)) error {
	changing := func(old []byte, present bool) ([]byte, Decision) { return f(clone(old), present) }
	return update(changing, conditional[[]byte]{
		get:    func() ([]byte, error) { return t.Get(key) },
		insert: func(value []byte) error { return t.Insert(key, value) },
		swap:   func(old, new []byte) error { return t.CompareAndSwap(key, old, new) },
		remove: func(old []byte) error { return t.CompareAndDelete(key, old) },
	})
}

// A BytesIterator visits the keys of a range, as an Iterator does.
type BytesIterator struct {
	it *Iterator
}

// Iterate returns an iterator over a range. If that fails, its Err returns the reason.
func (t *BytesTree) Iterate(r Range) *BytesIterator {
	return &BytesIterator{t.tree.Iterate(r)}
}

// Next moves to the next key. It returns false if no key is left, or after an error, which Err
// returns.
func (b *BytesIterator) Next() bool {
	return b.it.Next()
}

// Key returns the current key, whose bytes the next call of Next overwrites.
func (b *BytesIterator) Key() []byte {
	return b.it.key
}

// Value returns the value of the current key, whose bytes the next call of Next overwrites.
func (b *BytesIterator) Value() []byte {
	return b.it.bytes
}

// Err returns the error that ended the iteration, if any.
func (b *BytesIterator) Err() error {
	return b.it.err
}

// Close frees the iterator.
func (b *BytesIterator) Close() error {
	return b.it.Close()
}
