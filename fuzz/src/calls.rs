//! Operations on one key, for either kind of values: words directly, or numbers encoded as
//! byte strings. Keys of eight bytes are passed as integers every other time.
//!
//! All calls rely on this: the tree of a session lives as long as the session, and its guard
//! is NULL or a guard of that tree that this thread uses.

use std::ffi::c_void;

use masstree::ffi::handle::GuardHandle;
use masstree::ffi::handle::TreeHandle;
use masstree::ffi::index::bytes::*;
use masstree::ffi::index::bytes_write::*;
use masstree::ffi::index::get::*;
use masstree::ffi::index::get_or_insert::*;
use masstree::ffi::index::point::*;
use masstree::ffi::index::update::*;

use crate::points::{Asked, decide, make, untouched};
use crate::session::{Given, Session};
use crate::values::{UNTOUCHED, encoded, slice_of};

/// An output, or NULL if it is not wanted.
pub(crate) fn wanted<T>(out: &mut T, want: bool) -> *mut T {
    if want { out } else { std::ptr::null_mut() }
}

type Tree = *mut TreeHandle;
type Guard = *mut GuardHandle;
type Bytes = *const c_void;

/// One operation that stores a value and returns another: for byte strings, for words, and
/// for words under integer keys.
struct Storing {
    bytes: unsafe extern "C" fn(Tree, Guard, Bytes, usize, Bytes, usize, *mut Slice) -> i32,
    word: unsafe extern "C" fn(Tree, Guard, Bytes, usize, u64, *mut u64) -> i32,
    integer: unsafe extern "C" fn(Tree, Guard, u64, u64, *mut u64) -> i32,
}

/// One operation that calls back, for keys of any length and for integers.
struct Calling<F> {
    word: unsafe extern "C" fn(Tree, Guard, Bytes, usize, F, *mut c_void, *mut u64) -> i32,
    integer: unsafe extern "C" fn(Tree, Guard, u64, F, *mut c_void, *mut u64) -> i32,
}

impl Session<'_> {
    pub(crate) fn integer(&self, key: &[u8]) -> Option<u64> {
        let bytes: [u8; 8] = key.try_into().ok()?;
        self.calls
            .is_multiple_of(2)
            .then(|| u64::from_be_bytes(bytes))
    }

    pub(crate) fn call_contains(&self, key: &[u8]) -> i32 {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        // SAFETY: the key is readable.
        unsafe {
            match self.integer(key) {
                Some(key) => masstree_contains_u64(tree, guard, key),
                None => masstree_contains(tree, guard, k.data, k.len),
            }
        }
    }

    pub(crate) fn call_get(&mut self, key: &[u8]) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        if !self.holds_bytes() {
            let mut word = UNTOUCHED;
            // SAFETY: the key is readable, the output writable.
            let status = unsafe {
                match self.integer(key) {
                    Some(key) => masstree_get_u64(tree, guard, key, &mut word),
                    None => masstree_get(tree, guard, k.data, k.len, &mut word),
                }
            };
            return Self::word(status, word);
        }
        if guard.is_null() {
            return self.call_get_copy(key);
        }
        let mut slice = untouched();
        // SAFETY: as above; the slice is read under the guard only.
        let status = unsafe { masstree_get_bytes(tree, guard, k.data, k.len, &mut slice) };
        self.slice(status, slice)
    }

    /// Requests the length first, then the bytes.
    fn call_get_copy(&mut self, key: &[u8]) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        let mut buffer = [0u8; 512];
        let mut len = usize::MAX;
        let mut copy = |room: usize| {
            let buffer = buffer.as_mut_ptr().cast();
            // SAFETY: the key is readable, and the buffer has the capacity passed.
            unsafe { masstree_copy_bytes(tree, guard, k.data, k.len, buffer, room, &mut len) }
        };
        copy(0);
        let status = copy(512);
        let value = (len != usize::MAX).then(|| crate::values::decoded(&buffer[..len]));
        Given { status, value }
    }

    pub(crate) fn call_put(&self, key: &[u8], value: u64) -> i32 {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        if self.holds_bytes() {
            let bytes = encoded(value);
            let v = slice_of(&bytes);
            // SAFETY: key and value are readable.
            return unsafe { masstree_put_bytes(tree, guard, k.data, k.len, v.data, v.len) };
        }
        // SAFETY: the key is readable.
        unsafe {
            match self.integer(key) {
                Some(key) => masstree_put_u64(tree, guard, key, value),
                None => masstree_put(tree, guard, k.data, k.len, value),
            }
        }
    }

    pub(crate) fn call_exchange(&mut self, key: &[u8], value: u64, want: bool) -> Given {
        let calls = Storing {
            bytes: masstree_exchange_bytes,
            word: masstree_exchange,
            integer: masstree_exchange_u64,
        };
        self.call_storing(&calls, key, value, want)
    }

    pub(crate) fn call_insert(&mut self, key: &[u8], value: u64, want: bool) -> Given {
        let calls = Storing {
            bytes: masstree_insert_bytes,
            word: masstree_insert,
            integer: masstree_insert_u64,
        };
        self.call_storing(&calls, key, value, want)
    }

    pub(crate) fn call_replace(&mut self, key: &[u8], value: u64, want: bool) -> Given {
        let calls = Storing {
            bytes: masstree_replace_bytes,
            word: masstree_replace,
            integer: masstree_replace_u64,
        };
        self.call_storing(&calls, key, value, want)
    }

    fn call_storing(&mut self, calls: &Storing, key: &[u8], value: u64, want: bool) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        if self.holds_bytes() {
            let (bytes, mut old) = (encoded(value), untouched());
            let (v, out) = (slice_of(&bytes), wanted(&mut old, want));
            // SAFETY: key and value are readable, the output writable or NULL.
            let status = unsafe { (calls.bytes)(tree, guard, k.data, k.len, v.data, v.len, out) };
            return self.slice(status, old);
        }
        let mut old = UNTOUCHED;
        let out = wanted(&mut old, want);
        // SAFETY: as above.
        let status = unsafe {
            match self.integer(key) {
                Some(key) => (calls.integer)(tree, guard, key, value, out),
                None => (calls.word)(tree, guard, k.data, k.len, value, out),
            }
        };
        Self::word(status, old)
    }

    pub(crate) fn call_remove(&mut self, key: &[u8], want: bool) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        if self.holds_bytes() {
            let mut old = untouched();
            let out = wanted(&mut old, want);
            // SAFETY: as in `call_storing`.
            let status = unsafe { masstree_remove_bytes(tree, guard, k.data, k.len, out) };
            return self.slice(status, old);
        }
        let mut old = UNTOUCHED;
        let out = wanted(&mut old, want);
        // SAFETY: as in `call_storing`.
        let status = unsafe {
            match self.integer(key) {
                Some(key) => masstree_remove_u64(tree, guard, key, out),
                None => masstree_remove(tree, guard, k.data, k.len, out),
            }
        };
        Self::word(status, old)
    }

    pub(crate) fn call_compare_exchange(
        &mut self,
        key: &[u8],
        expected: u64,
        desired: u64,
        want: bool,
    ) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        if self.holds_bytes() {
            let (expected, desired, mut old) = (encoded(expected), encoded(desired), untouched());
            let (e, d) = (slice_of(&expected), slice_of(&desired));
            let out = wanted(&mut old, want);
            // SAFETY: as in `call_storing`.
            let status =
                unsafe { masstree_compare_exchange_bytes(tree, guard, k.data, k.len, e, d, out) };
            return self.slice(status, old);
        }
        let mut old = UNTOUCHED;
        let out = wanted(&mut old, want);
        // SAFETY: as in `call_storing`.
        let status = unsafe {
            match self.integer(key) {
                Some(key) => {
                    masstree_compare_exchange_u64(tree, guard, key, expected, desired, out)
                }
                None => {
                    masstree_compare_exchange(tree, guard, k.data, k.len, expected, desired, out)
                }
            }
        };
        Self::word(status, old)
    }

    pub(crate) fn call_remove_if_equal(&mut self, key: &[u8], expected: u64, want: bool) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        if self.holds_bytes() {
            let (bytes, mut old) = (encoded(expected), untouched());
            let (e, out) = (slice_of(&bytes), wanted(&mut old, want));
            // SAFETY: as in `call_storing`.
            let status =
                unsafe { masstree_remove_if_equal_bytes(tree, guard, k.data, k.len, e, out) };
            return self.slice(status, old);
        }
        let mut old = UNTOUCHED;
        let out = wanted(&mut old, want);
        // SAFETY: as in `call_storing`.
        let status = unsafe {
            match self.integer(key) {
                Some(key) => masstree_remove_if_equal_u64(tree, guard, key, expected, out),
                None => masstree_remove_if_equal(tree, guard, k.data, k.len, expected, out),
            }
        };
        Self::word(status, old)
    }

    pub(crate) fn call_update(&mut self, key: &[u8], asked: &mut Asked, want: bool) -> Given {
        let calls = Calling {
            word: masstree_update,
            integer: masstree_update_u64,
        };
        // SAFETY: the context is the one that `decide` expects.
        unsafe { self.call_calling(&calls, key, Some(decide), asked, want) }
    }

    pub(crate) fn call_get_or_insert_with(
        &mut self,
        key: &[u8],
        asked: &mut Asked,
        want: bool,
    ) -> Given {
        let calls = Calling {
            word: masstree_get_or_insert_with,
            integer: masstree_get_or_insert_with_u64,
        };
        // SAFETY: the context is the one that `make` expects.
        unsafe { self.call_calling(&calls, key, Some(make), asked, want) }
    }

    /// # Safety
    /// The callback takes an [`Asked`].
    unsafe fn call_calling<F>(
        &mut self,
        calls: &Calling<F>,
        key: &[u8],
        callback: F,
        asked: &mut Asked,
        want: bool,
    ) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        let ctx = std::ptr::from_mut(asked).cast();
        let mut value = UNTOUCHED;
        let out = wanted(&mut value, want);
        // SAFETY: as in `call_storing`; the callback gets the context that it expects.
        let status = unsafe {
            match self.integer(key) {
                Some(key) => (calls.integer)(tree, guard, key, callback, ctx, out),
                None => (calls.word)(tree, guard, k.data, k.len, callback, ctx, out),
            }
        };
        Self::word(status, value)
    }
}
