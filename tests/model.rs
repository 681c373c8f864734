//! Every operation against `BTreeMap`, on keys built to collide.

mod support;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use masstree::{Bound, Decision, Inserted, Range, Tree};
use proptest::prelude::*;
use support::{assert_sound, collect, new_tree};

/// Keys that share slices, differ in length only, or hold zero and 0xFF bytes.
fn key() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0u8), Just(1), Just(b'a'), Just(255)];
    let short = prop::collection::vec(byte.clone(), 0..=10);
    let prefix = prop_oneof![
        3 => Just(&b""[..]),
        1 => Just(&b"12345678"[..]),
        1 => Just(&b"1234567812345678"[..]),
        1 => Just(&b"123456781234567812345678"[..]),
        1 => Just(&[0u8; 8][..]),
        1 => Just(&[255u8; 16][..]),
    ];
    prop_oneof![
        8 => (prefix, short).prop_map(|(prefix, rest)| [prefix, &rest].concat()),
        1 => prop::collection::vec(byte, 0..=40),
        1 => (0u64..300).prop_map(|n| n.to_be_bytes().to_vec()),
        1 => (0u16..300).prop_map(|n| [&b"long shared prefix of a key, "[..], &n.to_be_bytes()].concat()),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<u8>, u64),
    Insert(Vec<u8>, u64),
    Remove(Vec<u8>),
    Replace(Vec<u8>, u64),
    /// Expects the value that is there, or another.
    CompareExchange(Vec<u8>, bool, u64),
    RemoveIfEqual(Vec<u8>, bool),
    /// Toggles: removes what is there, sets what is not; or keeps.
    Update(Vec<u8>, Option<u64>),
    /// Removes the key of this rank among those present.
    RemoveNth(prop::sample::Index),
    Get(Vec<u8>),
    Scan(Scan),
}

#[derive(Clone, Debug)]
struct Scan {
    lower: (u8, Vec<u8>),
    upper: (u8, Vec<u8>),
    prefix: Vec<u8>,
    limit: usize,
    reverse: bool,
}

fn scan() -> impl Strategy<Value = Scan> {
    let bound = || (0u8..3, key());
    let limit = prop_oneof![3 => Just(usize::MAX), 1 => 0usize..20];
    let prefix = prop_oneof![3 => Just(Vec::new()), 1 => key(), 1 => Just(b"1234567812".to_vec())];
    (bound(), bound(), prefix, limit, any::<bool>()).prop_map(
        |(lower, upper, prefix, limit, reverse)| Scan {
            lower,
            upper,
            prefix,
            limit,
            reverse,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (key(), any::<u64>()).prop_map(|(key, value)| Step::Put(key, value)),
        3 => (key(), any::<u64>()).prop_map(|(key, value)| Step::Insert(key, value)),
        2 => key().prop_map(Step::Remove),
        1 => (key(), any::<u64>()).prop_map(|(key, value)| Step::Replace(key, value)),
        1 => (key(), any::<bool>(), any::<u64>())
            .prop_map(|(key, hit, value)| Step::CompareExchange(key, hit, value)),
        1 => (key(), any::<bool>()).prop_map(|(key, hit)| Step::RemoveIfEqual(key, hit)),
        2 => (key(), any::<Option<u64>>()).prop_map(|(key, value)| Step::Update(key, value)),
        4 => any::<prop::sample::Index>().prop_map(Step::RemoveNth),
        2 => key().prop_map(Step::Get),
        2 => scan().prop_map(Step::Scan),
    ]
}

fn bound((kind, bytes): &(u8, Vec<u8>)) -> Bound<'_> {
    match kind {
        0 => Bound::Open,
        1 => Bound::Included(bytes),
        _ => Bound::Excluded(bytes),
    }
}

fn expected(model: &BTreeMap<Vec<u8>, u64>, range: &Range<'_>) -> Vec<(Vec<u8>, u64)> {
    let inside = |key: &[u8]| {
        let above = match range.lower {
            Bound::Open => true,
            Bound::Included(bytes) => key >= bytes,
            Bound::Excluded(bytes) => key > bytes,
        };
        let below = match range.upper {
            Bound::Open => true,
            Bound::Included(bytes) => key <= bytes,
            Bound::Excluded(bytes) => key < bytes,
        };
        above && below && key.starts_with(range.prefix)
    };
    let mut all: Vec<_> = model
        .iter()
        .filter(|(key, _)| inside(key))
        .map(|(key, value)| (key.clone(), *value))
        .collect();
    if range.reverse {
        all.reverse();
    }
    all.truncate(range.limit);
    all
}

fn run(tree: &Tree, model: &mut BTreeMap<Vec<u8>, u64>, step: &Step) {
    let guard = tree.guard().unwrap();
    let pin = guard.pin();
    match step {
        Step::Put(key, value) => {
            assert_eq!(
                tree.put(pin, key, *value),
                Ok(model.insert(key.clone(), *value))
            );
        }
        Step::Insert(key, value) => {
            let done = tree.insert(pin, key, *value).unwrap();
            match model.get(key) {
                Some(present) => assert_eq!(done, Inserted::Present(*present)),
                None => {
                    assert_eq!(done, Inserted::New);
                    model.insert(key.clone(), *value);
                }
            }
        }
        Step::Remove(key) => assert_eq!(tree.remove(pin, key), model.remove(key)),
        Step::Replace(key, value) => {
            let present = model.get_mut(key);
            let old = present.map(|present| std::mem::replace(present, *value));
            assert_eq!(tree.replace(pin, key, *value), old);
        }
        Step::CompareExchange(key, hit, value) => {
            let present = model.get(key).copied();
            let expected = present.unwrap_or(0).wrapping_add(u64::from(!hit));
            let seen = tree.compare_exchange(pin, key, expected, *value);
            assert_eq!(seen, present);
            if present == Some(expected) {
                model.insert(key.clone(), *value);
            }
        }
        Step::RemoveIfEqual(key, hit) => {
            let present = model.get(key).copied();
            let expected = present.unwrap_or(0).wrapping_add(u64::from(!hit));
            assert_eq!(tree.remove_if_equal(pin, key, expected), present);
            if present == Some(expected) {
                model.remove(key);
            }
        }
        Step::Update(key, value) => {
            let present = model.get(key).copied();
            let mut calls = 0;
            let seen = tree.update(pin, key, |now| {
                assert_eq!(now, present);
                calls += 1;
                match (value, now) {
                    (None, _) => Decision::Keep,
                    (Some(_), Some(_)) => Decision::Remove,
                    (Some(value), None) => Decision::Set(*value),
                }
            });
            assert_eq!((seen, calls), (Ok(present), 1));
            match (value, present) {
                (None, _) => {}
                (Some(_), Some(_)) => _ = model.remove(key),
                (Some(value), None) => _ = model.insert(key.clone(), *value),
            }
        }
        Step::RemoveNth(index) => {
            if !model.is_empty() {
                let key = model.keys().nth(index.index(model.len())).unwrap().clone();
                assert_eq!(tree.remove(pin, &key), model.remove(&key));
            }
        }
        Step::Get(key) => assert_eq!(tree.get(pin, key), model.get(key).copied()),
        Step::Scan(scan) => {
            let range = Range {
                lower: bound(&scan.lower),
                upper: bound(&scan.upper),
                prefix: &scan.prefix,
                limit: scan.limit,
                reverse: scan.reverse,
                values_only: false,
            };
            assert_eq!(
                collect(tree, pin, &range),
                expected(model, &range),
                "{range:?}"
            );
        }
    }
}

fn cases() -> u32 {
    std::env::var("MASSTREE_CASES").map_or(400, |cases| cases.parse().expect("a number of cases"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn operations_agree_with_a_btreemap(steps in prop::collection::vec(step(), 1..400)) {
        let tree = new_tree();
        let mut model = BTreeMap::new();
        for step in &steps {
            run(&tree, &mut model, step);
        }
        assert_sound(&tree);
        prop_assert_eq!(tree.key_count(), model.len() as u64);
        let guard = tree.guard().unwrap();
        let forward = collect(&tree, guard.pin(), &Range::all());
        prop_assert!(forward.iter().map(|(k, v)| (k, v)).eq(model.iter()));
        let backward = collect(&tree, guard.pin(), &support::backwards());
        prop_assert!(backward.iter().rev().eq(forward.iter()));
        // Empty it in an order of its own: whatever shape is left must collapse.
        let mut keys: Vec<_> = model.into_iter().collect();
        keys.sort_by_key(|(_, value)| *value);
        for (key, value) in keys {
            prop_assert_eq!(tree.remove(guard.pin(), &key), Some(value));
            prop_assert_eq!(tree.get(guard.pin(), &key), None);
        }
        assert_sound(&tree);
        prop_assert!(collect(&tree, guard.pin(), &Range::all()).is_empty());
    }
}

#[test]
fn a_scan_ends_where_its_visitor_says() {
    let tree = new_tree();
    for n in 0..1000u64 {
        support::put(&tree, &n.to_be_bytes(), n);
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
