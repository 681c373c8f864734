//! Observations: versions of leaves at the time they were read, for later validation.
//!
//! **Protocol.** An [`Observation`] names a leaf and the version against which its snapshot was
//! validated. As long as the leaf has that version, it holds the same keys; and of the slices
//! from its low to the next leaf's, a key that it does not hold exists nowhere in its layer. For
//! an insert of such a key changes this leaf and its version; if the range moves to another leaf,
//! this one was split or deleted, which changes its version too; and the keys of a layer below
//! are in leaves of its own, which are deleted when that layer is, and this leaf then loses the
//! link, which changes its version.
//!
//! Observations outlive guards. They may be compared long after the leaf was freed, because the
//! first word of a slot stays a version word while the pool lives, and its count continues
//! from node to node (see `memory::pool` and `version`).
//!
//! **Comparing.** A writer publishes an insert or a remove before it unlocks with the new
//! version: a reader may find a key before the version has changed. So a thread that finds the
//! leaf locked waits for the owner ([`Observation::compare`]).

#[cfg(all(test, loom))]
mod models;

use std::ptr::NonNull;

use super::leaf::Leaf;
use super::version::{Comparison, Version, VersionWord};
use crate::protocol::Line;
use crate::sync::{Ordering, fence};

/// The version of a leaf at one moment. Users keep arrays of these: C sees the same three numbers,
/// in the same order, and neither side converts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Observation {
    /// The leaf; a multiple of 64.
    pub leaf: u64,
    /// Its version; only equality has a meaning.
    pub version: u64,
    /// How many times the tree had been cleared.
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
    /// The observation is of a tree that lives for `'t`, or all zero.
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

    /// Compares the leaf's version with the observed one. For the leaf 0, which no observation
    /// names, the result is `Changed`.
    ///
    /// # Safety
    /// The contract of `word`.
    pub(crate) unsafe fn compare(&self) -> Comparison {
        // SAFETY: by contract.
        unsafe { self.word() }.map_or(Comparison::Changed, |word| word.compare(self.version))
    }

    /// The current version of a leaf, or of what its slot now holds; `None` for the leaf 0.
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
