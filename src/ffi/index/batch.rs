//! # Many keys at once
//!
//! Many look-ups in one call, and what all batches have in common.

use std::ffi::c_void;

use super::bytes::Slice;
use crate::ffi::boundary::{For, entry, found, give, key_bytes, on_tree};
use crate::ffi::handle::GuardHandle;
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;
use crate::index::key::Key;
use crate::index::reclaim::Pinned;
use crate::index::tree::{PREFETCH_WINDOW, Tree};

/// The keys of a batch.
#[derive(Clone, Copy)]
pub(in crate::ffi) enum Keys {
    Slices(*const Slice),
    /// Integers, so many bytes apart.
    Integers(*const u8, usize),
}

/// The bytes of a key: another's, or an integer's.
pub(in crate::ffi) enum KeyBytes<'k> {
    There(&'k [u8]),
    Made([u8; 8]),
}

impl KeyBytes<'_> {
    pub(in crate::ffi) fn bytes(&self) -> &[u8] {
        match self {
            Self::There(bytes) => bytes,
            Self::Made(bytes) => bytes,
        }
    }
}

impl Keys {
    /// Refuses what cannot be so many keys.
    pub(in crate::ffi) fn checked(self, count: usize) -> Result<Self, i32> {
        let fits = match self {
            Self::Slices(slices) => count == 0 || !slices.is_null(),
            Self::Integers(first, stride) => {
                (count == 0 || !first.is_null()) && stride >= size_of::<u64>()
            }
        };
        if fits {
            Ok(self)
        } else {
            Err(MASSTREE_INVALID)
        }
    }

    /// # Safety
    /// There is a key at this place, readable for `'k`.
    pub(in crate::ffi) unsafe fn at<'k>(self, place: usize) -> Result<KeyBytes<'k>, i32> {
        // SAFETY: by contract.
        unsafe {
            match self {
                Self::Slices(slices) => {
                    let Slice { data, len } = slices.add(place).read();
                    Ok(KeyBytes::There(key_bytes(data, len)?))
                }
                Self::Integers(first, stride) => {
                    let key = first.add(place * stride).cast::<u64>().read_unaligned();
                    Ok(KeyBytes::Made(key.to_be_bytes()))
                }
            }
        }
    }

    /// The key at a place, as descents take it.
    ///
    /// # Safety
    /// As `at`.
    #[inline]
    pub(in crate::ffi) unsafe fn key<'k>(self, place: usize) -> Result<Key<'k>, i32> {
        // SAFETY: by contract.
        unsafe {
            match self {
                Self::Slices(slices) => {
                    let Slice { data, len } = slices.add(place).read();
                    Ok(Key::new(key_bytes(data, len)?))
                }
                Self::Integers(first, stride) => {
                    let key = first.add(place * stride).cast::<u64>();
                    Ok(Key::of_integer(key.read_unaligned()))
                }
            }
        }
    }

    /// Answers for those of `count` keys that are none. Gives the first status.
    ///
    /// # Safety
    /// There are so many keys.
    unsafe fn refuse(self, count: usize, mut answer: impl FnMut(usize, i32)) -> i32 {
        let mut first_error = MASSTREE_OK;
        if let Self::Slices(_) = self {
            for place in 0..count {
                // SAFETY: by contract.
                let Err(status) = (unsafe { self.key(place) }) else {
                    continue;
                };
                answer(place, status);
                if first_error == MASSTREE_OK {
                    first_error = status;
                }
            }
        }
        first_error
    }
}

/// What a batch is done with, and where the items' statuses go.
pub(in crate::ffi) struct Batch {
    pub(in crate::ffi) tree: *const TreeHandle,
    pub(in crate::ffi) guard: *mut GuardHandle,
    pub(in crate::ffi) values: For,
    pub(in crate::ffi) keys: Keys,
    pub(in crate::ffi) count: usize,
    pub(in crate::ffi) statuses: *mut i32,
}

impl Batch {
    pub(in crate::ffi) fn new(
        tree: *const TreeHandle,
        guard: *mut GuardHandle,
        values: For,
        keys: Keys,
        count: usize,
        statuses: *mut i32,
    ) -> Self {
        Self {
            tree,
            guard,
            values,
            keys,
            count,
            statuses,
        }
    }
}

/// Does each item in order. Gives the first error among them.
///
/// # Safety
/// Tree, guard, keys and statuses are as the functions below say.
pub(in crate::ffi) unsafe fn each(
    batch: Batch,
    mut item: impl FnMut(&Tree, Pinned<'_>, &[u8], usize) -> Result<i32, i32>,
) -> i32 {
    entry(|| {
        let keys = batch.keys.checked(batch.count)?;
        // SAFETY: by contract.
        unsafe {
            on_tree(batch.tree, batch.guard, batch.values, |tree, pin| {
                let mut first_error = MASSTREE_OK;
                for place in 0..batch.count {
                    if place.is_multiple_of(PREFETCH_WINDOW) {
                        let window = PREFETCH_WINDOW.min(batch.count - place);
                        tree.prefetch_for_writes(pin, window, |i| keys.key(place + i).ok());
                    }
                    let status = entry(|| {
                        let key = keys.at(place)?;
                        item(tree, pin, key.bytes(), place)
                    });
                    if !batch.statuses.is_null() {
                        batch.statuses.add(place).write(status);
                    }
                    if status < 0 && first_error == MASSTREE_OK {
                        first_error = status;
                    }
                }
                Ok(first_error)
            })
        }
    })
}

/// The place of an item in an array that may not be wanted.
pub(in crate::ffi) fn place_in<T>(array: *mut T, place: usize) -> *mut T {
    if array.is_null() {
        return array;
    }
    array.wrapping_add(place)
}

/// Looks the keys up, a group at a time; `store` gets the places and values of those that
/// are there.
///
/// # Safety
/// As `masstree_get_many`; `store` may be called for each place.
unsafe fn get_many(batch: Batch, mut store: impl FnMut(&Tree, Pinned<'_>, usize, u64)) -> i32 {
    entry(|| {
        let keys = batch.keys.checked(batch.count)?;
        // SAFETY: by contract.
        unsafe {
            on_tree(batch.tree, batch.guard, batch.values, |tree, pin| {
                let answer = |place: usize, status: i32| {
                    if !batch.statuses.is_null() {
                        batch.statuses.add(place).write(status);
                    }
                };
                let first_error = keys.refuse(batch.count, answer);
                let key_at = |place| keys.key(place).ok();
                tree.get_each(pin, batch.count, key_at, |place, value| {
                    answer(place, found(value.is_some()));
                    if let Some(value) = value {
                        store(tree, pin, place, value);
                    }
                });
                Ok(first_error)
            })
        }
    })
}

/// Stores words where they are wanted.
///
/// # Safety
/// `values` is NULL or has room for all.
unsafe fn to_words(values: *mut u64) -> impl FnMut(&Tree, Pinned<'_>, usize, u64) {
    move |_, _, place, word| {
        // SAFETY: by contract.
        unsafe { give(place_in(values, place), word) }
    }
}

/// Looks several keys up.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL to be pinned for this call.
/// @param keys      count keys, as masstree_get takes them; NULL only if count is 0.
/// @param count     How many keys.
/// @param values    Where the values are stored, each at its key's place; those of keys
///                  that are not found are not written. NULL: not wanted.
/// @param statuses  Where what masstree_get would answer is stored for each key. NULL:
///                  not wanted.
///
/// @retval MASSTREE_OK            Every key was looked up; its status says whether it was
///                                found.
/// @retval MASSTREE_INVALID       tree is NULL, or keys is NULL with a count: nothing
///                                was done, and no status is stored. Or a key is NULL
///                                with a length; the others were looked up.
/// @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; the others were looked
///                                up.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings; nothing was done.
/// @retval MASSTREE_FORKED        The tree was made before a fork; nothing was done.
///
/// Thread safety: any thread; takes no lock. Each look-up is atomic, the batch is not.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_many(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    keys: *const Slice,
    count: usize,
    values: *mut u64,
    statuses: *mut i32,
) -> i32 {
    let batch = Batch::new(tree, guard, For::Words, Keys::Slices(keys), count, statuses);
    // SAFETY: as this function's contract.
    unsafe { get_many(batch, to_words(values)) }
}

/// masstree_get_many for integer keys (see masstree_get_u64).
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL to be pinned for this call.
/// @param keys      The first key, a uint64_t, at any alignment; NULL only if count is 0.
/// @param stride    Bytes from one key to the next, at least 8: the size of what they
///                  are part of.
/// @param count     How many keys.
/// @param values    As in masstree_get_many.
/// @param statuses  As in masstree_get_many.
///
/// @retval MASSTREE_OK          Every key was looked up; its status says whether it was
///                              found.
/// @retval MASSTREE_INVALID     tree is NULL, keys is NULL with a count, or stride is
///                              below 8; nothing was done.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings; nothing was done.
/// @retval MASSTREE_FORKED      The tree was made before a fork; nothing was done.
///
/// Thread safety: any thread; takes no lock. Each look-up is atomic, the batch is not.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_many_u64(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    keys: *const c_void,
    stride: usize,
    count: usize,
    values: *mut u64,
    statuses: *mut i32,
) -> i32 {
    let batch = Batch::new(
        tree,
        guard,
        For::Words,
        Keys::Integers(keys.cast(), stride),
        count,
        statuses,
    );
    // SAFETY: as this function's contract.
    unsafe { get_many(batch, to_words(values)) }
}

/// masstree_get_many for a tree of byte strings.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree; not NULL, for the values stay readable only
///                  while it is held.
/// @param keys      As in masstree_get_many.
/// @param count     How many keys.
/// @param values    Where the values are stored, as masstree_get_bytes gives them; those
///                  of keys that are not found are not written. NULL: not wanted.
/// @param statuses  As in masstree_get_many.
///
/// @retval MASSTREE_OK            Every key was looked up; its status says whether it was
///                                found.
/// @retval MASSTREE_INVALID       tree or guard is NULL, or keys is NULL with a count:
///                                nothing was done, and no status is stored. Or a key is
///                                NULL with a length; the others were looked up.
/// @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; the others were looked
///                                up.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND    The tree holds words; nothing was done.
/// @retval MASSTREE_FORKED        The tree was made before a fork; nothing was done.
///
/// Thread safety: any thread; takes no lock. Each look-up is atomic, the batch is not.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_many_bytes(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    keys: *const Slice,
    count: usize,
    values: *mut Slice,
    statuses: *mut i32,
) -> i32 {
    if guard.is_null() {
        return MASSTREE_INVALID;
    }
    let batch = Batch::new(tree, guard, For::Bytes, Keys::Slices(keys), count, statuses);
    // SAFETY: as this function's contract.
    unsafe {
        get_many(batch, |tree, pin, place, word| {
            give(place_in(values, place), Slice::of(tree.bytes_of(pin, word)));
        })
    }
}
