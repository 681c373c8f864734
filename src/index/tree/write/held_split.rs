//! The fast path for holding an absent short key for which its leaf must be split.
//!
//! **Protocol.** That of `split`, which leaves the leaf locked that has room then, and that of
//! `held_short`. The split takes its nodes from the pool only if that needs no waiting and calls no
//! function of the user, so nothing is allocated under the lock. A full leaf of the first layer that
//! has no suffixes stays without: so nothing has to be retired or freed after the split.
//!
//! `finish_split` sets a key, unless the tree was cleared; otherwise it does what `finish` does.

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::engine::{Added, Addition, Decision};
use super::held::{Held, Overtaken};
use super::held_short::{FullLeaf, HeldShort};
use super::locate::Located;
use super::reserve::Reserve;
use crate::index::key::Key;
use crate::index::node::{Entry, KeyPosition, Locked, Observation};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::holding::Holder;
use crate::protocol::Line;

impl Tree {
    /// Splits a full leaf that `hold_short` has locked, if it has no bag and the pool has memory, and
    /// holds the leaf that then has room. Also returns an observation of the full leaf. Otherwise
    /// changes and holds nothing.
    #[inline(always)]
    pub(crate) fn hold_split<'g>(
        &self,
        pin: Pinned<'g>,
        bytes: &[u8],
        full: FullLeaf<'g, '_>,
        holder: &Holder,
        kept_in: *const (),
    ) -> Option<(HeldShort<'g>, Observation)> {
        let FullLeaf {
            located,
            incarnation,
        } = full;
        let Located {
            leaf,
            position: KeyPosition::Absent { position },
            key,
        } = located
        else {
            return None;
        };
        debug_assert!(Key::new(bytes).slice() == key.slice());
        if !leaf.permutation().is_full() || leaf.bag().is_some() || leaf.has_tails() {
            return None;
        }
        if let Some(recorder) = pin.recorder() {
            recorder.begin(incarnation);
        }
        let original = Observation::new(leaf.node(), leaf.version_found(), incarnation);
        // Filled with what the split needs: if it splits, nothing is left to be freed.
        let mut reserve = Reserve::new(&pin.domain().memory);
        let (entry, addition) = (Entry::new(&key), Addition::Room);
        let added = self.split(pin, leaf, position, entry, addition, &mut reserve);
        let Ok(Added::Room(room)) = added else {
            return None;
        };
        // The leaf is in the first layer and has no suffixes.
        debug_assert!(room.grown.is_none() && room.bag.is_none() && room.old_bag.is_none());
        let (leaf, version) = room.leaf.suspend();
        holder.begin(self, leaf, incarnation, kept_in);
        let held = HeldShort {
            leaf: NonNull::from(leaf),
            version,
            incarnation,
            slice: key.slice(),
            slot_or_position: room.position,
            kind: key.kind(),
            is_present: false,
            has_room: true,
            #[cfg(debug_assertions)]
            bytes,
            pin: PhantomData,
        };
        Some((held, original))
    }

    /// [`Tree::finish`] for a leaf that [`Tree::hold_split`] has locked.
    ///
    /// # Safety
    /// As for [`Tree::finish_short`]; the pin has the recorder that `hold_split` had.
    #[inline(always)]
    pub(crate) unsafe fn finish_split<'g>(
        &self,
        pin: Pinned<'g>,
        held: &HeldShort<'g>,
        original: Observation,
        decision: Decision,
        holder: &Holder,
    ) -> Result<Option<u64>, Overtaken> {
        let key = Key::short(held.slice, held.kind);
        // SAFETY: found under the pin, and locked by `hold_split`.
        let mut leaf = unsafe { Locked::resume(held.leaf.as_ref(), held.version) };
        let value = match decision {
            Decision::Set(value) if !self.is_cleared_since(held.incarnation) => value,
            _ => {
                let held = Held::split(leaf, held.slot_or_position, key, original);
                return self.finish(pin, held, decision);
            }
        };
        held.check_key();
        holder.end();
        // SAFETY: the split has made room at this position; the leaf has been locked since.
        unsafe { leaf.insert_short(held.slot_or_position, &key, value) };
        if let Some(recorder) = pin.recorder() {
            recorder.held(&leaf);
        }
        let node = leaf.node();
        drop(leaf);
        pin.count_keys(node, 1);
        Ok(None)
    }

    /// Whether a clearing has begun since `incarnation` of them had ended.
    #[inline(always)]
    fn is_cleared_since(&self, incarnation: u64) -> bool {
        // Under the leaf's lock: see `held`.
        Line::FinishLooksForClears.is_enabled() && !self.clears.none_since(incarnation)
    }
}
