//! Preserves the caller's `errno`: no call of the library changes it.
//!
//! **Invariant.** Code that may set `errno` runs within [`preserve`] (or
//! [`PreservingAllocator`]): system calls that may fail or wait, locks of the standard library
//! when they wait (a futex whose word changed, or which timed out, sets `errno`), seize's own
//! lock, and the user's functions that the library calls at times of its own choosing:
//! allocators, destructors of values, functions that free retired objects. Allocators may set
//! `errno` even when they succeed, so Rust's global allocator is [`PreservingAllocator`]; it
//! covers the allocations of seize and the standard library.
//!
//! Visitors and other callbacks that a caller passes run outside of `preserve`: the caller sees
//! the `errno` that they set. The C library's `free` is not wrapped: since POSIX.1-2024, and
//! glibc 2.33, it preserves `errno`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_int;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use crate::annotate;

/// Runs `work`, then restores `errno`.
#[inline]
pub(crate) fn preserve<T>(work: impl FnOnce() -> T) -> T {
    let errno = location();
    // Volatile: the compiler assumes that malloc does not change memory that it can see.
    // SAFETY: this thread's errno, which lives as long as the thread.
    let before = unsafe { errno.read_volatile() };
    let result = work();
    // SAFETY: this thread's errno still: `work` ends on the thread on which it began.
    unsafe { errno.write_volatile(before) };
    result
}

/// Locks a mutex of the library; no thread panics while it holds one. The library locks all of its
/// mutexes by this function: clippy.toml disallows `Mutex::lock` elsewhere.
#[expect(clippy::disallowed_methods, reason = "within `preserve`")]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    preserve(|| {
        // ThreadSanitizer does not see how `Mutex::lock` takes a mutex after waiting for it: that
        // code of the standard library is not instrumented. `try_lock` is inlined here, and so is.
        // Ends: it tries again only after it has held the mutex, as threads do that wait in turn.
        while cfg!(masstree_tsan) {
            match mutex.try_lock() {
                Ok(guard) => {
                    annotate::acquire(mutex);
                    return guard;
                }
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => drop(mutex.lock()),
            }
        }
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    })
}

/// Locks a mutex of the library if no thread holds it.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    let guard = match mutex.try_lock() {
        Ok(guard) => guard,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return None,
    };
    if cfg!(masstree_tsan) {
        // As in `lock`.
        annotate::acquire(mutex);
    }
    Some(guard)
}

/// Waits until what a mutex protects meets a condition, which `changed` announces.
#[expect(clippy::disallowed_methods, reason = "within `preserve`")]
pub(crate) fn wait_until<T>(changed: &Condvar, mutex: &Mutex<T>, met: impl Fn(&T) -> bool) {
    let mut state = lock(mutex);
    // Ends: when the condition is met, which is what the caller waits for.
    while !met(&state) {
        leaves(mutex);
        state = preserve(|| changed.wait(state).unwrap_or_else(PoisonError::into_inner));
        if cfg!(masstree_tsan) {
            // As in `lock`: ThreadSanitizer does not see how the wait takes the mutex again.
            drop(state);
            state = lock(mutex);
        }
    }
}

/// Tells ThreadSanitizer that a wait is about to leave a mutex, which it does not see. [`lock`] says when
/// a thread has taken one.
#[inline]
fn leaves<T>(mutex: &Mutex<T>) {
    if cfg!(masstree_tsan) {
        annotate::release(mutex);
    }
}

/// As [`wait_until`], but not beyond `deadline`. Returns whether the condition is met.
#[expect(clippy::disallowed_methods, reason = "within `preserve`")]
pub(crate) fn wait_until_deadline<T>(
    changed: &Condvar,
    mutex: &Mutex<T>,
    deadline: Option<Instant>,
    met: impl Fn(&T) -> bool,
) -> bool {
    let Some(deadline) = deadline else {
        wait_until(changed, mutex, met);
        return true;
    };
    let mut state = lock(mutex);
    // Ends: at the deadline.
    while !met(&state) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        leaves(mutex);
        (state, _) = preserve(|| {
            (changed.wait_timeout(state, left)).unwrap_or_else(PoisonError::into_inner)
        });
        if cfg!(masstree_tsan) {
            // As in `wait_until`.
            drop(state);
            state = lock(mutex);
        }
    }
    true
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

/// The system's allocator; it preserves `errno`.
pub(crate) struct PreservingAllocator;

// SAFETY: the system's allocator meets the contract, and `preserve` changes only `errno`.
unsafe impl GlobalAlloc for PreservingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the trait's contract.
        preserve(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the trait's contract.
        preserve(|| unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: by the trait's contract.
        preserve(|| unsafe { System.realloc(ptr, layout, size) })
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: by the trait's contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// Put back: call the system's allocator without `preserve` in any of the three functions.
    #[test]
    fn an_allocation_that_fails_keeps_errno() {
        const MARK: c_int = 4242;
        let small = Layout::new::<u64>();
        let too_large = isize::MAX as usize - 7;
        let expect_kept = |allocate: &dyn Fn() -> *mut u8| {
            // SAFETY: this thread's errno.
            unsafe { *location() = MARK };
            // Opaque: the compiler may otherwise leave the allocation out, as one that succeeds.
            assert!(std::hint::black_box(allocate()).is_null());
            // SAFETY: as above.
            assert_eq!(unsafe { *location() }, MARK);
        };
        let layout = Layout::from_size_align(too_large, small.align()).unwrap();
        // SAFETY: no size is zero; `block` has the layout `small` throughout, and is freed once.
        unsafe {
            expect_kept(&|| PreservingAllocator.alloc(layout));
            expect_kept(&|| PreservingAllocator.alloc_zeroed(layout));
            let block = PreservingAllocator.alloc(small);
            assert!(!block.is_null());
            expect_kept(&|| PreservingAllocator.realloc(block, small, too_large));
            PreservingAllocator.dealloc(block, small);
        }
    }
}
