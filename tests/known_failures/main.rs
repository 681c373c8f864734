//! Bugs that other implementations had. Each test names its row in the project's list and
//! says how the bug was put back to see the test fail.

mod keys;
mod memory;
mod scans;
#[path = "../support/mod.rs"]
mod support;

use masstree::{Range, Tree};
use support::{keys, new_tree, put};

/// Prefixes that put keys into different layers.
const PREFIXES: [&[u8]; 3] = [b"", b"8 bytes.", b"8 bytes.and eight"];

fn numbered(prefix: &[u8], n: usize) -> Vec<u8> {
    [prefix, &(n as u64).to_be_bytes()].concat()
}

/// A tree of `n` numbered keys under a prefix, with one key on each side of the prefix.
fn layer_of(prefix: &[u8], n: usize) -> Tree {
    let tree = new_tree();
    for i in 0..n {
        put(&tree, &numbered(prefix, i), i as u64);
    }
    if !prefix.is_empty() {
        put(&tree, b"0", 0);
        put(&tree, b"9", 9);
    }
    tree
}

fn assert_scans(tree: &Tree, prefix: &[u8], expected: &[Vec<u8>]) {
    let range = Range {
        prefix,
        ..Range::all()
    };
    assert_eq!(keys(tree, &range), expected);
    let mut reversed = keys(
        tree,
        &Range {
            reverse: true,
            ..range
        },
    );
    reversed.reverse();
    assert_eq!(reversed, expected);
}
