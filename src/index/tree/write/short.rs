//! The shortest way to lock the leaf of a key that ends within its first slice, as keys of eight
//! bytes do.
//!
//! **Protocol.** The leaf is locked only in the version in which the descent reached it, so that it
//! still holds the key or its position, and nothing has to be looked at again. If its version has
//! changed, if another thread has it locked, or if the write is to be recorded, nothing is locked,
//! and the write locates its key anew (see `locate`), where it waits. The guard may remember a leaf
//! of an earlier write (see `reclaim::near`), which takes the place of the descent.

use crate::index::key::Key;
use crate::index::node::{Leaf, Locked, NodeRef, with_search};
use crate::index::reclaim::{NearLeaf, Pinned};
use crate::index::tree::Tree;
use crate::index::tree::read::descend::reach;
use crate::protocol::Line;
use crate::sync::perturb;

/// The place of a key that ends within its first slice.
pub(in crate::index::tree) enum Short<'g> {
    Present {
        leaf: Locked<'g, Leaf>,
        slot: usize,
    },
    /// With the root of the tree when the write began.
    Absent {
        leaf: Locked<'g, Leaf>,
        position: usize,
        root: NodeRef<'g>,
    },
    /// Nothing is locked: the key must be located.
    Unlocked,
}

impl Tree {
    /// Locks the leaf with a short key or its position, if that takes no waiting.
    #[inline(always)]
    pub(in crate::index::tree) fn lock_short<'g>(
        &self,
        pin: Pinned<'g>,
        key: &Key<'_>,
    ) -> Short<'g> {
        if key.has_suffix() || pin.recorder().is_some() {
            return Short::Unlocked;
        }
        self.must_not_hold();
        let root = self.root(pin);
        let near = pin.near(root, key.slice());
        let near = near.and_then(|near| match Line::NearIsUnchanged.is_enabled() {
            true => Locked::lock_unchanged(near.leaf, near.version),
            false => Some(Locked::lock(near.leaf)),
        });
        let leaf = match near {
            Some(leaf) => leaf,
            None => {
                let reached = with_search!(self.isa, S => reach::<S>(root, key.slice(), true));
                let Ok(reached) = reached else {
                    return Short::Unlocked;
                };
                perturb();
                let locked = Locked::lock_unchanged(reached.leaf, reached.version);
                let Some(leaf) = locked else {
                    return Short::Unlocked;
                };
                if pin.comes_again(leaf.node()) {
                    pin.remember(root, NearLeaf::after(&leaf), leaf.range());
                }
                leaf
            }
        };
        match with_search!(self.isa, S => leaf.slot_of_short::<S>(key)) {
            Ok(slot) => Short::Present { leaf, slot },
            Err(position) => Short::Absent {
                leaf,
                position,
                root,
            },
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// The first leaf of a layer may have a low above its range. Put back: in `Leaf::range`, begin
    /// with the leaf's own low.
    #[test]
    fn a_first_leaf_is_remembered_with_its_range() {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        let put = |n: u64| assert_eq!(tree.put(pin, &n.to_be_bytes(), n), Ok(None));
        let remove = |n: u64| assert_eq!(tree.remove(pin, &n.to_be_bytes()), Some(n));
        (1000..1100).for_each(put);
        // The first leaves go; the one that is the first now takes smaller keys, and splits among
        // them.
        (1000..1050).for_each(remove);
        (0..40).rev().for_each(put);
        (100..110).for_each(put);
        (200..230).step_by(3).for_each(put);
        for first in [40, 60, 110] {
            put(first);
            put(first + 1);
            put(first + 500);
            remove(first + 500);
        }
        for n in [41_u64, 61, 111, 0, 39, 100, 109, 227, 1050, 1099] {
            assert_eq!(tree.get(pin, &n.to_be_bytes()), Some(n));
        }
        assert_eq!(tree.check(pin, &mut |line| panic!("{line}")), Ok(true));
    }

    /// Put back: do not forget in `Guard::refresh`.
    #[test]
    fn a_refreshed_guard_remembers_nothing() {
        let tree = Tree::new(None).unwrap();
        let mut guard = tree.guard().unwrap();
        for n in 0..100_u64 {
            assert_eq!(tree.put(guard.pin(), &n.to_be_bytes(), n), Ok(None));
        }
        let remembers = |pin: Pinned<'_>| pin.near(tree.root(pin), 99).is_some();
        assert!(remembers(guard.pin()));
        guard.refresh();
        assert!(!remembers(guard.pin()));
    }
}
