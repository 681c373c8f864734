package masstree

import (
	"encoding/binary"
	"fmt"
	"testing"
)

const benchKeys = 200_000

func scattered(i int) uint64 {
	return uint64(i) * 0x9e3779b97f4a7c15
}

func filled(b *testing.B) *Tree {
	tree := newTree(b)
	for i := 0; i < benchKeys; i++ {
		if err := tree.PutUint64(scattered(i), uint64(i)); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	return tree
}

// The cost of a call into C that does nothing.
func BenchmarkCrossing(b *testing.B) {
	for i := 0; i < b.N; i++ {
		ABIVersion()
	}
}

func BenchmarkGetUint64(b *testing.B) {
	tree := filled(b)
	for i := 0; i < b.N; i++ {
		if _, err := tree.GetUint64(scattered(i % benchKeys)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	tree := filled(b)
	key := make([]byte, 8)
	for i := 0; i < b.N; i++ {
		binary.BigEndian.PutUint64(key, scattered(i%benchKeys))
		if _, err := tree.Get(key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetUnderGuard(b *testing.B) {
	tree := filled(b)
	guard, err := tree.Guard()
	if err != nil {
		b.Fatal(err)
	}
	defer guard.Close()
	key := make([]byte, 8)
	for i := 0; i < b.N; i++ {
		binary.BigEndian.PutUint64(key, scattered(i%benchKeys))
		if _, err := guard.Get(key); err != nil {
			b.Fatal(err)
		}
	}
}

// One operation is one key.
func BenchmarkGetMany(b *testing.B) {
	for _, size := range []int{1, 8, 64, 512} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			tree := filled(b)
			var batch Batch
			key := make([]byte, 8)
			for i := 0; i < b.N; i += size {
				batch.Reset()
				for j := i; j < i+size; j++ {
					binary.BigEndian.PutUint64(key, scattered(j%benchKeys))
					batch.Add(key)
				}
				if err := tree.GetMany(&batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPutUint64(b *testing.B) {
	tree := filled(b)
	for i := 0; i < b.N; i++ {
		if err := tree.PutUint64(scattered(i%benchKeys), uint64(i)); err != nil {
			b.Fatal(err)
		}
	}
}

// One operation is one key.
func BenchmarkIterate(b *testing.B) {
	tree := filled(b)
	for i := 0; i < b.N; {
		it := tree.Iterate(Range{})
		for it.Next() && i < b.N {
			i++
		}
		if err := it.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
