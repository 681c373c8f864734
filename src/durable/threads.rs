//! Starting threads that run none of the program's signal handlers, and how many.

use std::thread;

use crate::errno;

/// The most threads that work at one time, unless an option asks for more.
const MOST: usize = 4;

/// Returns how many threads work at one time if the options do not say.
pub(super) fn default_count() -> usize {
    let processors = errno::preserve(thread::available_parallelism);
    processors.map_or(1, |count| count.get().min(MOST))
}

/// Runs `start` with all signals blocked: a thread that it starts never runs the program's signal
/// handlers. Preserves `errno`.
pub(super) fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: the sets are this frame's; blocking all signals, and restoring the mask, cannot fail.
    unsafe {
        let mut all = std::mem::zeroed();
        let mut before = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let result = errno::preserve(start);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        result
    }
}
