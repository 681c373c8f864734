//! The leaf that this thread holds locked for its user. `write::held` changes it, and
//! `read::observe` asks for it.

use std::cell::Cell;

use super::Tree;
#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
use crate::errno;
use crate::index::node::Leaf;
use crate::index::reclaim::generation;
use crate::sync::thread_local;

/// The leaf that a thread holds.
#[derive(Clone, Copy)]
struct Holding {
    tree: *const Tree,
    leaf: *const Leaf,
    /// How many times the tree had been cleared when the hold began.
    incarnation: u64,
    /// The process: a leaf held before a fork is held by the parent process alone.
    generation: u32,
}

thread_local! {
    static HOLDING: Cell<Option<Holding>> = const { Cell::new(None) };
}

fn holding() -> Option<Holding> {
    HOLDING
        .with(Cell::get)
        .filter(|holding| holding.generation == generation())
}

/// Whether this thread holds a leaf.
pub(crate) fn is_holding() -> bool {
    holding().is_some()
}

/// Whether this thread holds the leaf with this id.
pub(in crate::index::tree) fn holds(leaf_id: u64) -> bool {
    holding().is_some_and(|holding| holding.leaf.expose_provenance() as u64 == leaf_id)
}

/// In builds with debug assertions, aborts if a thread ends while it holds a leaf.
#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
struct ThreadEndCheck;

#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
thread_local! {
    static THREAD_END_CHECK: ThreadEndCheck = const { ThreadEndCheck };
}

#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
impl Drop for ThreadEndCheck {
    fn drop(&mut self) {
        assert!(!is_holding(), "a thread must finish before it ends");
    }
}

/// Records that this thread holds a leaf of a tree.
pub(super) fn begin(tree: &Tree, leaf: &Leaf, incarnation: u64) {
    #[cfg(all(debug_assertions, not(any(loom, shuttle))))]
    // Fails in a destructor that runs while the thread ends: then it is too late for this
    // check. Registers the destructor, for which the C library allocates.
    let _watched = errno::preserve(|| THREAD_END_CHECK.try_with(|_| ()));
    let holding = Holding {
        tree,
        leaf,
        incarnation,
        generation: generation(),
    };
    HOLDING.with(|held| held.set(Some(holding)));
}

/// Records that this thread holds no leaf.
pub(super) fn end() {
    HOLDING.with(|holding| holding.set(None));
}

impl Tree {
    /// Called before this thread waits for locks: panics, in builds with debug assertions, if
    /// it holds a leaf of this tree.
    #[inline]
    pub(in crate::index::tree) fn must_not_hold(&self) {
        #[cfg(debug_assertions)]
        assert!(
            !holding().is_some_and(|holding| std::ptr::eq(holding.tree, self)),
            "a thread that holds a leaf must not write to the tree"
        );
    }

    /// Whether this thread holds a leaf of this tree, and the tree was cleared since the hold
    /// began.
    pub(in crate::index::tree) fn holds_cleared(&self) -> bool {
        holding().is_some_and(|holding| {
            std::ptr::eq(holding.tree, self) && !self.clears.none_since(holding.incarnation)
        })
    }
}
