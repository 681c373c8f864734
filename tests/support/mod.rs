//! Support for the integration tests.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod actor;
pub(crate) mod history;
pub(crate) mod linearize;
pub(crate) mod passage;
pub(crate) mod passes;
pub(crate) mod plan;
pub(crate) mod race;
pub(crate) mod words;

use std::ops::ControlFlow;

use masstree::ffi::handle::TreeHandle;
use masstree::ffi::index::bulk_load::masstree_bulk_load_bytes;
use masstree::ffi::index::bytes::Slice;
use masstree::ffi::index::memory::masstree_barrier;
use masstree::ffi::status::{MASSTREE_EXISTS, MASSTREE_NOMEM, MASSTREE_OK};
use masstree::{LoadOutcome, OutOfMemory, Pinned, Range, Tree};

pub(crate) fn new_tree() -> Tree {
    Tree::new(None).expect("memory for an empty tree")
}

/// A number of steps that suits a build without optimisation, times
/// MASSTREE_TEST_FACTOR where that is set.
pub(crate) fn scaled(steps: usize) -> usize {
    steps * from_environment("FACTOR", 1)
}

/// A number from the environment variable MASSTREE_TEST_ followed by `name`.
pub(crate) fn from_environment(name: &str, default: usize) -> usize {
    let name = format!("MASSTREE_TEST_{name}");
    std::env::var(&name).map_or(default, |text| match text.parse() {
        Ok(number) => number,
        Err(_) => panic!("{name} is not a number: {text:?}"),
    })
}

/// All keys and values of a range, in the order visited.
pub(crate) fn collect(tree: &Tree, pin: Pinned<'_>, range: &Range<'_>) -> Vec<(Vec<u8>, u64)> {
    let mut seen = Vec::new();
    let count = tree
        .scan(pin, range, &mut |key, value| {
            seen.push((key.to_vec(), value));
            ControlFlow::Continue(())
        })
        .expect("memory for a scan");
    assert_eq!(count, seen.len());
    seen
}

/// The keys of a range, in the order visited.
pub(crate) fn keys(tree: &Tree, range: &Range<'_>) -> Vec<Vec<u8>> {
    let guard = tree.guard().unwrap();
    collect(tree, guard.pin(), range)
        .into_iter()
        .map(|(key, _)| key)
        .collect()
}

/// Every key, backwards.
pub(crate) fn backwards() -> Range<'static> {
    Range {
        reverse: true,
        ..Range::all()
    }
}

/// Panics with the faults that `check` reports.
#[track_caller]
pub(crate) fn assert_sound(tree: &Tree) {
    let mut faults = String::new();
    let sound = tree
        .check(tree.guard().unwrap().pin(), &mut |line| {
            faults.push_str(line)
        })
        .expect("memory for a check");
    assert!(sound, "{faults}");
}

pub(crate) fn put(tree: &Tree, key: &[u8], value: u64) -> Option<u64> {
    tree.put(tree.guard().unwrap().pin(), key, value)
        .expect("memory for a put")
}

pub(crate) fn remove(tree: &Tree, key: &[u8]) -> Option<u64> {
    tree.remove(tree.guard().unwrap().pin(), key)
}

pub(crate) fn get(tree: &Tree, key: &[u8]) -> Option<u64> {
    tree.get(tree.guard().unwrap().pin(), key)
}

/// How many lengths byte strings have; numbers that differ by a multiple of this have the
/// same length.
pub(crate) const VALUE_LENGTHS: u64 = 61;

/// Encodes a number as a byte string in which a torn read is noticed; the length depends on
/// the number, and may be zero.
pub(crate) fn encoded(n: u64) -> Vec<u8> {
    if n == 0 {
        return Vec::new();
    }
    let mut bytes = n.to_le_bytes().to_vec();
    bytes.resize(8 + (n % VALUE_LENGTHS) as usize, n as u8);
    bytes
}

/// Decodes the number of a byte string; panics if the string is torn.
#[track_caller]
pub(crate) fn decoded(bytes: &[u8]) -> u64 {
    let n = bytes.first_chunk().map_or(0, |n| u64::from_le_bytes(*n));
    assert_eq!(bytes, encoded(n), "a value is not whole");
    n
}

/// The C handle of the tree.
pub(crate) fn handle(tree: &Tree) -> *mut TreeHandle {
    // A handle consists of the tree alone.
    const { assert!(size_of::<Tree>() == size_of::<TreeHandle>()) };
    std::ptr::from_ref(tree).cast_mut().cast()
}

/// Waits until everything retired so far has been freed. No guard is held.
pub(crate) fn wait_for_all(tree: &Tree) {
    // SAFETY: a live tree.
    assert_eq!(unsafe { masstree_barrier(handle(tree)) }, MASSTREE_OK);
}

/// Loads byte strings in the given order through the C interface: only the library allocates
/// byte-string values.
pub(crate) fn bulk_load_bytes(
    tree: &Tree,
    pairs: &[(Vec<u8>, u64)],
) -> Result<LoadOutcome, OutOfMemory> {
    let slice = |bytes: &Vec<u8>| Slice {
        data: bytes.as_ptr().cast(),
        len: bytes.len(),
    };
    let values: Vec<_> = pairs.iter().map(|(_, value)| encoded(*value)).collect();
    let keys: Vec<_> = pairs.iter().map(|(key, _)| slice(key)).collect();
    let values: Vec<_> = values.iter().map(slice).collect();
    let (no_guard, no_offender) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: a live tree, and as many keys and values as the count says.
    let status = unsafe {
        masstree_bulk_load_bytes(
            handle(tree),
            no_guard,
            keys.as_ptr(),
            values.as_ptr(),
            keys.len(),
            no_offender,
        )
    };
    match status {
        MASSTREE_OK => Ok(LoadOutcome::Done),
        MASSTREE_EXISTS => Ok(LoadOutcome::NotEmpty),
        MASSTREE_NOMEM => Err(OutOfMemory),
        other => panic!("status {other}"),
    }
}

/// A reproducible sequence of numbers (SplitMix64: Steele, Lea, Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
