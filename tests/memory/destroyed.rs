//! Every value is destroyed once, and all memory is freed: row 12.

use masstree::Values;

use crate::support::encoded;
use crate::{Ledger, Tally, WORDS, workload_keys};

/// Row 12. Put back: in `destroy::free_leaf`, do not chain the roots of layers; or, in
/// `free_detached`, do not destroy values.
#[test]
fn every_value_is_destroyed_once_and_no_memory_leaks() {
    let keys = workload_keys(5000);
    let ledger = Ledger::new();
    let tally = Tally::new(keys.len() * 3);
    let mut taken = 0;
    {
        let tree = ledger.tree(Values::words(Some(tally.destructor())));
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        let mut value = 0;
        let mut put_all = || {
            for key in &keys {
                if let Some(old) = tree.put(pin, key, value).unwrap() {
                    tree.discard(pin, old);
                }
                value += 1;
            }
        };
        put_all();
        tree.clear(pin).unwrap();
        put_all();
        put_all();
        for (i, key) in keys.iter().enumerate().step_by(3) {
            if let Some(old) = tree.remove(pin, key) {
                if i % 2 == 0 {
                    tree.discard(pin, old);
                } else {
                    // Returned to the caller: the destructor must not receive it.
                    tally.add(old);
                    taken += 1;
                }
            }
        }
        while !tree.maintain(pin, 100).unwrap().ended {}
    }
    assert!(taken > 100);
    tally.assert_all(1);
    ledger.assert_balanced();
}

/// Put back: in `Tree::clear`, retire the old tree without `flush`: it stays in the guard's
/// batch, which never fills.
#[test]
fn a_cleared_tree_is_freed_when_all_guards_are_left() {
    for others in [0, 1, 5] {
        let ledger = Ledger::new();
        let tree = ledger.tree(WORDS);
        let empty = tree.memory_in_use();
        for n in 0..10_000u64 {
            crate::support::put(&tree, &n.to_be_bytes(), n);
        }
        let before = tree.memory_in_use();
        let held: Vec<_> = (0..others).map(|_| tree.guard().unwrap()).collect();
        let guard = tree.guard().unwrap();
        tree.clear(guard.pin()).unwrap();
        assert!(tree.memory_in_use() > before, "freed while guards are held");
        drop(guard);
        drop(held);
        assert_eq!(tree.memory_in_use(), empty, "{others} other guards");
    }
}

/// Row 12 for byte strings. Put back: in `Tree::retired`, do not retire.
#[test]
fn every_byte_string_is_freed_once() {
    let keys = workload_keys(2000);
    let ledger = Ledger::new();
    {
        let tree = ledger.tree(Values::BYTES);
        let mut guard = tree.guard().unwrap();
        for (key, n) in keys.iter().chain(&keys).zip(0..) {
            tree.put_bytes(guard.pin(), key, &encoded(n)).unwrap();
            if n % 3 == 0 {
                tree.remove_bytes(guard.pin(), key);
            }
            if n % 5 == 0 {
                tree.replace_bytes(guard.pin(), key, &encoded(n + 1))
                    .unwrap();
            }
            if n % 64 == 0 {
                guard.refresh();
            }
            if n == 3000 {
                tree.clear(guard.pin()).unwrap();
            }
        }
        assert!(tree.memory_in_use() > 0);
    }
    ledger.assert_balanced();
}
