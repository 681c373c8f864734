//! Filling an empty tree from a source of keys.

use std::ffi::c_void;

use super::batch::Keys;
use super::bulk_load::{Values, add_all, loaded_status, report_offender};
use super::bytes::Slice;
use crate::ffi::boundary::{ValueKind, on_tree, status_of};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;

/// Keys that a source is asked for at once.
const BATCH: usize = 128;

/// Stores the next keys to load and their values, as masstree_cursor_next_many does: a cursor of
/// another tree becomes a source by a function of one line.
///
/// @param keys      Receives the keys, in ascending order, each above all earlier ones. The bytes
///                  must stay valid until the next call.
/// @param values    Receives the values.
/// @param capacity  Length of the arrays `keys` and `values`; at least 1.
/// @param count     Receives the number of keys, at most capacity; 0 at first.
/// @param ctx       The ctx that was passed to the load.
///
/// @return MASSTREE_OK after storing *count keys, also for the last ones. MASSTREE_END, or any other
/// positive number, if no key is left: the library ignores *count and what was stored. A negative
/// number ends the load, which returns that number (MASSTREE_OWN_STATUS or less, if it is not to be taken
/// for a status of the library). MASSTREE_OK with *count 0 means MASSTREE_END.
///
/// No lock is held. The source may call any function on this tree or another, but must not refresh
/// or leave the guard that the load runs under, must not destroy the tree, and must not return while
/// its thread holds a key of this tree (see masstree_hold). It must return: no longjmp, no C++
/// exception, no pthread_exit.
///
/// The load owns the values that were stored with MASSTREE_OK and a *count of at most capacity: if it
/// fails, the tree's value destructor gets each of them. Values of a call that returned another
/// status stay the caller's. So do not copy words from a tree that owns them to a tree with a value
/// destructor: each would be destroyed twice.
pub type Source = Option<
    unsafe extern "C" fn(
        keys: *mut Slice,
        values: *mut u64,
        capacity: usize,
        count: *mut usize,
        ctx: *mut c_void,
    ) -> i32,
>;

/// Like masstree_source_t, for a tree of byte strings, as masstree_cursor_next_many_bytes stores
/// them. The bytes of the values, too, must stay valid until the next call; the tree copies them.
pub type BytesSource = Option<
    unsafe extern "C" fn(
        keys: *mut Slice,
        values: *mut Slice,
        capacity: usize,
        count: *mut usize,
        ctx: *mut c_void,
    ) -> i32,
>;

/// Loads what `next` stores in the arrays; `blank` is stored there before.
///
/// # Safety
/// As `masstree_bulk_load_from`.
unsafe fn load<V: Copy>(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    kind: ValueKind,
    blank: V,
    values_of: impl Fn(*const V) -> Values,
    mut next: impl FnMut(*mut Slice, *mut V, *mut usize) -> i32,
    offender: *mut usize,
) -> Result<i32, i32> {
    // SAFETY: by contract.
    unsafe {
        on_tree(tree, guard, kind, |tree, pin| {
            let _counted = guard.is_null().then(|| tree.count_call());
            if !tree.is_loadable(pin) {
                return Ok(MASSTREE_EXISTS);
            }
            let mut builder = tree.builder(pin)?;
            builder.destroy_words_on_drop();
            let mut keys = [Slice::of(&[]); BATCH];
            let mut values = [blank; BATCH];
            let mut before = 0;
            // Ends: when the source does.
            loop {
                let mut count = 0;
                let status = next(keys.as_mut_ptr(), values.as_mut_ptr(), &raw mut count);
                pin.check_thread();
                if status < 0 {
                    return Err(status);
                }
                if status > 0 || count == 0 {
                    break;
                }
                if count > BATCH {
                    return Err(MASSTREE_INVALID);
                }
                let (keys, values) = (Keys::Slices(keys.as_ptr()), values_of(values.as_ptr()));
                let added = add_all(tree, &mut builder, keys, values, count);
                added.map_err(|(index, status)| {
                    values.destroy(tree, index..count);
                    report_offender((before + index, status), offender)
                })?;
                before += count;
            }
            Ok(loaded_status(tree.load(pin, &mut builder)?))
        })
    }
}

/// Fills an empty tree with the sorted keys that a source returns: like masstree_bulk_load, for
/// keys that are not in memory all at once, such as those of a file or of another tree. All keys
/// appear at once; until then, and if the call fails, the tree is not changed. If it fails, the
/// values that the source stored go to the value destructor (see masstree_source_t).
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param source    Called until it has no more keys; see masstree_source_t. Not called if the tree
///                  is not empty.
/// @param ctx       Passed to source.
/// @param offender  Receives the index of the offending key, counted over all calls of the source:
///                  with MASSTREE_UNSORTED, of the first key that is not above its predecessor; with
///                  MASSTREE_KEY_TOO_LONG, and with MASSTREE_INVALID because of a key, of that key.
///                  May be NULL.
///
/// @retval MASSTREE_OK            Every key is in the tree, which owns the values now.
/// @retval MASSTREE_EXISTS        The tree was not empty at the start of the call, and the source
///                                was not called; or it was not empty at the end. It was not changed.
/// @retval MASSTREE_INVALID       tree or source is NULL; or a key is NULL and its length is not 0,
///                                or the source returned more keys than its capacity; the tree
///                                was not changed.
/// @retval MASSTREE_NOMEM         Out of memory; the tree was not changed.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the tree was not changed.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_UNSORTED      The keys are not in ascending order; the tree was not changed.
/// @return The negative number that the source returned; the tree was not changed.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_bulk_load_from(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    source: Source,
    ctx: *mut c_void,
    offender: *mut usize,
) -> i32 {
    status_of(|| {
        let source = source.ok_or(MASSTREE_INVALID)?;
        // SAFETY: as this function's contract.
        let next = |keys, values, count| unsafe { source(keys, values, BATCH, count, ctx) };
        let kind = ValueKind::Words;
        // SAFETY: as this function's contract.
        unsafe { load(tree, guard, kind, 0, Values::Words, next, offender) }
    })
}

/// Like masstree_bulk_load_from, for a tree of byte strings.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param source    As in masstree_bulk_load_from.
/// @param ctx       Passed to source.
/// @param offender  As in masstree_bulk_load_from; also for an invalid value.
///
/// @retval MASSTREE_OK            Every key is in the tree.
/// @retval MASSTREE_EXISTS        The tree was not empty at the start of the call, and the source
///                                was not called; or it was not empty at the end. It was not changed.
/// @retval MASSTREE_INVALID       As in masstree_bulk_load_from; or a value is NULL and its length
///                                is not 0, or its length exceeds SIZE_MAX / 2.
/// @retval MASSTREE_NOMEM         Out of memory; the tree was not changed.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the tree was not changed.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_UNSORTED      The keys are not in ascending order; the tree was not changed.
/// @return The negative number that the source returned; the tree was not changed.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_bulk_load_from_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    source: BytesSource,
    ctx: *mut c_void,
    offender: *mut usize,
) -> i32 {
    status_of(|| {
        let source = source.ok_or(MASSTREE_INVALID)?;
        // SAFETY: as this function's contract.
        let next = |keys, values, count| unsafe { source(keys, values, BATCH, count, ctx) };
        let (kind, blank) = (ValueKind::Bytes, Slice::of(&[]));
        // SAFETY: as this function's contract.
        unsafe { load(tree, guard, kind, blank, Values::Bytes, next, offender) }
    })
}
