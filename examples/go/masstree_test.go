package masstree

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

func newTree(t testing.TB) *Tree {
	t.Helper()
	tree, err := New()
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

// cgo refuses Go memory that has Go pointers in it: what stands beside a key must not
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

func TestCallsDoNotAllocate(t *testing.T) {
	tree := newTree(t)
	key := []byte("a key")
	var batch Batch
	for _, what := range []struct {
		name string
		call func()
	}{
		{"Put", func() { _ = tree.Put(key, 1) }},
		{"Get", func() { _, _ = tree.Get(key) }},
		{"Get of nothing", func() { _, _ = tree.Get(key[:1]) }},
		{"GetMany", func() { batch.Reset(); batch.Add(key); _ = tree.GetMany(&batch) }},
	} {
		if n := testing.AllocsPerRun(100, what.call); n != 0 {
			t.Errorf("%s allocates %v times", what.name, n)
		}
	}
}

// sortedModel fills a tree with keys that share prefixes, and gives them in order.
func sortedModel(t *testing.T, tree *Tree, random *rand.Rand, count int) []string {
	values := make(map[string]uint64)
	for len(values) < count {
		key := make([]byte, random.Intn(20))
		for i := range key {
			key[i] = []byte{0, 'a', 'b', 0xff}[random.Intn(4)]
		}
		values[string(key)] = uint64(len(key))
		if err := tree.Put(key, uint64(len(key))); err != nil {
			t.Fatal(err)
		}
	}
	keys := make([]string, 0, count)
	for key := range values {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func inRange(keys []string, r Range) []string {
	var found []string
	for _, key := range keys {
		if (r.Lower == nil || key >= string(r.Lower)) && (r.Upper == nil || key < string(r.Upper)) {
			found = append(found, key)
		}
	}
	if r.Reverse {
		sort.Sort(sort.Reverse(sort.StringSlice(found)))
	}
	return found
}

func iterated(t *testing.T, it *Iterator) []string {
	t.Helper()
	defer it.Close()
	var found []string
	for it.Next() {
		if it.Value() != uint64(len(it.Key())) {
			t.Fatalf("%q has %d", it.Key(), it.Value())
		}
		found = append(found, string(it.Key()))
	}
	if it.Next() || it.Err() != nil {
		t.Fatalf("the end is not the end: %v", it.Err())
	}
	return found
}

func ends(keys []string) string {
	if len(keys) == 0 {
		return "no key"
	}
	return fmt.Sprintf("%d keys, %q to %q", len(keys), keys[0], keys[len(keys)-1])
}

func TestIteratorsVisitExactlyTheRange(t *testing.T) {
	random := seeded(t)
	tree := newTree(t)
	keys := sortedModel(t, tree, random, 1000)
	guard, err := tree.Guard()
	if err != nil {
		t.Fatal(err)
	}
	defer guard.Close()
	bound := func() []byte {
		if random.Intn(4) == 0 {
			return nil
		}
		key := keys[random.Intn(len(keys))]
		return []byte(key[:len(key)-random.Intn(len(key)+1)])
	}
	for i := 0; i < 500; i++ {
		r := Range{Lower: bound(), Upper: bound()}
		if i%5 == 0 {
			r = Prefix(bound())
		}
		r.Reverse = i%2 == 0
		want := inRange(keys, r)
		for _, it := range []*Iterator{tree.Iterate(r), guard.Iterate(r)} {
			if got := iterated(t, it); !reflect.DeepEqual(got, want) {
				t.Fatalf("%+v: got %s, want %s", r, ends(got), ends(want))
			}
		}
	}
}

func TestPrefixesEndWhereTheyEnd(t *testing.T) {
	for _, test := range []struct{ prefix, upper string }{
		{"", ""}, {"a", "b"}, {"a\xff", "b"}, {"\xff\xff", ""}, {"a\xfe\xff", "a\xff"},
	} {
		if r := Prefix([]byte(test.prefix)); string(r.Upper) != test.upper {
			t.Errorf("%q ends at %q, want %q", test.prefix, r.Upper, test.upper)
		}
	}
}

// Every key but the ones at the side stays; iterators must see each of those once.
func TestIteratorsGoOnWhileOthersWrite(t *testing.T) {
	tree := newTree(t)
	const stay = 2000
	for i := uint64(0); i < stay; i++ {
		if err := tree.PutUint64(i*2, i); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Add(1)
	go func() {
		defer writer.Done()
		for i := uint64(1); ; i = (i + 2) % (stay * 2) {
			select {
			case <-stop:
				return
			default:
				_ = tree.PutUint64(i, i)
				_, _ = tree.Delete([]byte{0, 0, 0, 0, 0, 0, byte(i >> 8), byte(i)})
			}
		}
	}()
	defer writer.Wait()
	defer close(stop)
	for round := 0; round < 20; round++ {
		seen := 0
		it := tree.Iterate(Range{Reverse: round%2 == 0})
		for it.Next() {
			if it.Key()[7]%2 == 0 {
				seen++
			}
		}
		if err := it.Close(); err != nil || it.Err() != nil || seen != stay {
			t.Fatalf("round %d: %d of %d keys, %v, %v", round, seen, stay, err, it.Err())
		}
	}
}

func TestUpdatesAreAtomic(t *testing.T) {
	tree := newTree(t)
	const goroutines, updates = 8, 2000
	var workers sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
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
		}()
	}
	workers.Wait()
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
	var workers sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		workers.Add(1)
		go func(g int, order []int) {
			defer workers.Done()
			guard, err := tree.Guard()
			if err != nil {
				t.Error(err)
				return
			}
			defer guard.Close()
			for _, i := range order {
				key := []byte(fmt.Sprintf("%d/%d", i, g))
				if err := guard.Put(key, uint64(i)); err != nil {
					t.Error(err)
				}
				runtime.Gosched()
				if value, err := guard.Get(key); value != uint64(i) || err != nil {
					t.Errorf("%s: %d, %v", key, value, err)
				}
			}
		}(g, random.Perm(keys))
	}
	workers.Wait()
	if n, err := tree.Len(); n != goroutines*keys || err != nil {
		t.Fatalf("%d keys, %v", n, err)
	}
	if err := tree.Check(); err != nil {
		t.Fatal(err)
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
		t.Fatalf("a closed tree gives a guard: %v", err)
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
