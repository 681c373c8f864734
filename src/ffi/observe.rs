//! Observations: what transactions validate.

use std::ffi::c_void;

use super::boundary::{For, answer, entry, found, give, on_key, tree_of};
use super::bytes::{Slice, give_slice};
use super::cursor::{CursorHandle, on_cursor};
use super::guard::GuardHandle;
use super::scan::{BytesVisitor, ScanRange, Visitor, scan};
use super::status::*;
use super::tree::TreeHandle;
use crate::node::Observation;

/// What a leaf of a tree was when it was read: which keys it held, and so which it did not.
///
/// As long as masstree_validate finds it unchanged, whatever was read in the leaf holds,
/// and no key was added to, or removed from, the part of the tree's keys that the leaf is
/// for. Values may have been overwritten: that changes no observation.
///
/// An observation is plain data. It may be copied, kept, and validated at any time as long
/// as the tree lives, also after the guard was refreshed or left: it never leads to freed
/// memory. It says nothing in another tree.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LeafObservation {
    /// The leaf's id: never 0, a multiple of 64. Ids are used again, versions are not.
    pub node: u64,
    /// The leaf's version: compare it, do not reckon with it. Every insert and every remove
    /// of a key makes it another, and so does a split, and what ends the leaf. Overwriting a
    /// value leaves it as it is, and so does a lock. No leaf with the same id ever had it
    /// before or has it again.
    pub version: u64,
    /// How often the tree had been cleared (masstree_clear), which ends all observations.
    pub incarnation: u64,
}

const _: () = assert!(size_of::<LeafObservation>() == size_of::<Observation>());

impl LeafObservation {
    pub(super) fn of(observation: &Observation) -> Self {
        let &Observation {
            node,
            version,
            incarnation,
        } = observation;
        Self {
            node,
            version,
            incarnation,
        }
    }
}

/// Called for each leaf that a scan has read, before the keys from it.
///
/// @param observation  The leaf, as it was when the scan read it; valid during this call
///                     only.
/// @param ctx          What was passed to the scan.
///
/// @return As masstree_visitor_t, whose rules apply.
pub type LeafVisitor =
    Option<unsafe extern "C" fn(observation: *const LeafObservation, ctx: *mut c_void) -> i32>;

/// masstree_get that also says which leaf proves the answer.
///
/// @param tree         The tree.
/// @param guard        A guard of this tree, or NULL to be pinned for this call.
/// @param key          key_len bytes; NULL only if key_len is 0.
/// @param key_len      Length of the key in bytes, at most 2^32 - 1.
/// @param value        Where the value is stored; NULL: not wanted.
/// @param observation  Where the leaf is stored that holds the key or, with
///                     MASSTREE_NOT_FOUND, would hold it; NULL: not wanted.
///
/// @retval MASSTREE_OK            Found; *value is the key's value.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree, and will not be as long as
///                                *observation holds.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_observed(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: *mut u64,
    observation: *mut LeafObservation,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_key(tree, guard, key, key_len, For::Words, |tree, pin, key| {
            let (word, leaf) = tree.get_observed(pin, key);
            give(observation, LeafObservation::of(&leaf));
            answer(word, value)
        })
    }
}

/// masstree_get_observed for an integer key (see masstree_get_u64).
///
/// @param tree         The tree.
/// @param guard        A guard of this tree, or NULL to be pinned for this call.
/// @param key          The key.
/// @param value        As in masstree_get_observed.
/// @param observation  As in masstree_get_observed.
///
/// @retval MASSTREE_OK          Found; *value is the key's value.
/// @retval MASSTREE_NOT_FOUND   The key is not in the tree, and will not be as long as
///                              *observation holds.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_observed_u64(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: u64,
    value: *mut u64,
    observation: *mut LeafObservation,
) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe {
        masstree_get_observed(
            tree,
            guard,
            key.as_ptr().cast(),
            key.len(),
            value,
            observation,
        )
    }
}

/// masstree_get_bytes that also says which leaf proves the answer.
///
/// @param tree         The tree.
/// @param guard        A guard of this tree; not NULL.
/// @param key          key_len bytes; NULL only if key_len is 0.
/// @param key_len      Length of the key in bytes, at most 2^32 - 1.
/// @param value        As in masstree_get_bytes.
/// @param observation  As in masstree_get_observed.
///
/// @retval MASSTREE_OK            Found; *value is the key's value.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree, and will not be as long as
///                                *observation holds.
/// @retval MASSTREE_INVALID       tree or guard is NULL, or key is NULL with a length.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_bytes_observed(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: *mut Slice,
    observation: *mut LeafObservation,
) -> i32 {
    if guard.is_null() {
        return MASSTREE_INVALID;
    }
    // SAFETY: as this function's contract.
    unsafe {
        on_key(tree, guard, key, key_len, For::Bytes, |tree, pin, key| {
            let (word, leaf) = tree.get_observed(pin, key);
            give(observation, LeafObservation::of(&leaf));
            give_slice(word.map(|word| tree.bytes_of(pin, word)), value);
            Ok(found(word.is_some()))
        })
    }
}

/// masstree_scan that also says which leaves it has read.
///
/// As long as all of them hold, a scan of the same range would meet the same keys. One is
/// shown at least, also if the range is empty, in both directions. A leaf may be shown more
/// than once: if it had changed in between, only one of the two holds.
///
/// @param tree        The tree.
/// @param guard       A guard of this tree, or NULL to be pinned for this call.
/// @param range       As in masstree_scan. With a limit, or a visitor that stops, the leaves
///                    prove the keys up to the last one visited.
/// @param visit_leaf  Called for each leaf before the keys from it.
/// @param visit       Called for each key.
/// @param ctx         Handed to both.
/// @param visited     As in masstree_scan.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit,
///                                or until a visitor stopped.
/// @retval MASSTREE_INVALID       As in masstree_scan; or visit_leaf is NULL.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer, or the leaves.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix is over 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    As in masstree_scan.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
/// @return A negative number that a visitor answered.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_scan_observed(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    visit_leaf: LeafVisitor,
    visit: Visitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    entry(|| {
        let visit = visit.ok_or(MASSTREE_INVALID)?;
        let visit_leaf = visit_leaf.ok_or(MASSTREE_INVALID)?;
        let show = |leaf: &Observation| {
            // SAFETY: as this function's contract.
            unsafe { visit_leaf(&LeafObservation::of(leaf), ctx) }
        };
        // SAFETY: as this function's contract.
        unsafe {
            scan(
                tree,
                guard,
                range,
                For::Words,
                visited,
                Some(show),
                |item| visit(item.key.as_ptr().cast(), item.key.len(), item.value, ctx),
            )
        }
    })
}

/// masstree_scan_observed for a tree of byte strings.
///
/// @param tree        The tree.
/// @param guard       A guard of this tree, or NULL to be pinned for this call.
/// @param range       As in masstree_scan_observed.
/// @param visit_leaf  Called for each leaf before the keys from it.
/// @param visit       Called for each key.
/// @param ctx         Handed to both.
/// @param visited     As in masstree_scan.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit,
///                                or until a visitor stopped.
/// @retval MASSTREE_INVALID       As in masstree_scan_observed.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer, or the leaves.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix is over 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
/// @return A negative number that a visitor answered.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_scan_bytes_observed(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    visit_leaf: LeafVisitor,
    visit: BytesVisitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    entry(|| {
        let visit = visit.ok_or(MASSTREE_INVALID)?;
        let visit_leaf = visit_leaf.ok_or(MASSTREE_INVALID)?;
        let show = |leaf: &Observation| {
            // SAFETY: as this function's contract.
            unsafe { visit_leaf(&LeafObservation::of(leaf), ctx) }
        };
        // SAFETY: as this function's contract.
        unsafe {
            scan(
                tree,
                guard,
                range,
                For::Bytes,
                visited,
                Some(show),
                |item| {
                    visit(
                        item.key.as_ptr().cast(),
                        item.key.len(),
                        item.bytes.as_ptr().cast(),
                        item.bytes.len(),
                        ctx,
                    )
                },
            )
        }
    })
}

/// Has a cursor remember, from its next call on, which leaves a call has read.
///
/// @param cursor  The cursor.
///
/// @retval MASSTREE_OK       It does.
/// @retval MASSTREE_INVALID  cursor is NULL.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: the cursor's thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_observe(cursor: *mut CursorHandle) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |cursor, _| {
            cursor.cursor.observe();
            Ok(MASSTREE_OK)
        })
    }
}

/// The leaves that the last call of a cursor has read: a seek, or a step or many.
///
/// As long as all of them hold, the same call from the same place would come to the same
/// keys, or to MASSTREE_END.
///
/// @param cursor        The cursor, which was told to remember (masstree_cursor_observe).
/// @param observations  Where the address of the first is stored; they are the cursor's, and
///                      stay until its next seek or step, or until it is closed. Not NULL.
/// @param count         Where their number is stored; not NULL.
///
/// @retval MASSTREE_OK       Both are stored; *count is 0 if the cursor was not told to
///                           remember, or has made no call since.
/// @retval MASSTREE_INVALID  cursor, observations or count is NULL.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: the cursor's thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_observations(
    cursor: *mut CursorHandle,
    observations: *mut *const LeafObservation,
    count: *mut usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |cursor, _| {
            if observations.is_null() || count.is_null() {
                return Err(MASSTREE_INVALID);
            }
            let observed = cursor.cursor.observed();
            observations.write(observed.as_ptr().cast());
            count.write(observed.len());
            Ok(MASSTREE_OK)
        })
    }
}

/// Says whether what was observed still holds.
///
/// The call is a full fence. If it answers MASSTREE_OK, all that was observed held at one
/// moment, during this call. So of two threads that each insert a key and then validate
/// that the other's was absent, one at least gets MASSTREE_MISMATCH.
///
/// Where a thread is about to change one of the leaves, this waits for it. A thread must not
/// call this in a callback of masstree_update or masstree_get_or_insert_with.
///
/// @param tree           The tree.
/// @param observations   count observations of this tree; NULL only if count is 0.
/// @param count          Their number.
/// @param first_changed  Where, with MASSTREE_MISMATCH, the index of the first is stored
///                       that does not hold any more; NULL: not wanted.
///
/// @retval MASSTREE_OK        Everything is as it was observed.
/// @retval MASSTREE_MISMATCH  Something has changed.
/// @retval MASSTREE_INVALID   tree is NULL, or observations is NULL with a count.
/// @retval MASSTREE_FORKED    The tree was made before a fork.
///
/// A leaf may have changed though the keys that were read have not: another key was added
/// to it or removed, it has split, or was merged with its neighbour.
///
/// Thread safety: any thread, with or without a guard. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_validate(
    tree: *const TreeHandle,
    observations: *const LeafObservation,
    count: usize,
    first_changed: *mut usize,
) -> i32 {
    entry(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let tree = tree_of(tree)?;
            match tree.validate(observations_at(observations, count)?) {
                Ok(()) => Ok(MASSTREE_OK),
                Err(changed) => {
                    give(first_changed, changed);
                    Ok(MASSTREE_MISMATCH)
                }
            }
        }
    })
}

/// Observations from C.
///
/// # Safety
/// `observations` is NULL or points to so many.
unsafe fn observations_at<'o>(
    observations: *const LeafObservation,
    count: usize,
) -> Result<&'o [Observation], i32> {
    const LARGEST: usize = isize::MAX as usize / size_of::<Observation>();
    if count == 0 {
        return Ok(&[]);
    }
    if observations.is_null() || count > LARGEST {
        return Err(MASSTREE_INVALID);
    }
    // SAFETY: by contract; both consist of the same fields.
    Ok(unsafe { std::slice::from_raw_parts(observations.cast(), count) })
}

/// The version that a leaf has now; for programs that keep ids and versions and compare them
/// themselves. masstree_validate does more: it is a fence, waits for changes under way, and
/// knows of masstree_clear.
///
/// @param tree     The tree; or NULL, where it is known to live, and to be this process's.
/// @param node     The id of a leaf of this tree, from any observation.
/// @param version  Where the version is stored; not NULL. If the leaf was freed since, it is
///                 one that no observation of it had.
///
/// @retval MASSTREE_OK       *version is the leaf's version.
/// @retval MASSTREE_INVALID  node is 0, or version is NULL.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: any thread, with or without a guard. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_node_version(
    tree: *const TreeHandle,
    node: u64,
    version: *mut u64,
) -> i32 {
    entry(|| {
        // SAFETY: as this function's contract.
        unsafe {
            if !tree.is_null() {
                tree_of(tree)?;
            }
            if version.is_null() {
                return Err(MASSTREE_INVALID);
            }
            let now = Observation::version_of(node).ok_or(MASSTREE_INVALID)?;
            version.write(now);
            Ok(MASSTREE_OK)
        }
    })
}
