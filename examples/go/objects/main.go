// Objects is the table of an object store's names: put if absent, rename, list with a delimiter. The process
// that writes it is killed; what it waited for is there when the table is opened again.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"syscall"

	"masstree"
)

func require(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func open(directory string) (*masstree.Store, *masstree.StoreTree) {
	store, err := masstree.OpenStore(directory, nil)
	require(err)
	objects, err := store.Tree("objects")
	require(err)
	return store, objects
}

func write(directory string) {
	store, objects := open(directory)
	for _, name := range []string{"logs/1", "photos/a.jpg", "photos/2026/b.jpg", "photos/2026/c.jpg", "upload-7"} {
		_, err := objects.Insert([]byte(name), []byte("size=1"))
		require(err)
	}
	if _, err := objects.Insert([]byte("logs/1"), []byte("size=2")); errors.Is(err, masstree.ErrExists) {
		fmt.Println("logs/1 exists")
	}
	commit, err := objects.Rename([]byte("upload-7"), []byte("photos/d.jpg"), false)
	require(err)
	require(store.Wait(context.Background(), commit)) // survives a loss of power from here on
	require(syscall.Kill(os.Getpid(), syscall.SIGKILL))
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "write" {
		write(os.Args[2])
	}
	directory, err := os.MkdirTemp("", "objects")
	require(err)
	defer os.RemoveAll(directory)
	writer := exec.Command(os.Args[0], "write", directory)
	writer.Stdout, writer.Stderr = os.Stdout, os.Stderr
	fmt.Println("writer:", writer.Run())
	store, objects := open(directory)
	list := objects.List(masstree.ListOptions{Prefix: []byte("photos/"), Delimiter: []byte("/")})
	for list.Next() {
		fmt.Printf("%s [%s]\n", list.Key(), list.Value())
	}
	require(list.Err())
	require(list.Close())
	require(store.Close())
}
