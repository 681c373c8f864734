//! Scans of transactions.

use std::collections::BTreeMap;

use super::*;
use crate::durable::io::memory::Random;
use crate::index::tree::Bound;

/// The rest of a scan has what the transaction writes meanwhile.
///
/// Put back: keep the next written key over a write.
#[test]
fn a_scan_goes_on_after_a_write() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    for key in [b"a", b"b", b"f", b"g", b"k", b"p"] {
        put(&store, tree, key, b"");
    }
    for reverse in [false, true] {
        let mut transaction = begin(&store);
        let range = Range {
            reverse,
            ..Range::all()
        };
        let mut walk = Walk::new(tree, range, store.source());
        let mut found = Vec::new();
        // So that the walk knows of a written key behind `f`, in either direction.
        for key in [b"a", b"p"] {
            transaction.put(tree, key, b"").unwrap();
        }
        while transaction.advance(&mut walk).unwrap() {
            let key = walk.item().unwrap().0.to_vec();
            if key == b"f" {
                transaction.put(tree, b"e", b"").unwrap();
                transaction.put(tree, b"h", b"").unwrap();
                transaction.remove(tree, b"b").unwrap();
                transaction.remove(tree, b"k").unwrap();
            }
            found.extend(key);
        }
        match reverse {
            false => assert_eq!(found, b"abfghp"),
            true => assert_eq!(found, b"pkgfea"),
        }
    }
}

/// A random range over one-byte keys.
fn random_range<'k>(random: &mut Random, keys: &'k [[u8; 1]]) -> Range<'k> {
    let bound = |random: &mut Random| match random.below(3) {
        0 => Bound::Open,
        1 => Bound::Included(&keys[random.below(keys.len())][..]),
        _ => Bound::Excluded(&keys[random.below(keys.len())][..]),
    };
    let mut range = Range {
        lower: bound(random),
        upper: bound(random),
        prefix: match random.below(6) {
            0 => &keys[random.below(keys.len())][..],
            _ => b"",
        },
        limit: match random.below(3) {
            0 => 1 + random.below(6),
            _ => usize::MAX,
        },
        reverse: random.below(2) == 0,
        values_only: false,
    };
    if range.is_reversed() {
        std::mem::swap(&mut range.lower, &mut range.upper);
    }
    range
}

/// Against a model: scans in both directions over the snapshot and own writes, of which there are many.
///
/// Put back: pass both of two equal keys; leave out own keys behind the last of the snapshot.
#[test]
fn scans_merge_the_snapshot_with_own_writes() {
    let keys: Vec<[u8; 1]> = (0..40).map(|key| [key]).collect();
    for seed in 0..60 {
        let store = in_memory();
        let tree = tree_named(&store, "t");
        let mut random = Random(seed);
        let mut model = BTreeMap::new();
        for _ in 0..random.below(60) {
            let key = keys[random.below(40)];
            put(&store, tree, &key, &key);
            model.insert(key.to_vec(), key.to_vec());
        }
        let mut transaction = begin(&store);
        for step in 0..120u8 {
            let key = keys[random.below(40)].to_vec();
            match random.below(4) {
                0 => {
                    transaction.put(tree, &key, &[step]).unwrap();
                    model.insert(key, vec![step]);
                }
                1 => {
                    let removed = transaction.remove(tree, &key).unwrap();
                    assert_eq!(removed, model.remove(&key).is_some());
                }
                2 => assert_eq!(seen(&mut transaction, tree, &key), model.get(&key).cloned()),
                _ => {
                    let range = random_range(&mut random, &keys);
                    let is_below = |key: &Vec<u8>| match range.lower {
                        Bound::Open => false,
                        Bound::Included(lower) => key[..] < *lower,
                        Bound::Excluded(lower) => key[..] <= *lower,
                    };
                    let is_above = |key: &Vec<u8>| match range.upper {
                        Bound::Open => false,
                        Bound::Included(upper) => key[..] > *upper,
                        Bound::Excluded(upper) => key[..] >= *upper,
                    };
                    let mut expected: Vec<_> = (model.clone().into_iter())
                        .filter(|(key, _)| !is_below(key) && !is_above(key))
                        .filter(|(key, _)| key.starts_with(range.prefix))
                        .collect();
                    if range.reverse {
                        expected.reverse();
                    }
                    expected.truncate(range.limit);
                    let found = scanned(&mut transaction, tree, range);
                    assert_eq!(found, expected, "seed {seed}, {range:?}");
                }
            }
        }
        assert!(matches!(transaction.commit(), Ok(Ending::Done(_))));
        assert_eq!(content(tree), model.into_iter().collect::<Vec<_>>());
        check(tree);
    }
}
