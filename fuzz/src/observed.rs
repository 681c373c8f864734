//! Observed look-ups: they return what others do, and while their observations are valid,
//! the key exists, or is absent, as it was then.

use masstree::ffi::occ::observe::*;
use masstree::ffi::occ::validate::masstree_validate;
use masstree::ffi::status::*;

use crate::points::untouched;
use crate::session::{Given, Session};
use crate::values::{UNTOUCHED, slice_of};

/// The number of observations kept for later validation.
const KEPT: usize = 16;

/// A key, whether it existed, and the observation that proved it.
pub(crate) struct Observed {
    key: Vec<u8>,
    is_there: bool,
    leaf: LeafObservation,
}

impl Session<'_> {
    /// Looks up a key of this session's own.
    pub(crate) fn look_observed(&mut self, key: &[u8], expected: Given) {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        let mut leaf = LeafObservation {
            leaf: 0,
            version: 0,
            incarnation: 0,
        };
        let given = if !self.holds_bytes() {
            let mut word = UNTOUCHED;
            // SAFETY: a living tree, this session's guard, a readable key, writable outputs.
            let status =
                unsafe { masstree_get_observed(tree, guard, k.data, k.len, &mut word, &mut leaf) };
            Self::word(status, word)
        } else if !guard.is_null() {
            let mut slice = untouched();
            // SAFETY: as above.
            let status = unsafe {
                masstree_get_bytes_observed(tree, guard, k.data, k.len, &mut slice, &mut leaf)
            };
            self.slice(status, slice)
        } else {
            return;
        };
        assert_eq!(given, expected, "get_observed {key:?}");
        assert!(
            !self.is_alone() || self.holds(&leaf),
            "no other session writes"
        );
        if self.observed.len() == KEPT {
            self.observed.remove(0);
        }
        self.observed.push(Observed {
            key: key.to_vec(),
            is_there: given.status == MASSTREE_OK,
            leaf,
        });
    }

    /// Checks, after a write, that valid observations are true.
    pub(crate) fn assert_observed(&self) {
        for observed in &self.observed {
            let is_there = self.model.contains_key(&observed.key);
            let phantom = is_there != observed.is_there && self.holds(&observed.leaf);
            assert!(!phantom, "{:?} changed unnoticed", observed.key);
        }
    }

    fn holds(&self, leaf: &LeafObservation) -> bool {
        // SAFETY: a living tree, and an observation of it.
        let status = unsafe { masstree_validate(self.tree(), leaf, 1, std::ptr::null_mut()) };
        assert!(matches!(status, MASSTREE_OK | MASSTREE_MISMATCH));
        status == MASSTREE_OK
    }
}
