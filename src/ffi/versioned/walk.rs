//! # Walking versions
//!
//! Scans and cursors over versions.

use std::ffi::c_void;

use super::read::{VersionVisitor, adapt};
use crate::ffi::boundary::write_output;
use crate::ffi::boundary::{key_bytes, on_versioned_read, sized_struct, status_of};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::index::scan::{
    Ending, MASSTREE_BOUND_EXCLUSIVE, MASSTREE_BOUND_INCLUSIVE, MASSTREE_BOUND_OPEN,
    MASSTREE_SCAN_REVERSE, ScanRange, control_flow, decode_with_ending,
};
use crate::ffi::index::scan_delimited::{PrefixVisitor, decode_delimited, prefix_visitor};
use crate::ffi::status::*;
use crate::index::tree::Entry;
use crate::versioned::{VersionBound, VersionRange, VersionedTree};

/// A range of versions, in the order of versions: by key ascending, and those of a key by number
/// descending. Start from MASSTREE_VERSION_RANGE_INIT (everything, no limit) and set the fields that
/// you need; struct_size works as in masstree_options_t.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct VersionScan {
    /// sizeof(masstree_version_range_t); MASSTREE_VERSION_RANGE_INIT sets it.
    pub struct_size: usize,
    /// The key of the lower bound: lower_len bytes; NULL only if lower_len is 0.
    pub lower: *const c_void,
    /// Length of the lower bound's key in bytes.
    pub lower_len: usize,
    /// The number of the lower bound; MASSTREE_SEQNO_LATEST, inclusive, begins with the key's newest
    /// version.
    pub lower_seqno: u64,
    /// The key of the upper bound: upper_len bytes; NULL only if upper_len is 0.
    pub upper: *const c_void,
    /// Length of the upper bound's key in bytes.
    pub upper_len: usize,
    /// The number of the upper bound; 0, inclusive, ends with the key's oldest version.
    pub upper_seqno: u64,
    /// Visit only versions with greater numbers; 0: all.
    pub since: u64,
    /// Visit at most this many versions; 0: no limit.
    pub limit: usize,
    /// MASSTREE_BOUND_OPEN, MASSTREE_BOUND_INCLUSIVE or MASSTREE_BOUND_EXCLUSIVE.
    pub lower_bound: u32,
    /// MASSTREE_BOUND_OPEN, MASSTREE_BOUND_INCLUSIVE or MASSTREE_BOUND_EXCLUSIVE.
    pub upper_bound: u32,
    /// 0, or MASSTREE_SCAN_REVERSE.
    pub flags: u32,
    /// Must be 0.
    pub reserved: u32,
    /// As in masstree_range_t.
    pub visitor_result: *mut i32,
}

/// Converts a range of versions from C; returns where the number with which a visitor ends the call goes.
///
/// # Safety
/// As `masstree_scan_versions`; `visitor_result` is NULL, or writable for as long as the result exists.
unsafe fn decode_versions<'k>(
    range: *const VersionScan,
) -> Result<(VersionRange<'k>, Ending), i32> {
    let mut decoded = VersionRange {
        lower: VersionBound::Open,
        upper: VersionBound::Open,
        since: 0,
        limit: usize::MAX,
        reverse: false,
    };
    if range.is_null() {
        return Ok((decoded, Ending::in_status()));
    }
    // SAFETY: not NULL, and readable by contract; all zero is a valid one.
    let range = unsafe { sized_struct(range) }?;
    if range.flags & !MASSTREE_SCAN_REVERSE != 0 || range.reserved != 0 {
        return Err(MASSTREE_INVALID);
    }
    // SAFETY: the bounds are readable by contract.
    unsafe {
        let (kind, number) = (range.lower_bound, range.lower_seqno);
        decoded.lower = bound(kind, range.lower, range.lower_len, number)?;
        let (kind, number) = (range.upper_bound, range.upper_seqno);
        decoded.upper = bound(kind, range.upper, range.upper_len, number)?;
    }
    decoded.since = range.since;
    decoded.reverse = range.flags & MASSTREE_SCAN_REVERSE != 0;
    if range.limit != 0 {
        decoded.limit = range.limit;
    }
    match decoded.is_reversed() {
        true => Err(MASSTREE_INVALID),
        // SAFETY: NULL or writable by contract.
        false => Ok((decoded, unsafe { Ending::new(range.visitor_result) })),
    }
}

/// # Safety
/// `key` is NULL or points to `len` readable bytes, unless the kind is open.
unsafe fn bound<'k>(
    kind: u32,
    key: *const c_void,
    len: usize,
    number: u64,
) -> Result<VersionBound<'k>, i32> {
    // SAFETY: by contract.
    let key = || unsafe { key_bytes(key, len) };
    match kind {
        MASSTREE_BOUND_OPEN => Ok(VersionBound::Open),
        MASSTREE_BOUND_INCLUSIVE => Ok(VersionBound::Included(key()?, number)),
        MASSTREE_BOUND_EXCLUSIVE => Ok(VersionBound::Excluded(key()?, number)),
        _ => Err(MASSTREE_INVALID),
    }
}

/// Visits the keys of a range that a reader at a number sees, in order, each with its newest version
/// at that number: a value, or the newest of some merge operands. The range is consistent: it has all
/// of a published group or nothing of it.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range    As in masstree_scan; MASSTREE_SCAN_KEYS_ONLY and MASSTREE_SCAN_VALUES_ONLY have no
///                 effect.
/// @param seqno    As in masstree_get_at. At MASSTREE_SEQNO_LATEST the scan opens a snapshot.
/// @param visit    Called for each key.
/// @param ctx      Passed to visit.
/// @param visited  As in masstree_scan.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit, or until the
///                                visitor stopped.
/// @retval MASSTREE_INVALID       visit is NULL; otherwise as in masstree_scan.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree is not versioned.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_TOO_OLD       As in masstree_get_at; the visitor may have been called.
/// @return The negative number that the visitor returned.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_scan_at(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    seqno: u64,
    visit: VersionVisitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            // Its absence is noticed before what is wrong with the range.
            let visit = visit.ok_or(MASSTREE_INVALID)?;
            let (range, _, ending) = decode_with_ending(range)?;
            let visit = adapt(visit, ctx, &ending);
            on_versioned_read(tree, guard, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.index().count_call());
                let mut count = 0;
                let outcome = tree.scan_at(pin, &range, seqno, &mut count, visit);
                write_output(visited, count);
                outcome?;
                read_status(tree, seqno, &ending)
            })
        }
    })
}

/// Visits the keys of a range that a reader at a number sees, as masstree_scan_at, and rolls keys up by a
/// delimiter, as masstree_scan_delimited. A common prefix is visited if the reader sees a key that begins
/// with it. To find that key, the scan steps over those before it that are deleted and not trimmed yet:
/// each of them costs what it costs masstree_scan_at.
///
/// @param tree           The tree.
/// @param guard          A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range          As in masstree_scan_delimited; MASSTREE_SCAN_KEYS_ONLY and
///                       MASSTREE_SCAN_VALUES_ONLY have no effect.
/// @param seqno          As in masstree_scan_at.
/// @param delimiter      As in masstree_scan_delimited.
/// @param delimiter_len  As in masstree_scan_delimited.
/// @param visit          Called for each key that is not rolled up.
/// @param visit_prefix   Called for each common prefix.
/// @param ctx            Passed to visit and visit_prefix.
/// @param visited        As in masstree_scan_delimited.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit, or until a visitor
///                                stopped.
/// @retval MASSTREE_INVALID       As in masstree_scan_delimited.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer or the common prefix's.
/// @retval MASSTREE_KEY_TOO_LONG  A bound, the prefix or the delimiter exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree is not versioned.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_TOO_OLD       As in masstree_get_at; the visitors may have been called.
/// @return The negative number that a visitor returned.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_scan_delimited_at(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    seqno: u64,
    delimiter: *const c_void,
    delimiter_len: usize,
    visit: VersionVisitor,
    visit_prefix: PrefixVisitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let mut visit_prefix = prefix_visitor(visit_prefix, ctx)?;
            // As in masstree_scan_at.
            let visit = visit.ok_or(MASSTREE_INVALID)?;
            let (of, _, ending) = decode_delimited(range, delimiter, delimiter_len)?;
            let mut visit = adapt(visit, ctx, &ending);
            on_versioned_read(tree, guard, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.index().count_call());
                let mut count = 0;
                let visit = |entry: Entry<'_, _>| match entry {
                    Entry::Key(key, version) => visit(key, version),
                    Entry::CommonPrefix(prefix) => control_flow(visit_prefix(prefix), &ending),
                };
                let outcome = tree.scan_delimited_at(pin, &of, seqno, &mut count, visit);
                write_output(visited, count);
                outcome?;
                read_status(tree, seqno, &ending)
            })
        }
    })
}

/// Returns the status of a scan at a number, which may have become too old during the scan.
fn read_status(tree: VersionedTree<'_>, seqno: u64, ending: &Ending) -> Result<i32, i32> {
    match tree.was_readable(seqno) {
        true => Ok(ending.status()),
        false => Err(ending.status().min(MASSTREE_TOO_OLD)),
    }
}

/// Visits the versions of a range, tombstones among them, in the order of versions: what a flush or
/// the capture of changes reads. It sees versions of groups that are not published yet, and, as
/// masstree_scan, perhaps versions that are stored during the scan.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range    NULL for everything, ascending; or a struct that was initialised with
///                 MASSTREE_VERSION_RANGE_INIT.
/// @param visit    Called for each version.
/// @param ctx      Passed to visit.
/// @param visited  Receives the number of versions visited, as in masstree_scan. May be NULL.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit, or until the
///                                visitor stopped.
/// @retval MASSTREE_INVALID       tree or visit is NULL; a bound is NULL and its length is not 0; the
///                                lower bound is behind the upper; a kind of bound or a flag is
///                                unknown; a reserved field is not 0; struct_size is too small, or a
///                                byte of the struct that this library does not know is not zero.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
/// @retval MASSTREE_KEY_TOO_LONG  A bound exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree is not versioned.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @return The negative number that the visitor returned.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_scan_versions(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const VersionScan,
    visit: VersionVisitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            // As in masstree_scan_at.
            let visit = visit.ok_or(MASSTREE_INVALID)?;
            let (range, ending) = decode_versions(range)?;
            let visit = adapt(visit, ctx, &ending);
            on_versioned_read(tree, guard, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.index().count_call());
                let mut count = 0;
                let outcome = tree.scan_versions(pin, &range, &mut count, visit);
                write_output(visited, count);
                outcome?;
                Ok(ending.status())
            })
        }
    })
}

/// Called for each range tombstone.
///
/// @param lower      The first key of the range; the bytes are valid as long as the guard that the
///                   call runs under is held, and without a guard during this call only. Never NULL.
/// @param lower_len  Length of lower in bytes.
/// @param upper      The key at which the range ends; as lower.
/// @param upper_len  Length of upper in bytes.
/// @param seqno      The tombstone's number.
/// @param ctx        The ctx that was passed to the scan.
///
/// @return As masstree_visitor_t, whose rules apply.
pub type RangeVisitor = Option<
    unsafe extern "C" fn(
        lower: *const c_void,
        lower_len: usize,
        upper: *const c_void,
        upper_len: usize,
        seqno: u64,
        ctx: *mut c_void,
    ) -> i32,
>;

/// Visits the range tombstones of a tree, as they were added with masstree_remove_range_at, in no
/// particular order.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param visit    Called for each range tombstone.
/// @param ctx      Passed to visit.
/// @param visited  Receives the number of range tombstones visited. May be NULL.
///
/// @retval MASSTREE_OK          All were visited, or the visitor stopped.
/// @retval MASSTREE_INVALID     tree or visit is NULL.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree is not versioned.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
/// @return The negative number that the visitor returned.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_scan_range_tombstones(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    visit: RangeVisitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    status_of(|| {
        let visit = visit.ok_or(MASSTREE_INVALID)?;
        let ending = Ending::in_status();
        let mut count = 0;
        // SAFETY: as this function's contract; the visitor is called as its type says.
        unsafe {
            on_versioned_read(tree, guard, |tree, pin| {
                tree.each_range_tombstone(pin, |lower, upper, number| {
                    count += 1;
                    let (from, to) = (lower.as_ptr().cast(), upper.as_ptr().cast());
                    let result = visit(from, lower.len(), to, upper.len(), number, ctx);
                    control_flow(result, &ending)
                });
                write_output(visited, count);
                Ok(ending.status())
            })
        }
    })
}
