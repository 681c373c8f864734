//! Keys that cut a tree in even parts.
//!
//! The tree is taken apart into pieces in key order, level by level and layer by layer,
//! until there are many more pieces than parts; what a piece holds is estimated from one
//! way down through it. The cuts go before the pieces where the sum passes each part's
//! share. No leaf that is not a piece of its own is read but for estimates.

use super::nodes::{children_of, entries_of};
use crate::index::key::{SLICE_LEN, shortest};
use crate::index::memory::OutOfMemory;
use crate::index::memory::Vector;
use crate::index::node::{AnyNode, Entries, NodeRef};
use crate::index::reclaim::Pin;
use crate::index::tree::Tree;
use crate::index::tree::walk::assemble::append;

/// Pieces for each part.
const PIECES: usize = 32;

/// Some keys that follow each other.
#[derive(Clone, Copy)]
struct Piece<'g> {
    /// Where they are, unless it is a single key.
    node: Option<NodeRef<'g>>,
    /// Whether it can be taken apart further.
    solid: bool,
    /// The prefix of the piece's layer, among all prefixes.
    prefix: (usize, usize),
    /// No smaller slice in its layer belongs to it.
    low: u64,
    weight: u64,
}

impl Tree {
    /// Gives `cuts` at most that many keys, ascending, that cut the tree in parts of
    /// about as many keys each. The keys need not be in the tree.
    pub fn pivots(
        &self,
        pin: Pin<'_>,
        count: usize,
        cuts: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), OutOfMemory> {
        self.admit(pin, &[]);
        let mut prefixes = Vector::new_in(self.source());
        let pieces = self.pieces(pin, count.saturating_add(1), &mut prefixes)?;
        let total: u128 = pieces.iter().map(|piece| u128::from(piece.weight)).sum();
        let parts = count as u128 + 1;
        // The weight before the piece at hand, and the part that the next cut begins.
        let mut before = 0;
        let mut part = 1;
        // Two in turn, to see that cuts ascend.
        let mut last: Vector<u8> = Vector::new_in(self.source());
        let mut key: Vector<u8> = Vector::new_in(self.source());
        for piece in &pieces {
            if part < parts && before * parts >= total * part && before > 0 {
                let (start, end) = piece.prefix;
                let (slice, len) = shortest(piece.low);
                key.clear();
                key.try_reserve(end - start + SLICE_LEN)
                    .map_err(|_| OutOfMemory)?;
                append(&mut key, &prefixes[start..end]);
                append(&mut key, &slice[..len]);
                if key[..] > last[..] {
                    if !cuts(&key) {
                        return Ok(());
                    }
                    std::mem::swap(&mut key, &mut last);
                }
                part = before * parts / total + 1;
            }
            before += u128::from(piece.weight);
        }
        Ok(())
    }

    /// The tree, taken apart for so many parts.
    fn pieces<'g>(
        &self,
        pin: Pin<'g>,
        parts: usize,
        prefixes: &mut Vector<u8>,
    ) -> Result<Vector<Piece<'g>>, OutOfMemory> {
        let mut pieces = Vector::new_in(self.source());
        let mut finer = Vector::new_in(self.source());
        pieces.try_reserve(1).map_err(|_| OutOfMemory)?;
        pieces.push(Piece {
            node: Some(self.root(pin)),
            solid: false,
            prefix: (0, 0),
            low: 0,
            weight: 0,
        });
        // Ends: each time around, every piece that is not solid is one level smaller.
        while pieces.len() / PIECES < parts && pieces.iter().any(|piece| !piece.solid) {
            finer.clear();
            for piece in &pieces {
                take_apart(piece, prefixes, &mut finer)?;
            }
            std::mem::swap(&mut pieces, &mut finer);
        }
        for piece in &mut pieces {
            piece.weight = piece.node.map_or(1, estimate);
        }
        Ok(pieces)
    }
}

fn take_apart<'g>(
    piece: &Piece<'g>,
    prefixes: &mut Vector<u8>,
    finer: &mut Vector<Piece<'g>>,
) -> Result<(), OutOfMemory> {
    let mut add = |piece| {
        finer.try_reserve(1).map_err(|_| OutOfMemory)?;
        finer.push(piece);
        Ok(())
    };
    let (false, Some(node)) = (piece.solid, piece.node) else {
        return add(*piece);
    };
    match node.kind() {
        AnyNode::Internode(internode) => {
            let (keys, children) = children_of(internode);
            let lows = std::iter::once(piece.low).chain(keys);
            for (low, child) in lows.zip(children) {
                add(Piece {
                    node: Some(child),
                    low,
                    ..*piece
                })?;
            }
        }
        AnyNode::Leaf(leaf) => {
            let mut entries = Entries::new();
            entries_of(leaf, &mut entries);
            if entries.iter().all(|entry| entry.layer().is_none()) {
                return add(Piece {
                    solid: true,
                    ..*piece
                });
            }
            for entry in entries.iter() {
                let Some(root) = entry.layer() else {
                    add(Piece {
                        node: None,
                        solid: true,
                        low: entry.slice,
                        ..*piece
                    })?;
                    continue;
                };
                let prefix = longer(piece.prefix, entry.slice, entries.len() == 1, prefixes)?;
                add(Piece {
                    node: Some(root),
                    solid: false,
                    prefix,
                    low: 0,
                    weight: 0,
                })?;
            }
        }
    }
    Ok(())
}

/// Makes a prefix longer by a slice, in place if nobody else needs the shorter one: a long
/// prefix that all keys share is kept once.
fn longer(
    (start, end): (usize, usize),
    slice: u64,
    is_only: bool,
    prefixes: &mut Vector<u8>,
) -> Result<(usize, usize), OutOfMemory> {
    let in_place = is_only && end == prefixes.len();
    let copied = if in_place { 0 } else { end - start };
    let reserved = prefixes.try_reserve(copied + SLICE_LEN);
    reserved.map_err(|_| OutOfMemory)?;
    let start = if in_place { start } else { prefixes.len() };
    prefixes.extend_from_within(end - copied..end);
    append(prefixes, &slice.to_be_bytes());
    Ok((start, prefixes.len()))
}

/// About how many keys are under a node: as many as if every node were like those on
/// one way down.
fn estimate(node: NodeRef<'_>) -> u64 {
    let mut node = node;
    let mut keys = 0_u64;
    let mut alike = 1_u64;
    let mut entries = Entries::new();
    // Ends: each time around, the node is one level or one layer further down.
    loop {
        match node.kind() {
            AnyNode::Internode(internode) => {
                let (_, children) = children_of(internode);
                let Some(&middle) = children.get(children.len() / 2) else {
                    return keys;
                };
                alike = alike.saturating_mul(children.len() as u64);
                node = middle;
            }
            AnyNode::Leaf(leaf) => {
                entries_of(leaf, &mut entries);
                let layers = entries.iter().filter_map(|entry| entry.layer());
                let links = layers.clone().count();
                let ends = (entries.len() - links) as u64;
                keys = keys.saturating_add(alike.saturating_mul(ends));
                let Some(middle) = layers.clone().nth(links / 2) else {
                    return keys;
                };
                alike = alike.saturating_mul(links as u64);
                node = middle;
            }
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::index::node::GROUP_MAX;

    fn family(name: &str, count: u64) -> Vec<Vec<u8>> {
        let mixed = |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
        let prefix = b"https://example.org/a/long/path/that/all/share/";
        let key = |i: u64| match name {
            "random" => mixed(i).to_vec(),
            "ascending" => i.to_be_bytes().to_vec(),
            "one prefix" => [&prefix[..], &mixed(i)].concat(),
            "small layers" => [&mixed(i / 20)[..], &mixed(i)].concat(),
            _ => format!("user{:020}", i * 7919).into_bytes(),
        };
        let mut keys: Vec<_> = (0..count).map(key).collect();
        keys.sort();
        keys
    }

    /// Put back: in `estimate`, forget what is under the links.
    #[test]
    fn parts_are_about_even() {
        for name in ["random", "ascending", "one prefix", "small layers", "users"] {
            let keys = family(name, 40_000);
            let tree = Tree::new(None).unwrap();
            let guard = tree.guard().unwrap();
            let pin = guard.pin();
            for key in &keys {
                tree.put(pin, key, 0).unwrap();
            }
            for cuts in [0, 1, 3, 15] {
                let mut ends: Vec<usize> = vec![0];
                tree.pivots(pin, cuts, &mut |cut| {
                    ends.push(keys.partition_point(|key| key[..] < *cut));
                    true
                })
                .unwrap();
                ends.push(keys.len());
                assert_eq!(ends.len(), cuts + 2, "{name}");
                let share = keys.len() / (cuts + 1);
                for part in ends.windows(2) {
                    let len = part[1] - part[0];
                    assert!(
                        len * 2 > share && len < share * 2,
                        "{name}, {cuts}: {ends:?}"
                    );
                }
            }
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
        let mut prefixes = Vector::new_in(tree.source());
        tree.pieces(pin, 2, &mut prefixes).unwrap();
        assert!(prefixes.len() < 1_000_000, "{} bytes", prefixes.len());
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
        assert!(estimate(first) > 0);
        for n in 0..root.key(0) {
            assert_eq!(tree.remove(pin, &n.to_be_bytes()), Some(n));
        }
        assert!(first.version().load().is_deleted());
        assert_eq!(estimate(first), 0);
    }
}
