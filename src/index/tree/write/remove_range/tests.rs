//! Range removes against a model, and beside other threads.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::thread;

use crate::index::memory::Count;
use crate::index::reclaim::Pinned;
use crate::index::tree::{Bound, Range, Tree, TreeOptions};
use crate::index::value::Values;
use crate::testing::Random;

type Model = BTreeMap<Vec<u8>, u64>;

/// The bytes of a number, in an order that shares many slices with others, and many lengths.
pub(in crate::index::tree::write) fn key_of(number: u64, form: u64) -> Vec<u8> {
    match form {
        0 => number.to_be_bytes().to_vec(),
        1 => format!("{number}").into_bytes(),
        2 => [b"one slice".as_slice(), &number.to_be_bytes()].concat(),
        3 => vec![b'a' + (number % 3) as u8; (number / 3 % 40) as usize],
        _ => {
            let site = format!("site{:03}/", number % 41);
            format!("{site}{}/{number}", "path/".repeat((number % 5) as usize)).into_bytes()
        }
    }
}

fn scan(tree: &Tree, pin: Pinned<'_>) -> Model {
    let mut found = Model::new();
    tree.scan(pin, &Range::all(), &mut |key, value| {
        assert!(found.insert(key.to_vec(), value).is_none());
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

pub(in crate::index::tree::write) fn bound(kind: u64, bytes: &[u8]) -> Bound<'_> {
    match kind {
        0 => Bound::Open,
        1 | 2 => Bound::Included(bytes),
        _ => Bound::Excluded(bytes),
    }
}

pub(in crate::index::tree::write) fn is_in(range: &Range<'_>, key: &[u8]) -> bool {
    let above = match range.lower {
        Bound::Open => true,
        Bound::Included(lower) => key >= lower,
        Bound::Excluded(lower) => key > lower,
    };
    let below = match range.upper {
        Bound::Open => true,
        Bound::Included(upper) => key <= upper,
        Bound::Excluded(upper) => key < upper,
    };
    above && below && key.starts_with(range.prefix)
}

/// Put back, each noticed: in `in_range`, return the end of the leaf for a link; take the first slice
/// of the upper end in `is_inside`; in `remove_run`, do not look whether a leaf lies wholly in the range, or
/// do not count the keys of the run; in `Internode::remove_many`, do not pad.
#[test]
fn removed_ranges_agree_with_a_model() {
    for seed in 0..60 {
        let mut random = Random(seed + 1);
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        let mut model = Model::new();
        let most = [30, 300, 3000][seed as usize % 3];
        let forms = seed / 3 % 6;
        for _ in 0..14 {
            for _ in 0..random.below(most) {
                let form = if forms == 5 { random.below(5) } else { forms };
                let key = key_of(random.below(2 * most), form);
                let value = random.below(u64::MAX);
                model.insert(key.clone(), value);
                tree.put(pin, &key, value).unwrap();
            }
            let some_key = |random: &mut Random| match random.below(2) {
                0 => key_of(random.below(2 * most), if forms == 5 { 4 } else { forms }),
                _ => {
                    let index = random.below(model.len().max(1) as u64) as usize;
                    model.keys().nth(index).cloned().unwrap_or_default()
                }
            };
            let mut bounds = [some_key(&mut random), some_key(&mut random)];
            bounds.sort();
            let mut prefix = some_key(&mut random);
            prefix.truncate(random.below(prefix.len() as u64 + 1) as usize);
            let range = Range {
                lower: bound(random.below(4), &bounds[0]),
                upper: bound(random.below(4), &bounds[1]),
                prefix: if random.below(4) == 0 { &prefix } else { &[] },
                limit: match random.below(3) {
                    0 => random.below(most) as usize,
                    _ => usize::MAX,
                },
                ..Range::all()
            };
            let gone: Vec<_> = (model.keys().filter(|key| is_in(&range, key)))
                .take(range.limit)
                .cloned()
                .collect();
            assert_eq!(tree.remove_range(pin, &range), (gone.len(), Ok(())));
            gone.iter().for_each(|key| _ = model.remove(key));
            assert_eq!(tree.check(pin, &mut |line| panic!("{line}")), Ok(true));
            assert_eq!(tree.key_count(), model.len() as u64);
            assert_eq!(scan(&tree, pin), model);
            for (key, value) in model.iter().take(50) {
                assert_eq!(tree.get(pin, key), Some(*value));
            }
        }
    }
}

/// The memory of values, bags, nodes and layers is freed, and leaves limbo. Put back: in `end_round`,
/// retire no values; in `FirstLeaf::free`, destroy no values; free no bags; free no leaves with tails.
#[test]
fn nothing_of_a_removed_range_stays_in_memory() {
    let options = TreeOptions {
        values: Values::BYTES,
        ..TreeOptions::default()
    };
    let tree = Tree::with_options(&options).unwrap();
    let empty = tree.memory_in_use();
    for form in 0..5 {
        let guard = tree.guard().unwrap();
        for number in 0..5000 {
            let value = vec![7; number as usize % 50];
            tree.put_bytes(guard.pin(), &key_of(number, form), &value)
                .unwrap();
        }
        let keys = tree.key_count() as usize;
        assert_eq!(
            tree.remove_range(guard.pin(), &Range::all()),
            (keys, Ok(()))
        );
        assert_eq!(
            tree.check(guard.pin(), &mut |line| panic!("{line}")),
            Ok(true)
        );
        drop(guard);
        // SAFETY: no other thread uses the tree.
        unsafe { tree.reclaim_all() };
        assert_eq!(tree.domain().memory.tally().sum(Count::LimboBytes), 0);
        // The root that stays may be a leaf with tails.
        let used = tree.memory_in_use();
        assert!(used == empty || used == empty + 128, "form {form}: {used}");
    }
}

/// Threads insert, remove, read and scan inside and beside a range that is removed again and again: keys
/// outside of it are always found, and each key that is inserted is removed exactly once.
/// Put back: in `remove_run`, do not count the keys of the run. (The lines of its protocol are left out in
/// `models::runs`; here, the races are too rare.)
#[test]
fn ranges_are_removed_beside_other_threads() {
    let tree = Tree::new(None).unwrap();
    let (low, high, count) = (3000_u64, 7000, 10_000);
    let key = |n: u64| match n % 5 {
        0 => [&n.to_be_bytes()[..], b" and a suffix"].concat(),
        _ => n.to_be_bytes().to_vec(),
    };
    let is_inside = |n: u64| (low..high).contains(&n);
    let fill = |pin: Pinned<'_>, n: u64| tree.put(pin, &key(n), n).unwrap().is_none();
    {
        let guard = tree.guard().unwrap();
        (0..count).for_each(|n| _ = fill(guard.pin(), n));
    }
    let (mut inserted, mut removed) = (count, 0);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|seed| {
                let tree = &tree;
                scope.spawn(move || {
                    let mut random = Random(seed + 1);
                    let (mut inserted, mut removed) = (0, 0);
                    for _ in 0..300 {
                        let guard = tree.guard().unwrap();
                        for _ in 0..100 {
                            let n = low + random.below(high - low);
                            match random.below(4) {
                                0 => {
                                    removed +=
                                        u64::from(tree.remove(guard.pin(), &key(n)).is_some())
                                }
                                _ => inserted += u64::from(fill(guard.pin(), n)),
                            }
                        }
                    }
                    (inserted, removed)
                })
            })
            .collect();
        scope.spawn(|| {
            let mut random = Random(9 + 1);
            for _ in 0..60 {
                let guard = tree.guard().unwrap();
                let n = random.below(count);
                let found = tree.get(guard.pin(), &key(n));
                assert!(found == Some(n) || found.is_none() && is_inside(n));
                let reverse = random.below(2) == 0;
                let range = Range {
                    reverse,
                    ..Range::all()
                };
                let mut outside = 0;
                tree.scan(guard.pin(), &range, &mut |_, n| {
                    outside += u64::from(!is_inside(n));
                    ControlFlow::Continue(())
                })
                .unwrap();
                assert_eq!(outside, count - (high - low));
            }
        });
        let mut random = Random(5 + 1);
        for _ in 0..150 {
            let guard = tree.guard().unwrap();
            let from = low + random.below(high - low);
            let (lower, upper) = (from.to_be_bytes(), high.to_be_bytes());
            let range = Range {
                lower: Bound::Included(&lower),
                upper: Bound::Excluded(&upper),
                ..Range::all()
            };
            let (keys, outcome) = tree.remove_range(guard.pin(), &range);
            assert_eq!(outcome, Ok(()));
            removed += keys as u64;
        }
        for writer in writers {
            let of_writer = writer.join().unwrap();
            inserted += of_writer.0;
            removed += of_writer.1;
        }
    });
    let guard = tree.guard().unwrap();
    assert_eq!(
        tree.check(guard.pin(), &mut |line| panic!("{line}")),
        Ok(true)
    );
    assert_eq!(tree.key_count(), inserted - removed);
    assert_eq!(scan(&tree, guard.pin()).len() as u64, inserted - removed);
}
