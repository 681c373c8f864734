//! Holding a key of any length that is present, or for which its leaf has room.
//!
//! **Protocol.** That of `held`. The hold locates the key as any write does, and so may wait for
//! locks. But it neither changes the leaf nor allocates, so it needs no reserve, leaves no room to give
//! back, and changes no other leaf. Otherwise it returns the locked leaf to `hold_from`. The leaf may
//! belong to any layer, so the guard does not remember it.

use super::engine::Decision;
use super::held::Overtaken;
use super::held_short::{FullLeaf, HeldShort};
use super::locate::Located;
use crate::index::key::Key;
use crate::index::node::{Entry, KeyPosition, Locked};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::holding::Holder;
use crate::protocol::Line;

/// A locked leaf, and where in it a key of any length is or would be inserted. Dropping this does not
/// unlock the leaf.
pub(crate) struct HeldReady<'g, 'k> {
    place: HeldShort<'g>,
    /// The part of the key that the leaf's layer indexes.
    key: Key<'k>,
}

impl Tree {
    /// Holds a key, and returns its value, if the hold needs no memory and no change of a leaf.
    /// Otherwise holds nothing, and returns the leaf, locked. The pin has no recorder.
    pub(crate) fn hold_ready<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        bytes: &'k [u8],
        may_insert: bool,
        holder: &Holder,
        kept_in: *const (),
    ) -> Result<(HeldReady<'g, 'k>, Option<u64>), FullLeaf<'g, 'k>> {
        debug_assert!(pin.recorder().is_none());
        let (incarnation, located) = self.locate_uncleared(pin, bytes);
        let (slot_or_position, is_present) = match located.position {
            KeyPosition::Present { slot } => (slot, true),
            KeyPosition::Absent { position } if !may_insert || located.takes_the_key() => {
                (position, false)
            }
            _ if !may_insert => (0, false),
            _ => {
                return Err(FullLeaf {
                    located,
                    root: None,
                    incarnation,
                });
            }
        };
        let Located { leaf, key, .. } = located;
        let value = is_present.then(|| leaf.value_in(slot_or_position));
        let (leaf, version) = leaf.suspend();
        holder.begin(self, leaf, incarnation, kept_in);
        let place = HeldShort {
            is_present,
            has_room: may_insert,
            ..HeldShort::absent(leaf, version, incarnation, &key, bytes, slot_or_position)
        };
        Ok((HeldReady { place, key }, value))
    }

    /// [`Tree::finish`] for a leaf that [`Tree::hold_ready`] has locked.
    ///
    /// # Safety
    /// The hold is finished once, by the thread that began it, under the same pin. Only a hold that
    /// [can set](HeldShort::can_set) the key is finished with [`Decision::Set`].
    pub(crate) unsafe fn finish_ready<'g>(
        &self,
        pin: Pinned<'g>,
        held: &HeldReady<'g, '_>,
        decision: Decision,
        holder: &Holder,
    ) -> Result<Option<u64>, Overtaken> {
        holder.end();
        let (place, key) = (&held.place, &held.key);
        // SAFETY: found under the pin, and locked by `hold_ready`.
        let mut leaf = unsafe { Locked::resume(place.leaf.as_ref(), place.version) };
        // The last comparison, under the leaf's lock: see `held`.
        if Line::FinishLooksForClears.is_enabled() && !self.clears.none_since(place.incarnation) {
            return self.finish_overtaken(pin, leaf, place.incarnation);
        }
        let slot_or_position = place.slot_or_position;
        if place.is_present {
            let value = self.change_present(pin, leaf, slot_or_position, false, |_| decision);
            return Ok(Some(value));
        }
        let Decision::Set(value) = decision else {
            return Ok(None);
        };
        #[cfg(debug_assertions)]
        assert!(
            key.is_unchanged(),
            "a key must stay as it is while it is held"
        );
        leaf.insert(
            slot_or_position,
            &Entry::new(key).with_value(value),
            pin.keys(),
        );
        let node = leaf.node();
        drop(leaf);
        pin.count_keys(node, 1);
        Ok(None)
    }
}

impl<'g> HeldReady<'g, '_> {
    /// The leaf, and where the key is in it.
    #[inline]
    pub(crate) fn place(&self) -> &HeldShort<'g> {
        &self.place
    }
}
