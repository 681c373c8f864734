package masstree

// #include "snapshot_bridge.h"
import "C"

import (
	"context"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// A Snapshot sees all trees of a store as of one moment, while writes go on. It keeps in memory what is
// overwritten and removed meanwhile, until it is closed. Any number of goroutines may use a snapshot.
type Snapshot struct {
	store  *Store
	number C.uint64_t
	mu     sync.RWMutex // held to use c, and alone to close it
	c      C.uintptr_t
}

// Snapshot opens a snapshot, which sees every commit that has returned.
func (s *Store) Snapshot() (*Snapshot, error) {
	at := &Snapshot{store: s}
	err := s.use(func(store C.uintptr_t) error {
		if err := toError(C.bridge_store_snapshot(store, &at.c, &at.number)); err != nil {
			return err
		}
		s.users.Add(1)
		return nil
	})
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(at, (*Snapshot).Close)
	return at, nil
}

// use calls f, unless the snapshot is closed, or the tree is of another store. An open snapshot keeps the store open.
func (at *Snapshot) use(tree *StoreTree, f func() error) error {
	at.mu.RLock()
	defer at.mu.RUnlock()
	if at.c == 0 {
		return ErrClosed
	}
	if tree.store != at.store {
		return ErrWrongTree
	}
	return f()
}

// Number returns the number of a commit: the snapshot sees it and every one before it, and none behind it.
func (at *Snapshot) Number() uint64 {
	return uint64(at.number)
}

// Get returns the value that a key had, or ErrNotFound.
func (at *Snapshot) Get(tree *StoreTree, key []byte) ([]byte, error) {
	value, _, err := at.GetVersion(tree, key)
	return value, err
}

// GetVersion is Get; it returns also the number of the commit that stored the value.
func (at *Snapshot) GetVersion(tree *StoreTree, key []byte) (value []byte, version uint64, err error) {
	err = at.use(tree, func() error {
		value, version, err = tree.getAt(key, at.number)
		return err
	})
	return value, version, err
}

// List returns a listing of a tree, which can be used until the snapshot is closed.
func (at *Snapshot) List(tree *StoreTree, options ListOptions) *Listing {
	return newListing(tree, at, options)
}

// Export writes what the snapshot sees to a directory, as Store.Export. The snapshot cannot be closed meanwhile.
func (at *Snapshot) Export(ctx context.Context, directory string) error {
	at.mu.RLock()
	defer at.mu.RUnlock()
	if at.c == 0 {
		return ErrClosed
	}
	return at.store.export(ctx, at.c, directory)
}

// Close gives up the snapshot.
func (at *Snapshot) Close() error {
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.c == 0 {
		return nil
	}
	C.bridge_snapshot_close(at.c)
	at.c = 0
	at.store.users.Add(-1)
	runtime.SetFinalizer(at, nil)
	return nil
}

// An OpenSnapshot is one that Snapshots has found.
type OpenSnapshot struct {
	Number uint64
	Age    time.Duration
}

// Snapshots returns the open snapshots, the oldest first, also those of listings and of transactions. Each of
// them keeps in memory what was overwritten or removed since.
func (s *Store) Snapshots() (open []OpenSnapshot, err error) {
	var found C.snapshots_t
	defer func() { C.free(unsafe.Pointer(found.all)) }()
	err = s.use(func(store C.uintptr_t) error {
		return toError(C.bridge_list_snapshots(store, &found))
	})
	if err != nil {
		return nil, err
	}
	for _, snapshot := range unsafe.Slice(found.all, int(found.count)) {
		age := time.Duration(snapshot.age_ms) * time.Millisecond
		open = append(open, OpenSnapshot{Number: uint64(snapshot.seqno), Age: age})
	}
	return open, nil
}
