package masstree

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
)

func listed(t testing.TB, l *Listing) (shown []string) {
	t.Helper()
	defer l.Close()
	for l.Next() {
		shown = append(shown, fmt.Sprintf("%s=%s", l.Key(), l.Value()))
	}
	wantError(t, l.Err(), nil)
	return shown
}

// Put back: in GetVersion of a snapshot, or in its List, read the newest; in Export of a snapshot, leave it out.
func TestSnapshotSeesItsMoment(t *testing.T) {
	store := openStore(t, "", nil)
	one, two := storeTree(t, store, "1"), storeTree(t, store, "2")
	must(t)(one.Put([]byte("a"), []byte("1")))
	commit := must(t)(two.Put([]byte("b"), []byte("2")))
	at, err := store.Snapshot()
	wantError(t, err, nil)
	if at.Number() < commit {
		t.Fatal(at.Number(), commit)
	}
	must(t)(one.Put([]byte("a"), []byte("3")))
	must(t)(one.Put([]byte("new"), nil))
	must(t)(two.Remove([]byte("b")))
	value, version, err := at.GetVersion(two, []byte("b"))
	if err != nil || string(value) != "2" || version != commit {
		t.Fatal(value, version, err)
	}
	_, err = at.Get(one, []byte("new"))
	wantError(t, err, ErrNotFound)
	_, err = two.Get([]byte("b"))
	wantError(t, err, ErrNotFound)
	if shown := listed(t, at.List(one, ListOptions{})); !reflect.DeepEqual(shown, []string{"a=1"}) {
		t.Fatal(shown)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	wantError(t, at.Export(context.Background(), copied), nil)
	found := storeTree(t, openStore(t, copied, nil), "1")
	if shown := list(t, found, ListOptions{}); !reflect.DeepEqual(shown, []string{"a=1"}) {
		t.Fatal(shown)
	}
	_, err = at.Get(found, []byte("a"))
	wantError(t, err, ErrWrongTree)
	wantError(t, store.Close(), ErrStoreInUse)
	open := at.List(one, ListOptions{})
	defer open.Close()
	wantError(t, at.Close(), nil)
	wantError(t, at.Close(), nil)
	if open.Next() {
		t.Fatal(open.Key())
	}
	wantError(t, open.Err(), ErrClosed)
	_, err = at.Get(one, []byte("a"))
	wantError(t, err, ErrClosed)
	wantError(t, at.Export(context.Background(), copied), ErrClosed)
}

// Put back: in bridge_list_snapshots, store every snapshot in the first place; lose the ages.
func TestOpenSnapshotsAreListed(t *testing.T) {
	store := openStore(t, "", nil)
	tree := storeTree(t, store, "t")
	var numbers []uint64
	for i := 0; i < 20; i++ {
		must(t)(tree.Put([]byte{byte(i)}, nil))
		at, err := store.Snapshot()
		wantError(t, err, nil)
		defer at.Close()
		numbers = append(numbers, at.Number())
	}
	// Ends: an age of a millisecond comes.
	for {
		open, err := store.Snapshots()
		wantError(t, err, nil)
		var found []uint64
		for i, snapshot := range open {
			found = append(found, snapshot.Number)
			if i > 0 && snapshot.Age > open[i-1].Age {
				t.Fatal(open)
			}
		}
		if !reflect.DeepEqual(found, numbers) {
			t.Fatal(found, numbers)
		}
		if open[0].Age > 0 {
			break
		}
	}
}

// Put back: in use of a snapshot, hold no lock.
func TestGoroutinesReadASnapshotThatIsClosed(t *testing.T) {
	store := openStore(t, "", nil)
	tree := storeTree(t, store, "t")
	must(t)(tree.Put([]byte("k"), []byte("0")))
	for round := 0; round < 20; round++ {
		at, err := store.Snapshot()
		wantError(t, err, nil)
		want := fmt.Sprint(round)
		var all sync.WaitGroup
		for g := 0; g < 4; g++ {
			all.Add(1)
			go func(g int) {
				defer all.Done()
				for {
					value, err := at.Get(tree, []byte("k"))
					if err == ErrClosed {
						return
					}
					if err != nil || string(value) != want {
						t.Error(string(value), err)
						return
					}
				}
			}(g)
		}
		must(t)(tree.Put([]byte("k"), []byte(fmt.Sprint(round+1))))
		wantError(t, at.Close(), nil)
		all.Wait()
	}
}

// Put back: never replace; lose the name of the tree; ignore the context in bridgeProgress.
func TestImportCopiesEveryTree(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "source")
	source := openStore(t, directory, nil)
	must(t)(storeTree(t, source, "t").Put([]byte("a"), []byte("1")))
	must(t)(storeTree(t, source, "t").Put([]byte("b"), []byte("2")))
	storeTree(t, source, "empty")
	store := openStore(t, "", nil)
	_, err := store.Import(context.Background(), directory, false)
	wantError(t, err, ErrLocked)
	wantError(t, source.Close(), nil)

	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = store.Import(cancelled, directory, false)
	wantError(t, err, context.Canceled)
	imported, err := store.Import(context.Background(), directory, false)
	if err != nil || imported != (Imported{Trees: 2, Keys: 2, Bytes: 4}) {
		t.Fatal(imported, err)
	}
	tree := storeTree(t, store, "t")
	if shown := list(t, tree, ListOptions{}); !reflect.DeepEqual(shown, []string{"a=1", "b=2"}) {
		t.Fatal(shown)
	}
	must(t)(tree.Put([]byte("c"), []byte("3")))
	_, err = store.Import(context.Background(), directory, false)
	wantError(t, err, ErrExists)
	if exists, ok := err.(*TreeExistsError); !ok || exists.Tree != "t" {
		t.Fatal(err)
	}
	_, err = store.Import(context.Background(), directory, true)
	wantError(t, err, nil)
	if shown := list(t, storeTree(t, store, "t"), ListOptions{}); !reflect.DeepEqual(shown, []string{"a=1", "b=2"}) {
		t.Fatal(shown)
	}
	_, err = store.Import(context.Background(), filepath.Join(t.TempDir(), "none"), false)
	wantError(t, err, ErrNotFound)
}

// Put back: in move, keep the value; exchange MOVE_NEXT and MOVE_PREV; leave the cursors out of forget.
func TestTransactionCursorMovesInBothDirections(t *testing.T) {
	store := openStore(t, "", nil)
	tree := storeTree(t, store, "t")
	for _, key := range []string{"a", "b", "d"} {
		must(t)(tree.Put([]byte(key), []byte("v"+key)))
	}
	_, version, _ := tree.GetVersion([]byte("d"))
	var kept *TxCursor
	attempts := 0
	_, err := store.Transact(context.Background(), func(tx *Tx) error {
		wantError(t, tx.Put(tree, []byte("c"), []byte("own")), nil)
		cursor := tx.Cursor(tree)
		expectAt := func(moved bool, key, value string, version uint64) {
			t.Helper()
			if !moved || string(cursor.Key()) != key || string(cursor.Value()) != value || version != cursor.Version() {
				t.Fatalf("%v: %s=%s", moved, cursor.Key(), cursor.Value())
			}
		}
		// Ends: on the second attempt a transaction is not disturbed.
		if attempts++; attempts == 1 {
			cursor.Next()
			must(t)(tree.Put([]byte("a"), []byte("va")))
			kept = cursor
			return nil
		}
		if kept.Next() || kept.Err() != ErrClosed {
			t.Fatal(kept.Err())
		}
		expectAt(cursor.Last(), "d", "vd", version)
		if cursor.Next() || cursor.Err() != nil {
			t.Fatal(cursor.Err())
		}
		expectAt(cursor.Prev(), "c", "own", 0)
		wantError(t, tx.Remove(tree, []byte("b")), nil)
		cursor.Prev()
		expectAt(cursor.First(), "a", "va", cursor.Version())
		expectAt(cursor.Next(), "c", "own", 0)
		expectAt(cursor.Seek([]byte("d"), SeekAtLeast), "d", "vd", version)
		expectAt(cursor.Seek([]byte("d"), SeekBelow), "c", "own", 0)
		expectAt(cursor.Seek([]byte("c"), SeekAbove), "d", "vd", version)
		expectAt(cursor.Seek([]byte("cc"), SeekAtMost), "c", "own", 0)
		kept = cursor
		return nil
	})
	wantError(t, err, nil)
	if attempts != 2 || kept.Next() || kept.Err() != ErrClosed {
		t.Fatal(attempts, kept.Err())
	}
	must(t)(store.Transact(context.Background(), func(tx *Tx) error {
		other := storeTree(t, openStore(t, "", nil), "other")
		wantError(t, tx.Cursor(other).Err(), ErrWrongTree)
		return nil
	}))
}
