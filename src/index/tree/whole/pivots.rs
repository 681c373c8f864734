//! Keys that cut a tree in even parts.
//!
//! The tree is taken apart into pieces in key order. A piece is a node with all below it, or
//! a key that lies between two links of a leaf. What it holds is counted if it is a leaf
//! without links, and otherwise estimated from one way down through it, drawn at random: as
//! many keys as if every node were like those on that way (Knuth, Estimating the efficiency
//! of backtrack programs, 1975), which is right on average. Whatever is estimated at more
//! than a small share of a part is taken apart; so a part's error is that of many small ones.
//!
//! **What no way down meets.** A leaf without keys of its own to speak of may link to a layer
//! with most keys of the tree, and a few ways down pass it by. But how many keys the tree has
//! is known. As long as the pieces lack more of them than half a part, and more than chance
//! explains, smaller and smaller pieces are taken apart, until the layer is found: at worst
//! that takes all the leaves of the layers above it, and none in it.
//!
//! **Cost.** Pieces are a constant number for each part, but for those that a hidden layer
//! takes; each costs one way down. Nothing here is exact beside writers: nodes are read as of
//! one moment each, one that was deleted has no keys, and the count of keys may be off, which
//! makes parts uneven, or takes a few looks more. No lock is taken.
//!
//! **The cuts** go to the piece nearest to where a part has its share of what is left, so that
//! what one part has too much the others have less; and from where there are as many pieces
//! as parts left, before each.

use super::nodes::{children_of, entries_of};
use crate::index::key::{SLICE_LEN, shortest};
use crate::index::memory::OutOfMemory;
use crate::index::memory::Vector;
use crate::index::node::{AnyNode, Entries, Internode, Leaf, NodeRef};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::walk::assemble::append;

/// Pieces that make up a part, at least, if they are estimated.
const FINENESS: u64 = 8;

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
}

/// A piece that may have to be taken apart, and what is to become of its parts.
struct Task<'g> {
    piece: Piece<'g>,
    /// What is heavier is taken apart.
    limit: u64,
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
    tasks: Vector<Task<'g>>,
    /// Whether leaves are taken apart, too.
    by_key: bool,
    random: u64,
    /// Nodes that were read.
    visits: usize,
}

impl Tree {
    /// Gives `cuts` that many keys, ascending, that cut the tree in parts of about as many
    /// keys each; fewer if the tree has fewer leaves. The keys need not be in the tree.
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

    /// The tree, taken apart for so many parts.
    fn take_apart<'g>(&self, pin: Pinned<'g>, parts: usize) -> Result<Pieces<'g>, OutOfMemory> {
        // Ends: each time around, a writer has replaced the root.
        loop {
            if let Some(pieces) = self.take_root_apart(pin, self.root(pin), parts as u64)? {
                return Ok(pieces);
            }
        }
    }

    /// `take_apart` with what was the root; says no if another is when it is read.
    fn take_root_apart<'g>(
        &self,
        pin: Pinned<'g>,
        root: NodeRef<'g>,
        parts: u64,
    ) -> Result<Option<Pieces<'g>>, OutOfMemory> {
        let look = || -> Result<_, OutOfMemory> {
            let Some((mut pieces, known)) = self.open_root(pin, root, false)? else {
                return Ok(None);
            };
            let coarse = known / parts.saturating_mul(FINENESS);
            pieces.limit_tasks(coarse);
            pieces.take_tasks(coarse)?;
            let allowed = known / parts.saturating_mul(2);
            Ok(Some((pieces, known, coarse, allowed)))
        };
        let mut looked = look()?;
        if let Some((pieces, known, _, allowed)) = &looked
            && pieces.missing(*known, *allowed).is_some()
        {
            // Perhaps only since a node was split after its parent was read.
            looked = look()?;
        }
        let Some((mut pieces, known, coarse, allowed)) = looked else {
            return Ok(None);
        };
        pieces.hunt(known, coarse, allowed)?;
        if pieces.pieces.len() as u64 >= parts {
            return Ok(Some(pieces));
        }
        // There are not many more leaves than parts: key by key.
        let Some((mut pieces, _)) = self.open_root(pin, root, true)? else {
            return Ok(None);
        };
        pieces.limit_tasks(1);
        pieces.take_tasks(1)?;
        Ok(Some(pieces))
    }

    /// The parts of the tree's root as tasks, and how many keys the tree has. Says no if the
    /// root is another by now: what was read may be half a tree or none, and the count that of
    /// another tree.
    fn open_root<'g>(
        &self,
        pin: Pinned<'g>,
        root: NodeRef<'g>,
        by_key: bool,
    ) -> Result<Option<(Pieces<'g>, u64)>, OutOfMemory> {
        let mut pieces = Pieces::new(self);
        pieces.by_key = by_key;
        let whole = Piece {
            node: Some(root),
            prefix: None,
            low: 0,
            weight: u64::MAX,
        };
        pieces.open(&whole, root)?;
        let counted = self.key_count();
        if self.root(pin) != root {
            return Ok(None);
        }
        let weights = pieces.tasks.iter().map(|task| task.piece.weight);
        let estimated = weights.fold(0, u64::saturating_add);
        // The count may be short, and then the limit must not be: that would open every node.
        // A quarter: a count that is right cuts more evenly than estimates that are too great.
        Ok(Some((pieces, counted.max(estimated / 4))))
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

    /// Takes smaller and smaller pieces apart as long as there are more keys than `allowed`,
    /// of those known, that are in none.
    fn hunt(&mut self, known: u64, coarse: u64, allowed: u64) -> Result<(), OutOfMemory> {
        let mut limit = coarse;
        let mut before = 0;
        // Ends: each time around less is missing, by a fixed ratio, or the limit is a fraction
        // of what it was; with none, all is taken apart.
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

    /// How many keys are missing, if more than `allowed`, and than estimates are off by chance.
    fn missing(&self, known: u64, allowed: u64) -> Option<u64> {
        let mut found = 0_u64;
        let mut variance = 0.0;
        for piece in &self.pieces {
            found = found.saturating_add(piece.weight);
            if piece.node.is_some() {
                // Nodes are half full to full: seldom is an estimate off by more than half.
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

    /// Makes tasks pieces. What turns out to have more than the piece it was in was said to
    /// have is taken apart as `coarse` has it: that is what was looked for.
    fn take_tasks(&mut self, coarse: u64) -> Result<(), OutOfMemory> {
        // Ends: each node is taken apart once, and what is below it then.
        while let Some(Task { piece, limit }) = self.tasks.pop() {
            let Some(node) = piece.node.filter(|_| piece.weight > limit) else {
                self.pieces.try_reserve(1).map_err(|_| OutOfMemory)?;
                self.pieces.push(piece);
                continue;
            };
            let first = self.tasks.len();
            self.open(&piece, node)?;
            for task in &mut self.tasks[first..] {
                let is_found = task.piece.weight > piece.weight;
                task.limit = if is_found { limit.max(coarse) } else { limit };
            }
        }
        Ok(())
    }

    /// Sets what all tasks take apart.
    fn limit_tasks(&mut self, limit: u64) {
        for task in &mut self.tasks {
            task.limit = limit;
        }
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
        let ends = (entries.len() - links) as u64;
        if links == 0 && !self.by_key {
            return self.add_task(
                Piece {
                    node: None,
                    weight: ends,
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
            // A chain of layers is gone down once, not again for each of them.
            let (weight, is_exact) = match links {
                1 if piece.weight != u64::MAX => (piece.weight.saturating_sub(ends), false),
                _ => self.estimate(root),
            };
            let below = Piece {
                node: (!is_exact).then_some(root),
                prefix: self.longer(piece.prefix, entry.slice)?,
                low: 0,
                weight,
            };
            self.add_task(below, 0)?;
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

    /// About how many keys are under a node, and whether it is just so many.
    fn estimate(&mut self, node: NodeRef<'g>) -> (u64, bool) {
        let mut node = node;
        let mut keys = 0_u64;
        let mut alike = 1_u64;
        let mut entries = Entries::new();
        for way in 0..LONGEST_WAY {
            self.visits += 1;
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
        for (place, piece) in self.pieces.iter().enumerate() {
            let weight = u128::from(piece.weight);
            let scarce = (self.pieces.len() - place) as u128 <= wanted;
            // Nearer to the part's share without the piece than with it.
            let is_full = (2 * part + weight) * (wanted + 1) >= 2 * left;
            if wanted > 0 && part > 0 && (is_full || scarce) {
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
