//! The caller's `errno`, which no call changes.
//!
//! **Invariant.** Whatever may set `errno` runs within [`keep`] (or [`Keeping`]): system calls
//! that may fail or wait, locks of the standard library when they wait (a futex that was
//! changed or timed out says so in `errno`), what seize does with a lock of its own, and the
//! user's functions that the library calls when it sees fit: allocators, destructors of values,
//! functions of retired objects. Allocators may set `errno` also where they succeed, so Rust's
//! global one is [`Keeping`]; that covers what seize and the standard library allocate.
//!
//! Visitors and other callbacks that a call is given run outside: what they set is for the
//! caller to see. `free` is not wrapped: since POSIX.1-2024, and glibc 2.33, it leaves `errno`
//! alone.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_int;

/// Does some work, after which `errno` is what it was before.
#[inline]
pub(crate) fn keep<T>(work: impl FnOnce() -> T) -> T {
    let errno = location();
    // Volatile: the compiler believes that malloc leaves all memory alone that it can see.
    // SAFETY: this thread's errno, which lives as long as the thread.
    let before = unsafe { errno.read_volatile() };
    let result = work();
    // SAFETY: as above: the work ends on the thread it began on.
    unsafe { errno.write_volatile(before) };
    result
}

#[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "fuchsia"))]
fn location() -> *mut c_int {
    // SAFETY: without preconditions.
    unsafe { libc::__errno_location() }
}

#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
fn location() -> *mut c_int {
    // SAFETY: without preconditions.
    unsafe { libc::__error() }
}

/// The system's allocator, which leaves `errno` alone here.
pub(crate) struct Keeping;

// SAFETY: that of the system is one.
unsafe impl GlobalAlloc for Keeping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the trait's contract.
        keep(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the trait's contract.
        keep(|| unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: by the trait's contract.
        keep(|| unsafe { System.realloc(ptr, layout, size) })
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: by the trait's contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}
