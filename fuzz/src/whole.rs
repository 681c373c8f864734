//! Operations on a whole tree.

use std::ffi::{c_char, c_void};

use masstree::ffi::index::bulk_load::*;
use masstree::ffi::index::inspect::*;
use masstree::ffi::index::memory::*;
use masstree::ffi::index::stats::*;
use masstree::ffi::index::tree::masstree_clear;
use masstree::ffi::status::*;

use crate::op::{Run, Whole};
use crate::session::{Session, assert_sound};
use crate::values::{encoded, slice_of};

impl Session<'_> {
    pub(crate) fn whole(&mut self, op: &Whole) {
        self.calls += 1;
        match op {
            Whole::Maintain(limit) => {
                let (limit, mut merged) = (usize::from(*limit), usize::MAX);
                // SAFETY: a living tree and this session's guard, here and below.
                let status = unsafe {
                    match limit % 2 {
                        0 => masstree_maintain(self.tree(), self.guard, limit, &mut merged),
                        _ => {
                            let fill = (limit / 2 % 16) as u32;
                            masstree_compact(self.tree(), self.guard, fill, limit, &mut merged)
                        }
                    }
                };
                if !self.refused(status) {
                    assert!(status == MASSTREE_OK || status == MASSTREE_END, "{status}");
                }
            }
            Whole::Flush => {
                // SAFETY: as above.
                let status = unsafe { masstree_flush(self.tree(), self.guard) };
                assert_eq!(status, MASSTREE_OK);
            }
            Whole::Barrier => {
                // It would wait for this session's own guards.
                if self.guard.is_null() && self.cursors.iter().all(Option::is_none) {
                    // SAFETY: as above.
                    assert_eq!(unsafe { masstree_barrier(self.tree()) }, MASSTREE_OK);
                }
            }
            Whole::Clear if self.is_alone() => self.clear(),
            Whole::BulkLoad { run, unsorted } if self.is_alone() => {
                self.bulk_load(run, *unsorted);
            }
            Whole::Clear | Whole::BulkLoad { .. } => {}
            Whole::Look(what) => self.look(*what),
        }
    }

    fn clear(&mut self) {
        // SAFETY: a living tree and this session's guard.
        let status = unsafe { masstree_clear(self.tree(), self.guard) };
        if self.refused(status) {
            return;
        }
        assert_eq!(status, MASSTREE_OK);
        for (_, value) in std::mem::take(&mut self.model) {
            self.displaced(Some(value), false);
        }
    }

    fn bulk_load(&mut self, run: &Run, unsorted: bool) {
        let mut keys = self.keys_of(run);
        keys.sort();
        keys.dedup();
        if unsorted && keys.len() > 1 && self.model.is_empty() {
            let last = keys.len() - 1;
            keys.swap(0, last);
        }
        let values: Vec<_> = keys.iter().map(|_| self.fresh()).collect();
        self.calls += keys.len() as u64;
        let (status, offender) = self.call_bulk_load(&keys, &values);
        if self.refused(status) {
            return;
        }
        let first_wrong = keys.windows(2).position(|pair| pair[0] >= pair[1]);
        let expected = match first_wrong {
            _ if !self.model.is_empty() => (MASSTREE_EXISTS, None),
            Some(before) => (MASSTREE_UNSORTED, Some(before + 1)),
            None => (MASSTREE_OK, None),
        };
        assert_eq!((status, offender), expected, "bulk_load {keys:?}");
        if status == MASSTREE_OK {
            for (key, value) in keys.iter().zip(values) {
                self.stored(key, value, false);
            }
        }
    }

    fn call_bulk_load(&self, keys: &[Vec<u8>], values: &[u64]) -> (i32, Option<usize>) {
        let (tree, guard, count) = (self.tree(), self.guard, keys.len());
        let slices: Vec<_> = keys.iter().map(|key| slice_of(key)).collect();
        let bytes: Vec<_> = values.iter().map(|value| encoded(*value)).collect();
        let byte_values: Vec<_> = bytes.iter().map(|bytes| slice_of(bytes)).collect();
        let integer = |key: &Vec<u8>| Some(u64::from_be_bytes(key[..].try_into().ok()?));
        let integers: Vec<u64> = keys.iter().map_while(integer).collect();
        let mut offender = usize::MAX;
        // SAFETY: a living tree, this session's guard, and arrays of `count`.
        let status = unsafe {
            if self.holds_bytes() {
                let values = byte_values.as_ptr();
                masstree_bulk_load_bytes(tree, guard, slices.as_ptr(), values, count, &mut offender)
            } else if integers.len() == count && self.calls.is_multiple_of(2) {
                let (keys, values) = (integers.as_ptr().cast(), values.as_ptr());
                masstree_bulk_load_u64(tree, guard, keys, 8, values, count, &mut offender)
            } else {
                let (keys, values) = (slices.as_ptr(), values.as_ptr());
                masstree_bulk_load(tree, guard, keys, values, count, &mut offender)
            }
        };
        (status, (offender != usize::MAX).then_some(offender))
    }

    fn look(&mut self, what: u8) {
        let (tree, guard) = (self.tree(), self.guard);
        let mut written = 0usize;
        let ctx = std::ptr::from_mut(&mut written).cast();
        let flags = if what & 8 == 0 {
            MASSTREE_STATS_NODES
        } else {
            0
        };
        // SAFETY: a living tree, this session's guard, sound callbacks and outputs.
        let status = unsafe {
            match what % 5 {
                0 => self.look_at_stats(flags),
                1 => masstree_stats_json(tree, guard, flags, Some(count_bytes), ctx),
                2 => {
                    let format = u32::from(what >> 7);
                    masstree_dump(tree, guard, format, Some(count_bytes), ctx)
                }
                3 if what & 8 != 0 => self.sample(usize::from(what >> 4), usize::from(what >> 6)),
                3 => self.pivots(usize::from(what >> 3)),
                _ if self.is_alone() && !self.place.memory.may_fail() => {
                    assert_sound(self.place);
                    MASSTREE_OK
                }
                _ => MASSTREE_OK,
            }
        };
        assert!(status == MASSTREE_OK || self.refused(status), "{status}");
    }

    fn look_at_stats(&self, flags: u32) -> i32 {
        let mut stats = Stats {
            struct_size: size_of::<Stats>(),
            flags,
            ..Stats::default()
        };
        // SAFETY: a living tree, this session's guard, a sound struct.
        let status = unsafe { masstree_stats(self.tree(), self.guard, &mut stats) };
        if status == MASSTREE_OK && self.is_alone() {
            assert_eq!(stats.keys, self.model.len() as u64);
            if flags != 0 {
                assert_eq!(stats.keys_at.iter().sum::<u64>(), stats.keys);
            }
        }
        status
    }

    /// Checks that the keys ascend, and that their number is the one returned.
    fn pivots(&self, cuts: usize) -> i32 {
        unsafe extern "C" fn visit(
            key: *const c_void,
            len: usize,
            index: usize,
            ctx: *mut c_void,
        ) -> i32 {
            // SAFETY: as the library promises, and what was passed with it.
            let (key, given) = unsafe {
                let key = std::slice::from_raw_parts(key.cast::<u8>(), len);
                (key, &mut *ctx.cast::<Vec<Vec<u8>>>())
            };
            assert_eq!(index, given.len());
            assert!(given.last().is_none_or(|before| &before[..] < key));
            given.push(key.to_vec());
            0
        }
        let (mut given, mut visited) = (Vec::<Vec<u8>>::new(), usize::MAX);
        let ctx = std::ptr::from_mut(&mut given).cast();
        // SAFETY: a living tree, this session's guard, a sound visitor.
        let status = unsafe {
            masstree_pivots(
                self.tree(),
                self.guard,
                cuts,
                Some(visit),
                ctx,
                &mut visited,
            )
        };
        assert!(visited == given.len() && visited <= cuts);
        status
    }
}

unsafe extern "C" fn count_bytes(_: *const c_char, len: usize, ctx: *mut c_void) {
    // SAFETY: what was passed with it.
    unsafe { *ctx.cast::<usize>() += len };
}
