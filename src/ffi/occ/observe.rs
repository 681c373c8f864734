//! # Observations
//!
//! Observations of leaves, for transactions to validate.

use std::ffi::c_void;
use std::ptr::NonNull;

use crate::ffi::boundary::{
    ValueKind, found_status, get_unguarded, key_bytes, lookup_status, on_key, under_guard,
    write_output,
};
use crate::ffi::handle::{self, GuardHandle, TreeHandle};
use crate::ffi::index::bytes::{Slice, write_slice};
use crate::ffi::status::*;
use crate::index::key::SLICE_LEN;
use crate::index::node::Observation;
use crate::index::reclaim::Slot;

/// The state of a leaf when it was read: it identifies the keys that the leaf contained, and so
/// the keys that it did not contain.
///
/// As long as masstree_validate finds the leaf unchanged, no key was inserted into, or removed
/// from, the range of keys that the leaf covers, and every key and gap read in the leaf is as
/// it was. Values may have been overwritten: that does not change an observation.
///
/// An observation is plain data. It may be copied, stored, and validated at any time while the
/// tree exists, also after the guard was refreshed or left; validating it never accesses freed
/// memory. It is meaningless for another tree.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LeafObservation {
    /// The leaf's id: never 0, a multiple of 64. Ids are reused, pairs of an id and a version
    /// are not.
    pub leaf: u64,
    /// The leaf's version; compare it for equality only, it is not a counter. Every insert and
    /// every remove of a key changes it, and so do a split and the removal of the leaf.
    /// Overwriting a value does not change it, and neither does locking the leaf. No leaf with
    /// the same id ever had this version before or will have it again.
    pub version: u64,
    /// How often the tree had been cleared (masstree_clear). Clearing invalidates all
    /// observations.
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

/// Like masstree_get; also returns an observation of the leaf that proves the result.
///
/// @param tree         The tree.
/// @param guard        A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key          key_len bytes; NULL only if key_len is 0.
/// @param key_len      Length of the key in bytes, at most 2^32 - 1.
/// @param value        Receives the value. May be NULL.
/// @param observation  Receives an observation of the leaf that contains the key or, with
///                     MASSTREE_NOT_FOUND, would contain it. May be NULL.
///
/// @retval MASSTREE_OK            Found; *value is the key's value.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree, and no thread has inserted it as
///                                long as *observation is valid.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
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

/// Does the work of `masstree_get_observed`. Inlined into both callers: for integers, the length of
/// the key is then a constant.
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
    // SAFETY: as this function's contract.
    unsafe {
        let Some(slot) = handle::slot(guard) else {
            return get_without_guard(tree, key, key_len, value, observation);
        };
        if !key.is_null() && key_len <= SLICE_LEN {
            let key = std::slice::from_raw_parts(key.cast(), key_len);
            match get_at_once(tree, slot, key, value, observation) {
                Ok(Some(status)) | Err(status) => return status,
                Ok(None) => {}
            }
        }
        get_under_guard(tree, slot, key, key_len, value, observation)
            .unwrap_or_else(|status| status)
    }
}

/// Looks up a key of at most eight bytes; returns `None` if a writer interferes.
///
/// # Safety
/// As `masstree_get_observed`.
// inline(always): see `Tree::find_undisturbed`.
#[inline(always)]
unsafe fn get_at_once(
    tree: *const TreeHandle,
    slot: NonNull<Slot>,
    key: &[u8],
    value: *mut u64,
    observation: *mut LeafObservation,
) -> Result<Option<i32>, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        let (tree, pin) = under_guard(tree, slot, ValueKind::Words)?;
        let Some((word, leaf)) = tree.get_observed_at_once(pin, key) else {
            return Ok(None);
        };
        write_output(observation, LeafObservation::of(&leaf));
        lookup_status(word, value).map(Some)
    }
}

/// # Safety
/// As `masstree_get_observed`.
#[inline(never)]
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
    // SAFETY: as this function's contract.
    unsafe {
        match get_unguarded(tree, key, key_len) {
            Ok(Some((word, leaf))) => {
                write_output(observation, LeafObservation::of(&leaf));
                lookup_status(word, value).unwrap_or_else(|status| status)
            }
            Ok(None) => get_pinned(tree, key, key_len, value, observation),
            Err(status) => status,
        }
    }
}

/// Completes a look-up for which [`Tree::get_unguarded`] does not suffice.
///
/// # Safety
/// As `masstree_get_observed`.
#[inline(never)]
unsafe fn get_pinned(
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

/// Like masstree_get_observed, for an integer key (see masstree_get_u64).
///
/// @param tree         The tree.
/// @param guard        A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key          The key.
/// @param value        As in masstree_get_observed.
/// @param observation  As in masstree_get_observed.
///
/// @retval MASSTREE_OK          Found; *value is the key's value.
/// @retval MASSTREE_NOT_FOUND   The key is not in the tree, and no thread has inserted it as
///                              long as *observation is valid.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
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

/// Like masstree_get_bytes; also returns an observation of the leaf that proves the result.
///
/// @param tree         The tree.
/// @param guard        A guard of this tree; not NULL.
/// @param key          key_len bytes; NULL only if key_len is 0.
/// @param key_len      Length of the key in bytes, at most 2^32 - 1.
/// @param value        As in masstree_get_bytes.
/// @param observation  As in masstree_get_observed.
///
/// @retval MASSTREE_OK            Found; *value is the key's value.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree, and no thread has inserted it as
///                                long as *observation is valid.
/// @retval MASSTREE_INVALID       tree or guard is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
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

/// Returns the number of entries of the leaf that contains a key or would contain it. Entries
/// are keys, and links to lower layers (of keys that share 8 more bytes). At most 15.
///
/// @param tree         The tree, of words or byte strings.
/// @param guard        A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key          key_len bytes; NULL only if key_len is 0.
/// @param key_len      Length of the key in bytes, at most 2^32 - 1.
/// @param size         Receives the number of entries; not NULL.
/// @param observation  Receives an observation of the leaf; as long as it is valid, the leaf
///                     has that many entries. May be NULL.
///
/// @retval MASSTREE_OK            *size and *observation describe the leaf at the same moment.
/// @retval MASSTREE_INVALID       tree or size is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
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
