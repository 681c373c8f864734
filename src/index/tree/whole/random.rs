//! Samples: keys drawn at random.
//!
//! A draw descends from the root of the tree to a random child of each node. So that each entry of the
//! first layer is equally likely, nodes have as many places as a node has at most, and a draw that comes to
//! a place without a child or an entry begins again. (The root has as many places as it has children: it
//! is on the path of every entry.)
//!
//! An entry that is a link stands for all keys below. How many these are is not known; a descent
//! through the layers below, to a random child and entry of each node, estimates it: it has found one of
//! so many keys as is the product of the numbers of children and entries on its path. Where there are such
//! entries, a sample is one of several draws, chosen with these weights. It approaches equal chances as
//! the number of draws grows, the more slowly, the more unequal the layers are.
//!
//! Writers may be active: each node is read as it was at some moment.

use super::nodes::{children_of, entries_of};
use crate::index::key::{SLICE_LEN, SUFFIX};
use crate::index::memory::{OutOfMemory, Source, Vector, with_stack};
use crate::index::node::{AnyNode, Entries, NodeRef, WIDTH};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::walk::assemble::append;

/// How many times a draw begins again, before it takes any child of each node: with nodes that are half
/// full, one in 30 draws of a tree of six levels succeeds at once.
const ATTEMPTS: usize = 256;

/// Draws of a sample, in a tree with more than one layer.
const DRAWS: usize = 16;

/// A sequence of random numbers: SplitMix64 (Steele, Lea, Flood, 2014). Any state is a good one.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be 0.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A number from 0 to 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A key that was drawn.
struct Drawn {
    key: Vector<u8>,
    value: u64,
    /// For how many keys it stands.
    weight: f64,
}

/// Why a descent found no key.
enum Missed {
    OutOfMemory,
    /// It came to a place without an entry, or to a node that has been deleted.
    Nothing,
}

impl From<allocator_api2::collections::TryReserveError> for Missed {
    fn from(_: allocator_api2::collections::TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

/// Descends to a leaf of a layer; with `places`, as if each node but the root had the greatest number of
/// children. Returns the leaf's entries, and multiplies `alike` by the numbers of children.
fn descend<'g>(
    mut node: NodeRef<'g>,
    places: bool,
    random: &mut Random,
    alike: &mut f64,
    entries: &mut Entries<'g>,
) -> Result<(), Missed> {
    let mut is_root = true;
    // Ends: each round reaches a lower level.
    loop {
        let internode = match node.kind() {
            AnyNode::Leaf(leaf) => {
                entries_of(leaf, entries);
                return Ok(());
            }
            AnyNode::Internode(internode) => internode,
        };
        let (_, children) = children_of(internode);
        let bound = match places && !is_root {
            true => WIDTH + 1,
            false => children.len().max(1),
        };
        let Some(&child) = children.get(random.below(bound)) else {
            return Err(Missed::Nothing);
        };
        *alike *= children.len() as f64;
        (node, is_root) = (child, false);
    }
}

impl Tree {
    /// Passes `count` keys that are drawn at random, and their values, to `visit`, until it returns `false`.
    /// A key may be drawn more than once. Returns how many were passed: fewer only if the visitor stopped,
    /// or if the tree is empty or so sparse that no key was found.
    pub(crate) fn sample(
        &self,
        pin: Pinned<'_>,
        random: &mut Random,
        count: usize,
        visit: &mut dyn FnMut(&[u8], u64) -> bool,
        visited: &mut usize,
    ) -> Result<(), OutOfMemory> {
        self.admit(pin, &[]);
        while *visited < count {
            let mut goes_on = false;
            let draw = |source| {
                let drawn = self.draw_one(pin, random, source)?;
                if let Some(drawn) = drawn {
                    *visited += 1;
                    goes_on = visit(&drawn.key, drawn.value);
                }
                Ok(())
            };
            // SAFETY: the key that was drawn ends there.
            unsafe { with_stack(self.allocator(), draw) }?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn draw_one(
        &self,
        pin: Pinned<'_>,
        random: &mut Random,
        source: Source,
    ) -> Result<Option<Drawn>, OutOfMemory> {
        let draws = match self.root(pin).levels_below() {
            0 => 1,
            _ => DRAWS,
        };
        let mut chosen: Option<Drawn> = None;
        let mut total = 0.0;
        for _ in 0..draws {
            let Some(drawn) = self.draw_entry(pin, random, source)? else {
                continue;
            };
            total += drawn.weight;
            if chosen.is_none() || random.fraction() * total < drawn.weight {
                chosen = Some(drawn);
            }
        }
        Ok(chosen)
    }

    /// Draws an entry of the first layer; if it is a link, a key below.
    fn draw_entry(
        &self,
        pin: Pinned<'_>,
        random: &mut Random,
        source: Source,
    ) -> Result<Option<Drawn>, OutOfMemory> {
        for attempt in 0..=ATTEMPTS {
            // Writers may delete nodes at any time, so the last attempt may fail, too.
            let places = attempt < ATTEMPTS;
            match self.try_draw(self.root(pin), places, random, source) {
                Ok(drawn) => return Ok(Some(drawn)),
                Err(Missed::OutOfMemory) => return Err(OutOfMemory),
                Err(Missed::Nothing) => {}
            }
        }
        Ok(None)
    }

    fn try_draw(
        &self,
        mut root: NodeRef<'_>,
        places: bool,
        random: &mut Random,
        source: Source,
    ) -> Result<Drawn, Missed> {
        let mut key = Vector::new_in(source);
        let mut weight = 1.0;
        let mut entries = Entries::new();
        // Ends: each round is a layer further down.
        loop {
            let is_first = key.is_empty();
            let mut alike = 1.0;
            descend(root, places && is_first, random, &mut alike, &mut entries)?;
            let is_only_leaf = matches!(root.kind(), AnyNode::Leaf(_));
            let bound = match places && is_first && !is_only_leaf {
                true => WIDTH,
                false => entries.len().max(1),
            };
            let Some(entry) = entries.get(random.below(bound)) else {
                return Err(Missed::Nothing);
            };
            // Of the entries of the first layer, each is as likely as another.
            if !is_first {
                weight *= alike * entries.len() as f64;
            }
            let suffix = match entry.kind {
                SUFFIX => &entry.suffix[..],
                _ => &[],
            };
            let len = usize::from(entry.kind).min(SLICE_LEN);
            key.try_reserve(len + suffix.len())?;
            append(&mut key, &entry.slice.to_be_bytes()[..len]);
            append(&mut key, suffix);
            let Some(below) = entry.layer() else {
                return Ok(Drawn {
                    key,
                    value: entry.value(),
                    weight,
                });
            };
            root = below;
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// Draws keys, and returns how often each group of them, as `group` says, was drawn.
    fn frequencies(
        tree: &Tree,
        count: usize,
        groups: usize,
        group: impl Fn(&[u8], u64) -> usize,
    ) -> Vec<f64> {
        let guard = tree.guard().unwrap();
        let (mut drawn, mut visited) = (vec![0.0; groups], 0);
        let mut random = Random(7);
        let mut visit = |key: &[u8], value: u64| {
            drawn[group(key, value)] += 1.0;
            true
        };
        let outcome = tree.sample(guard.pin(), &mut random, count, &mut visit, &mut visited);
        assert_eq!((outcome, visited), (Ok(()), count));
        drawn
    }

    /// Pearson's statistic of numbers that are to be equal.
    fn chi_square(drawn: &[f64]) -> f64 {
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        drawn.iter().map(|n| (n - mean).powi(2) / mean).sum()
    }

    /// Of 49 degrees of freedom: above 86 once in 1000 runs, and the seed is fixed. The leaves of the
    /// first keys are sparse. Put back: in `draw_entry`, `places` is false.
    #[test]
    fn each_key_of_one_layer_is_equally_likely() {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        for n in 0..5000_u64 {
            tree.put(pin, &n.to_be_bytes(), n).unwrap();
        }
        for n in (0..2000_u64).filter(|n| n % 5 < 3) {
            tree.remove(pin, &n.to_be_bytes());
        }
        let mut keys = Vec::new();
        tree.scan(pin, &crate::index::tree::Range::all(), &mut |_, n| {
            keys.push(n);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
        let drawn = frequencies(&tree, 10_000, 50, |key, value| {
            assert_eq!(key, value.to_be_bytes());
            keys.binary_search(&value).unwrap() * 50 / keys.len()
        });
        assert!(chi_square(&drawn) < 86.0, "{}", chi_square(&drawn));
    }

    /// Each of 20 layers has 300 keys, and as many keys are outside. Put back: in `draw_one`, always take
    /// the first; or in `try_draw`, leave the weight at 1.
    #[test]
    fn keys_of_layers_are_about_as_likely_as_others() {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        for layer in 0..20_u64 {
            for n in 0..300_u64 {
                let key = format!("layer{layer:03}{n:05}");
                tree.put(guard.pin(), key.as_bytes(), layer).unwrap();
                let short = format!("k{layer:02}{n:05}");
                tree.put(guard.pin(), short.as_bytes(), 20).unwrap();
            }
        }
        let drawn = frequencies(&tree, 1000, 21, |_, value| value as usize);
        // Half of the keys are below 20 of 6020 entries.
        assert!(drawn[..20].iter().sum::<f64>() > 20.0, "{drawn:?}");
    }

    #[test]
    fn an_empty_tree_has_no_samples() {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let mut visited = 0;
        let outcome = tree.sample(
            guard.pin(),
            &mut Random(1),
            3,
            &mut |_, _| unreachable!(),
            &mut visited,
        );
        assert_eq!((outcome, visited), (Ok(()), 0));
    }
}
