//! Estimates how many keys a range has, and how many bytes, from a few of its nodes.
//!
//! The range is taken apart into pieces: nodes together with everything below them. The nodes on the
//! paths to the two ends of the range are read whatever they cost; their keys are counted, and so are
//! the keys of the leaves at the ends. What is left lies whole in the range: at each level, the nodes
//! between the two paths, and the layers between them.
//!
//! A piece is *opened*: replaced by what is below its node; a leaf, by the number of its keys. Or
//! *sampled*: two different children of its node are descended into at random. From each descent follows
//! the number of keys, if all nodes of each level were like the one on the path (Knuth, Estimating the
//! efficiency of backtrack programs, 1975); the average of such estimates over all paths is exact. The
//! parts of a piece that is opened share its estimate, until they are sampled themselves. The size of a
//! piece of which nothing was read follows from the fill of similar nodes ([`fills`]).
//!
//! **Doubt.** Each piece has a variance: that of the two descents, and not less than that of the fill of
//! nodes. The next piece to be sampled, or opened if it was sampled before, is one of those with the
//! greatest. When all are opened, the result is exact. So small ranges are counted, and larger ones are
//! estimated from a sample in which each part of the range has its share (stratified sampling). The error
//! that is returned is [`ERRORS`] times the square root of the variances' sum.
//!
//! **Pieces that have more keys than estimated.** A layer with most keys of a tree may hang below a leaf
//! that no descent meets. But nodes record the levels of the layers below them (see `write::levels`): a
//! piece is in doubt for as many keys as such a layer has at half the usual fill, if these are more than
//! its estimate. Records may be too high after removes; so half of the nodes at most are read for such
//! doubts.
//!
//! **Cost.** The nodes on two paths, and a number of others that the caller limits.
//!
//! While writers are active, nothing here is exact: each node is read at a moment of its own, as in
//! `pivots`. No lock is taken.

mod fills;
mod sample;
mod size;

use super::nodes::{children_of, entries_of};
use crate::index::key::SLICE_LEN;
use crate::index::memory::{OutOfMemory, Vector};
use crate::index::node::{AnyNode, Entries, Internode, Leaf, Lockable, NodeRef, WIDTH};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::walk::range::{Cut, Range, Side};
use fills::{Fills, Level};
use size::{Content, Size};

/// Bytes that a key is taken to have as long as none was read.
const USUAL_BYTES: f64 = 16.0;

/// So many standard errors are returned: hardly an estimate in 20 is further from the truth.
const ERRORS: f64 = 2.5;

/// By how much the relative variance of bytes exceeds that of keys: the lengths of keys and values differ
/// within a leaf.
const MORE_OF_BYTES: f64 = 1.5;

/// Which bytes are estimated.
#[derive(Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) keys: bool,
    pub(crate) values: bool,
}

/// About how many keys a range has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Estimate {
    pub(crate) keys: u64,
    /// The bytes of these keys and their values.
    pub(crate) bytes: u64,
    /// How far from the truth the two hardly are; 0 if they were counted.
    pub(crate) keys_error: u64,
    pub(crate) bytes_error: u64,
    /// The number of nodes that were read.
    pub(crate) nodes: u64,
}

/// How a piece's size is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// From the fill of other nodes.
    Guessed,
    /// From the piece that was opened.
    Shared,
    Sampled,
}

/// A node with everything below it, as far as it is in the range.
#[derive(Clone, Copy)]
struct Piece<'g> {
    node: NodeRef<'g>,
    level: Level,
    /// Whether the ends of the range run through the piece.
    lower: bool,
    upper: bool,
    known: Known,
    size: Size,
    variance: Size,
    /// The keys beyond the estimate that a layer below may have.
    hidden: f64,
}

impl Piece<'_> {
    fn is_at_an_end(&self) -> bool {
        self.lower || self.upper
    }
}

/// The number of keys beyond `keys` for which a layer below has room, at half the usual fill, if its
/// levels are `below`.
fn hidden(below: u8, keys: f64) -> f64 {
    if below == 0 {
        return 0.0;
    }
    // At most 16 levels: there is not more memory.
    let room = (WIDTH / 2) as f64 * 8_f64.powi(i32::from(below.min(16)));
    if room > 2.0 * keys { room - keys } else { 0.0 }
}

/// An estimate under way.
struct Estimator<'g, 'k> {
    lower: Option<Cut<'k>>,
    upper: Option<Cut<'k>>,
    content: Content,
    pieces: Vector<Piece<'g>>,
    /// What was counted.
    exact: Size,
    nodes: u64,
    /// The number of nodes from which on no further ones are read.
    most: u64,
    /// The same for those that may have hidden keys.
    most_hidden: u64,
    fills: Fills,
    /// The state of the random number generator.
    random: u64,
}

impl Tree {
    /// Estimates the size of a range. Reads at most about `most_nodes` nodes beside those on the paths to
    /// its ends.
    pub(crate) fn estimate(
        &self,
        pin: Pinned<'_>,
        range: &Range<'_>,
        counted: Counted,
        most_nodes: u64,
    ) -> Result<Estimate, OutOfMemory> {
        self.admit(pin, range.prefix);
        // Ends: in each iteration, a writer has replaced the root.
        loop {
            let root = self.root(pin);
            let mut estimator = Estimator {
                lower: range.lower_cut(),
                upper: range.upper_cut(),
                content: Content::new(counted, self.value_content()),
                pieces: Vector::new_in(self.allocator()),
                exact: Size::default(),
                nodes: 0,
                most: 0,
                most_hidden: 0,
                fills: Fills::new(),
                random: 0x9E37_79B9_7F4A_7C15,
            };
            estimator.open_root(root)?;
            // Otherwise, the node that was read may be a part of the tree, or none of it.
            if self.root(pin) == root {
                estimator.read_on(most_nodes)?;
                return Ok(self.sum_up(&estimator, range));
            }
        }
    }

    /// Returns what an estimator has found.
    fn sum_up(&self, estimator: &Estimator<'_, '_>, range: &Range<'_>) -> Estimate {
        let (mut size, mut error) = estimator.size_and_error();
        let counted = estimator.exact.keys;
        let total = (self.key_count() as f64).max(counted);
        if estimator.lower.is_none() && estimator.upper.is_none() {
            (size.keys, error.keys) = (total, 0.0);
        }
        size.keys = size.keys.min(total);
        error.keys = error.keys.min((size.keys - counted).max(total - size.keys));
        let limit = range.limit as f64;
        if size.keys > limit {
            // Not less than the limit, if so many were counted.
            let is_sure = counted >= limit || size.keys - error.keys >= limit;
            error.keys = if is_sure { 0.0 } else { error.keys };
            let share = limit / size.keys;
            (size.bytes, error.bytes) = (size.bytes * share, error.bytes * share);
            size.keys = limit;
        }
        Estimate {
            keys: size.keys.round() as u64,
            bytes: size.bytes.round() as u64,
            keys_error: error.keys.ceil() as u64,
            bytes_error: error.bytes.ceil() as u64,
            nodes: estimator.nodes,
        }
    }
}

impl<'g, 'k> Estimator<'g, 'k> {
    /// Opens the root of the tree.
    fn open_root(&mut self, root: NodeRef<'g>) -> Result<(), OutOfMemory> {
        let mut whole = self.layer(root, 0);
        (whole.lower, whole.upper) = (self.lower.is_some(), self.upper.is_some());
        self.open(&whole)
    }

    /// Reads the paths to the ends of the range, and then up to `most` further nodes.
    fn read_on(&mut self, most: u64) -> Result<(), OutOfMemory> {
        // Ends: each iteration follows a path, of which there are two, by a node.
        while let Some(at) = self.pieces.iter().position(Piece::is_at_an_end) {
            let piece = self.pieces.swap_remove(at);
            self.open(&piece)?;
        }
        self.most = self.nodes.saturating_add(most);
        self.most_hidden = self.nodes.saturating_add(most / 2);
        self.guess();
        // Ends: each iteration reads nodes, or has none to read.
        while self.nodes < self.most {
            let doubts = self.pieces.iter().map(|piece| self.doubt(piece));
            let greatest = doubts.fold(0.0, f64::max);
            if greatest <= 0.0 {
                break;
            }
            self.read_doubtful(greatest / 4.0)?;
            self.guess();
        }
        Ok(())
    }

    /// A piece's share of the result's variance, which is never 0. Without hidden keys, if enough nodes
    /// were read for them.
    fn doubt(&self, piece: &Piece<'_>) -> f64 {
        let variance = piece.variance.keys.max(f64::MIN_POSITIVE);
        match self.nodes < self.most_hidden {
            true => variance + piece.hidden * piece.hidden,
            false => variance,
        }
    }

    /// Samples or opens the pieces, and what they are opened to, whose doubt is greater than `limit`.
    fn read_doubtful(&mut self, limit: f64) -> Result<(), OutOfMemory> {
        let mut at = 0;
        // Ends: each iteration passes a piece, or samples it, or opens it.
        while at < self.pieces.len() && self.nodes < self.most {
            let piece = self.pieces[at];
            if self.doubt(&piece) <= limit {
                at += 1;
            } else if piece.known == Known::Sampled || piece.level.height == 0 {
                self.pieces.swap_remove(at);
                self.open(&piece)?;
            } else {
                self.pieces[at] = self.sampled(piece);
                at += 1;
            }
        }
        Ok(())
    }

    /// Returns a piece of which nothing was read, with `below` levels of layers below it.
    fn unread(&self, node: NodeRef<'g>, level: Level, below: u8) -> Piece<'g> {
        let mut piece = Piece {
            node,
            level,
            lower: false,
            upper: false,
            known: Known::Guessed,
            size: Size::default(),
            variance: Size::default(),
            hidden: 0.0,
        };
        self.guess_size(&mut piece, USUAL_BYTES);
        piece.hidden = hidden(below, piece.size.keys);
        piece
    }

    /// Returns the layer of a root, `depth` bytes of key below the first.
    fn layer(&self, root: NodeRef<'g>, depth: usize) -> Piece<'g> {
        let level = Level {
            depth,
            is_root: true,
            height: root.height(),
        };
        self.unread(root, level, root.levels_below())
    }

    fn guess_size(&self, piece: &mut Piece<'_>, bytes_of_a_key: f64) {
        let (keys, variance) = self.fills.usual(piece.level);
        let bytes = bytes_of_a_key * keys;
        piece.size = Size { keys, bytes };
        piece.variance = piece.size.variance(variance);
    }

    /// Guesses the sizes of all pieces of which nothing was read.
    fn guess(&mut self) {
        let known = self
            .pieces
            .iter()
            .filter(|piece| piece.known != Known::Guessed);
        let known = known.fold(self.exact, |sum, piece| sum.with(piece.size, |a, b| a + b));
        let bytes = match known.keys > 0.0 {
            true => known.bytes / known.keys,
            false => USUAL_BYTES,
        };
        for at in 0..self.pieces.len() {
            if self.pieces[at].known == Known::Guessed {
                let mut piece = self.pieces[at];
                self.guess_size(&mut piece, bytes);
                self.pieces[at] = piece;
            }
        }
    }

    /// Replaces a piece, which is no longer among the others, by those below it.
    fn open(&mut self, piece: &Piece<'g>) -> Result<(), OutOfMemory> {
        self.nodes += 1;
        let room = self.pieces.try_reserve(WIDTH + 1);
        room.map_err(|_| OutOfMemory)?;
        match piece.node.kind() {
            AnyNode::Internode(internode) => self.open_internode(piece, internode),
            AnyNode::Leaf(leaf) => self.open_leaf(piece, leaf),
        }
        Ok(())
    }

    /// The cuts at the range's ends that run through a piece.
    fn cuts(&self, piece: &Piece<'_>) -> [Option<Cut<'k>>; 2] {
        let lower = self.lower.filter(|_| piece.lower);
        let upper = self.upper.filter(|_| piece.upper);
        [lower, upper].map(|cut| cut.map(|cut| cut.below(piece.level.depth)))
    }

    fn open_internode(&mut self, piece: &Piece<'g>, internode: &'g Internode) {
        let (keys, children) = children_of(internode);
        if children.is_empty() {
            return; // Deleted.
        }
        let count = children.len() as f64;
        if piece.known != Known::Sampled {
            self.fills.note(piece.level, count);
        }
        let [lower, upper] = self.cuts(piece);
        let index = |slice| keys.partition_point(|&key| key <= slice);
        let first = lower.map_or(0, |cut| index(cut.first_slice()));
        let last = upper.map_or(keys.len(), |cut| index(cut.last_slice()));
        let has_levels_below = internode.levels_below() != 0;
        for at in first..=last {
            let child = children[at];
            // Reads the child only if it may have some.
            let below = if has_levels_below {
                child.levels_below()
            } else {
                0
            };
            let mut part = self.unread(child, piece.level.below(), below);
            part.lower = piece.lower && at == first;
            part.upper = piece.upper && at == last;
            if piece.known != Known::Guessed {
                let share = |whole: Size| whole.map(|whole| whole / count);
                set_share(&mut part, share(piece.size), share(piece.variance), below);
            }
            self.pieces.push(part);
        }
    }

    fn open_leaf(&mut self, piece: &Piece<'g>, leaf: &'g Leaf) {
        let mut entries = Entries::new();
        entries_of(leaf, &mut entries);
        let [lower, upper] = self.cuts(piece);
        let mut counted = Size::default();
        let first = self.pieces.len();
        let depth = piece.level.depth;
        for entry in entries.iter() {
            let side = |cut: Cut<'_>| cut.side(entry.slice, entry.kind, &entry.suffix);
            let (lower, upper) = (lower.map(side), upper.map(side));
            if lower == Some(Side::Below) || upper == Some(Side::Above) {
                continue;
            }
            let Some(root) = entry.layer() else {
                counted.add(self.content.size(&entry, depth));
                continue;
            };
            let mut below = self.layer(root, depth + SLICE_LEN);
            below.lower = lower == Some(Side::Through);
            below.upper = upper == Some(Side::Through);
            self.pieces.push(below);
        }
        self.exact.add(counted);
        if entries.iter().all(|entry| entry.layer().is_none()) {
            self.fills.note(piece.level, entries.len() as f64);
        }
        if piece.known != Known::Guessed {
            // The layers share what is left of the estimate, in proportion to what they usually have.
            let left = piece.size.with(counted, |all, ends| (all - ends).max(0.0));
            let layers = &mut self.pieces[first..];
            let usually: f64 = layers.iter().map(|layer| layer.size.keys).sum();
            for layer in layers {
                let share = layer.size.keys / usually;
                let below = layer.node.levels_below();
                let variance = layer
                    .variance
                    .with(piece.variance, |own, all| own.max(share * all));
                set_share(layer, left.map(|left| share * left), variance, below);
            }
        }
    }

    /// Returns the size of the range, and its error.
    fn size_and_error(&self) -> (Size, Size) {
        let (mut size, mut variance) = (self.exact, Size::default());
        for piece in &self.pieces {
            size.add(piece.size);
            variance.add(piece.variance);
            let hidden = Size {
                keys: piece.hidden,
                bytes: piece.hidden * USUAL_BYTES,
            };
            variance.add(hidden.map(|hidden| hidden * hidden));
        }
        (size, variance.map(|variance| ERRORS * variance.sqrt()))
    }
}

/// Sets a piece's share of the estimate of the piece that was opened. Shares are together as doubtful as
/// what is shared.
fn set_share(part: &mut Piece<'_>, size: Size, variance: Size, below: u8) {
    (part.size, part.variance, part.known) = (size, variance, Known::Shared);
    part.hidden = hidden(below, size.keys);
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
