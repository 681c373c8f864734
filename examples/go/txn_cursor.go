package masstree

// #include "txn_bridge.h"
import "C"

import "unsafe"

// A Seek says which key TxCursor.Seek looks for.
type Seek uint32

const (
	SeekAtLeast = Seek(C.MASSTREE_SEEK_GE) // the key, or the next greater one
	SeekAbove   = Seek(C.MASSTREE_SEEK_GT) // the next greater one
	SeekAtMost  = Seek(C.MASSTREE_SEEK_LE) // the key, or the next smaller one
	SeekBelow   = Seek(C.MASSTREE_SEEK_LT) // the next smaller one
)

// A TxCursor is a position in what its transaction reads of a tree, from which it moves key by key in either
// direction:
//
//	cursor := tx.Cursor(tree)
//	for ok := cursor.Seek(key, masstree.SeekAtMost); ok; ok = cursor.Prev() {
//		fmt.Printf("%s %s\n", cursor.Key(), cursor.Value())
//	}
//	return cursor.Err()
//
// Each move sees what the transaction has written by then. What it has passed counts as read. A move that
// returns false leaves the cursor where it was. Its memory is freed when the transaction ends.
type TxCursor struct {
	tx         *Tx
	c          C.uintptr_t
	key, value []byte
	version    uint64
	err        error
}

// Cursor returns a cursor, which is at no key yet. If that fails, its Err returns the reason.
func (tx *Tx) Cursor(tree *StoreTree) *TxCursor {
	cursor := &TxCursor{tx: tx, err: tx.use(tree)}
	if cursor.err == nil {
		cursor.err = toError(C.bridge_txn_cursor_open(tx.c, tree.c, &cursor.c))
	}
	if cursor.err == nil {
		tx.reads = append(tx.reads, cursor)
	}
	return cursor
}

// move returns false if there is no such key, or after an error.
func (cursor *TxCursor) move(how C.uint32_t, key []byte) bool {
	if cursor.c == 0 {
		return false
	}
	p, n := pointer(key)
	to := C.bridge_txn_cursor_move(cursor.c, how, p, n)
	switch cursor.err = nil; to.status {
	case C.MASSTREE_OK:
		cursor.key = append(cursor.key[:0], unsafe.Slice((*byte)(to.key.data), int(to.key.len))...)
		value := unsafe.Slice((*byte)(to.version.value), int(to.version.value_len))
		cursor.value = append(cursor.value[:0], value...)
		cursor.version = uint64(to.version.seqno)
	case C.MASSTREE_END:
	default:
		cursor.err = Error(to.status)
	}
	return to.status == C.MASSTREE_OK
}

// Seek moves to the key nearest to a key; returns false if there is none.
func (cursor *TxCursor) Seek(key []byte, how Seek) bool {
	return cursor.move(C.uint32_t(how), key)
}

// First moves to the first key; returns false if there is none.
func (cursor *TxCursor) First() bool {
	return cursor.move(C.MASSTREE_SEEK_FIRST, nil)
}

// Last moves to the last key; returns false if there is none.
func (cursor *TxCursor) Last() bool {
	return cursor.move(C.MASSTREE_SEEK_LAST, nil)
}

// Next moves to the next key, at first to the first one; returns false if there is none.
func (cursor *TxCursor) Next() bool {
	return cursor.move(C.MOVE_NEXT, nil)
}

// Prev moves to the key before, at first to the last one; returns false if there is none.
func (cursor *TxCursor) Prev() bool {
	return cursor.move(C.MOVE_PREV, nil)
}

// Key returns the key that the cursor is at, whose bytes the next move overwrites.
func (cursor *TxCursor) Key() []byte {
	return cursor.key
}

// Value returns the value that the key had when the cursor moved to it; the next move overwrites its bytes.
func (cursor *TxCursor) Value() []byte {
	return cursor.value
}

// Version returns the number of the commit that stored the value; 0 if the transaction has written it.
func (cursor *TxCursor) Version() uint64 {
	return cursor.version
}

// Err returns the error of the last move, if any.
func (cursor *TxCursor) Err() error {
	return cursor.err
}

func (cursor *TxCursor) end() {
	C.masstree_txn_cursor_close(C.txn_cursor_at(cursor.c))
	cursor.c, cursor.err = 0, ErrClosed
}
