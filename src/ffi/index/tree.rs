//! # Trees
//!
//! Creating, clearing and destroying trees.

use std::ptr::NonNull;

use super::options::{self, Options};
use crate::ffi::boundary::{self, ValueKind, status_of, tree_of};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::reclaim::cannot_create_trees;
use crate::index::tree::Tree;
use crate::versioned::{VERSIONS, VersionedTree};

/// Creates an empty tree.
///
/// @param options  NULL for the defaults, or a struct that was initialised with
///                 MASSTREE_OPTIONS_INIT.
/// @param tree     Receives the tree, which the caller frees with masstree_destroy.
///
/// @retval MASSTREE_OK       *tree is a new, empty tree.
/// @retval MASSTREE_INVALID  tree is NULL; struct_size is smaller than any
///                           version of the struct; value_kind is unknown, or is not
///                           MASSTREE_VALUES_WORDS together with a value
///                           destructor; version_flags has an unknown flag, two flags, or one
///                           although the tree is not versioned; only one of alloc and free is set; or a
///                           byte of the struct that this library does not know is
///                           not zero.
/// @retval MASSTREE_NOMEM    Out of memory.
/// @retval MASSTREE_FORKED   This process was forked while another thread was inside the
///                           library, and cannot create trees.
///
/// The first tree of a process reads the environment variable MASSTREE_SEARCH, which for measurements
/// may name the instruction set that searches nodes: portable, avx2, avx512 or neon. Without it, or with a
/// name that the processor lacks, that is the best one. As for getenv, no other thread may change the
/// environment during that call.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_create(
    options: *const Options,
    tree: *mut *mut TreeHandle,
) -> i32 {
    status_of(|| {
        if tree.is_null() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract.
        let (options, freeing) = unsafe { options::decode(options) }?;
        if cannot_create_trees() {
            return Err(MASSTREE_FORKED);
        }
        let made = Tree::with_options(&options)?;
        let handle = made.allocator().make(TreeHandle::new(made, freeing)?)?;
        // SAFETY: checked for NULL above; writable by contract.
        unsafe { tree.write(handle.as_ptr()) };
        Ok(MASSTREE_OK)
    })
}

/// Frees a tree and everything in it. Calls the value destructor once for every value in the
/// tree and for every displaced value that is not yet destroyed, and the free callback of every
/// retired object that is not yet freed. NULL does nothing, and neither does a tree that the
/// parent process created before a fork.
///
/// Every guard of the tree must have been left, every cursor and every loader closed, and no other
/// thread may use the tree during or after this call.
///
/// @param tree  The tree.
///
/// Thread safety: no other thread may use the tree. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_destroy(tree: *mut TreeHandle) {
    // SAFETY: the handle came from `masstree_create`, and no other thread uses it; or it is a store's,
    // which frees it.
    unsafe {
        if let Ok(source) = tree_of(tree).map(Tree::allocator) {
            let versioned = (*tree).versioned();
            if versioned.is_some_and(VersionedTree::is_of_store) {
                return;
            }
            source.drop_and_free(NonNull::new_unchecked(tree));
        }
    }
}

/// Removes every key at once: an operation that begins after this call finds none of them. An
/// insert by another thread during the call is ordered either before it (then its key is removed)
/// or after it.
///
/// A write that began before this call, including an update callback, may end after it; it is
/// then ordered before the clearing, and what it stored is removed. So two callbacks for one
/// key may run at the same time, one in the old tree and one in the new. The call does not wait
/// for held keys (masstree_hold), unless the tree is a single leaf; masstree_held_finish then
/// returns MASSTREE_CLEARED.
///
/// The memory of the removed keys is freed as a whole once every guard held at the time of the
/// call was refreshed or left, by the thread that refreshes or leaves the last of them; that
/// takes time in proportion to the number of keys. Then the value destructor is called for the
/// values.
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
///
/// @retval MASSTREE_OK          The tree is empty.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds versions: delete them with
///                              masstree_remove_range_at.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_clear(tree: *mut TreeHandle, guard: *mut GuardHandle) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            boundary::on_tree(tree, guard, ValueKind::Any, |tree, pin| {
                if tree.holds(VERSIONS) {
                    return Err(MASSTREE_WRONG_KIND);
                }
                tree.clear(pin)?;
                Ok(MASSTREE_OK)
            })
        }
    })
}
