//! Structs that begin with their size, filled from the input; and calls with invalid
//! arguments. Each call returns the status of its fault, and none may read or write
//! beyond the size of a struct: structs are in blocks of exactly that size.

use std::alloc::Layout;
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::AtomicI32;

use arbitrary::{Result, Unstructured};
use masstree::ffi::handle::TreeHandle;
use masstree::ffi::index::estimate::{Estimate, masstree_estimate};
use masstree::ffi::index::inspect::masstree_len;
use masstree::ffi::index::options::*;
use masstree::ffi::index::point::masstree_put;
use masstree::ffi::index::scan::*;
use masstree::ffi::index::stats::*;
use masstree::ffi::index::tree::*;
use masstree::ffi::status::*;

use crate::bad_calls;

/// The largest size that is passed together with a block of that size.
const MAX_STRUCT_SIZE: usize = 4096;
/// A length that no key has.
const TOO_LONG: usize = 1 << 32;

/// A struct of the caller's, in a block that ends where its size says.
struct Block {
    at: *mut u8,
    layout: Layout,
}

impl Block {
    /// The first bytes are `known`; those beyond, if any, are zeros, or one of them is not.
    fn new(known: &[u8], size: usize, stray: Option<usize>) -> Self {
        // If the size is invalid, the library reads the first field only.
        let len = if size > MAX_STRUCT_SIZE {
            8
        } else {
            size.max(8)
        };
        let layout = Layout::from_size_align(len, 8).expect("a layout");
        // SAFETY: the length is not 0.
        let at = unsafe { std::alloc::alloc_zeroed(layout) };
        let copied = known.len().min(len);
        // SAFETY: both have room for these, and for the stray byte.
        unsafe {
            at.copy_from_nonoverlapping(known.as_ptr(), copied);
            at.cast::<usize>().write(size);
            if let Some(stray) = stray
                && stray >= copied
                && stray < len
            {
                at.add(stray).write(1);
            }
        }
        Self { at, layout }
    }

    /// Whether a struct of `expected` bytes is accepted, as far as its size is concerned.
    fn fits(&self, expected: usize, size: usize, is_input: bool) -> bool {
        let beyond = || {
            // SAFETY: within the block, for the size is no larger.
            let bytes = unsafe { std::slice::from_raw_parts(self.at, self.layout.size()) };
            bytes[expected..].iter().all(|byte| *byte == 0)
        };
        size >= expected && size <= MAX_STRUCT_SIZE && (!is_input || beyond())
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: from `alloc_zeroed`, with this layout.
        unsafe { std::alloc::dealloc(self.at, self.layout) };
    }
}

/// A size, usually the right one.
fn size(u: &mut Unstructured<'_>, right: usize) -> Result<usize> {
    Ok(match u.int_in_range(0..=9u8)? {
        0 => u.arbitrary()?,
        1 => u.int_in_range(0..=right * 2)?,
        2 => right + u.int_in_range(1..=200)?,
        3 => u.int_in_range(MAX_STRUCT_SIZE - 2..=MAX_STRUCT_SIZE + 2)?,
        _ => right,
    })
}

fn stray(u: &mut Unstructured<'_>, from: usize) -> Result<Option<usize>> {
    Ok(match u.int_in_range(0..=3u8)? {
        0 => Some(from + u.int_in_range(0..=MAX_STRUCT_SIZE)?),
        _ => None,
    })
}

/// A word, usually small.
fn word(u: &mut Unstructured<'_>) -> Result<u32> {
    Ok(match u.int_in_range(0..=7u8)? {
        0 => u.arbitrary()?,
        n => u32::from(n / 3),
    })
}

fn bytes_of<T>(value: &T) -> &[u8] {
    // SAFETY: the structs here have no padding.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// Decodes an input into options, then ranges, statistics and calls on the tree created.
pub fn structs(input: &[u8]) {
    let mut u = Unstructured::new(input);
    let mut calls = 1;
    if let Ok(Some((tree, kind))) = create(&mut u) {
        for key in ["", "a", "ab", "abcdefgh", "abcdefghi"] {
            // SAFETY: a living tree; one of byte strings says that it is.
            unsafe { masstree_put(tree, null_mut(), key.as_ptr().cast(), key.len(), 1) };
        }
        while !u.is_empty() && calls < 200 {
            calls += 1;
            let done = match u.int_in_range(0..=3u8) {
                Ok(0 | 1) => scan(&mut u, tree, kind),
                Ok(2) => stats(&mut u, tree),
                Ok(_) => bad_calls::call(&mut u, tree, kind),
                Err(error) => Err(error),
            };
            if done.is_err() {
                break;
            }
        }
        // SAFETY: a living tree, which no thread uses.
        unsafe { masstree_destroy(tree) };
    }
    crate::count::executed();
    crate::count::called(calls);
}

unsafe extern "C" fn ignore(_: u64, _: *mut c_void) {}

/// Refuses blocks of more than 64 MiB: the input sets the sizes of chunks.
unsafe extern "C" fn alloc(size: usize, align: usize, _: *mut c_void) -> *mut c_void {
    match Layout::from_size_align(size, align) {
        // SAFETY: never 0, by contract.
        Ok(layout) if size <= 64 << 20 => unsafe { std::alloc::alloc(layout) }.cast(),
        _ => null_mut(),
    }
}

unsafe extern "C" fn free(memory: *mut c_void, size: usize, align: usize, _: *mut c_void) {
    let layout = Layout::from_size_align(size, align).expect("as it was asked for");
    // SAFETY: from `alloc`, by contract.
    unsafe { std::alloc::dealloc(memory.cast(), layout) };
}

/// Whether the flags for versions are known, and fit the kind of values.
fn has_version_flags(options: &Options) -> bool {
    match options.version_flags {
        0 => true,
        MASSTREE_VERSIONS_FREE_OVERWRITTEN | MASSTREE_VERSIONS_APPEND_ONLY => {
            options.value_kind == MASSTREE_VALUES_VERSIONED
        }
        _ => false,
    }
}

/// Options of a tree, of which some are wrong.
fn tree_options(u: &mut Unstructured<'_>) -> Result<Options> {
    let bits: u8 = u.arbitrary()?;
    let chunk_size = match u.int_in_range(0..=3u8)? {
        0 => u.arbitrary()?,
        1 => u.int_in_range(0..=10_000)?,
        _ => 0,
    };
    // Without an allocator that refuses, malloc would get requests for chunks of any size.
    let has_alloc = bits & 1 != 0 || !is_modest(chunk_size);
    let has_free = if bits & 2 != 0 {
        has_alloc
    } else {
        bits & 4 != 0
    };
    Ok(Options {
        struct_size: 0,
        value_destructor: (bits & 8 != 0).then_some(ignore as _),
        value_ctx: std::ptr::without_provenance_mut(bits.into()),
        alloc: has_alloc.then_some(alloc as _),
        free: has_free.then_some(free as _),
        alloc_ctx: std::ptr::without_provenance_mut(chunk_size),
        chunk_size,
        value_kind: word(u)?,
        huge_pages: word(u)?,
        version_flags: word(u)?,
        reserved: word(u)?,
        key_of: None,
        key_ctx: null_mut(),
    })
}

fn is_modest(chunk_size: usize) -> bool {
    chunk_size <= 1 << 20
}

/// Whether a tree can be made with these options, if their size is right.
fn are_sound(options: &Options) -> bool {
    let is_words = options.value_kind == MASSTREE_VALUES_WORDS;
    options.value_kind <= MASSTREE_VALUES_VERSIONED
        && has_version_flags(options)
        && options.reserved == 0
        && has_huge_pages(options)
        && options.alloc.is_some() == options.free.is_some()
        && (is_words || options.value_destructor.is_none())
}

/// Creates a tree with options, unless they are invalid. Returns the kind of its values.
fn create(u: &mut Unstructured<'_>) -> Result<Option<(*mut TreeHandle, u32)>> {
    let right = size_of::<Options>();
    let size = size(u, right)?;
    let options = tree_options(u)?;
    let block = Block::new(bytes_of(&options), size, stray(u, right)?);
    let is_sound = block.fits(right, size, true) && are_sound(&options);
    let untouched = std::ptr::without_provenance_mut(8);
    let mut tree = untouched;
    // SAFETY: a block of as many bytes as its first field says, or as are believed.
    let status = unsafe { masstree_create(block.at.cast(), &mut tree) };
    if status == MASSTREE_OK {
        assert!(
            is_sound,
            "size {size}, {} {}",
            options.value_kind, options.huge_pages
        );
        return Ok(Some((tree, options.value_kind)));
    }
    let expected = if is_sound {
        MASSTREE_NOMEM
    } else {
        MASSTREE_INVALID
    };
    assert_eq!((status, tree), (expected, untouched), "size {size}");
    assert!(
        !(is_sound && is_modest(options.chunk_size)),
        "out of memory without reason"
    );
    Ok(None)
}

fn has_huge_pages(options: &Options) -> bool {
    match options.huge_pages {
        MASSTREE_HUGE_PAGES_FROM_ALLOCATOR => options.alloc.is_some() && options.chunk_size == 0,
        mode => mode <= MASSTREE_HUGE_PAGES_NEVER,
    }
}

/// A pointer with a length, and the status of their fault as a key.
pub(crate) type KeyArgument = (*const c_void, usize, i32);

pub(crate) fn key_argument(u: &mut Unstructured<'_>) -> Result<KeyArgument> {
    const BYTES: &[u8] = b"abcdefghijklmnop";
    Ok(match u.int_in_range(0..=7u8)? {
        0 => (null(), u.int_in_range(1..=usize::MAX)?, MASSTREE_INVALID),
        1 => (null(), 0, MASSTREE_OK),
        // Nothing is read there.
        2 => {
            let len = u.int_in_range(TOO_LONG..=usize::MAX)?;
            (BYTES.as_ptr().cast(), len, MASSTREE_KEY_TOO_LONG)
        }
        _ => {
            let start = u.int_in_range(0..=BYTES.len())?;
            let len = u.int_in_range(0..=BYTES.len() - start)?;
            (BYTES[start..].as_ptr().cast(), len, MASSTREE_OK)
        }
    })
}

fn len_of(tree: *mut TreeHandle) -> usize {
    let mut len = 0;
    // SAFETY: a living tree.
    assert_eq!(unsafe { masstree_len(tree, &mut len) }, MASSTREE_OK);
    len as usize
}

/// Where visitors' numbers go.
static ENDED_WITH: AtomicI32 = AtomicI32::new(0);

/// A range; and its lower bound, upper bound and prefix, with their faults.
fn any_range(u: &mut Unstructured<'_>) -> Result<(ScanRange, [KeyArgument; 3])> {
    let keys = [key_argument(u)?, key_argument(u)?, key_argument(u)?];
    let [lower, upper, prefix] = keys;
    let range = ScanRange {
        struct_size: 0,
        lower: lower.0,
        lower_len: lower.1,
        upper: upper.0,
        upper_len: upper.1,
        prefix: prefix.0,
        prefix_len: prefix.1,
        limit: u.arbitrary()?,
        lower_bound: word(u)?,
        upper_bound: word(u)?,
        flags: word(u)?,
        reserved: if u.ratio(1, 8u8)? { u.arbitrary()? } else { 0 },
        visitor_result: match u.arbitrary()? {
            true => ENDED_WITH.as_ptr(),
            false => std::ptr::null_mut(),
        },
    };
    Ok((range, keys))
}

/// The statuses of all faults of a range.
fn faults_of(range: &ScanRange, keys: [KeyArgument; 3]) -> Vec<i32> {
    let mut faults = Vec::new();
    let unknown = range.lower_bound > 2 || range.upper_bound > 2 || range.flags > 7;
    if unknown || range.flags & 6 == 6 || range.reserved != 0 {
        faults.push(MASSTREE_INVALID);
    }
    let [lower, upper, prefix] = keys;
    let bounds = [(range.lower_bound, lower), (range.upper_bound, upper)];
    let read = bounds
        .iter()
        .filter(|(kind, _)| *kind != MASSTREE_BOUND_OPEN);
    let read: Vec<_> = read.map(|(_, key)| *key).collect();
    let keys = read.iter().chain([&prefix]);
    faults.extend(keys.map(|key| key.2).filter(|fault| *fault != 0));
    if let ([lower, upper], true) = (&read[..], faults.is_empty()) {
        let bytes = |key: &KeyArgument| match key.0.is_null() {
            true => &[][..],
            // SAFETY: it has no fault.
            false => unsafe { std::slice::from_raw_parts(key.0.cast::<u8>(), key.1) },
        };
        if bytes(lower) > bytes(upper) {
            faults.push(MASSTREE_INVALID);
        }
    }
    faults
}

fn scan(u: &mut Unstructured<'_>, tree: *mut TreeHandle, kind: u32) -> Result<()> {
    let right = size_of::<ScanRange>();
    let size = size(u, right)?;
    let (range, keys) = any_range(u)?;
    let block = Block::new(bytes_of(&range), size, stray(u, right)?);
    let mut faults = faults_of(&range, keys);
    if !block.fits(right, size, true) {
        faults.push(MASSTREE_INVALID);
    }
    unsafe extern "C" fn visit(_: *const c_void, _: usize, _: u64, ctx: *mut c_void) -> i32 {
        // SAFETY: what was passed.
        unsafe { *ctx.cast::<usize>() += 1 };
        MASSTREE_VISIT_CONTINUE
    }
    let (mut seen, mut visited, mut count) = (0usize, usize::MAX, usize::MAX);
    let mut estimate = Estimate {
        struct_size: size_of::<Estimate>(),
        most_nodes: u64::MAX,
        ..Estimate::default()
    };
    let ctx = std::ptr::from_mut(&mut seen).cast();
    let range = block.at.cast();
    // SAFETY: a living tree, a block of as many bytes as is said or believed.
    let (scanned, counted, estimated) = unsafe {
        (
            masstree_scan(tree, null_mut(), range, Some(visit), ctx, &mut visited),
            masstree_count(tree, null_mut(), range, &mut count),
            masstree_estimate(tree, null_mut(), range, &mut estimate),
        )
    };
    assert_eq!(estimated, counted);
    if faults.is_empty() {
        assert_eq!((estimate.keys, estimate.keys_error), (count as u64, 0));
        assert!(counted == MASSTREE_OK && count <= len_of(tree), "{count}");
        // Keys of either kind of tree, words only of words.
        let fits = kind == MASSTREE_VALUES_WORDS || scanned == MASSTREE_OK;
        let expected = if fits {
            MASSTREE_OK
        } else {
            MASSTREE_WRONG_KIND
        };
        assert_eq!(scanned, expected);
        assert!(scanned != MASSTREE_OK || (visited, seen) == (count, count));
    } else {
        assert!(faults.contains(&scanned), "{scanned}, not of {faults:?}");
        assert!(faults.contains(&counted), "{counted}, not of {faults:?}");
        assert_eq!((seen, visited, count), (0, usize::MAX, usize::MAX));
    }
    Ok(())
}

fn stats(u: &mut Unstructured<'_>, tree: *mut TreeHandle) -> Result<()> {
    let right = size_of::<Stats>();
    let size = size(u, right)?;
    let stats = Stats {
        flags: word(u)?,
        reserved: if u.ratio(1, 8u8)? { u.arbitrary()? } else { 0 },
        keys: u64::MAX,
        ..Stats::default()
    };
    let block = Block::new(bytes_of(&stats), size, stray(u, right)?);
    let is_sound = block.fits(right, size, false) && stats.flags <= 1 && stats.reserved == 0;
    // SAFETY: a living tree, a block of as many bytes as is said or believed.
    let status = unsafe { masstree_stats(tree, null_mut(), block.at.cast()) };
    if !is_sound {
        assert_eq!(status, MASSTREE_INVALID);
        return Ok(());
    }
    assert_eq!(status, MASSTREE_OK);
    // SAFETY: it fits, so the whole struct is there.
    let (stored, all) = unsafe {
        let all = std::slice::from_raw_parts(block.at, block.layout.size());
        (block.at.cast::<Stats>().read(), all)
    };
    assert_eq!(
        (stored.keys, stored.struct_size),
        (len_of(tree) as u64, size)
    );
    assert!(all[right..].iter().all(|byte| *byte == 0), "not cleared");
    Ok(())
}
