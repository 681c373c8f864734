//! Changing one key without conditions; conversion of integer keys.

use std::ffi::c_void;

use crate::ffi::boundary::{self, ValueKind, found_status, key_bytes, status_of, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::reclaim::Pinned;
use crate::index::tree::{Inserted, Tree};
use crate::index::value::KindId;

/// `masstree_put` of a key.
// inline(always), as in `get`: a remove takes 15 instructions less.
#[inline(always)]
fn put(tree: &Tree, pin: Pinned<'_>, key: &[u8], value: u64) -> Result<i32, i32> {
    if let Some(displaced) = tree.put(pin, key, value)?
        && displaced != value
    {
        tree.discard(pin, displaced);
    }
    Ok(MASSTREE_OK)
}

/// `masstree_insert` of a key.
///
/// # Safety
/// `present` is NULL or writable.
#[inline(always)]
unsafe fn insert(
    tree: &Tree,
    pin: Pinned<'_>,
    key: &[u8],
    value: u64,
    present: *mut u64,
) -> Result<i32, i32> {
    match tree.insert(pin, key, value)? {
        Inserted::New => Ok(MASSTREE_OK),
        Inserted::Present(word) => {
            // SAFETY: as this function's contract.
            unsafe { write_output(present, word) };
            Ok(MASSTREE_EXISTS)
        }
    }
}

/// `masstree_remove` of a key.
///
/// # Safety
/// `old` is NULL or writable.
#[inline(always)]
unsafe fn remove(tree: &Tree, pin: Pinned<'_>, key: &[u8], old: *mut u64) -> Result<i32, i32> {
    if !tree.holds(KindId::WORDS) {
        return remove_bytes(tree, pin, key);
    }
    let removed = tree.remove(pin, key);
    // SAFETY: as this function's contract.
    Ok(unsafe { boundary::deliver_or_retire(tree, pin, removed, None, old) })
}

/// Stores a value under a key, whether or not the key exists.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      key_len bytes, which the tree copies; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param value    The value. The tree owns it unless the call returns an error.
///
/// @retval MASSTREE_OK            Stored. The value destructor is called for a displaced value
///                                once no reader can still use it.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged and the caller still
///                                owns the value.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Storing the value that the key already has displaces nothing: the tree keeps it.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_put(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: u64,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        boundary::on_key_in_one_piece(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Words,
            |tree, pin, key| put(tree, pin, key, value),
            |tree, pin, key| put(tree, pin, key, value),
        )
    }
}

/// Like masstree_put, for an integer key (see masstree_get_u64).
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key    The key.
/// @param value  The value. The tree owns it unless the call returns an error.
///
/// @retval MASSTREE_OK          Stored.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged and the caller still owns
///                              the value.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Storing the value that the key already has displaces nothing: the tree keeps it.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_put_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: u64,
    value: u64,
) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe { masstree_put(tree, guard, key.as_ptr().cast(), key.len(), value) }
}

/// Stores a value under a key and returns the previous value.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      key_len bytes, which the tree copies; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param value    The value. The tree owns it unless the call returns an error.
/// @param old      Receives the displaced value, only with MASSTREE_OK. The caller then owns
///                 it: the value destructor is not called for it. Other threads may still read
///                 it under guards that they hold now. If NULL, the value destructor is called
///                 for it once no reader can still use it.
///
/// @retval MASSTREE_OK            Stored; *old is the value it displaced.
/// @retval MASSTREE_EXISTS        The key has this value already; nothing was changed.
/// @retval MASSTREE_NOT_FOUND     Stored; the key did not exist.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged and the caller still
///                                owns the value.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Storing the value that the key already has displaces nothing: the tree keeps it, and *old is
/// not written.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_exchange(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: u64,
    old: *mut u64,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        boundary::on_key(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Words,
            |tree, pin, key| {
                let displaced = tree.put(pin, key, value)?;
                Ok(boundary::deliver_or_retire(
                    tree,
                    pin,
                    displaced,
                    Some(value),
                    old,
                ))
            },
        )
    }
}

/// Like masstree_exchange, for an integer key (see masstree_get_u64).
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key    The key.
/// @param value  The value. The tree owns it unless the call returns an error.
/// @param old    As in masstree_exchange.
///
/// @retval MASSTREE_OK          Stored; *old is the value it displaced.
/// @retval MASSTREE_EXISTS      The key has this value already; nothing was changed.
/// @retval MASSTREE_NOT_FOUND   Stored; the key did not exist.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged and the caller still owns
///                              the value.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Storing the value that the key already has displaces nothing: the tree keeps it, and *old is
/// not written.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_exchange_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: u64,
    value: u64,
    old: *mut u64,
) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe { masstree_exchange(tree, guard, key.as_ptr().cast(), key.len(), value, old) }
}

/// Stores a value under a key only if the key is absent.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      key_len bytes, which the tree copies; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param value    The value. The tree owns it only after MASSTREE_OK.
/// @param present  Receives the existing value, only with MASSTREE_EXISTS; the tree still owns
///                 it. May be NULL.
///
/// @retval MASSTREE_OK            Stored; the key was absent.
/// @retval MASSTREE_EXISTS        The key exists, with the value *present; nothing was changed.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// If several threads insert the same absent key, exactly one of them gets MASSTREE_OK.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_insert(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: u64,
    present: *mut u64,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        boundary::on_key_in_one_piece(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Words,
            |tree, pin, key| insert(tree, pin, key, value, present),
            |tree, pin, key| insert(tree, pin, key, value, present),
        )
    }
}

/// Like masstree_insert, for an integer key (see masstree_get_u64).
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      The key.
/// @param value    The value. The tree owns it only after MASSTREE_OK.
/// @param present  As in masstree_insert.
///
/// @retval MASSTREE_OK          Stored; the key was absent.
/// @retval MASSTREE_EXISTS      The key exists, with the value *present; nothing was changed.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_insert_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: u64,
    value: u64,
    present: *mut u64,
) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe { masstree_insert(tree, guard, key.as_ptr().cast(), key.len(), value, present) }
}

/// Removes a key and, if old is not NULL, returns its value.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param old      Receives the removed value, only with MASSTREE_OK. The caller then owns it:
///                 the value destructor is not called for it. Other threads may still read it
///                 under guards that they hold now. If NULL, the value destructor is called for
///                 it once no reader can still use it.
///
/// @retval MASSTREE_OK            Removed; *old is the value it had.
/// @retval MASSTREE_NOT_FOUND     The key was not in the tree.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and old is not NULL.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Never returns MASSTREE_NOMEM. Nodes that become empty are freed.
///
/// Thread safety: any thread. Since 0.1.
// Inlined into masstree_remove_u64, it took 7 instructions more.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_remove(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    old: *mut u64,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        let values = if old.is_null() {
            ValueKind::Any
        } else {
            ValueKind::Words
        };
        boundary::on_key_in_one_piece(
            tree,
            guard,
            key,
            key_len,
            values,
            |tree, pin, key| remove(tree, pin, key, old),
            |tree, pin, key| remove(tree, pin, key, old),
        )
    }
}

/// Removes a key from a tree of byte strings; refuses a tree of any other kind.
pub(super) fn remove_bytes(tree: &Tree, pin: Pinned<'_>, key: &[u8]) -> Result<i32, i32> {
    if !tree.holds_bytes() {
        return Err(MASSTREE_WRONG_KIND);
    }
    Ok(found_status(tree.remove_bytes(pin, key).is_some()))
}

/// Like masstree_remove, for an integer key (see masstree_get_u64).
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key    The key.
/// @param old    As in masstree_remove.
///
/// @retval MASSTREE_OK          Removed; *old is the value it had.
/// @retval MASSTREE_NOT_FOUND   The key was not in the tree.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings, and old is not NULL.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_remove_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: u64,
    old: *mut u64,
) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe { masstree_remove(tree, guard, key.as_ptr().cast(), key.len(), old) }
}

/// Stores the 8 bytes of an integer key, as the _u64 functions use them: most significant byte
/// first. For bounds of scans, and for trees with both integer and byte-string keys.
///
/// @param key    The integer key.
/// @param bytes  Receives the 8 bytes; if NULL, the call does nothing.
///
/// Thread safety: any thread, any time. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_u64_to_key(key: u64, bytes: *mut u8) {
    if !bytes.is_null() {
        // SAFETY: not NULL; room for eight bytes by contract.
        unsafe { bytes.cast::<[u8; 8]>().write(key.to_be_bytes()) };
    }
}

/// Converts the 8 bytes of a key, such as a scan passes to its visitor, to the integer.
///
/// @param key      The key's bytes.
/// @param key_len  Their length in bytes.
/// @param value    Receives the integer. May be NULL.
///
/// @retval MASSTREE_OK       *value is the integer.
/// @retval MASSTREE_INVALID  key is NULL, or key_len is not 8.
///
/// Thread safety: any thread, any time. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_u64_from_key(
    key: *const c_void,
    key_len: usize,
    value: *mut u64,
) -> i32 {
    status_of(|| {
        if key_len != size_of::<u64>() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract.
        let bytes = unsafe { key_bytes(key, key_len) }?;
        let bytes: [u8; 8] = bytes.try_into().map_err(|_| MASSTREE_INVALID)?;
        // SAFETY: NULL or writable by contract.
        unsafe { write_output(value, u64::from_be_bytes(bytes)) };
        Ok(MASSTREE_OK)
    })
}
