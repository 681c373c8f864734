//! The handles of trees and guards, which every section of the headers uses.

#[cfg(debug_assertions)]
use std::cell::Cell;
use std::ptr::NonNull;

use crate::index::memory::OutOfMemory;
use crate::index::reclaim::Slot;
use crate::index::tree::Tree;
use crate::versioned::{self, Freeing, VERSIONS, VersionedTree};

/// An ordered map from byte strings to 64-bit words, to byte strings, or to versions.
///
/// Created by masstree_create, freed by masstree_destroy. Any number of threads may use a tree
/// at the same time, without registration; only masstree_destroy requires that no other thread
/// uses it.
pub struct TreeHandle {
    /// Keeps what a versioned tree has beside its index.
    pub(in crate::ffi) tree: Tree,
}

// A pointer to a tree is one to its handle. Not `repr(transparent)`, for which cbindgen would write the
// name of the Rust type into the header.
const _: () = assert!(
    std::mem::offset_of!(TreeHandle, tree) == 0 && size_of::<TreeHandle>() == size_of::<Tree>()
);

impl TreeHandle {
    /// `freeing` is for versioned trees.
    pub(in crate::ffi) fn new(mut tree: Tree, freeing: Freeing) -> Result<Self, OutOfMemory> {
        if tree.holds(VERSIONS) {
            versioned::attach(&mut tree, freeing, None)?;
        }
        Ok(Self { tree })
    }

    /// Returns the tree as a versioned tree, if it is one.
    pub(in crate::ffi) fn versioned(&self) -> Option<VersionedTree<'_>> {
        VersionedTree::of(&self.tree)
    }
}

impl Drop for TreeHandle {
    fn drop(&mut self) {
        // SAFETY: no other thread uses the tree any more.
        unsafe { versioned::detach(&self.tree) }
    }
}

/// Protects what is read under it: nodes that other threads unlink, and values that they
/// displace, are not freed before the guard is refreshed or left.
///
/// Created by masstree_guard_enter, freed by masstree_guard_leave. Only one thread at a time
/// may use a guard, but a guard may move between threads (goroutines, coroutines, thread
/// pools). A thread may hold any number of guards, of one tree or of several, and leave them in
/// any order. Leave every guard before its tree is destroyed.
///
/// Memory that is displaced while a guard is held is not freed before that guard is refreshed
/// or left: regularly refresh a guard that is held for long.
///
/// Operations accept NULL for a guard and then pin for the duration of the call, which costs a
/// look-up of a thread-local variable. Pass a guard if one is at hand.
pub struct GuardHandle {
    /// The address of a guard is that of its slot in the tree.
    _slot: [u8; 0],
}

/// Returns the slot of a guard from C; `None` for NULL.
#[inline]
pub(in crate::ffi) fn slot(guard: *mut GuardHandle) -> Option<NonNull<Slot>> {
    NonNull::new(guard.cast())
}

#[cfg(debug_assertions)]
thread_local! {
    /// The guard under which this thread holds a leaf.
    static HELD_UNDER: Cell<Option<NonNull<Slot>>> = const { Cell::new(None) };
}

/// Records, in builds with debug assertions, the guard under which this thread holds a leaf, or
/// that it holds none.
pub(in crate::ffi) fn set_held_under(slot: Option<NonNull<Slot>>) {
    #[cfg(debug_assertions)]
    HELD_UNDER.set(slot);
    let _ = slot;
}

/// Whether this thread holds a leaf under a guard.
#[cfg(debug_assertions)]
pub(in crate::ffi) fn is_held_under(slot: NonNull<Slot>) -> bool {
    HELD_UNDER.get() == Some(slot)
}
