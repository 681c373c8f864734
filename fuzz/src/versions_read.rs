//! Reads of versioned trees.

use masstree::ffi::index::cursor::*;
use masstree::ffi::index::cursor_move::*;
use masstree::ffi::index::scan::*;
use masstree::ffi::status::*;
use masstree::ffi::versioned::cursor::*;
use masstree::ffi::versioned::read::*;
use masstree::ffi::versioned::walk::*;
use masstree::ffi::versioned::write::*;

use crate::values::slice_of;
use crate::versions::{Subject, collect, row};
use crate::versions_op::{End, KeyChoice};
use crate::versions_oracle::{Row, is_tombstone};

impl Subject {
    pub(crate) fn get(&mut self, key: KeyChoice, number: u8) {
        let (key, number) = (self.key(key), u64::from(number));
        let k = slice_of(&key);
        let mut rows: Vec<Row> = Vec::new();
        let ctx = (&raw mut rows).cast();
        let mut version = None;
        // SAFETY: sound arguments.
        let status = unsafe {
            let mut found = std::mem::MaybeUninit::<Version>::uninit();
            let status = masstree_get_at(
                self.tree,
                self.guard,
                k.data,
                k.len,
                number,
                found.as_mut_ptr(),
            );
            if status == MASSTREE_OK || status == MASSTREE_DELETED {
                version = Some(row(&key, &found.assume_init()));
            }
            let again = masstree_get_operands_at(
                self.tree,
                self.guard,
                k.data,
                k.len,
                number,
                Some(collect),
                ctx,
                std::ptr::null_mut(),
            );
            assert_eq!(again, status);
            status
        };
        if !self.is_readable(number) {
            return assert_eq!(status, MASSTREE_TOO_OLD);
        }
        let expected = self.model.operands(&key, number);
        let cover = self.model.cover(&key, number);
        assert_eq!(rows, expected);
        match expected.into_iter().next() {
            Some(newest) => {
                let deleted = is_tombstone(newest.2);
                assert_eq!(
                    status,
                    if deleted {
                        MASSTREE_DELETED
                    } else {
                        MASSTREE_OK
                    }
                );
                assert_eq!(version, Some(newest));
            }
            None if cover > 0 => {
                let by = (key, cover, MASSTREE_VERSION_RANGE_TOMBSTONE, vec![]);
                assert_eq!((status, version), (MASSTREE_DELETED, Some(by)));
            }
            None => assert_eq!(status, MASSTREE_NOT_FOUND),
        }
    }

    pub(crate) fn scan(&mut self, number: u8, reverse: bool) {
        let number = u64::from(number);
        let mut rows: Vec<Row> = Vec::new();
        let range = ScanRange {
            struct_size: size_of::<ScanRange>(),
            flags: if reverse { MASSTREE_SCAN_REVERSE } else { 0 },
            // SAFETY: all zero is a valid range.
            ..unsafe { std::mem::zeroed() }
        };
        let ctx = (&raw mut rows).cast();
        // SAFETY: sound arguments.
        let status = unsafe {
            let none = std::ptr::null_mut();
            masstree_scan_at(
                self.tree,
                self.guard,
                &range,
                number,
                Some(collect),
                ctx,
                none,
            )
        };
        if !self.is_readable(number) {
            return assert_eq!(status, MASSTREE_TOO_OLD);
        }
        if reverse {
            rows.reverse();
        }
        assert_eq!(
            (status, rows),
            (MASSTREE_OK, self.model.all_visible(number))
        );
    }

    pub(crate) fn versions(&mut self, lower: End, upper: End, since: u8, reverse: bool) {
        let bound = |bound: End| match bound {
            None => (vec![], 0, MASSTREE_BOUND_OPEN),
            Some((key, number, true)) => (self.key(key), number.into(), MASSTREE_BOUND_INCLUSIVE),
            Some((key, number, false)) => (self.key(key), number.into(), MASSTREE_BOUND_EXCLUSIVE),
        };
        let (lower, upper) = (bound(lower), bound(upper));
        let (from, to) = (slice_of(&lower.0), slice_of(&upper.0));
        let range = VersionScan {
            struct_size: size_of::<VersionScan>(),
            lower: from.data,
            lower_len: from.len,
            lower_seqno: lower.1,
            upper: to.data,
            upper_len: to.len,
            upper_seqno: upper.1,
            since: since.into(),
            limit: 0,
            lower_bound: lower.2,
            upper_bound: upper.2,
            flags: if reverse { MASSTREE_SCAN_REVERSE } else { 0 },
            reserved: 0,
            visitor_result: std::ptr::null_mut(),
        };
        let (status, mut rows) = self.scan_versions(&range);
        let order = |row: &Row, of: &(Vec<u8>, u64, u32)| row.0.cmp(&of.0).then(of.1.cmp(&row.1));
        let both = lower.2 != MASSTREE_BOUND_OPEN && upper.2 != MASSTREE_BOUND_OPEN;
        if both && lower.0.cmp(&upper.0).then(upper.1.cmp(&lower.1)).is_gt() {
            return assert_eq!(status, MASSTREE_INVALID);
        }
        if reverse {
            rows.reverse();
        }
        let mut expected = self.model.all_versions();
        expected.retain(|row| {
            let above = match lower.2 {
                MASSTREE_BOUND_OPEN => true,
                MASSTREE_BOUND_INCLUSIVE => order(row, &lower).is_ge(),
                _ => order(row, &lower).is_gt(),
            };
            let below = match upper.2 {
                MASSTREE_BOUND_OPEN => true,
                MASSTREE_BOUND_INCLUSIVE => order(row, &upper).is_le(),
                _ => order(row, &upper).is_lt(),
            };
            above && below && row.1 > u64::from(since)
        });
        assert_eq!((status, rows), (MASSTREE_OK, expected));
    }

    /// Seeks a version, and steps a few times in a direction.
    pub(crate) fn walk(&mut self, key: KeyChoice, number: u8, steps: u8) {
        let (key, number) = (self.key(key), u64::from(number));
        let reverse = steps & 1 != 0;
        let all = self.model.all_versions();
        let at = |row: &Row| row.0.cmp(&key).then(number.cmp(&row.1));
        let expected: Vec<Row> = match reverse {
            false => all.iter().filter(|row| at(row).is_ge()).cloned().collect(),
            true => all
                .iter()
                .rev()
                .filter(|row| at(row).is_le())
                .cloned()
                .collect(),
        };
        let mut memory = [0_u128; 512];
        let memory = (steps & 2 != 0).then_some(&mut memory[..]);
        let cursor = self.open_cursor(memory);
        let how = if reverse {
            MASSTREE_SEEK_LE
        } else {
            MASSTREE_SEEK_GE
        };
        let k = slice_of(&key);
        // SAFETY: sound arguments; the cursor is closed before its guard is left.
        unsafe {
            let mut status = masstree_cursor_seek_at(cursor, k.data, k.len, number, how);
            for row_there in expected.iter().take(1 + usize::from(steps >> 1)) {
                assert_eq!(status, MASSTREE_OK);
                assert_eq!(&row_at(cursor), row_there);
                status = match reverse {
                    false => masstree_cursor_next(cursor),
                    true => masstree_cursor_prev(cursor),
                };
            }
            if expected.len() <= usize::from(steps >> 1) {
                assert_eq!(status, MASSTREE_END);
            }
            masstree_cursor_close(cursor);
        }
    }

    /// Opens a cursor over versions, perhaps in memory of the caller.
    fn open_cursor(&self, memory: Option<&mut [u128]>) -> *mut CursorHandle {
        let (tree, guard) = (self.tree, self.guard);
        let mut cursor: *mut CursorHandle = std::ptr::null_mut();
        // SAFETY: sound arguments.
        let opened = unsafe {
            match memory {
                None => masstree_cursor_open_versions(tree, guard, 0, &mut cursor),
                Some(memory) => {
                    let (start, size) = (memory.as_mut_ptr().cast(), size_of_val(memory));
                    masstree_cursor_open_versions_in(tree, guard, start, size, 0, &mut cursor)
                }
            }
        };
        assert_eq!(opened, MASSTREE_OK);
        cursor
    }
}

/// The version that a cursor is at.
///
/// # Safety
/// A cursor at a version.
unsafe fn row_at(cursor: *mut CursorHandle) -> Row {
    let mut found = std::mem::MaybeUninit::<Version>::uninit();
    let mut key = slice_of(&[]);
    // SAFETY: by contract; the calls store a version and its key, which stay until the cursor moves.
    unsafe {
        assert_eq!(
            masstree_cursor_version(cursor, found.as_mut_ptr()),
            MASSTREE_OK
        );
        assert_eq!(masstree_cursor_key(cursor, &mut key), MASSTREE_OK);
        let key = std::slice::from_raw_parts(key.data.cast::<u8>(), key.len);
        row(key, &found.assume_init())
    }
}
