//! # Ranges
//!
//! Range scans.

use std::cell::Cell;
use std::ffi::c_void;
use std::ops::ControlFlow;

use crate::ffi::boundary::{self, For, entry, give, key_bytes};
use crate::ffi::handle::GuardHandle;
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;
use crate::index::node::Observation;
use crate::index::reclaim::Pinned;
use crate::index::tree::{Bound, Range, Tree};

/// Kind of a bound: there is none; the other fields of the bound are not read.
pub const MASSTREE_BOUND_OPEN: u32 = 0;
/// Kind of a bound: the bound itself belongs to the range.
pub const MASSTREE_BOUND_INCLUSIVE: u32 = 1;
/// Kind of a bound: the bound itself does not belong to the range.
pub const MASSTREE_BOUND_EXCLUSIVE: u32 = 2;

/// Flag of a scan: from the upper end of the range to the lower.
pub const MASSTREE_SCAN_REVERSE: u32 = 1;
/// Flag of a scan: the visitor gets no values (0, or length 0).
pub const MASSTREE_SCAN_KEYS_ONLY: u32 = 2;
/// Flag of a scan: the visitor gets no keys (length 0), which spares putting them
/// together.
pub const MASSTREE_SCAN_VALUES_ONLY: u32 = 4;

/// Answer of a visitor: go on.
pub const MASSTREE_CONTINUE: i32 = 0;
/// Answer of a visitor: stop here; the scan answers MASSTREE_OK.
pub const MASSTREE_STOP: i32 = 1;

/// The range of a scan. Start from MASSTREE_RANGE_INIT (everything, forward, no
/// limit) and set what you need; struct_size works as in masstree_options_t. The
/// bytes pointed to are read during the scan and must stay as they are.
///
/// Keys are ordered as memcmp orders them; of two keys of which one begins with
/// the other, the shorter is the smaller.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ScanRange {
    /// sizeof(masstree_range_t); MASSTREE_RANGE_INIT sets it.
    pub struct_size: usize,
    /// The lower bound's bytes; NULL only if lower_len is 0.
    pub lower: *const c_void,
    /// Length of the lower bound in bytes.
    pub lower_len: usize,
    /// The upper bound's bytes; NULL only if upper_len is 0.
    pub upper: *const c_void,
    /// Length of the upper bound in bytes.
    pub upper_len: usize,
    /// Only keys that begin with these bytes, within the bounds; NULL only if
    /// prefix_len is 0.
    pub prefix: *const c_void,
    /// Length of the prefix in bytes; 0: every key.
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
}

/// Called for each key of a scan, in order.
///
/// @param key      The key's bytes; valid during this call only. Not NULL, also
///                 for the empty key.
/// @param key_len  Their number.
/// @param value    The key's value; if it is a pointer, see masstree_get.
/// @param ctx      What was passed to the scan.
///
/// @return MASSTREE_CONTINUE, or MASSTREE_STOP (any positive number) to end the
/// scan with MASSTREE_OK, or a negative number to end it with that number as its
/// status.
///
/// No lock is held. The visitor may call any function on this tree or another,
/// but must not refresh or leave the guard the scan runs under, and must not
/// destroy the tree. It must return: no longjmp, no C++ exception, no pthread_exit,
/// for then the scan's pin is never let go. It may yield to a scheduler that goes on with
/// it on another thread only if the scan runs under a guard.
pub type Visitor = Option<
    unsafe extern "C" fn(key: *const c_void, key_len: usize, value: u64, ctx: *mut c_void) -> i32,
>;

/// Called for each key of a scan of a tree of byte strings, in order.
///
/// @param key        The key's bytes; valid during this call only. Not NULL, also
///                   for the empty key.
/// @param key_len    Their number.
/// @param value      The value's bytes; valid as long as the guard that the scan runs
///                   under, during this call only without one. Not NULL, also for the
///                   empty value.
/// @param value_len  Their number.
/// @param ctx        What was passed to the scan.
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
/// Keys come strictly in order. A key that is in the tree during the whole scan
/// is visited exactly once; one inserted or removed meanwhile at most once. Each
/// leaf (up to 15 keys) is read as a consistent snapshot; there is no snapshot of
/// the whole range.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
/// @param range    NULL for everything, forward; or a struct started from
///                 MASSTREE_RANGE_INIT.
/// @param visit    Called for each key.
/// @param ctx      Handed to visit.
/// @param visited  Where the number of keys visited is stored, the one at which
///                 the visitor stopped included; NULL: not wanted. It is written
///                 also when the visitor ends the scan with a status of its own,
///                 and when memory runs out, so that a scan can be resumed.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit,
///                                or until the visitor stopped.
/// @retval MASSTREE_INVALID       tree or visit is NULL; a bound or the prefix is
///                                NULL with a length; the lower bound is above
///                                the upper; a kind of bound or a flag is
///                                unknown, or two flags exclude each other; a
///                                reserved field is not 0; struct_size is too small,
///                                or a byte of the struct that this library does not
///                                know is not zero.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix is over 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and the flags do not say
///                                MASSTREE_SCAN_KEYS_ONLY.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
/// @return A negative number that the visitor answered.
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
    entry(|| {
        // SAFETY: as this function's contract.
        unsafe {
            scan(
                tree,
                guard,
                range,
                For::Words,
                visited,
                UNOBSERVED,
                of_words(visit, ctx)?,
            )
        }
    })
}

/// masstree_scan for a tree of byte strings.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
/// @param range    As in masstree_scan.
/// @param visit    Called for each key.
/// @param ctx      Handed to visit.
/// @param visited  As in masstree_scan.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit,
///                                or until the visitor stopped.
/// @retval MASSTREE_INVALID       As in masstree_scan.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix is over 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
/// @return A negative number that the visitor answered.
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
    entry(|| {
        // SAFETY: as this function's contract.
        unsafe {
            scan(
                tree,
                guard,
                range,
                For::Bytes,
                visited,
                UNOBSERVED,
                of_bytes(visit, ctx)?,
            )
        }
    })
}

/// Counts the keys of a range, one by one; faster than a scan, for no key is put
/// together and nothing called.
///
/// @param tree   The tree, of words or byte strings.
/// @param guard  A guard of this tree, or NULL to be pinned for this call.
/// @param range  As in masstree_scan; the flags do not matter.
/// @param count  Where the number of keys is stored; NULL: not wanted.
///
/// @retval MASSTREE_OK            *count is the number of keys in the range, the limit
///                                at most.
/// @retval MASSTREE_INVALID       As in masstree_scan.
/// @retval MASSTREE_NOMEM         Out of memory for the walk.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix is over 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_count(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    count: *mut usize,
) -> i32 {
    entry(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let (mut range, _) = decode(range)?;
            range.values_only = true;
            boundary::on_tree(tree, guard, For::Any, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.count_call());
                let visited = tree.scan(pin, &range, &mut |_, _| ControlFlow::Continue(()))?;
                give(count, visited);
                Ok(MASSTREE_OK)
            })
        }
    })
}

/// What a visitor gets of a key.
pub(in crate::ffi) struct Visited<'v> {
    pub(in crate::ffi) key: &'v [u8],
    pub(in crate::ffi) value: u64,
    pub(in crate::ffi) bytes: &'v [u8],
}

/// What hands keys and words to a visitor.
///
/// # Safety
/// The visitor may be called with `ctx`, as long as what is given is.
#[inline]
pub(in crate::ffi) unsafe fn of_words(
    visit: Visitor,
    ctx: *mut c_void,
) -> Result<impl FnMut(Visited<'_>) -> i32, i32> {
    let visit = visit.ok_or(MASSTREE_INVALID)?;
    // SAFETY: by contract.
    Ok(move |item: Visited<'_>| unsafe {
        visit(item.key.as_ptr().cast(), item.key.len(), item.value, ctx)
    })
}

/// What hands keys and byte strings to a visitor.
///
/// # Safety
/// As `of_words`.
#[inline]
pub(in crate::ffi) unsafe fn of_bytes(
    visit: BytesVisitor,
    ctx: *mut c_void,
) -> Result<impl FnMut(Visited<'_>) -> i32, i32> {
    let visit = visit.ok_or(MASSTREE_INVALID)?;
    // SAFETY: by contract.
    Ok(move |item: Visited<'_>| unsafe {
        visit(
            item.key.as_ptr().cast(),
            item.key.len(),
            item.bytes.as_ptr().cast(),
            item.bytes.len(),
            ctx,
        )
    })
}

/// Who gets the leaves of a scan that nobody observes.
const UNOBSERVED: Option<fn(&Observation) -> i32> = None;

/// The scan behind both kinds; `show` gets each leaf before its keys. Compiled for each
/// visitor.
///
/// # Safety
/// As `masstree_scan`.
#[inline(always)]
pub(in crate::ffi) unsafe fn scan(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    values: For,
    visited: *mut usize,
    show: Option<impl FnMut(&Observation) -> i32>,
    mut visit: impl FnMut(Visited<'_>) -> i32,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    let (range, keys_only) = unsafe { decode(range) }?;
    let values = match values {
        For::Words if keys_only => For::Any,
        values => values,
    };
    let run = |tree: &Tree, pin: Pinned<'_>| {
        // The statistics should see who stays long; a guard they see anyway.
        let _counted = guard.is_null().then(|| tree.count_call());
        let status = Cell::new(MASSTREE_OK);
        let mut count = 0;
        let of_bytes = values == For::Bytes && !keys_only;
        let shown = if keys_only { 0 } else { u64::MAX };
        let visitor = |key: &[u8], value: u64| {
            let answer = visit(Visited {
                key,
                value: value & shown,
                bytes: if of_bytes {
                    tree.bytes_of(pin, value)
                } else {
                    &[]
                },
            });
            pin.check_thread();
            flow(answer, &status)
        };
        let outcome = match show {
            None => tree.scan_counting(pin, &range, &mut count, visitor),
            Some(mut show) => tree.scan_observed(pin, &range, &mut count, visitor, |leaf| {
                flow(show(leaf), &status)
            }),
        };
        // SAFETY: NULL or writable by contract.
        unsafe { give(visited, count) };
        outcome?;
        Ok(status.get())
    };
    // SAFETY: as this function's contract.
    unsafe { boundary::on_tree(tree, guard, values, run) }
}

/// Whether a scan goes on after an answer; if not, what its status is.
#[inline]
fn flow(answer: i32, status: &Cell<i32>) -> ControlFlow<()> {
    if answer == MASSTREE_CONTINUE {
        return ControlFlow::Continue(());
    }
    status.set(answer.min(MASSTREE_OK));
    ControlFlow::Break(())
}

/// Converts a range from C; what is wrong with it becomes its status.
///
/// # Safety
/// As `masstree_scan`.
/// Also gives whether only keys are wanted.
unsafe fn decode<'k>(range: *const ScanRange) -> Result<(Range<'k>, bool), i32> {
    if range.is_null() {
        return Ok((Range::all(), false));
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
    Ok((decoded, keys_only))
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
