//! Estimates of pieces by random descents.

use arrayvec::ArrayVec;

use super::fills::Level;
use super::size::Size;
use super::{Estimator, Known, Piece, USUAL_BYTES, hidden};
use crate::index::key::SLICE_LEN;
use crate::index::node::{AnyNode, Entries, Lockable, NodeRef};
use crate::index::tree::whole::nodes::{children_of, entries_of};

/// The most leaves on a path whose keys are noted for guesses.
const MOST_NOTED: usize = 8;

/// A leaf that a descent has passed.
struct Passed {
    level: Level,
    /// The number of leaves that are taken to be like it, and the keys that were found before it.
    alike: f64,
    before: f64,
}

impl<'g> Estimator<'g, '_> {
    /// Samples a piece whose node is an internode: two of its children, one random path below each.
    pub(super) fn sampled(&mut self, mut piece: Piece<'g>) -> Piece<'g> {
        self.nodes += 1;
        let AnyNode::Internode(internode) = piece.node.kind() else {
            unreachable!("leaves are opened");
        };
        piece.known = Known::Sampled;
        let (_, children) = children_of(internode);
        let count = children.len();
        if count == 0 {
            (piece.size, piece.variance, piece.hidden) = Default::default();
            return piece;
        }
        let n = count as f64;
        self.fills.note(piece.level, n);
        let first = self.draw(count);
        let second = match count {
            1 => first,
            _ => (first + 1 + self.draw(count - 1)) % count,
        };
        let below = piece.level.below();
        let first = self.descend(children[first], below);
        let second = self.descend(children[second], below);
        piece.size = first.with(second, |a, b| n * (a + b) / 2.0);
        // Of two out of n, without replacement.
        let between = first.with(second, |a, b| {
            (n * (a - b) / 2.0).powi(2) * (1.0 - 2.0 / n).max(0.0)
        });
        let relative = self.fills.variance_below(piece.level) / 2.0;
        piece.variance = between.with(piece.size.variance(relative), f64::max);
        piece.hidden = hidden(internode.levels_below(), piece.size.keys);
        piece
    }

    /// Estimates the size of a subtree by a random descent.
    fn descend(&mut self, mut node: NodeRef<'g>, mut level: Level) -> Size {
        let (mut size, mut alike) = (Size::default(), 1.0);
        let mut entries = Entries::new();
        let mut passed = ArrayVec::<_, MOST_NOTED>::new();
        // Ends: each iteration reads a node.
        loop {
            if self.nodes >= self.most {
                size.add(self.rest(alike, level));
                break;
            }
            self.nodes += 1;
            match node.kind() {
                AnyNode::Internode(internode) => {
                    let (_, children) = children_of(internode);
                    if children.is_empty() {
                        break; // Deleted.
                    }
                    self.fills.note(level, children.len() as f64);
                    alike *= children.len() as f64;
                    node = children[self.draw(children.len())];
                    level = level.below();
                }
                AnyNode::Leaf(leaf) => {
                    entries_of(leaf, &mut entries);
                    // One that does not fit is not noted.
                    let _ = passed.try_push(Passed {
                        level,
                        alike,
                        before: size.keys,
                    });
                    for entry in entries.iter().filter(|entry| entry.layer().is_none()) {
                        let one = self.content.size(&entry, level.depth);
                        size.add(one.map(|one| alike * one));
                    }
                    let mut layers = entries.iter().filter_map(|entry| entry.layer());
                    let count = layers.clone().count();
                    let Some(root) = layers.nth(self.draw(count)) else {
                        break;
                    };
                    alike *= count as f64;
                    level = Level {
                        depth: level.depth + SLICE_LEN,
                        is_root: true,
                        height: root.height(),
                    };
                    node = root;
                }
            }
        }
        for leaf in passed {
            let keys = (size.keys - leaf.before) / leaf.alike;
            self.fills.note(leaf.level, keys);
        }
        size
    }

    /// What is taken to be below `alike` nodes, if no more nodes may be read.
    fn rest(&self, alike: f64, level: Level) -> Size {
        let keys = alike * self.fills.usual(level).0;
        Size {
            keys,
            bytes: keys * USUAL_BYTES,
        }
    }

    /// Returns a random number below `bound`; 0 if `bound` is 0. Xorshift (Marsaglia, 2003).
    fn draw(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (((self.random >> 32) * bound as u64) >> 32) as usize
    }
}
