//! For tests: an allocator that counts what was not freed, and of which one call fails.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Allocator;

/// An allocator, shared by reference.
#[derive(Default)]
pub(crate) struct Counting {
    /// Calls until one fails; 0: none does.
    until_failure: AtomicU64,
    /// Allocations that are not freed.
    live: AtomicU64,
}

impl Counting {
    /// Returns an allocator that counts here, which must outlive its use.
    pub(crate) fn allocator(&self) -> Allocator {
        let ctx = std::ptr::from_ref(self).cast_mut().cast();
        // SAFETY: any thread may call the functions as long as `self` lives.
        unsafe { Allocator::new(allocate, free, ctx) }
    }

    /// Makes the allocation fail that follows `calls - 1` others; none if 0.
    pub(crate) fn fail_at(&self, calls: u64) {
        self.until_failure.store(calls, Ordering::Relaxed);
    }

    /// The allocations up to the one that is to fail.
    pub(crate) fn until_failure(&self) -> u64 {
        self.until_failure.load(Ordering::Relaxed)
    }

    pub(crate) fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }
}

unsafe extern "C" fn allocate(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
    // SAFETY: the context of `allocator`.
    let of = unsafe { &*ctx.cast::<Counting>() };
    let count_down = |left: u64| left.checked_sub(1);
    let left = (of.until_failure).fetch_update(Ordering::Relaxed, Ordering::Relaxed, count_down);
    if left == Ok(1) {
        return null_mut();
    }
    of.live.fetch_add(1, Ordering::Relaxed);
    // SAFETY: a tree asks for a valid layout, which is not empty.
    unsafe { alloc(Layout::from_size_align(size, align).unwrap()).cast() }
}

unsafe extern "C" fn free(memory: *mut c_void, size: usize, align: usize, ctx: *mut c_void) {
    // SAFETY: the context of `allocator`.
    let of = unsafe { &*ctx.cast::<Counting>() };
    of.live.fetch_sub(1, Ordering::Relaxed);
    // SAFETY: it came from `allocate`.
    unsafe { dealloc(memory.cast(), Layout::from_size_align(size, align).unwrap()) };
}
