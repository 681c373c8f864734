//! Pops by several threads, beside inserts, scans and clears.

use std::sync::{Arc, Mutex};

use super::harness::{Model, explore, number, numbers, scan};
use crate::index::reclaim::Pinned;
use crate::index::tree::{Inserted, Popped, Range, Tree};

/// Pops a key from one end; returns its number.
fn pop(tree: &Tree, pin: Pinned<'_>, last: bool) -> Option<u64> {
    let mut found = None;
    let mut admit = |parts: [&[u8]; 3]| {
        let bytes = parts.concat().try_into().expect("a number");
        found = Some(u64::from_be_bytes(bytes));
        true
    };
    let popped = match last {
        true => tree.pop_last(pin, &Range::all(), &mut admit),
        false => tree.pop_first(pin, &Range::all(), &mut admit),
    };
    match popped {
        Ok(Popped::Value(_)) => found,
        Ok(Popped::Nothing) => None,
        _ => panic!("{popped:?}"),
    }
}

/// Two threads pop from two leaves until nothing is left, beside an insert and a scan: each key goes to one
/// of them, and each gets ascending keys from the lower end.
#[test]
fn each_key_is_popped_once() {
    explore(|| {
        let mut model = Model::with(numbers((0..20).map(|n| 10 * n)));
        let popped = Arc::new(Mutex::new(Vec::new()));
        for last in [false, true] {
            let popped = Arc::clone(&popped);
            model.thread(move |tree, pin| {
                let mut mine = Vec::new();
                while let Some(n) = pop(tree, pin, last) {
                    mine.push(n);
                }
                if !last {
                    let old = mine.iter().filter(|&&n| n != 145);
                    assert!(old.is_sorted(), "{mine:?}");
                }
                popped.lock().unwrap().extend(mine);
            });
        }
        model.thread(|tree, pin| {
            assert_eq!(tree.insert(pin, &number(145), 1), Ok(Inserted::New));
            let keys = scan(tree, pin, false);
            assert!(keys.len() <= 21);
        });
        model.join();
        let mut popped = std::mem::take(&mut *popped.lock().unwrap());
        popped.sort_unstable();
        let is_left = !popped.contains(&145);
        let expected = (0..20).map(|n| 10 * n).chain((!is_left).then_some(145));
        let mut expected: Vec<u64> = expected.collect();
        expected.sort_unstable();
        assert_eq!(popped, expected);
        model.end(if is_left { numbers([145]) } else { vec![] });
    });
}

/// The tree is cleared while keys are popped: no key is popped twice, and one that is inserted after the
/// clear stays, or is popped.
#[test]
fn pops_beside_a_clear() {
    explore(|| {
        let mut model = Model::with(numbers((0..17).map(|n| 10 * n)));
        let popped = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..2 {
            let popped = Arc::clone(&popped);
            model.thread(move |tree, pin| {
                for _ in 0..3 {
                    let found = pop(tree, pin, true);
                    popped.lock().unwrap().extend(found);
                }
            });
        }
        model.thread(|tree, pin| {
            tree.clear(pin).unwrap();
            assert_eq!(tree.insert(pin, &number(5), 1), Ok(Inserted::New));
        });
        model.join();
        let mut popped = std::mem::take(&mut *popped.lock().unwrap());
        popped.sort_unstable();
        let all = popped.len();
        popped.dedup();
        assert_eq!(popped.len(), all);
        model.end(if popped.contains(&5) {
            vec![]
        } else {
            numbers([5])
        });
    });
}
