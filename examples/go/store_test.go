package masstree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"syscall"
	"testing"
)

func openStore(t testing.TB, directory string, options *StoreOptions) *Store {
	t.Helper()
	store, err := OpenStore(directory, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		if waits := store.waits.Load(); waits != 0 {
			t.Errorf("%d waits are left", waits)
		}
	})
	return store
}

func storeTree(t testing.TB, store *Store, name string) *StoreTree {
	t.Helper()
	tree, err := store.Tree(name)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func must(t testing.TB) func(uint64, error) uint64 {
	return func(commit uint64, err error) uint64 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return commit
	}
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%v; want %v", err, want)
	}
}

func list(t testing.TB, tree *StoreTree, options ListOptions) (shown []string) {
	t.Helper()
	l := tree.List(options)
	defer l.Close()
	for l.Next() {
		if l.IsPrefix() {
			shown = append(shown, string(l.Key()))
		} else {
			shown = append(shown, fmt.Sprintf("%s=%s", l.Key(), l.Value()))
		}
	}
	if l.Err() != nil {
		t.Fatal(l.Err())
	}
	return shown
}

// Put back: leave out Wait's callback; in bridge_store_get, copy no value.
func TestStoreSurvivesClosing(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "store")
	store := openStore(t, directory, nil)
	tree := storeTree(t, store, "t")
	must(t)(tree.Put([]byte("a"), []byte("1")))
	must(t)(tree.Put([]byte("empty"), nil))
	must(t)(tree.Insert([]byte("b"), []byte("2")))
	_, err := tree.Insert([]byte("b"), []byte("3"))
	wantError(t, err, ErrExists)
	_, err = tree.Rename([]byte("a"), []byte("b"), false)
	wantError(t, err, ErrExists)
	must(t)(tree.Rename([]byte("a"), []byte("b"), true))
	_, err = tree.Rename([]byte("a"), []byte("c"), false)
	wantError(t, err, ErrNotFound)
	value, version, err := tree.GetVersion([]byte("b"))
	if err != nil || string(value) != "1" {
		t.Fatal(value, err)
	}
	must(t)(tree.ReplaceVersion([]byte("b"), version, []byte("4")))
	_, err = tree.ReplaceVersion([]byte("b"), version, []byte("5"))
	wantError(t, err, ErrMismatch)
	must(t)(tree.Put([]byte("gone"), nil))
	last := must(t)(tree.Remove([]byte("gone")))
	_, err = tree.Remove([]byte("gone"))
	wantError(t, err, ErrNotFound)
	_, err = tree.Get([]byte("gone"))
	wantError(t, err, ErrNotFound)
	if err := store.Wait(context.Background(), last); err != nil {
		t.Fatal(err)
	}
	if durable := must(t)(store.Durable()); durable < last {
		t.Fatal(durable, last)
	}
	if err := store.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	_, err = OpenStore(directory, nil)
	wantError(t, err, ErrLocked)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = tree.Get([]byte("b"))
	wantError(t, err, ErrClosed)

	store = openStore(t, directory, &StoreOptions{ReadOnly: true})
	tree = storeTree(t, store, "t")
	if shown := list(t, tree, ListOptions{}); !reflect.DeepEqual(shown, []string{"b=4", "empty="}) {
		t.Fatal(shown)
	}
	_, err = tree.Put([]byte("b"), nil)
	wantError(t, err, ErrReadOnly)
	_, err = store.Tree("none")
	wantError(t, err, ErrNotFound)
}

// Put back: take the operations in another order; lose the index of the operation that fails.
func TestBatchIsWholeOrAbsent(t *testing.T) {
	store := openStore(t, "", nil)
	one, two := storeTree(t, store, "1"), storeTree(t, store, "2")
	must(t)(one.Put([]byte("a"), []byte("1")))
	_, version, _ := one.GetVersion([]byte("a"))
	var batch WriteBatch
	batch.AssertVersion(one, []byte("a"), version)
	batch.AssertAbsent(two, []byte("a"))
	batch.AssertEmpty(two, []byte("dir/"))
	batch.Put(two, []byte("b"), []byte("2"))
	batch.Rename(one, []byte("a"), []byte("c"), false)
	batch.Remove(two, []byte("none"))
	if batch.Len() != 6 {
		t.Fatal(batch.Len())
	}
	must(t)(store.Commit(&batch))
	all := append(list(t, one, ListOptions{}), list(t, two, ListOptions{})...)
	if !reflect.DeepEqual(all, []string{"c=1", "b=2"}) {
		t.Fatal(all)
	}
	batch.Reset()
	batch.Put(one, []byte("x"), nil)
	batch.AssertPresent(two, []byte("none"))
	_, err := store.Commit(&batch)
	wantError(t, err, ErrMismatch)
	var condition *ConditionError
	if !errors.As(err, &condition) || condition.Operation != 1 {
		t.Fatal(err)
	}
	_, err = one.Get([]byte("x"))
	wantError(t, err, ErrNotFound)
	batch.Put(storeTree(t, openStore(t, "", nil), "other"), nil, nil)
	_, err = store.Commit(&batch)
	wantError(t, err, ErrInvalid)
	must(t)(store.Commit(new(WriteBatch)))
}

// Put back: in fill, begin again at StartAfter; take the delimiter as the prefix.
func TestListing(t *testing.T) {
	store := openStore(t, "", nil)
	tree := storeTree(t, store, "t")
	for _, key := range []string{"", "a", "d/1", "d/2", "d/e/1", "d/e/2", "d/f/1", "e"} {
		must(t)(tree.Put([]byte(key), []byte("v")))
	}
	slash := []byte("/")
	for _, c := range []struct {
		options ListOptions
		want    []string
	}{
		{ListOptions{Delimiter: slash}, []string{"=v", "a=v", "d/", "e=v"}},
		{ListOptions{Delimiter: slash, Reverse: true, Limit: 2}, []string{"e=v", "d/"}},
		{ListOptions{Prefix: []byte("d/"), Delimiter: slash}, []string{"d/1=v", "d/2=v", "d/e/", "d/f/"}},
		{ListOptions{Prefix: []byte("d/"), Delimiter: slash, StartAfter: []byte("d/e/")}, []string{"d/f/"}},
		{ListOptions{StartAfter: []byte("d/e/1"), Limit: 2}, []string{"d/e/2=v", "d/f/1=v"}},
		{ListOptions{Prefix: []byte("none")}, nil},
	} {
		if shown := list(t, tree, c.options); !reflect.DeepEqual(shown, c.want) {
			t.Errorf("%+v: %v; want %v", c.options, shown, c.want)
		}
	}
	// Several pages, as of one moment.
	for i := 0; i < 10*page; i++ {
		must(t)(tree.Put([]byte(fmt.Sprintf("p%04d", i)), bytes.Repeat([]byte{'x'}, i)))
	}
	for _, reverse := range []bool{false, true} {
		l := tree.List(ListOptions{Prefix: []byte("p"), Reverse: reverse})
		for i := 0; l.Next(); i++ {
			must(t)(tree.Put([]byte(fmt.Sprintf("p%04d new", i)), nil))
			want := i
			if reverse {
				want = 10*page - 1 - i
			}
			if string(l.Key()) != fmt.Sprintf("p%04d", want) || len(l.Value()) != want || l.Version() == 0 {
				t.Fatalf("%d: %s", i, l.Key())
			}
			if i == 0 {
				wantError(t, store.Close(), ErrStoreInUse)
			}
			must(t)(tree.Remove([]byte(fmt.Sprintf("p%04d new", i))))
		}
		if l.Err() != nil || l.Close() != nil || l.Next() {
			t.Fatal(l.Err())
		}
	}
}

// A Wait that is given up leaves nothing behind: see openStore.
//
// Put back: wait in a goroutine that calls masstree_store_wait.
func TestWaitEndsWithItsContext(t *testing.T) {
	store := openStore(t, filepath.Join(t.TempDir(), "store"), nil)
	tree := storeTree(t, store, "t")
	before := runtime.NumGoroutine()
	cancelled := 0
	for i := 0; cancelled < 20; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		commit := must(t)(tree.Put([]byte("key"), []byte{byte(i)}))
		waits := make(chan error)
		go func() { waits <- store.Wait(ctx, commit) }()
		cancel()
		switch err := <-waits; err {
		case nil:
		case context.Canceled:
			cancelled++
		default:
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wantError(t, store.Wait(ctx, 1), context.Canceled)
	if err := store.Sync(context.Background()); err != nil {
		t.Fatal(err)
	}
	// Those that have sent their answer may not yet have ended. If others stay, go test's own limit ends this.
	for runtime.NumGoroutine() > before+1 {
		runtime.Gosched()
	}
}

// Put back: hold no lock in use.
func TestGoroutinesShareSyncs(t *testing.T) {
	store := openStore(t, filepath.Join(t.TempDir(), "store"), nil)
	tree := storeTree(t, store, "t")
	concurrently(8, func(g int) {
		for i := 0; i < 20; i++ {
			commit, err := tree.Put([]byte(fmt.Sprint(g, i)), nil)
			if err == nil {
				err = store.Wait(context.Background(), commit)
			}
			if err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		}
		// The others find it closed.
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Put back: compare only the status.
func TestOpeningSaysWhatFailed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := OpenStore(filepath.Join(file, "store"), nil)
	wantError(t, err, ErrFailed)
	wantError(t, err, syscall.ENOTDIR)
	var failure *StoreError
	if !errors.As(err, &failure) || failure.Operation == "" || failure.File == "" || err.Error() == "" {
		t.Fatal(err)
	}
	_, err = OpenStore(filepath.Join(t.TempDir(), "none"), &StoreOptions{MustExist: true})
	wantError(t, err, ErrNotFound)
	directory := filepath.Join(t.TempDir(), "store")
	store := openStore(t, directory, &StoreOptions{LogBufferBytes: 4096})
	_, err = storeTree(t, store, "t").Put([]byte("k"), make([]byte, 2048))
	wantError(t, err, ErrTooLarge)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	logs, _ := filepath.Glob(filepath.Join(directory, "log-*"))
	bytes, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	bytes[20] ^= 1
	if err := os.WriteFile(logs[0], bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = OpenStore(directory, nil)
	wantError(t, err, ErrCorrupt)
	if !errors.As(err, &failure) || failure.Reason == "" {
		t.Fatal(err)
	}
}
