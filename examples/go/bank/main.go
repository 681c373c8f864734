// Bank moves money between accounts, in transactions of several goroutines: no sum is ever wrong, and an
// account is never overdrawn. Then the store is exported, and the copy is opened.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"masstree"
)

const accounts, transfers = 10, 100

var errOverdrawn = errors.New("not enough money")

func require(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func account(i int) []byte {
	return []byte(fmt.Sprintf("account/%d", i%accounts))
}

func add(tx *masstree.Tx, bank *masstree.StoreTree, account []byte, amount int) error {
	text, err := tx.Get(bank, account)
	if err != nil {
		return err
	}
	balance, err := strconv.Atoi(string(text))
	if err != nil {
		return err
	}
	if balance += amount; balance < 0 {
		return errOverdrawn
	}
	return tx.Put(bank, account, []byte(strconv.Itoa(balance)))
}

func transfer(store *masstree.Store, bank *masstree.StoreTree, from, to []byte, amount int) (commit uint64, err error) {
	return store.Transact(context.Background(), func(tx *masstree.Tx) error {
		if err := add(tx, bank, from, -amount); err != nil {
			return err // discards what the transaction has written
		}
		return add(tx, bank, to, amount)
	})
}

func total(store *masstree.Store, bank *masstree.StoreTree) (sum int, err error) {
	_, err = store.TransactWith(context.Background(), masstree.TxOptions{Isolation: masstree.ReadOnly}, func(tx *masstree.Tx) error {
		scan := tx.Scan(bank, masstree.Prefix([]byte("account/")))
		for scan.Next() {
			balance, err := strconv.Atoi(string(scan.Value()))
			if err != nil {
				return err
			}
			sum += balance
		}
		return scan.Err()
	})
	return sum, err
}

func open(directory string) (*masstree.Store, *masstree.StoreTree) {
	store, err := masstree.OpenStore(directory, nil)
	require(err)
	bank, err := store.Tree("bank")
	require(err)
	return store, bank
}

func main() {
	directory, err := os.MkdirTemp("", "bank")
	require(err)
	defer os.RemoveAll(directory)
	store, bank := open(filepath.Join(directory, "store"))
	for i := 0; i < accounts; i++ {
		_, err := bank.Put(account(i), []byte("100"))
		require(err)
	}
	var tellers sync.WaitGroup
	for teller := 1; teller <= 4; teller++ {
		tellers.Add(1)
		go func(teller int) {
			defer tellers.Done()
			for i := 0; i < transfers; i++ {
				if _, err := transfer(store, bank, account(i), account(i*teller+1), 20); err != errOverdrawn {
					require(err)
				}
			}
		}(teller)
	}
	tellers.Wait()
	sum, err := total(store, bank)
	require(err)
	fmt.Println("all accounts:", sum)
	_, err = transfer(store, bank, account(0), account(1), sum+1)
	fmt.Println("all and one more:", err)

	copied := filepath.Join(directory, "copy")
	require(store.Export(context.Background(), copied))
	require(store.Close())
	store, bank = open(copied)
	sum, err = total(store, bank)
	require(err)
	fmt.Println("the copy:", sum)
	require(store.Close())
}
