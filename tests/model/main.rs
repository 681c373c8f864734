//! Every operation against `BTreeMap`, on keys built to collide, in trees of words and
//! in trees of byte strings.

mod steps;
mod subject;
#[path = "../support/mod.rs"]
mod support;

use std::ops::ControlFlow;

use masstree::{Cursor, Range, Tree, TreeOptions, Values};
use proptest::prelude::*;
use steps::{Model, Step, step};
use subject::Subject;
use support::{Random, assert_sound, backwards, collect, decoded, new_tree};

fn cases() -> u32 {
    std::env::var("MASSTREE_CASES").map_or(400, |cases| cases.parse().expect("a number of cases"))
}

fn tree_of(values: Values) -> Tree {
    let options = TreeOptions {
        values,
        ..TreeOptions::default()
    };
    Tree::with_options(&options).unwrap()
}

fn agree(tree: &Tree, steps: &[Step]) {
    let guards = [(); 2].map(|()| tree.guard().unwrap());
    let mut subject = Subject::new(tree, &guards);
    for step in steps {
        subject.run(step);
    }
    let pin = subject.pin();
    let forward = collect(tree, pin, &Range::all());
    let wanted = subject
        .model
        .keys()
        .map(|key| (key.clone(), subject.word(key)));
    assert!(forward.iter().cloned().eq(wanted));
    let backward = collect(tree, pin, &backwards());
    assert!(backward.iter().rev().eq(forward.iter()));
    // Empties the tree in another order: whatever shape is left must collapse.
    let mut keys: Vec<_> = subject.model.clone().into_iter().collect();
    keys.sort_by_key(|(_, value)| *value);
    let len = keys.len() as u64;
    drop(subject);
    drop(guards);
    assert_sound(tree);
    assert_eq!(tree.key_count(), len);
    let guard = tree.guard().unwrap();
    for (key, value) in keys {
        let removed = match tree.holds_bytes() {
            true => tree.remove_bytes(guard.pin(), &key).map(decoded),
            false => tree.remove(guard.pin(), &key),
        };
        assert_eq!(removed, Some(value));
        assert_eq!(tree.get(guard.pin(), &key), None);
    }
    assert_sound(tree);
    assert!(collect(tree, guard.pin(), &Range::all()).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// Put back: in `Cursor::new`, create a scan's walk; in `Tree::scan`, ignore the end when
    /// only values are wanted; in `Locked::copy_entries_to`, omit an entry.
    #[test]
    fn operations_on_words_agree_with_a_btreemap(steps in prop::collection::vec(step(), 1..400)) {
        agree(&tree_of(Values::words(None)), &steps);
    }

    /// Put back: in `Tree::compare_exchange_bytes`, compare lengths only; in
    /// `Cursor::step_from_root`, do not restore the cursor's old key when no key was found.
    #[test]
    fn operations_on_byte_strings_agree_with_a_btreemap(steps in prop::collection::vec(step(), 1..400)) {
        agree(&tree_of(Values::BYTES), &steps);
    }
}

/// Put back: in `Tree::scan`, continue when the visitor returns `Break`.
#[test]
fn a_scan_ends_where_its_visitor_says() {
    let tree = new_tree();
    for n in 0..1000u64 {
        crate::support::put(&tree, &n.to_be_bytes(), n);
    }
    for stop in [1, 14, 15, 16, 500, 1000] {
        let mut seen = 0;
        let guard = tree.guard().unwrap();
        let count = tree.scan(guard.pin(), &Range::all(), &mut |_, _| {
            seen += 1;
            if seen == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!(count, Ok(stop));
    }
}

/// Everything that a leaf may hold under one slice, and more: short keys, and longer ones in
/// every order, until they become a layer; then removed in every order. Put back: in
/// `Leaf::search_group_unvalidated`, return absent when one suffix differs; in
/// `Locked::position_in_group`, return the position of the first.
#[test]
fn groups_grow_into_layers_and_shrink_in_every_order() {
    let mut random = Random(8);
    for round in 0..400 {
        let short: Vec<_> = (0..=8).map(|len| vec![0; len]).collect();
        let tails = [&b""[..], b" of a longer suffix", b"12345678"];
        let tail = tails[round % 3];
        let long = |n: usize| [&[0; 8][..], &[n as u8], tail].concat();
        let mut keys: Vec<_> = (0..1 + round % 8).map(long).collect();
        // Alone, or in a full leaf.
        if round % 2 == 0 {
            keys.extend(short);
        }
        let tree = new_tree();
        let mut model = Model::new();
        for grow in [true, false] {
            random.shuffle(&mut keys);
            for (key, value) in keys.iter().zip(0..) {
                if grow {
                    assert_eq!(crate::support::put(&tree, key, value), None);
                    model.insert(key.clone(), value);
                } else {
                    assert_eq!(crate::support::remove(&tree, key), model.remove(key));
                }
                for key in &keys {
                    assert_eq!(crate::support::get(&tree, key), model.get(key).copied());
                }
                let guard = tree.guard().unwrap();
                assert!(
                    collect(&tree, guard.pin(), &Range::all())
                        .into_iter()
                        .eq(model.clone())
                );
                assert_sound(&tree);
            }
        }
    }
}

/// A scan is inside a group when its visitor turns the group into a layer: keys that existed
/// throughout are visited once, in order.
#[test]
fn a_scan_continues_when_a_group_becomes_a_layer() {
    let key = |n: u8| [&b"a slice and "[..], &[n], b"a tail"].concat();
    for at in 0..5 {
        for reverse in [false, true] {
            let tree = new_tree();
            // One key that sorts before the keys to be inserted, and one after.
            let group: Vec<_> = (0..5).map(|n| key(n * 50)).collect();
            group
                .iter()
                .for_each(|key| _ = crate::support::put(&tree, key, 0));
            let guard = tree.guard().unwrap();
            let range = Range {
                reverse,
                ..Range::all()
            };
            let mut cursor = Cursor::new(&tree);
            let mut seen = Vec::new();
            tree.scan(guard.pin(), &range, &mut |found, _| {
                let stepped = cursor.step(&tree, guard.pin(), reverse);
                assert_eq!(stepped, Ok(true));
                while cursor.key() != Some(found) {
                    assert_eq!(cursor.step(&tree, guard.pin(), reverse), Ok(true));
                }
                if found == group[at] {
                    (0..250).for_each(|n| _ = crate::support::put(&tree, &key(n), 0));
                }
                seen.push(found.to_vec());
                ControlFlow::Continue(())
            })
            .unwrap();
            assert!(seen.is_sorted_by(|a, b| (a < b) != reverse && a != b));
            assert!(group.iter().all(|key| seen.contains(key)));
            assert_sound(&tree);
        }
    }
}
