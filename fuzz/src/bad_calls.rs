//! Calls with invalid arguments.

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use arbitrary::{Result, Unstructured};
use masstree::ffi::handle::TreeHandle;
use masstree::ffi::index::bulk_load::*;
use masstree::ffi::index::bytes::*;
use masstree::ffi::index::bytes_write::*;
use masstree::ffi::index::cursor::*;
use masstree::ffi::index::cursor_move::*;
use masstree::ffi::index::cursor_open::*;
use masstree::ffi::index::get::*;
use masstree::ffi::index::get_many::*;
use masstree::ffi::index::get_or_insert::*;
use masstree::ffi::index::guard::*;
use masstree::ffi::index::inspect::*;
use masstree::ffi::index::loader::*;
use masstree::ffi::index::memory::*;
use masstree::ffi::index::options::{
    MASSTREE_VALUES_BYTES, MASSTREE_VALUES_VERSIONED, MASSTREE_VALUES_WORDS,
};
use masstree::ffi::index::point::*;
use masstree::ffi::index::scan::*;
use masstree::ffi::index::stats::*;
use masstree::ffi::index::tree::*;
use masstree::ffi::index::update::*;
use masstree::ffi::index::write_many::*;
use masstree::ffi::status::*;

use crate::structs::{KeyArgument, key_argument};

/// Makes a call that the input selects, and checks its status.
pub(crate) fn call(u: &mut Unstructured<'_>, tree: *mut TreeHandle, kind: u32) -> Result<()> {
    let pick: u8 = u.arbitrary()?;
    // SAFETY: a living tree; faults of the arguments have a status.
    unsafe {
        match pick % 6 {
            0 => without_a_tree(pick),
            1 => without_a_callback(tree, pick),
            2 => with_any_key(u, tree, kind)?,
            3 => with_any_array(u, tree, kind)?,
            4 => with_a_cursor(u, tree, kind)?,
            _ => with_any_numbers(u, tree, kind)?,
        }
    }
    Ok(())
}

/// # Safety
/// None is needed: every handle is NULL.
unsafe fn without_a_tree(pick: u8) {
    let (t, g, k) = (null_mut(), null_mut(), c"key".as_ptr().cast::<c_void>());
    let mut out = 7u64;
    // SAFETY: NULL has a status, or is ignored.
    let status = unsafe {
        masstree_destroy(t);
        masstree_guard_refresh(g);
        masstree_guard_leave(g);
        masstree_cursor_close(null_mut());
        masstree_cursor_refresh(null_mut());
        match pick / 6 % 20 {
            0 => masstree_get(t, g, k, 3, &mut out),
            1 => masstree_put(t, g, k, 3, 1),
            2 => masstree_exchange(t, g, k, 3, 1, &mut out),
            3 => masstree_insert_u64(t, g, 3, 1, &mut out),
            4 => masstree_remove(t, g, k, 3, &mut out),
            5 => masstree_replace(t, g, k, 3, 1, &mut out),
            6 => masstree_compare_exchange_u64(t, g, 3, 1, 2, &mut out),
            7 => masstree_remove_if_equal(t, g, k, 3, 1, &mut out),
            8 => masstree_guard_enter(t, null_mut()),
            9 => masstree_count(t, g, null(), null_mut()),
            10 if pick.is_multiple_of(2) => masstree_cursor_open(t, g, null_mut()),
            10 => masstree_cursor_open_in(t, g, null_mut(), 1 << 20, null_mut()),
            11 => masstree_cursor_next(null_mut()),
            12 => masstree_cursor_value(null_mut(), &mut out),
            13 => masstree_clear(t, g),
            14 => masstree_flush(t, g),
            15 => masstree_barrier(t),
            16 => masstree_maintain(t, g, 1, null_mut()),
            17 => masstree_len(t, &mut out),
            18 => masstree_check(t, g, None, null_mut()),
            _ => masstree_create(null(), null_mut()),
        }
    };
    assert_eq!((status, out), (MASSTREE_INVALID, 7));
}

/// # Safety
/// A living tree.
unsafe fn without_a_callback(t: *mut TreeHandle, pick: u8) {
    let (g, k, ctx) = (null_mut(), c"key".as_ptr().cast::<c_void>(), null_mut());
    // SAFETY: by contract; NULL callbacks have a status.
    let status = unsafe {
        match pick / 6 % 8 {
            0 => masstree_scan(t, g, null(), None, ctx, null_mut()),
            1 => masstree_scan_bytes(t, g, null(), None, ctx, null_mut()),
            2 => masstree_update(t, g, k, 3, None, ctx, null_mut()),
            3 => masstree_get_or_insert_with(t, g, k, 3, None, ctx, null_mut()),
            4 => masstree_retire(t, g, ctx, 8, None, ctx),
            5 => masstree_dump(t, g, MASSTREE_DUMP_TEXT, None, ctx),
            6 => masstree_stats_json(t, g, 0, None, ctx),
            _ => masstree_pivots(t, g, 3, None, ctx, null_mut()),
        }
    };
    assert_eq!(status, MASSTREE_INVALID);
}

/// Whether a status is that of the fault; without a fault, any status that is no error.
fn assert_fault(status: i32, fault: i32, fits: bool) {
    if fault != MASSTREE_OK {
        let wrong_kind = !fits && status == MASSTREE_WRONG_KIND;
        assert!(status == fault || wrong_kind, "{status}, not {fault}");
    } else if fits {
        assert!(status >= 0, "{status}");
    } else {
        assert_eq!(status, MASSTREE_WRONG_KIND);
    }
}

/// # Safety
/// A living tree.
unsafe fn with_any_key(u: &mut Unstructured<'_>, t: *mut TreeHandle, kind: u32) -> Result<()> {
    let (key, value) = (key_argument(u)?, key_argument(u)?);
    let (k, len, fault) = key;
    let (g, is_words) = (null_mut(), kind == MASSTREE_VALUES_WORDS);
    // SAFETY: by contract; keys that are not readable have a status.
    unsafe {
        match u.int_in_range(0..=9u8)? {
            0 => assert_fault(masstree_get(t, g, k, len, null_mut()), fault, is_words),
            1 => assert_fault(masstree_contains(t, g, k, len), fault, true),
            2 => {
                let status = masstree_insert(t, g, k, len, 2, null_mut());
                assert_fault(status, fault, is_words);
            }
            3 => {
                let status = masstree_replace(t, g, k, len, 2, null_mut());
                assert_fault(status, fault, is_words);
            }
            4 => {
                let status = masstree_copy_bytes(t, g, k, len, null_mut(), 0, null_mut());
                // If the key exists, the length is stored.
                let is_there = fault == MASSTREE_OK && status == MASSTREE_TOO_SMALL;
                assert_fault(
                    if is_there { 0 } else { status },
                    fault,
                    is_there || kind == MASSTREE_VALUES_BYTES,
                );
            }
            pick @ 5..=8 => with_any_value(t, key, value, pick),
            _ => {
                let mut out = 7;
                let status = masstree_u64_from_key(k, len, &mut out);
                let fits = !k.is_null() && len == 8;
                assert_eq!(status, if fits { MASSTREE_OK } else { MASSTREE_INVALID });
                masstree_u64_to_key(out, null_mut());
            }
        }
    }
    Ok(())
}

/// # Safety
/// A living tree; the arguments are `key_argument`'s.
unsafe fn with_any_value(t: *mut TreeHandle, key: KeyArgument, value: KeyArgument, pick: u8) {
    let ((k, len, fault), (data, value_len, value_fault)) = (key, value);
    if value_fault == MASSTREE_KEY_TOO_LONG && value_len <= usize::MAX / 2 {
        // A value may have that length, and would be read.
        return;
    }
    let slice = Slice {
        data,
        len: value_len,
    };
    let mut out = slice;
    let (g, none) = (null_mut(), null_mut());
    // SAFETY: by contract; unreadable arguments have a status.
    let status = unsafe {
        match pick {
            5 => masstree_replace_bytes(t, g, k, len, data, value_len, none),
            6 => masstree_compare_exchange_bytes(t, g, k, len, slice, slice, none),
            7 => masstree_remove_if_equal_bytes(t, g, k, len, slice, none),
            // Returned without a guard, it would not stay readable.
            _ => masstree_exchange_bytes(t, g, k, len, null(), 0, &mut out),
        }
    };
    let sound = pick < 8 && fault == MASSTREE_OK && value_fault == MASSTREE_OK;
    assert!(sound || status < 0, "{status}");
    assert!(out.data == data && out.len == value_len);
}

/// # Safety
/// A living tree.
unsafe fn with_any_array(u: &mut Unstructured<'_>, t: *mut TreeHandle, kind: u32) -> Result<()> {
    let count = u.int_in_range(0..=20usize)?;
    let stride = u.int_in_range(0..=24usize)?;
    let mut keys = Vec::new();
    let mut faults = Vec::new();
    for _ in 0..count {
        let (data, len, fault) = key_argument(u)?;
        keys.push(Slice { data, len });
        faults.push(fault);
    }
    let integers = vec![0u8; count * 24 + 8];
    let mut statuses = vec![-77; count];
    let (g, fits) = (null_mut(), kind == MASSTREE_VALUES_WORDS);
    let words = vec![3u64; count];
    let n = null_mut::<u64>();
    let first = faults
        .iter()
        .copied()
        .find(|fault| *fault != 0)
        .unwrap_or(0);
    let array = u.int_in_range(0..=7u8)?;
    if (4..=6).contains(&array) {
        // Only the count says that an array exists.
        let count = u.int_in_range(1..=usize::MAX)?;
        // SAFETY: by contract.
        unsafe { without_an_array(t, array, count, fits) };
        return Ok(());
    }
    // SAFETY: by contract; the arrays have `count` items.
    unsafe {
        let (k, w, s) = (keys.as_ptr(), words.as_ptr(), statuses.as_mut_ptr());
        match array {
            0 => assert_fault(masstree_get_many(t, g, k, count, n, s), first, fits),
            1 => assert_fault(masstree_insert_many(t, g, k, w, count, n, s), first, fits),
            2 => {
                let status = masstree_remove_many(t, g, k, count, n, s);
                // Each key has the status, so no keys have none.
                let fits = kind != MASSTREE_VALUES_VERSIONED || count == 0;
                assert_fault(status, first, fits);
            }
            3 => {
                let (i, fault) = (integers.as_ptr().cast(), if stride < 8 { -1 } else { 0 });
                let status = masstree_get_many_u64(t, g, i, stride, count, n, s);
                assert_fault(status, fault, fits);
            }
            _ => {
                let mut offender = usize::MAX;
                let status = masstree_bulk_load(t, g, k, w, count, &mut offender);
                assert!(offender == usize::MAX || offender < count);
                assert!(first == MASSTREE_OK || status != MASSTREE_OK);
                add_and_close(t, k, w, count);
            }
        }
    }
    for (status, fault) in statuses.iter().zip(&faults).filter(|_| array < 3) {
        assert!(*status == -77 || *fault == MASSTREE_OK || status == fault);
    }
    Ok(())
}

/// Adds keys to a loader, whose values are then destroyed.
///
/// # Safety
/// A living tree; arrays of `count`.
unsafe fn add_and_close(t: *mut TreeHandle, k: *const Slice, w: *const u64, count: usize) {
    let (mut loader, mut added) = (null_mut(), usize::MAX);
    // SAFETY: by contract.
    unsafe {
        if masstree_loader_open(t, &mut loader) != MASSTREE_OK {
            return;
        }
        let status = masstree_loader_add_many(loader, k, w, count, &mut added);
        assert_eq!(
            added == count,
            status == MASSTREE_OK,
            "{added} of {count}: {status}"
        );
        masstree_loader_close(loader);
    }
}

/// # Safety
/// A living tree.
unsafe fn without_an_array(t: *mut TreeHandle, pick: u8, count: usize, fits: bool) {
    let (g, word) = (null_mut(), 3);
    // SAFETY: by contract; missing keys have a status, and no value is read.
    unsafe {
        match pick {
            4 => {
                let status = masstree_put_many(t, g, null(), &word, count, null_mut());
                assert_fault(status, MASSTREE_INVALID, fits);
            }
            5 => {
                let status = masstree_get_many_u64(t, g, null(), 8, count, null_mut(), null_mut());
                assert_fault(status, MASSTREE_INVALID, fits);
            }
            _ => {
                let status = masstree_bulk_load_bytes(t, g, null(), null(), count, null_mut());
                assert!(status == MASSTREE_INVALID || status == MASSTREE_WRONG_KIND);
            }
        }
    }
}

/// # Safety
/// A living tree.
unsafe fn with_a_cursor(u: &mut Unstructured<'_>, t: *mut TreeHandle, kind: u32) -> Result<()> {
    let (key, len, fault) = key_argument(u)?;
    let how = u32::from(u.int_in_range(0..=7u8)?);
    let is_words = kind == MASSTREE_VALUES_WORDS;
    let (mut cursor, mut count) = (null_mut(), usize::MAX);
    // SAFETY: by contract, and an open cursor.
    unsafe {
        assert_eq!(
            masstree_cursor_open(t, null_mut(), &mut cursor),
            MASSTREE_OK
        );
        let status = masstree_cursor_seek(cursor, key, len, how);
        let unknown = how > MASSTREE_SEEK_LAST;
        let expected = [fault, if unknown { MASSTREE_INVALID } else { fault }];
        assert!(
            expected.contains(&status) || (expected == [0; 2] && status == MASSTREE_END),
            "{status}, not {expected:?}"
        );
        let none = null_mut();
        let status = masstree_cursor_next_many(cursor, none, null_mut(), 0, &mut count);
        assert_eq!((status, count), (MASSTREE_INVALID, usize::MAX));
        let (mut word, mut slice) = (0, crate::points::untouched());
        let wrong = if is_words {
            masstree_cursor_value_bytes(cursor, &mut slice)
        } else {
            masstree_cursor_value(cursor, &mut word)
        };
        assert_eq!(wrong, MASSTREE_WRONG_KIND);
        let (mut other, mut guard) = (null_mut(), null_mut());
        assert_eq!(masstree_create(null(), &mut other), MASSTREE_OK);
        assert_eq!(masstree_guard_enter(other, &mut guard), MASSTREE_OK);
        assert_eq!(
            masstree_get_u64(t, guard, 1, null_mut()),
            MASSTREE_WRONG_TREE
        );
        assert_eq!(masstree_clear(t, guard), MASSTREE_WRONG_TREE);
        masstree_guard_leave(guard);
        masstree_destroy(other);
        masstree_cursor_close(cursor);
    }
    Ok(())
}

/// # Safety
/// A living tree.
unsafe fn with_any_numbers(u: &mut Unstructured<'_>, t: *mut TreeHandle, kind: u32) -> Result<()> {
    unsafe extern "C" fn write(_: *const std::ffi::c_char, _: usize, _: *mut c_void) {}
    unsafe extern "C" fn visit(_: *const c_void, _: usize, _: usize, _: *mut c_void) -> i32 {
        MASSTREE_VISIT_CONTINUE
    }
    let (word, long): (u32, usize) = (u.arbitrary()?, u.arbitrary()?);
    let (g, ctx) = (null_mut(), null_mut());
    let known = |limit| {
        if word <= limit {
            MASSTREE_OK
        } else {
            MASSTREE_INVALID
        }
    };
    // SAFETY: by contract.
    unsafe {
        match u.int_in_range(0..=5u8)? {
            0 => assert_eq!(masstree_dump(t, g, word, Some(write), ctx), known(1)),
            1 => assert_eq!(masstree_stats_json(t, g, word, Some(write), ctx), known(1)),
            2 => {
                let status = masstree_pivots(t, g, long, Some(visit), ctx, null_mut());
                assert_eq!(status, MASSTREE_OK);
            }
            3 => {
                let status = masstree_maintain(t, g, long, null_mut());
                assert!(status == MASSTREE_OK || status == MASSTREE_END, "{status}");
            }
            4 => assert!(!masstree_strerror(word as i32).is_null()),
            _ => {
                // A value longer than any object can be.
                let len = (usize::MAX / 2 + 1).max(long);
                let key: *const c_void = c"key".as_ptr().cast();
                let status = masstree_put_bytes(t, g, key, 3, key, len);
                assert_fault(status, MASSTREE_INVALID, kind == MASSTREE_VALUES_BYTES);
            }
        }
    }
    Ok(())
}
