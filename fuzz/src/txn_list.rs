//! Listings of a store's tree by a delimiter, compared with the model.

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use masstree::ffi::handle::TreeHandle;
use masstree::ffi::index::scan::*;
use masstree::ffi::status::*;
use masstree::ffi::versioned::walk::*;

use crate::txn_model::{Stored, Tree};
use crate::txn_op::{KeyChoice, RangeChoice};
use crate::versions::collect;
use crate::versions_oracle::Row;

/// The arguments of a range in C, which refer to it.
pub(crate) fn range_of(range: &RangeChoice) -> ScanRange {
    // SAFETY: all of the fields may be zero.
    let mut of: ScanRange = unsafe { std::mem::zeroed() };
    let bound = |choice: &Option<(KeyChoice, bool)>| match choice {
        None => (null(), 0, MASSTREE_BOUND_OPEN),
        Some((key, true)) => (key.0.as_ptr().cast(), key.0.len(), MASSTREE_BOUND_INCLUSIVE),
        Some((key, false)) => (key.0.as_ptr().cast(), key.0.len(), MASSTREE_BOUND_EXCLUSIVE),
    };
    of.struct_size = size_of::<ScanRange>();
    (of.lower, of.lower_len, of.lower_bound) = bound(&range.lower);
    (of.upper, of.upper_len, of.upper_bound) = bound(&range.upper);
    (of.prefix, of.prefix_len) = (range.prefix.0.as_ptr().cast(), range.prefix.0.len());
    of.limit = range.limit.into();
    of.flags = if range.reverse {
        MASSTREE_SCAN_REVERSE
    } else {
        0
    };
    of
}

/// # Safety
/// `ctx` is a `Vec<Row>`; `prefix` has `len` bytes.
unsafe extern "C" fn collect_prefix(prefix: *const c_void, len: usize, ctx: *mut c_void) -> i32 {
    // SAFETY: by contract.
    unsafe {
        let prefix = std::slice::from_raw_parts(prefix.cast::<u8>(), len).to_vec();
        (*ctx.cast::<Vec<Row>>()).push((prefix, 0, 0, Vec::new()));
    }
    MASSTREE_VISIT_CONTINUE
}

pub(crate) fn row_of((key, (value, number)): (Vec<u8>, Stored)) -> Row {
    (key, number, 0, value)
}

/// What a listing shows of keys, with the number 0 for common prefixes.
fn listed(tree: &Tree, range: &RangeChoice, delimiter: &[u8]) -> Vec<Row> {
    let prefix = range.prefix.0.len();
    // The common prefix that a key is rolled up to.
    let rolled = |key: &[u8]| {
        let rest = key.get(prefix..).unwrap_or_default();
        let found = rest
            .windows(delimiter.len().max(1))
            .position(|part| part == delimiter);
        found.map(|at| key[..prefix + at + delimiter.len()].to_vec())
    };
    // A page that begins behind a common prefix leaves out what begins with it.
    let begin = if range.reverse {
        &range.upper
    } else {
        &range.lower
    };
    let behind = begin.as_ref().and_then(|(bound, inclusive)| {
        let is_prefix =
            bound.0.starts_with(&range.prefix.0) && rolled(&bound.0).as_ref() == Some(&bound.0);
        (!inclusive && is_prefix).then_some(&bound.0)
    });
    let mut shown: Vec<Row> = Vec::new();
    for (key, stored) in tree.rows.iter().filter(|(key, _)| range.contains(key)) {
        let entry = match rolled(key) {
            Some(common) if Some(&common) == behind => continue,
            Some(common) => (common, 0, 0, Vec::new()),
            None => row_of((key.clone(), stored.clone())),
        };
        if entry.1 != 0 || shown.last() != Some(&entry) {
            shown.push(entry);
        }
    }
    range.pick(shown)
}

/// Lists the tree, as it is at a number.
pub(crate) fn list(
    handle: *mut TreeHandle,
    tree: &Tree,
    number: u64,
    range: &RangeChoice,
    choice: u8,
) {
    const DELIMITERS: [&[u8]; 6] = [b"", b"/", b"/", b"a", b"//", b"/a"];
    let delimiter = DELIMITERS[usize::from(choice) % 6];
    let (mut rows, mut visited): (Vec<Row>, usize) = (Vec::new(), 0);
    // SAFETY: sound arguments.
    let status = unsafe {
        masstree_scan_delimited_at(
            handle,
            null_mut(),
            &range_of(range),
            number,
            delimiter.as_ptr().cast(),
            delimiter.len(),
            Some(collect),
            Some(collect_prefix),
            (&raw mut rows).cast(),
            &mut visited,
        )
    };
    if range.is_refused() {
        assert_eq!(status, MASSTREE_INVALID);
        return;
    }
    assert_eq!(status, MASSTREE_OK);
    let expected = if delimiter.is_empty() {
        let rows = tree
            .rows
            .clone()
            .into_iter()
            .filter(|(key, _)| range.contains(key));
        range.pick(rows.map(row_of).collect())
    } else {
        listed(tree, range, delimiter)
    };
    assert_eq!(rows, expected, "{delimiter:?} {range:?} {tree:?}");
    assert_eq!(visited, rows.len());
}
