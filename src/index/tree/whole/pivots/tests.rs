//! How even the parts are, and what they cost.

use super::*;
use crate::index::node::{GROUP_MAX, WIDTH};

mod beside;
mod memory;

/// Prints a line, if asked to.
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

/// Which tenant a key is of: the first has a third of all keys, the second a fifth, and so on.
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

/// Trees are filled in the order of the keys, or in another.
fn tree_of(keys: &[Vec<u8>], in_order: bool) -> Tree {
    let tree = Tree::new(None).unwrap();
    let guard = tree.guard().unwrap();
    for i in 0..keys.len() as u64 {
        let place = match in_order {
            true => i,
            // A prime step goes everywhere.
            false => i * 1_000_003 % keys.len() as u64,
        };
        tree.put(guard.pin(), &keys[place as usize], 0).unwrap();
    }
    drop(guard);
    tree
}

/// Where the parts end, and how many nodes were read for it.
fn parts(tree: &Tree, keys: &[Vec<u8>], cuts: usize) -> (Vec<usize>, usize) {
    let guard = tree.guard().unwrap();
    let pieces = tree.take_apart(guard.pin(), cuts + 1).unwrap();
    let mut ends = vec![0];
    let mut each = |cut: &[u8]| {
        ends.push(keys.partition_point(|key| key[..] < *cut));
        true
    };
    pieces.cut(cuts, &mut each).unwrap();
    ends.push(keys.len());
    (ends, pieces.visits)
}

/// Known failure 37, as it was found, and how many nodes are read for it: some for each part,
/// and at most those of the layer that hides another. Put back: let `hunt` look for what is
/// missing in what it has found, too.
#[test]
fn a_cut_costs_a_few_ways_down() {
    for (name, hidden_in) in [("ascending", 0), ("random", 0), ("hot prefix", 60_000 / 7)] {
        let keys = family(name, 600_000);
        let tree = tree_of(&keys, name == "ascending");
        for cuts in [1, 7, 31, 100] {
            let (ends, visits) = parts(&tree, &keys, cuts);
            let share = keys.len() / (cuts + 1);
            let greatest = ends.windows(2).map(|part| part[1] - part[0]).max().unwrap();
            let text = format!("{name} {cuts}: {greatest} of {share}, {visits} nodes");
            show(&text);
            assert!(
                greatest <= 2 * share + 15 && ends.len() == cuts + 2,
                "{text}"
            );
            let ways = (cuts + 1) * FINENESS as usize * (WIDTH + 1);
            assert!(visits < 3 * ways + 2 * hidden_in, "{text}");
        }
    }
}

/// Known failure 37: no part has more than twice the even share and one leaf. Put back: in
/// `take_apart`, do not hunt; in `estimate`, forget what is under the links; in `cut`,
/// begin a part only where the one before has all of its share.
#[test]
fn no_part_is_above_twice_its_share() {
    let mut wrong = Vec::new();
    for name in FAMILIES {
        for in_order in [true, false] {
            let keys = family(name, 60_000);
            let tree = tree_of(&keys, in_order);
            let guard = tree.guard().unwrap();
            let leaves = tree.survey(guard.pin()).unwrap().leaves as usize;
            for cuts in [1, 2, 3, 7, 31, 100, 333, 1000, 3000, 10_000] {
                let (ends, visits) = parts(&tree, &keys, cuts);
                let share = keys.len() / (cuts + 1);
                let greatest = ends.windows(2).map(|part| part[1] - part[0]).max().unwrap();
                let is_whole = ends.len() == cuts + 2 || cuts >= leaves;
                let text = format!(
                    "{name} {in_order} {cuts}: {} parts, greatest {greatest} of {share}, \
                     {visits} nodes of {leaves}",
                    ends.len() - 1
                );
                show(&text);
                if greatest > 2 * share + 15 || !is_whole {
                    wrong.push(text);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
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
    let pieces = tree.take_apart(pin, 2).unwrap();
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
    let mut pieces = Pieces::new(&tree);
    assert!(pieces.estimate(first).0 > 0);
    for n in 0..root.key(0) {
        assert_eq!(tree.remove(pin, &n.to_be_bytes()), Some(n));
    }
    assert!(first.version().load().is_deleted());
    assert_eq!(pieces.estimate(first).0, 0);
}
