package masstree

// #include "pages.h"
import "C"

import "unsafe"

// The entries that a listing or a scan reads at a time.
const page = C.PAGE_ENTRIES

// Entries are those that were read ahead; next moves from one to the next.
type entries struct {
	page    C.page_t // see pages.h
	at      C.size_t // where the next entry begins
	key     []byte
	value   []byte
	version uint64
}

// next moves to the next entry; returns false if none is left.
func (e *entries) next() bool {
	if e.at == e.page.len {
		return false
	}
	entry := (*C.entry_t)(unsafe.Pointer(&e.bytes(e.at, C.sizeof_entry_t)[0]))
	begin := e.at + C.sizeof_entry_t
	e.key = append(e.key[:0], e.bytes(begin, entry.key_len)...)
	e.value = append(e.value[:0], e.bytes(begin+entry.key_len, entry.value_len)...)
	e.version = uint64(entry.version)
	e.at += entry.next
	return true
}

// bytes returns a part of the page.
func (e *entries) bytes(at, n C.size_t) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(e.page.bytes)), int(e.page.len))[at : at+n]
}

// empty prepares the page to be filled, and keeps the current entry. Calls take the address of the page itself:
// of another pointer cgo would check the whole object.
func (e *entries) empty() {
	e.at, e.page.len = 0, 0
}

func (e *entries) free() {
	C.free(unsafe.Pointer(e.page.bytes))
	e.page, e.at = C.page_t{}, 0
}
