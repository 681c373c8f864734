//! Records of how writes changed a tree's leaves. Few writes keep one: a write that is passed a
//! [`DeltaRecorder`] with its pin fills the recorder's [`Delta`].

use std::ptr::NonNull;

use super::leaf::Leaf;
use super::version::Version;
use super::{Locked, Observation};

/// How one write changed a tree's leaves.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Delta {
    /// An array for the leaves that the write creates.
    pub(crate) created: *mut Observation,
    pub(crate) created_capacity: usize,
    /// How many leaves it created, including those for which the array has no room.
    pub(crate) created_count: usize,
    /// The leaf to which the key belongs, when it was locked and when it is unlocked.
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

    /// Copies what was recorded to another delta, with as many created leaves as its array has room
    /// for. Those for which this one had no room are unlisted.
    ///
    /// # Safety
    /// Both arrays have the room that their deltas say.
    pub(crate) unsafe fn copy_to(&self, to: &mut Self) {
        let kept = self.created_count.min(self.created_capacity);
        // SAFETY: by contract; so many were recorded.
        unsafe {
            let count = kept.min(to.created_capacity);
            std::ptr::copy_nonoverlapping(self.created, to.created, count);
        }
        to.created_count = kept;
        (to.before, to.after) = (self.before, self.after);
        to.unlisted = u32::from(self.unlisted != 0 || kept < self.created_count);
    }
}

/// Records in a delta what a write changes.
#[derive(Clone, Copy)]
pub(crate) struct DeltaRecorder(NonNull<Delta>);

impl DeltaRecorder {
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
        (delta.created_count, delta.unlisted) = (0, 0);
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
    pub(crate) fn unlisted(mut self) {
        self.delta().unlisted = 1;
    }
}
