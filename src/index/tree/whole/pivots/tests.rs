//! Tests that parts are even, and that computing pivots reads a bounded number of nodes.

use super::*;
use crate::index::node::GROUP_MAX;
use crate::index::tree::LoadOutcome;

mod beside;
mod memory;

/// Prints a line if `MASSTREE_SHOW` is set.
fn show(text: &str) {
    if std::env::var("MASSTREE_SHOW").is_ok() {
        println!("{text}");
    }
}

fn mixed(i: u64) -> [u8; 8] {
    let mut x = i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ x >> 31).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x ^ x >> 29).to_be_bytes()
}

/// The tenant to which a key belongs: the first has a third of all keys, the second a fifth, and so
/// on.
fn tenant(i: u64) -> u64 {
    let drawn = u64::from_be_bytes(mixed(i)) % 1_000_000;
    1_000_000 / (drawn + 1_000_000 / 400)
}

const PREFIX: &[u8] = b"a prefix of 26 bytes, long";

fn family(name: &str, count: u64) -> Vec<Vec<u8>> {
    let key = |i: u64| match name {
        "ascending" => i.to_be_bytes().to_vec(),
        "random" => mixed(i).to_vec(),
        "binary" => mixed(i).repeat(3)[..1 + (mixed(i)[0] % 24) as usize].to_vec(),
        "decimal" => format!("user{:020}", i * 7919).into_bytes(),
        "tables" => [&(i % 7 * (i % 3)).to_be_bytes()[..], &(i / 7).to_be_bytes()].concat(),
        "one prefix" => [PREFIX, &mixed(i)].concat(),
        "hot prefix" if i.is_multiple_of(10) => mixed(i).to_vec(),
        "hot prefix" => [PREFIX, &mixed(i)].concat(),
        "small layers" => [&mixed(i / 20)[..], &mixed(i)].concat(),
        "tenants" => [&mixed(tenant(i))[..], &mixed(i)].concat(),
        "urls" => {
            let site = tenant(i) * 31 + i % 5;
            let page = u64::from_be_bytes(mixed(i)) % 100_000;
            format!(
                "https://www.site{site}.example/articles/{}/{page}?id={i}",
                page % 97
            )
            .into()
        }
        // Layers one below the other, each with a key and a link.
        "chains" => [
            &b"one slice each  ".repeat(1 + (i % 40) as usize)[..],
            &(i / 40).to_be_bytes(),
        ]
        .concat(),
        _ => unreachable!("no such keys"),
    };
    let mut keys: Vec<_> = (0..count).map(key).collect();
    keys.sort();
    keys.dedup();
    keys
}

const FAMILIES: [&str; 11] = [
    "ascending",
    "random",
    "binary",
    "decimal",
    "tables",
    "one prefix",
    "hot prefix",
    "small layers",
    "tenants",
    "urls",
    "chains",
];

/// Fills a tree with the keys, in their order or in a scattered one.
fn tree_of(keys: &[Vec<u8>], in_order: bool) -> Tree {
    let tree = Tree::new(None).unwrap();
    let guard = tree.guard().unwrap();
    for i in 0..keys.len() as u64 {
        let place = match in_order {
            true => i,
            // A prime step visits every index once.
            false => i * 1_000_003 % keys.len() as u64,
        };
        tree.put(guard.pin(), &keys[place as usize], 0).unwrap();
    }
    drop(guard);
    tree
}

const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

fn seeds(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(|n| SEED.wrapping_mul(n))
}

/// The most nodes that may be read for each part and each node on the longest path. No run has read
/// more than half as many.
const COST: usize = 256;

/// Cuts a tree into parts. Returns a description if a part has more than twice its share and a
/// leaf, if there are too few parts, or if more nodes were read than `COST` allows.
fn faults(name: &str, tree: &Tree, keys: &[Vec<u8>], cuts: usize, seed: u64) -> Option<String> {
    let guard = tree.guard().unwrap();
    let pieces = tree.take_apart(guard.pin(), cuts + 1, seed).unwrap();
    let mut ends = vec![0];
    let mut each = |cut: &[u8]| {
        ends.push(keys.partition_point(|key| key[..] < *cut));
        true
    };
    pieces.cut(cuts, &mut each).unwrap();
    ends.push(keys.len());
    let share = keys.len() / (cuts + 1);
    let greatest = ends.windows(2).map(|part| part[1] - part[0]).max().unwrap();
    let cost = pieces.visits / (cuts + 1) / pieces.longest;
    let text = format!(
        "{name} {cuts}: {} parts, greatest {greatest} of {share}, {} nodes, {cost} each, {} deep",
        ends.len() - 1,
        pieces.visits,
        pieces.longest,
    );
    show(&text);
    // Keys with the same slice are not divided.
    let may_lack = share < 30 && !["ascending", "random"].contains(&name);
    let is_whole = ends.len() == cuts + 2 || may_lack;
    (greatest > 2 * share + WIDTH || !is_whole || cost > COST).then_some(text)
}

/// Returns the tree with this name, and its keys in ascending order. Long, since each shape is
/// written out once.
fn shape(name: &str) -> (Tree, Vec<Vec<u8>>) {
    const SHORT: u64 = 15_000;
    const LONG: u64 = 120_000;
    let short = || (0..SHORT).map(|i| mixed(i).to_vec());
    let hot = |i: u64| [PREFIX, &mixed(i)].concat();
    let mut keys: Vec<_> = match name {
        "ascending" | "random" => family(name, LONG),
        "hot prefix" | "loaded" => short().chain((0..LONG).map(hot)).collect(),
        // Few keys below the prefix are there before the others, most come after them.
        "late" => ((0..20).map(hot).chain(short()))
            .chain((20..LONG).map(hot))
            .collect(),
        // All of them are there before the others.
        "early" => (0..LONG).map(hot).chain(short()).collect(),
        // Many layers of 200 keys, below few neighbouring leaves.
        "cluster" => {
            let low = u64::from_be_bytes(mixed(7));
            let layer = |i: u64| (low + i / 200).to_be_bytes();
            let below = (0..LONG).map(|i| [&layer(i)[..], &mixed(i)].concat());
            short().chain(below).collect()
        }
        // A layer hidden in a layer hidden in a layer.
        "nested" => {
            let few = |above: &[u8]| {
                let above = above.to_vec();
                (0..2000).map(move |i| [&above[..], &mixed(i)].concat())
            };
            let (one, two) = (mixed(77), [mixed(77), mixed(88)].concat());
            let below = (0..LONG).map(|i| [&two[..], &mixed(99), &mixed(i)].concat());
            short()
                .chain(few(&one))
                .chain(few(&two))
                .chain(below)
                .collect()
        }
        // Below one leaf, layers of one leaf each with ten links or keys.
        "words" => {
            let word = |digit: u64| format!("word {digit}  ").into_bytes();
            let path = |i: u64| {
                (0..5)
                    .rev()
                    .map(move |n| word(i / 10_u64.pow(n) % 10))
                    .collect::<Vec<_>>()
            };
            let below = (0..100_000).map(|i| [PREFIX, &path(i).concat()].concat());
            short().chain(below).collect()
        }
        _ => unreachable!("no such shape"),
    };
    let tree = match name {
        "loaded" => Tree::new(None).unwrap(),
        "ascending" | "late" | "early" | "words" => tree_of(&keys, true),
        _ => tree_of(&keys, false),
    };
    keys.sort();
    keys.dedup();
    let guard = tree.guard().unwrap();
    if name == "loaded" {
        let key = |index: usize, each: &mut dyn FnMut(&[u8])| each(&keys[index]);
        let outcome = tree.bulk_load(guard.pin(), keys.len(), key, |_| Ok(0));
        assert_eq!(outcome, Ok(LoadOutcome::Done));
    }
    assert_eq!(
        tree.check(guard.pin(), &mut |line| panic!("{line}")),
        Ok(true)
    );
    drop(guard);
    (tree, keys)
}

const SHAPES: [&str; 9] = [
    "ascending",
    "random",
    "hot prefix",
    "loaded",
    "late",
    "early",
    "cluster",
    "nested",
    "words",
];

/// Known failure 37, for every shape of tree and for several random seeds: parts are even and few
/// nodes are read, also if a heavy layer is below a single leaf. Put back: in `write_slow`, do not
/// raise levels; in `levels_to_copy`, copy nothing; do not call `look_below`.
#[test]
fn a_cut_costs_a_few_descents() {
    let mut wrong = Vec::new();
    for name in SHAPES {
        let (tree, keys) = shape(name);
        for cuts in [1, 7, 31, 100] {
            for seed in seeds(20) {
                wrong.extend(faults(name, &tree, &keys, cuts, seed));
            }
        }
    }
    assert!(wrong.is_empty(), "{} {wrong:#?}", wrong.len());
}

/// Known failure 37: no part has more than twice the even share and one leaf. Put back: in
/// `descend_at_random`, ignore the layers below links; in `set_limit`, never set `by_key`.
#[test]
fn no_part_is_above_twice_its_share() {
    let mut wrong = Vec::new();
    for name in FAMILIES {
        for in_order in [true, false] {
            let keys = family(name, 30_000);
            let tree = tree_of(&keys, in_order);
            for cuts in [1, 2, 3, 7, 31, 100, 333, 1000, 3000, 10_000] {
                let count = if cuts < 50 { 20 } else { 2 };
                for seed in seeds(count) {
                    wrong.extend(faults(name, &tree, &keys, cuts, seed));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} {wrong:#?}", wrong.len());
}

/// Half of all descents in a layer of ascending keys may end at its right end, where nodes are
/// sparse. Put back: in `levels_of`, return 0 for every node without levels below.
#[test]
fn a_sparse_way_down_is_not_believed() {
    let keys = family("hot prefix", 30_000);
    let tree = tree_of(&keys, true);
    for seed in seeds(1000) {
        assert_eq!(faults("sparse", &tree, &keys, 2, seed), None);
    }
}

/// A descent that finds a heavy layer below one of 5000 leaves multiplies the layer's keys by the
/// number of leaves; the limit does not become as large. Put back: in `take_root_apart`, use the
/// average instead of the median.
#[test]
fn a_descent_to_a_heavy_layer_does_not_set_the_limit() {
    const SCATTERED: u64 = 50_000;
    let scattered = (0..SCATTERED).map(|i| mixed(i).to_vec());
    let hot = (0..SCATTERED).map(|i| [b"a prefix", &mixed(i)[..]].concat());
    let mut keys: Vec<_> = scattered.chain(hot).collect();
    keys.sort();
    let tree = tree_of(&keys, false);
    let guard = tree.guard().unwrap();
    let root = tree.root(guard.pin());
    let finds_the_layer = |seed: &u64| {
        let mut pieces = Pieces::new(&tree, 1, *seed);
        (0..DESCENTS_OF_TREE).any(|_| pieces.descend_at_random(root, 0).0 > 500 * SCATTERED)
    };
    let found: Vec<_> = seeds(10_000).filter(finds_the_layer).collect();
    assert!(found.len() > 5, "{found:?}");
    for seed in found {
        assert_eq!(faults("heavy layer", &tree, &keys, 255, seed), None);
    }
}

/// Layers that have lost nearly all of their keys look as heavy as they were. Put back: in
/// `is_spent`, return false.
#[test]
fn layers_that_were_heavy_cost_a_constant_for_each_part() {
    let keys: Vec<_> = (0..60_000_u64)
        .map(|i| [&mixed(i / 300)[..], &mixed(i)].concat())
        .collect();
    let tree = tree_of(&keys, false);
    let guard = tree.guard().unwrap();
    for (n, key) in keys.iter().enumerate() {
        if n % 20 > 0 {
            assert!(tree.remove(guard.pin(), key).is_some());
        }
    }
    let leaves = tree.survey(guard.pin()).unwrap().leaves as usize;
    assert!(leaves > 2000, "{leaves}");
    for seed in seeds(20) {
        let pieces = tree.take_apart(guard.pin(), 2, seed).unwrap();
        let most = 2 * COST * pieces.longest;
        assert!(pieces.visits < most, "{} nodes", pieces.visits);
    }
}

#[test]
fn a_small_tree_has_few_parts_and_an_empty_one_has_one() {
    let tree = Tree::new(None).unwrap();
    let guard = tree.guard().unwrap();
    let mut found: usize = 0;
    let mut count = |_: &[u8]| {
        found += 1;
        true
    };
    tree.pivots(guard.pin(), 10, &mut count).unwrap();
    assert_eq!(found, 0);
}

/// Found in review. Put back: count parts one by one; or copy the prefix for each layer.
#[test]
fn neither_many_cuts_nor_a_long_shared_prefix_cost_much() {
    let tree = Tree::new(None).unwrap();
    let guard = tree.guard().unwrap();
    let pin = guard.pin();
    for len in [0_usize, 100_000] {
        let mut cuts = 0;
        for last in 0..=GROUP_MAX {
            let mut key = vec![b'p'; len];
            key.push(last as u8);
            tree.put(pin, &key, 0).unwrap();
        }
        let mut count = |_: &[u8]| {
            cuts += 1;
            true
        };
        tree.pivots(pin, usize::MAX - 1, &mut count).unwrap();
        assert!(cuts <= 2 * (GROUP_MAX + 1), "{cuts}");
    }
    let pieces = tree.take_apart(pin, 2, SEED).unwrap();
    let bytes = pieces.prefixes.len() * size_of::<Prefix>();
    assert!(bytes < 1_000_000, "{bytes} bytes");
    assert!(pieces.visits < 200_000, "{} nodes", pieces.visits);
}

/// Put back: in `estimate`, expect that an internode has children.
#[test]
fn under_a_deleted_internode_are_no_keys() {
    let tree = Tree::new(None).unwrap();
    let guard = tree.guard().unwrap();
    let pin = guard.pin();
    for n in 0..1000_u64 {
        tree.put(pin, &n.to_be_bytes(), n).unwrap();
    }
    let AnyNode::Internode(root) = tree.root(pin).kind() else {
        panic!("the tree is not high enough");
    };
    let first = root.child(0);
    let mut pieces = Pieces::new(&tree, 1, SEED);
    assert!(pieces.estimate(first, 0, 1).0 > 0);
    for n in 0..root.key(0) {
        assert_eq!(tree.remove(pin, &n.to_be_bytes()), Some(n));
    }
    assert!(first.version().load().is_deleted());
    assert_eq!(pieces.estimate(first, 0, 1).0, 0);
}
