//! The calls of operations on one key, for whichever values the tree holds: words
//! directly, numbers as byte strings otherwise. Keys of eight bytes go as integers every
//! other time.

use masstree::ffi::bytes::*;
use masstree::ffi::bytes_conditional::*;
use masstree::ffi::get::*;
use masstree::ffi::get_or_insert::*;
use masstree::ffi::point::*;
use masstree::ffi::update::*;

use crate::points::{Asked, decide, make, untouched};
use crate::session::{Given, Session};
use crate::values::{UNTOUCHED, encoded, slice_of};

/// An output, or NULL where it is not wanted.
fn wanted<T>(out: &mut T, want: bool) -> *mut T {
    if want { out } else { std::ptr::null_mut() }
}

// All of the calls below are sound alike: the tree lives, the guard is NULL or this
// session's, keys and values are readable, outputs writable or NULL.
#[allow(
    clippy::undocumented_unsafe_blocks,
    reason = "one reason for all, above"
)]
impl Session<'_> {
    fn integer(&self, key: &[u8]) -> Option<u64> {
        let bytes: [u8; 8] = key.try_into().ok()?;
        self.calls
            .is_multiple_of(2)
            .then(|| u64::from_be_bytes(bytes))
    }

    pub(crate) fn call_contains(&self, key: &[u8]) -> i32 {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        match self.integer(key) {
            Some(key) => unsafe { masstree_contains_u64(tree, guard, key) },
            None => unsafe { masstree_contains(tree, guard, k.data, k.len) },
        }
    }

    pub(crate) fn call_get(&mut self, key: &[u8]) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        if !self.holds_bytes() {
            let mut word = UNTOUCHED;
            let status = match self.integer(key) {
                Some(key) => unsafe { masstree_get_u64(tree, guard, key, &mut word) },
                None => unsafe { masstree_get(tree, guard, k.data, k.len, &mut word) },
            };
            return Self::word(status, word);
        }
        if guard.is_null() {
            return self.call_get_copy(key);
        }
        let mut slice = untouched();
        let status = unsafe { masstree_get_bytes(tree, guard, k.data, k.len, &mut slice) };
        self.slice(status, slice)
    }

    /// Asks for the length first, then for all.
    fn call_get_copy(&mut self, key: &[u8]) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        let mut buffer = [0u8; 512];
        let mut len = usize::MAX;
        let mut copy = |room: usize| unsafe {
            let buffer = buffer.as_mut_ptr().cast();
            masstree_get_copy(tree, guard, k.data, k.len, buffer, room, &mut len)
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
            return unsafe { masstree_put_bytes(tree, guard, k.data, k.len, v.data, v.len) };
        }
        match self.integer(key) {
            Some(key) => unsafe { masstree_put_u64(tree, guard, key, value) },
            None => unsafe { masstree_put(tree, guard, k.data, k.len, value) },
        }
    }

    pub(crate) fn call_exchange(&mut self, key: &[u8], value: u64, want: bool) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        if self.holds_bytes() {
            let (bytes, mut old) = (encoded(value), untouched());
            let (v, out) = (slice_of(&bytes), wanted(&mut old, want));
            let status =
                unsafe { masstree_exchange_bytes(tree, guard, k.data, k.len, v.data, v.len, out) };
            return self.slice(status, old);
        }
        let mut old = UNTOUCHED;
        let out = wanted(&mut old, want);
        let status = match self.integer(key) {
            Some(key) => unsafe { masstree_exchange_u64(tree, guard, key, value, out) },
            None => unsafe { masstree_exchange(tree, guard, k.data, k.len, value, out) },
        };
        Self::word(status, old)
    }

    pub(crate) fn call_insert(&mut self, key: &[u8], value: u64, want: bool) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        if self.holds_bytes() {
            let (bytes, mut old) = (encoded(value), untouched());
            let (v, out) = (slice_of(&bytes), wanted(&mut old, want));
            let status =
                unsafe { masstree_insert_bytes(tree, guard, k.data, k.len, v.data, v.len, out) };
            return self.slice(status, old);
        }
        let mut old = UNTOUCHED;
        let out = wanted(&mut old, want);
        let status = match self.integer(key) {
            Some(key) => unsafe { masstree_insert_u64(tree, guard, key, value, out) },
            None => unsafe { masstree_insert(tree, guard, k.data, k.len, value, out) },
        };
        Self::word(status, old)
    }

    pub(crate) fn call_replace(&mut self, key: &[u8], value: u64, want: bool) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        if self.holds_bytes() {
            let (bytes, mut old) = (encoded(value), untouched());
            let (v, out) = (slice_of(&bytes), wanted(&mut old, want));
            let status =
                unsafe { masstree_replace_bytes(tree, guard, k.data, k.len, v.data, v.len, out) };
            return self.slice(status, old);
        }
        let mut old = UNTOUCHED;
        let out = wanted(&mut old, want);
        let status = match self.integer(key) {
            Some(key) => unsafe { masstree_replace_u64(tree, guard, key, value, out) },
            None => unsafe { masstree_replace(tree, guard, k.data, k.len, value, out) },
        };
        Self::word(status, old)
    }

    pub(crate) fn call_remove(&mut self, key: &[u8], want: bool) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        if self.holds_bytes() {
            let mut old = untouched();
            let out = wanted(&mut old, want);
            let status = unsafe { masstree_remove_bytes(tree, guard, k.data, k.len, out) };
            return self.slice(status, old);
        }
        let mut old = UNTOUCHED;
        let out = wanted(&mut old, want);
        let status = match self.integer(key) {
            Some(key) => unsafe { masstree_remove_u64(tree, guard, key, out) },
            None => unsafe { masstree_remove(tree, guard, k.data, k.len, out) },
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
            let status =
                unsafe { masstree_compare_exchange_bytes(tree, guard, k.data, k.len, e, d, out) };
            return self.slice(status, old);
        }
        let mut old = UNTOUCHED;
        let out = wanted(&mut old, want);
        let status = match self.integer(key) {
            Some(key) => unsafe {
                masstree_compare_exchange_u64(tree, guard, key, expected, desired, out)
            },
            None => unsafe {
                masstree_compare_exchange(tree, guard, k.data, k.len, expected, desired, out)
            },
        };
        Self::word(status, old)
    }

    pub(crate) fn call_remove_if_equal(&mut self, key: &[u8], expected: u64, want: bool) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        if self.holds_bytes() {
            let (bytes, mut old) = (encoded(expected), untouched());
            let (e, out) = (slice_of(&bytes), wanted(&mut old, want));
            let status =
                unsafe { masstree_remove_if_equal_bytes(tree, guard, k.data, k.len, e, out) };
            return self.slice(status, old);
        }
        let mut old = UNTOUCHED;
        let out = wanted(&mut old, want);
        let status = match self.integer(key) {
            Some(key) => unsafe { masstree_remove_if_equal_u64(tree, guard, key, expected, out) },
            None => unsafe { masstree_remove_if_equal(tree, guard, k.data, k.len, expected, out) },
        };
        Self::word(status, old)
    }

    pub(crate) fn call_update(&mut self, key: &[u8], asked: &mut Asked, want: bool) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        let ctx = std::ptr::from_mut(asked).cast();
        let mut old = UNTOUCHED;
        let out = wanted(&mut old, want);
        let status = match self.integer(key) {
            Some(key) => unsafe { masstree_update_u64(tree, guard, key, Some(decide), ctx, out) },
            None => unsafe { masstree_update(tree, guard, k.data, k.len, Some(decide), ctx, out) },
        };
        Self::word(status, old)
    }

    pub(crate) fn call_get_or_insert_with(
        &mut self,
        key: &[u8],
        asked: &mut Asked,
        want: bool,
    ) -> Given {
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        let ctx = std::ptr::from_mut(asked).cast();
        let mut value = UNTOUCHED;
        let out = wanted(&mut value, want);
        let status = match self.integer(key) {
            Some(key) => unsafe {
                masstree_get_or_insert_with_u64(tree, guard, key, Some(make), ctx, out)
            },
            None => unsafe {
                masstree_get_or_insert_with(tree, guard, k.data, k.len, Some(make), ctx, out)
            },
        };
        Self::word(status, value)
    }
}
