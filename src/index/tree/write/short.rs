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
        let near = near.and_then(|near| Locked::lock_unchanged(near.leaf, near.version));
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
