use std::collections::BTreeSet;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::{Builder, Refused};
use crate::index::key::Key;
use crate::index::memory::Count;
use crate::index::node::WIDTH;
use crate::index::reclaim::Pinned;
use crate::index::tree::{LoadOutcome, Range, Tree};

fn builder_with<'t>(tree: &'t Tree, pin: Pinned<'_>, keys: &[Vec<u8>], from: usize) -> Builder<'t> {
    let mut builder = tree.builder(pin).unwrap();
    for (key, value) in keys.iter().zip(from as u64..) {
        let whole = Key::new(key);
        let added = builder.add(whole, value);
        assert_eq!(added, Ok(()), "{key:?}");
        assert_eq!(builder.add(whole, 7), Err(Refused::Unsorted), "{key:?}");
    }
    builder
}

/// Loads sorted keys, with their indexes as values, by several builders that begin at `cuts`.
fn load(tree: &Tree, keys: &[Vec<u8>], cuts: &BTreeSet<usize>) {
    let guard = tree.guard().unwrap();
    let pin = guard.pin();
    let mut builders = Vec::new();
    let mut begin = 0;
    for end in cuts.iter().copied().chain([keys.len()]) {
        builders.push(builder_with(tree, pin, &keys[begin..end], begin));
        begin = end;
    }
    while let Some(mut last) = builders.pop() {
        match builders.last_mut() {
            Some(before) => {
                assert!(before.precedes(&last));
                before.join(&mut last).unwrap();
            }
            None => assert_eq!(tree.load(pin, &mut last), Ok(LoadOutcome::Done)),
        }
    }
}

/// Returns a tree that [`load`] has loaded.
fn loaded(keys: &[Vec<u8>], cuts: &BTreeSet<usize>) -> Tree {
    let tree = Tree::new(None).unwrap();
    load(&tree, keys, cuts);
    tree
}

fn contents(tree: &Tree, pin: Pinned<'_>) -> Vec<(Vec<u8>, u64)> {
    let mut found = Vec::new();
    let visit = &mut |key: &[u8], value| {
        found.push((key.to_vec(), value));
        ControlFlow::Continue(())
    };
    tree.scan(pin, &Range::all(), visit).unwrap();
    found
}

fn assert_sound(tree: &Tree, pin: Pinned<'_>) {
    let mut faults = String::new();
    let sound = tree.check(pin, &mut |line| faults.push_str(line));
    assert_eq!((sound, faults.as_str()), (Ok(true), ""));
}

/// The tree has exactly these keys, and can be changed like any other.
fn assert_loaded(tree: &Tree, keys: &[Vec<u8>]) {
    let guard = tree.guard().unwrap();
    let pin = guard.pin();
    assert_sound(tree, pin);
    assert_eq!(tree.key_count(), keys.len() as u64);
    let expected: Vec<_> = keys.iter().cloned().zip(0..).collect();
    assert_eq!(contents(tree, pin), expected);
    for (key, value) in &expected {
        assert_eq!(tree.get(pin, key), Some(*value), "{key:?}");
    }
    let more = |key: &Vec<u8>| [&key[..], b"+"].concat();
    for key in keys.iter().rev() {
        tree.put(pin, &more(key), 1).unwrap();
    }
    assert_sound(tree, pin);
    for key in keys {
        assert!(tree.remove(pin, key).is_some(), "{key:?}");
    }
    assert_sound(tree, pin);
    for key in keys {
        tree.remove(pin, &more(key));
    }
    assert_eq!(tree.key_count(), 0);
    assert_sound(tree, pin);
}

/// Keys that share slices, are prefixes of each other, or differ only in their length.
fn keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let slice = prop_oneof![
        4 => Just(b"aaaaaaaa".to_vec()),
        2 => Just(vec![0; 8]),
        2 => Just(b"aaaabbbb".to_vec()),
        1 => Just(vec![0xFF; 8]),
        2 => prop::collection::vec(any::<u8>(), 8),
    ];
    let end = prop_oneof![
        prop::collection::vec(0_u8..3, 0..9),
        prop::collection::vec(any::<u8>(), 0..30),
        (0_u8..20).prop_map(|n| vec![n]),
        (0_u64..2000).prop_map(|n| n.to_be_bytes().to_vec()),
    ];
    let key = (prop::collection::vec(slice, 0..5), end)
        .prop_map(|(slices, end)| [slices.concat(), end].concat());
    prop::collection::btree_set(key, 0..400).prop_map(|keys| keys.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 128 }))]

    /// Put back: in `OpenLayer::cut`, keep all entries; in `set_layer`, raise no levels; in
    /// `open_layers`, give the lowest layer the suffixes as they are; in `Builder::complete_layer`,
    /// complete no internode.
    #[test]
    fn any_sorted_keys_are_loaded(keys in keys()) {
        assert_loaded(&loaded(&keys, &BTreeSet::new()), &keys);
    }

    /// Put back: in `move_first_leaf`, add a link that meets an open layer as a second link; in
    /// `meets`, open no layer for a group; in `append_tail`, append one child less, or do not chain
    /// the leaves; in `insert_link`, leave the parent or the levels as they are.
    #[test]
    fn trees_of_several_builders_are_joined(keys in keys(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..6)) {
        let cuts = cuts.iter().map(|cut| cut.index(keys.len() + 1)).collect();
        assert_loaded(&loaded(&keys, &cuts), &keys);
    }

    /// A layer for each of many slices, in layers: several levels in each layer on the seam.
    #[test]
    fn high_layers_are_joined(shape in prop::sample::select(vec![(3000, 1), (60, 50), (1, 4000), (9, 300)]),
                              cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        let (outer, inner) = shape;
        let key = |n: u64| [&b"shared, "[..], &(n / inner).to_be_bytes(), &(n % inner).to_be_bytes()].concat();
        let keys: Vec<_> = (0..outer * inner).map(key).collect();
        let cuts = cuts.iter().map(|cut| cut.index(keys.len() + 1)).collect();
        assert_loaded(&loaded(&keys, &cuts), &keys);
    }
}

/// Full leaves, full internodes and one more; joined after each. Put back: in `needed_above` of
/// `spine`, return one less.
#[test]
fn leaves_and_internodes_of_any_fill_are_loaded() {
    let keys: Vec<_> = (0..WIDTH as u64 * 16 * 3 + 20)
        .map(|n| (n * n).to_be_bytes().to_vec())
        .collect();
    for len in (0..50)
        .chain(235..260)
        .chain([480, 481, 495, 496, 720, 721, keys.len()])
    {
        assert_loaded(&loaded(&keys[..len], &BTreeSet::new()), &keys[..len]);
        assert_loaded(
            &loaded(&keys[..len], &BTreeSet::from([len / 2])),
            &keys[..len],
        );
    }
    let pairs = (0..260)
        .step_by(13)
        .flat_map(|a| [(a, a + 3), (a, 2 * a + 1)]);
    for (a, b) in pairs {
        assert_loaded(&loaded(&keys, &BTreeSet::from([a, b])), &keys);
    }
}

/// Put back: recurse over layers; copy the suffixes of a group once for each layer that it shares
/// (it takes minutes).
#[test]
fn keys_with_a_long_common_prefix_need_little_stack() {
    let work = || {
        let prefix = vec![b'p'; 40_000];
        let keys: Vec<_> = (0..300_u16)
            .map(|n| {
                [
                    &prefix[..40_000 - 8 * usize::from(300 - n)],
                    &n.to_be_bytes(),
                ]
                .concat()
            })
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        for cuts in [BTreeSet::new(), BTreeSet::from([40, 250, 251])] {
            let tree = loaded(&keys, &cuts);
            let guard = tree.guard().unwrap();
            assert_sound(&tree, guard.pin());
            let expected: Vec<_> = keys.iter().cloned().zip(0..).collect();
            assert!(contents(&tree, guard.pin()) == expected);
        }
    };
    let thread = std::thread::Builder::new().stack_size(64 << 10).spawn(work);
    thread.unwrap().join().unwrap();
}

/// Put back: leave leaves less than full; give bags spare room.
#[test]
fn a_loaded_tree_is_smaller_than_one_of_puts() {
    let sets: [(Vec<Vec<u8>>, f64); 2] = [
        (
            (0..30_000_u64).map(|n| n.to_be_bytes().to_vec()).collect(),
            22.9,
        ),
        (
            (0..30_000_u64)
                .map(|n| format!("user{:020}", n * 7_919_993).into_bytes())
                .collect(),
            45.0,
        ),
    ];
    for (keys, most) in sets {
        let tree = loaded(&keys, &BTreeSet::new());
        let put = Tree::new(None).unwrap();
        let guard = put.guard().unwrap();
        for n in 0..keys.len() {
            put.put(guard.pin(), &keys[n * 7919 % keys.len()], 0)
                .unwrap();
        }
        let bytes = |tree: &Tree| tree.memory_in_use() as f64 / keys.len() as f64;
        let (loaded, put) = (bytes(&tree), bytes(&put));
        assert!(loaded < most, "{loaded} bytes a key");
        assert!(loaded * 1.3 < put, "{loaded} bytes a key, {put} with puts");
    }
}

/// Suffixes of at most eight bytes are in the leaves, not in bags, but for those of the first leaf
/// of a layer. Put back: in `begin_leaf`, begin leaves without tails; in `fill_suffix`, write a
/// tail to the bag, too.
#[test]
fn short_suffixes_are_loaded_into_leaves() {
    let keys: Vec<_> = (0..3000_u64)
        .map(|n| {
            [
                &(7 * n).to_be_bytes()[..],
                &n.to_be_bytes()[..1 + n as usize % 8],
            ]
            .concat()
        })
        .collect();
    for cuts in [BTreeSet::new(), BTreeSet::from([100, 107, 2000])] {
        let tree = loaded(&keys, &cuts);
        let in_bags = tree.domain().memory.tally().sum(Count::SuffixBytes);
        assert!(in_bags < 2000, "{in_bags} bytes of bags");
        assert_loaded(&tree, &keys);
    }
}

/// Put back: in `Builder::take`, count no layers.
#[test]
fn layers_are_counted() {
    let keys: Vec<_> = (0..100_u8)
        .map(|n| vec![b'x'; 20].into_iter().chain([n]).collect())
        .collect();
    let tree = loaded(&keys, &BTreeSet::from([50]));
    assert_eq!(tree.domain().memory.tally().sum(Count::LayersCreated), 2);
}

/// Put back: in `Tree::publish`, do not move the leaves to the tree's era.
#[test]
fn a_builder_may_be_older_than_a_clear() {
    let tree = Tree::new(None).unwrap();
    let guard = tree.guard().unwrap();
    let pin = guard.pin();
    let keys: Vec<_> = (0..400_u64).map(|n| n.to_be_bytes().to_vec()).collect();
    let mut builder = builder_with(&tree, pin, &keys, 0);
    tree.put(pin, b"in the way", 1).unwrap();
    assert_eq!(tree.load(pin, &mut builder), Ok(LoadOutcome::NotEmpty));
    assert_eq!(builder.keys(), 400);
    tree.clear(pin).unwrap();
    assert_eq!(tree.key_count(), 0);
    assert_eq!(tree.load(pin, &mut builder), Ok(LoadOutcome::Done));
    assert_loaded(&tree, &keys);
}
