//! Keys that cut a tree in even parts.
//!
//! The tree is taken apart into pieces in key order. A piece is a node with all below it, or
//! a key. What it holds is counted if it is a leaf without links, and otherwise estimated from
//! two ways down through it, drawn at random: as many keys as if every node were like those on
//! that way (Knuth, Estimating the efficiency of backtrack programs, 1975), which is right on
//! average. Whatever is estimated at more than a small share of a part is taken apart; so a
//! part's error is that of many small ones. If that share is less than a leaf, leaves are taken
//! apart, too.
//!
//! **What no way down meets.** A leaf without keys of its own to speak of may link to a layer
//! with most keys of the tree, and a few ways down pass it by. But the nodes above say how high
//! the layers below them are (see `write::levels`). So pieces that are estimated as small are
//! opened nevertheless if their levels allow more than the small share, those with most levels
//! first. So are pieces whose estimate is less than half-full nodes would have: on the right of
//! ascending keys, each node has few children, and half of all ways lead there. The weight of a
//! layer that is found so is estimated like any other. Estimates need not add up to the count
//! of keys: one that is accepted is more often too small than too great, everywhere alike, and
//! the cuts depend on their ratios only.
//!
//! **Cost.** At each depth of the tree, all nodes have as many keys as the tree; estimates are
//! right on average; so on average at most 8 for each part are estimated at more than an eighth
//! of it (Markov), whatever the tree is like. Each node that is opened costs two ways down for
//! each of its children. For what it may hide, a piece is opened only until [`LOOKS`] nodes were
//! read for each part and each node of the longest way down, and for any other reason until
//! [`MOST_VISITS`] were: so the bound holds for every tree. What that costs is evenness, as where a
//! great many layers are as high as those that hold most keys, or were so before their keys were
//! removed.
//!
//! Nothing here is exact beside writers: nodes are read as of one moment each, one that was
//! deleted has no keys, and the count of keys may be off. No lock is taken.
//!
//! **The cuts** go to the piece nearest to where a part has its share of what is left, so that
//! what one part has too much the others have less.

use super::nodes::{children_of, entries_of};
use crate::index::key::{SLICE_LEN, shortest};
use crate::index::memory::OutOfMemory;
use crate::index::memory::Vector;
use crate::index::node::{AnyNode, Entries, Internode, Leaf, NodeRef, WIDTH};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::walk::assemble::append;

/// Pieces that make up a part, at least, if they are estimated.
const FINENESS: u64 = 8;

/// Nodes that are read at most, for each part and each node of the longest way down, until pieces
/// are not opened any more because of what they may hide.
const LOOKS: usize = 128;

/// The same, until no piece is opened any more.
const MOST_VISITS: usize = 1024;

/// Ways down from which a piece is estimated.
const WAYS: u64 = 2;

/// Ways down from which a tree is estimated as a whole.
const WAYS_DOWN_A_TREE: usize = 8;

/// A piece is estimated from a way down of so many nodes at most: what is below counts as one
/// key. Layers make it long, eight bytes of key each.
const LONGEST_WAY: usize = 4096;

/// Some keys that follow each other.
#[derive(Clone, Copy)]
struct Piece<'g> {
    /// What can be taken apart further; otherwise the weight is exact.
    node: Option<NodeRef<'g>>,
    /// The prefix of the piece's layer, among all prefixes; none is empty.
    prefix: Option<usize>,
    /// No smaller slice in its layer belongs to it.
    low: u64,
    /// How many keys it has.
    weight: u64,
    /// Nodes above it.
    depth: usize,
    /// If not 0, it may have more keys than it is estimated at, 15·16^`levels` or so at most.
    levels: u32,
}

impl Piece<'_> {
    /// Whether more keys than a limit may be hidden in it.
    fn may_hide(&self, limit: u64) -> bool {
        let most = (WIDTH as u128) << (4 * self.levels).min(u64::BITS);
        self.node.is_some() && self.levels > 0 && most > u128::from(limit)
    }
}

/// What the keys of a layer share: what those of the layer above share, and a slice more.
/// Prefixes are stored as a tree, so that each link adds a constant number of bytes.
struct Prefix {
    above: Option<usize>,
    slice: u64,
    /// Slices, this one included.
    slices: usize,
}

/// A tree being taken apart.
struct Pieces<'g> {
    /// In key order.
    pieces: Vector<Piece<'g>>,
    prefixes: Vector<Prefix>,
    /// What is yet to become pieces, the first last.
    tasks: Vector<Piece<'g>>,
    parts: u64,
    /// What is heavier is taken apart.
    limit: u64,
    /// Whether leaves are taken apart, too.
    by_key: bool,
    random: u64,
    /// Nodes that were read.
    visits: usize,
    /// The most nodes on a way down.
    longest: usize,
}

impl Tree {
    /// Gives `cuts` that many keys, ascending, that cut the tree in parts of about as many
    /// keys each; fewer if the tree has fewer keys. The keys need not be in the tree.
    pub fn pivots(
        &self,
        pin: Pinned<'_>,
        count: usize,
        cuts: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), OutOfMemory> {
        self.admit(pin, &[]);
        let pieces = self.take_apart(pin, count.saturating_add(1), 0x9E37_79B9_7F4A_7C15)?;
        pieces.cut(count, cuts)
    }

    /// The tree, taken apart for so many parts.
    fn take_apart<'g>(
        &self,
        pin: Pinned<'g>,
        parts: usize,
        random: u64,
    ) -> Result<Pieces<'g>, OutOfMemory> {
        // Ends: each time around, a writer has replaced the root.
        loop {
            let root = self.root(pin);
            if let Some(pieces) = self.take_root_apart(pin, root, parts, random)? {
                return Ok(pieces);
            }
        }
    }

    /// `take_apart` with what was the root. Says no if the root is another by now: what was read may
    /// be half a tree or none, and the count that of another tree.
    fn take_root_apart<'g>(
        &self,
        pin: Pinned<'g>,
        root: NodeRef<'g>,
        parts: usize,
        random: u64,
    ) -> Result<Option<Pieces<'g>>, OutOfMemory> {
        let mut pieces = Pieces::new(self, parts, random);
        let mut ways = [(); WAYS_DOWN_A_TREE].map(|()| pieces.go_down(root, 0).0);
        ways.sort_unstable();
        // Not their average: one that meets a heavy layer below one of many leaves is far above it.
        let estimated = ways[WAYS_DOWN_A_TREE / 2];
        // The count may be short, and then the limit must not be: that would open every node.
        // A quarter: a count that is right cuts more evenly than an estimate that is too great.
        pieces.set_limit(self.key_count().max(estimated / 4));
        let whole = Piece {
            node: Some(root),
            prefix: None,
            low: 0,
            weight: u64::MAX,
            depth: 0,
            levels: 0,
        };
        pieces.open(&whole, root)?;
        if self.root(pin) != root {
            return Ok(None);
        }
        pieces.take_tasks(u32::MAX)?;
        pieces.look_below()?;
        Ok(Some(pieces))
    }
}

/// The levels of a node and of the layers below its links, if there are any. Without, the levels of
/// the node if its estimate is less than half-full nodes would have: a way down
/// was a sparse one, as on the right of ascending keys. Otherwise 0.
fn levels_of(node: NodeRef<'_>, weight: u64) -> u32 {
    let height = u32::from(node.height());
    let usual = (WIDTH as u64) << (3 * height).min(u32::BITS) >> 1;
    match node.levels_below() {
        0 if weight < usual => height,
        0 => 0,
        below => height + u32::from(below) + 1,
    }
}

impl<'g> Pieces<'g> {
    fn new(tree: &Tree, parts: usize, random: u64) -> Self {
        let source = tree.source();
        Self {
            pieces: Vector::new_in(source),
            prefixes: Vector::new_in(source),
            tasks: Vector::new_in(source),
            parts: parts as u64,
            limit: 0,
            by_key: false,
            random,
            visits: 0,
            longest: 1,
        }
    }

    /// Sets what is taken apart, of so many keys.
    fn set_limit(&mut self, known: u64) {
        self.limit = known / self.parts.saturating_mul(FINENESS);
        self.by_key = self.limit < WIDTH as u64;
    }

    /// Opens pieces that may hide more than the limit, those with most levels first.
    fn look_below(&mut self) -> Result<(), OutOfMemory> {
        // Ends: each time around, more nodes were read.
        while !self.is_spent(LOOKS) {
            let hiding = self
                .pieces
                .iter()
                .filter(|piece| piece.may_hide(self.limit));
            let Some(most) = hiding.map(|piece| piece.levels).max() else {
                return Ok(());
            };
            let mut pieces = Vector::new_in(*self.prefixes.allocator());
            std::mem::swap(&mut pieces, &mut self.pieces);
            for piece in pieces {
                self.add_task(piece)?;
                self.take_tasks(most - most / 8)?;
            }
        }
        Ok(())
    }

    /// Whether so many nodes were read for each part and each node of the longest way down.
    fn is_spent(&self, most: usize) -> bool {
        let most = most.saturating_mul(self.longest);
        self.visits > most.saturating_mul(self.parts as usize)
    }

    fn add_task(&mut self, piece: Piece<'g>) -> Result<(), OutOfMemory> {
        self.tasks.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.tasks.push(piece);
        Ok(())
    }

    /// Makes tasks pieces. Opens those that are estimated above the limit, and those that may hide as
    /// much and have `levels`.
    fn take_tasks(&mut self, levels: u32) -> Result<(), OutOfMemory> {
        // Ends: each node is taken apart once, and what is below it then.
        while let Some(piece) = self.tasks.pop() {
            let is_heavy = piece.weight > self.limit;
            let is_open = match is_heavy {
                true => !self.is_spent(MOST_VISITS),
                false => {
                    piece.levels >= levels && piece.may_hide(self.limit) && !self.is_spent(LOOKS)
                }
            };
            match piece.node {
                Some(node) if is_open => self.open(&piece, node)?,
                _ => {
                    self.pieces.try_reserve(1).map_err(|_| OutOfMemory)?;
                    self.pieces.push(piece);
                }
            }
        }
        Ok(())
    }

    /// Makes the parts of a piece tasks, before all others.
    fn open(&mut self, piece: &Piece<'g>, node: NodeRef<'g>) -> Result<(), OutOfMemory> {
        let first = self.tasks.len();
        match node.kind() {
            AnyNode::Internode(internode) => self.open_internode(piece, internode)?,
            AnyNode::Leaf(leaf) => self.open_leaf(piece, leaf)?,
        }
        self.tasks[first..].reverse();
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
        let is_only = children.len() == 1 && piece.weight != u64::MAX;
        for (low, child) in lows.zip(children) {
            let (weight, is_exact) = match is_only {
                true => (piece.weight, false),
                false => self.estimate(child, piece.depth + 1, WAYS),
            };
            let part = Piece {
                node: (!is_exact).then_some(child),
                low,
                weight,
                depth: piece.depth + 1,
                levels: levels_of(child, weight),
                ..*piece
            };
            self.add_task(part)?;
        }
        Ok(())
    }

    fn open_leaf(&mut self, piece: &Piece<'g>, leaf: &'g Leaf) -> Result<(), OutOfMemory> {
        self.visits += 1;
        let mut entries = Entries::new();
        entries_of(leaf, &mut entries);
        let links = entries.iter().filter(|entry| entry.layer().is_some());
        let links = links.count();
        let ends = (entries.len() - links) as u64;
        if links == 0 && !self.by_key {
            return self.add_task(Piece {
                node: None,
                weight: ends,
                ..*piece
            });
        }
        for entry in entries.iter() {
            let Some(root) = entry.layer() else {
                let key = Piece {
                    node: None,
                    low: entry.slice,
                    weight: 1,
                    ..*piece
                };
                self.add_task(key)?;
                continue;
            };
            // A chain of layers is gone down once, not again for each of them.
            let (weight, is_exact) = match links {
                1 if piece.weight != u64::MAX => (piece.weight.saturating_sub(ends), false),
                _ => self.estimate(root, piece.depth + 1, WAYS),
            };
            let below = Piece {
                node: (!is_exact).then_some(root),
                prefix: self.longer(piece.prefix, entry.slice)?,
                low: 0,
                weight,
                depth: piece.depth + 1,
                levels: levels_of(root, weight),
            };
            self.add_task(below)?;
        }
        Ok(())
    }

    /// Makes a prefix longer by a slice.
    fn longer(&mut self, above: Option<usize>, slice: u64) -> Result<Option<usize>, OutOfMemory> {
        let prefixes = &mut self.prefixes;
        prefixes.try_reserve(1).map_err(|_| OutOfMemory)?;
        let slices = above.map_or(0, |above| prefixes[above].slices) + 1;
        prefixes.push(Prefix {
            above,
            slice,
            slices,
        });
        Ok(Some(prefixes.len() - 1))
    }

    /// Makes `key` the least that a piece may have.
    fn assemble(&self, key: &mut Vector<u8>, piece: &Piece<'_>) -> Result<(), OutOfMemory> {
        let mut prefix = piece.prefix.map(|prefix| &self.prefixes[prefix]);
        let mut end = prefix.map_or(0, |prefix| prefix.slices) * SLICE_LEN;
        key.clear();
        key.try_reserve(end + SLICE_LEN).map_err(|_| OutOfMemory)?;
        key.resize(end, 0);
        while let Some(Prefix { above, slice, .. }) = prefix {
            key[end - SLICE_LEN..end].copy_from_slice(&slice.to_be_bytes());
            end -= SLICE_LEN;
            prefix = above.map(|above| &self.prefixes[above]);
        }
        let (slice, len) = shortest(piece.low);
        append(key, &slice[..len]);
        Ok(())
    }

    /// About how many keys are under a node of a depth, by so many ways down, and whether it is just
    /// so many.
    fn estimate(&mut self, node: NodeRef<'g>, depth: usize, ways: u64) -> (u64, bool) {
        let mut sum = 0_u64;
        for _ in 0..ways {
            let (keys, is_exact) = self.go_down(node, depth);
            if is_exact {
                return (keys, true);
            }
            sum = sum.saturating_add(keys);
        }
        (sum / ways, false)
    }

    /// `estimate` by one way down.
    fn go_down(&mut self, mut node: NodeRef<'g>, depth: usize) -> (u64, bool) {
        let mut keys = 0_u64;
        let mut alike = 1_u64;
        let mut entries = Entries::new();
        for way in 0..LONGEST_WAY {
            self.visits += 1;
            self.longest = self.longest.max(depth + way + 1);
            match node.kind() {
                AnyNode::Internode(internode) => {
                    let (_, children) = children_of(internode);
                    let Some(&child) = children.get(self.draw(children.len())) else {
                        return (keys, false);
                    };
                    alike = alike.saturating_mul(children.len() as u64);
                    node = child;
                }
                AnyNode::Leaf(leaf) => {
                    entries_of(leaf, &mut entries);
                    let layers = entries.iter().filter_map(|entry| entry.layer());
                    let links = layers.clone().count();
                    let ends = (entries.len() - links) as u64;
                    keys = keys.saturating_add(alike.saturating_mul(ends));
                    let Some(root) = layers.clone().nth(self.draw(links)) else {
                        return (keys, way == 0 && !self.by_key);
                    };
                    alike = alike.saturating_mul(links as u64);
                    node = root;
                }
            }
        }
        (keys.saturating_add(alike), false)
    }

    /// A number below `bound`, or 0. Xorshift: Marsaglia 2003.
    fn draw(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (((self.random >> 32) * bound as u64) >> 32) as usize
    }

    /// Hands on the cuts.
    fn cut(&self, count: usize, cuts: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), OutOfMemory> {
        let source = *self.prefixes.allocator();
        // Two in turn, to see that cuts ascend.
        let mut last: Vector<u8> = Vector::new_in(source);
        let mut key: Vector<u8> = Vector::new_in(source);
        let weights = self.pieces.iter().map(|piece| u128::from(piece.weight));
        // What the part at hand and all after it have, what it has, how many cuts are left.
        let mut left: u128 = weights.sum();
        let mut part = 0_u128;
        let mut wanted = count as u128;
        for piece in &self.pieces {
            let weight = u128::from(piece.weight);
            // Nearer to the part's share without the piece than with it.
            let is_full = (2 * part + weight) * (wanted + 1) >= 2 * left;
            if wanted > 0 && part > 0 && is_full {
                self.assemble(&mut key, piece)?;
                if key[..] > last[..] {
                    if !cuts(&key) {
                        return Ok(());
                    }
                    std::mem::swap(&mut key, &mut last);
                    (left, part, wanted) = (left - part, 0, wanted - 1);
                }
            }
            part += weight;
        }
        Ok(())
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
