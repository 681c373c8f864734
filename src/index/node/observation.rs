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
use super::{Locked, NodeRef};
use crate::protocol::Line;
use crate::sync::{Ordering, fence};

/// The version of a leaf at one moment.
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
        let node = NodeRef::from(leaf).as_ptr();
        Self {
            leaf: node.expose_provenance() as u64,
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

/// A record of how one write changed a tree's leaves.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Delta {
    struct_size: usize,
    /// An array for the leaves that the write creates.
    pub(crate) created: *mut Observation,
    pub(crate) created_capacity: usize,
    /// How many leaves it created, including those for which the array has no room.
    pub(crate) created_count: usize,
    /// The leaf to which the key belongs, when it was locked and when it is unlocked.
    pub(crate) before: Observation,
    pub(crate) after: Observation,
    pub(crate) flags: u32,
    reserved: u32,
}

#[cfg(all(test, not(loom)))]
impl Delta {
    pub(crate) fn with_room(created: &mut [Observation]) -> Self {
        Self {
            struct_size: size_of::<Self>(),
            created: created.as_mut_ptr(),
            created_capacity: created.len(),
            created_count: 0,
            before: Observation::default(),
            after: Observation::default(),
            flags: 0,
            reserved: 0,
        }
    }
}

/// The flag of a delta that does not list all changed leaves.
pub(crate) const MORE: u32 = 1;

/// Records what a write changes, in a delta of the user's. Few writes do.
#[derive(Clone, Copy)]
pub(crate) struct Report(NonNull<Delta>);

impl Report {
    /// # Safety
    /// No other thread accesses the delta, and it and its array are writable, as long as writes
    /// record in it.
    pub(crate) unsafe fn new(delta: NonNull<Delta>) -> Self {
        Self(delta)
    }

    fn delta(&mut self) -> &mut Delta {
        // SAFETY: by the contract of `new`.
        unsafe { self.0.as_mut() }
    }

    /// Begins a write in a tree that has been cleared `incarnation` times.
    #[cold]
    pub(crate) fn begin(mut self, incarnation: u64) {
        let delta = self.delta();
        let nothing = Observation {
            incarnation,
            ..Observation::default()
        };
        (delta.before, delta.after) = (nothing, nothing);
        (delta.created_count, delta.flags) = (0, 0);
    }

    /// Records the leaf to which the write's key belongs, with the version in which it was found,
    /// shortly before it is unlocked.
    #[cold]
    pub(crate) fn leaf(mut self, leaf: &Locked<'_, Leaf>, found: Version) {
        let delta = self.delta();
        let incarnation = delta.before.incarnation;
        let observed = |version| Observation::new(leaf.node(), version, incarnation);
        delta.before = observed(found);
        delta.after = observed(leaf.version_after());
    }

    /// Records a leaf that the write created, shortly before it is unlocked.
    #[cold]
    pub(crate) fn created(mut self, leaf: &Locked<'_, Leaf>) {
        let delta = self.delta();
        let incarnation = delta.before.incarnation;
        if delta.created_count < delta.created_capacity {
            let observation = Observation::new(leaf.node(), leaf.version_after(), incarnation);
            // SAFETY: the array has room, by the contract of `new`.
            unsafe { delta.created.add(delta.created_count).write(observation) };
        }
        delta.created_count += 1;
    }

    /// Updates the record of a leaf that the write held and is done with: the one to which the key
    /// belongs or one that it created.
    #[cold]
    pub(crate) fn held(mut self, leaf: &Locked<'_, Leaf>) {
        let delta = self.delta();
        let now = Observation::new(leaf.node(), leaf.version_after(), delta.before.incarnation);
        if delta.after.leaf == now.leaf {
            delta.after = now;
        }
        let recorded = delta.created_count.min(delta.created_capacity);
        for index in 0..recorded {
            // SAFETY: the array has room by the contract of `new`, and `recorded` were written.
            let created = unsafe { &mut *delta.created.add(index) };
            if created.leaf == now.leaf {
                *created = now;
            }
        }
    }

    /// Records that the write also changes leaves that the delta does not list.
    #[cold]
    pub(crate) fn more(mut self) {
        self.delta().flags |= MORE;
    }
}
