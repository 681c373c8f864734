package masstree

import (
	"fmt"
	"math/rand"
	"reflect"
	"sort"
	"sync"
	"testing"
)

// sortedModel fills a tree with keys that share prefixes, and returns them in order.
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
