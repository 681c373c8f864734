//! Writes that need neither memory nor a split, but are not the ones that `write` does itself: above
//! all those of long keys. They take no `Reserve`.

use super::engine::{Decision, record};
use super::locate::Located;
use crate::index::memory::OutOfMemory;
use crate::index::node::{Entry, KeyPosition};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;

impl Tree {
    /// [`Tree::write`] after a descent through all layers of a key.
    #[inline(never)]
    pub(super) fn write_long(
        &self,
        pin: Pinned<'_>,
        bytes: &[u8],
        decide: &mut dyn FnMut(Option<u64>) -> Decision,
    ) -> Result<Option<u64>, OutOfMemory> {
        let located = self.locate(pin, bytes);
        match located.position {
            KeyPosition::Present { slot } => {
                let decide = |value| decide(Some(value));
                Ok(Some(self.change_present(
                    pin,
                    located.leaf,
                    slot,
                    false,
                    decide,
                )))
            }
            KeyPosition::Absent { position } if located.takes_the_key() => {
                let Located { mut leaf, key, .. } = located;
                let Decision::Set(value) = decide(None) else {
                    record(pin, &leaf);
                    return Ok(None);
                };
                leaf.insert(position, &Entry::new(&key).with_value(value), pin.keys());
                record(pin, &leaf);
                let node = leaf.node();
                drop(leaf);
                pin.count_keys(node, 1);
                Ok(None)
            }
            _ => self.write_slow(pin, bytes, decide, located, None),
        }
    }
}

impl Located<'_, '_> {
    /// Whether the leaf has a free slot for the key, and room for its suffix.
    #[inline]
    pub(super) fn takes_the_key(&self) -> bool {
        !self.leaf.permutation().is_full()
            && self.leaf.has_room_for(self.key.suffix())
            && !self.leaf.wastes_its_bag()
    }
}
