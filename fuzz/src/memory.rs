//! An allocator that counts, and fails on request.

use std::alloc::Layout;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

#[derive(Default)]
pub(crate) struct Memory {
    blocks: AtomicI64,
    bytes: AtomicI64,
    /// Allocations until one fails; below 1: none fails.
    countdown: AtomicI64,
    /// Later ones fail, too.
    goes_on: AtomicBool,
    failures: AtomicU64,
}

impl Memory {
    /// Makes the n-th allocation from now on fail, and later ones if it `goes_on`.
    pub(crate) fn fail(&self, nth: u8, goes_on: bool) {
        self.countdown.store(i64::from(nth), Relaxed);
        self.goes_on.store(goes_on, Relaxed);
        self.failures.store(0, Relaxed);
    }

    pub(crate) fn may_fail(&self) -> bool {
        self.countdown.load(Relaxed) > 0
    }

    /// Lets allocations succeed until `resume` is called with the result.
    pub(crate) fn pause(&self) -> i64 {
        self.countdown.swap(0, Relaxed)
    }

    pub(crate) fn resume(&self, paused: i64) {
        self.countdown.store(paused, Relaxed);
    }

    pub(crate) fn fail_no_more(&self) {
        self.countdown.store(0, Relaxed);
    }

    /// The number of failures since then.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    pub(crate) fn assert_all_returned(&self) {
        let (blocks, bytes) = (self.blocks.load(Relaxed), self.bytes.load(Relaxed));
        assert_eq!((blocks, bytes), (0, 0), "blocks and bytes not returned");
    }

    fn fails(&self) -> bool {
        match self.countdown.load(Relaxed) {
            ..=0 => return false,
            1 if self.goes_on.load(Relaxed) => {}
            n => {
                self.countdown.store(n - 1, Relaxed);
                if n > 1 {
                    return false;
                }
            }
        }
        self.failures.fetch_add(1, Relaxed);
        true
    }
}

/// # Safety
/// `ctx` is a [`Memory`].
pub(crate) unsafe extern "C" fn alloc(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
    // SAFETY: by contract.
    let memory = unsafe { &*ctx.cast::<Memory>() };
    let layout = Layout::from_size_align(size, align).expect("a layout");
    assert!(size > 0 && (align <= 128 || align == 2 << 20), "{layout:?}");
    if memory.fails() {
        return std::ptr::null_mut();
    }
    memory.blocks.fetch_add(1, Relaxed);
    memory.bytes.fetch_add(size as i64, Relaxed);
    // SAFETY: the size is not 0.
    unsafe { std::alloc::alloc(layout) }.cast()
}

/// # Safety
/// `ctx` is a [`Memory`], which allocated `memory`.
pub(crate) unsafe extern "C" fn free(
    block: *mut c_void,
    size: usize,
    align: usize,
    ctx: *mut c_void,
) {
    // SAFETY: by contract.
    let memory = unsafe { &*ctx.cast::<Memory>() };
    memory.blocks.fetch_sub(1, Relaxed);
    memory.bytes.fetch_sub(size as i64, Relaxed);
    let layout = Layout::from_size_align(size, align).expect("a layout");
    // SAFETY: from `alloc`, with this layout by contract; AddressSanitizer checks it.
    unsafe { std::alloc::dealloc(block.cast(), layout) };
}
