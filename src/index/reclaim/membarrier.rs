//! Prints an explanation before the process aborts because the kernel no longer allows
//! `membarrier`.
//!
//! When a tree is created, seize asks the kernel whether it allows `membarrier`, and uses another
//! barrier if not. If the kernel refuses the call later, no batch can be freed safely: threads
//! in calls have executed no barrier of their own. Seize then aborts without a message. So the
//! library's calls of `abort` go to `explain_and_abort`: `build.rs` instructs the linker of the
//! shared library, and `cmake/isolate.sh` that of the static one. A static library built by
//! cargo alone aborts without the explanation.

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod linux {
    use std::arch::global_asm;
    use std::ffi::{c_int, c_void};
    use std::mem::MaybeUninit;
    use std::ptr;
    use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

    const QUERY: c_int = 0;
    const PRIVATE_EXPEDITED: i64 = 1 << 3;

    const EXPLANATION: &str = "libmasstree: the kernel refuses the system call membarrier, which it \
        allowed when the first tree was made. A seccomp filter installed since then must allow it \
        (systemd: SystemCallFilter=membarrier), or be installed before the first tree is made.\n";

    /// Whether the kernel allowed `membarrier` when a tree was created.
    static WAS_ALLOWED: AtomicBool = AtomicBool::new(false);
    /// The C library's `abort`; set when the first tree is created, since `dlsym` takes a lock of
    /// the loader, for which an aborting thread must not wait.
    static ABORT: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

    fn is_allowed() -> bool {
        // SAFETY: the query changes nothing.
        let commands = unsafe { libc::syscall(libc::SYS_membarrier, QUERY, 0 as c_int) };
        commands >= 0 && commands as i64 & PRIVATE_EXPEDITED != 0
    }

    pub(in super::super) fn record_availability() -> bool {
        if ABORT.load(Ordering::Relaxed).is_null() {
            // SAFETY: the name is a string.
            let abort = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"abort".as_ptr()) };
            ABORT.store(abort, Ordering::Relaxed);
        }
        let allowed = is_allowed();
        if allowed {
            WAS_ALLOWED.store(true, Ordering::Relaxed);
        }
        allowed
    }

    // Hidden: only the linker of the library sees it.
    global_asm!(
        ".globl libmasstree_abort",
        ".hidden libmasstree_abort",
        ".type libmasstree_abort, @function",
        "libmasstree_abort:",
        #[cfg(target_arch = "x86_64")]
        "jmp {abort}",
        #[cfg(target_arch = "aarch64")]
        "b {abort}",
        ".size libmasstree_abort, . - libmasstree_abort",
        abort = sym explain_and_abort,
    );

    /// Replaces `abort` within the library.
    extern "C" fn explain_and_abort() -> ! {
        if WAS_ALLOWED.load(Ordering::Relaxed) && !is_allowed() {
            // SAFETY: the bytes are readable. A failed write has no remedy.
            unsafe { libc::write(2, EXPLANATION.as_ptr().cast(), EXPLANATION.len()) };
        }
        let abort = ABORT.load(Ordering::Relaxed);
        // SAFETY: the C library's function takes nothing and does not return.
        unsafe {
            if !abort.is_null() {
                std::mem::transmute::<*mut c_void, extern "C" fn()>(abort)();
            }
            raise_abort()
        }
    }

    /// Does what `abort` does, if its address is unknown: in a program without shared libraries.
    fn raise_abort() -> ! {
        let mut set = MaybeUninit::uninit();
        // SAFETY: the set is initialised before it is used; the rest has no preconditions.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGABRT);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), ptr::null_mut());
            // Runs the program's handler, if it has one; the handler may return.
            libc::raise(libc::SIGABRT);
            libc::signal(libc::SIGABRT, libc::SIG_DFL);
            libc::raise(libc::SIGABRT);
            libc::_exit(128 + libc::SIGABRT)
        }
    }
}

/// Records, and returns, whether the kernel allows `membarrier`.
pub(super) fn record_availability() -> bool {
    #[cfg(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    return linux::record_availability();
    #[cfg(not(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )))]
    true
}
