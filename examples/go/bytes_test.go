package masstree

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func expectBytes(t *testing.T, tree *BytesTree, key, want string) {
	t.Helper()
	if value, err := tree.Get([]byte(key)); err != nil || string(value) != want {
		t.Fatalf("%s: %q, %v; want %q", key, value, err, want)
	}
}

// Put back: in Get, return the room whole, or give up after the first round; in bridge_insert_bytes,
// call masstree_put_bytes.
func TestBytesTreesAnswerValuesAndErrors(t *testing.T) {
	tree := newBytesTree(t)
	key, long := []byte("key"), strings.Repeat("long ", 40)
	_, err := tree.Get(key)
	wantError(t, err, ErrNotFound)
	wantError(t, tree.Delete(key), ErrNotFound)
	wantError(t, tree.Put(key, nil), nil)
	expectBytes(t, tree, "key", "")
	wantError(t, tree.Insert(key, []byte("b")), ErrExists)
	wantError(t, tree.Put(key, []byte(long)), nil)
	expectBytes(t, tree, "key", long)
	wantError(t, tree.CompareAndSwap(key, []byte("a"), []byte("b")), ErrMismatch)
	wantError(t, tree.CompareAndSwap(key, []byte(long), []byte("b")), nil)
	wantError(t, tree.CompareAndDelete(key, []byte("a")), ErrMismatch)
	expectBytes(t, tree, "key", "b")
	wantError(t, tree.CompareAndDelete(key, []byte("b")), nil)
	wantError(t, tree.CompareAndSwap(key, []byte("b"), []byte("c")), ErrNotFound)
	wantError(t, tree.Insert(key, []byte("d")), nil)
	wantError(t, tree.Delete(key), nil)
	if n, err := tree.Len(); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	wantError(t, tree.Check(), nil)
}

// Put back: in bridge_append_bytes, call masstree_put_bytes, and return more_len.
func TestAppend(t *testing.T) {
	tree := newBytesTree(t)
	for i, more := range []string{"a", "", "bc"} {
		want := []int{1, 1, 3}[i]
		if n, err := tree.Append([]byte("key"), []byte(more)); n != want || err != nil {
			t.Fatalf("%q: %d bytes, %v; want %d", more, n, err, want)
		}
	}
	expectBytes(t, tree, "key", "abc")
}

// Put back: in bridge_longest_prefix_bytes, call masstree_get_bytes.
func TestLongestPrefixOfByteStrings(t *testing.T) {
	tree := newBytesTree(t)
	_, _, err := tree.LongestPrefix([]byte("10.20.30"))
	wantError(t, err, ErrNotFound)
	long := strings.Repeat("long ", 40)
	wantError(t, tree.Put([]byte("10."), nil), nil)
	wantError(t, tree.Put([]byte("10.20."), []byte(long)), nil)
	for _, step := range []struct{ key, value string }{{"10.20.", long}, {"10.", ""}} {
		n, value, err := tree.LongestPrefix([]byte(step.key + "9"))
		if n != len(step.key) || string(value) != step.value || err != nil {
			t.Fatalf("%q: %d bytes, %q, %v", step.key, n, value, err)
		}
	}
}

// Put back: in bridge_swap_bytes, call masstree_put_bytes; in bridge_take_bytes, masstree_get_bytes.
func TestReplacedByteStringsAreReturned(t *testing.T) {
	tree := newBytesTree(t)
	key, long := []byte("key"), strings.Repeat("long ", 40)
	for _, step := range []struct {
		swap, want string
		err        error
	}{{"a", "", ErrNotFound}, {"", "a", nil}, {long, "", nil}, {"b", long, nil}, {"b", "b", nil}} {
		old, err := tree.Swap(key, []byte(step.swap))
		wantError(t, err, step.err)
		if string(old) != step.want {
			t.Fatalf("%q displaced %q, not %q", step.swap, old, step.want)
		}
	}
	old, err := tree.Take(key)
	if string(old) != "b" || err != nil {
		t.Fatalf("%q, %v", old, err)
	}
	_, err = tree.Take(key)
	wantError(t, err, ErrNotFound)
}

// Put back: in BytesTree.GetMany, take a value for each key, found or not; in batch_chunk, begin each chunk with the
// first key.
func TestBatchesFindByteStrings(t *testing.T) {
	tree := newBytesTree(t)
	var batch BytesBatch
	wantError(t, tree.GetMany(&batch), nil)
	for _, count := range []int{1, 63, 64, 65, 200} {
		batch.Reset()
		for i := 0; i < count; i++ {
			key := []byte(fmt.Sprint(i))
			if i%3 != 0 {
				wantError(t, tree.Put(key, bytes.Repeat(key, i)), nil)
			}
			batch.Add(key)
		}
		for again := 0; again < 2; again++ {
			wantError(t, tree.GetMany(&batch), nil)
			for i := 0; i < batch.Len(); i++ {
				value, err := batch.Value(i)
				want, wantErr := tree.Get([]byte(fmt.Sprint(i)))
				if !bytes.Equal(value, want) || err != wantErr {
					t.Fatalf("key %d of %d: %q, %v; want %q, %v", i, count, value, err, want, wantErr)
				}
			}
			wantError(t, tree.Put([]byte("1"), []byte("another value")), nil)
		}
	}
}

// Put back: in Append, use Get and Put.
func TestEachAppendedPieceIsThereOnce(t *testing.T) {
	tree := newBytesTree(t)
	const goroutines, pieces = 4, 500
	concurrently(goroutines, func(g int) {
		for i := 0; i < pieces; i++ {
			if _, err := tree.Append([]byte("key"), []byte(fmt.Sprintf("%d:%03d ", g, i))); err != nil {
				t.Error(err)
			}
		}
	})
	value, err := tree.Get([]byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	var next [goroutines]int
	for _, piece := range strings.Fields(string(value)) {
		g := int(piece[0] - '0')
		if piece != fmt.Sprintf("%d:%03d", g, next[g]) {
			t.Fatalf("%s is out of order", piece)
		}
		next[g]++
	}
	for g, n := range next {
		if n != pieces {
			t.Fatalf("goroutine %d has appended %d pieces, not %d", g, n, pieces)
		}
	}
}

// Put back: in Update, pass old itself to f; or delete for Keep.
func TestUpdatesOfByteStringsDecide(t *testing.T) {
	tree := newBytesTree(t)
	key := []byte("key")
	again := errors.New("called again")
	for _, step := range []struct {
		decision Decision
		want     string
	}{{Keep, ""}, {Remove, ""}, {Set, "0"}, {Keep, "0"}, {Set, "1"}, {Set, "2"}, {Remove, ""}, {Set, "0"}} {
		calls := 0
		err := tree.Update(key, func(old []byte, present bool) ([]byte, Decision) {
			if calls++; calls > 1 {
				t.Fatal(again)
			}
			if !present {
				return []byte("0"), step.decision
			}
			old[0]++ // in place: it is a copy
			return old, step.decision
		})
		wantError(t, err, nil)
		if value, err := tree.Get(key); string(value) != step.want || (err != nil) != (step.want == "") {
			t.Fatalf("%v: %q, %v", step, value, err)
		}
	}
}

// Put back: in Update, store with Put.
func TestUpdatesOfByteStringsAreAtomic(t *testing.T) {
	tree := newBytesTree(t)
	const goroutines, updates = 4, 1000
	concurrently(goroutines, func(int) {
		for i := 0; i < updates; i++ {
			err := tree.Update([]byte("key"), func(old []byte, _ bool) ([]byte, Decision) {
				return append(old, '.'), Set
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	if value, err := tree.Get([]byte("key")); len(value) != goroutines*updates || err != nil {
		t.Fatalf("%d updates, %v, of %d", len(value), err, goroutines*updates)
	}
}

// Put back: in bridge_seek, leave out the value; in bridge_more, swap the directions.
func TestBytesTreesAreIterated(t *testing.T) {
	tree := newBytesTree(t)
	for i := 0; i < 300; i++ {
		if err := tree.Put([]byte(fmt.Sprintf("%03d", i)), bytes.Repeat([]byte{'v'}, i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []Range{
		{}, {Reverse: true}, {Lower: []byte("100"), Upper: []byte("200")},
		{Lower: []byte("100"), Upper: []byte("200"), Reverse: true},
	} {
		first, last := 0, 299
		if r.Lower != nil {
			first, last = 100, 199
		}
		it := tree.Iterate(r)
		for n := 0; n <= last-first; n++ {
			i := first + n
			if r.Reverse {
				i = last - n
			}
			if !it.Next() || string(it.Key()) != fmt.Sprintf("%03d", i) || len(it.Value()) != i {
				t.Fatalf("%v: %q with %d bytes, %v; want %d", r, it.Key(), len(it.Value()), it.Err(), i)
			}
		}
		if it.Next() || it.Err() != nil {
			t.Fatalf("%v: %q is too much, %v", r, it.Key(), it.Err())
		}
		wantError(t, tree.Close(), ErrInUse)
		wantError(t, it.Close(), nil)
	}
	deleted, err := tree.DeleteRange(Range{Lower: []byte("100")})
	if deleted != 200 || err != nil {
		t.Fatal(deleted, err)
	}
}

func TestClosedBytesTreesSaySo(t *testing.T) {
	tree := newBytesTree(t)
	wantError(t, tree.Close(), nil)
	_, err := tree.Get(nil)
	wantError(t, err, ErrClosed)
	wantError(t, tree.Put(nil, nil), ErrClosed)
	_, err = tree.Append(nil, nil)
	wantError(t, err, ErrClosed)
	wantError(t, tree.Update(nil, nil), ErrClosed)
	_, _, err = tree.LongestPrefix(nil)
	wantError(t, err, ErrClosed)
	wantError(t, tree.GetMany(new(BytesBatch)), ErrClosed)
	_, err = tree.Swap(nil, nil)
	wantError(t, err, ErrClosed)
	_, err = tree.Take(nil)
	wantError(t, err, ErrClosed)
	_, _, err = tree.PopLast(Range{})
	wantError(t, err, ErrClosed)
	_, err = tree.Pivots(1)
	wantError(t, err, ErrClosed)
	wantError(t, tree.Sample(new(Sampler), 1, nil), ErrClosed)
	if it := tree.Iterate(Range{}); it.Next() || it.Err() != ErrClosed {
		t.Fatal("a closed tree is iterated")
	}
}
