// Wordcount counts the words of files, a goroutine for each file, and prints those that
// begin with a prefix.
//
//	go run ./wordcount -prefix licen /usr/share/common-licenses/*
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"os"
	"sync"

	"masstree"
)

func count(tree *masstree.Tree, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	guard, err := tree.Guard()
	if err != nil {
		return err
	}
	defer guard.Close()
	words := bufio.NewScanner(file)
	words.Split(bufio.ScanWords)
	for words.Scan() {
		err := guard.Update(words.Bytes(), func(seen uint64, _ bool) (uint64, masstree.Decision) {
			return seen + 1, masstree.Set
		})
		if err != nil {
			return err
		}
	}
	return words.Err()
}

func main() {
	prefix := flag.String("prefix", "", "print the words that begin with this")
	flag.Parse()
	tree, err := masstree.New()
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close()
	var files sync.WaitGroup
	for _, path := range flag.Args() {
		files.Add(1)
		go func(path string) {
			defer files.Done()
			if err := count(tree, path); err != nil {
				log.Printf("%s: %v", path, err)
			}
		}(path)
	}
	files.Wait()
	it := tree.Iterate(masstree.Prefix([]byte(*prefix)))
	defer it.Close()
	for it.Next() {
		fmt.Printf("%8d %s\n", it.Value(), it.Key())
	}
	if err := it.Err(); err != nil {
		log.Fatal(err)
	}
}
