//! # What was read, to be validated later
//!
//! Observations: what transactions validate.

use std::ffi::c_void;
use std::ptr::NonNull;

use crate::ffi::boundary::{
    ValueKind, found_status, key_bytes, lookup_status, on_key, status_of, under_guard, write_output,
};
use crate::ffi::handle::TreeHandle;
use crate::ffi::handle::{self, GuardHandle};
use crate::ffi::index::bytes::{Slice, write_slice};
use crate::ffi::index::cursor::{CursorHandle, on_cursor};
use crate::ffi::index::scan::{BytesVisitor, ScanRange, Visitor, of_bytes, of_words, scan};
use crate::ffi::status::*;
use crate::index::node::Observation;
use crate::index::reclaim::Slot;

/// What a leaf of a tree was when it was read: which keys it held, and so which it did not.
///
/// As long as masstree_validate finds it unchanged, whatever was read in the leaf holds,
/// and no key was added to, or removed from, the part of the tree's keys that the leaf is
/// for. Values may have been overwritten: that changes no observation.
///
/// An observation is plain data. It may be copied, kept, and validated at any time as long
/// as the tree lives, also after the guard was refreshed or left: it never leads to freed
/// memory. It says nothing in another tree.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LeafObservation {
    /// The leaf's id: never 0, a multiple of 64. Ids are used again, versions are not.
    pub leaf: u64,
    /// The leaf's version: compare it for equality only, it is no counter. Every insert and every remove
    /// of a key makes it another, and so does a split, and what ends the leaf. Overwriting a
    /// value leaves it as it is, and so does a lock. No leaf with the same id ever had it
    /// before or has it again.
    pub version: u64,
    /// How often the tree had been cleared (masstree_clear), which ends all observations.
    pub incarnation: u64,
}

const _: () = assert!(size_of::<LeafObservation>() == size_of::<Observation>());

impl LeafObservation {
    pub(in crate::ffi) fn of(observation: &Observation) -> Self {
        let &Observation {
            leaf,
            version,
            incarnation,
        } = observation;
        Self {
            leaf,
            version,
            incarnation,
        }
    }
}

/// Called for each leaf that a scan has read, before the keys from it.
///
/// @param observation  The leaf, as it was when the scan read it; valid during this call
///                     only.
/// @param ctx          What was passed to the scan.
///
/// @return As masstree_visitor_t, whose rules apply.
pub type LeafVisitor =
    Option<unsafe extern "C" fn(observation: *const LeafObservation, ctx: *mut c_void) -> i32>;

/// What shows a visitor its leaves.
///
/// # Safety
/// The visitor may be called with `ctx`, as long as what is given is.
unsafe fn of_leaves(
    visit: LeafVisitor,
    ctx: *mut c_void,
) -> Result<impl FnMut(&Observation) -> i32, i32> {
    let visit = visit.ok_or(MASSTREE_INVALID)?;
    // SAFETY: by contract.
    Ok(move |leaf: &Observation| unsafe { visit(&LeafObservation::of(leaf), ctx) })
}

/// masstree_get that also says which leaf proves the answer.
///
/// @param tree         The tree.
/// @param guard        A guard of this tree, or NULL to be pinned for this call.
/// @param key          key_len bytes; NULL only if key_len is 0.
/// @param key_len      Length of the key in bytes, at most 2^32 - 1.
/// @param value        Where the value is stored; NULL: not wanted.
/// @param observation  Where the leaf is stored that holds the key or, with
///                     MASSTREE_NOT_FOUND, would hold it; NULL: not wanted.
///
/// @retval MASSTREE_OK            Found; *value is the key's value.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree, and will not be as long as
///                                *observation holds.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_observed(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: *mut u64,
    observation: *mut LeafObservation,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe { get_observed(tree, guard, key, key_len, value, observation) }
}

/// Compiled once for each of the two: for integers, the length of the key is known.
///
/// # Safety
/// As `masstree_get_observed`.
#[inline(always)]
unsafe fn get_observed(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: *mut u64,
    observation: *mut LeafObservation,
) -> i32 {
    match handle::slot(guard) {
        // SAFETY: as this function's contract.
        Some(slot) => unsafe { get_under_guard(tree, slot, key, key_len, value, observation) }
            .unwrap_or_else(|status| status),
        // SAFETY: as this function's contract.
        None => unsafe { get_without_guard(tree, key, key_len, value, observation) },
    }
}

/// # Safety
/// As `masstree_get_observed`.
#[inline(always)]
unsafe fn get_under_guard(
    tree: *const TreeHandle,
    slot: NonNull<Slot>,
    key: *const c_void,
    key_len: usize,
    value: *mut u64,
    observation: *mut LeafObservation,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        let key = key_bytes(key, key_len)?;
        let (tree, pin) = under_guard(tree, slot, ValueKind::Words)?;
        let (word, leaf) = tree.get_observed(pin, key);
        write_output(observation, LeafObservation::of(&leaf));
        lookup_status(word, value)
    }
}

/// # Safety
/// As `masstree_get_observed`.
#[inline(never)]
unsafe fn get_without_guard(
    tree: *const TreeHandle,
    key: *const c_void,
    key_len: usize,
    value: *mut u64,
    observation: *mut LeafObservation,
) -> i32 {
    let guard = std::ptr::null_mut();
    // SAFETY: as this function's contract.
    unsafe {
        on_key(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Words,
            |tree, pin, key| {
                let (word, leaf) = tree.get_observed(pin, key);
                write_output(observation, LeafObservation::of(&leaf));
                lookup_status(word, value)
            },
        )
    }
}

/// masstree_get_observed for an integer key (see masstree_get_u64).
///
/// @param tree         The tree.
/// @param guard        A guard of this tree, or NULL to be pinned for this call.
/// @param key          The key.
/// @param value        As in masstree_get_observed.
/// @param observation  As in masstree_get_observed.
///
/// @retval MASSTREE_OK          Found; *value is the key's value.
/// @retval MASSTREE_NOT_FOUND   The key is not in the tree, and will not be as long as
///                              *observation holds.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_u64_observed(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: u64,
    value: *mut u64,
    observation: *mut LeafObservation,
) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe {
        get_observed(
            tree,
            guard,
            key.as_ptr().cast(),
            key.len(),
            value,
            observation,
        )
    }
}

/// masstree_get_bytes that also says which leaf proves the answer.
///
/// @param tree         The tree.
/// @param guard        A guard of this tree; not NULL.
/// @param key          key_len bytes; NULL only if key_len is 0.
/// @param key_len      Length of the key in bytes, at most 2^32 - 1.
/// @param value        As in masstree_get_bytes.
/// @param observation  As in masstree_get_observed.
///
/// @retval MASSTREE_OK            Found; *value is the key's value.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree, and will not be as long as
///                                *observation holds.
/// @retval MASSTREE_INVALID       tree or guard is NULL, or key is NULL with a length.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_bytes_observed(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: *mut Slice,
    observation: *mut LeafObservation,
) -> i32 {
    if guard.is_null() {
        return MASSTREE_INVALID;
    }
    // SAFETY: as this function's contract.
    unsafe {
        on_key(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Bytes,
            |tree, pin, key| {
                let (word, leaf) = tree.get_observed(pin, key);
                write_output(observation, LeafObservation::of(&leaf));
                write_slice(word.map(|word| tree.bytes_of(pin, word)), value);
                Ok(found_status(word.is_some()))
            },
        )
    }
}

/// Says how many entries the leaf has that a key is in, or would be: keys, and links to where
/// keys go on that have eight bytes more in common. At most 15.
///
/// @param tree         The tree, of words or byte strings.
/// @param guard        A guard of this tree, or NULL to be pinned for this call.
/// @param key          key_len bytes; NULL only if key_len is 0.
/// @param key_len      Length of the key in bytes, at most 2^32 - 1.
/// @param size         Where the number is stored; not NULL.
/// @param observation  Where the leaf is stored: as long as that holds, it has so many. NULL:
///                     not wanted.
///
/// @retval MASSTREE_OK            *size and *observation are of one moment.
/// @retval MASSTREE_INVALID       tree or size is NULL, or key is NULL with a length.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_leaf_size(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    size: *mut usize,
    observation: *mut LeafObservation,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_key(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Any,
            |tree, pin, key| {
                if size.is_null() {
                    return Err(MASSTREE_INVALID);
                }
                let (entries, leaf) = tree.leaf_size(pin, key);
                size.write(entries);
                write_output(observation, LeafObservation::of(&leaf));
                Ok(MASSTREE_OK)
            },
        )
    }
}

/// masstree_scan that also says which leaves it has read.
///
/// As long as all of them hold, a scan of the same range would meet the same keys. One is
/// shown at least, also if the range is empty, in both directions. A leaf may be shown more
/// than once: if it had changed in between, only one of the two holds.
///
/// @param tree        The tree.
/// @param guard       A guard of this tree, or NULL to be pinned for this call.
/// @param range       As in masstree_scan. With a limit, or a visitor that stops, the leaves
///                    prove the keys up to the last one visited.
/// @param visit_leaf  Called for each leaf before the keys from it.
/// @param visit       Called for each key.
/// @param ctx         Handed to both.
/// @param visited     As in masstree_scan.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit,
///                                or until a visitor stopped.
/// @retval MASSTREE_INVALID       As in masstree_scan; or visit_leaf is NULL.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer, or the leaves.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix is over 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    As in masstree_scan.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
/// @return A negative number that a visitor answered.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_scan_observed(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    visit_leaf: LeafVisitor,
    visit: Visitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            scan(
                tree,
                guard,
                range,
                ValueKind::Words,
                visited,
                Some(of_leaves(visit_leaf, ctx)?),
                of_words(visit, ctx)?,
            )
        }
    })
}

/// masstree_scan_observed for a tree of byte strings.
///
/// @param tree        The tree.
/// @param guard       A guard of this tree, or NULL to be pinned for this call.
/// @param range       As in masstree_scan_observed.
/// @param visit_leaf  Called for each leaf before the keys from it.
/// @param visit       Called for each key.
/// @param ctx         Handed to both.
/// @param visited     As in masstree_scan.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit,
///                                or until a visitor stopped.
/// @retval MASSTREE_INVALID       As in masstree_scan_observed.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer, or the leaves.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix is over 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
/// @return A negative number that a visitor answered.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_scan_bytes_observed(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    visit_leaf: LeafVisitor,
    visit: BytesVisitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            scan(
                tree,
                guard,
                range,
                ValueKind::Bytes,
                visited,
                Some(of_leaves(visit_leaf, ctx)?),
                of_bytes(visit, ctx)?,
            )
        }
    })
}

/// Has a cursor remember, from its next call on, which leaves a call has read.
///
/// @param cursor  The cursor.
///
/// @retval MASSTREE_OK       The cursor remembers from now on.
/// @retval MASSTREE_INVALID  cursor is NULL.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: the cursor's thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_track(cursor: *mut CursorHandle) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |cursor, _| {
            cursor.cursor.observe();
            Ok(MASSTREE_OK)
        })
    }
}

/// The leaves that the last call of a cursor has read: a seek, or a step or many.
///
/// As long as all of them hold, the same call from the same place would come to the same
/// keys, or to MASSTREE_END.
///
/// @param cursor        The cursor, which was told to remember (masstree_cursor_track).
/// @param observations  Where the address of the first is stored; they are the cursor's, and
///                      stay until its next seek or step, or until it is closed. Not NULL.
/// @param count         Where their number is stored; not NULL.
///
/// @retval MASSTREE_OK       Both are stored; *count is 0 if the cursor was not told to
///                           remember, or has made no call since.
/// @retval MASSTREE_INVALID  cursor, observations or count is NULL.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: the cursor's thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_observations(
    cursor: *mut CursorHandle,
    observations: *mut *const LeafObservation,
    count: *mut usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |cursor, _| {
            if observations.is_null() || count.is_null() {
                return Err(MASSTREE_INVALID);
            }
            let observed = cursor.cursor.observed();
            observations.write(observed.as_ptr().cast());
            count.write(observed.len());
            Ok(MASSTREE_OK)
        })
    }
}
