package masstree

// #include "txn_bridge.h"
import "C"

import (
	"context"
	"fmt"
	"math/rand"
	"time"
	"unsafe"
)

// Errors of transactions.
const (
	ErrConflict  = Error(C.MASSTREE_CONFLICT)   // other commits have changed what the transaction depends on
	ErrWrongTree = Error(C.MASSTREE_WRONG_TREE) // the tree is of another store, or was dropped
)

// An Isolation says what makes Transact run a transaction again.
type Isolation uint32

const (
	// Serializable: something that it has read was changed, or a key was added to a range that it has scanned.
	Serializable = Isolation(C.MASSTREE_TXN_SERIALIZABLE)
	// SnapshotIsolation: a key that it writes was changed. Two transactions that each read what the other
	// one writes may both be committed.
	SnapshotIsolation = Isolation(C.MASSTREE_TXN_SNAPSHOT)
	// ReadOnly: nothing. It cannot write.
	ReadOnly = Isolation(C.MASSTREE_TXN_READ_ONLY)
)

// TxOptions are options of TransactWith. The zero value is a serializable transaction.
type TxOptions struct {
	Isolation   Isolation
	MaxBytes    uint // of memory for what it has read and written; 0: 64 MiB
	MaxAttempts int  // how often it is run at most; 0: until it is committed, or the context ends
}

// A Tx is a transaction: it reads the store as of one moment, with what it has written itself. One goroutine
// at a time may use it, until the function that was passed to Transact returns.
type Tx struct {
	store *Store
	c     C.uintptr_t
	trees []*StoreTree         // those that were used
	reads []interface{ end() } // scans and cursors
}

// A ConflictError says because of which key a transaction was refused. errors.Is says that it is
// ErrConflict.
type ConflictError struct {
	Tree     *StoreTree
	Key      []byte
	Attempts int
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%v: key %q, after %d attempts", ErrConflict, e.Key, e.Attempts)
}

// Unwrap returns ErrConflict.
func (e *ConflictError) Unwrap() error {
	return ErrConflict
}

// Transact runs a serializable transaction: TransactWith without options.
func (s *Store) Transact(ctx context.Context, f func(tx *Tx) error) (commit uint64, err error) {
	return s.TransactWith(ctx, TxOptions{}, f)
}

// TransactWith calls f, and commits what it has done. If other commits refuse that, it calls f again, with
// a new snapshot, so f changes nothing but the transaction. If f returns an error, nothing is changed, and
// that error is returned; if the context ends between two attempts, its error; after MaxAttempts, a *ConflictError.
//
// The commit is in memory when TransactWith returns its number; Wait waits until it is durable.
func (s *Store) TransactWith(ctx context.Context, options TxOptions, f func(tx *Tx) error) (commit uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	tx, err := s.begin(options)
	if err != nil {
		return 0, err
	}
	defer tx.end()
	// Ends: of transactions that refuse each other, one is committed; and with the context.
	for attempt := 1; ; attempt++ {
		if err := f(tx); err != nil {
			return 0, err
		}
		done := C.bridge_txn_commit(tx.c)
		if done.status != C.MASSTREE_CONFLICT {
			return uint64(done.commit), toError(done.status)
		}
		if attempt == options.MaxAttempts {
			return 0, tx.conflict(attempt)
		}
		if err := pause(ctx, attempt); err != nil {
			return 0, err
		}
		tx.forget()
		if err := toError(C.masstree_txn_reset(C.txn_at(tx.c))); err != nil {
			return 0, err
		}
	}
}

// pause waits a random time, up to a millisecond, longer after more attempts.
func pause(ctx context.Context, attempt int) error {
	longest := time.Millisecond
	if attempt < 10 {
		longest = time.Microsecond << attempt
	}
	timer := time.NewTimer(time.Duration(rand.Int63n(int64(longest))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) begin(options TxOptions) (*Tx, error) {
	tx := &Tx{store: s}
	err := s.use(func(store C.uintptr_t) error {
		status := C.bridge_txn_begin(store, C.uint32_t(options.Isolation), C.size_t(options.MaxBytes), &tx.c)
		if status == C.MASSTREE_OK {
			s.users.Add(1)
		}
		return toError(status)
	})
	if err != nil {
		return nil, err
	}
	return tx, nil
}

// end frees the transaction, also if f panics.
func (tx *Tx) end() {
	tx.forget()
	C.masstree_txn_destroy(C.txn_at(tx.c))
	tx.c = 0
	tx.store.users.Add(-1)
}

// forget ends the scans and cursors.
func (tx *Tx) forget() {
	for _, read := range tx.reads {
		read.end()
	}
	tx.reads, tx.trees = tx.reads[:0], tx.trees[:0]
}

func (tx *Tx) conflict(attempts int) error {
	because := C.bridge_txn_conflict(tx.c)
	conflict := &ConflictError{Key: read(because), Attempts: attempts}
	for _, tree := range tx.trees {
		if tree.c == because.tree {
			conflict.Tree = tree
		}
	}
	return conflict
}

// use notes a tree, which it checks, since that of a store that was closed is gone.
func (tx *Tx) use(tree *StoreTree) error {
	if tx.c == 0 {
		return ErrClosed
	}
	if tree.store != tx.store {
		return ErrWrongTree
	}
	for _, known := range tx.trees {
		if known == tree {
			return nil
		}
	}
	tx.trees = append(tx.trees, tree)
	return nil
}

func read(from C.read_t) []byte {
	return append([]byte{}, unsafe.Slice((*byte)(from.bytes), int(from.len))...)
}

// Get returns the value of a key, or ErrNotFound.
func (tx *Tx) Get(tree *StoreTree, key []byte) ([]byte, error) {
	if err := tx.use(tree); err != nil {
		return nil, err
	}
	p, n := pointer(key)
	found := C.bridge_txn_get(tx.c, tree.c, p, n)
	if found.status != C.MASSTREE_OK {
		return nil, toError(found.status)
	}
	return read(found), nil
}

// Put stores a value under a key, whether the key exists or not.
func (tx *Tx) Put(tree *StoreTree, key, value []byte) error {
	if err := tx.use(tree); err != nil {
		return err
	}
	p, n := pointer(key)
	v, m := pointer(value)
	return toError(C.masstree_txn_put(C.txn_at(tx.c), C.tree_at(tree.c), unsafe.Pointer(p), n, unsafe.Pointer(v), m))
}

// Insert stores a value under a key that does not exist; if it exists, it is ErrExists.
func (tx *Tx) Insert(tree *StoreTree, key, value []byte) error {
	if err := tx.use(tree); err != nil {
		return err
	}
	p, n := pointer(key)
	v, m := pointer(value)
	return toError(C.masstree_txn_insert(C.txn_at(tx.c), C.tree_at(tree.c), unsafe.Pointer(p), n, unsafe.Pointer(v), m))
}

// Remove removes a key; if it does not exist, it is ErrNotFound.
func (tx *Tx) Remove(tree *StoreTree, key []byte) error {
	if err := tx.use(tree); err != nil {
		return err
	}
	p, n := pointer(key)
	return toError(C.masstree_txn_remove(C.txn_at(tx.c), C.tree_at(tree.c), unsafe.Pointer(p), n))
}

// Rename moves a value, as StoreTree.Rename.
func (tx *Tx) Rename(tree *StoreTree, from, to []byte, force bool) error {
	if err := tx.use(tree); err != nil {
		return err
	}
	p, n := pointer(from)
	q, m := pointer(to)
	var flags C.uint32_t
	if force {
		flags = C.MASSTREE_RENAME_FORCE
	}
	return toError(C.masstree_txn_rename(C.txn_at(tx.c), C.tree_at(tree.c), unsafe.Pointer(p), n, unsafe.Pointer(q), m, flags))
}
