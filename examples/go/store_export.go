package masstree

// #include "txn_bridge.h"
import "C"

import (
	"context"
	"runtime/cgo"
	"unsafe"
)

// Export writes the content of the store, as of one commit, to a directory, which OpenStore can open
// afterwards. Writes go on meanwhile. If the context ends first, it returns the context's error, and the
// directory has no store. If it has one already, it is ErrExists.
func (s *Store) Export(ctx context.Context, directory string) error {
	var of C.uintptr_t
	err := s.use(func(store C.uintptr_t) error {
		of = store
		s.users.Add(1)
		return nil
	})
	if err != nil {
		return err
	}
	defer s.users.Add(-1)
	name := C.CString(directory)
	defer C.free(unsafe.Pointer(name))
	handle := cgo.NewHandle(ctx)
	defer handle.Delete()
	var failure C.masstree_store_failure_t
	switch status := C.bridge_store_export(of, name, C.uintptr_t(handle), &failure); {
	case status == C.MASSTREE_OK:
		return nil
	case status == exportEnds:
		return ctx.Err()
	default:
		return storeError(status, &failure)
	}
}

// No status of the library.
const exportEnds = 1 << 20

//export bridgeProgress
func bridgeProgress(handle C.uintptr_t) C.int32_t {
	if cgo.Handle(handle).Value().(context.Context).Err() != nil {
		return exportEnds
	}
	return 0
}
