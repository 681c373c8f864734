package masstree

// #include "txn_bridge.h"
import "C"

// A TxScan visits the keys of a range that have a value for its transaction:
//
//	scan := tx.Scan(tree, masstree.Prefix([]byte("user/")))
//	for scan.Next() {
//		fmt.Printf("%s %s\n", scan.Key(), scan.Value())
//	}
//	return scan.Err()
//
// It reads up to 64 keys ahead: these count as read, and need not have what the transaction writes meanwhile.
// Its memory is freed when the transaction ends.
type TxScan struct {
	tx          *Tx
	tree        *StoreTree
	start, stop []byte // the bounds in the order of the scan; nil: none
	reverse     bool
	entries     entries
	begun, done bool
	err         error
}

// Scan returns a scan of a range.
func (tx *Tx) Scan(tree *StoreTree, r Range) *TxScan {
	scan := &TxScan{tx: tx, tree: tree, reverse: r.Reverse, err: tx.use(tree)}
	scan.start, scan.stop = clone(r.Lower), clone(r.Upper)
	if r.Reverse {
		scan.start, scan.stop = scan.stop, scan.start
	}
	if scan.err == nil {
		tx.reads = append(tx.reads, scan)
	}
	return scan
}

// Next moves to the next key. It returns false if none is left, or after an error, which Err returns.
func (scan *TxScan) Next() bool {
	if scan.done || scan.err != nil {
		return false
	}
	scan.begun = scan.entries.next() || scan.fill()
	scan.done = !scan.begun
	return scan.begun
}

// fill reads the entries after the current one, and moves to the first; returns false if there is none.
func (scan *TxScan) fill() bool {
	start := scan.start
	if scan.begun {
		start = append([]byte{}, scan.entries.key...)
	}
	var of C.bounds_t
	lower, upper := start, scan.stop
	if scan.reverse {
		lower, upper = upper, lower
		of.reverse = 1
	}
	of.lower_len, of.upper_len = C.size_t(len(lower)), C.size_t(len(upper))
	if lower != nil {
		of.lower_bound = C.MASSTREE_BOUND_INCLUSIVE
		if scan.begun && !scan.reverse {
			of.lower_bound = C.MASSTREE_BOUND_EXCLUSIVE
		}
	}
	if upper != nil {
		of.upper_bound = C.MASSTREE_BOUND_EXCLUSIVE
	}
	p, _ := pointer(append(clone(lower), upper...))
	scan.entries.empty()
	scan.err = toError(C.bridge_txn_scan(scan.tx.c, scan.tree.c, &of, p, &scan.entries.page))
	return scan.err == nil && scan.entries.next()
}

func (scan *TxScan) end() {
	scan.entries.free()
	if scan.err == nil {
		scan.err = ErrClosed
	}
}

// Key returns the current key, whose bytes the next call of Next overwrites.
func (scan *TxScan) Key() []byte {
	return scan.entries.key
}

// Value returns the value of the current key, whose bytes the next call of Next overwrites.
func (scan *TxScan) Value() []byte {
	return scan.entries.value
}

// Err returns the error that ended the scan, if any.
func (scan *TxScan) Err() error {
	return scan.err
}
