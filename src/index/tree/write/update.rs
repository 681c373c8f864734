//! Conditional changes: each reads the value of a key and changes the key atomically (see
//! `engine`).

use super::engine::{Decision, record};
use super::short::Short;
use crate::index::key::Key;
use crate::index::memory::OutOfMemory;
use crate::index::node::{KeyPosition, with_search};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::updating::Updating;

impl Tree {
    /// Stores `value` under a key if the key is present. Returns the value that the key had,
    /// which the caller owns or passes to [`Tree::discard`].
    // inline(always), as in put, locate and remove: an update takes 26 instructions less.
    #[inline(always)]
    pub fn replace(&self, pin: Pinned<'_>, key: &[u8], value: u64) -> Option<u64> {
        self.admit_words(pin, key);
        self.write_present(pin, key, |_| Decision::Set(value))
    }

    /// Stores `desired` under a key if it has the value `expected`. Returns the value that the
    /// key had, if it is present. Allocates no node.
    #[inline(always)]
    pub fn compare_exchange(
        &self,
        pin: Pinned<'_>,
        key: &[u8],
        expected: u64,
        desired: u64,
    ) -> Option<u64> {
        self.admit_words(pin, key);
        self.write_present(pin, key, |value| match value == expected {
            true => Decision::Set(desired),
            false => Decision::Keep,
        })
    }

    /// Removes a key if it has the value `expected`. Returns the value that the key had, if it
    /// is present. Allocates no node.
    #[inline(always)]
    pub fn remove_if_equal(&self, pin: Pinned<'_>, key: &[u8], expected: u64) -> Option<u64> {
        self.admit_words(pin, key);
        self.write_present(pin, key, |value| match value == expected {
            true => Decision::Remove,
            false => Decision::Keep,
        })
    }

    /// Calls `decide` once, with the key's value or `None`, and applies its decision. Returns
    /// the value that the key had.
    ///
    /// `decide` runs under the lock of the key's leaf and must not use the tree. The memory for an
    /// insert is reserved before `decide` is called: nothing fails after that.
    pub fn update(
        &self,
        pin: Pinned<'_>,
        key: &[u8],
        mut decide: impl FnMut(Option<u64>) -> Decision,
    ) -> Result<Option<u64>, OutOfMemory> {
        self.admit_words(pin, key);
        self.write(pin, key, |present| {
            let _updating = Updating::begin(self);
            decide(present)
        })
    }

    /// [`Tree::write`] for a decision that changes only a present key. Returns `None`, without
    /// calling `decide`, if the key is absent. Reserves no memory.
    #[inline(always)]
    pub(crate) fn write_present(
        &self,
        pin: Pinned<'_>,
        bytes: &[u8],
        decide: impl FnOnce(u64) -> Decision,
    ) -> Option<u64> {
        with_search!(self.isa, S => {
            let short = self.lock_short::<S, true>(pin, &Key::new(bytes));
            self.write_present_locked(pin, bytes, short, decide)
        })
    }

    /// [`Tree::write_present`] once [`Tree::lock_short`] has tried to lock the key's leaf.
    #[inline(always)]
    pub(in crate::index::tree) fn write_present_locked<'g>(
        &self,
        pin: Pinned<'g>,
        bytes: &[u8],
        short: Short<'g>,
        decide: impl FnOnce(u64) -> Decision,
    ) -> Option<u64> {
        match short {
            Short::Present { leaf, slot } => {
                Some(self.change_present(pin, leaf, slot, true, decide))
            }
            Short::Absent { .. } => None,
            Short::Unlocked => {
                let mut decide = Some(decide);
                let mut decide = |value| match decide.take() {
                    Some(decide) => decide(value),
                    None => unreachable!("a write decides once"),
                };
                self.write_present_slow(pin, bytes, &mut decide)
            }
        }
    }

    /// [`Tree::write_present`] for the cases that are not inlined (see [`Short::Unlocked`]).
    #[inline(never)]
    fn write_present_slow(
        &self,
        pin: Pinned<'_>,
        bytes: &[u8],
        decide: &mut dyn FnMut(u64) -> Decision,
    ) -> Option<u64> {
        let located = self.locate(pin, bytes);
        let KeyPosition::Present { slot } = located.position else {
            record(pin, &located.leaf);
            return None;
        };
        Some(self.change_present(pin, located.leaf, slot, false, decide))
    }
}
