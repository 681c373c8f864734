//! The keys, statuses and loop of functions for many keys.

use super::bytes::Slice;
use crate::ffi::boundary::{ValueKind, key_bytes, on_tree, status_of};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::key::Key;
use crate::index::reclaim::Pinned;
use crate::index::tree::{PREFETCH_WINDOW, Tree};

/// The keys of a batch.
#[derive(Clone, Copy)]
pub(in crate::ffi) enum Keys {
    Slices(*const Slice),
    /// The first integer, and the distance in bytes from one to the next.
    Integers(*const u8, usize),
}

/// The bytes of a key: borrowed, or made of an integer.
pub(in crate::ffi) enum KeyBytes<'k> {
    Borrowed(&'k [u8]),
    Integer([u8; 8]),
}

impl KeyBytes<'_> {
    pub(in crate::ffi) fn bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Integer(bytes) => bytes,
        }
    }
}

impl Keys {
    /// Checks the arguments that describe `count` keys: the pointer and the stride.
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
    /// There is a key at this index, readable for `'k`.
    pub(in crate::ffi) unsafe fn at<'k>(self, index: usize) -> Result<KeyBytes<'k>, i32> {
        // SAFETY: by contract.
        unsafe {
            match self {
                Self::Slices(slices) => {
                    let Slice { data, len } = slices.add(index).read();
                    Ok(KeyBytes::Borrowed(key_bytes(data, len)?))
                }
                Self::Integers(first, stride) => {
                    let key = first.add(index * stride).cast::<u64>().read_unaligned();
                    Ok(KeyBytes::Integer(key.to_be_bytes()))
                }
            }
        }
    }

    /// Returns the key at an index in the form that descents use.
    ///
    /// # Safety
    /// As `at`.
    #[inline]
    pub(in crate::ffi) unsafe fn key<'k>(self, index: usize) -> Result<Key<'k>, i32> {
        // SAFETY: by contract.
        unsafe {
            match self {
                Self::Slices(slices) => {
                    let Slice { data, len } = slices.add(index).read();
                    Ok(Key::new(key_bytes(data, len)?))
                }
                Self::Integers(first, stride) => {
                    let key = first.add(index * stride).cast::<u64>();
                    Ok(Key::of_integer(key.read_unaligned()))
                }
            }
        }
    }

    /// Reports the status of each of the `count` keys that is malformed. Returns the first of
    /// these statuses.
    ///
    /// # Safety
    /// There are `count` keys.
    pub(in crate::ffi) unsafe fn report_malformed(
        self,
        count: usize,
        mut report: impl FnMut(usize, i32),
    ) -> i32 {
        let mut first_error = MASSTREE_OK;
        if let Self::Slices(_) = self {
            for index in 0..count {
                // SAFETY: by contract.
                let Err(status) = (unsafe { self.key(index) }) else {
                    continue;
                };
                report(index, status);
                if first_error == MASSTREE_OK {
                    first_error = status;
                }
            }
        }
        first_error
    }
}

/// The arguments that all functions for many keys share.
pub(in crate::ffi) struct Batch {
    pub(in crate::ffi) tree: *const TreeHandle,
    pub(in crate::ffi) guard: *mut GuardHandle,
    pub(in crate::ffi) values: ValueKind,
    pub(in crate::ffi) keys: Keys,
    pub(in crate::ffi) count: usize,
    pub(in crate::ffi) statuses: *mut i32,
}

impl Batch {
    pub(in crate::ffi) fn new(
        tree: *const TreeHandle,
        guard: *mut GuardHandle,
        values: ValueKind,
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

/// Calls `item` for each key in order. Returns the first error.
///
/// # Safety
/// Tree, guard, keys and statuses are as `masstree_put_many` requires.
pub(in crate::ffi) unsafe fn each(
    batch: Batch,
    mut item: impl FnMut(&Tree, Pinned<'_>, &[u8], usize) -> Result<i32, i32>,
) -> i32 {
    status_of(|| {
        let keys = batch.keys.checked(batch.count)?;
        // SAFETY: by contract.
        unsafe {
            on_tree(batch.tree, batch.guard, batch.values, |tree, pin| {
                let mut first_error = MASSTREE_OK;
                for index in 0..batch.count {
                    if index.is_multiple_of(PREFETCH_WINDOW) {
                        let window = PREFETCH_WINDOW.min(batch.count - index);
                        tree.prefetch_for_writes(pin, window, |i| keys.key(index + i).ok());
                    }
                    let status = status_of(|| {
                        let key = keys.at(index)?;
                        item(tree, pin, key.bytes(), index)
                    });
                    if !batch.statuses.is_null() {
                        batch.statuses.add(index).write(status);
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

/// Returns the address of an element; NULL if the array is NULL.
pub(in crate::ffi) fn item_ptr<T>(array: *mut T, index: usize) -> *mut T {
    if array.is_null() {
        return array;
    }
    array.wrapping_add(index)
}
