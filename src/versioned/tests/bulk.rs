//! Trees of stores that are built bottom-up.

use std::collections::BTreeMap;
use std::thread;

use super::store::{Store, rows};
use super::*;
use crate::index::memory::counting::Counting;

/// A number and a value under each key.
type Content = BTreeMap<Vec<u8>, (u64, Vec<u8>)>;

/// The numbers that were committed before a tree is loaded.
const NUMBERS: u64 = 1 << 12;

/// A store whose log goes on after those.
fn store() -> Store {
    let store = Store::new(Freeing::WhenOverwritten, 1);
    let first = store.positions.take(NUMBERS);
    store.positions.fill(first, NUMBERS);
    store
}

/// Random keys, many of which share slices with others, or are one slice long.
fn content(random: &mut Random, count: usize) -> Content {
    let mut content = Content::new();
    while content.len() < count {
        let len = [1, 7, 8, 9, 16, 24, 40][random.below(7) as usize];
        let byte = |at| match at % 8 {
            0 | 7 => b'a' + random.below(4) as u8,
            _ => b'-',
        };
        let key = (0..len).map(byte).collect();
        let number = 1 + random.below(NUMBERS);
        let value = vec![b'v'; random.below(60) as usize];
        content.insert(key, (number, value));
        // Short keys are soon used up.
        let long = format!("a prefix of two slices {}", random.below(1 << 30));
        content.insert(long.into_bytes(), (number, Vec::new()));
    }
    content
}

/// Fills as many parts, each on a thread of its own; some may stay empty.
fn fill<'t>(of: VersionedTree<'t>, content: &Content, parts: usize) -> Vec<Part<'t>> {
    let entries: Vec<_> = content.iter().collect();
    let size = entries.len() / parts + 1;
    thread::scope(|scope| {
        let fill = |part: usize| {
            let range = part * size..((part + 1) * size).min(entries.len());
            let entries = entries.get(range).unwrap_or_default();
            scope.spawn(move || {
                let mut part = Part::new(of).unwrap();
                for (key, (number, value)) in entries {
                    part.push(key, *number, value).unwrap();
                }
                part
            })
        };
        let threads: Vec<_> = (0..parts).map(fill).collect();
        (threads.into_iter())
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

fn expected(content: &Content) -> Vec<oracle::Row> {
    let row = |(key, (number, value)): (&Vec<u8>, &(u64, Vec<u8>))| {
        (key.clone(), *number, Kind::Value as u32, value.clone())
    };
    content.iter().map(row).collect()
}

/// Put back: count no versions; join the parts in their order.
#[test]
fn a_tree_that_was_built_is_like_one_that_was_written() {
    for seed in 0..24 {
        let mut random = Random(seed);
        let count = [0, 1, 14, 15, 300, 3_000][random.below(6) as usize];
        let content = content(&mut random, count);
        let store = store();
        let (subject, parts) = (&store.trees[0], 1 + seed as usize % 4);
        let guard = subject.guard();
        install(
            subject.of(),
            guard.pin(),
            fill(subject.of(), &content, parts),
        )
        .unwrap();
        subject.assert_sound();
        assert_eq!(rows(subject, LATEST, false), expected(&content));
        let counts = subject.of().counts(guard.pin());
        let numbers = || content.values().map(|(number, _)| *number);
        assert_eq!(counts.lowest, numbers().min().unwrap_or(0));
        assert_eq!(counts.highest, numbers().max().unwrap_or(0));
        assert_eq!(subject.tree.key_count(), content.len() as u64);
        // A newer version of the log frees the one that was built; an older one has no effect.
        for (key, (number, _)) in content.iter().take(20) {
            let load = |number, bytes: &[u8]| {
                (subject.of()).load(guard.pin(), key, Kind::Value, number, bytes)
            };
            load(number + 1, b"newer").unwrap();
            load(*number, b"older").unwrap();
            assert_eq!(subject.value(key, LATEST).unwrap(), b"newer");
        }
        assert_eq!(
            subject.of().counts(guard.pin()).versions,
            content.len() as u64
        );
        subject.assert_sound();
    }
}

/// Put back: in `install`, ask no part whether it precedes the next; in `push`, ask nothing of the number.
#[test]
fn a_refused_key_or_part_changes_nothing() {
    let store = store();
    let subject = &store.trees[0];
    let of = subject.of();
    let guard = subject.guard();
    let part = |keys: &[&[u8]]| {
        let mut part = Part::new(of).unwrap();
        for key in keys {
            part.push(key, 7, b"value").unwrap();
        }
        part
    };
    let mut one = part(&[b"a", b"c"]);
    for key in [&b"c"[..], b"b", b""] {
        assert_eq!(one.push(key, 7, b"value"), Err(LoadFault::Unsorted));
    }
    for number in [0, MAX_COMMIT + 1] {
        assert_eq!(one.push(b"d", number, b"value"), Err(LoadFault::Range));
    }
    assert_eq!(one.keys(), 2);
    for other in [&b"c"[..], b"a"] {
        let parts = vec![part(&[b"a", b"c"]), part(&[]), part(&[other])];
        let refused = install(of, guard.pin(), parts);
        assert_eq!(refused, Err(LoadFault::Unsorted));
        assert_eq!(subject.tree.key_count(), 0);
    }
    install(of, guard.pin(), vec![part(&[]), one, part(&[])]).unwrap();
    assert_eq!(rows(subject, LATEST, false).len(), 2);
    let refused = install(of, guard.pin(), vec![part(&[b"x"])]);
    assert_eq!(refused, Err(LoadFault::NotEmpty));
    assert_eq!(rows(subject, LATEST, true).len(), 2);
    assert_eq!(install(of, guard.pin(), Vec::new()), Ok(()));
    subject.assert_sound();
}

/// Fills two parts and installs them.
fn load(of: VersionedTree<'_>, content: &Content) -> Result<(), LoadFault> {
    let mut parts = vec![Part::new(of)?, Part::new(of)?];
    for (index, (key, (number, value))) in content.iter().enumerate() {
        parts[index * 2 / content.len()].push(key, *number, value)?;
    }
    let guard = of.index().local_guard();
    install(of, guard.pin(), parts)
}

/// Put back: in `push`, call `stored` after the insert (the list is freed twice).
#[test]
fn a_load_without_memory_leaves_an_empty_tree() {
    let counting = Counting::default();
    let allocator = counting.allocator();
    let content = content(&mut Random(3), 250);
    let store = store();
    let mut fails_at = 1;
    loop {
        let subject = Subject::of_store(Freeing::WhenOverwritten, &store.clock, Some(allocator));
        counting.fail_at(fails_at);
        let loaded = load(subject.of(), &content);
        counting.fail_at(0);
        subject.assert_sound();
        match loaded {
            Ok(()) => assert_eq!(rows(&subject, LATEST, false), expected(&content)),
            Err(fault) => {
                assert_eq!(fault, LoadFault::OutOfMemory);
                assert_eq!(rows(&subject, LATEST, false), []);
                // Nodes and versions were freed: the tree works.
                load(subject.of(), &content).unwrap();
                subject.assert_sound();
            }
        }
        drop(subject);
        assert_eq!(counting.live(), 0);
        if loaded.is_ok() {
            break;
        }
        fails_at += 1;
    }
    assert!(fails_at > 10, "{fails_at} allocations");
}
