//! The keys, statuses and loop of functions for many keys.

use std::ops::Range;

use super::bytes::Slice;
use crate::ffi::boundary::{ValueKind, key_bytes, on_tree, status_of};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::key::{Key, SLICE_LEN};
use crate::index::reclaim::Pinned;
use crate::index::tree::{PREFETCH_WINDOW, ShortKey, Tree};

/// Keys in a part. The short path is taken if all of them have at most eight bytes.
const PART: usize = 512;

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

    /// Whether the keys of a part are well-formed and short: at most eight bytes.
    ///
    /// # Safety
    /// There are as many keys.
    #[inline]
    unsafe fn are_short(self, part: &Range<usize>) -> bool {
        match self {
            Self::Integers(..) => true,
            Self::Slices(slices) => part.clone().all(|index| {
                // SAFETY: by contract.
                let Slice { data, len } = unsafe { slices.add(index).read() };
                len == 0 || (len <= SLICE_LEN && !data.is_null())
            }),
        }
    }

    /// Returns the key at an index.
    ///
    /// # Safety
    /// As `at`; the key is short.
    #[inline]
    unsafe fn short_key(self, index: usize) -> ShortKey {
        // SAFETY: by contract.
        unsafe {
            match self {
                Self::Slices(slices) => {
                    let Slice { data, len } = slices.add(index).read();
                    ShortKey::of_bytes(key_bytes(data, len).unwrap_or(&[]))
                }
                Self::Integers(first, stride) => {
                    let key = first.add(index * stride).cast::<u64>();
                    ShortKey::of_integer(key.read_unaligned())
                }
            }
        }
    }
}

/// A part of a batch.
pub(in crate::ffi) struct Part {
    keys: Keys,
    range: Range<usize>,
    /// Whether all keys are well-formed and short.
    is_short: bool,
}

impl Part {
    pub(in crate::ffi) fn is_short(&self) -> bool {
        self.is_short
    }

    pub(in crate::ffi) fn count(&self) -> usize {
        self.range.len()
    }

    /// The index in the batch of a key of this part.
    #[inline]
    pub(in crate::ffi) fn index(&self, index: usize) -> usize {
        self.range.start + index
    }

    /// Returns a key of this part, which is short.
    #[inline]
    pub(in crate::ffi) fn short_key(&self, index: usize) -> ShortKey {
        debug_assert!(self.is_short && index < self.range.len());
        // SAFETY: `each_part` was called with the keys of a batch, and made the part of them.
        unsafe { self.keys.short_key(self.index(index)) }
    }

    /// Returns a key of this part.
    pub(in crate::ffi) fn key(&self, index: usize) -> Result<Key<'_>, i32> {
        debug_assert!(index < self.range.len());
        // SAFETY: as in `short_key`.
        unsafe { self.keys.key(self.index(index)) }
    }

    /// Reports the status of each key that is malformed.
    pub(in crate::ffi) fn report_malformed(&self, report: &mut Report) {
        for index in 0..self.count() {
            if let Err(status) = self.key(index) {
                report.status(self.index(index), status);
            }
        }
    }

    /// Calls `item` for each key in order, after the nodes that it will touch were prefetched.
    pub(in crate::ffi) fn each(
        &self,
        tree: &Tree,
        pin: Pinned<'_>,
        report: &mut Report,
        mut item: impl FnMut(&[u8], usize) -> Result<i32, i32>,
    ) {
        for first in (0..self.count()).step_by(PREFETCH_WINDOW) {
            let window = first..self.count().min(first + PREFETCH_WINDOW);
            tree.prefetch_for_writes(pin, window.len(), |i| self.key(first + i).ok());
            for index in window.map(|index| self.index(index)) {
                let status = status_of(|| {
                    // SAFETY: as in `short_key`.
                    let key = unsafe { self.keys.at(index) }?;
                    item(key.bytes(), index)
                });
                report.status(index, status);
            }
        }
    }
}

/// Receives the statuses of a batch.
pub(in crate::ffi) struct Report {
    statuses: *mut i32,
    first_error: i32,
}

impl Report {
    /// Stores the status of the key at an index.
    #[inline]
    pub(in crate::ffi) fn status(&mut self, index: usize, status: i32) {
        if !self.statuses.is_null() {
            // SAFETY: there are as many statuses as keys.
            unsafe { self.statuses.add(index).write(status) };
        }
        if status < 0 && self.first_error == MASSTREE_OK {
            self.first_error = status;
        }
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

/// Calls `each` for the parts of a batch, in order. Returns the first error.
///
/// # Safety
/// Tree, guard, keys and statuses are as `masstree_put_many` requires.
#[inline]
pub(in crate::ffi) unsafe fn each_part(
    batch: Batch,
    mut each: impl FnMut(&Tree, Pinned<'_>, &Part, &mut Report),
) -> i32 {
    status_of(|| {
        let keys = batch.keys.checked(batch.count)?;
        let mut report = Report {
            statuses: batch.statuses,
            first_error: MASSTREE_OK,
        };
        // SAFETY: by contract.
        unsafe {
            on_tree(batch.tree, batch.guard, batch.values, |tree, pin| {
                for first in (0..batch.count).step_by(PART) {
                    let range = first..batch.count.min(first + PART);
                    let is_short = keys.are_short(&range);
                    let part = Part {
                        keys,
                        range,
                        is_short,
                    };
                    each(tree, pin, &part, &mut report);
                }
                Ok(report.first_error)
            })
        }
    })
}

/// Writes the keys of a batch: `short` writes those of a part that are short, unless the writes are
/// recorded; `item` any other key, after the nodes that it will touch were prefetched. Returns the
/// first error.
///
/// # Safety
/// As `each_part`.
#[inline]
pub(in crate::ffi) unsafe fn write_each(
    batch: Batch,
    mut short: impl FnMut(&Tree, Pinned<'_>, &Part, &mut Report),
    mut item: impl FnMut(&Tree, Pinned<'_>, &[u8], usize) -> Result<i32, i32>,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        each_part(batch, |tree, pin, part, report| {
            if part.is_short() && pin.recorder().is_none() {
                short(tree, pin, part, report);
            } else {
                part.each(tree, pin, report, |key, index| item(tree, pin, key, index));
            }
        })
    }
}

/// Returns the address of an element; NULL if the array is NULL.
pub(in crate::ffi) fn item_ptr<T>(array: *mut T, index: usize) -> *mut T {
    if array.is_null() {
        return array;
    }
    array.wrapping_add(index)
}
