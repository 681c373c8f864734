//! Every operation against a map, in a store in memory and in one on a disk that is closed and opened now
//! and then.

use std::collections::BTreeMap;

use super::*;
use crate::durable::io::memory::Random;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

fn key(random: &mut Random) -> Vec<u8> {
    let len = [1, 2, 3, 9, 20][random.below(5)];
    (0..len).map(|_| b'a' + random.below(2) as u8).collect()
}

fn value(random: &mut Random) -> Vec<u8> {
    vec![random.below(256) as u8; [0, 1, 8, 100][random.below(4)]]
}

/// A condition, and whether it holds.
fn condition<'c>(
    random: &mut Random,
    present: Option<&'c (Vec<u8>, u64)>,
) -> (Condition<'c>, bool) {
    match (random.below(5), present) {
        (0, _) => (Condition::None, true),
        (1, present) => (Condition::Absent, present.is_none()),
        (2, present) => (Condition::Present, present.is_some()),
        (3, Some((_, number))) => {
            let wrong = random.below(2) as u64;
            (Condition::Version(number + wrong), wrong == 0)
        }
        (_, Some((value, _))) => match random.below(2) {
            0 => (Condition::Value(value), true),
            _ => (Condition::Value(b"another"), false),
        },
        (3, None) => (Condition::Version(1), false),
        (_, None) => (Condition::Value(b""), false),
    }
}

fn write(store: &Store, tree: &StoreTree, model: &mut Model, random: &mut Random) {
    let (key, value) = (key(random), value(random));
    let present = model.get(&key).cloned();
    let (condition, holds) = condition(random, present.as_ref());
    // To remove a key that must be absent makes no sense.
    let removes = random.below(3) == 0 && condition != Condition::Absent;
    pinned(tree, |pin| {
        let written = match removes {
            true => store.remove(tree, pin, &key, condition).unwrap(),
            false => store.put(tree, pin, &key, &value, condition).unwrap(),
        };
        let holds = holds && !(removes && present.is_none());
        match written {
            Written::Done { number, displaced } => {
                assert!(holds, "{condition:?}");
                let displaced = displaced.map(|old| (old.bytes().to_vec(), old.number()));
                assert_eq!(displaced.as_ref(), present.as_ref());
                match removes {
                    true => _ = model.remove(&key),
                    false => _ = model.insert(key.clone(), (value, number)),
                }
            }
            Written::Unmet(found) => {
                assert!(!holds, "{condition:?}");
                assert_eq!(
                    found.map(|version| version.number()),
                    present.as_ref().map(|(_, number)| *number)
                );
            }
        }
    });
}

fn rename(store: &Store, tree: &StoreTree, model: &mut Model, random: &mut Random) {
    let (from, to, replaces) = (key(random), key(random), random.below(2) == 0);
    match store.rename(tree, &from, &to, replaces).unwrap() {
        Renamed::NoSource => assert!(!model.contains_key(&from)),
        Renamed::TargetExists => {
            assert!(
                !replaces && from != to && model.contains_key(&to) && model.contains_key(&from)
            );
        }
        Renamed::Done(number) => {
            assert!(replaces || from == to || !model.contains_key(&to));
            let (value, before) = model.remove(&from).expect("it was renamed");
            let number = if from == to { before } else { number };
            model.insert(to, (value, number));
        }
    }
}

/// Compares everything, and a snapshot's view after later writes.
fn compare(tree: &StoreTree, model: &Model) {
    let expected = model
        .iter()
        .map(|(key, (value, _))| (key.clone(), value.clone()));
    assert_eq!(content(tree), expected.collect::<Vec<_>>());
    check(tree);
}

fn run(reopen: impl Fn(Option<Store>) -> Store, steps: usize, seed: u64) {
    let mut random = Random(seed);
    let mut model = Model::new();
    let mut store = reopen(None);
    for step in 0..steps {
        let tree = tree_named(&store, "t");
        match random.below(8) {
            0 => rename(&store, tree, &mut model, &mut random),
            _ => write(&store, tree, &mut model, &mut random),
        }
        if step % 64 == 0 {
            compare(tree, &model);
        }
        if store.checkpointer.is_some() && random.below(100) == 0 {
            store.checkpoint().unwrap();
        }
        if step % 500 == 499 {
            store = reopen(Some(store));
            compare(tree_named(&store, "t"), &model);
        }
    }
}

/// Put back: judge `Condition::Version` by the key's oldest version; leave out what a write displaced.
#[test]
fn writes_in_memory_agree_with_a_map() {
    for seed in 0..8 {
        run(|store| store.unwrap_or_else(in_memory), 3000, seed);
    }
}

/// Put back: store the changes of a record under the number of the record before.
#[test]
fn writes_on_a_disk_agree_with_a_map() {
    for seed in 0..4 {
        let disk = Disk::default();
        let reopen = |store: Option<Store>| {
            if let Some(store) = store {
                store.close().unwrap();
            }
            Store::open(on(&disk)).unwrap()
        };
        run(reopen, 2000, seed);
    }
}
