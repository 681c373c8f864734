//! Calls on a tree of words that only the C interface has.

use std::ffi::c_void;
use std::ptr::null_mut;

use masstree::Tree;
use masstree::ffi::index::bytes::Slice;
use masstree::ffi::index::get_many::masstree_get_many;
use masstree::ffi::index::get_or_insert::masstree_get_or_insert_with;
use masstree::ffi::index::write_many::{
    masstree_insert_many, masstree_put_many, masstree_remove_many,
};
use masstree::ffi::status::{MASSTREE_EXISTS, MASSTREE_NOT_FOUND, MASSTREE_OK};

use super::handle;

fn slices(keys: &[&[u8]]) -> Vec<Slice> {
    let slices = keys.iter().map(|key| Slice {
        data: key.as_ptr().cast(),
        len: key.len(),
    });
    slices.collect()
}

/// Returns the value of each key whose status says that it has one.
fn with_status(
    values: Vec<u64>,
    statuses: Vec<i32>,
    present: i32,
    absent: i32,
) -> Vec<Option<u64>> {
    let answers = values.into_iter().zip(statuses);
    let answers = answers.map(|(value, status)| match status {
        status if status == present => Some(value),
        status if status == absent => None,
        status => panic!("status {status} in a batch"),
    });
    answers.collect()
}

pub(crate) fn get_many(tree: &Tree, keys: &[&[u8]]) -> Vec<Option<u64>> {
    let (slices, len) = (slices(keys), keys.len());
    let (mut values, mut statuses) = (vec![0; len], vec![0; len]);
    let (values_at, statuses_at) = (values.as_mut_ptr(), statuses.as_mut_ptr());
    // SAFETY: a live tree, and as many keys, values and statuses as the count says.
    unsafe {
        masstree_get_many(
            handle(tree),
            null_mut(),
            slices.as_ptr(),
            len,
            values_at,
            statuses_at,
        )
    };
    with_status(values, statuses, MASSTREE_OK, MASSTREE_NOT_FOUND)
}

pub(crate) fn put_many(tree: &Tree, keys: &[&[u8]], values: &[u64]) {
    let (slices, len) = (slices(keys), keys.len());
    let values = values.as_ptr();
    // SAFETY: as in `get_many`.
    let status = unsafe {
        masstree_put_many(
            handle(tree),
            null_mut(),
            slices.as_ptr(),
            values,
            len,
            null_mut(),
        )
    };
    assert_eq!(status, MASSTREE_OK);
}

/// Returns the value that each key had already.
pub(crate) fn insert_many(tree: &Tree, keys: &[&[u8]], values: &[u64]) -> Vec<Option<u64>> {
    let (slices, len) = (slices(keys), keys.len());
    let (mut present, mut statuses) = (vec![0; len], vec![0; len]);
    // SAFETY: as in `get_many`.
    unsafe {
        masstree_insert_many(
            handle(tree),
            null_mut(),
            slices.as_ptr(),
            values.as_ptr(),
            len,
            present.as_mut_ptr(),
            statuses.as_mut_ptr(),
        )
    };
    with_status(present, statuses, MASSTREE_EXISTS, MASSTREE_OK)
}

/// Returns the value that each key had.
pub(crate) fn remove_many(tree: &Tree, keys: &[&[u8]]) -> Vec<Option<u64>> {
    let (slices, len) = (slices(keys), keys.len());
    let (mut old, mut statuses) = (vec![0; len], vec![0; len]);
    let (old_at, statuses_at) = (old.as_mut_ptr(), statuses.as_mut_ptr());
    // SAFETY: as in `get_many`.
    unsafe {
        masstree_remove_many(
            handle(tree),
            null_mut(),
            slices.as_ptr(),
            len,
            old_at,
            statuses_at,
        )
    };
    with_status(old, statuses, MASSTREE_OK, MASSTREE_NOT_FOUND)
}

unsafe extern "C" fn make(value: *mut u64, ctx: *mut c_void) -> i32 {
    // SAFETY: both are the caller's words.
    unsafe { *value = *ctx.cast() };
    MASSTREE_OK
}

/// Returns the value that the key had already.
pub(crate) fn get_or_insert_with(tree: &Tree, key: &[u8], mut made: u64) -> Option<u64> {
    let mut value = 0;
    // SAFETY: a live tree and key, and a callback that expects its context.
    let status = unsafe {
        masstree_get_or_insert_with(
            handle(tree),
            null_mut(),
            key.as_ptr().cast(),
            key.len(),
            Some(make),
            (&raw mut made).cast(),
            &mut value,
        )
    };
    match status {
        MASSTREE_OK => {
            assert_eq!(value, made);
            None
        }
        MASSTREE_EXISTS => Some(value),
        other => panic!("status {other}"),
    }
}
