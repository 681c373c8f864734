package masstree

// #include "store_bridge.h"
import "C"

import "unsafe"

// A StoreTree is a tree of a store. It can be used until the store is closed.
type StoreTree struct {
	store *Store
	c     C.uintptr_t
}

// Get returns the value of a key, or ErrNotFound.
func (t *StoreTree) Get(key []byte) ([]byte, error) {
	value, _, err := t.GetVersion(key)
	return value, err
}

// GetVersion is Get; it returns also the number of the commit that stored the value.
func (t *StoreTree) GetVersion(key []byte) (value []byte, version uint64, err error) {
	err = t.store.use(func(C.uintptr_t) error {
		value, version, err = t.getAt(key, C.MASSTREE_SEQNO_LATEST)
		return err
	})
	return value, version, err
}

// getAt reads a key as of a commit, while the store is in use.
func (t *StoreTree) getAt(key []byte, number C.uint64_t) (value []byte, version uint64, err error) {
	p, n := pointer(key)
	found := C.bridge_store_get(t.c, p, n, number)
	if found.status == C.MASSTREE_OK {
		value = append([]byte{}, unsafe.Slice((*byte)(found.bytes), int(found.len))...)
		version = uint64(found.version)
		C.free(found.bytes)
	}
	return value, version, toError(found.status)
}

// Put stores a value under a key, whether the key exists or not.
func (t *StoreTree) Put(key, value []byte) (commit uint64, err error) {
	p, n := pointer(key)
	v, m := pointer(value)
	return t.store.commit(func(store C.uintptr_t) C.commit_t {
		return C.bridge_store_put(store, t.c, p, n, v, m)
	})
}

// Insert stores a value under a key that does not exist; if it exists, it is ErrExists.
func (t *StoreTree) Insert(key, value []byte) (commit uint64, err error) {
	p, n := pointer(key)
	v, m := pointer(value)
	return t.store.commit(func(store C.uintptr_t) C.commit_t {
		return C.bridge_store_insert(store, t.c, p, n, v, m)
	})
}

// ReplaceVersion replaces the value of a key, if GetVersion still returns this version; otherwise it is
// ErrMismatch, or ErrNotFound if the key does not exist.
func (t *StoreTree) ReplaceVersion(key []byte, version uint64, value []byte) (commit uint64, err error) {
	p, n := pointer(key)
	v, m := pointer(value)
	return t.store.commit(func(store C.uintptr_t) C.commit_t {
		return C.bridge_store_replace(store, t.c, p, n, C.uint64_t(version), v, m)
	})
}

// Remove removes a key; if it does not exist, it is ErrNotFound.
func (t *StoreTree) Remove(key []byte) (commit uint64, err error) {
	p, n := pointer(key)
	return t.store.commit(func(store C.uintptr_t) C.commit_t {
		return C.bridge_store_remove(store, t.c, p, n)
	})
}

// Rename moves the value of a key to another key, at once. If from does not exist, it is ErrNotFound; if to
// exists, and force is not set, ErrExists.
func (t *StoreTree) Rename(from, to []byte, force bool) (commit uint64, err error) {
	p, n := pointer(from)
	q, m := pointer(to)
	var flags C.uint32_t
	if force {
		flags = C.MASSTREE_RENAME_FORCE
	}
	return t.store.commit(func(store C.uintptr_t) C.commit_t {
		return C.bridge_store_rename(store, t.c, p, n, q, m, flags)
	})
}
