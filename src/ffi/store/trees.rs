//! # Trees of a store
//!
//! A store has up to 65,535 named trees at a time. A batch may change several of them at once.

use std::ffi::{CStr, c_char, c_void};

use super::handle::{StoreHandle, store_of};
use crate::ffi::boundary::{status_of, write_output};
use crate::ffi::handle::TreeHandle;
use crate::ffi::index::scan::{Ending, control_flow};
use crate::ffi::status::*;

/// Returns the tree with a name; makes it if the store has none. The tree is the store's: the pointer is valid until
/// masstree_store_close, and masstree_destroy does nothing with it. Functions of masstree.h and
/// masstree/versioned.h read it; those that write return MASSTREE_READ_ONLY.
///
/// @param store  The store.
/// @param name   The name: UTF-8, at most 255 bytes before the zero byte; may be empty.
/// @param tree   Receives the tree.
///
/// @retval MASSTREE_OK         *tree is the tree.
/// @retval MASSTREE_INVALID    store, name or tree is NULL; the name is too long or not UTF-8; or the
///                             store has 65,535 trees.
/// @retval MASSTREE_NOT_FOUND  There is no such tree, and the store is read-only.
/// @retval MASSTREE_NOMEM      Out of memory.
/// @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
/// @retval MASSTREE_FULL       The tree is new, and the disk is full.
/// @retval MASSTREE_FAILED     The tree is new, and the log has failed.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_tree(
    store: *mut StoreHandle,
    name: *const c_char,
    tree: *mut *mut TreeHandle,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let store = store_of(store)?;
            if name.is_null() || tree.is_null() {
                return Err(MASSTREE_INVALID);
            }
            let name = CStr::from_ptr(name)
                .to_str()
                .map_err(|_| MASSTREE_INVALID)?;
            let found = store.tree(name)?.ok_or(MASSTREE_NOT_FOUND)?;
            tree.write(std::ptr::from_ref(found.index()).cast_mut().cast());
        }
        Ok(MASSTREE_OK)
    })
}

/// Drops the tree with a name, with all of its keys. A later masstree_store_tree makes a new one with the
/// name.
///
/// The pointer to the dropped tree stays valid until masstree_store_close. Functions of this header that write
/// return MASSTREE_WRONG_TREE for it from now on, also masstree_store_commit for a batch that names the tree, of
/// which nothing is done. A write that another thread makes at the same time comes before the drop, or is
/// refused.
///
/// Functions that read the dropped tree find what it had, until its content is freed: when no guard is held
/// in which a write may be under way, and no snapshot is open that was opened before the drop. From then on they
/// find it empty; those that are under way may end early. So its memory is given back soon if nothing holds it, but for
/// some KiB that stay until masstree_store_close.
///
/// @param store   The store.
/// @param name    The name of the tree, as for masstree_store_tree.
/// @param commit  Receives the commit's number. May be NULL.
///
/// @retval MASSTREE_OK         The tree is dropped.
/// @retval MASSTREE_NOT_FOUND  There is no tree with this name.
/// @retval MASSTREE_INVALID    store or name is NULL, or the name is too long or not UTF-8.
/// @retval MASSTREE_NOMEM      Out of memory; nothing was changed.
/// @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
/// @retval MASSTREE_READ_ONLY  The store was opened read-only.
/// @retval MASSTREE_FULL       The disk is full; nothing was changed.
/// @retval MASSTREE_FAILED     The log has failed earlier (masstree_store_failure); nothing was changed.
/// @retval MASSTREE_UNKNOWN    The tree is dropped in memory, but the log failed before the commit reached the
///                             level that the options demand. *commit is written.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_drop_tree(
    store: *mut StoreHandle,
    name: *const c_char,
    commit: *mut u64,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let store = unsafe { store_of(store) }?;
        if name.is_null() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract.
        let name = unsafe { CStr::from_ptr(name) };
        let name = name.to_str().map_err(|_| MASSTREE_INVALID)?;
        let number = store.drop_tree(name)?.ok_or(MASSTREE_NOT_FOUND)?;
        // SAFETY: as this function's contract.
        unsafe { write_output(commit, number) };
        store.reach_level(number)?;
        Ok(MASSTREE_OK)
    })
}

/// Called for each tree of a store.
///
/// @param name  Its name, ended by a zero byte; valid during this call only.
/// @param tree  The tree.
/// @param ctx   The ctx that was passed with the visitor.
///
/// @return MASSTREE_VISIT_CONTINUE to go on; a positive number to stop; a negative one to stop, and to
///         return it (MASSTREE_OWN_STATUS or less, if it is not to be taken for a status of the library).
pub type TreeVisitor = Option<
    unsafe extern "C" fn(name: *const c_char, tree: *mut TreeHandle, ctx: *mut c_void) -> i32,
>;

/// Visits all trees of a store, in the order in which they were made.
///
/// @param store  The store.
/// @param visit  Called for each tree, with no lock held.
/// @param ctx    Passed to visit.
///
/// @retval MASSTREE_OK       All were visited, or visit returned a positive number.
/// @retval MASSTREE_INVALID  store or visit is NULL.
/// @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
/// @return The negative number that the visitor returned.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_list_trees(
    store: *mut StoreHandle,
    visit: TreeVisitor,
    ctx: *mut c_void,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let store = unsafe { store_of(store) }?;
        let visit = visit.ok_or(MASSTREE_INVALID)?;
        let ending = Ending::in_status();
        store.each_tree(|name, tree| {
            let tree = std::ptr::from_ref(tree.index()).cast_mut().cast();
            // SAFETY: the visitor's contract.
            control_flow(unsafe { visit(name.as_ptr(), tree, ctx) }, &ending)
        });
        Ok(ending.status())
    })
}
