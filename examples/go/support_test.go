package masstree

import (
	"io"
	"math/rand"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

func newTree(t testing.TB) *Tree {
	t.Helper()
	return closedAtEnd(t, New)
}

// newBytesTree is newTree.
func newBytesTree(t testing.TB) *BytesTree {
	t.Helper()
	return closedAtEnd(t, NewBytes)
}

func closedAtEnd[T io.Closer](t testing.TB, create func() (T, error)) T {
	t.Helper()
	tree, err := create()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	return tree
}

// concurrently runs f in n goroutines, and passes each its number. It returns when all have ended.
func concurrently(n int, f func(number int)) {
	var group sync.WaitGroup
	for number := 0; number < n; number++ {
		group.Add(1)
		go func(number int) {
			defer group.Done()
			f(number)
		}(number)
	}
	group.Wait()
}

// seeded prints the seed; MASSTREE_SEED runs a test again with it.
func seeded(t *testing.T) *rand.Rand {
	seed := time.Now().UnixNano()
	if text := os.Getenv("MASSTREE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatalf("MASSTREE_SEED is no number: %v", err)
		}
	}
	t.Logf("MASSTREE_SEED=%d", seed)
	return rand.New(rand.NewSource(seed))
}

func expect(t *testing.T, what string, value uint64, err error, wantValue uint64, wantErr error) {
	t.Helper()
	if value != wantValue || err != wantErr {
		t.Fatalf("%s: %d, %v; want %d, %v", what, value, err, wantValue, wantErr)
	}
}
