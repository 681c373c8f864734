//! Starting threads that run none of the program's signal handlers.

/// Runs `start` with all signals blocked: a thread that it starts never runs the program's signal
/// handlers.
pub(super) fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: the sets are this frame's; blocking all signals, and restoring the mask, cannot fail.
    unsafe {
        let mut all = std::mem::zeroed();
        let mut before = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let result = start();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        result
    }
}
