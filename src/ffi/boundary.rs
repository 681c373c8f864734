//! The checks and conversions that entry points share.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use crate::ffi::handle::{self, GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::key::MAX_KEY_LEN;
use crate::index::memory::OutOfMemory;
use crate::index::node::Observation;
use crate::index::reclaim::{Pinned, Slot, pin_of, recorder_of};
use crate::index::tree::NoRoom;
use crate::index::tree::Tree;
use crate::index::value::KindId;
use crate::versioned::VersionedTree;

/// An upper limit, in bytes, for the size of any struct of this and later versions.
const MAX_STRUCT_SIZE: usize = 4096;

impl From<OutOfMemory> for i32 {
    fn from(_: OutOfMemory) -> i32 {
        MASSTREE_NOMEM
    }
}

impl From<NoRoom> for i32 {
    fn from(why: NoRoom) -> i32 {
        match why {
            NoRoom::OutOfMemory => MASSTREE_NOMEM,
            NoRoom::TooManyLeaves => MASSTREE_TOO_SMALL,
        }
    }
}

/// Runs the body of an entry point and returns its status, from `Ok` or from `Err`.
#[inline]
pub(in crate::ffi) fn status_of(body: impl FnOnce() -> Result<i32, i32>) -> i32 {
    match body() {
        Ok(status) | Err(status) => status,
    }
}

/// Converts a key from C to a slice.
///
/// # Safety
/// `key` is NULL or points to `len` bytes that stay readable and unchanged for
/// as long as the result is used.
#[inline]
pub(in crate::ffi) unsafe fn key_bytes<'k>(
    key: *const c_void,
    len: usize,
) -> Result<&'k [u8], i32> {
    if key.is_null() {
        return if len == 0 {
            Ok(&[])
        } else {
            Err(MASSTREE_INVALID)
        };
    }
    if len > MAX_KEY_LEN {
        return Err(MASSTREE_KEY_TOO_LONG);
    }
    // SAFETY: not NULL, readable by contract, and `len` is far below isize::MAX.
    Ok(unsafe { std::slice::from_raw_parts(key.cast(), len) })
}

/// Converts a value from C to a slice.
///
/// # Safety
/// As `key_bytes`.
pub(in crate::ffi) unsafe fn value_bytes<'v>(
    value: *const c_void,
    len: usize,
) -> Result<&'v [u8], i32> {
    if value.is_null() && len == 0 {
        return Ok(&[]);
    }
    if value.is_null() || isize::try_from(len).is_err() {
        return Err(MASSTREE_INVALID);
    }
    // SAFETY: not NULL, readable by contract, and `len` is at most isize::MAX.
    Ok(unsafe { std::slice::from_raw_parts(value.cast(), len) })
}

/// Writes `value` to an output parameter, unless that is NULL.
///
/// # Safety
/// `out` is NULL or writable.
#[inline]
pub(in crate::ffi) unsafe fn write_output<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: not NULL, writable by contract.
        unsafe { out.write(value) };
    }
}

/// Writes the word that a look-up found, if any, and returns the look-up's status.
///
/// # Safety
/// `out` is NULL or writable.
#[inline]
pub(in crate::ffi) unsafe fn lookup_status(word: Option<u64>, out: *mut u64) -> Result<i32, i32> {
    let Some(word) = word else {
        return Ok(MASSTREE_NOT_FOUND);
    };
    // SAFETY: as this function's contract.
    unsafe { write_output(out, word) };
    Ok(MASSTREE_OK)
}

/// Returns `MASSTREE_OK` for a key that was found, else `MASSTREE_NOT_FOUND`.
pub(in crate::ffi) fn found_status(found: bool) -> i32 {
    if found {
        MASSTREE_OK
    } else {
        MASSTREE_NOT_FOUND
    }
}

/// Passes a displaced word to the caller, if `out` is not NULL, and otherwise retires it for
/// the value destructor. A word equal to `stored` was not displaced: the tree still owns it, and
/// neither the caller nor the destructor gets it. Returns `MASSTREE_NOT_FOUND` without a displaced
/// word, `MASSTREE_EXISTS` if it equals `stored`, and otherwise `MASSTREE_OK`.
///
/// # Safety
/// `out` is NULL or writable.
#[inline]
pub(in crate::ffi) unsafe fn deliver_or_retire(
    tree: &Tree,
    pin: Pinned<'_>,
    displaced: Option<u64>,
    stored: Option<u64>,
    out: *mut u64,
) -> i32 {
    let Some(word) = displaced else {
        return MASSTREE_NOT_FOUND;
    };
    if displaced == stored {
        return MASSTREE_EXISTS;
    }
    if out.is_null() {
        tree.discard(pin, word);
    } else {
        // SAFETY: not NULL, writable by contract.
        unsafe { out.write(word) };
    }
    MASSTREE_OK
}

/// The kind of values that an operation requires of its tree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::ffi) enum ValueKind {
    Any,
    Words,
    Bytes,
}

/// Converts a tree from C; refuses a tree that the parent process created before a fork.
///
/// # Safety
/// `tree` is NULL or a live tree.
#[inline]
pub(in crate::ffi) unsafe fn tree_of<'t>(tree: *const TreeHandle) -> Result<&'t Tree, i32> {
    // SAFETY: NULL or live by contract.
    let tree = &unsafe { tree.as_ref() }.ok_or(MASSTREE_INVALID)?.tree;
    if tree.is_forked() {
        return Err(MASSTREE_FORKED);
    }
    Ok(tree)
}

/// Returns the pin of a guard for writes, with the recorder that its user has attached
/// (masstree_guard_record), if any.
///
/// # Safety
/// The slot belongs to a live guard that is not refreshed or left during `'g`.
#[inline]
pub(in crate::ffi) unsafe fn recording_pin_of<'g>(slot: NonNull<Slot>) -> Pinned<'g> {
    // SAFETY: by contract.
    unsafe { pin_of(slot).with_recorder(recorder_of(slot)) }
}

/// Calls `body` with the tree and a pin: that of the guard or, without a guard, one for this
/// call.
///
/// # Safety
/// `tree` is NULL or a live tree; `guard` is NULL or a live guard that no other thread uses
/// during this call.
#[inline]
pub(in crate::ffi) unsafe fn on_tree<T>(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    values: ValueKind,
    body: impl FnOnce(&Tree, Pinned<'_>) -> Result<T, i32>,
) -> Result<T, i32> {
    // SAFETY: as this function's contract.
    let tree = unsafe { tree_of(tree) }?;
    let local;
    let pin = match handle::slot(guard) {
        // SAFETY: live by contract; only `refresh` and `leave` change it, and they may not
        // run during this call.
        Some(slot) => unsafe { recording_pin_of(slot) },
        None => {
            local = tree.local_guard();
            local.pin()
        }
    };
    check_guard_and_kind(tree, pin, values)?;
    // A single call for both cases, so that `body` is inlined into the entry point once.
    body(tree, pin)
}

/// `on_tree`, for a versioned tree.
///
/// # Safety
/// As `on_tree`.
pub(in crate::ffi) unsafe fn on_versioned<T>(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    body: impl FnOnce(VersionedTree<'_>, Pinned<'_>) -> Result<T, i32>,
) -> Result<T, i32> {
    // SAFETY: as this function's contract; the handle is live where the body runs.
    unsafe {
        on_tree(tree, guard, ValueKind::Any, |_, pin| {
            let versioned = (*tree).versioned().ok_or(MASSTREE_WRONG_KIND)?;
            body(versioned, pin)
        })
    }
}

/// `on_versioned`, for reads: without a guard, a call on an append-only tree enters none. The pin has
/// no recorder.
///
/// # Safety
/// As `on_tree`.
#[inline]
pub(in crate::ffi) unsafe fn on_versioned_read<T>(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    body: impl FnOnce(VersionedTree<'_>, Pinned<'_>) -> Result<T, i32>,
) -> Result<T, i32> {
    // SAFETY: as this function's contract.
    let index = unsafe { tree_of(tree) }?;
    // SAFETY: not NULL, and live by contract.
    let versioned = unsafe { (*tree).versioned() };
    let (local, unguarded);
    let pin = match handle::slot(guard) {
        // SAFETY: live by contract; it is not refreshed or left during this call.
        Some(slot) => unsafe { pin_of(slot) },
        None => match versioned.and_then(VersionedTree::unguarded) {
            Some(pin) => {
                unguarded = pin;
                unguarded.pin()
            }
            None => {
                local = index.local_guard();
                local.pin()
            }
        },
    };
    check_guard_and_kind(index, pin, ValueKind::Any)?;
    body(versioned.ok_or(MASSTREE_WRONG_KIND)?, pin)
}

/// Refuses NULL for a guard, unless the tree is append-only: what is read stays readable only under a
/// guard.
///
/// # Safety
/// `tree` is NULL or a live tree.
#[inline]
pub(in crate::ffi) unsafe fn guard_for_values(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
) -> Result<(), i32> {
    if !guard.is_null() {
        return Ok(());
    }
    // SAFETY: NULL or live by contract.
    let versioned = unsafe { tree.as_ref() }.and_then(TreeHandle::versioned);
    match versioned.is_some_and(VersionedTree::is_append_only) {
        true => Ok(()),
        false => Err(MASSTREE_INVALID),
    }
}

/// Converts a versioned tree from C, as `tree_of` does.
///
/// # Safety
/// As `tree_of`.
pub(in crate::ffi) unsafe fn versioned_of<'t>(
    tree: *const TreeHandle,
) -> Result<VersionedTree<'t>, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        tree_of(tree)?;
        (*tree).versioned().ok_or(MASSTREE_WRONG_KIND)
    }
}

/// Returns what `on_tree` passes to its body, for a call with a guard; the pin has no recorder.
/// For entry points that must compile to one function: the compiler does not inline a closure that
/// several callers of `on_tree` share.
///
/// # Safety
/// `tree` is NULL or a live tree; `slot` belongs to a live guard that no other thread uses
/// during `'t`.
#[inline]
pub(in crate::ffi) unsafe fn under_guard<'t>(
    tree: *const TreeHandle,
    slot: NonNull<Slot>,
    values: ValueKind,
) -> Result<(&'t Tree, Pinned<'t>), i32> {
    // SAFETY: as this function's contract.
    let (tree, pin) = unsafe { (tree_of(tree)?, pin_of(slot)) };
    check_guard_and_kind(tree, pin, values)?;
    Ok((tree, pin))
}

/// Refuses a guard of another tree, and a tree whose values are of the wrong kind.
#[inline]
fn check_guard_and_kind(tree: &Tree, pin: Pinned<'_>, values: ValueKind) -> Result<(), i32> {
    if !tree.owns(pin) {
        return Err(MASSTREE_WRONG_TREE);
    }
    check_kind(tree, values)
}

/// Refuses a tree whose values are of the wrong kind.
#[inline]
pub(in crate::ffi) fn check_kind(tree: &Tree, values: ValueKind) -> Result<(), i32> {
    let fits = match values {
        ValueKind::Any => true,
        ValueKind::Words => tree.holds(KindId::WORDS),
        ValueKind::Bytes => tree.holds_bytes(),
    };
    if fits {
        Ok(())
    } else {
        Err(MASSTREE_WRONG_KIND)
    }
}

/// Like `on_tree`, for an operation on one key; returns the status.
///
/// # Safety
/// As `on_tree` and `key_bytes`.
#[inline]
pub(in crate::ffi) unsafe fn on_key(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    values: ValueKind,
    body: impl FnOnce(&Tree, Pinned<'_>, &[u8]) -> Result<i32, i32>,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let key = unsafe { key_bytes(key, key_len) }?;
        // SAFETY: as this function's contract.
        unsafe { on_tree(tree, guard, values, |tree, pin| body(tree, pin, key)) }
    })
}

/// `on_key`, for the fastest operations: `guarded` runs for a call with a guard, and is inlined
/// into the entry point; `unguarded` runs for a call without one, and is compiled separately. Both
/// do the same; they are two closures since the compiler does not inline a closure that has two
/// callers.
///
/// # Safety
/// As `on_key`.
#[inline]
pub(in crate::ffi) unsafe fn on_key_in_one_piece(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    values: ValueKind,
    guarded: impl FnOnce(&Tree, Pinned<'_>, &[u8]) -> Result<i32, i32>,
    unguarded: impl FnOnce(&Tree, Pinned<'_>, &[u8]) -> Result<i32, i32>,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let key = unsafe { key_bytes(key, key_len) }?;
        match handle::slot(guard) {
            Some(slot) => {
                // SAFETY: as this function's contract.
                let (tree, pin) = unsafe { under_guard(tree, slot, values) }?;
                // SAFETY: as above.
                let recorder = unsafe { recorder_of(slot) };
                guarded(tree, pin.with_recorder(recorder), key)
            }
            // SAFETY: as this function's contract.
            None => unsafe { on_key_unguarded(tree, key, values, unguarded) },
        }
    })
}

/// # Safety
/// As `on_key`.
#[inline(never)]
unsafe fn on_key_unguarded(
    tree: *const TreeHandle,
    key: &[u8],
    values: ValueKind,
    body: impl FnOnce(&Tree, Pinned<'_>, &[u8]) -> Result<i32, i32>,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    let tree = unsafe { tree_of(tree) }?;
    let local = tree.local_guard();
    let pin = local.pin();
    check_guard_and_kind(tree, pin, values)?;
    body(tree, pin, key)
}

/// Looks up a word without a guard, and observes the leaf; `Ok(None)` if that is not possible (see
/// [`Tree::get_unguarded`]).
///
/// # Safety
/// As `on_key`.
#[inline(always)]
pub(in crate::ffi) unsafe fn get_unguarded(
    tree: *const TreeHandle,
    key: *const c_void,
    key_len: usize,
) -> Result<Option<(Option<u64>, Observation)>, i32> {
    // SAFETY: as this function's contract.
    let (key, tree) = unsafe { (key_bytes(key, key_len)?, tree_of(tree)?) };
    check_kind(tree, ValueKind::Words)?;
    Ok(tree.get_unguarded(key))
}

/// Copies a struct that begins with its own size. Bytes beyond the fields that this version
/// knows must be zero.
///
/// # Safety
/// `from` points to as many readable bytes as its first field, a `usize`, says;
/// `T` is `repr(C)`, begins with that field, and may be all zero bytes.
pub(in crate::ffi) unsafe fn sized_struct<T: Copy>(from: *const T) -> Result<T, i32> {
    let bytes = from.cast::<u8>();
    // SAFETY: the first field is readable by contract.
    let size = unsafe { from.cast::<usize>().read_unaligned() };
    // The structs of 0.1 are the smallest that exist, and no struct of a later version will be
    // larger than the limit.
    if size < size_of::<T>() || size > MAX_STRUCT_SIZE {
        return Err(MASSTREE_INVALID);
    }
    // SAFETY: `size` bytes are readable by contract.
    let rest =
        unsafe { std::slice::from_raw_parts(bytes.add(size_of::<T>()), size - size_of::<T>()) };
    if rest.iter().any(|&byte| byte != 0) {
        return Err(MASSTREE_INVALID);
    }
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: `size_of::<T>()` bytes are readable; all zero is a valid `T`.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes, copy.as_mut_ptr().cast(), size_of::<T>());
        Ok(copy.assume_init())
    }
}

/// Where to write a struct that begins with its own size.
pub(in crate::ffi) struct SizedOutput<T> {
    to: *mut T,
    size: usize,
}

/// Checks the size of an output struct of the caller. Writing it will zero the fields that only
/// the caller's version of the struct has.
///
/// # Safety
/// `to` points to as many readable and writable bytes as its first field, a `usize`,
/// says.
pub(in crate::ffi) unsafe fn sized_output<T>(to: *mut T) -> Result<SizedOutput<T>, i32> {
    // SAFETY: the first field is readable by contract.
    let size = unsafe { to.cast::<usize>().read_unaligned() };
    if size < size_of::<T>() || size > MAX_STRUCT_SIZE {
        return Err(MASSTREE_INVALID);
    }
    Ok(SizedOutput { to, size })
}

impl<T> SizedOutput<T> {
    pub(in crate::ffi) fn size(&self) -> usize {
        self.size
    }

    /// # Safety
    /// The contract of `sized_output` still holds.
    pub(in crate::ffi) unsafe fn write(self, value: T) {
        // SAFETY: `size` bytes are writable by contract, and `T` is no larger.
        unsafe {
            let rest = self.to.cast::<u8>().add(size_of::<T>());
            rest.write_bytes(0, self.size - size_of::<T>());
            self.to.write(value);
        }
    }
}
