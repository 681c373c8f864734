//! The checks every entry point makes, once.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::guard::GuardHandle;
use super::options::Options;
use super::status::*;
use super::tree::TreeHandle;
use crate::OutOfMemory;
use crate::key::MAX_KEY_LEN;
use crate::reclaim::Pin;
use crate::tree::Tree;
use crate::value::Destructor;

/// No struct of a later version of the library will be larger, in bytes.
const MAX_STRUCT_SIZE: usize = 4096;

impl From<OutOfMemory> for i32 {
    fn from(_: OutOfMemory) -> i32 {
        MASSTREE_NOMEM
    }
}

/// Runs the body of an entry point; an answer and an error are both a status.
#[inline]
pub(super) fn entry(body: impl FnOnce() -> Result<i32, i32>) -> i32 {
    match body() {
        Ok(status) | Err(status) => status,
    }
}

/// The bytes of a key from C.
///
/// # Safety
/// `key` is NULL or points to `len` bytes that stay readable and unchanged for
/// as long as the result is used.
#[inline]
pub(super) unsafe fn key_bytes<'k>(key: *const c_void, len: usize) -> Result<&'k [u8], i32> {
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

/// Writes an output unless it is not wanted.
///
/// # Safety
/// `out` is NULL or writable.
#[inline]
pub(super) unsafe fn give<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: not NULL, writable by contract.
        unsafe { out.write(value) };
    }
}

/// An optional word as status and output.
///
/// # Safety
/// `out` is NULL or writable.
#[inline]
pub(super) unsafe fn answer(word: Option<u64>, out: *mut u64) -> Result<i32, i32> {
    let Some(word) = word else {
        return Ok(MASSTREE_NOT_FOUND);
    };
    // SAFETY: as this function's contract.
    unsafe { give(out, word) };
    Ok(MASSTREE_OK)
}

/// A displaced word: the caller's if it asked for it, else the destructor's. A word
/// that was `stored` again is still there and nobody's to destroy.
///
/// # Safety
/// `out` is NULL or writable.
pub(super) unsafe fn hand_over(
    tree: &Tree,
    pin: Pin<'_>,
    displaced: Option<u64>,
    stored: Option<u64>,
    out: *mut u64,
) -> Result<i32, i32> {
    if let Some(word) = displaced
        && out.is_null()
        && displaced != stored
    {
        tree.discard(pin, word);
    }
    // SAFETY: as this function's contract.
    unsafe { answer(displaced, out) }
}

/// Calls `body` with the tree, pinned by the guard or, without one, for this
/// call.
///
/// # Safety
/// `tree` is NULL or a live tree; `guard` is NULL or a live guard that no other
/// thread uses meanwhile.
#[inline]
pub(super) unsafe fn on_tree<T>(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    body: impl FnOnce(&Tree, Pin<'_>) -> Result<T, i32>,
) -> Result<T, i32> {
    // SAFETY: NULL or live by contract.
    let tree = &unsafe { tree.as_ref() }.ok_or(MASSTREE_INVALID)?.tree;
    // SAFETY: NULL or live by contract; only `refresh` and `leave` need it
    // mutably, and they may not run during this call.
    match unsafe { guard.as_ref() } {
        None => body(tree, tree.local_guard().pin()),
        Some(handle) => {
            let pin = handle.guard.pin();
            if !tree.owns(pin) {
                return Err(MASSTREE_WRONG_TREE);
            }
            body(tree, pin)
        }
    }
}

/// `on_tree` for an operation on one key.
///
/// # Safety
/// As `on_tree` and `key_bytes`.
#[inline]
pub(super) unsafe fn on_key(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    body: impl FnOnce(&Tree, Pin<'_>, &[u8]) -> Result<i32, i32>,
) -> i32 {
    entry(|| {
        // SAFETY: as this function's contract.
        let key = unsafe { key_bytes(key, key_len) }?;
        // SAFETY: as this function's contract.
        unsafe { on_tree(tree, guard, |tree, pin| body(tree, pin, key)) }
    })
}

/// Reads a struct that begins with its own size: what the caller's version of it
/// lacks is zero, what it has beyond ours must be zero.
///
/// # Safety
/// `from` points to as many readable bytes as its first field, a `usize`, says;
/// `T` is `repr(C)`, begins with that field, and may be all zero bytes.
pub(super) unsafe fn sized_struct<T: Copy>(from: *const T) -> Result<T, i32> {
    let bytes = from.cast::<u8>();
    // SAFETY: the first field is readable by contract.
    let size = unsafe { from.cast::<usize>().read_unaligned() };
    // The first release's structs are the smallest there are; a size beyond
    // any struct of ours to come is not a size.
    if size < size_of::<T>() || size > MAX_STRUCT_SIZE {
        return Err(MASSTREE_INVALID);
    }
    // SAFETY: `size` bytes are readable by contract.
    let beyond =
        unsafe { std::slice::from_raw_parts(bytes.add(size_of::<T>()), size - size_of::<T>()) };
    if beyond.iter().any(|&byte| byte != 0) {
        return Err(MASSTREE_INVALID);
    }
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: `size_of::<T>()` bytes are readable; all zero is a valid `T`.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes, copy.as_mut_ptr().cast(), size_of::<T>());
        Ok(copy.assume_init())
    }
}

/// The value destructor that options ask for.
///
/// # Safety
/// `options` is NULL or as `sized_struct` asks.
pub(super) unsafe fn destructor(options: *const Options) -> Result<Option<Destructor>, i32> {
    if options.is_null() {
        return Ok(None);
    }
    // SAFETY: as this function's contract; a zeroed `Options` is one.
    let options = unsafe { sized_struct(options) }?;
    Ok(options.value_destructor.map(|function| {
        // SAFETY: the C caller promises so by setting the two fields.
        unsafe { Destructor::new(function, options.value_ctx) }
    }))
}

/// Moves a handle to the heap.
pub(super) fn allocate<T>(handle: T) -> Result<NonNull<T>, OutOfMemory> {
    const { assert!(size_of::<T>() != 0) };
    // SAFETY: the layout is not of size zero.
    let place =
        NonNull::new(unsafe { alloc(Layout::new::<T>()) }.cast::<T>()).ok_or(OutOfMemory)?;
    // SAFETY: freshly allocated for a `T`.
    unsafe { place.write(handle) };
    Ok(place)
}

/// Drops and frees a handle made by `allocate`; NULL does nothing.
///
/// # Safety
/// `handle` is NULL or came from `allocate::<T>`, and nobody uses it any more.
pub(super) unsafe fn release<T>(handle: *mut T) {
    if handle.is_null() {
        return;
    }
    // SAFETY: by contract.
    unsafe {
        handle.drop_in_place();
        dealloc(handle.cast(), Layout::new::<T>());
    }
}
