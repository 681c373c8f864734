//! # Ranges
//!
//! Range scans.

use std::cell::Cell;
use std::ffi::c_void;
use std::ops::ControlFlow;

use crate::ffi::boundary::{self, ValueKind, key_bytes, status_of, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::node::Observation;
use crate::index::reclaim::Pinned;
use crate::index::tree::{Bound, Range, Tree};

/// Kind of a bound: unbounded; the other fields of the bound are not read.
pub const MASSTREE_BOUND_OPEN: u32 = 0;
/// Kind of a bound: the range includes the bound.
pub const MASSTREE_BOUND_INCLUSIVE: u32 = 1;
/// Kind of a bound: the range excludes the bound.
pub const MASSTREE_BOUND_EXCLUSIVE: u32 = 2;

/// Flag of a scan: visit the keys in descending order.
pub const MASSTREE_SCAN_REVERSE: u32 = 1;
/// Flag of a scan: pass no values to the visitor (0, or length 0).
pub const MASSTREE_SCAN_KEYS_ONLY: u32 = 2;
/// Flag of a scan: pass no keys to the visitor (length 0), which saves assembling them.
pub const MASSTREE_SCAN_VALUES_ONLY: u32 = 4;

/// Returned by a visitor: continue.
pub const MASSTREE_VISIT_CONTINUE: i32 = 0;
/// Returned by a visitor: end the scan with MASSTREE_OK.
pub const MASSTREE_VISIT_STOP: i32 = 1;

/// The range of a scan. Start from MASSTREE_RANGE_INIT (everything, ascending, no limit) and
/// set the fields that you need; struct_size works as in masstree_options_t. The bounds and the
/// prefix are read during the scan and must not change.
///
/// Keys are ordered as memcmp orders them; a key sorts before every longer key that begins with
/// it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ScanRange {
    /// sizeof(masstree_range_t); MASSTREE_RANGE_INIT sets it.
    pub struct_size: usize,
    /// The lower bound: lower_len bytes; NULL only if lower_len is 0.
    pub lower: *const c_void,
    /// Length of the lower bound in bytes.
    pub lower_len: usize,
    /// The upper bound: upper_len bytes; NULL only if upper_len is 0.
    pub upper: *const c_void,
    /// Length of the upper bound in bytes.
    pub upper_len: usize,
    /// Visit only keys that begin with these bytes, within the bounds; NULL only if prefix_len
    /// is 0.
    pub prefix: *const c_void,
    /// Length of the prefix in bytes; 0: all keys.
    pub prefix_len: usize,
    /// Visit at most this many keys; 0: no limit.
    pub limit: usize,
    /// MASSTREE_BOUND_OPEN, MASSTREE_BOUND_INCLUSIVE or MASSTREE_BOUND_EXCLUSIVE.
    pub lower_bound: u32,
    /// MASSTREE_BOUND_OPEN, MASSTREE_BOUND_INCLUSIVE or MASSTREE_BOUND_EXCLUSIVE.
    pub upper_bound: u32,
    /// 0, or MASSTREE_SCAN_REVERSE, MASSTREE_SCAN_KEYS_ONLY, MASSTREE_SCAN_VALUES_ONLY,
    /// combined with |; the last two exclude each other.
    pub flags: u32,
    /// Must be 0.
    pub reserved: u32,
    /// NULL: a visitor's negative number is the status of the call. Otherwise *visitor_result receives the
    /// number with which a visitor has ended the call, whatever it is, and the call returns
    /// MASSTREE_OK; 0 if no visitor has ended it. Not written if the call fails. Functions without a
    /// visitor do not use it.
    pub visitor_result: *mut i32,
}

/// Called for each key of a scan, in order.
///
/// @param key      The key's bytes; valid during this call only. Never NULL, not even for the
///                 empty key.
/// @param key_len  Their length in bytes.
/// @param value    The key's value; if it is a pointer, see masstree_get.
/// @param ctx      The ctx that was passed to the scan.
///
/// @return MASSTREE_VISIT_CONTINUE; or MASSTREE_VISIT_STOP, or any other positive number, to
/// end the scan with MASSTREE_OK; or a negative number to end the scan with that number as its
/// status: one of the visitor's own is at most MASSTREE_OWN_STATUS. With visitor_result in
/// masstree_range_t, the number is returned there instead, positive or negative.
///
/// No lock is held. The visitor may call any function on this tree or another, but must not
/// refresh or leave the guard that the scan runs under, and must not destroy the tree. It must
/// return (no longjmp, no C++ exception, no pthread_exit): otherwise the pin of the scan is
/// never released. It may yield to a scheduler that continues it on another thread only if the
/// scan runs under a guard.
pub type Visitor = Option<
    unsafe extern "C" fn(key: *const c_void, key_len: usize, value: u64, ctx: *mut c_void) -> i32,
>;

/// Called for each key of a scan of a tree of byte strings, in order.
///
/// @param key        The key's bytes; valid during this call only. Never NULL, not even for the
///                   empty key.
/// @param key_len    Their length in bytes.
/// @param value      The value's bytes; valid as long as the guard that the scan runs under is
///                   held, and without a guard during this call only. Never NULL, not even for
///                   the empty value.
/// @param value_len  Their length in bytes.
/// @param ctx        The ctx that was passed to the scan.
///
/// @return As masstree_visitor_t, whose rules apply.
pub type BytesVisitor = Option<
    unsafe extern "C" fn(
        key: *const c_void,
        key_len: usize,
        value: *const c_void,
        value_len: usize,
        ctx: *mut c_void,
    ) -> i32,
>;

/// Visits the keys of a range in order.
///
/// Visits a key that is in the tree during the whole scan exactly once, and a key that is
/// inserted or removed during the scan at most once. Each leaf (up to 15 keys) is read as a
/// consistent snapshot; the range as a whole is not a snapshot.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range    NULL for everything, ascending; or a struct that was initialised with
///                 MASSTREE_RANGE_INIT.
/// @param visit    Called for each key.
/// @param ctx      Passed to visit.
/// @param visited  Receives the number of keys visited, including the one at which the visitor
///                 stopped; also if the visitor ends the scan with a status of its own, and
///                 with MASSTREE_NOMEM, so that the scan can be resumed. May be NULL.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit,
///                                or until the visitor stopped.
/// @retval MASSTREE_INVALID       tree or visit is NULL; a bound or the prefix is NULL and its
///                                length is not 0; the lower bound is above the upper; a kind
///                                of bound or a flag is unknown, or two flags exclude each
///                                other; a reserved field is not 0; struct_size is too small,
///                                or a byte of the struct that this library does not know is
///                                not zero.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and flags lacks
///                                MASSTREE_SCAN_KEYS_ONLY.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @return The negative number that the visitor returned.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_scan(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    visit: Visitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            scan(
                tree,
                guard,
                range,
                ValueKind::Words,
                visited,
                NO_LEAF_VISITOR,
                word_visitor(visit, ctx)?,
            )
        }
    })
}

/// Like masstree_scan, for a tree of byte strings.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range    As in masstree_scan.
/// @param visit    Called for each key.
/// @param ctx      Passed to visit.
/// @param visited  As in masstree_scan.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit,
///                                or until the visitor stopped.
/// @retval MASSTREE_INVALID       As in masstree_scan.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @return The negative number that the visitor returned.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_scan_bytes(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    visit: BytesVisitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            scan(
                tree,
                guard,
                range,
                ValueKind::Bytes,
                visited,
                NO_LEAF_VISITOR,
                bytes_visitor(visit, ctx)?,
            )
        }
    })
}

/// Counts the keys of a range, one by one, but faster than a scan: no key is assembled and no
/// visitor called.
///
/// @param tree   The tree, of words or byte strings.
/// @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range  As in masstree_scan; flags have no effect.
/// @param count  Receives the number of keys. May be NULL.
///
/// @retval MASSTREE_OK            *count is the number of keys in the range, at most the limit.
/// @retval MASSTREE_INVALID       As in masstree_scan.
/// @retval MASSTREE_NOMEM         Out of memory for the walk.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_count(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    count: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let (mut range, _) = decode(range)?;
            range.values_only = true;
            boundary::on_tree(tree, guard, ValueKind::Any, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.count_call());
                let visited = tree.scan(pin, &range, &mut |_, _| ControlFlow::Continue(()))?;
                write_output(count, visited);
                Ok(MASSTREE_OK)
            })
        }
    })
}

/// The key and the value that a visitor is called with.
pub(in crate::ffi) struct Item<'v> {
    pub(in crate::ffi) key: &'v [u8],
    pub(in crate::ffi) value: u64,
    pub(in crate::ffi) bytes: &'v [u8],
}

/// Adapts a visitor of words.
///
/// # Safety
/// The visitor may be called with `ctx` as long as the result exists.
#[inline]
pub(in crate::ffi) unsafe fn word_visitor(
    visit: Visitor,
    ctx: *mut c_void,
) -> Result<impl FnMut(Item<'_>) -> i32, i32> {
    let visit = visit.ok_or(MASSTREE_INVALID)?;
    // SAFETY: by contract.
    Ok(move |item: Item<'_>| unsafe {
        visit(item.key.as_ptr().cast(), item.key.len(), item.value, ctx)
    })
}

/// Adapts a visitor of byte strings.
///
/// # Safety
/// As `word_visitor`.
#[inline]
pub(in crate::ffi) unsafe fn bytes_visitor(
    visit: BytesVisitor,
    ctx: *mut c_void,
) -> Result<impl FnMut(Item<'_>) -> i32, i32> {
    let visit = visit.ok_or(MASSTREE_INVALID)?;
    // SAFETY: by contract.
    Ok(move |item: Item<'_>| unsafe {
        visit(
            item.key.as_ptr().cast(),
            item.key.len(),
            item.bytes.as_ptr().cast(),
            item.bytes.len(),
            ctx,
        )
    })
}

/// For scans that are not observed: no visitor of leaves.
const NO_LEAF_VISITOR: Option<fn(&Observation) -> i32> = None;

/// Scans a tree of either kind of values. Calls `show` for each leaf, before the leaf's keys are
/// visited. Compiled separately for each visitor.
///
/// # Safety
/// As `masstree_scan`.
// inline(always): measured together with `tree::walk`.
#[inline(always)]
pub(in crate::ffi) unsafe fn scan(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    values: ValueKind,
    visited: *mut usize,
    show: Option<impl FnMut(&Observation) -> i32>,
    mut visit: impl FnMut(Item<'_>) -> i32,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    let (range, keys_only, ending) = unsafe { decode_with_ending(range) }?;
    let values = match values {
        ValueKind::Words if keys_only => ValueKind::Any,
        values => values,
    };
    let run = |tree: &Tree, pin: Pinned<'_>| {
        // The statistics count scans without a guard, too.
        let _counted = guard.is_null().then(|| tree.count_call());
        let mut count = 0;
        let passes_bytes = values == ValueKind::Bytes && !keys_only;
        let value_mask = if keys_only { 0 } else { u64::MAX };
        let visitor = |key: &[u8], value: u64| {
            let result = visit(Item {
                key,
                value: value & value_mask,
                bytes: if passes_bytes {
                    tree.bytes_of(pin, value)
                } else {
                    &[]
                },
            });
            pin.check_thread();
            control_flow(result, &ending)
        };
        let outcome = match show {
            None => tree.scan_counting(pin, &range, &mut count, visitor),
            Some(mut show) => tree.scan_observed(pin, &range, &mut count, visitor, |leaf| {
                control_flow(show(leaf), &ending)
            }),
        };
        // SAFETY: NULL or writable by contract.
        unsafe { write_output(visited, count) };
        outcome?;
        Ok(ending.status())
    };
    // SAFETY: as this function's contract.
    unsafe { boundary::on_tree(tree, guard, values, run) }
}

/// The number with which a visitor has ended a call, and where its caller wants it.
pub(in crate::ffi) struct Ending {
    number: Cell<i32>,
    /// NULL: in the status.
    to: *mut i32,
}

impl Ending {
    /// # Safety
    /// `to` is NULL, or writable for as long as the result exists.
    #[inline]
    pub(in crate::ffi) unsafe fn new(to: *mut i32) -> Self {
        Self {
            number: Cell::new(MASSTREE_VISIT_CONTINUE),
            to,
        }
    }

    /// For a call that returns a negative number as its status.
    pub(in crate::ffi) fn in_status() -> Self {
        // SAFETY: NULL.
        unsafe { Self::new(std::ptr::null_mut()) }
    }

    /// Returns the status of the call; stores the number if the caller wants it elsewhere.
    #[inline]
    pub(in crate::ffi) fn status(&self) -> i32 {
        let number = self.number.get();
        if self.to.is_null() {
            return number.min(MASSTREE_OK);
        }
        // SAFETY: by the contract of `new`.
        unsafe { self.to.write(number) };
        MASSTREE_OK
    }
}

/// Converts the result of a visitor to control flow; records the number that ends a call.
#[inline]
pub(in crate::ffi) fn control_flow(result: i32, ending: &Ending) -> ControlFlow<()> {
    if result == MASSTREE_VISIT_CONTINUE {
        return ControlFlow::Continue(());
    }
    ending.number.set(result);
    ControlFlow::Break(())
}

/// Converts a range from C, and returns whether only keys are requested; an invalid range is an
/// error status.
///
/// # Safety
/// As `masstree_scan`.
pub(in crate::ffi) unsafe fn decode<'k>(range: *const ScanRange) -> Result<(Range<'k>, bool), i32> {
    // SAFETY: by contract.
    let (range, keys_only, _) = unsafe { decode_with_ending(range) }?;
    Ok((range, keys_only))
}

/// `decode`, and where the number with which a visitor ends the call goes.
///
/// # Safety
/// As `decode`; `visitor_result` is NULL, or writable for as long as the result exists.
#[inline]
pub(in crate::ffi) unsafe fn decode_with_ending<'k>(
    range: *const ScanRange,
) -> Result<(Range<'k>, bool, Ending), i32> {
    if range.is_null() {
        return Ok((Range::all(), false, Ending::in_status()));
    }
    // SAFETY: not NULL, and `struct_size` bytes are readable by contract; all
    // zero is a valid `ScanRange`.
    let range = unsafe { boundary::sized_struct::<ScanRange>(range) }?;
    let known = MASSTREE_SCAN_REVERSE | MASSTREE_SCAN_KEYS_ONLY | MASSTREE_SCAN_VALUES_ONLY;
    let keys_only = range.flags & MASSTREE_SCAN_KEYS_ONLY != 0;
    let values_only = range.flags & MASSTREE_SCAN_VALUES_ONLY != 0;
    if range.flags & !known != 0 || range.reserved != 0 || (keys_only && values_only) {
        return Err(MASSTREE_INVALID);
    }
    // SAFETY: the bounds are readable by contract.
    let decoded = unsafe {
        Range {
            lower: bound(range.lower_bound, range.lower, range.lower_len)?,
            upper: bound(range.upper_bound, range.upper, range.upper_len)?,
            prefix: key_bytes(range.prefix, range.prefix_len)?,
            limit: if range.limit == 0 {
                usize::MAX
            } else {
                range.limit
            },
            reverse: range.flags & MASSTREE_SCAN_REVERSE != 0,
            values_only,
        }
    };
    if decoded.is_reversed() {
        return Err(MASSTREE_INVALID);
    }
    // SAFETY: by contract.
    let ending = unsafe { Ending::new(range.visitor_result) };
    Ok((decoded, keys_only, ending))
}

/// # Safety
/// `bytes` is NULL or points to `len` readable bytes, unless the kind is open.
unsafe fn bound<'k>(kind: u32, bytes: *const c_void, len: usize) -> Result<Bound<'k>, i32> {
    match kind {
        MASSTREE_BOUND_OPEN => Ok(Bound::Open),
        // SAFETY: as this function's contract.
        MASSTREE_BOUND_INCLUSIVE => Ok(Bound::Included(unsafe { key_bytes(bytes, len) }?)),
        // SAFETY: as this function's contract.
        MASSTREE_BOUND_EXCLUSIVE => Ok(Bound::Excluded(unsafe { key_bytes(bytes, len) }?)),
        _ => Err(MASSTREE_INVALID),
    }
}
