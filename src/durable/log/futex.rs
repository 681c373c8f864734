//! A word on which threads sleep in the kernel until another thread wakes them.
//!
//! `wait` sleeps only if the word still has the expected value; the kernel compares it and puts the
//! thread to sleep in one step, as seen from `wake`. So a thread that changes the word before it wakes
//! never leaves one asleep that has not seen the change. A sleep may also end for no reason: callers
//! check their condition again.

#[cfg(not(any(loom, shuttle)))]
use std::ptr;
use std::time::Duration;

#[cfg(not(any(loom, shuttle)))]
use crate::errno;
use crate::sync::AtomicU32;

pub(super) struct Futex {
    pub(super) word: AtomicU32,
    #[cfg(any(loom, shuttle))]
    kernel: model::Kernel,
}

impl Futex {
    pub(super) fn new() -> Self {
        Self {
            word: AtomicU32::new(0),
            #[cfg(any(loom, shuttle))]
            kernel: model::Kernel::new(),
        }
    }

    /// Sleeps while the word is `expected`, at most `longest`.
    #[cfg(not(any(loom, shuttle)))]
    pub(super) fn wait(&self, expected: u32, longest: Option<Duration>) {
        let time = longest.map(|time| libc::timespec {
            tv_sec: time.as_secs() as _,
            tv_nsec: time.subsec_nanos() as libc::c_long,
        });
        let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the word outlives the call; the kernel reads it and `time`, and writes nothing. The
        // call is no cancellation point, and sets `errno` when the word has changed.
        errno::preserve(|| unsafe {
            libc::syscall(
                libc::SYS_futex,
                ptr::from_ref(&self.word),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                expected,
                time,
            )
        });
    }

    /// Wakes every thread that sleeps.
    #[cfg(not(any(loom, shuttle)))]
    pub(super) fn wake(&self) {
        // SAFETY: the word outlives the call, which only looks its address up.
        errno::preserve(|| unsafe {
            libc::syscall(
                libc::SYS_futex,
                ptr::from_ref(&self.word),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                i32::MAX,
            )
        });
    }

    #[cfg(any(loom, shuttle))]
    pub(super) fn wait(&self, expected: u32, _: Option<Duration>) {
        self.kernel.wait(&self.word, expected);
    }

    #[cfg(any(loom, shuttle))]
    pub(super) fn wake(&self) {
        self.kernel.wake();
    }
}

/// The kernel's part in a model: its lock, and the threads that sleep.
#[cfg(any(loom, shuttle))]
mod model {
    #[cfg(loom)]
    use loom::sync::{Condvar, Mutex};
    #[cfg(shuttle)]
    use shuttle::sync::{Condvar, Mutex};

    use crate::sync::{AtomicU32, Ordering};

    pub(super) struct Kernel {
        lock: Mutex<()>,
        sleepers: Condvar,
    }

    impl Kernel {
        pub(super) fn new() -> Self {
            Self {
                lock: Mutex::new(()),
                sleepers: Condvar::new(),
            }
        }

        pub(super) fn wait(&self, word: &AtomicU32, expected: u32) {
            let held = self.lock.lock().unwrap();
            if word.load(Ordering::Relaxed) == expected {
                drop(self.sleepers.wait(held).unwrap());
            }
        }

        pub(super) fn wake(&self) {
            let held = self.lock.lock().unwrap();
            self.sleepers.notify_all();
            drop(held);
        }
    }
}
