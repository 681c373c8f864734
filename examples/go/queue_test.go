package masstree

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Put back: in bridge_pop, swap first and last; in pop, return the room whole.
func TestPopsTakeTheEndsOfARange(t *testing.T) {
	tree := newTree(t)
	long := strings.Repeat("long ", 40)
	for i, key := range []string{"a", "b", "b" + long, "c"} {
		if err := tree.Put([]byte(key), uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	only := Range{Lower: []byte("b"), Upper: []byte("c")}
	for _, want := range []struct {
		last  bool
		key   string
		value uint64
	}{{true, "b" + long, 2}, {false, "b", 1}} {
		pop := tree.PopFirst
		if want.last {
			pop = tree.PopLast
		}
		key, value, err := pop(only)
		expect(t, "pop", value, err, want.value, nil)
		if string(key) != want.key {
			t.Fatalf("popped %q, want %q", key, want.key)
		}
	}
	if _, _, err := tree.PopFirst(only); err != ErrNotFound {
		t.Fatal(err)
	}
	if key, _, err := tree.PopFirst(Range{}); err != nil || !bytes.Equal(key, []byte("a")) {
		t.Fatal(key, err)
	}
}

// popAll pops with four goroutines until an error, and tells of numbers below count that were not popped once.
func popAll(t *testing.T, count int, pop func() (number int, err error)) {
	popped := make([]int, count)
	var mutex sync.Mutex
	concurrently(4, func(int) {
		for {
			number, err := pop()
			if err == ErrNotFound {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			mutex.Lock()
			popped[number]++
			mutex.Unlock()
		}
	})
	for number, times := range popped {
		if times != 1 {
			t.Fatalf("%d was popped %d times", number, times)
		}
	}
}

// Put back: in pop, return the key before the last one again.
func TestEachKeyIsPoppedOnce(t *testing.T) {
	tree := newTree(t)
	const keys = 4000
	for i := uint64(0); i < keys; i++ {
		if err := tree.PutUint64(i, i); err != nil {
			t.Fatal(err)
		}
	}
	popAll(t, keys, func() (int, error) {
		_, value, err := tree.PopFirst(Range{})
		return int(value), err
	})
}

// Put back: in bridge_pop_bytes, swap first and last; in BytesTree.pop, forget the value.
func TestPopsOfByteStringsTakeTheEndsOfARange(t *testing.T) {
	tree := newBytesTree(t)
	long := strings.Repeat("long ", 40)
	for _, key := range []string{"a", "b", "b" + long, "c"} {
		wantError(t, tree.Put([]byte(key), []byte(key+key)), nil)
	}
	only := Range{Lower: []byte("b"), Upper: []byte("c")}
	for _, step := range []struct {
		pop  func(Range) ([]byte, []byte, error)
		in   Range
		want string
		err  error
	}{
		{tree.PopLast, only, "b" + long, nil}, {tree.PopFirst, only, "b", nil},
		{tree.PopFirst, only, "", ErrNotFound}, {tree.PopLast, only, "", ErrNotFound},
		{tree.PopLast, Range{}, "c", nil}, {tree.PopFirst, Range{}, "a", nil},
	} {
		key, value, err := step.pop(step.in)
		wantError(t, err, step.err)
		if string(key) != step.want || string(value) != step.want+step.want {
			t.Fatalf("popped %q, %q; want %q", key, value, step.want)
		}
	}
}

// Put back: in BytesTree.pop, use an iterator and Delete.
func TestEachByteStringIsPoppedOnce(t *testing.T) {
	tree := newBytesTree(t)
	const keys = 2000
	for i := 0; i < keys; i++ {
		wantError(t, tree.Put([]byte(fmt.Sprintf("%04d", i)), []byte(fmt.Sprintf("%0100d", i))), nil)
	}
	popAll(t, keys, func() (int, error) {
		key, value, err := tree.PopFirst(Range{})
		if err != nil {
			return 0, err
		}
		var number, held int
		if n, _ := fmt.Sscanf(string(key)+" "+string(value), "%d %d", &number, &held); n != 2 || number != held {
			return 0, fmt.Errorf("%q: %q", key, value)
		}
		return number, nil
	})
}

// Put back: in range_between, take the upper bound as inclusive.
func TestDeleteRange(t *testing.T) {
	tree := newTree(t)
	for i := 0; i < 1000; i++ {
		if err := tree.Put([]byte(fmt.Sprintf("%04d", i)), 1); err != nil {
			t.Fatal(err)
		}
	}
	deleted, err := tree.DeleteRange(Range{Lower: []byte("0100"), Upper: []byte("0900")})
	if deleted != 800 || err != nil {
		t.Fatal(deleted, err)
	}
	if n, err := tree.Len(); n != 200 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := tree.Get([]byte("0900")); err != nil {
		t.Fatal(err)
	}
	if deleted, err = tree.DeleteRange(Range{}); deleted != 200 || err != nil {
		t.Fatal(deleted, err)
	}
}
