//! Selects keys that divide a tree into parts with about as many keys each.
//!
//! `pivots` takes the tree apart into pieces, in key order. A piece is a key, or a node together
//! with everything below it. The *weight* of a piece is its number of keys. For a leaf without
//! links, this is a count. For any other node it is an estimate from two random descents: the
//! number of keys if all nodes of each level were like the one on the path (Knuth, Estimating the
//! efficiency of backtrack programs, 1975). The average of such estimates over all paths is exact.
//! A piece that weighs more than a small share of a part (the *limit*) is opened, which means that
//! smaller pieces replace it. So the error of a part is the sum of many small errors. If the limit
//! is less than a leaf, leaves are opened into keys, too.
//!
//! **Pieces that weigh more than estimated.** A leaf with few keys of its own may link to a layer
//! that contains most keys of the tree, and a few random descents miss that layer. But the nodes
//! above record how high the layers below them are (see `write::levels`). So a piece with a small
//! estimate is opened, too, if its levels are enough for more keys than the limit; pieces with the
//! most levels come first. The same holds for a piece whose estimate is less than half-full nodes
//! would contain: where keys were inserted in ascending order, the rightmost nodes have few
//! children, and half of all random descents take this sparse path. The weight of a layer found in
//! this way is an estimate like any other. The estimates need not add up to the count of keys: an
//! estimate that is accepted without opening is more often too small than too great, but equally so
//! everywhere in the tree, and the cuts depend only on the ratios of the weights.
//!
//! **Cost.** All nodes at one depth together have at most as many keys as the tree, and estimates
//! are right on average. So at each depth, on average at most 8 nodes for each part are estimated
//! at more than an eighth of a part, whatever the shape of the tree (Markov's inequality).
//! Opening a node costs two descents for each of its children. Let N be the number of parts times
//! the number of nodes on the longest path. A piece with a small estimate is opened only until
//! [`LOOKS`]·N nodes were read, and any piece only until [`MOST_VISITS`]·N nodes were read: so the
//! cost is bounded for every tree. When a bound is reached, the parts become less even, for example
//! if very many layers are as high as those that contain most keys, or were so before their keys
//! were removed.
//!
//! While writers are active, nothing here is exact: each node is read at a moment of its own, a
//! deleted node counts as having no keys, and the count of keys may be off. No lock is taken.
//!
//! **Cuts.** A cut is placed between the pieces where the part's weight is nearest to its share of
//! the weight that is left. So if a part is too heavy, all later parts share the deficit.

use super::nodes::{children_of, entries_of};
use crate::index::key::{SLICE_LEN, shortest};
use crate::index::memory::OutOfMemory;
use crate::index::memory::Vector;
use crate::index::node::{AnyNode, Entries, Internode, Leaf, NodeRef, WIDTH};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::walk::assemble::append;

/// The least number of estimated pieces in a part: the limit is a part's keys divided by this.
const FINENESS: u64 = 8;

/// The number of nodes to read, for each part and each node on the longest path, after which pieces
/// with small estimates are no longer opened.
const LOOKS: usize = 128;

/// The same number, after which no piece is opened any more.
const MOST_VISITS: usize = 1024;

/// Number of random descents from which a piece is estimated.
const DESCENTS: u64 = 2;

/// Number of random descents from which the whole tree is estimated.
const DESCENTS_OF_TREE: usize = 8;

/// The most nodes that a random descent reads; it counts everything below as one key. Long keys
/// make long paths: each eight bytes of a key may be a layer.
const LONGEST_DESCENT: usize = 4096;

/// A contiguous range of keys.
#[derive(Clone, Copy)]
struct Piece<'g> {
    /// The node with these keys, if the piece can be opened; without a node, the weight is exact.
    node: Option<NodeRef<'g>>,
    /// The index of the prefix of the piece's layer; `None` in the first layer.
    prefix: Option<usize>,
    /// A lower bound of the piece's slices in its layer.
    low: u64,
    /// The number of keys, counted or estimated.
    weight: u64,
    /// The number of nodes above the piece.
    depth: usize,
    /// If not 0, the piece may have more keys than its weight, but hardly more than 15·16^`levels`.
    levels: u32,
}

impl Piece<'_> {
    /// Whether the piece may have more keys than `limit`, whatever its weight is.
    fn may_exceed(&self, limit: u64) -> bool {
        let most = (WIDTH as u128) << (4 * self.levels).min(u64::BITS);
        self.node.is_some() && self.levels > 0 && most > u128::from(limit)
    }
}

/// The prefix that the keys of a layer share: the prefix of the layer above, and one more slice.
/// Prefixes refer to each other, so that each link adds a constant number of bytes.
struct Prefix {
    above: Option<usize>,
    slice: u64,
    /// The number of slices, this one included.
    slices: usize,
}

/// A tree being taken apart.
struct Pieces<'g> {
    /// In key order.
    pieces: Vector<Piece<'g>>,
    prefixes: Vector<Prefix>,
    /// A stack of pieces that `take_tasks` opens or appends to `pieces`; the next one is the last.
    tasks: Vector<Piece<'g>>,
    parts: u64,
    /// Heavier pieces are opened.
    limit: u64,
    /// Whether leaves are opened into keys, too.
    by_key: bool,
    /// The state of the random number generator.
    random: u64,
    /// The number of nodes that were read.
    visits: usize,
    /// The number of nodes on the longest path.
    longest: usize,
}

impl Tree {
    /// Passes `count` keys to `cuts`, in ascending order, which divide the tree into parts with
    /// about as many keys each; fewer if the tree has fewer keys. The passed keys need not be in
    /// the tree. Stops when `cuts` returns false.
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

    /// Takes the tree apart for this number of parts.
    fn take_apart<'g>(
        &self,
        pin: Pinned<'g>,
        parts: usize,
        random: u64,
    ) -> Result<Pieces<'g>, OutOfMemory> {
        // Ends: in each iteration, a writer has replaced the root.
        loop {
            let root = self.root(pin);
            if let Some(pieces) = self.take_root_apart(pin, root, parts, random)? {
                return Ok(pieces);
            }
        }
    }

    /// Does the work of `take_apart` from a node that was the tree's root. Returns `None` if
    /// another node is the root by now: then the nodes that were read may be a part of the tree or
    /// none of it, and the count of keys may be that of another tree.
    fn take_root_apart<'g>(
        &self,
        pin: Pinned<'g>,
        root: NodeRef<'g>,
        parts: usize,
        random: u64,
    ) -> Result<Option<Pieces<'g>>, OutOfMemory> {
        let mut pieces = Pieces::new(self, parts, random);
        let mut estimates = [(); DESCENTS_OF_TREE].map(|()| pieces.descend_at_random(root, 0).0);
        estimates.sort_unstable();
        // The median, not the average: a descent that finds a heavy layer below one of many leaves
        // multiplies the layer's keys by the number of leaves, and would dominate an average.
        let estimated = estimates[DESCENTS_OF_TREE / 2];
        // The count may be much too small, and a limit computed from it would open every node. Only
        // a quarter of the estimate: if the count is right, an estimate that is too great should
        // not raise the limit, since a higher limit divides the tree less evenly.
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

/// Returns the value of [`Piece::levels`] for a node: if the node has levels below, their number
/// plus the node's own levels. Otherwise, the node's own levels if the estimate is less than
/// half-full nodes would contain, for then a descent may have taken a sparse path; else 0.
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
        let source = tree.allocator();
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

    /// Sets the limit for a tree of `known` keys.
    fn set_limit(&mut self, known: u64) {
        self.limit = known / self.parts.saturating_mul(FINENESS);
        self.by_key = self.limit < WIDTH as u64;
    }

    /// Opens light pieces that may have more keys than the limit, those with the most levels first.
    fn look_below(&mut self) -> Result<(), OutOfMemory> {
        // Ends: each iteration reads more nodes.
        while !self.is_spent(LOOKS) {
            let hiding = self
                .pieces
                .iter()
                .filter(|piece| piece.may_exceed(self.limit));
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

    /// Whether more than `most` nodes were read for each part and each node on the longest path.
    fn is_spent(&self, most: usize) -> bool {
        let most = most.saturating_mul(self.longest);
        self.visits > most.saturating_mul(self.parts as usize)
    }

    fn add_task(&mut self, piece: Piece<'g>) -> Result<(), OutOfMemory> {
        self.tasks.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.tasks.push(piece);
        Ok(())
    }

    /// Turns all tasks into pieces. Opens those that weigh more than the limit, and those that may
    /// have more keys than the limit and have at least this number of levels.
    fn take_tasks(&mut self, levels: u32) -> Result<(), OutOfMemory> {
        // Ends: each iteration removes a task; opening one adds only tasks for nodes below it.
        while let Some(piece) = self.tasks.pop() {
            let is_heavy = piece.weight > self.limit;
            let is_open = match is_heavy {
                true => !self.is_spent(MOST_VISITS),
                false => {
                    piece.levels >= levels && piece.may_exceed(self.limit) && !self.is_spent(LOOKS)
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

    /// Opens a piece: adds the smaller pieces as the next tasks, in key order.
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
                false => self.estimate(child, piece.depth + 1, DESCENTS),
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
            // The only link of a leaf gets the rest of the leaf's weight. So a chain of layers is
            // estimated once, not once for each layer.
            let (weight, is_exact) = match links {
                1 if piece.weight != u64::MAX => (piece.weight.saturating_sub(ends), false),
                _ => self.estimate(root, piece.depth + 1, DESCENTS),
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

    /// Adds the prefix that consists of `above` and one more slice, and returns its index.
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

    /// Replaces `key` by the least key that may be in a piece.
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

    /// Estimates the number of keys under a node from `descents` random descents. Also returns
    /// whether the number is exact.
    fn estimate(&mut self, node: NodeRef<'g>, depth: usize, descents: u64) -> (u64, bool) {
        let mut sum = 0_u64;
        for _ in 0..descents {
            let (keys, is_exact) = self.descend_at_random(node, depth);
            if is_exact {
                return (keys, true);
            }
            sum = sum.saturating_add(keys);
        }
        (sum / descents, false)
    }

    /// Estimates by a single random descent.
    fn descend_at_random(&mut self, mut node: NodeRef<'g>, depth: usize) -> (u64, bool) {
        let mut keys = 0_u64;
        let mut alike = 1_u64;
        let mut entries = Entries::new();
        for step in 0..LONGEST_DESCENT {
            self.visits += 1;
            self.longest = self.longest.max(depth + step + 1);
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
                        return (keys, step == 0 && !self.by_key);
                    };
                    alike = alike.saturating_mul(links as u64);
                    node = root;
                }
            }
        }
        (keys.saturating_add(alike), false)
    }

    /// Returns a random number below `bound`; 0 if `bound` is 0. Xorshift (Marsaglia, 2003).
    fn draw(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (((self.random >> 32) * bound as u64) >> 32) as usize
    }

    /// Passes the cuts between the pieces to `cuts`.
    fn cut(&self, count: usize, cuts: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), OutOfMemory> {
        let source = *self.prefixes.allocator();
        // Compares each cut with the last one, since cuts must ascend: concurrent changes may leave
        // pieces out of order.
        let mut last: Vector<u8> = Vector::new_in(source);
        let mut key: Vector<u8> = Vector::new_in(source);
        let weights = self.pieces.iter().map(|piece| u128::from(piece.weight));
        // `left`: the weight of the current part and all later ones. `part`: the weight of the
        // current part so far. `wanted`: the number of cuts that are left.
        let mut left: u128 = weights.sum();
        let mut part = 0_u128;
        let mut wanted = count as u128;
        for piece in &self.pieces {
            let weight = u128::from(piece.weight);
            // Whether the part's weight is nearer to its share without the piece than with it.
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
