//! Which leaf this thread holds locked for its user: see `write::held`, which changes that, and
//! `read::observe`, which asks.

use std::cell::Cell;

use super::Tree;
use crate::index::node::Leaf;
use crate::index::reclaim::generation;
use crate::sync::thread_local;

/// What a thread holds.
#[derive(Clone, Copy)]
struct Holding {
    tree: *const Tree,
    leaf: *const Leaf,
    /// How often the tree had been cleared.
    incarnation: u64,
    /// The process: what was held before a fork is held by the parent alone.
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
pub(in crate::index::tree) fn holds(node: u64) -> bool {
    holding().is_some_and(|holding| holding.leaf.expose_provenance() as u64 == node)
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

/// This thread holds a leaf of a tree from here on.
pub(super) fn begin(tree: &Tree, leaf: &Leaf, incarnation: u64) {
    #[cfg(all(debug_assertions, not(any(loom, shuttle))))]
    // Fails in a destructor of a thread that ends: it is too late to look.
    let _watched = THREAD_END_CHECK.try_with(|_| ());
    let holding = Holding {
        tree,
        leaf,
        incarnation,
        generation: generation(),
    };
    HOLDING.with(|held| held.set(Some(holding)));
}

/// This thread holds nothing any more.
pub(super) fn end() {
    HOLDING.with(|holding| holding.set(None));
}

impl Tree {
    /// Before this thread waits for locks.
    #[inline]
    pub(in crate::index::tree) fn must_not_hold(&self) {
        #[cfg(debug_assertions)]
        assert!(
            !holding().is_some_and(|holding| std::ptr::eq(holding.tree, self)),
            "a thread that holds a leaf must not write to the tree"
        );
    }

    /// Whether this thread holds a leaf of this tree, and the tree was cleared since.
    pub(in crate::index::tree) fn holds_cleared(&self) -> bool {
        holding().is_some_and(|holding| {
            std::ptr::eq(holding.tree, self) && !self.clears.none_since(holding.incarnation)
        })
    }
}
