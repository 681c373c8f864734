package masstree

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
)

func nextChange(t testing.TB, changes *Changes) *Change {
	t.Helper()
	if !changes.Next() {
		t.Fatal("no change: ", changes.Err())
	}
	return changes.Change()
}

// What the changes of a store build, as "tree/key=value".
type replica map[string]string

func (r replica) apply(t testing.TB, changes *Changes) {
	t.Helper()
	for changes.Next() {
		change := changes.Change()
		name := change.Tree + "/" + string(change.Key)
		switch change.Kind {
		case ChangePut:
			r[name] = string(change.Value)
		case ChangeRemove:
			delete(r, name)
		case ChangeTreeMade:
			r[name] = "made"
		case ChangeTreeDropped:
			for key := range r {
				if filepath.Dir(key) == change.Tree {
					delete(r, key)
				}
			}
		}
	}
	wantError(t, changes.Err(), nil)
}

// Put back: in read, keep the value of the change before; give every change the kind of a put; never set IsLast.
func TestChangesBuildAReplica(t *testing.T) {
	store := openStore(t, filepath.Join(t.TempDir(), "store"), nil)
	kept, gone := storeTree(t, store, "kept"), storeTree(t, store, "gone")
	must(t)(kept.Put([]byte("a"), []byte("1")))
	must(t)(gone.Put([]byte("b"), []byte("2")))
	var batch WriteBatch
	batch.Put(kept, []byte("c"), []byte("3"))
	batch.Put(gone, []byte("d"), nil)
	batch.Remove(kept, []byte("a"))
	both := must(t)(store.Commit(&batch))
	dropped := must(t)(store.DropTree("gone"))
	_, err := store.DropTree("gone")
	wantError(t, err, ErrNotFound)
	_, err = gone.Put([]byte("b"), nil)
	wantError(t, err, ErrWrongTree)
	wantError(t, store.Sync(context.Background()), nil)

	changes, err := store.Changes(0, ChangesOptions{})
	wantError(t, err, nil)
	built := make(replica)
	built.apply(t, changes)
	if want := (replica{"kept/": "made", "kept/c": "3"}); !reflect.DeepEqual(built, want) {
		t.Fatal(built)
	}
	wantError(t, store.Close(), ErrStoreInUse)
	wantError(t, changes.Close(), nil)
	if changes.Next() {
		t.Fatal(changes.Change())
	}
	wantError(t, changes.Err(), ErrClosed)

	changes, err = store.Changes(both-1, ChangesOptions{Written: true})
	wantError(t, err, nil)
	defer changes.Close()
	for i := 0; i < 3; i++ {
		if change := nextChange(t, changes); change.Commit != both || change.IsLast != (i == 2) {
			t.Fatalf("%d: %+v", i, change)
		}
	}
	if last := nextChange(t, changes); last.Kind != ChangeTreeDropped || last.Commit != dropped || last.TreeNumber == 0 {
		t.Fatalf("%+v", last)
	}
}

// Put back: in Wait, leave out the context; take MASSTREE_NOT_FOUND for MASSTREE_OK.
func TestWaitForChangesEndsWithAChangeOrItsContext(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "store")
	store := openStore(t, directory, nil)
	tree := storeTree(t, store, "t")
	wantError(t, store.Sync(context.Background()), nil)
	changes, err := store.Changes(0, ChangesOptions{})
	wantError(t, err, nil)
	wantError(t, changes.Wait(context.Background()), nil)
	if made := nextChange(t, changes); made.Kind != ChangeTreeMade || changes.Next() {
		t.Fatalf("%+v", made)
	}
	ctx, cancel := context.WithCancel(context.Background())
	waits := make(chan error)
	go func() { waits <- changes.Wait(ctx) }()
	cancel()
	wantError(t, <-waits, context.Canceled)
	ctx, cancel = context.WithTimeout(context.Background(), 2*longestWait)
	defer cancel()
	wantError(t, changes.Wait(ctx), context.DeadlineExceeded)

	go func() { waits <- changes.Wait(context.Background()) }()
	commit := must(t)(tree.Put([]byte("k"), []byte("v")))
	wantError(t, store.Wait(context.Background(), commit), nil)
	wantError(t, <-waits, nil)
	if put := nextChange(t, changes); put.Commit != commit || string(put.Value) != "v" {
		t.Fatalf("%+v", put)
	}
	wantError(t, changes.Close(), nil)
	wantError(t, changes.Wait(context.Background()), ErrClosed)
	wantError(t, store.Close(), nil)

	store = openStore(t, directory, &StoreOptions{ReadOnly: true})
	changes, err = store.Changes(commit, ChangesOptions{})
	wantError(t, err, nil)
	defer changes.Close()
	if changes.Next() {
		t.Fatal(changes.Change())
	}
	wantError(t, changes.Wait(context.Background()), ErrReadOnly)
}

// Put back: pass no HeldBytes; lose RetainedBytes; take every error of Next for the end.
func TestChangesThatAreGoneAreAnError(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "store")
	small := StoreOptions{LogBufferBytes: 4096, LogSegmentBytes: 4096}
	store := openStore(t, directory, &small)
	tree := storeTree(t, store, "t")
	held, err := store.Changes(0, ChangesOptions{})
	wantError(t, err, nil)
	var commit uint64
	fill := func() {
		for i := 0; i < 200; i++ {
			commit = must(t)(tree.Put([]byte(fmt.Sprint(i%10)), make([]byte, 1000)))
		}
		wantError(t, store.Checkpoint(), nil)
	}
	fill()
	if nextChange(t, held).Kind != ChangeTreeMade {
		t.Fatal(held.Change())
	}
	wantError(t, held.Close(), nil)
	few, err := store.Changes(commit, ChangesOptions{HeldBytes: 1})
	wantError(t, err, nil)
	fill()
	if few.Next() {
		t.Fatal(few.Change())
	}
	wantError(t, few.Err(), ErrTooOld)
	wantError(t, few.Close(), nil)
	_, err = store.Changes(1, ChangesOptions{})
	wantError(t, err, ErrTooOld)
	_, err = store.Changes(commit+1000, ChangesOptions{})
	wantError(t, err, ErrNotFound)
	_, err = openStore(t, "", nil).Changes(0, ChangesOptions{})
	wantError(t, err, ErrInvalid)
	wantError(t, store.Close(), nil)

	small.RetainedBytes = 1 << 30
	store = openStore(t, directory, &small)
	tree = storeTree(t, store, "t")
	since := commit
	fill()
	retained, err := store.Changes(since, ChangesOptions{})
	wantError(t, err, nil)
	defer retained.Close()
	nextChange(t, retained)
	logs, err := filepath.Glob(filepath.Join(directory, "log-*"))
	wantError(t, err, nil)
	for _, name := range logs[1:] {
		wantError(t, os.Remove(name), nil)
	}
	for retained.Next() {
	}
	wantError(t, retained.Err(), ErrFailed)
	wantError(t, retained.Err(), syscall.ENOENT)
}
