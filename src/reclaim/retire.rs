//! Retiring each kind of object, with the answer to "who may still hold it".

use std::ptr::NonNull;

use seize::{Collector, Guard as _};

use super::{Domain, Pin, Via};
use crate::node::{Bag, BagRef, Internode, Leaf};

impl Pin<'_> {
    /// Retires a leaf and its suffix bag. Readers that found the leaf before it
    /// left the tree may still hold it: on their way down, or as a neighbour in a
    /// scan. They find it deleted.
    ///
    /// # Safety
    /// No pointer in the tree leads to the leaf any more, nobody else retires it,
    /// and it is not locked for longer than this thread takes to let it go.
    pub(crate) unsafe fn retire_leaf(self, leaf: &Leaf) {
        // SAFETY: by contract.
        unsafe { self.retire(std::ptr::from_ref(leaf).cast_mut(), free_leaf) }
    }

    /// Retires an internode. Readers and writers on their way down or up may
    /// still hold it; they find it deleted.
    ///
    /// # Safety
    /// As `retire_leaf`.
    pub(crate) unsafe fn retire_internode(self, internode: &Internode) {
        // SAFETY: by contract.
        unsafe { self.retire(std::ptr::from_ref(internode).cast_mut(), free_internode) }
    }

    /// Retires a suffix bag that a leaf had before its present one. Readers that
    /// loaded the leaf's word before may still compare or copy suffixes in it.
    ///
    /// # Safety
    /// The leaf has another bag now, and nobody else retires this one.
    pub(crate) unsafe fn retire_bag(self, bag: BagRef<'_>) {
        // SAFETY: by contract.
        unsafe { self.retire(bag.as_ptr(), free_bag) }
    }

    /// Retires a value word that left the tree: the value destructor, if there is
    /// one, runs for it when nobody who read it is pinned any more.
    pub(crate) fn retire_value(self, value: u64) {
        if self.domain.has_destructor() {
            let word = std::ptr::without_provenance_mut::<ValueWord>(value as usize);
            // SAFETY: the word is only handed to `destroy_value`, once, and was
            // displaced by the caller.
            unsafe { self.retire(word, destroy_value) }
        }
    }

    /// Frees an object once no guard of this moment is held any more.
    ///
    /// # Safety
    /// As the functions above say for the object and its way of being freed.
    unsafe fn retire<T>(self, object: *mut T, free: unsafe fn(*mut T, &Collector)) {
        // SAFETY: by contract.
        unsafe {
            match self.via {
                Via::Local(guard) => guard.defer_retire(object, free),
                Via::Owned(guard) => guard.defer_retire(object, free),
            }
        }
    }
}

/// Stands for a value word where seize wants a pointer.
struct ValueWord;

/// # Safety
/// The leaf was retired in this collector, and no guard protects it any more.
unsafe fn free_leaf(leaf: *mut Leaf, collector: &Collector) {
    // SAFETY: by contract; a collector calls this while its domain lives.
    unsafe {
        let memory = &Domain::of(collector).memory;
        if let Some(bag) = (*leaf).bag() {
            bag.free(memory);
        }
        memory.free_leaf(NonNull::new_unchecked(leaf));
    }
}

/// # Safety
/// As `free_leaf`.
unsafe fn free_internode(internode: *mut Internode, collector: &Collector) {
    // SAFETY: by contract.
    unsafe {
        Domain::of(collector)
            .memory
            .free_internode(NonNull::new_unchecked(internode))
    }
}

/// # Safety
/// As `free_leaf`.
unsafe fn free_bag(bag: *mut Bag, collector: &Collector) {
    // SAFETY: by contract.
    unsafe { BagRef::new(NonNull::new_unchecked(bag)).free(&Domain::of(collector).memory) }
}

/// # Safety
/// The value was retired in this collector, and no guard protects it any more.
unsafe fn destroy_value(value: *mut ValueWord, collector: &Collector) {
    // SAFETY: by contract.
    unsafe { Domain::of(collector).destroy_value(value.addr() as u64) }
}
