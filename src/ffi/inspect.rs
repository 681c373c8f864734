//! Looking at a whole tree: its size, its health.

use std::ffi::{c_char, c_void};

use super::boundary::{self, For, give, tree_of};
use super::guard::GuardHandle;
use super::status::*;
use super::tree::TreeHandle;

/// Stores the number of keys in the tree. It is exact when no thread is writing;
/// while threads write, it is a recent approximation.
///
/// @param tree  The tree.
/// @param len   Where the number of keys is stored; NULL: not wanted.
///
/// @retval MASSTREE_OK       *len is the number of keys.
/// @retval MASSTREE_INVALID  tree is NULL.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_len(tree: *const TreeHandle, len: *mut u64) -> i32 {
    boundary::entry(|| {
        // SAFETY: NULL or a live tree by contract.
        let tree = unsafe { tree_of(tree) }?;
        // SAFETY: NULL or writable by contract.
        unsafe { give(len, tree.key_count()) };
        Ok(MASSTREE_OK)
    })
}

/// Receives text from the library, in pieces: `len` bytes of UTF-8 at `text`,
/// not terminated by a zero byte, valid during the call only.
pub type WriteText =
    Option<unsafe extern "C" fn(text: *const c_char, len: usize, ctx: *mut c_void)>;

/// Walks the whole tree and verifies every invariant: the order of keys, the
/// bounds of nodes, the links among leaves, the shape of layers, the number of
/// keys. For tests and for suspicion; it visits every node.
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL to be pinned for this call.
/// @param write  Receives one line (ended by a newline) for each thing that is
///               wrong; NULL: not wanted.
/// @param ctx    Handed to write.
///
/// @retval MASSTREE_OK          Everything is as it must be.
/// @retval MASSTREE_CORRUPT     Something is not.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory for the walk.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// Thread safety: any thread, but no thread may write to the tree meanwhile: the
/// walk stays within the tree's memory, but takes a change half done for damage.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_check(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    write: WriteText,
    ctx: *mut c_void,
) -> i32 {
    let mut report = |line: &str| {
        if let Some(write) = write {
            // SAFETY: the callback is called as its type says.
            unsafe { write(line.as_ptr().cast(), line.len(), ctx) }
        }
    };
    boundary::entry(|| {
        // SAFETY: as this function's contract.
        unsafe {
            boundary::on_tree(tree, guard, For::Any, |tree, pin| {
                Ok(if tree.check(pin, &mut report)? {
                    MASSTREE_OK
                } else {
                    MASSTREE_CORRUPT
                })
            })
        }
    })
}
