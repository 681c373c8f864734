package masstree

// #include "store_bridge.h"
import "C"

import "runtime"

// ListOptions say what a listing shows. The zero value shows everything in ascending order.
type ListOptions struct {
	Prefix []byte // only keys that begin with it
	// If not empty: keys in which it occurs after the prefix are shown once for all that begin alike, up
	// to and including the delimiter, at the cost of one entry.
	Delimiter  []byte
	StartAfter []byte // only what follows this key or common prefix, if not nil
	Limit      int    // at most so many entries; 0: all
	Reverse    bool   // in descending order
}

// A Listing visits entries, which are keys or common prefixes, as of the moment when it, or its Snapshot, was made:
//
//	list := tree.List(masstree.ListOptions{Prefix: []byte("a/"), Delimiter: []byte("/")})
//	defer list.Close()
//	for list.Next() {
//		fmt.Println(list.Key(), list.IsPrefix())
//	}
//	return list.Err()
//
// Without a Snapshot it holds one of its own until it is closed. One goroutine at a time may use a listing.
type Listing struct {
	tree    *StoreTree
	options ListOptions
	at      *Snapshot // nil: closed
	own     *Snapshot // the listing's own, which it closes; or nil
	of      C.listing_t
	entries entries
	left    int  // entries that the limit allows
	begun   bool // the entry is one of the listing
	done    bool
	err     error
}

// List returns a listing. If that fails, its Err returns the reason.
func (t *StoreTree) List(options ListOptions) *Listing {
	at, err := t.store.Snapshot()
	if err != nil {
		return &Listing{tree: t, err: err}
	}
	l := newListing(t, at, options)
	l.own = at
	return l
}

func newListing(tree *StoreTree, at *Snapshot, options ListOptions) *Listing {
	l := &Listing{tree: tree, options: options, at: at, left: options.Limit}
	l.options.Prefix, l.options.Delimiter = clone(options.Prefix), clone(options.Delimiter)
	l.options.StartAfter = clone(options.StartAfter)
	l.of.number = at.number
	runtime.SetFinalizer(l, (*Listing).Close)
	return l
}

// Next moves to the next entry. It returns false if none is left, or after an error, which Err returns.
func (l *Listing) Next() bool {
	if l.done || l.err != nil {
		return false
	}
	if l.at == nil {
		l.err = ErrClosed
		return false
	}
	if l.options.Limit > 0 && l.left == 0 || !l.entries.next() && !l.fill() {
		l.done = true
		return false
	}
	l.begun = true
	l.left--
	return true
}

// fill reads the entries after the current one, and moves to the first; returns false if there is none.
func (l *Listing) fill() bool {
	start := l.options.StartAfter
	if l.begun {
		start = l.entries.key
	}
	bytes := append(append(clone(l.options.Prefix), l.options.Delimiter...), start...)
	l.of.prefix_len = C.size_t(len(l.options.Prefix))
	l.of.delimiter_len = C.size_t(len(l.options.Delimiter))
	l.of.start_len = C.size_t(len(start))
	l.of.limit = page
	l.of.has_start, l.of.reverse = boolean(start != nil), boolean(l.options.Reverse)
	p, _ := pointer(bytes)
	l.entries.empty()
	l.err = l.at.use(l.tree, func() error {
		return toError(C.bridge_store_list(l.tree.c, &l.of, p, &l.entries.page))
	})
	return l.err == nil && l.entries.next()
}

func boolean(is bool) C.uint32_t {
	if is {
		return 1
	}
	return 0
}

// Key returns the current key or common prefix, whose bytes the next call of Next overwrites.
func (l *Listing) Key() []byte {
	return l.entries.key
}

// IsPrefix tells whether the entry is a common prefix, which ends with the delimiter.
func (l *Listing) IsPrefix() bool {
	return l.entries.version == 0
}

// Value returns the value of the current key, whose bytes the next call of Next overwrites; of a common
// prefix nothing.
func (l *Listing) Value() []byte {
	return l.entries.value
}

// Version returns the number of the commit that stored the value; of a common prefix 0.
func (l *Listing) Version() uint64 {
	return l.entries.version
}

// Err returns the error that ended the listing, if any.
func (l *Listing) Err() error {
	return l.err
}

// Close ends the listing, and gives up its snapshot.
func (l *Listing) Close() error {
	if l.at == nil {
		return nil
	}
	l.entries.free()
	l.at = nil
	runtime.SetFinalizer(l, nil)
	if l.own != nil {
		return l.own.Close()
	}
	return nil
}
