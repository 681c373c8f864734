//! # Sequence numbers
//!
//! Numbers that are taken from a tree, and published in groups.

use crate::ffi::boundary::{status_of, versioned_of, write_output};
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;
use crate::versioned::GroupFault;

fn status(fault: GroupFault) -> i32 {
    match fault {
        GroupFault::Busy => MASSTREE_BUSY,
        GroupFault::Invalid => MASSTREE_INVALID,
        GroupFault::InStore => MASSTREE_READ_ONLY,
    }
}

/// Takes consecutive sequence numbers from a tree, as a group: readers at MASSTREE_SEQNO_LATEST and
/// snapshots see nothing of what is stored with its numbers before masstree_publish, and then
/// everything. Writes with a number that is published already are refused from now on.
///
/// Publish every group, also one that was not used: no number above it becomes visible before. At
/// most 64 groups may be unpublished at a time.
///
/// @param tree   The tree.
/// @param count  Number of sequence numbers, at least 1.
/// @param first  Receives the first of them: it is above all numbers that were stored or taken
///               before.
///
/// @retval MASSTREE_OK          The numbers *first to *first + count - 1 belong to the caller.
/// @retval MASSTREE_BUSY        64 groups are unpublished; publish one.
/// @retval MASSTREE_INVALID     tree or first is NULL, count is 0, or fewer numbers are left.
/// @retval MASSTREE_WRONG_KIND  The tree is not versioned.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
/// @retval MASSTREE_READ_ONLY   The tree is a store's, which numbers its commits.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_next_seqno(
    tree: *mut TreeHandle,
    count: u64,
    first: *mut u64,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let versioned = unsafe { versioned_of(tree) }?;
        if first.is_null() {
            return Err(MASSTREE_INVALID);
        }
        match versioned.take_numbers(count) {
            Ok(number) => {
                // SAFETY: not NULL, writable by contract.
                unsafe { first.write(number) };
                Ok(MASSTREE_OK)
            }
            Err(fault) => Err(status(fault)),
        }
    })
}

/// Publishes a group of numbers, after everything with its numbers was stored. It becomes visible
/// once all groups with lower numbers are published, too.
///
/// @param tree     The tree.
/// @param first    The group's first number, from masstree_next_seqno.
/// @param visible  Receives the greatest number that is visible now: less than the group's if a
///                 group below is not published yet. May be NULL.
///
/// @retval MASSTREE_OK          The group is published.
/// @retval MASSTREE_INVALID     tree is NULL, or no unpublished group begins with this number.
/// @retval MASSTREE_WRONG_KIND  The tree is not versioned.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
/// @retval MASSTREE_READ_ONLY   The tree is a store's, which numbers its commits.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_publish(
    tree: *mut TreeHandle,
    first: u64,
    visible: *mut u64,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let versioned = unsafe { versioned_of(tree) }?;
        let number = versioned.publish(first).map_err(status)?;
        // SAFETY: NULL or writable by contract.
        unsafe { write_output(visible, number) };
        Ok(MASSTREE_OK)
    })
}
