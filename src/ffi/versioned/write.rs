//! # Storing versions
//!
//! Writes of versioned trees.

use std::ffi::c_void;

use crate::ffi::boundary::{
    ValueKind, key_bytes, on_versioned, status_of, value_bytes, write_output,
};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::index::batch::{Batch, Keys, each_part};
use crate::ffi::index::bytes::Slice;
use crate::ffi::status::*;
use crate::index::reclaim::Pinned;
use crate::versioned::{Kind, LATEST, MAX_NUMBER, Put, Refused, VersionedTree};

/// The sequence number that reads everything published.
pub const MASSTREE_SEQNO_LATEST: u64 = 0xFFFF_FFFF_FFFF_FFFF;
/// The greatest sequence number of a version: 2^56 - 1.
pub const MASSTREE_SEQNO_MAX: u64 = 0x00FF_FFFF_FFFF_FFFF;

/// Kind of a version: a value.
pub const MASSTREE_VERSION_VALUE: u32 = 0;
/// Kind of a version: an operand, which the reader merges with the older versions; see
/// masstree_get_operands_at.
pub const MASSTREE_VERSION_MERGE: u32 = 1;
/// Kind of a version: the key is deleted.
pub const MASSTREE_VERSION_TOMBSTONE: u32 = 2;
/// Kind of a version: the key, which was stored once, is deleted. Reads treat it as a tombstone;
/// who compacts versions may drop it together with that one value.
pub const MASSTREE_VERSION_WEAK_TOMBSTONE: u32 = 3;
/// Kind of what masstree_get_at returns with MASSTREE_DELETED if a range tombstone deletes the key.
/// No version has it.
pub const MASSTREE_VERSION_RANGE_TOMBSTONE: u32 = 4;

const _: () = {
    assert!(MASSTREE_SEQNO_LATEST == LATEST);
    assert!(MASSTREE_SEQNO_MAX == MAX_NUMBER);
    assert!(MASSTREE_VERSION_VALUE == Kind::Value as u32);
    assert!(MASSTREE_VERSION_MERGE == Kind::Merge as u32);
    assert!(MASSTREE_VERSION_TOMBSTONE == Kind::Tombstone as u32);
    assert!(MASSTREE_VERSION_WEAK_TOMBSTONE == Kind::WeakTombstone as u32);
};

/// Converts a version from C.
///
/// # Safety
/// As `value_bytes`.
pub(super) unsafe fn decode<'v>(
    number: u64,
    kind: u32,
    value: *const c_void,
    value_len: usize,
) -> Result<Put<'v>, i32> {
    let kind = Kind::of(kind).ok_or(MASSTREE_INVALID)?;
    if !(1..=MAX_NUMBER).contains(&number) {
        return Err(MASSTREE_INVALID);
    }
    // SAFETY: by contract.
    let bytes = unsafe { value_bytes(value, value_len) }?;
    Ok(Put {
        number,
        kind,
        digest: None,
        bytes,
    })
}

/// Returns the status of a write with a valid number.
pub(super) fn status(outcome: Result<(), Refused>) -> i32 {
    match outcome {
        Ok(()) => MASSTREE_OK,
        Err(Refused::OutOfMemory) => MASSTREE_NOMEM,
        Err(Refused::Sealed | Refused::InStore) => MASSTREE_READ_ONLY,
        Err(Refused::AppendOnly) => MASSTREE_WRONG_KIND,
        Err(Refused::OtherKey) => MASSTREE_INVALID,
        Err(Refused::Number) => MASSTREE_TOO_OLD,
        Err(Refused::Exists) => MASSTREE_EXISTS,
        Err(Refused::Newer(_)) => MASSTREE_MISMATCH,
    }
}

/// Stores a version of a key. The order in which versions are stored does not matter.
///
/// @param tree       The tree.
/// @param guard      A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key        key_len bytes; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param seqno      The version's number, 1 to MASSTREE_SEQNO_MAX.
/// @param kind       MASSTREE_VERSION_VALUE, _MERGE, _TOMBSTONE or _WEAK_TOMBSTONE.
/// @param value      value_len bytes, which are copied; NULL only if value_len is 0. A tombstone may
///                   have a value, too.
/// @param value_len  Length of the value in bytes.
///
/// @retval MASSTREE_OK            The version is in the tree.
/// @retval MASSTREE_EXISTS        The key has a version with this number; nothing was changed.
/// @retval MASSTREE_INVALID       tree is NULL; key or value is NULL and its length is not 0; kind
///                                is unknown; seqno is out of range; key_of of the tree's options finds
///                                another key in the value.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree is not versioned.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_READ_ONLY     The tree is sealed, or a store's.
/// @retval MASSTREE_TOO_OLD       seqno is at or below the floor of a trim; or numbers were taken
///                                from the tree, and this one is published already.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_put_at(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    seqno: u64,
    kind: u32,
    value: *const c_void,
    value_len: usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let key = key_bytes(key, key_len)?;
            let put = decode(seqno, kind, value, value_len)?;
            on_versioned(tree, guard, |tree, pin| {
                Ok(status(tree.put(pin, key, &put, false)))
            })
        }
    })
}

/// Like masstree_put_at, but only if the key has no version with a greater number.
///
/// @param tree       The tree.
/// @param guard      A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key        key_len bytes; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param seqno      As in masstree_put_at.
/// @param kind       As in masstree_put_at.
/// @param value      As in masstree_put_at.
/// @param value_len  Length of the value in bytes.
/// @param newer      Receives, with MASSTREE_MISMATCH, the greatest number of the key's versions.
///                   May be NULL.
///
/// @retval MASSTREE_OK            The version is in the tree, and was the key's newest.
/// @retval MASSTREE_EXISTS        The key's newest version has this number; nothing was changed.
/// @retval MASSTREE_MISMATCH      The key has a newer version; nothing was changed.
/// @retval MASSTREE_INVALID       As in masstree_put_at.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree is not versioned.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_READ_ONLY     The tree is sealed, or a store's.
/// @retval MASSTREE_TOO_OLD       As in masstree_put_at.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_put_unless_newer_at(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    seqno: u64,
    kind: u32,
    value: *const c_void,
    value_len: usize,
    newer: *mut u64,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let key = key_bytes(key, key_len)?;
            let put = decode(seqno, kind, value, value_len)?;
            on_versioned(tree, guard, |tree, pin| {
                let outcome = tree.put(pin, key, &put, true);
                if let Err(Refused::Newer(number)) = outcome {
                    write_output(newer, number);
                }
                Ok(status(outcome))
            })
        }
    })
}

/// Stores several versions, faster than one by one.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      count keys, as masstree_put_at takes them; NULL only if count is 0.
/// @param seqnos    The number of each version; NULL only if count is 0.
/// @param kinds     The kind of each version; NULL: all are MASSTREE_VERSION_VALUE.
/// @param values    The value of each version; NULL: all are empty.
/// @param count     Number of versions.
/// @param statuses  Receives, for each version, the status that masstree_put_at would return. May
///                  be NULL.
///
/// @retval MASSTREE_OK            Every version was stored, or its key has the number already.
/// @retval MASSTREE_INVALID       tree is NULL, or keys or seqnos is NULL and count is not 0:
///                                nothing was done, and no status is stored. Or a version is
///                                malformed; the others were handled.
/// @retval MASSTREE_NOMEM         Out of memory for a version; the others were handled.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the others were handled.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND    The tree is not versioned; nothing was done.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing was
///                                done.
/// @retval MASSTREE_READ_ONLY     The tree is sealed, or a store's.
/// @retval MASSTREE_TOO_OLD       A number is too low, as in masstree_put_at; the others were
///                                handled.
///
/// With several errors, the first is returned. The versions become visible one by one, unless
/// their numbers are a group that is not yet published.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_put_many_at(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: *const Slice,
    seqnos: *const u64,
    kinds: *const u32,
    values: *const Slice,
    count: usize,
    statuses: *mut i32,
) -> i32 {
    if seqnos.is_null() && count != 0 {
        return MASSTREE_INVALID;
    }
    let keys = Keys::Slices(keys);
    let batch = Batch::new(tree, guard, ValueKind::Any, keys, count, statuses);
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            keys.checked(count)?;
            on_versioned(tree, guard, |_, _| Ok(()))?;
            let versioned: VersionedTree<'_> = (*tree).versioned().ok_or(MASSTREE_WRONG_KIND)?;
            let put = |pin: Pinned<'_>, key: &[u8], index: usize| {
                let kind = match kinds.is_null() {
                    true => MASSTREE_VERSION_VALUE,
                    false => kinds.add(index).read(),
                };
                let value = match values.is_null() {
                    true => Slice::of(b""),
                    false => values.add(index).read(),
                };
                let put = decode(seqnos.add(index).read(), kind, value.data, value.len)?;
                Ok(status(versioned.put(pin, key, &put, false)))
            };
            Ok(each_part(batch, |tree, pin, part, report| {
                part.each(tree, pin, report, |key, index| put(pin, key, index));
            }))
        }
    })
}

/// Deletes a range of keys at a number: readers at that number and above see no version with a
/// smaller number of the keys from lower (inclusive) to upper (exclusive). Versions that are stored
/// later, with smaller numbers, are deleted, too. The cost does not depend on the keys in the range.
///
/// @param tree       The tree.
/// @param guard      A guard of this tree, or NULL: then this call pins for its own duration.
/// @param lower      The first key of the range: lower_len bytes; NULL only if lower_len is 0.
/// @param lower_len  Length of lower in bytes, at most 2^32 - 1.
/// @param upper      The key at which the range ends: upper_len bytes; NULL only if upper_len is 0.
///                   If it is not above lower, nothing is deleted.
/// @param upper_len  Length of upper in bytes, at most 2^32 - 1.
/// @param seqno      The number, 1 to MASSTREE_SEQNO_MAX.
///
/// @retval MASSTREE_OK            The range is deleted at this number.
/// @retval MASSTREE_INVALID       tree is NULL; lower or upper is NULL and its length is not 0; seqno
///                                is out of range.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  A length exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree is not versioned.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_READ_ONLY     The tree is sealed, or a store's.
/// @retval MASSTREE_TOO_OLD       As in masstree_put_at.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_remove_range_at(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    lower: *const c_void,
    lower_len: usize,
    upper: *const c_void,
    upper_len: usize,
    seqno: u64,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let (lower, upper) = (key_bytes(lower, lower_len)?, key_bytes(upper, upper_len)?);
            if !(1..=MAX_NUMBER).contains(&seqno) {
                return Err(MASSTREE_INVALID);
            }
            on_versioned(tree, guard, |tree, pin| {
                Ok(status(tree.remove_range(pin, lower, upper, seqno)))
            })
        }
    })
}
