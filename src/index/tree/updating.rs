//! The tree whose update callback this thread is in. `write::update` sets it, and every operation
//! asks for it, in builds with debug assertions.

use super::Tree;

#[cfg(debug_assertions)]
thread_local! {
    /// The tree whose update callback this thread is in.
    static UPDATING: std::cell::Cell<*const Tree> = const { std::cell::Cell::new(std::ptr::null()) };
}

/// In debug builds, marks a tree as being in an update callback of this thread, in
/// which no operation of it may begin.
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

/// Whether this thread is in an update callback of a tree.
#[cfg(debug_assertions)]
pub(super) fn is_updating(tree: &Tree) -> bool {
    std::ptr::eq(UPDATING.get(), tree)
}
