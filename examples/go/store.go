package masstree

// #include "store_bridge.h"
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Errors of stores.
const (
	ErrReadOnly = Error(C.MASSTREE_READ_ONLY)
	ErrFull     = Error(C.MASSTREE_FULL)      // the disk is full; it may be tried again
	ErrFailed   = Error(C.MASSTREE_FAILED)    // a file operation has failed: no write is accepted
	ErrUnknown  = Error(C.MASSTREE_UNKNOWN)   // a file operation has failed: the commit may be lost
	ErrTooLarge = Error(C.MASSTREE_TOO_LARGE) // the commit does not fit the log's buffer
	ErrLocked   = Error(C.MASSTREE_LOCKED)    // another process has the directory
	ErrTooOld   = Error(C.MASSTREE_TOO_OLD)   // the log no longer reaches back to the changes
	ErrInvalid  = Error(C.MASSTREE_INVALID)
)

// Store.Close returns ErrStoreInUse while a snapshot, a listing or a cursor of changes is open, or a transaction, an
// export or an import is under way.
var ErrStoreInUse = errors.New("masstree: the store has open snapshots, listings or changes, or transactions, exports or imports")

// A StoreError is why a store could not be opened, exported or imported, or its changes not be read. errors.Is compares it with the errors of this package,
// such as ErrCorrupt, and with a syscall.Errno.
type StoreError struct {
	Status    Error
	Errno     syscall.Errno // 0 if no file operation failed
	Operation string        // the file operation that failed
	Reason    string        // what is wrong with a file
	File      string
	Offset    uint64
}

func (e *StoreError) Error() string {
	switch {
	case e.Reason != "":
		return fmt.Sprintf("%v: %s at %d: %s", e.Status, e.File, e.Offset, e.Reason)
	case e.Errno != 0:
		return fmt.Sprintf("%v: %s %s: %v", e.Status, e.Operation, e.File, e.Errno)
	}
	return e.Status.Error()
}

// Is tells whether target is the status, or the error of the file operation.
func (e *StoreError) Is(target error) bool {
	return target == e.Status || e.Errno != 0 && target == e.Errno
}

// StoreOptions are options of OpenStore. The zero value has the defaults of the C library.
type StoreOptions struct {
	ReadOnly        bool
	MustExist       bool
	Salvage         bool // give up what follows a corruption of the log
	LogBufferBytes  uint
	LogSegmentBytes uint64
	SyncInterval    time.Duration
	CheckpointBytes uint64 // of the log, after which a checkpoint is made
	RetainedBytes   uint64 // of the log, that checkpoints leave for Changes
}

// A Store is a directory with named trees from byte strings to byte strings, which are in memory, and
// whose changes are logged. Any number of goroutines may use a store.
//
// A write is in memory when it returns its commit number; Wait waits until it is durable.
type Store struct {
	mu    sync.RWMutex // held to use c, and alone to close it
	c     C.uintptr_t
	users atomic.Int64 // what ErrStoreInUse names
	waits atomic.Int64 // commits whose callback was not called yet
}

// OpenStore opens the store in a directory, which is made if it does not exist; with an empty name, a store
// in memory only. options may be nil.
func OpenStore(directory string, options *StoreOptions) (*Store, error) {
	if options == nil {
		options = new(StoreOptions)
	}
	wanted := C.store_options_t{
		log_buffer_bytes:     C.size_t(options.LogBufferBytes),
		log_segment_bytes:    C.uint64_t(options.LogSegmentBytes),
		sync_interval_us:     C.uint64_t(options.SyncInterval.Microseconds()),
		checkpoint_log_bytes: C.uint64_t(options.CheckpointBytes),
		retained_log_bytes:   C.uint64_t(options.RetainedBytes),
	}
	for flag, is := range map[C.uint32_t]bool{
		C.MASSTREE_STORE_READ_ONLY:  options.ReadOnly,
		C.MASSTREE_STORE_MUST_EXIST: options.MustExist,
		C.MASSTREE_STORE_SALVAGE:    options.Salvage,
	} {
		if is {
			wanted.flags |= flag
		}
	}
	var name *C.char
	if directory != "" {
		name = C.CString(directory)
		defer C.free(unsafe.Pointer(name))
	}
	store := new(Store)
	var failure C.masstree_store_failure_t
	status := C.bridge_store_open(name, &wanted, &store.c, &failure)
	if status == C.MASSTREE_OK {
		return store, nil
	}
	return nil, storeError(status, &failure)
}

func storeError(status C.int32_t, failure *C.masstree_store_failure_t) error {
	return &StoreError{
		Status:    Error(status),
		Errno:     syscall.Errno(failure.os_error),
		Operation: C.GoString(&failure.operation[0]),
		Reason:    C.GoString(&failure.reason[0]),
		File:      C.GoString(&failure.file[0]),
		Offset:    uint64(failure.offset),
	}
}

// Close makes everything durable and closes the store. Its trees cannot be used any more. While something
// uses it, it returns ErrStoreInUse, and does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c == 0 {
		return nil
	}
	if s.users.Load() != 0 {
		return ErrStoreInUse
	}
	status := C.masstree_store_close(C.store_at(s.c))
	s.c = 0
	return toError(status)
}

// use calls f with the store, unless it is closed.
func (s *Store) use(f func(store C.uintptr_t) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.c == 0 {
		return ErrClosed
	}
	return f(s.c)
}

// commit calls f as use does, and returns its commit number.
func (s *Store) commit(f func(store C.uintptr_t) C.commit_t) (commit uint64, err error) {
	err = s.use(func(store C.uintptr_t) error {
		done := f(store)
		commit = uint64(done.commit)
		return toError(done.status)
	})
	return commit, err
}

// Tree returns the tree with a name, which is made if there is none; in a store that is only read it is
// ErrNotFound.
func (s *Store) Tree(name string) (*StoreTree, error) {
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	tree := &StoreTree{store: s}
	err := s.use(func(store C.uintptr_t) error {
		return toError(C.bridge_store_tree(store, text, &tree.c))
	})
	if err != nil {
		return nil, err
	}
	return tree, nil
}

// DropTree drops the tree with a name, with all of its keys, or is ErrNotFound. Writes to it are ErrWrongTree from
// now on.
func (s *Store) DropTree(name string) (commit uint64, err error) {
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	return s.commit(func(store C.uintptr_t) C.commit_t {
		return C.bridge_store_drop_tree(store, text)
	})
}

// Checkpoint writes the content of all trees, after which the log before it is removed.
func (s *Store) Checkpoint() error {
	return s.use(func(store C.uintptr_t) error {
		return toError(C.masstree_store_checkpoint(C.store_at(store)))
	})
}

// Durable returns the number up to which every commit is durable.
func (s *Store) Durable() (commit uint64, err error) {
	err = s.use(func(store C.uintptr_t) error {
		commit = uint64(C.masstree_store_durable(C.store_at(store)))
		return nil
	})
	return commit, err
}
