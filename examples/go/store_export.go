package masstree

// #include "export_bridge.h"
import "C"

import (
	"context"
	"fmt"
	"runtime/cgo"
	"unsafe"
)

// Export writes the content of the store, as of one commit, to a directory, which OpenStore can open
// afterwards. Writes go on meanwhile. If the context ends first, it returns the context's error, and the
// directory has no store. If it has one already, it is ErrExists.
func (s *Store) Export(ctx context.Context, directory string) error {
	return s.export(ctx, 0, directory)
}

// export writes what a snapshot sees; 0: the newest content.
func (s *Store) export(ctx context.Context, snapshot C.uintptr_t, directory string) error {
	of, err := s.hold()
	if err != nil {
		return err
	}
	defer s.users.Add(-1)
	name := C.CString(directory)
	defer C.free(unsafe.Pointer(name))
	handle := cgo.NewHandle(ctx)
	defer handle.Delete()
	var failure C.masstree_store_failure_t
	status := C.bridge_store_export(of, snapshot, name, C.uintptr_t(handle), &failure)
	return ended(ctx, status, &failure)
}

// hold returns the handle of the store, which cannot be closed until the caller has taken 1 from its users.
func (s *Store) hold() (of C.uintptr_t, err error) {
	err = s.use(func(store C.uintptr_t) error {
		of = store
		s.users.Add(1)
		return nil
	})
	return of, err
}

// No status of the library.
const progressEnds = 1 << 20

//export bridgeProgress
func bridgeProgress(handle C.uintptr_t) C.int32_t {
	if cgo.Handle(handle).Value().(context.Context).Err() != nil {
		return progressEnds
	}
	return 0
}

// ended returns the error of a call that bridgeProgress may have ended.
func ended(ctx context.Context, status C.int32_t, failure *C.masstree_store_failure_t) error {
	switch status {
	case C.MASSTREE_OK:
		return nil
	case progressEnds:
		return ctx.Err()
	default:
		return storeError(status, failure)
	}
}

// An Imported is what Import has copied.
type Imported struct {
	Trees, Keys uint64
	Bytes       uint64 // of keys and values
}

// A TreeExistsError says which tree of a store is in the way of Import. errors.Is says that it is ErrExists.
type TreeExistsError struct {
	Tree string
}

func (e *TreeExistsError) Error() string {
	return fmt.Sprintf("%v: the tree %q is not empty", ErrExists, e.Tree)
}

// Unwrap returns ErrExists.
func (e *TreeExistsError) Unwrap() error {
	return ErrExists
}

// Import copies all trees of a directory that is not open, such as an export, to the store, and makes them durable.
// Each of them must be absent in the store, or empty, or it is a *TreeExistsError; or, with replace, it is dropped first.
// No other goroutine may write to them meanwhile.
//
// If the context ends first, or after an error, the trees that it has begun to fill are dropped.
func (s *Store) Import(ctx context.Context, directory string, replace bool) (Imported, error) {
	of, err := s.hold()
	if err != nil {
		return Imported{}, err
	}
	defer s.users.Add(-1)
	name := C.CString(directory)
	defer C.free(unsafe.Pointer(name))
	handle := cgo.NewHandle(ctx)
	defer handle.Delete()
	var flags C.uint32_t
	if replace {
		flags = C.MASSTREE_IMPORT_REPLACE
	}
	var failure C.masstree_store_failure_t
	var imported C.masstree_store_imported_t
	status := C.bridge_store_import(of, name, flags, C.uintptr_t(handle), &failure, &imported)
	if status == C.MASSTREE_EXISTS {
		return Imported{}, &TreeExistsError{Tree: C.GoString(&imported.tree[0])}
	}
	if err := ended(ctx, status, &failure); err != nil {
		return Imported{}, err
	}
	return Imported{Trees: uint64(imported.trees), Keys: uint64(imported.keys), Bytes: uint64(imported.bytes)}, nil
}
