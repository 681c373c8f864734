//! The handles of trees and guards, which every section of the headers uses.

use std::ptr::NonNull;

use crate::index::reclaim::Slot;
use crate::index::tree::Tree;

/// An ordered map from byte strings to 64-bit words, or to byte strings.
///
/// Made by masstree_create, freed by masstree_destroy. Any number of threads
/// may use one tree at the same time, without registration, and may come and
/// go; only masstree_destroy needs the tree for itself.
pub struct TreeHandle {
    pub(in crate::ffi) tree: Tree,
}

/// Pins what is read through it: nodes, and values handed to the value
/// destructor, are not freed before the guard is refreshed or left.
///
/// Made by masstree_guard_enter, freed by masstree_guard_leave. A guard is used
/// by one thread at a time, but may be handed from thread to thread (goroutines,
/// coroutines, pools). A thread may hold any number of guards, of one tree or of
/// several, and leave them in any order. Leave every guard before its tree is
/// destroyed.
///
/// Memory displaced while a guard is held waits for that guard: refresh a guard
/// that is kept for long every so often.
///
/// Operations accept NULL for a guard: they pin for that call only, which costs
/// a thread-local look-up; with a guard at hand, pass it.
pub struct GuardHandle {
    /// Stands for a slot of the tree.
    _slot: [u8; 0],
}

/// The slot that a guard from C is in.
#[inline]
pub(in crate::ffi) fn slot(guard: *mut GuardHandle) -> Option<NonNull<Slot>> {
    NonNull::new(guard.cast())
}
