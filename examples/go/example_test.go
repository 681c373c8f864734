package masstree_test

import (
	"fmt"

	"masstree"
)

func Example() {
	tree, err := masstree.New()
	if err != nil {
		panic(err)
	}
	defer tree.Close()
	for i, word := range []string{"pear", "apple", "fig"} {
		if err := tree.Put([]byte(word), uint64(i)); err != nil {
			panic(err)
		}
	}
	if _, err := tree.Get([]byte("plum")); err == masstree.ErrNotFound {
		fmt.Println("no plum")
	}
	it := tree.Iterate(masstree.Range{Reverse: true})
	defer it.Close()
	for it.Next() {
		fmt.Printf("%s = %d\n", it.Key(), it.Value())
	}
	// Output:
	// no plum
	// pear = 0
	// fig = 2
	// apple = 1
}
