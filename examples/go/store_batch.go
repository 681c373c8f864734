package masstree

// #include "store_bridge.h"
import "C"

import "fmt"

// A WriteBatch is a list of operations on trees of one store, which Store.Commit does all at once or not
// at all, in their order. The zero WriteBatch is empty. One goroutine at a time may use it.
type WriteBatch struct {
	ops   []C.batch_op_t
	bytes []byte
	store *Store
	mixed bool // trees of several stores
}

func (b *WriteBatch) add(kind C.uint32_t, tree *StoreTree, key, other []byte, version uint64) {
	b.mixed = b.mixed || b.store != nil && b.store != tree.store
	b.store = tree.store
	b.ops = append(b.ops, C.batch_op_t{
		kind:      kind,
		tree:      tree.c,
		version:   C.uint64_t(version),
		key_len:   C.size_t(len(key)),
		other_len: C.size_t(len(other)),
	})
	b.bytes = append(append(b.bytes, key...), other...)
}

// Put stores a value.
func (b *WriteBatch) Put(tree *StoreTree, key, value []byte) {
	b.add(C.OP_PUT, tree, key, value, 0)
}

// Remove removes a key, if it exists.
func (b *WriteBatch) Remove(tree *StoreTree, key []byte) {
	b.add(C.OP_REMOVE, tree, key, nil, 0)
}

// Rename moves a value, as StoreTree.Rename.
func (b *WriteBatch) Rename(tree *StoreTree, from, to []byte, force bool) {
	kind := C.uint32_t(C.OP_RENAME)
	if force {
		kind = C.OP_RENAME_FORCE
	}
	b.add(kind, tree, from, to, 0)
}

// AssertAbsent demands that a key does not exist.
func (b *WriteBatch) AssertAbsent(tree *StoreTree, key []byte) {
	b.add(C.OP_ABSENT, tree, key, nil, 0)
}

// AssertPresent demands that a key exists.
func (b *WriteBatch) AssertPresent(tree *StoreTree, key []byte) {
	b.add(C.OP_PRESENT, tree, key, nil, 0)
}

// AssertVersion demands that GetVersion returns this version.
func (b *WriteBatch) AssertVersion(tree *StoreTree, key []byte, version uint64) {
	b.add(C.OP_VERSION, tree, key, nil, version)
}

// AssertEmpty demands that no key begins with a prefix.
func (b *WriteBatch) AssertEmpty(tree *StoreTree, prefix []byte) {
	b.add(C.OP_EMPTY, tree, prefix, nil, 0)
}

// Len returns the number of operations.
func (b *WriteBatch) Len() int {
	return len(b.ops)
}

// Reset empties the batch and keeps its memory.
func (b *WriteBatch) Reset() {
	b.ops, b.bytes, b.store, b.mixed = b.ops[:0], b.bytes[:0], nil, false
}

// A ConditionError says which operation of a batch was refused. errors.Is says that it is ErrMismatch.
type ConditionError struct {
	Operation int // the first has 0
}

func (e *ConditionError) Error() string {
	return fmt.Sprintf("%v: operation %d of the batch", ErrMismatch, e.Operation)
}

// Unwrap returns ErrMismatch.
func (e *ConditionError) Unwrap() error {
	return ErrMismatch
}

// Commit does the operations of a batch at once. If a condition does not hold, or a key that is to be
// renamed does not exist, it is a *ConditionError, and nothing was done.
func (s *Store) Commit(b *WriteBatch) (commit uint64, err error) {
	if b.mixed || b.store != nil && b.store != s {
		return 0, ErrInvalid
	}
	var ops *C.batch_op_t
	if len(b.ops) > 0 {
		ops = &b.ops[0]
	}
	bytes, _ := pointer(b.bytes)
	var failed C.size_t
	commit, err = s.commit(func(store C.uintptr_t) C.commit_t {
		return C.bridge_store_commit(store, ops, C.size_t(len(b.ops)), bytes, &failed)
	})
	if err == ErrMismatch {
		err = &ConditionError{Operation: int(failed)}
	}
	return commit, err
}
