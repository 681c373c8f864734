//! # Trees
//!
//! `masstree_t`: its life.

use std::ptr::NonNull;

use super::options::{self, Options};
use crate::ffi::boundary::{self, For, entry, tree_of};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::reclaim::cannot_create_trees;
use crate::index::tree::Tree;

/// Makes an empty tree.
///
/// @param options  NULL for the defaults, or a struct started from
///                 MASSTREE_OPTIONS_INIT.
/// @param tree     Where the tree is stored; it is the caller's, who frees it
///                 with masstree_destroy.
///
/// @retval MASSTREE_OK       *tree is a new, empty tree.
/// @retval MASSTREE_INVALID  tree is NULL; struct_size is smaller than any
///                           version of the struct; value_kind is unknown, or is
///                           MASSTREE_VALUES_BYTES together with a value
///                           destructor; only one of alloc and free is set; or a
///                           byte of the struct that this library does not know is
///                           not zero.
/// @retval MASSTREE_NOMEM    Out of memory.
/// @retval MASSTREE_FORKED   This process was forked while another thread was inside
///                           the library, and can make no trees.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_create(
    options: *const Options,
    tree: *mut *mut TreeHandle,
) -> i32 {
    entry(|| {
        if tree.is_null() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract.
        let options = unsafe { options::decode(options) }?;
        if cannot_create_trees() {
            return Err(MASSTREE_FORKED);
        }
        let made = Tree::with_options(&options)?;
        let handle = made.source().make(TreeHandle { tree: made })?;
        // SAFETY: checked for NULL above; writable by contract.
        unsafe { tree.write(handle.as_ptr()) };
        Ok(MASSTREE_OK)
    })
}

/// Frees a tree and everything in it: runs the value destructor once for every
/// value still present and for every displaced value not yet destroyed, and the free
/// callback of whatever was retired and not freed yet. NULL does nothing, and neither
/// does a tree made before a fork.
///
/// Every guard and cursor of the tree must have been let go, and no other thread may
/// use the tree during or after this call.
///
/// @param tree  The tree.
///
/// Thread safety: the caller must have the tree for itself. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_destroy(tree: *mut TreeHandle) {
    // SAFETY: the handle came from `masstree_create`, and the caller has it for itself.
    unsafe {
        if let Ok(source) = tree_of(tree).map(Tree::source) {
            source.drop_and_free(NonNull::new_unchecked(tree));
        }
    }
}

/// Removes every key, all at once: whoever begins to look after this call finds none of
/// them. What threads insert meanwhile comes before or after it.
///
/// A write whose call began before, an update callback included, may end after: it counts as
/// done before, and what it stored is cleared away. Callbacks for one key may so run at once, in
/// the tree that was and in the new one. Keys that are held (masstree_hold) are not waited for,
/// unless the whole tree is one leaf; to finish them answers MASSTREE_CLEARED.
///
/// The tree's memory is freed together once no guard of this moment is held any more,
/// by the thread that lets go of the last one; that takes time in proportion to the
/// number of keys. Values then go to the value destructor.
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL to be pinned for this call.
///
/// @retval MASSTREE_OK          The tree is empty.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_clear(tree: *mut TreeHandle, guard: *mut GuardHandle) -> i32 {
    entry(|| {
        // SAFETY: as this function's contract.
        unsafe {
            boundary::on_tree(tree, guard, For::Any, |tree, pin| {
                tree.clear(pin)?;
                Ok(MASSTREE_OK)
            })
        }
    })
}
