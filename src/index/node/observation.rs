//! What leaves were when they were read, for those who validate it later.
//!
//! **Protocol.** An [`Observation`] names a leaf and the version that its snapshot was
//! validated against. As long as the leaf has that version, it holds the keys it held then,
//! and what it does not hold, of the slices from its low to the next leaf's, is nowhere in
//! its layer: an insert of such a key goes to this leaf, and changes its version; where the
//! range goes to another leaf, this one has split or is deleted, which changes it too; a
//! layer below has its keys counted in leaves of its own, and when it dies they are deleted,
//! and this leaf loses the link.
//!
//! Observations outlive guards. They may be looked at when the leaf was freed long ago,
//! because the version word of a slot stays what it is while the pool lives, and the count
//! in it goes on from node to node (see `memory::pool` and `version`).
//!
//! **What a look finds.** A writer publishes an insert or a remove before it lets the lock go
//! with the new version: a key may be found before the version says so. So a look at a leaf
//! that is locked waits for its owner: [`Observation::look`].

#[cfg(all(test, loom))]
mod models;

use std::ptr::NonNull;

use super::leaf::Leaf;
use super::version::{Look, Version, VersionWord};
use super::{Locked, NodeRef};
use crate::protocol::Line;
use crate::sync::{Ordering, fence};

/// What a leaf was at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Observation {
    /// The leaf; a multiple of 64.
    pub leaf: u64,
    /// Its version, which tells nothing but whether two are equal.
    pub version: u64,
    /// How often the tree had been cleared.
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
        let place = std::ptr::with_exposed_provenance_mut(self.leaf as usize);
        // SAFETY: the first word of a slot stays the version word of the nodes in it.
        NonNull::new(place).map(|place| unsafe { place.as_ref() })
    }

    /// Comes before looks at leaves that other threads change. Of two that each change a leaf
    /// and then look at the other's, one finds it changed.
    pub(crate) fn fence_before_looks() {
        if Line::FenceBeforeLooks.is_enabled() {
            fence(Ordering::SeqCst);
        }
    }

    /// Whether the leaf has changed since. Nothing observed has a node of zero.
    ///
    /// # Safety
    /// As `word`.
    pub(crate) unsafe fn look(&self) -> Look {
        // SAFETY: by contract.
        unsafe { self.word() }.map_or(Look::Changed, |word| word.look(self.version))
    }

    /// The version that a node has now, or what is in its place; none for the node 0.
    ///
    /// # Safety
    /// As `word` for an observation of the node.
    pub(crate) unsafe fn version_of(node: u64) -> Option<u64> {
        let observation = Self {
            leaf: node,
            ..Self::default()
        };
        // SAFETY: by contract.
        unsafe { observation.word() }.map(|word| word.load().number())
    }
}

/// What a write did to the leaves of a tree.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Delta {
    struct_size: usize,
    /// Room for what the write creates.
    pub(crate) created: *mut Observation,
    pub(crate) created_capacity: usize,
    /// How many leaves it has created, also without room for them.
    pub(crate) created_count: usize,
    /// The leaf with the key's place when it was locked, and when it is unlocked.
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

/// There is more than a delta tells.
pub(crate) const MORE: u32 = 1;

/// Where a write tells what it does: to a delta of the user's. Few do.
#[derive(Clone, Copy)]
pub(crate) struct Report(NonNull<Delta>);

impl Report {
    /// # Safety
    /// The delta is nobody else's, and it and its room for leaves are writable, as long as
    /// writes report to it.
    pub(crate) unsafe fn new(delta: NonNull<Delta>) -> Self {
        Self(delta)
    }

    fn delta(&mut self) -> &mut Delta {
        // SAFETY: by the contract of `new`.
        unsafe { self.0.as_mut() }
    }

    /// A write begins, in a tree that has been cleared so often.
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

    /// The write found its key's place in this leaf, with a version, and is about to let it
    /// go.
    #[cold]
    pub(crate) fn leaf(mut self, leaf: &Locked<'_, Leaf>, found: Version) {
        let delta = self.delta();
        let incarnation = delta.before.incarnation;
        let observed = |version| Observation::new(leaf.node(), version, incarnation);
        delta.before = observed(found);
        delta.after = observed(leaf.version_after());
    }

    /// The write has created this leaf, which is about to be let go.
    #[cold]
    pub(crate) fn created(mut self, leaf: &Locked<'_, Leaf>) {
        let delta = self.delta();
        let incarnation = delta.before.incarnation;
        if delta.created_count < delta.created_capacity {
            let observation = Observation::new(leaf.node(), leaf.version_after(), incarnation);
            // SAFETY: there is room, by the contract of `new`.
            unsafe { delta.created.add(delta.created_count).write(observation) };
        }
        delta.created_count += 1;
    }

    /// The write is done with a leaf that it held, the one with the key's place as it was
    /// found or one that it has created.
    #[cold]
    pub(crate) fn held(mut self, leaf: &Locked<'_, Leaf>) {
        let delta = self.delta();
        let now = Observation::new(leaf.node(), leaf.version_after(), delta.before.incarnation);
        if delta.after.leaf == now.leaf {
            delta.after = now;
        }
        let told = delta.created_count.min(delta.created_capacity);
        for place in 0..told {
            // SAFETY: there is room, by the contract of `new`, and so many were told.
            let created = unsafe { &mut *delta.created.add(place) };
            if created.leaf == now.leaf {
                *created = now;
            }
        }
    }

    /// The write changes other leaves, too.
    #[cold]
    pub(crate) fn more(mut self) {
        self.delta().flags |= MORE;
    }
}
