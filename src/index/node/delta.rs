//! Deltas: records of the leaves that a write changes. A write fills a [`Delta`] only if its pin
//! carries a [`DeltaRecorder`]; most pins carry none.

use std::ptr::NonNull;

use super::leaf::Leaf;
use super::version::Version;
use super::{Locked, Observation};

/// The changes of one write to a tree's leaves.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Delta {
    /// An array for the leaves that the write creates.
    pub(crate) created: *mut Observation,
    pub(crate) created_capacity: usize,
    /// The number of leaves that the write created, also those for which the array has no room.
    pub(crate) created_count: usize,
    /// The leaf that contains the key or the position of its insert: as it was when the write
    /// locked it, and as it is when the write unlocks it.
    pub(crate) before: Observation,
    pub(crate) after: Observation,
    /// 1 if the write also changed leaves that are not listed here, else 0.
    pub(crate) unlisted: u32,
}

impl Delta {
    /// An empty delta with an array of `capacity` for created leaves.
    pub(crate) fn new(created: *mut Observation, capacity: usize) -> Self {
        Self {
            created,
            created_capacity: capacity,
            created_count: 0,
            before: Observation::default(),
            after: Observation::default(),
            unlisted: 0,
        }
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn with_room(created: &mut [Observation]) -> Self {
        Self::new(created.as_mut_ptr(), created.len())
    }

    /// Copies this delta to `to`, with as many created leaves as the array of `to` has room for.
    /// Sets `unlisted` if this delta's own array had no room for some created leaves.
    ///
    /// # Safety
    /// The array of each delta has room for `created_capacity` observations.
    pub(crate) unsafe fn copy_to(&self, to: &mut Self) {
        let kept = self.created_count.min(self.created_capacity);
        // SAFETY: by contract; `kept` observations were recorded.
        unsafe {
            let count = kept.min(to.created_capacity);
            std::ptr::copy_nonoverlapping(self.created, to.created, count);
        }
        to.created_count = kept;
        (to.before, to.after) = (self.before, self.after);
        to.unlisted = u32::from(self.unlisted != 0 || kept < self.created_count);
    }
}

/// Writes a delta during a write.
#[derive(Clone, Copy)]
pub(crate) struct DeltaRecorder(NonNull<Delta>);

impl DeltaRecorder {
    /// # Safety
    /// As long as writes use the recorder, the delta and its array are writable, and no other
    /// thread accesses them.
    pub(crate) unsafe fn new(delta: NonNull<Delta>) -> Self {
        Self(delta)
    }

    fn delta(&mut self) -> &mut Delta {
        // SAFETY: by the contract of `new`.
        unsafe { self.0.as_mut() }
    }

    /// Empties the delta for a write in a tree that has been cleared `incarnation` times.
    #[cold]
    pub(crate) fn begin(mut self, incarnation: u64) {
        let delta = self.delta();
        let nothing = Observation {
            incarnation,
            ..Observation::default()
        };
        (delta.before, delta.after) = (nothing, nothing);
        (delta.created_count, delta.unlisted) = (0, 0);
    }

    /// Records the leaf that contains the write's key or the position of its insert; `found` is the
    /// version at which the write locked the leaf. Called before the leaf is unlocked.
    #[cold]
    pub(crate) fn leaf(mut self, leaf: &Locked<'_, Leaf>, found: Version) {
        let delta = self.delta();
        let incarnation = delta.before.incarnation;
        let observed = |version| Observation::new(leaf.node(), version, incarnation);
        delta.before = observed(found);
        delta.after = observed(leaf.version_after());
    }

    /// Records a leaf that the write created. Called before the leaf is unlocked.
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

    /// Updates the record of a held leaf, which the delta lists already, as the key's leaf or as a
    /// created one. Called when the hold has changed the leaf, before the leaf is unlocked.
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
    pub(crate) fn unlisted(mut self) {
        self.delta().unlisted = 1;
    }
}
