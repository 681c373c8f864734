//! Range scans that roll keys up by a delimiter.

use std::ffi::c_void;

use super::scan::{
    BytesVisitor, Ending, Item, ScanRange, Visitor, bytes_visitor, control_flow,
    decode_with_ending, word_visitor,
};
use crate::ffi::boundary::{ValueKind, key_bytes, on_tree, status_of, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::tree::{Delimited, Entry};

/// Called for each common prefix of a delimited scan, between the calls for keys, in order.
///
/// @param prefix      The prefix's bytes, of which the delimiter is the end; valid during this call
///                    only. Never NULL.
/// @param prefix_len  Their length in bytes.
/// @param ctx         The ctx that was passed to the scan.
///
/// @return As masstree_visitor_t, whose rules apply.
pub type PrefixVisitor =
    Option<unsafe extern "C" fn(prefix: *const c_void, prefix_len: usize, ctx: *mut c_void) -> i32>;

/// Visits the keys of a range in order, like masstree_scan, but rolls keys up as listings of object
/// stores do: keys in which the delimiter occurs after the range's prefix are not visited. Instead the
/// scan visits once, for all that have it in common, what these keys begin with, up to and including the
/// first such delimiter. With "/" and the prefix "a/", a/b is a key, and a/c/d and a/c/e are the common
/// prefix a/c/. Costs a descent for each key and prefix visited, however many keys a prefix stands for.
///
/// A key that is in the tree during the whole scan is visited exactly once, or its common prefix is. A
/// key that is inserted or removed during the scan is visited at most once, and so is each common prefix;
/// it is visited only if a key that begins with it was in the tree at some moment of the scan.
///
/// The next page of a listing begins after the last entry visited, which is a key or a common prefix:
/// pass it as the bound where the scan begins, exclusive (the lower one, or the upper one with
/// MASSTREE_SCAN_REVERSE). If such a bound is a common prefix of the range, the keys that begin with it
/// are excluded, too. In any other case a bound excludes only keys: a common prefix is visited if a key
/// within the bounds begins with it.
///
/// @param tree           The tree.
/// @param guard          A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range          As in masstree_scan; MASSTREE_SCAN_VALUES_ONLY has no effect. The limit is of
///                       keys and common prefixes together.
/// @param delimiter      delimiter_len bytes, which may be any; NULL only if delimiter_len is 0.
/// @param delimiter_len  Length of the delimiter in bytes; 0: no key is rolled up.
/// @param visit          Called for each key that is not rolled up.
/// @param visit_prefix   Called for each common prefix.
/// @param ctx            Passed to visit and visit_prefix.
/// @param visited        Receives the number of keys and common prefixes visited, as in masstree_scan.
///                       May be NULL.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit, or until a visitor
///                                stopped.
/// @retval MASSTREE_INVALID       visit_prefix is NULL, or delimiter is NULL and delimiter_len is not
///                                0; otherwise as in masstree_scan.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer or the common prefix's.
/// @retval MASSTREE_KEY_TOO_LONG  A bound, the prefix or the delimiter exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and flags lacks
///                                MASSTREE_SCAN_KEYS_ONLY.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @return The negative number that a visitor returned.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_scan_delimited(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    delimiter: *const c_void,
    delimiter_len: usize,
    visit: Visitor,
    visit_prefix: PrefixVisitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let visit = word_visitor(visit, ctx)?;
            let visit_prefix = prefix_visitor(visit_prefix, ctx)?;
            let (of, keys_only, ending) = decode_delimited(range, delimiter, delimiter_len)?;
            let values = match keys_only {
                true => Shown::Nothing,
                false => Shown::Words,
            };
            scan(
                tree,
                guard,
                (&of, &ending),
                values,
                visited,
                visit,
                visit_prefix,
            )
        }
    })
}

/// Like masstree_scan_delimited, for a tree of byte strings.
///
/// @param tree           The tree.
/// @param guard          A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range          As in masstree_scan_delimited.
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
/// @retval MASSTREE_WRONG_KIND    The tree does not hold byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @return The negative number that a visitor returned.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_scan_delimited_bytes(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    delimiter: *const c_void,
    delimiter_len: usize,
    visit: BytesVisitor,
    visit_prefix: PrefixVisitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let visit = bytes_visitor(visit, ctx)?;
            let visit_prefix = prefix_visitor(visit_prefix, ctx)?;
            let (of, keys_only, ending) = decode_delimited(range, delimiter, delimiter_len)?;
            let values = Shown::Bytes { keys_only };
            scan(
                tree,
                guard,
                (&of, &ending),
                values,
                visited,
                visit,
                visit_prefix,
            )
        }
    })
}

/// What the visitor gets beside each key.
#[derive(Clone, Copy)]
enum Shown {
    Nothing,
    Words,
    Bytes { keys_only: bool },
}

/// Converts a range and a delimiter from C; returns whether only keys are requested, and where the number
/// with which a visitor ends the call goes.
///
/// # Safety
/// As `masstree_scan_delimited`, and `decode_with_ending`.
pub(in crate::ffi) unsafe fn decode_delimited<'k>(
    range: *const ScanRange,
    delimiter: *const c_void,
    delimiter_len: usize,
) -> Result<(Delimited<'k>, bool, Ending), i32> {
    // SAFETY: as this function's contract.
    let (range, keys_only, ending) = unsafe { decode_with_ending(range) }?;
    // SAFETY: as above.
    let delimiter = unsafe { key_bytes(delimiter, delimiter_len) }?;
    Ok((Delimited { range, delimiter }, keys_only, ending))
}

/// Adapts a visitor of common prefixes.
///
/// # Safety
/// The visitor may be called with `ctx` as long as the result exists.
pub(in crate::ffi) unsafe fn prefix_visitor(
    visit: PrefixVisitor,
    ctx: *mut c_void,
) -> Result<impl FnMut(&[u8]) -> i32, i32> {
    let visit = visit.ok_or(MASSTREE_INVALID)?;
    // SAFETY: by contract.
    Ok(move |prefix: &[u8]| unsafe { visit(prefix.as_ptr().cast(), prefix.len(), ctx) })
}

/// # Safety
/// As `masstree_scan_delimited`.
unsafe fn scan(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    (of, ending): (&Delimited<'_>, &Ending),
    values: Shown,
    visited: *mut usize,
    mut visit: impl FnMut(Item<'_>) -> i32,
    mut visit_prefix: impl FnMut(&[u8]) -> i32,
) -> Result<i32, i32> {
    let kind = match values {
        Shown::Nothing => ValueKind::Any,
        Shown::Words => ValueKind::Words,
        Shown::Bytes { .. } => ValueKind::Bytes,
    };
    // SAFETY: as this function's contract.
    unsafe {
        on_tree(tree, guard, kind, |tree, pin| {
            // The statistics count scans without a guard, too.
            let _counted = guard.is_null().then(|| tree.count_call());
            let mut count = 0;
            let see = |_: &[u8], word| Some(word);
            let outcome = tree.scan_delimited(pin, of, &mut count, see, |entry| {
                let result = match entry {
                    Entry::CommonPrefix(prefix) => visit_prefix(prefix),
                    Entry::Key(key, word) => {
                        let (value, bytes) = match values {
                            Shown::Words => (word, &[][..]),
                            Shown::Bytes { keys_only: false } => (word, tree.bytes_of(pin, word)),
                            Shown::Nothing | Shown::Bytes { keys_only: true } => (0, &[][..]),
                        };
                        visit(Item { key, value, bytes })
                    }
                };
                pin.check_thread();
                control_flow(result, ending)
            });
            write_output(visited, count);
            outcome?;
            Ok(ending.status())
        })
    }
}
