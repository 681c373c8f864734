package masstree

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"testing"
)

func TestOperationsAnswerValuesAndErrors(t *testing.T) {
	tree := newTree(t)
	key := []byte("key")
	value, err := tree.Get(key)
	expect(t, "get of nothing", value, err, 0, ErrNotFound)
	expect(t, "put", 0, tree.Put(key, 1), 0, nil)
	value, err = tree.Insert(key, 2)
	expect(t, "insert again", value, err, 1, ErrExists)
	value, err = tree.Swap(key, 3)
	expect(t, "swap", value, err, 1, nil)
	expect(t, "other value", 0, tree.CompareAndSwap(key, 1, 4), 0, ErrMismatch)
	expect(t, "compare and swap", 0, tree.CompareAndSwap(key, 3, 4), 0, nil)
	expect(t, "other value to delete", 0, tree.CompareAndDelete(key, 3), 0, ErrMismatch)
	value, err = tree.Delete(key)
	expect(t, "delete", value, err, 4, nil)
	expect(t, "nothing to delete", 0, tree.CompareAndDelete(key, 4), 0, ErrNotFound)
	value, err = tree.Swap(key, 5)
	expect(t, "swap with nothing", value, err, 0, ErrNotFound)
	value, err = tree.Get(key)
	expect(t, "get", value, err, 5, nil)
	if wrapped := fmt.Errorf("look-up: %w", ErrNotFound); !errors.Is(wrapped, ErrNotFound) {
		t.Error("errors.Is does not know ErrNotFound")
	}
	if text := ErrNotFound.Error(); text == "masstree: " {
		t.Errorf("no text in %q", text)
	}
}

func TestAnyBytesAreAKey(t *testing.T) {
	tree := newTree(t)
	keys := [][]byte{nil, {0}, {0, 0}, []byte("a\x00b"), bytes.Repeat([]byte{0xff}, 1000)}
	for i, key := range keys {
		if err := tree.Put(key, uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, key := range keys {
		value, err := tree.Get(key)
		expect(t, fmt.Sprintf("%q", key), value, err, uint64(i), nil)
	}
	if n, err := tree.Len(); n != len(keys) || err != nil {
		t.Fatalf("%d keys, %v", n, err)
	}
}

func TestAdd(t *testing.T) {
	tree := newTree(t)
	sum, err := tree.Add([]byte("key"), 5)
	expect(t, "add to nothing", sum, err, 5, nil)
	sum, err = tree.Add([]byte("key"), ^uint64(0))
	expect(t, "subtract", sum, err, 4, nil)
}

func TestLongestPrefix(t *testing.T) {
	tree := newTree(t)
	_, value, err := tree.LongestPrefix([]byte("10.20.30"))
	expect(t, "prefix of nothing", value, err, 0, ErrNotFound)
	expect(t, "put", 0, tree.Put([]byte("10."), 1), 0, nil)
	expect(t, "put", 0, tree.Put([]byte("10.20."), 2), 0, nil)
	n, value, err := tree.LongestPrefix([]byte("10.20.30"))
	expect(t, "longest prefix", value, err, 2, nil)
	if n != 6 {
		t.Errorf("%d bytes", n)
	}
}

// cgo refuses Go memory that has Go pointers in it: data beside a key must not
// count. And C must not have kept the key.
func TestKeysMayBePartOfAnything(t *testing.T) {
	tree := newTree(t)
	record := &struct {
		next *int
		key  [8]byte
	}{new(int), [8]byte{'k', 'e', 'y'}}
	if err := tree.Put(record.key[:3], 7); err != nil {
		t.Fatal(err)
	}
	copy(record.key[:], "xxx")
	value, err := tree.Get([]byte("key"))
	expect(t, "get", value, err, 7, nil)
}

func TestIntegersAreInNumericOrder(t *testing.T) {
	tree := newTree(t)
	for _, key := range []uint64{1 << 63, 256, 255, 1, 0} {
		if err := tree.PutUint64(key, key); err != nil {
			t.Fatal(err)
		}
	}
	value, err := tree.GetUint64(256)
	expect(t, "get", value, err, 256, nil)
	it := tree.Iterate(Range{})
	defer it.Close()
	for _, want := range []uint64{0, 1, 255, 256, 1 << 63} {
		if !it.Next() || it.Value() != want {
			t.Fatalf("%d, %v; want %d", it.Value(), it.Err(), want)
		}
	}
}

func TestBatchesFindWhatSingleCallsFind(t *testing.T) {
	tree := newTree(t)
	var batch Batch
	for count := 0; count < 200; count++ {
		if err := tree.Put([]byte(fmt.Sprint(count*2)), uint64(count)); err != nil {
			t.Fatal(err)
		}
		batch.Reset()
		batch.Add(nil)
		for i := 0; i < count*2; i++ {
			batch.Add([]byte(fmt.Sprint(i)))
		}
		if err := tree.GetMany(&batch); err != nil {
			t.Fatal(err)
		}
		if value, err := batch.Value(0); err != ErrNotFound {
			t.Fatalf("the empty key has %d, %v", value, err)
		}
		for i := 0; i < count*2; i++ {
			want, wantErr := tree.Get([]byte(fmt.Sprint(i)))
			if value, err := batch.Value(i + 1); err != wantErr || err == nil && value != want {
				t.Fatalf("key %d of %d: %d, %v; want %d, %v", i, count*2, value, err, want, wantErr)
			}
		}
	}
	batch.Reset()
	if err := tree.GetMany(&batch); err != nil || batch.Len() != 0 {
		t.Fatalf("an empty batch: %v", err)
	}
}

// Put back: in Update, keep f in a variable of the package.
func TestCallsDoNotAllocate(t *testing.T) {
	tree := newTree(t)
	key := []byte("a key")
	var batch Batch
	more := uint64(len(key))
	for _, what := range []struct {
		name string
		call func()
	}{
		{"Put", func() { _ = tree.Put(key, 1) }},
		{"Get", func() { _, _ = tree.Get(key) }},
		{"Get of nothing", func() { _, _ = tree.Get(key[:1]) }},
		{"Update", func() {
			_ = tree.Update(key, func(old uint64, _ bool) (uint64, Decision) { return old + more, Set })
		}},
		{"GetMany", func() { batch.Reset(); batch.Add(key); _ = tree.GetMany(&batch) }},
	} {
		if n := testing.AllocsPerRun(100, what.call); n != 0 {
			t.Errorf("%s allocates %v times", what.name, n)
		}
	}
}

func TestUpdateDecides(t *testing.T) {
	tree := newTree(t)
	key := []byte("key")
	decide := func(value uint64, decision Decision) func(uint64, bool) (uint64, Decision) {
		return func(uint64, bool) (uint64, Decision) { return value, decision }
	}
	for _, step := range []struct {
		value     uint64
		decision  Decision
		wantValue uint64
		wantErr   error
	}{
		{1, Keep, 0, ErrNotFound}, {1, Remove, 0, ErrNotFound}, {1, Set, 1, nil},
		{2, Keep, 1, nil}, {2, Set, 2, nil}, {3, Remove, 0, ErrNotFound},
	} {
		if err := tree.Update(key, decide(step.value, step.decision)); err != nil {
			t.Fatal(err)
		}
		value, err := tree.Get(key)
		expect(t, fmt.Sprint(step), value, err, step.wantValue, step.wantErr)
	}
}

func TestClosedThingsSaySo(t *testing.T) {
	tree := newTree(t)
	if err := tree.Put(nil, 1); err != nil {
		t.Fatal(err)
	}
	guard, err := tree.Guard()
	if err != nil {
		t.Fatal(err)
	}
	own, under := tree.Iterate(Range{}), guard.Iterate(Range{})
	if !own.Next() || !under.Next() {
		t.Fatal("no key")
	}
	expect(t, "closing what is in use", 0, tree.Close(), 0, ErrInUse)
	expect(t, "closing the guard", 0, guard.Close(), 0, nil)
	if under.Next() || under.Err() != ErrClosed {
		t.Fatalf("an iterator goes on without its guard: %v", under.Err())
	}
	expect(t, "closing the iterator", 0, under.Close(), 0, nil)
	expect(t, "closing what is still in use", 0, tree.Close(), 0, ErrInUse)
	expect(t, "closing the other iterator", 0, own.Close(), 0, nil)
	expect(t, "closing the tree", 0, tree.Close(), 0, nil)
	expect(t, "closing it again", 0, tree.Close(), 0, nil)
	_, err = tree.Get(nil)
	expect(t, "get", 0, err, 0, ErrClosed)
	_, err = guard.Get(nil)
	expect(t, "get by the guard", 0, err, 0, ErrClosed)
	if it := tree.Iterate(Range{}); it.Next() || it.Err() != ErrClosed || it.Close() != nil {
		t.Fatal("a closed tree is iterated")
	}
	if _, err := tree.Guard(); err != ErrClosed {
		t.Fatalf("a closed tree returns a guard: %v", err)
	}
}

// Waits for the garbage collector; if it forgets them, go test's own limit ends it.
func TestForgottenThingsAreClosed(t *testing.T) {
	tree := newTree(t)
	func() {
		for i := 0; i < 100; i++ {
			guard, err := tree.Guard()
			if err != nil {
				t.Fatal(err)
			}
			guard.Iterate(Range{}).Next()
			tree.Iterate(Range{}).Next()
		}
	}()
	for tree.users.Load() != 0 {
		runtime.GC()
	}
}
