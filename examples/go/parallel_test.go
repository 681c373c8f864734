package masstree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
)

const parts = 4

// numbers returns a tree in which the keys of the numbers have them as values.
func numbers(t *testing.T, count uint64) *Tree {
	tree := newTree(t)
	for i := uint64(0); i < count; i++ {
		if err := tree.PutUint64(i, i); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// Put back: in page_word, leave out the value; in sample, draw a page too much, or let the seed stay.
func TestSamples(t *testing.T) {
	tree := numbers(t, 1000)
	draw := func(s *Sampler, n int) (drawn []uint64) {
		err := tree.Sample(s, n, func(key []byte, value uint64) bool {
			if want, err := tree.Get(key); want != value || err != nil {
				t.Fatalf("%x: %d, want %d, %v", key, value, want, err)
			}
			drawn = append(drawn, value)
			return true
		})
		wantError(t, err, nil)
		return drawn
	}
	s := &Sampler{Seed: 7}
	one, two := draw(s, 100), draw(s, 100)
	if len(one) != 100 || fmt.Sprint(one) == fmt.Sprint(two) {
		t.Fatalf("%d keys; then the same again: %v", len(one), one)
	}
	if again := draw(&Sampler{Seed: 7}, 100); fmt.Sprint(again) != fmt.Sprint(one) {
		t.Fatalf("%v, %v", one, again)
	}
	calls := 0
	wantError(t, tree.Sample(s, 1000, func([]byte, uint64) bool { calls++; return calls < 3 }), nil)
	if calls != 3 {
		t.Fatalf("stopped after %d", calls)
	}
	wantError(t, newTree(t).Sample(s, 1000, func([]byte, uint64) bool { panic("none to draw") }), nil)
}

// Put back: in page_bytes, leave out the value.
func TestSamplesOfByteStrings(t *testing.T) {
	tree := newBytesTree(t)
	for _, key := range []string{"a", "b", "c"} {
		wantError(t, tree.Put([]byte(key), []byte(key+key)), nil)
	}
	calls := 0
	err := tree.Sample(new(Sampler), 200, func(key, value []byte) bool {
		if string(value) != string(key)+string(key) {
			t.Fatalf("%q: %q", key, value)
		}
		calls++
		return true
	})
	if calls != 200 || err != nil {
		t.Fatal(calls, err)
	}
}

// Put back: in Pivots, return each twice.
func TestPivotsDivideATree(t *testing.T) {
	pivots, err := numbers(t, 10000).Pivots(parts - 1)
	if len(pivots) != parts-1 || err != nil {
		t.Fatal(pivots, err)
	}
	for i := 1; i < len(pivots); i++ {
		if bytes.Compare(pivots[i-1], pivots[i]) >= 0 {
			t.Fatalf("%x, %x", pivots[i-1], pivots[i])
		}
	}
	if pivots, err := newTree(t).Pivots(parts - 1); len(pivots) != 0 || err != nil {
		t.Fatal(pivots, err)
	}
}

// Put back: in scanParts, begin each part at the pivot after its own, or end it there.
func TestParallelScansVisitEachKeyOnce(t *testing.T) {
	const keys = 10000
	tree := numbers(t, keys)
	for _, n := range []int{-1, 1, 2, parts, 100} {
		var mutex sync.Mutex
		var seen [keys]int
		last := make(map[int]uint64)
		err := tree.ScanParallel(context.Background(), n, func(part int, key []byte, value uint64) error {
			mutex.Lock()
			defer mutex.Unlock()
			if before, ok := last[part]; ok && before >= value {
				return fmt.Errorf("%d after %d in part %d", value, before, part)
			}
			last[part] = value
			seen[value]++
			return nil
		})
		wantError(t, err, nil)
		for value, times := range seen {
			if times != 1 {
				t.Fatalf("%d goroutines: %d was visited %d times", n, value, times)
			}
		}
		if n > 1 && len(last) != n || n <= 1 && len(last) != 1 {
			t.Fatalf("%d parts, not %d", len(last), n)
		}
	}
}

// Put back: in BytesTree.ScanParallel, pass the key as value.
func TestParallelScansOfByteStrings(t *testing.T) {
	tree := newBytesTree(t)
	var want, sum [256]int
	for i := 0; i < 5000; i++ {
		wantError(t, tree.Put([]byte(fmt.Sprint(i)), []byte{byte(i)}), nil)
		want[byte(i)]++
	}
	var mutex sync.Mutex
	err := tree.ScanParallel(context.Background(), parts, func(_ int, key, value []byte) error {
		mutex.Lock()
		defer mutex.Unlock()
		sum[value[0]]++
		return nil
	})
	if sum != want || err != nil {
		t.Fatal(sum, err)
	}
}

// endless scans a tree of which no part but the first ends: others find a new key after each. f is
// called for each key of the first part.
func endless(t *testing.T, ctx context.Context, f func() error) error {
	tree := newTree(t)
	for i := uint64(0); i < 1000; i++ {
		wantError(t, tree.PutUint64(i<<40, i<<40), nil)
	}
	return tree.ScanParallel(ctx, parts, func(part int, _ []byte, value uint64) error {
		if part == 0 {
			return f()
		}
		return tree.PutUint64(value+1, value+1)
	})
}

// If nothing ends the other goroutines, go test's own limit does. Put back: in scanParts, do not cancel;
// in scanPart, do not ask the context; return the last error.
func TestAnErrorEndsAParallelScan(t *testing.T) {
	mine := errors.New("enough")
	wantError(t, endless(t, context.Background(), func() error { return mine }), mine)
}

// Put back: in scanParts, use a context of its own.
func TestAContextEndsAParallelScan(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	err := endless(t, ctx, func() error {
		cancel()
		return nil
	})
	wantError(t, err, context.Canceled)
}
