//! Scans and cursors: rows 1 to 3, 15, and what our own tests found.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use masstree::{Bound, Cursor, Range, Seek};

use crate::support::{Random, assert_sound, backwards, collect, keys, new_tree, put, remove};
use crate::{PREFIXES, assert_scans, layer_of, numbered};

/// Row 1. Put back: in `Frame::next_leaf`, return `None` when the leaf has no entries, and in
/// `Tree::remove` do not collapse.
#[test]
fn reverse_scan_crosses_emptied_leaves() {
    let mut random = Random(1);
    for prefix in PREFIXES {
        for n in 0..=40 {
            let all: Vec<_> = (0..n).map(|i| numbered(prefix, i)).collect();
            for from in 0..=n {
                // Every run of keys that ends with the last key, and one that does not.
                for to in [n, from + random.below(n - from + 1)] {
                    let tree = layer_of(prefix, n);
                    all[from..to]
                        .iter()
                        .for_each(|key| assert!(remove(&tree, key).is_some()));
                    let left = [&all[..from], &all[to..]].concat();
                    assert_scans(&tree, prefix, &left);
                    assert_sound(&tree);
                }
            }
            let mut left = all.clone();
            let tree = layer_of(prefix, n);
            random.shuffle(&mut left);
            while let Some(key) = left.pop() {
                assert!(remove(&tree, &key).is_some());
                let mut sorted = left.clone();
                sorted.sort();
                assert_scans(&tree, prefix, &sorted);
            }
            assert_sound(&tree);
        }
    }
}

/// Row 2. Put back: in `Cut::below`, return `After` for `Before`.
#[test]
fn bounds_are_exact_at_every_key_of_a_layer_of_many_leaves() {
    for prefix in PREFIXES {
        for n in [16, 17, 40] {
            let tree = layer_of(prefix, n);
            let all: Vec<_> = (0..n).map(|i| numbered(prefix, i)).collect();
            for (i, key) in all.iter().enumerate() {
                let upward = |lower| {
                    keys(
                        &tree,
                        &Range {
                            lower,
                            prefix,
                            ..Range::all()
                        },
                    )
                };
                assert_eq!(upward(Bound::Included(key)), all[i..]);
                assert_eq!(upward(Bound::Excluded(key)), all[i + 1..]);
                let downward = |upper| {
                    let mut found = keys(
                        &tree,
                        &Range {
                            upper,
                            prefix,
                            ..backwards()
                        },
                    );
                    found.reverse();
                    found
                };
                assert_eq!(downward(Bound::Included(key)), all[..=i]);
                assert_eq!(downward(Bound::Excluded(key)), all[..i]);
            }
        }
    }
}

/// Row 3. The scan has read a link to the layer when its visitor makes the layer's root
/// split, removes the layer, or removes and recreates it. Put back: in `reach`, do not check
/// that the root is a living root.
#[test]
fn scan_enters_a_layer_at_its_current_root() {
    let prefix = PREFIXES[2];
    let after = numbered(prefix, 1 << 40);
    for reverse in [false, true] {
        for change in ["grow", "remove", "renew"] {
            let tree = layer_of(prefix, 10);
            put(&tree, &after, 1);
            let first = if reverse { b"9" } else { b"0" };
            let mut seen = Vec::new();
            let range = Range {
                reverse,
                ..Range::all()
            };
            let guard = tree.guard().unwrap();
            tree.scan(guard.pin(), &range, &mut |key, _| {
                if key == first {
                    if change != "grow" {
                        (0..10).for_each(|i| _ = remove(&tree, &numbered(prefix, i)));
                        remove(&tree, &after);
                    }
                    if change != "remove" {
                        (0..300).for_each(|i| _ = put(&tree, &numbered(prefix, i), 0));
                        put(&tree, &after, 1);
                    }
                }
                seen.push(key.to_vec());
                ControlFlow::Continue(())
            })
            .unwrap();
            let mut ordered = seen.clone();
            ordered.sort();
            ordered.dedup();
            if reverse {
                ordered.reverse();
            }
            assert_eq!(seen, ordered, "{change}");
            assert!(seen.contains(&b"0".to_vec()) && seen.contains(&b"9".to_vec()));
            let present = change != "remove";
            assert_eq!(
                (0..10).all(|i| seen.contains(&numbered(prefix, i))),
                present
            );
            assert_eq!(seen.contains(&after), present);
            assert_sound(&tree);
        }
    }
}

/// Row 3, leaves: the visitor removes the leaf that the scan would read next, and the leaves
/// around it.
#[test]
fn scan_continues_when_the_next_leaf_is_deleted() {
    for prefix in PREFIXES {
        for reverse in [false, true] {
            for gap in [1, 16, 40, 95] {
                let tree = layer_of(prefix, 100);
                let at = if reverse { 99 } else { 0 };
                let gone = if reverse { 99 - gap..99 } else { 1..1 + gap };
                let mut seen = Vec::new();
                let guard = tree.guard().unwrap();
                let range = Range {
                    prefix,
                    reverse,
                    ..Range::all()
                };
                tree.scan(guard.pin(), &range, &mut |key, value| {
                    if value == at {
                        gone.clone()
                            .for_each(|i| _ = remove(&tree, &numbered(prefix, i)));
                    }
                    seen.push(key.to_vec());
                    ControlFlow::Continue(())
                })
                .unwrap();
                // The entries of the leaf read before are still visited.
                let stable = |i: &usize| !gone.contains(i);
                for i in (0..100).filter(stable) {
                    let key = numbered(prefix, i);
                    assert_eq!(seen.iter().filter(|&seen| *seen == key).count(), 1, "{i}");
                }
                assert_sound(&tree);
            }
        }
    }
}

/// Found by our own stress test: a leaf that has become the first of its layer and splits
/// below its old low sends a scan to leaves that it has passed. The visitor removes all keys
/// but one and inserts them again. Put back: in `Frame::start_at_boundary`, ignore the
/// boundary.
#[test]
fn scan_stays_in_order_when_all_leaves_are_replaced() {
    const KEYS: usize = 100;
    let mut random = Random(3);
    for round in 0..600 {
        let prefix = PREFIXES[round % 3];
        let (reverse, at) = (round % 2 == 0, random.below(KEYS) as u64);
        let stable = random.below(KEYS);
        let tree = layer_of(prefix, KEYS);
        let mut order: Vec<_> = (0..KEYS).filter(|&i| i != stable).collect();
        let mut seen = Vec::new();
        let guard = tree.guard().unwrap();
        let range = Range {
            prefix,
            reverse,
            ..Range::all()
        };
        tree.scan(guard.pin(), &range, &mut |_, value| {
            if value == at {
                random.shuffle(&mut order);
                order
                    .iter()
                    .for_each(|&i| _ = remove(&tree, &numbered(prefix, i)));
                random.shuffle(&mut order);
                order
                    .iter()
                    .for_each(|&i| _ = put(&tree, &numbered(prefix, i), i as u64));
            }
            seen.push(value);
            ControlFlow::Continue(())
        })
        .unwrap();
        if reverse {
            seen.reverse();
        }
        assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
        assert!(seen.contains(&(stable as u64)));
        assert_sound(&tree);
    }
}

/// Keys alone under their slices, prefixes of others, in groups of every size, and in layers of
/// their own.
fn keys_in_groups(prefix: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut model = BTreeSet::new();
    for n in 0..40 {
        let key = numbered(prefix, n);
        let more = [
            &b""[..],
            b"x",
            b"xyz and much more",
            b"xyz and much else",
            b"xyz",
            b"w",
            b"xyz and much more than that",
            b"y and much more",
            b"z",
        ];
        for more in &more[..1 + n % 9] {
            model.insert([&key, *more].concat());
        }
    }
    model
}

/// The four ranges that a bound ends, each with the positions of its keys.
fn ranges_at(
    bound: &[u8],
    below: usize,
    through: usize,
    end: usize,
) -> [(Range<'_>, std::ops::Range<usize>); 4] {
    let all = Range::all();
    [
        (
            Range {
                lower: Bound::Included(bound),
                ..all
            },
            below..end,
        ),
        (
            Range {
                lower: Bound::Excluded(bound),
                ..all
            },
            through..end,
        ),
        (
            Range {
                upper: Bound::Included(bound),
                ..all
            },
            0..through,
        ),
        (
            Range {
                upper: Bound::Excluded(bound),
                ..all
            },
            0..below,
        ),
    ]
}

/// Row 15. Every bound that is easy to get wrong: each key, the byte strings just before and
/// just after it, and its prefixes. Put back: in `Frame::limit`, compare without suffixes; in
/// `Tree::scan`, ignore the end when only values are wanted.
#[test]
fn bounds_are_exact_whether_or_not_keys_are_wanted() {
    for prefix in PREFIXES {
        let tree = new_tree();
        let model = keys_in_groups(prefix);
        for (value, key) in (0..).zip(&model) {
            put(&tree, key, value);
        }
        let sorted: Vec<_> = model.iter().collect();
        let mut bounds: BTreeSet<Vec<u8>> = BTreeSet::new();
        for key in &model {
            for end in [key.len() - 1, key.len() / 2] {
                bounds.insert(key[..end].to_vec());
            }
            bounds.insert([key, &[0][..]].concat());
            bounds.insert([key, &[255][..]].concat());
            bounds.insert(key.clone());
        }
        for bound in &bounds {
            let below = sorted.partition_point(|&key| key < bound);
            let through = sorted.partition_point(|&key| key <= bound);
            let end = sorted.len();
            let cases = ranges_at(bound, below, through, end);
            let guard = tree.guard().unwrap();
            for (range, expected) in cases {
                for (reverse, values_only) in
                    [(false, false), (false, true), (true, false), (true, true)]
                {
                    let range = Range {
                        reverse,
                        values_only,
                        ..range
                    };
                    let seen = collect(&tree, guard.pin(), &range);
                    let mut wanted: Vec<_> = expected.clone().map(|n| n as u64).collect();
                    if reverse {
                        wanted.reverse();
                    }
                    assert!(seen.iter().map(|(_, value)| *value).eq(wanted), "{range:?}");
                    let key_of = |value: u64| {
                        if values_only {
                            &[][..]
                        } else {
                            sorted[value as usize]
                        }
                    };
                    assert!(seen.iter().all(|(key, value)| key == key_of(*value)));
                }
            }
        }
    }
}

/// Found by our own model: the leaves of a cleared tree never change again, so a cursor could
/// not notice that it was no longer in the tree. Put back: in `Cursor::step_once`, step
/// within the walk also when the tree was cleared.
#[test]
fn a_cursor_notices_that_the_tree_was_cleared() {
    for keys in [1, 3, 200u64] {
        for reverse in [false, true] {
            let tree = new_tree();
            let guard = tree.guard().unwrap();
            let pin = guard.pin();
            for n in 0..keys {
                put(&tree, &n.to_be_bytes(), n);
            }
            let mut cursor = Cursor::new(&tree);
            let start = (keys / 2).to_be_bytes();
            assert_eq!(cursor.seek(&tree, pin, Seek::AtLeast(&start)), Ok(true));
            tree.clear(pin).unwrap();
            assert_eq!(cursor.step(&tree, pin, reverse), Ok(false));
            assert_eq!(cursor.key(), Some(&start[..]));
            let other = if reverse { 0 } else { u64::MAX }.to_be_bytes();
            put(&tree, &other, 7);
            let is_found = start != other;
            assert_eq!(cursor.step(&tree, pin, reverse), Ok(is_found));
            assert_eq!(cursor.key(), Some(&other[..]));
            assert_eq!(cursor.step(&tree, pin, reverse), Ok(false));
        }
    }
}
