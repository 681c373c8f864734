//! An explanation for programs that may not call `membarrier` any more.
//!
//! Seize asks the kernel when a tree is made whether it may call `membarrier`, and does without
//! if not. If the call is refused later, to hand over is impossible: threads that are in calls have
//! issued no barrier of their own. Seize aborts then, without a word. So what the library calls
//! for `abort` is `explain_and_abort`: `build.rs` tells the linker of the shared library, and
//! `cmake/isolate.sh` that of the static one. A static library by cargo alone aborts without the
//! explanation.

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod linux {
    use std::arch::global_asm;
    use std::ffi::c_int;
    use std::sync::atomic::{AtomicBool, Ordering};

    const QUERY: c_int = 0;
    const PRIVATE_EXPEDITED: i64 = 1 << 3;

    const EXPLANATION: &str = "libmasstree: the kernel refuses the system call membarrier, which it \
        allowed when the first tree was made. A seccomp filter installed since then must allow it \
        (systemd: SystemCallFilter=membarrier), or be installed before the first tree is made.\n";

    /// Whether it was, when a tree was made.
    static WAS_ALLOWED: AtomicBool = AtomicBool::new(false);

    fn is_allowed() -> bool {
        // SAFETY: the query changes nothing.
        let commands = unsafe { libc::syscall(libc::SYS_membarrier, QUERY, 0 as c_int) };
        commands >= 0 && commands as i64 & PRIVATE_EXPEDITED != 0
    }

    pub(in super::super) fn record_availability() {
        if !WAS_ALLOWED.load(Ordering::Relaxed) && is_allowed() {
            WAS_ALLOWED.store(true, Ordering::Relaxed);
        }
    }

    // Hidden: known to the linker of the library alone.
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

    /// `abort`, for the whole shared library.
    extern "C" fn explain_and_abort() -> ! {
        if WAS_ALLOWED.load(Ordering::Relaxed) && !is_allowed() {
            // SAFETY: the bytes are there. Nothing can be done if they cannot be written.
            unsafe { libc::write(2, EXPLANATION.as_ptr().cast(), EXPLANATION.len()) };
        }
        // SAFETY: the name is a string; the C library's function takes nothing and does not
        // return.
        unsafe {
            let abort = libc::dlsym(libc::RTLD_DEFAULT, c"abort".as_ptr());
            if !abort.is_null() {
                std::mem::transmute::<*mut libc::c_void, extern "C" fn()>(abort)();
            }
            libc::raise(libc::SIGABRT);
            libc::_exit(128 + libc::SIGABRT)
        }
    }
}

/// Notes that the kernel allows it, if it does.
pub(super) fn record_availability() {
    #[cfg(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    linux::record_availability();
}
