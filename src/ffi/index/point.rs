//! Changing what is under one key, without conditions; keys that are integers.

use std::ffi::c_void;

use crate::ffi::boundary::{self, ValueKind, found_status, key_bytes, status_of, write_output};
use crate::ffi::handle::GuardHandle;
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;
use crate::index::tree::Inserted;

/// Stores a value under a key, whether the key is there or not.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
/// @param key      key_len bytes, copied by the tree; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param value    The value. If the tree has a value destructor, the value is
///                 the tree's from here on.
///
/// @retval MASSTREE_OK            Stored. A value it displaced goes to the value
///                                destructor once no reader can hold it.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged and the
///                                value is still the caller's.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// A value that is stored where it is already is not displaced: it stays the tree's.
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
        boundary::on_key(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Words,
            |tree, pin, key| {
                let displaced = tree.put(pin, key, value)?;
                boundary::deliver_or_retire(
                    tree,
                    pin,
                    displaced,
                    Some(value),
                    std::ptr::null_mut(),
                );
                Ok(MASSTREE_OK)
            },
        )
    }
}

/// masstree_put for an integer key (see masstree_get_u64).
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL to be pinned for this call.
/// @param key    The key.
/// @param value  The value. If the tree has a value destructor, the value is
///               the tree's from here on.
///
/// @retval MASSTREE_OK          Stored.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged and the
///                              value is still the caller's.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// A value that is stored where it is already is not displaced: it stays the tree's.
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

/// Stores a value under a key and gives the value that was there.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
/// @param key      key_len bytes, copied by the tree; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param value    The value. If the tree has a value destructor, the value is
///                 the tree's from here on.
/// @param old      Where the displaced value is stored (written only when the
///                 answer is MASSTREE_OK); it is the caller's then, and the
///                 value destructor is not run for it. Other threads may still
///                 read it under guards they hold now. NULL: not wanted, and the
///                 destructor is run for it.
///
/// @retval MASSTREE_OK            Stored; *old is the value it displaced.
/// @retval MASSTREE_EXISTS        The key has this value already; nothing was changed.
/// @retval MASSTREE_NOT_FOUND     Stored; the key was new.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged and the
///                                value is still the caller's.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// A value that is stored where it is already is not displaced: it stays the tree's, and
/// *old is not written.
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

/// masstree_exchange for an integer key (see masstree_get_u64).
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL to be pinned for this call.
/// @param key    The key.
/// @param value  The value. If the tree has a value destructor, the value is
///               the tree's from here on.
/// @param old    As in masstree_exchange.
///
/// @retval MASSTREE_OK          Stored; *old is the value it displaced.
/// @retval MASSTREE_EXISTS      The key has this value already; nothing was changed.
/// @retval MASSTREE_NOT_FOUND   Stored; the key was new.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged and the
///                              value is still the caller's.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// A value that is stored where it is already is not displaced: it stays the tree's, and
/// *old is not written.
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
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
/// @param key      key_len bytes, copied by the tree; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param value    The value. It is the tree's only if the answer is MASSTREE_OK.
/// @param present  Where the value already there is stored (written only when
///                 the answer is MASSTREE_EXISTS); it stays the tree's. NULL:
///                 not wanted.
///
/// @retval MASSTREE_OK            Stored; the key was absent.
/// @retval MASSTREE_EXISTS        Nothing was changed; *present is the value
///                                under the key.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// Of several threads that insert one absent key, exactly one gets MASSTREE_OK.
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
        boundary::on_key(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Words,
            |tree, pin, key| match tree.insert(pin, key, value)? {
                Inserted::New => Ok(MASSTREE_OK),
                Inserted::Present(word) => {
                    write_output(present, word);
                    Ok(MASSTREE_EXISTS)
                }
            },
        )
    }
}

/// masstree_insert for an integer key (see masstree_get_u64).
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
/// @param key      The key.
/// @param value    The value. It is the tree's only if the answer is MASSTREE_OK.
/// @param present  As in masstree_insert.
///
/// @retval MASSTREE_OK          Stored; the key was absent.
/// @retval MASSTREE_EXISTS      Nothing was changed; *present is the value under
///                              the key.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
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

/// Removes a key.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param old      Where the removed value is stored; it is the caller's then,
///                 and the value destructor is not run for it. Other threads may
///                 still read it under guards they hold now. NULL: not wanted,
///                 and the destructor is run for it once no reader can hold it.
///
/// @retval MASSTREE_OK            Removed; *old is the value it had.
/// @retval MASSTREE_NOT_FOUND     The key was not in the tree.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and old is not NULL.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// A remove never answers MASSTREE_NOMEM. Nodes that become empty are given back.
///
/// Thread safety: any thread. Since 0.1.
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
        boundary::on_key(tree, guard, key, key_len, values, |tree, pin, key| {
            if tree.holds_bytes() {
                let removed = tree.remove_bytes(pin, key);
                return Ok(found_status(removed.is_some()));
            }
            let removed = tree.remove(pin, key);
            Ok(boundary::deliver_or_retire(tree, pin, removed, None, old))
        })
    }
}

/// masstree_remove for an integer key (see masstree_get_u64).
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL to be pinned for this call.
/// @param key    The key.
/// @param old    As in masstree_remove.
///
/// @retval MASSTREE_OK          Removed; *old is the value it had.
/// @retval MASSTREE_NOT_FOUND   The key was not in the tree.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings, and old is not NULL.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
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

/// Writes the 8 bytes under which the _u64 functions store `key`, most
/// significant first: for scan bounds, and to mix integer and byte keys.
///
/// @param key    The integer key.
/// @param bytes  Where the 8 bytes are stored; NULL does nothing.
///
/// Thread safety: any thread, any time. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_u64_to_key(key: u64, bytes: *mut u8) {
    if !bytes.is_null() {
        // SAFETY: not NULL; room for eight bytes by contract.
        unsafe { bytes.cast::<[u8; 8]>().write(key.to_be_bytes()) };
    }
}

/// Reads back an integer key that a scan handed to its visitor.
///
/// @param key      The key's bytes.
/// @param key_len  Their number.
/// @param value    Where the integer is stored; NULL: not wanted.
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
