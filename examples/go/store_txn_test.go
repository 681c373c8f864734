package masstree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"syscall"
	"testing"
)

func scanned(t testing.TB, tx *Tx, tree *StoreTree, r Range) (shown []string) {
	t.Helper()
	scan := tx.Scan(tree, r)
	for scan.Next() {
		shown = append(shown, fmt.Sprintf("%s=%s", scan.Key(), scan.Value()))
		if len(shown) > 10*page {
			t.Fatal("the scan does not end")
		}
	}
	if scan.Err() != nil {
		t.Fatal(scan.Err())
	}
	return shown
}

// Put back: in Rename, never force; in bridge_txn_get, return the length 0; in TransactWith, commit after an error of f.
func TestTransactionIsWholeOrAbsent(t *testing.T) {
	store := openStore(t, "", nil)
	one, two := storeTree(t, store, "1"), storeTree(t, store, "2")
	must(t)(one.Put([]byte("a"), []byte("1")))
	enough := errors.New("enough")
	var kept *Tx
	change := func(last error) func(tx *Tx) error {
		return func(tx *Tx) error {
			kept = tx
			value, err := tx.Get(one, []byte("a"))
			if err != nil || string(value) != "1" {
				t.Fatal(value, err)
			}
			_, err = tx.Get(two, []byte("a"))
			wantError(t, err, ErrNotFound)
			wantError(t, tx.Insert(one, []byte("a"), nil), ErrExists)
			wantError(t, tx.Rename(one, []byte("a"), []byte("a"), false), nil)
			wantError(t, tx.Put(one, []byte("b"), []byte("2")), nil)
			wantError(t, tx.Rename(one, []byte("a"), []byte("b"), false), ErrExists)
			wantError(t, tx.Rename(one, []byte("a"), []byte("b"), true), nil)
			wantError(t, tx.Insert(two, []byte("gone"), nil), nil)
			wantError(t, tx.Remove(two, []byte("gone")), nil)
			wantError(t, tx.Remove(two, []byte("gone")), ErrNotFound)
			wantError(t, tx.Insert(two, nil, nil), nil)
			all := append(scanned(t, tx, one, Range{}), scanned(t, tx, two, Range{})...)
			if !reflect.DeepEqual(all, []string{"b=1", "="}) {
				t.Fatal(all)
			}
			return last
		}
	}
	_, err := store.Transact(context.Background(), change(enough))
	wantError(t, err, enough)
	if all := list(t, one, ListOptions{}); !reflect.DeepEqual(all, []string{"a=1"}) {
		t.Fatal(all)
	}
	commit := must(t)(store.Transact(context.Background(), change(nil)))
	if _, version, err := one.GetVersion([]byte("b")); err != nil || version != commit {
		t.Fatal(version, commit, err)
	}
	_, err = kept.Get(one, []byte("b"))
	wantError(t, err, ErrClosed)
	other := storeTree(t, openStore(t, "", nil), "other")
	must(t)(store.TransactWith(context.Background(), TxOptions{Isolation: ReadOnly}, func(tx *Tx) error {
		wantError(t, tx.Put(one, []byte("b"), nil), ErrReadOnly)
		wantError(t, tx.Put(other, []byte("b"), nil), ErrWrongTree)
		wantError(t, store.Close(), ErrStoreInUse)
		return nil
	}))
}

// Put back: in fill, begin each page inclusively; exchange the bounds of descending scans.
func TestTransactionScansItsRange(t *testing.T) {
	store := openStore(t, "", nil)
	tree := storeTree(t, store, "t")
	keys := []string{"k"}
	for i := 0; i < 3*page; i++ {
		keys = append(keys, fmt.Sprintf("k%04d", i))
		must(t)(tree.Put([]byte(keys[i+1]), nil))
	}
	var ranges []Range
	for _, n := range []int{0, 1, page, 2*page + 1, 3 * page} {
		bound := []byte(keys[n])
		ranges = append(ranges, Range{Lower: bound}, Range{Upper: bound}, Range{Lower: []byte("k0020"), Upper: bound})
	}
	must(t)(store.Transact(context.Background(), func(tx *Tx) error {
		wantError(t, tx.Put(tree, []byte("k"), []byte("own")), nil)
		for _, r := range append(ranges, Range{}, Prefix([]byte("k00")), Range{Lower: []byte{}}) {
			if r.Upper != nil && bytes.Compare(r.Lower, r.Upper) > 0 {
				continue
			}
			var up, down []string
			for _, key := range keys {
				if key >= string(r.Lower) && (r.Upper == nil || key < string(r.Upper)) {
					entry := key + "=" + map[bool]string{true: "own"}[key == "k"]
					up, down = append(up, entry), append([]string{entry}, down...)
				}
			}
			if shown := scanned(t, tx, tree, r); !reflect.DeepEqual(shown, up) {
				t.Errorf("%+v: %v; want %v", r, shown, up)
			}
			r.Reverse = true
			if shown := scanned(t, tx, tree, r); !reflect.DeepEqual(shown, down) {
				t.Errorf("%+v: %v; want %v", r, shown, down)
			}
		}
		return nil
	}))
}

// Each case reads or writes in a transaction, while another commit changes something: is it refused?
//
// Put back: begin every transaction as a serializable one; forget the trees that were used.
func TestConflictsAreRetriedAsTheIsolationDemands(t *testing.T) {
	store := openStore(t, "", nil)
	tree := storeTree(t, store, "t")
	key := func(text string) []byte { return []byte(text) }
	readAndWrite := func(tx *Tx) error {
		_, err := tx.Get(tree, key("read"))
		wantError(t, err, nil)
		scanned(t, tx, tree, Prefix(key("range/")))
		if err := tx.Put(tree, key("written"), nil); !errors.Is(err, ErrReadOnly) {
			return err
		}
		return nil
	}
	for _, c := range []struct {
		isolation Isolation
		changed   string
		refused   bool
	}{
		{Serializable, "read", true},
		{Serializable, "range/new", true},
		{Serializable, "beyond", false},
		{SnapshotIsolation, "read", false},
		{SnapshotIsolation, "range/new", false},
		{SnapshotIsolation, "written", true},
		{ReadOnly, "read", false},
	} {
		must(t)(tree.Put(key("read"), nil))
		_, _ = tree.Remove(key("range/new"))
		for _, most := range []int{1, 2} {
			attempts := 0
			_, err := store.TransactWith(context.Background(), TxOptions{Isolation: c.isolation, MaxAttempts: most}, func(tx *Tx) error {
				err := readAndWrite(tx)
				if attempts++; attempts == 1 {
					_, _ = tree.Remove(key(c.changed))
					must(t)(tree.Put(key(c.changed), []byte("other")))
				}
				return err
			})
			var conflict *ConflictError
			switch {
			case !c.refused || most == 2:
				wantError(t, err, nil)
			case !errors.Is(err, ErrConflict) || !errors.As(err, &conflict):
				t.Errorf("%+v: %v", c, err)
			case string(conflict.Key) != c.changed || conflict.Tree != tree || conflict.Attempts != 1:
				t.Errorf("%+v: %+v", c, conflict)
			}
			want := 1
			if c.refused && most == 2 {
				want = 2
			}
			if attempts != want {
				t.Errorf("%+v: %d attempts; want %d", c, attempts, want)
			}
		}
	}
}

// Put back: leave out the context in pause; end no transaction when f panics.
func TestContextOrPanicEndsATransaction(t *testing.T) {
	store := openStore(t, "", nil)
	tree := storeTree(t, store, "t")
	ctx, cancel := context.WithCancel(context.Background())
	attempts := 0
	_, err := store.Transact(ctx, func(tx *Tx) error {
		if attempts++; attempts == 3 {
			cancel()
		}
		if attempts > 3 {
			t.Fatal("the context has ended")
		}
		_, err := tx.Get(tree, []byte("k"))
		wantError(t, tx.Put(tree, []byte("w"), nil), nil)
		must(t)(tree.Put([]byte("k"), nil))
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return err
	})
	wantError(t, err, context.Canceled)
	if attempts != 3 {
		t.Fatal(attempts)
	}
	_, err = store.Transact(ctx, func(*Tx) error { panic("not called") })
	wantError(t, err, context.Canceled)
	func() {
		defer func() { _ = recover() }()
		_, _ = store.Transact(context.Background(), func(tx *Tx) error { panic("f") })
	}()
	wantError(t, store.Close(), nil)
}

func expectSum(t *testing.T, store *Store, tree *StoreTree, want int) {
	_, err := store.TransactWith(context.Background(), TxOptions{Isolation: ReadOnly}, func(tx *Tx) error {
		sum := 0
		scan := tx.Scan(tree, Range{})
		for scan.Next() {
			balance, _ := strconv.Atoi(string(scan.Value()))
			sum += balance
		}
		if scan.Err() == nil && sum != want {
			t.Errorf("the sum is %d", sum)
		}
		return scan.Err()
	})
	if err != nil {
		t.Error(err)
	}
}

// Put back: in TransactWith, take MASSTREE_CONFLICT for MASSTREE_OK; in Put of a transaction, write to the store.
func TestTransfersKeepTheSum(t *testing.T) {
	store := openStore(t, "", nil)
	tree := storeTree(t, store, "accounts")
	account := func(i int) []byte { return []byte{byte(i % 5)} }
	for i := 0; i < 5; i++ {
		must(t)(tree.Put(account(i), []byte("100")))
	}
	add := func(tx *Tx, account []byte, amount int) error {
		text, err := tx.Get(tree, account)
		if err != nil {
			return err
		}
		balance, _ := strconv.Atoi(string(text))
		return tx.Put(tree, account, []byte(strconv.Itoa(balance+amount)))
	}
	concurrently(4, func(g int) {
		for i := 0; i < 100; i++ {
			_, err := store.Transact(context.Background(), func(tx *Tx) error {
				if err := add(tx, account(i+g), -7); err != nil {
					return err
				}
				return add(tx, account(i*g+1), 7)
			})
			if err != nil {
				t.Error(err)
			}
			expectSum(t, store, tree, 500)
		}
	})
	want := [5]int{100, 100, 100, 100, 100}
	for g := 0; g < 4; g++ {
		for i := 0; i < 100; i++ {
			want[(i+g)%5] -= 7
			want[(i*g+1)%5] += 7
		}
	}
	for i, balance := range want {
		if text, err := tree.Get(account(i)); err != nil || string(text) != strconv.Itoa(balance) {
			t.Errorf("account %d has %s, not %d: %v", i, text, balance, err)
		}
	}
}

// Put back: ignore the context in bridgeProgress; lose what has failed.
func TestExportIsAStore(t *testing.T) {
	directory := t.TempDir()
	store := openStore(t, "", nil)
	tree := storeTree(t, store, "t")
	for i := 0; i < 100; i++ {
		must(t)(tree.Put([]byte(fmt.Sprint(i)), bytes.Repeat([]byte{'x'}, i)))
	}
	_, version, _ := tree.GetVersion([]byte("42"))
	copied := filepath.Join(directory, "copy")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	wantError(t, store.Export(cancelled, copied), context.Canceled)
	_, err := OpenStore(copied, &StoreOptions{MustExist: true})
	wantError(t, err, ErrNotFound)
	wantError(t, store.Export(context.Background(), copied), nil)
	wantError(t, store.Export(context.Background(), copied), ErrExists)
	wantError(t, store.Export(context.Background(), filepath.Join(directory, "none", "copy")), syscall.ENOENT)
	found := storeTree(t, openStore(t, copied, &StoreOptions{ReadOnly: true}), "t")
	if all := list(t, found, ListOptions{}); !reflect.DeepEqual(all, list(t, tree, ListOptions{})) {
		t.Fatal(all)
	}
	if _, same, err := found.GetVersion([]byte("42")); err != nil || same != version {
		t.Fatal(same, version, err)
	}
}
