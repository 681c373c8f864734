//! # Options of a tree
//!
//! The options of `masstree_create`.

use std::ffi::c_void;

use crate::ffi::boundary::sized_struct;
use crate::ffi::status::*;
use crate::index::memory::{Allocator, HugePages};
use crate::index::tree::TreeOptions;
use crate::index::value::{Destructor, KindId, Values};
use crate::versioned::{Freeing, VERSIONS, values, values_with_keys};

/// Kind of values: 64-bit words of the caller (numbers, or pointers that the value destructor
/// frees).
pub const MASSTREE_VALUES_WORDS: u32 = 0;
/// Kind of values: byte strings, which the tree copies and owns.
pub const MASSTREE_VALUES_BYTES: u32 = 1;
/// Kind of values: versions, several for each key, each with a sequence number and a byte string;
/// see masstree/versioned.h.
pub const MASSTREE_VALUES_VERSIONED: u32 = 2;

/// Flag of version_flags: an overwrite frees at once the versions that no reader can see any more,
/// neither at MASSTREE_SEQNO_LATEST nor at an open snapshot. Readers at other numbers may learn
/// MASSTREE_TOO_OLD; a number that was freed may be stored again.
pub const MASSTREE_VERSIONS_FREE_OVERWRITTEN: u32 = 1;
/// Flag of version_flags: the tree is append-only. Nothing in it is freed before masstree_destroy, so
/// that readers need no guard: what a call without a guard returns stays readable until then.
/// masstree_trim_versions is refused. What inserts displace inside of the tree counts in limbo_bytes
/// of masstree_stats_t, and so do objects that are retired. Excludes
/// MASSTREE_VERSIONS_FREE_OVERWRITTEN.
pub const MASSTREE_VERSIONS_APPEND_ONLY: u32 = 2;

const _: () = {
    assert!(MASSTREE_VALUES_WORDS == KindId::WORDS.0);
    assert!(MASSTREE_VALUES_BYTES == KindId::BYTES.0);
    assert!(MASSTREE_VALUES_VERSIONED == VERSIONS.0);
};

/// Huge pages: use them for large trees. Once the nodes of a tree take 4 MiB, further nodes
/// come from chunks of huge pages of 2 MiB, where the kernel has them (Linux: transparent huge
/// pages, `madvise` or `always`). Look-ups in large trees become faster by a quarter.
pub const MASSTREE_HUGE_PAGES_FOR_LARGE_TREES: u32 = 0;
/// Huge pages: never request them. For programs that fork and want small pages copied, or that
/// account for every page.
pub const MASSTREE_HUGE_PAGES_NEVER: u32 = 1;
/// Huge pages: from alloc, for trees with an allocator of their own. Nodes, suffixes, byte strings and
/// versions come from pools, as with malloc, and the pools take chunks from alloc: small ones at
/// first, and once a pool has 4 MiB, chunks of 2 MiB, aligned to 2 MiB, one at a time. All of them are
/// freed by masstree_destroy, most often without a visit to the nodes: see docs/memory.md. Needs alloc,
/// and a chunk_size of 0.
pub const MASSTREE_HUGE_PAGES_FROM_ALLOCATOR: u32 = 2;

/// Called once for every value that the library owns and no longer needs, when no reader can still
/// use it: after masstree_put displaced it, after a masstree_remove, masstree_exchange or
/// masstree_pop_first whose output parameter was NULL, after masstree_remove_range and masstree_clear,
/// when a load from a source fails, when a loader is closed with keys, and, in masstree_destroy, for
/// every value in the tree.
///
/// Storing the value that a key already has displaces nothing.
///
/// @param value  The value.
/// @param ctx    value_ctx of the options.
///
/// It is called on any thread that uses the tree, inside any call to this library, with no lock
/// held. It must not call into the same tree, and must return: no longjmp, no C++ exception, no
/// pthread_exit.
pub type ValueDestructor = Option<unsafe extern "C" fn(value: u64, ctx: *mut c_void)>;

/// Allocates memory for a tree.
///
/// @param size   Number of bytes, never 0.
/// @param align  Alignment of the memory: a power of two, at most 128; with
///               MASSTREE_HUGE_PAGES_FROM_ALLOCATOR also 2 MiB.
/// @param ctx    alloc_ctx of the options.
///
/// @return The memory, which belongs to the tree until it frees it; or NULL if none is left:
///         then the call that needed it returns MASSTREE_NOMEM.
///
/// It is called on any thread, with no lock of the tree held. It must not call into the same
/// tree, and must return: no longjmp, no C++ exception, no pthread_exit.
pub type Alloc =
    Option<unsafe extern "C" fn(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void>;

/// Frees memory that a masstree_alloc_t has allocated.
///
/// @param memory  The memory; never NULL.
/// @param size    Its size in bytes, as passed to the masstree_alloc_t.
/// @param align   Its alignment, as passed to the masstree_alloc_t.
/// @param ctx     alloc_ctx of the options.
///
/// The rules of masstree_alloc_t apply. Another thread may have allocated the memory.
pub type Free =
    Option<unsafe extern "C" fn(memory: *mut c_void, size: usize, align: usize, ctx: *mut c_void)>;

/// Returns the key that a value contains. With it, leaves do not copy what follows the first 8 bytes of
/// a key (per layer of the tree), but refer to the value: see docs/versioned.md, which has figures.
///
/// @param ctx        key_ctx of the options.
/// @param value      A value that is being stored, or was: in a tree of words, the word, as a pointer;
///                   in a versioned tree, the bytes of a version.
/// @param value_len  Their number; 0 in a tree of words.
/// @param key_len    Receives the length of the key in bytes.
///
/// @return The key under which the value is stored. Its bytes must neither change nor be freed before
///         masstree_destroy, not even if the key is removed or gets another value; in a versioned tree,
///         they lie within the version, and nothing is to be done for that.
///
/// It is called on the thread that inserts a key, in this call, **with a leaf locked**: it must
/// return quickly, and must not call into this library. The program is aborted if it returns another
/// key, or an address of 2^48 or more.
pub type KeyOf = Option<
    unsafe extern "C" fn(
        ctx: *mut c_void,
        value: *const c_void,
        value_len: usize,
        key_len: *mut usize,
    ) -> *const c_void,
>;

/// Options of masstree_create. Start from MASSTREE_OPTIONS_INIT and set the fields that you
/// need. A program that was built with an older, smaller struct works with a newer library: the
/// fields that the struct lacks take their defaults. A program that was built with a newer,
/// larger struct works with an older library as long as every field that the library does not
/// know is zero.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Options {
    /// sizeof(masstree_options_t); MASSTREE_OPTIONS_INIT sets it.
    pub struct_size: usize,
    /// Called for each value that leaves the tree; NULL: values are plain words, and nothing is
    /// called. Must be NULL for byte strings and versions, which the tree frees itself.
    pub value_destructor: ValueDestructor,
    /// Passed to value_destructor.
    pub value_ctx: *mut c_void,
    /// Allocates the memory of the tree, its guards, cursors and loaders; NULL: malloc. Only
    /// the lists of memory reclamation always come from malloc (see the caveats at the top).
    /// Set alloc and free together.
    pub alloc: Alloc,
    /// Frees the memory that alloc has allocated; all of it is freed by the end of
    /// masstree_destroy.
    pub free: Free,
    /// Passed to alloc and free.
    pub alloc_ctx: *mut c_void,
    /// Size in bytes of the chunks that the pools of nodes allocate, rounded down to a multiple
    /// of 320 or 448 bytes (a node) but at least one node; 0: from 1 KiB, growing to 2 MiB, and
    /// then as huge_pages says.
    pub chunk_size: usize,
    /// MASSTREE_VALUES_WORDS, MASSTREE_VALUES_BYTES or MASSTREE_VALUES_VERSIONED.
    pub value_kind: u32,
    /// MASSTREE_HUGE_PAGES_FOR_LARGE_TREES or MASSTREE_HUGE_PAGES_NEVER, both ignored if alloc or
    /// chunk_size is set; or MASSTREE_HUGE_PAGES_FROM_ALLOCATOR.
    pub huge_pages: u32,
    /// For a versioned tree: 0, MASSTREE_VERSIONS_FREE_OVERWRITTEN or
    /// MASSTREE_VERSIONS_APPEND_ONLY. Otherwise 0.
    pub version_flags: u32,
    /// Must be 0.
    pub reserved: u32,
    /// Returns the key that a value contains, for a tree whose values contain their keys: an append-only
    /// versioned tree, or one of words without value_destructor. Otherwise NULL.
    pub key_of: KeyOf,
    /// Passed to key_of.
    pub key_ctx: *mut c_void,
}

/// Converts options from C. Returns also when a versioned tree frees versions.
///
/// # Safety
/// `options` is NULL or meets the contract of `sized_struct`, and its callbacks and contexts
/// fit together as its documentation says.
pub(in crate::ffi) unsafe fn decode(
    options: *const Options,
) -> Result<(TreeOptions, Freeing), i32> {
    if options.is_null() {
        return Ok((TreeOptions::default(), Freeing::InTrims));
    }
    // SAFETY: as this function's contract; a zeroed `Options` is one.
    let options = unsafe { sized_struct(options) }?;
    let huge_pages = match options.huge_pages {
        MASSTREE_HUGE_PAGES_FOR_LARGE_TREES => HugePages::FromKernel,
        MASSTREE_HUGE_PAGES_NEVER => HugePages::Never,
        MASSTREE_HUGE_PAGES_FROM_ALLOCATOR
            if options.alloc.is_some() && options.chunk_size == 0 =>
        {
            HugePages::FromAllocator
        }
        _ => return Err(MASSTREE_INVALID),
    };
    let is_versioned = options.value_kind == MASSTREE_VALUES_VERSIONED;
    let freeing = match options.version_flags {
        0 => Freeing::InTrims,
        MASSTREE_VERSIONS_FREE_OVERWRITTEN if is_versioned => Freeing::WhenOverwritten,
        MASSTREE_VERSIONS_APPEND_ONLY if is_versioned => Freeing::Never,
        _ => return Err(MASSTREE_INVALID),
    };
    if options.reserved != 0 {
        return Err(MASSTREE_INVALID);
    }
    let values = match (options.value_kind, options.value_destructor) {
        (MASSTREE_VALUES_BYTES, None) if options.key_of.is_none() => Values::BYTES,
        (MASSTREE_VALUES_VERSIONED, None) => match options.key_of {
            None => values(),
            // SAFETY: the C caller guarantees this by setting the two fields.
            Some(key_of) if freeing == Freeing::Never => unsafe {
                values_with_keys(key_of, options.key_ctx)
            },
            Some(_) => return Err(MASSTREE_INVALID),
        },
        (MASSTREE_VALUES_WORDS, None) => match options.key_of {
            None => Values::words(None),
            // SAFETY: as above.
            Some(key_of) => unsafe { Values::words_with_keys(key_of, options.key_ctx) },
        },
        (MASSTREE_VALUES_WORDS, function) if options.key_of.is_none() => {
            Values::words(function.map(|function| {
                // SAFETY: the C caller guarantees this by setting the two fields.
                unsafe { Destructor::new(function, options.value_ctx) }
            }))
        }
        _ => return Err(MASSTREE_INVALID),
    };
    let allocator = match (options.alloc, options.free) {
        (None, None) => None,
        (Some(alloc), Some(free)) => {
            // SAFETY: the C caller guarantees this by setting the fields.
            Some(unsafe { Allocator::new(alloc, free, options.alloc_ctx) })
        }
        _ => return Err(MASSTREE_INVALID),
    };
    let options = TreeOptions {
        values,
        allocator,
        chunk_size: options.chunk_size,
        huge_pages,
        keeps_everything: freeing == Freeing::Never,
    };
    Ok((options, freeing))
}
