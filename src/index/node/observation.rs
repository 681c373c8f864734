//! Observations: versions of leaves at the time they were read, for later validation.
//!
//! **Protocol.** An [`Observation`] names a leaf and the version against which its snapshot was
//! validated. As long as the leaf has that version, it holds the same keys, and its layer contains
//! no other key with a slice in the leaf's range. Each event that could end this also changes the
//! leaf's version:
//!
//! - A key with such a slice is inserted: into this leaf, as long as this leaf has the range.
//! - A part of the range moves to another leaf: then this leaf is split or deleted.
//! - A layer below this leaf is deleted: then this leaf loses the link to it. The keys of that
//!   layer are in its own leaves, which have their own observations and are deleted with it.
//!
//! Observations outlive guards. They may be compared long after the leaf was freed, because the
//! first word of a slot stays a version word while the pool lives, and its count continues
//! from node to node (see `memory::pool` and `version`).
//!
//! **Comparing.** A writer first publishes an insert or a remove, and then unlocks the leaf with
//! the new version. In between, a reader may find the new key while the leaf still has its old
//! version. So a thread that compares a locked leaf waits for the owner
//! ([`Observation::compare`]).

#[cfg(all(test, loom))]
mod models;

use std::ptr::NonNull;

use super::leaf::Leaf;
use super::version::{Comparison, Version, VersionWord};
use crate::protocol::Line;
use crate::sync::{Ordering, fence};

/// The version of a leaf at one moment. The C interface's observation has the same three fields in
/// the same order, so arrays of observations need no conversion.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Observation {
    /// The leaf; a multiple of 64.
    pub leaf: u64,
    /// Its version; only equality has a meaning.
    pub version: u64,
    /// The number of times that the tree had been cleared.
    pub incarnation: u64,
}

impl Observation {
    pub(crate) fn new(leaf: &Leaf, version: Version, incarnation: u64) -> Self {
        Self::of_address(leaf, version, incarnation)
    }

    /// [`Observation::new`] for a leaf that may have been freed.
    pub(crate) fn of_address(leaf: *const Leaf, version: Version, incarnation: u64) -> Self {
        Self {
            leaf: leaf.expose_provenance() as u64,
            version: version.number(),
            incarnation,
        }
    }

    /// The version word of the leaf.
    ///
    /// # Safety
    /// The observation was made in a tree that exists for `'t`, or is all zero.
    unsafe fn word<'t>(&self) -> Option<&'t VersionWord> {
        let ptr = std::ptr::with_exposed_provenance_mut(self.leaf as usize);
        // SAFETY: the first word of a slot stays the version word of the nodes in it.
        NonNull::new(ptr).map(|ptr| unsafe { ptr.as_ref() })
    }

    /// Executes the fence that precedes comparisons with leaves that other threads change. Of two
    /// threads that each change a leaf and then compare the other's, at least one finds it changed.
    pub(crate) fn fence_before_compare() {
        if Line::FenceBeforeCompare.is_enabled() {
            fence(Ordering::SeqCst);
        }
    }

    /// Compares the leaf's version with the observed one. Returns `Changed` for the leaf 0, of
    /// which no observation is made.
    ///
    /// # Safety
    /// The contract of `word`.
    pub(crate) unsafe fn compare(&self) -> Comparison {
        // SAFETY: by contract.
        unsafe { self.word() }.map_or(Comparison::Changed, |word| word.compare(self.version))
    }

    /// Returns the current version of a leaf or, if the leaf was freed, the version word of its
    /// slot; `None` for the leaf 0.
    ///
    /// # Safety
    /// The contract of `word`, for an observation of the leaf.
    pub(crate) unsafe fn version_of(node: u64) -> Option<u64> {
        let observation = Self {
            leaf: node,
            ..Self::default()
        };
        // SAFETY: by contract.
        unsafe { observation.word() }.map(|word| word.load().number())
    }
}
