//! The fast path for holding an absent short key for which its leaf must be split.
//!
//! **Protocol.** That of `split_short`, which neither fails nor waits nor calls a function of the user
//! once it holds the parent's lock; but the leaf that has room then stays locked, without the key.
//! `finish_short` finishes the hold, as any other of a short key.
//!
//! The guard may remember the leaf that stays locked, or records it as the one it reached last, so
//! that `finish_short` may renew what the guard remembers.

use std::ptr::NonNull;

use super::held_short::{FullLeaf, HeldShort};
use super::locate::Located;
use super::lock::{Parent, lock_parent};
use super::split::SplitPoint;
use super::split_short::divide;
use crate::index::node::{KeyPosition, Leaf, Observation, Version};
use crate::index::reclaim::{HintedLeaf, Pinned};
use crate::index::tree::Tree;
use crate::index::tree::holding::Holder;

/// What a hold has changed when it has split a leaf. It dereferences no leaf, so it may be kept after
/// the hold.
#[derive(Clone, Copy)]
pub(crate) struct HeldSplit {
    /// The leaf that was split, as it was before.
    original: Observation,
    /// The new leaf, to its right.
    created: NonNull<Leaf>,
    /// The version after the split of the one of the two that is not held.
    other: Version,
}

impl Tree {
    /// Splits a full leaf that `hold_short` has locked, and holds the leaf that then has room.
    /// Otherwise changes and holds nothing, and returns the leaf, still locked: if it is not full, or
    /// keeps suffixes, or its parent is full or none, or the pool has no memory at once.
    #[inline(always)]
    pub(crate) fn hold_split<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        bytes: &[u8],
        full: FullLeaf<'g, 'k>,
        holder: &Holder,
        kept_in: *const (),
    ) -> Result<(HeldShort<'g>, HeldSplit), FullLeaf<'g, 'k>> {
        debug_assert!(
            pin.recorder().is_none(),
            "hold_short holds no recorded leaf"
        );
        let (&KeyPosition::Absent { position }, Some(root)) = (&full.located.position, full.root)
        else {
            return Err(full);
        };
        let leaf = &full.located.leaf;
        if !leaf.permutation().is_full() || leaf.bag().is_some() || leaf.has_tails() {
            return Err(full);
        }
        let Parent::Internode(mut parent) = lock_parent(leaf) else {
            return Err(full);
        };
        if parent.is_full() {
            return Err(full);
        }
        let Some(empty) = pin.domain().memory.pooled_leaf(false, pin.stripe()) else {
            return Err(full);
        };
        let FullLeaf {
            located: Located { mut leaf, key, .. },
            incarnation,
            ..
        } = full;
        let original = Observation::new(leaf.node(), leaf.version_found(), incarnation);
        let at = SplitPoint::new(&leaf, position, key.slice());
        let mut right = divide(pin, &mut leaf, &mut parent, empty, &at);
        self.link(&leaf, &right, &mut parent, at.low);
        let created = NonNull::from(right.node());
        let (held, other) = match at.stays {
            true => {
                leaf.publish_version();
                (leaf, right)
            }
            false => {
                right.publish_version();
                (right, leaf)
            }
        };
        let split = HeldSplit {
            original,
            created,
            other: other.version_after(),
        };
        drop(other);
        drop(parent);
        if at.append && !at.stays {
            pin.remember(root, HintedLeaf::after(&held), held.range());
        } else {
            pin.note_reached(held.node());
        }
        let position = match at.stays {
            true => position,
            false => position - at.kept,
        };
        let (leaf, version) = held.suspend();
        let held = HeldShort::absent(leaf, version, incarnation, &key, bytes, position);
        holder.begin(self, leaf, incarnation, kept_in);
        Ok((held, split))
    }
}

impl HeldSplit {
    /// An observation of the leaf that was split, as it was before.
    pub(crate) fn original(&self) -> Observation {
        self.original
    }

    /// Observations of the leaf that was split and of the new one, as the hold left them, or leaves
    /// them, if it leaves the held leaf at `held`.
    pub(crate) fn after(&self, held: Observation) -> [Observation; 2] {
        let incarnation = self.original.incarnation;
        let created =
            |version| Observation::of_address(self.created.as_ptr(), version, incarnation);
        match held.leaf == self.original.leaf {
            true => [held, created(self.other)],
            false => {
                let other = Observation {
                    version: self.other.number(),
                    ..self.original
                };
                [other, held]
            }
        }
    }
}
