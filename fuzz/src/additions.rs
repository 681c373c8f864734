//! Numbers added to words, and bytes appended to byte strings.

use masstree::ffi::index::add::{masstree_add, masstree_add_u64};
use masstree::ffi::index::bytes_write::masstree_put_bytes;
use masstree::ffi::index::update_bytes::masstree_append_bytes;
use masstree::ffi::status::*;

use crate::session::Session;
use crate::values::{UNTOUCHED, encoded, slice_of};

impl Session<'_> {
    /// Adds what makes the value a fresh one, or nothing.
    pub(crate) fn add(&mut self, key: &[u8], want: bool, twist: u8) {
        let present = self.model.get(key).copied();
        let sum = match twist & 8 != 0 {
            true => present.unwrap_or(0),
            false => self.fresh(),
        };
        let more = sum.wrapping_sub(present.unwrap_or(0));
        let (tree, guard, k) = (self.tree(), self.guard, slice_of(key));
        let mut given = UNTOUCHED;
        let out = crate::calls::wanted(&mut given, want);
        // SAFETY: a living tree, this session's guard, a key that is readable.
        let status = unsafe {
            match self.integer(key) {
                Some(key) => masstree_add_u64(tree, guard, key, more, out),
                None => masstree_add(tree, guard, k.data, k.len, more, out),
            }
        };
        if self.refused(status) {
            return assert_eq!(given, UNTOUCHED);
        }
        let expected = if want { sum } else { UNTOUCHED };
        assert_eq!((status, given), (MASSTREE_OK, expected), "add to {key:?}");
        self.stored(key, sum, false);
    }

    /// Appends a value to nothing or to an empty value, nothing to any value, or one part of a value to
    /// the other.
    pub(crate) fn append(&mut self, key: &[u8], twist: u8) {
        let present = self.model.get(key).copied();
        if present.unwrap_or(0) == 0 {
            let value = self.fresh();
            let (status, len) = self.call_append(key, &encoded(value));
            return self.appended(key, value, status, len);
        }
        let present = present.unwrap_or(0);
        if twist & 8 != 0 || !self.is_alone() {
            let (status, len) = self.call_append(key, &[]);
            return self.appended(key, present, status, len);
        }
        let value = self.fresh();
        let whole = encoded(value);
        let (first, rest) = whole.split_at(usize::from(twist >> 4) * whole.len() / 16);
        let (k, f) = (slice_of(key), slice_of(first));
        // SAFETY: a living tree, this session's guard, and bytes that are readable.
        let status =
            unsafe { masstree_put_bytes(self.tree(), self.guard, k.data, k.len, f.data, f.len) };
        if self.refused(status) {
            return;
        }
        let (mut status, mut len) = self.call_append(key, rest);
        if self.refused(status) {
            // The value is still the first part: or else the whole would not come out.
            let paused = self.place.memory.pause();
            (status, len) = self.call_append(key, rest);
            self.place.memory.resume(paused);
        }
        self.appended(key, value, status, len);
    }

    /// Checks that the key has the value now, unless the call ran out of memory.
    fn appended(&mut self, key: &[u8], value: u64, status: i32, len: usize) {
        if self.refused(status) {
            return assert_eq!(len, usize::MAX);
        }
        let expected = (MASSTREE_OK, encoded(value).len());
        assert_eq!((status, len), expected, "append to {key:?}");
        self.stored(key, value, false);
        self.get_checked(key, 0);
    }

    fn call_append(&self, key: &[u8], more: &[u8]) -> (i32, usize) {
        let (k, m, mut len) = (slice_of(key), slice_of(more), usize::MAX);
        let (tree, guard) = (self.tree(), self.guard);
        // SAFETY: as above.
        let status =
            unsafe { masstree_append_bytes(tree, guard, k.data, k.len, m.data, m.len, &mut len) };
        (status, len)
    }
}
