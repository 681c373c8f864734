package masstree

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
)

func TestUpdatesAreAtomic(t *testing.T) {
	tree := newTree(t)
	const goroutines, updates = 8, 2000
	concurrently(goroutines, func(int) {
		for i := 0; i < updates; i++ {
			key := []byte{byte(i % 3)}
			err := tree.Update(key, func(old uint64, present bool) (uint64, Decision) {
				runtime.Gosched()
				return old + 1, Set
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	sum := uint64(0)
	for key := byte(0); key < 3; key++ {
		value, err := tree.Get([]byte{key})
		if err != nil {
			t.Fatal(err)
		}
		sum += value
	}
	if sum != goroutines*updates {
		t.Fatalf("%d updates, of %d", sum, goroutines*updates)
	}
}

// Goroutines change threads at will. Here two are tied to threads of their own, and one
// guard goes to and fro between them.
func TestGuardsMoveBetweenThreads(t *testing.T) {
	tree := newTree(t)
	guard, err := tree.Guard()
	if err != nil {
		t.Fatal(err)
	}
	type visit struct {
		thread int
		err    error
	}
	there, back := make(chan *Guard), make(chan visit)
	use := func(key byte) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for guard := range there {
			err := guard.Put([]byte{key}, uint64(key))
			if err == nil {
				err = guard.Refresh()
			}
			back <- visit{syscall.Gettid(), err}
		}
	}
	go use(1)
	go use(2)
	threads := make(map[int]bool)
	for len(threads) < 2 {
		there <- guard
		v := <-back
		if v.err != nil {
			t.Fatal(v.err)
		}
		threads[v.thread] = true
	}
	close(there)
	if err := guard.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestManyGoroutinesWithGuardsOfTheirOwn(t *testing.T) {
	random := seeded(t)
	tree := newTree(t)
	const goroutines, keys = 16, 500
	var orders [goroutines][]int
	for g := range orders {
		orders[g] = random.Perm(keys)
	}
	concurrently(goroutines, func(g int) {
		guard, err := tree.Guard()
		if err != nil {
			t.Error(err)
			return
		}
		defer guard.Close()
		for _, i := range orders[g] {
			key := []byte(fmt.Sprintf("%d/%d", i, g))
			if err := guard.Put(key, uint64(i)); err != nil {
				t.Error(err)
			}
			runtime.Gosched()
			if value, err := guard.Get(key); value != uint64(i) || err != nil {
				t.Errorf("%s: %d, %v", key, value, err)
			}
		}
	})
	if n, err := tree.Len(); n != goroutines*keys || err != nil {
		t.Fatalf("%d keys, %v", n, err)
	}
	if err := tree.Check(); err != nil {
		t.Fatal(err)
	}
}
