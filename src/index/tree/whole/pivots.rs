//! Finds keys that cut a tree into parts of even size.
//!
//! The tree is taken apart into pieces in key order. A piece is a node with everything below
//! it, or a key that lies between two links of a leaf. The keys of a leaf without links are
//! counted. Those of any other piece are estimated from one random descent through it: the
//! estimate is the number of keys that the piece would have if every node were like those on
//! the path (Knuth, Estimating the efficiency of backtrack programs, 1975), which is right on
//! average. A piece with an estimate above a small share of a part is taken apart. So a
//! part's error is the sum of many small errors.
//!
//! **Layers that random descents miss.** A leaf with few keys of its own may link to a layer
//! that holds most keys of the tree, and a few random descents may miss that link. But the
//! number of keys in the tree is known. As long as the pieces lack more keys than half a
//! part, and more than chance explains, smaller and smaller pieces are taken apart until the
//! layer is found. At worst this opens all leaves of the layers above it, and none in it.
//!
//! **Cost.** The number of pieces is constant for each part, except for those that a hidden
//! layer requires; each piece costs one descent. Nothing here is exact beside writers: each
//! node is read as it was at one moment, a deleted node has no keys, and the count of keys
//! may be off, which makes parts uneven or costs a few more reads. No lock is taken.
//!
//! **The cuts.** Each cut lies between the pieces where the part is closest to its even share
//! of the remaining keys, so that the excess of one part reduces the others. When only as
//! many pieces are left as cuts, a cut goes before each piece.

use super::nodes::{children_of, entries_of};
use crate::index::key::{SLICE_LEN, shortest};
use crate::index::memory::OutOfMemory;
use crate::index::memory::Vector;
use crate::index::node::{AnyNode, Entries, Internode, Leaf, NodeRef};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::walk::assemble::append;

/// Smallest number of estimated pieces in a part.
const FINENESS: u64 = 8;

/// Longest path of a random descent, in nodes; everything below counts as one key. Layers
/// make paths long: eight bytes of key each.
const LONGEST_PATH: usize = 4096;

/// Consecutive keys.
#[derive(Clone, Copy)]
struct Piece<'g> {
    /// The node to take apart further; `None` if the weight is exact.
    node: Option<NodeRef<'g>>,
    /// The prefix of the piece's layer, as a range of `Pieces::prefixes`.
    prefix: (usize, usize),
    /// The smallest slice in its layer that belongs to it.
    low: u64,
    /// How many keys it has, or an estimate.
    weight: u64,
}

/// A piece that may have to be taken apart.
struct Task<'g> {
    piece: Piece<'g>,
    /// A piece heavier than this is taken apart.
    limit: u64,
}

/// A tree being taken apart.
struct Pieces<'g> {
    /// In key order.
    pieces: Vector<Piece<'g>>,
    prefixes: Vector<u8>,
    /// Tasks that are not pieces yet; the first in key order is last.
    tasks: Vector<Task<'g>>,
    /// Whether leaves are taken apart into single keys, too.
    by_key: bool,
    random: u64,
    /// Nodes that were read.
    visits: usize,
}

impl Tree {
    /// Passes `count` ascending keys to `cuts` that cut the tree into parts with about the
    /// same number of keys; fewer if the tree has fewer leaves. The keys need not exist in
    /// the tree. Stops when `cuts` returns false.
    pub fn pivots(
        &self,
        pin: Pinned<'_>,
        count: usize,
        cuts: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), OutOfMemory> {
        self.admit(pin, &[]);
        let pieces = self.take_apart(pin, count.saturating_add(1))?;
        pieces.cut(count, cuts)
    }

    /// Takes the tree apart for this many parts.
    fn take_apart<'g>(&self, pin: Pinned<'g>, parts: usize) -> Result<Pieces<'g>, OutOfMemory> {
        let mut pieces = Pieces::new(self);
        let whole = Piece {
            node: Some(self.root(pin)),
            prefix: (0, 0),
            low: 0,
            weight: u64::MAX,
        };
        let known = self.key_count();
        let coarse = known / (parts as u64).saturating_mul(FINENESS);
        // The root is always taken apart, without an estimate.
        pieces.add_task(whole, coarse)?;
        pieces.take_tasks(coarse)?;
        pieces.find_missing(known, coarse, known / (parts as u64).saturating_mul(2))?;
        if pieces.pieces.len() < parts {
            // Few leaves for each part: take the tree apart key by key.
            pieces = Pieces::new(self);
            pieces.by_key = true;
            pieces.add_task(whole, 1)?;
            pieces.take_tasks(1)?;
        }
        Ok(pieces)
    }
}

impl<'g> Pieces<'g> {
    fn new(tree: &Tree) -> Self {
        let source = tree.source();
        Self {
            pieces: Vector::new_in(source),
            prefixes: Vector::new_in(source),
            tasks: Vector::new_in(source),
            by_key: false,
            random: 0x9E37_79B9_7F4A_7C15,
            visits: 0,
        }
    }

    /// Takes smaller and smaller pieces apart as long as more than `allowed` of the known
    /// keys are missing from the pieces.
    fn find_missing(&mut self, known: u64, coarse: u64, allowed: u64) -> Result<(), OutOfMemory> {
        let mut limit = coarse;
        let mut before = 0;
        // Ends: each round fewer keys are missing, by a fixed ratio, or the limit is a
        // quarter of what it was; at limit 0 everything is taken apart.
        while let Some(missing) = self.missing(known, allowed)
            && limit > 0
        {
            if missing >= before - before / 64 {
                limit /= 4;
            }
            before = missing;
            let coarse = if limit == 0 { 0 } else { coarse };
            let mut pieces = Vector::new_in(*self.prefixes.allocator());
            std::mem::swap(&mut pieces, &mut self.pieces);
            for piece in pieces {
                self.add_task(piece, limit)?;
                self.take_tasks(coarse)?;
            }
        }
        Ok(())
    }

    /// How many keys are missing, if more than `allowed` and more than the error of the
    /// estimates explains.
    fn missing(&self, known: u64, allowed: u64) -> Option<u64> {
        let mut found = 0_u64;
        let mut variance = 0.0;
        for piece in &self.pieces {
            found = found.saturating_add(piece.weight);
            if piece.node.is_some() {
                // Nodes are half full to full: an estimate is seldom off by more than half.
                variance += (piece.weight as f64 / 2.0).powi(2);
            }
        }
        let missing = known.saturating_sub(found);
        (missing > allowed && missing as f64 > 2.0 * variance.sqrt()).then_some(missing)
    }

    fn add_task(&mut self, piece: Piece<'g>, limit: u64) -> Result<(), OutOfMemory> {
        self.tasks.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.tasks.push(Task { piece, limit });
        Ok(())
    }

    /// Turns tasks into pieces. A part that is heavier than the estimate of its whole piece
    /// is what the search looks for, and is taken apart only down to `coarse`.
    fn take_tasks(&mut self, coarse: u64) -> Result<(), OutOfMemory> {
        // Ends: each node is taken apart once, and then its parts.
        while let Some(Task { piece, limit }) = self.tasks.pop() {
            let Some(node) = piece.node.filter(|_| piece.weight > limit) else {
                self.pieces.try_reserve(1).map_err(|_| OutOfMemory)?;
                self.pieces.push(piece);
                continue;
            };
            let first = self.tasks.len();
            match node.kind() {
                AnyNode::Internode(internode) => self.open_internode(&piece, internode)?,
                AnyNode::Leaf(leaf) => self.open_leaf(&piece, leaf)?,
            }
            for task in &mut self.tasks[first..] {
                let is_heavier = task.piece.weight > piece.weight;
                task.limit = if is_heavier { limit.max(coarse) } else { limit };
            }
            self.tasks[first..].reverse();
        }
        Ok(())
    }

    fn open_internode(
        &mut self,
        piece: &Piece<'g>,
        internode: &'g Internode,
    ) -> Result<(), OutOfMemory> {
        self.visits += 1;
        let (keys, children) = children_of(internode);
        let lows = std::iter::once(piece.low).chain(keys);
        let is_only = children.len() == 1;
        for (low, child) in lows.zip(children) {
            let (weight, is_exact) = match is_only {
                true => (piece.weight, false),
                false => self.estimate(child),
            };
            let part = Piece {
                node: (!is_exact).then_some(child),
                low,
                weight,
                ..*piece
            };
            self.add_task(part, 0)?;
        }
        Ok(())
    }

    fn open_leaf(&mut self, piece: &Piece<'g>, leaf: &'g Leaf) -> Result<(), OutOfMemory> {
        self.visits += 1;
        let mut entries = Entries::new();
        entries_of(leaf, &mut entries);
        let links = entries.iter().filter(|entry| entry.layer().is_some());
        let links = links.count();
        let key_count = (entries.len() - links) as u64;
        if links == 0 && !self.by_key {
            return self.add_task(
                Piece {
                    node: None,
                    weight: key_count,
                    ..*piece
                },
                0,
            );
        }
        for entry in entries.iter() {
            let Some(root) = entry.layer() else {
                let key = Piece {
                    node: None,
                    low: entry.slice,
                    weight: 1,
                    ..*piece
                };
                self.add_task(key, 0)?;
                continue;
            };
            // A chain of layers is descended once, not once more for each of them.
            let (weight, is_exact) = match links {
                1 if piece.weight != u64::MAX => (piece.weight.saturating_sub(key_count), false),
                _ => self.estimate(root),
            };
            let below = Piece {
                node: (!is_exact).then_some(root),
                prefix: self.extend_prefix(piece.prefix, entry.slice)?,
                low: 0,
                weight,
            };
            self.add_task(below, 0)?;
        }
        Ok(())
    }

    /// Extends a prefix by a slice; in place if it is the last prefix, so that a chain of
    /// layers takes no more memory than its longest prefix.
    fn extend_prefix(
        &mut self,
        (start, end): (usize, usize),
        slice: u64,
    ) -> Result<(usize, usize), OutOfMemory> {
        let prefixes = &mut self.prefixes;
        let in_place = end == prefixes.len();
        let copied = if in_place { 0 } else { end - start };
        let reserved = prefixes.try_reserve(copied + SLICE_LEN);
        reserved.map_err(|_| OutOfMemory)?;
        let start = if in_place { start } else { prefixes.len() };
        prefixes.extend_from_within(end - copied..end);
        append(prefixes, &slice.to_be_bytes());
        Ok((start, prefixes.len()))
    }

    /// Estimates the number of keys below a node; also returns whether the number is exact.
    fn estimate(&mut self, node: NodeRef<'g>) -> (u64, bool) {
        let mut node = node;
        let mut keys = 0_u64;
        let mut multiplier = 1_u64;
        let mut entries = Entries::new();
        for step in 0..LONGEST_PATH {
            self.visits += 1;
            match node.kind() {
                AnyNode::Internode(internode) => {
                    let (_, children) = children_of(internode);
                    let Some(&child) = children.get(self.draw(children.len())) else {
                        return (keys, false);
                    };
                    multiplier = multiplier.saturating_mul(children.len() as u64);
                    node = child;
                }
                AnyNode::Leaf(leaf) => {
                    entries_of(leaf, &mut entries);
                    let layers = entries.iter().filter_map(|entry| entry.layer());
                    let links = layers.clone().count();
                    let key_count = (entries.len() - links) as u64;
                    keys = keys.saturating_add(multiplier.saturating_mul(key_count));
                    let Some(root) = layers.clone().nth(self.draw(links)) else {
                        return (keys, step == 0 && !self.by_key);
                    };
                    multiplier = multiplier.saturating_mul(links as u64);
                    node = root;
                }
            }
        }
        (keys.saturating_add(multiplier), false)
    }

    /// A random number below `bound`, or 0. Xorshift: Marsaglia 2003.
    fn draw(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (((self.random >> 32) * bound as u64) >> 32) as usize
    }

    /// Passes the cuts to `cuts`.
    fn cut(&self, count: usize, cuts: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), OutOfMemory> {
        let source = *self.prefixes.allocator();
        // Two buffers in turn, to check that cuts ascend.
        let mut last: Vector<u8> = Vector::new_in(source);
        let mut key: Vector<u8> = Vector::new_in(source);
        let weights = self.pieces.iter().map(|piece| u128::from(piece.weight));
        // `left`: keys of the current part and all after it. `part`: keys of the current
        // part.
        let mut left: u128 = weights.sum();
        let mut part = 0_u128;
        let mut cuts_left = count as u128;
        for (index, piece) in self.pieces.iter().enumerate() {
            let weight = u128::from(piece.weight);
            let pieces_are_scarce = (self.pieces.len() - index) as u128 <= cuts_left;
            // The part is closer to its share without this piece than with it.
            let is_full = (2 * part + weight) * (cuts_left + 1) >= 2 * left;
            if cuts_left > 0 && part > 0 && (is_full || pieces_are_scarce) {
                let (start, end) = piece.prefix;
                let (slice, len) = shortest(piece.low);
                key.clear();
                key.try_reserve(end - start + SLICE_LEN)
                    .map_err(|_| OutOfMemory)?;
                append(&mut key, &self.prefixes[start..end]);
                append(&mut key, &slice[..len]);
                if key[..] > last[..] {
                    if !cuts(&key) {
                        return Ok(());
                    }
                    std::mem::swap(&mut key, &mut last);
                    (left, part, cuts_left) = (left - part, 0, cuts_left - 1);
                }
            }
            part += weight;
        }
        Ok(())
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
