//! Records, in builds with debug assertions, the tree whose update callback this thread is running.
//! `write::update` sets it; every operation checks it.

use super::Tree;

#[cfg(debug_assertions)]
thread_local! {
    /// The tree whose update callback this thread is running; null if none.
    static UPDATING: std::cell::Cell<*const Tree> = const { std::cell::Cell::new(std::ptr::null()) };
}

/// While it exists, this thread runs an update callback of a tree, and must begin no operation on
/// that tree. Does nothing in builds without debug assertions.
pub(super) struct Updating {
    #[cfg(debug_assertions)]
    outer: *const Tree,
}

impl Updating {
    #[cfg(debug_assertions)]
    pub(super) fn begin(tree: &Tree) -> Self {
        Self {
            outer: UPDATING.replace(tree),
        }
    }

    #[cfg(not(debug_assertions))]
    pub(super) fn begin(_: &Tree) -> Self {
        Self {}
    }
}

#[cfg(debug_assertions)]
impl Drop for Updating {
    fn drop(&mut self) {
        UPDATING.set(self.outer);
    }
}

/// Whether this thread is running an update callback of a tree.
#[cfg(debug_assertions)]
pub(super) fn is_updating(tree: &Tree) -> bool {
    std::ptr::eq(UPDATING.get(), tree)
}
