//! Trees with an allocator that counts and can be made to fail: known failures 12 (every
//! value destroyed exactly once, no memory leaked) and 18 (operations that fail half-way).

#![allow(
    clippy::disallowed_methods,
    reason = "they are for code of the library"
)]

mod batches;
mod destroyed;
mod out_of_memory;
#[path = "../support/mod.rs"]
mod support;
mod walks;

use std::alloc::Layout;
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use masstree::{Allocator, Destructor, HugePages, Tree, TreeOptions, Values};
use support::Random;

/// A tree's allocations, and its misuses of the allocator.
#[derive(Default)]
struct Ledger {
    /// Size and alignment of each allocation.
    live: Mutex<HashMap<usize, (usize, usize)>>,
    /// Frees of memory that was not allocated, or with another layout.
    faults: AtomicUsize,
    /// How many allocations succeed before one fails; `usize::MAX`: none fails.
    fuse: AtomicUsize,
    /// Whether all allocations after the one that fails do so, too.
    lasting: AtomicBool,
}

const NONE: usize = usize::MAX;

impl Ledger {
    fn new() -> Self {
        let ledger = Self::default();
        ledger.fuse.store(NONE, Ordering::Relaxed);
        ledger
    }

    /// Every new node is an allocation of its own.
    fn options(&self, values: Values) -> TreeOptions {
        let ctx = std::ptr::from_ref(self).cast_mut().cast();
        TreeOptions {
            values,
            // SAFETY: the functions obey the contract of `Allocator` on any thread, and the
            // ledger outlives the tree.
            allocator: Some(unsafe { Allocator::new(alloc, free, ctx) }),
            chunk_size: 1,
            huge_pages: HugePages::FromKernel,
            keeps_everything: false,
        }
    }

    fn tree(&self, values: Values) -> Tree {
        Tree::with_options(&self.options(values)).expect("memory for an empty tree")
    }

    /// Makes the allocation after `nth` others fail.
    fn arm(&self, nth: usize) {
        self.fuse.store(nth, Ordering::Relaxed);
    }

    fn is_armed(&self) -> bool {
        self.fuse.load(Ordering::Relaxed) != NONE
    }

    /// Called after the tree was dropped: every allocation was freed, correctly.
    #[track_caller]
    fn assert_balanced(&self) {
        assert_eq!(self.faults.load(Ordering::Relaxed), 0, "wrong frees");
        let live = self.live.lock().unwrap();
        assert!(live.is_empty(), "left: {:?}", live.values());
    }
}

unsafe extern "C" fn alloc(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
    // SAFETY: the context is a ledger that outlives the tree.
    let ledger = unsafe { &*ctx.cast::<Ledger>() };
    let left = ledger.fuse.load(Ordering::Relaxed);
    if left != NONE {
        let spent = match ledger.lasting.load(Ordering::Relaxed) {
            true => 0,
            false => NONE,
        };
        let next = left.checked_sub(1).unwrap_or(spent);
        ledger.fuse.store(next, Ordering::Relaxed);
        if left == 0 {
            return std::ptr::null_mut();
        }
    }
    let layout = Layout::from_size_align(size, align).expect("a valid layout");
    assert_ne!(size, 0);
    // SAFETY: the size is not zero.
    let place = unsafe { std::alloc::alloc(layout) };
    let mut live = ledger.live.lock().unwrap();
    live.insert(place.addr(), (size, align));
    place.cast()
}

unsafe extern "C" fn free(place: *mut c_void, size: usize, align: usize, ctx: *mut c_void) {
    // SAFETY: see `alloc`.
    let ledger = unsafe { &*ctx.cast::<Ledger>() };
    let allocated = ledger.live.lock().unwrap().remove(&place.addr());
    if allocated != Some((size, align)) {
        ledger.faults.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let layout = Layout::from_size_align(size, align).expect("as it was allocated");
    // SAFETY: allocated above with this layout, and not freed yet.
    unsafe { std::alloc::dealloc(place.cast(), layout) };
}

const WORDS: Values = Values::words(None);

/// Keys of a mixed workload: several layers, long suffixes, splits.
fn workload_keys(count: usize) -> Vec<Vec<u8>> {
    let mut random = Random(18);
    (0..count)
        .map(|i| {
            let n = random.next();
            match i % 5 {
                0 => n.to_be_bytes().to_vec(),
                1 => [&b"prefix 8"[..], &n.to_le_bytes()[..3]].concat(),
                2 => [
                    &b"a prefix that is shared by 4 layers"[..],
                    &n.to_be_bytes(),
                ]
                .concat(),
                3 => [&n.to_be_bytes()[..2], &[b's'; 300][..n as usize % 300]].concat(),
                _ => (n % 64).to_be_bytes()[7..].to_vec(),
            }
        })
        .collect()
}

/// How many times each value was destroyed.
struct Tally(Vec<AtomicUsize>);

impl Tally {
    fn new(len: usize) -> Self {
        Self((0..len).map(|_| AtomicUsize::new(0)).collect())
    }

    fn add(&self, value: u64) {
        self.0[value as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn destructor(&self) -> Destructor {
        unsafe extern "C" fn count(value: u64, ctx: *mut c_void) {
            // SAFETY: the tally outlives the tree, and contains only atomics.
            unsafe { &*ctx.cast::<Tally>() }.add(value);
        }
        // SAFETY: the function expects this context, and may run on any thread.
        unsafe { Destructor::new(count, std::ptr::from_ref(self).cast_mut().cast()) }
    }

    #[track_caller]
    fn assert_all(&self, times: usize) {
        for (value, destroyed) in self.0.iter().enumerate() {
            assert_eq!(destroyed.load(Ordering::Relaxed), times, "value {value}");
        }
    }
}
