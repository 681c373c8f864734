//! # Priority queues

use std::ffi::c_void;

use super::bytes::{Slice, require_guard, write_slice};
use super::scan::{ScanRange, decode};
use super::seek::KeyOutput;
use crate::ffi::boundary::{self, ValueKind, status_of};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::reclaim::Pinned;
use crate::index::tree::{Popped, Range, Tree};
use crate::versioned::VERSIONS;

/// The end of a range from which a key is popped.
#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

impl End {
    /// Pops a key, unless `output` has no room for it; passes its value to `deliver`, and returns the status.
    ///
    /// # Safety
    /// As [`KeyOutput::write`].
    unsafe fn pop(
        self,
        tree: &Tree,
        pin: Pinned<'_>,
        range: &Range<'_>,
        output: KeyOutput,
        deliver: impl FnOnce(u64),
    ) -> Result<i32, i32> {
        // SAFETY: by contract.
        let mut admit = |parts: [&[u8]; 3]| unsafe { output.write_parts(parts) }.is_ok();
        let popped = match self {
            Self::First => tree.pop_first(pin, range, &mut admit),
            Self::Last => tree.pop_last(pin, range, &mut admit),
        };
        Ok(match popped? {
            Popped::Nothing => MASSTREE_NOT_FOUND,
            Popped::Refused => MASSTREE_TOO_SMALL,
            Popped::Value(word) => {
                deliver(word);
                MASSTREE_OK
            }
        })
    }
}

/// Pops a key of a tree of words, or of byte strings that the caller does not want.
///
/// # Safety
/// As `masstree_pop_first`.
unsafe fn pop_word(
    end: End,
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    output: KeyOutput,
    value: *mut u64,
) -> i32 {
    let values = match value.is_null() {
        true => ValueKind::Any,
        false => ValueKind::Words,
    };
    // SAFETY: as this function's contract.
    status_of(|| unsafe {
        let range = decode(range)?.0;
        boundary::on_tree(tree, guard, values, |tree, pin| {
            if tree.holds(VERSIONS) {
                return Err(MASSTREE_WRONG_KIND);
            }
            end.pop(tree, pin, &range, output, |word| match value.is_null() {
                true => tree.retire_word(pin, word),
                false => value.write(word),
            })
        })
    })
}

/// Pops a key of a tree of byte strings.
///
/// # Safety
/// As `masstree_pop_first_bytes`.
unsafe fn pop_bytes(
    end: End,
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    output: KeyOutput,
    value: *mut Slice,
) -> i32 {
    // SAFETY: as this function's contract.
    status_of(|| unsafe {
        require_guard(guard, value)?;
        let range = decode(range)?.0;
        boundary::on_tree(tree, guard, ValueKind::Bytes, |tree, pin| {
            end.pop(tree, pin, &range, output, |word| {
                write_slice(Some(tree.retire_string(pin, word)), value);
            })
        })
    })
}

/// Removes the first key of a range and returns it with its value: with several threads, a concurrent
/// priority queue.
///
/// Each key goes to exactly one caller. No key that was in the range during the whole call is smaller
/// than the one returned. (Among keys of at most 8 bytes within one leaf, the removal is atomic; a key
/// that is inserted into another leaf or layer during the call may be missed.)
///
/// Threads that only pop, at the same end, take turns: a call that has met another thread may wait after it
/// has removed its key, without a lock, up to some 0.3 ms. A thread that works between its calls, for about
/// as long as a call takes or longer, does not wait.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range     As in masstree_scan, NULL for everything; limit and flags have no effect.
/// @param buffer    Receives the key. NULL: the key is not returned, however long it is.
/// @param capacity  Size of the buffer in bytes.
/// @param len       Receives the length of the key in bytes, also with MASSTREE_TOO_SMALL. May be NULL.
/// @param value     Receives the value, which is the caller's then; if it is a pointer, see
///                  masstree_get. May be NULL: then the value goes to the value destructor, and the
///                  tree may hold byte strings.
///
/// @retval MASSTREE_OK            Removed; the outputs are written.
/// @retval MASSTREE_NOT_FOUND     The range has no key.
/// @retval MASSTREE_TOO_SMALL     The key does not fit into the buffer, and stays in the tree; *len is
///                                its length, the other outputs are unchanged.
/// @retval MASSTREE_INVALID       tree is NULL, or the range is invalid, as in masstree_scan.
/// @retval MASSTREE_NOMEM         Out of memory for the position in the range; nothing was removed. Only
///                                keys longer than 8 bytes, or bounds, need such memory.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds versions; or it holds byte strings, and value is not
///                                NULL.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: any thread; must not be called by a thread that holds a key (masstree_hold).
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_pop_first(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    buffer: *mut c_void,
    capacity: usize,
    len: *mut usize,
    value: *mut u64,
) -> i32 {
    let output = KeyOutput {
        buffer,
        capacity,
        len,
    };
    // SAFETY: as this function's contract.
    unsafe { pop_word(End::First, tree, guard, range, output, value) }
}

/// Like masstree_pop_first, for the last key of a range.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range     As in masstree_pop_first.
/// @param buffer    As in masstree_pop_first.
/// @param capacity  Size of the buffer in bytes.
/// @param len       As in masstree_pop_first.
/// @param value     As in masstree_pop_first.
///
/// @retval MASSTREE_OK            Removed; the outputs are written.
/// @retval MASSTREE_NOT_FOUND     The range has no key.
/// @retval MASSTREE_TOO_SMALL     As in masstree_pop_first.
/// @retval MASSTREE_INVALID       As in masstree_pop_first.
/// @retval MASSTREE_NOMEM         As in masstree_pop_first.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    As in masstree_pop_first.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: as masstree_pop_first. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_pop_last(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    buffer: *mut c_void,
    capacity: usize,
    len: *mut usize,
    value: *mut u64,
) -> i32 {
    let output = KeyOutput {
        buffer,
        capacity,
        len,
    };
    // SAFETY: as this function's contract.
    unsafe { pop_word(End::Last, tree, guard, range, output, value) }
}

/// Like masstree_pop_first, for a tree of byte strings.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree. May be NULL only if value is NULL: then this call pins for
///                  its own duration.
/// @param range     As in masstree_pop_first.
/// @param buffer    As in masstree_pop_first.
/// @param capacity  Size of the buffer in bytes.
/// @param len       As in masstree_pop_first.
/// @param value     Receives the value, valid as long as the guard is held. May be NULL.
///
/// @retval MASSTREE_OK            Removed; the outputs are written.
/// @retval MASSTREE_NOT_FOUND     The range has no key.
/// @retval MASSTREE_TOO_SMALL     As in masstree_pop_first.
/// @retval MASSTREE_INVALID       As in masstree_pop_first; or value is not NULL and guard is NULL.
/// @retval MASSTREE_NOMEM         As in masstree_pop_first.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words or versions.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: as masstree_pop_first. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_pop_first_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    buffer: *mut c_void,
    capacity: usize,
    len: *mut usize,
    value: *mut Slice,
) -> i32 {
    let output = KeyOutput {
        buffer,
        capacity,
        len,
    };
    // SAFETY: as this function's contract.
    unsafe { pop_bytes(End::First, tree, guard, range, output, value) }
}

/// Like masstree_pop_last, for a tree of byte strings.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree. May be NULL only if value is NULL: then this call pins for
///                  its own duration.
/// @param range     As in masstree_pop_first.
/// @param buffer    As in masstree_pop_first.
/// @param capacity  Size of the buffer in bytes.
/// @param len       As in masstree_pop_first.
/// @param value     Receives the value, valid as long as the guard is held. May be NULL.
///
/// @retval MASSTREE_OK            Removed; the outputs are written.
/// @retval MASSTREE_NOT_FOUND     The range has no key.
/// @retval MASSTREE_TOO_SMALL     As in masstree_pop_first.
/// @retval MASSTREE_INVALID       As in masstree_pop_first; or value is not NULL and guard is NULL.
/// @retval MASSTREE_NOMEM         As in masstree_pop_first.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words or versions.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: as masstree_pop_first. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_pop_last_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    buffer: *mut c_void,
    capacity: usize,
    len: *mut usize,
    value: *mut Slice,
) -> i32 {
    let output = KeyOutput {
        buffer,
        capacity,
        len,
    };
    // SAFETY: as this function's contract.
    unsafe { pop_bytes(End::Last, tree, guard, range, output, value) }
}
