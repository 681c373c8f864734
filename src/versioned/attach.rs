//! Makes a tree of lists a versioned tree: what it has beside its index is kept with it.

use std::ptr::NonNull;

use super::{Clock, Freeing, VERSIONS, VersionedTree, Versions};
use crate::index::memory::OutOfMemory;
use crate::index::tree::Tree;

/// Makes a tree with [`values`](super::values) a versioned tree: one of a store, if there is a clock.
/// [`detach`] it before it is dropped.
///
/// Not inlined: other trees do not need the stack.
#[inline(never)]
pub(crate) fn attach(
    tree: &mut Tree,
    freeing: Freeing,
    clock: Option<&Clock>,
) -> Result<(), OutOfMemory> {
    debug_assert!(tree.holds(VERSIONS) && tree.above().is_none());
    let source = tree.allocator();
    let versions = match clock {
        None => Versions::new(source, freeing)?,
        Some(clock) => Versions::in_store(source, freeing, clock.clone())?,
    };
    let place = source.allocate(std::alloc::Layout::new::<Versions>());
    let Some(place) = place.map(NonNull::cast::<Versions>) else {
        // SAFETY: no other thread has it.
        unsafe { versions.free(tree) };
        return Err(OutOfMemory);
    };
    // SAFETY: freshly allocated.
    unsafe { place.write(versions) };
    tree.set_above(place.cast());
    Ok(())
}

/// Frees what a versioned tree has beside its index; does nothing to other trees. The tree is dropped next.
///
/// # Safety
/// No other thread uses the tree, no guard of it is held, and it is not used as a versioned tree again.
pub(crate) unsafe fn detach(tree: &Tree) {
    let Some(versions) = tree.above() else {
        return;
    };
    let versions = versions.cast::<Versions>();
    // SAFETY: made by `attach`; the rest by contract.
    unsafe {
        versions.as_ref().free(tree);
        tree.allocator().drop_and_free(versions);
    }
}

impl<'t> VersionedTree<'t> {
    /// Returns a tree as a versioned tree, if it is one.
    #[inline]
    pub(crate) fn of(tree: &'t Tree) -> Option<Self> {
        // SAFETY: `attach` stored it, and it is freed only with the tree.
        let versions = unsafe { tree.above()?.cast::<Versions>().as_ref() };
        Some(Self::new(tree, versions))
    }
}
