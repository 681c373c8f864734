//! # Options of a tree
//!
//! The options of `masstree_create`.

use std::ffi::c_void;

use crate::ffi::boundary::sized_struct;
use crate::ffi::status::*;
use crate::index::memory::Allocator;
use crate::index::reclaim;
use crate::index::value::{Destructor, Values};

/// Kind of values: 64-bit words of the caller's (numbers, or pointers that the value
/// destructor frees).
pub const MASSTREE_VALUES_WORDS: u32 = 0;
/// Kind of values: byte strings, of which the tree keeps copies of its own.
pub const MASSTREE_VALUES_BYTES: u32 = 1;

/// Huge pages: for large trees. Nodes come from chunks of huge pages of 2 MiB where the kernel
/// has them (Linux: transparent huge pages, `madvise` or `always`), as soon as the nodes of the
/// tree take 4 MiB. Look-ups in large trees become faster by a quarter.
pub const MASSTREE_HUGE_PAGES_FOR_LARGE_TREES: u32 = 0;
/// Huge pages: never asked for. For programs that fork and want small pages copied, or that
/// count every page.
pub const MASSTREE_HUGE_PAGES_NEVER: u32 = 1;

/// Called for a value that has left the tree, once per value, when no reader
/// can hold it any more: after masstree_put displaced it, after masstree_remove
/// or masstree_exchange whose caller did not take it through the output
/// pointer, after masstree_clear, and for every value still present in
/// masstree_destroy.
///
/// A value stored under a key that has the very same value already displaces
/// nothing.
///
/// @param value  The value.
/// @param ctx    value_ctx of the options.
///
/// It runs on any thread that uses the tree, inside some call to this library,
/// with no lock held. It must not call into the same tree, and must return: no
/// longjmp, no C++ exception, no pthread_exit.
pub type ValueDestructor = Option<unsafe extern "C" fn(value: u64, ctx: *mut c_void)>;

/// Gives memory to a tree.
///
/// @param size   Bytes wanted, never 0.
/// @param align  What the memory must be aligned to: a power of two, at most 128.
/// @param ctx    alloc_ctx of the options.
///
/// @return The memory, which nobody else uses until the tree frees it; or NULL if
/// there is none, and then the call that needed it answers MASSTREE_NOMEM.
///
/// It runs on any thread, with no lock of the tree held; it must not call into the same
/// tree, and must return: no longjmp, no C++ exception, no pthread_exit.
pub type Alloc =
    Option<unsafe extern "C" fn(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void>;

/// Takes memory back that masstree_alloc_t gave.
///
/// @param memory  The memory; never NULL.
/// @param size    Its size in bytes, as it was asked for.
/// @param align   Its alignment, as it was asked for.
/// @param ctx     alloc_ctx of the options.
///
/// The rules of masstree_alloc_t apply. The memory may come from another thread.
pub type Free =
    Option<unsafe extern "C" fn(memory: *mut c_void, size: usize, align: usize, ctx: *mut c_void)>;

/// Options of masstree_create. Start from MASSTREE_OPTIONS_INIT and set what
/// you need. A program built with an older, smaller struct works with a newer
/// library: fields it does not have take their defaults. One built with a
/// newer, larger struct works with an older library as long as every field
/// that library does not know is zero.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Options {
    /// sizeof(masstree_options_t); MASSTREE_OPTIONS_INIT sets it.
    pub struct_size: usize,
    /// Called for each value that leaves the tree; NULL: values are plain words
    /// and nothing is called. Not for byte strings, which the tree frees itself.
    pub value_destructor: ValueDestructor,
    /// Handed to value_destructor.
    pub value_ctx: *mut c_void,
    /// Where the tree's memory comes from, guards and cursors included; NULL: malloc.
    /// Only the lists of memory reclamation come from malloc always (see the caveats
    /// at the top). Set together with free.
    pub alloc: Alloc,
    /// Where the tree's memory goes back to, all of it by the end of masstree_destroy.
    pub free: Free,
    /// Handed to alloc and free.
    pub alloc_ctx: *mut c_void,
    /// Bytes that the pool of nodes asks for at once, and rounds down to whole nodes
    /// of 320 bytes, at least one; 0: from 1 KiB, growing to 2 MiB, and then as huge_pages
    /// says.
    pub chunk_size: usize,
    /// MASSTREE_VALUES_WORDS or MASSTREE_VALUES_BYTES.
    pub value_kind: u32,
    /// MASSTREE_HUGE_PAGES_FOR_LARGE_TREES or MASSTREE_HUGE_PAGES_NEVER. Not looked at with
    /// an allocator or a chunk_size of your own.
    pub huge_pages: u32,
}

/// Converts options from C.
///
/// # Safety
/// `options` is NULL or as `sized_struct` asks, and what it names fits together as its
/// documentation says.
pub(in crate::ffi) unsafe fn decode(options: *const Options) -> Result<reclaim::TreeOptions, i32> {
    if options.is_null() {
        return Ok(reclaim::TreeOptions::default());
    }
    // SAFETY: as this function's contract; a zeroed `Options` is one.
    let options = unsafe { sized_struct(options) }?;
    let huge_pages = match options.huge_pages {
        MASSTREE_HUGE_PAGES_FOR_LARGE_TREES => true,
        MASSTREE_HUGE_PAGES_NEVER => false,
        _ => return Err(MASSTREE_INVALID),
    };
    let values = match (options.value_kind, options.value_destructor) {
        (MASSTREE_VALUES_BYTES, None) => Values::Bytes,
        (MASSTREE_VALUES_WORDS, function) => Values::Words(function.map(|function| {
            // SAFETY: the C caller promises so by setting the two fields.
            unsafe { Destructor::new(function, options.value_ctx) }
        })),
        _ => return Err(MASSTREE_INVALID),
    };
    let allocator = match (options.alloc, options.free) {
        (None, None) => None,
        (Some(alloc), Some(free)) => {
            // SAFETY: the C caller promises so by setting the fields.
            Some(unsafe { Allocator::new(alloc, free, options.alloc_ctx) })
        }
        _ => return Err(MASSTREE_INVALID),
    };
    Ok(reclaim::TreeOptions {
        values,
        allocator,
        chunk_size: options.chunk_size,
        huge_pages,
    })
}
