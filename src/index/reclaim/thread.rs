//! Counts the threads that use the library, and records whether this thread's slot in seize still
//! exists.
//!
//! A program may call the library from a destructor that runs when a thread exits
//! (`pthread_key_create`, C++ `thread_local`), after the destructor of seize's own thread-local
//! may have run; seize would panic. Destructors run in the reverse order of registration:
//! [`ExitWatch`] is registered after seize's, so it has always run when seize's has.
//! [`ExitEnd`] is registered before seize's and runs after it; between the two, the thread may
//! lock seize's mutex (see `fork`).
//!
//! A thread may also use the library for the first time in such a destructor. In a destructor of a
//! C++ `thread_local`, the thread still registers [`ExitWatch`] and [`ExitEnd`] in time. But glibc
//! runs destructors of `pthread_key_create` after those of thread-locals: it does not run
//! destructors that are registered from one of them, and `late` runs them instead.
//!
//! Threads are counted before they get their number from seize and after they have returned it,
//! as `flush` requires.

use std::cell::Cell;
#[cfg(debug_assertions)]
use std::num::NonZeroU64;
use std::sync::atomic::AtomicU64;

use super::flush::Census;
use super::fork::{self, SeizeEntry};
use crate::sync::{Ordering, fence};

/// Threads that have, or had, a number from seize. A guard without a slot counts as a thread.
static BEGUN: AtomicU64 = AtomicU64::new(0);
/// Threads that have returned their number.
static ENDED: AtomicU64 = AtomicU64::new(0);

/// Counts the number that the caller takes from seize next.
pub(super) fn begin() {
    OWN.set(OWN.get() + 1);
    BEGUN.fetch_add(1, Ordering::Relaxed);
    // Release: a flush that finds the thread's reservation active counts it; see `flush`.
    fence(Ordering::Release);
}

/// Counts a number as returned to seize. Called by the thread that took the number.
pub(super) fn end() {
    OWN.set(OWN.get() - 1);
    // Release: a census that loads this count finds the number's reservation inactive.
    ENDED.fetch_add(1, Ordering::Release);
}

/// Counts threads that may be in a call, and that have begun.
pub(super) fn census() -> Census {
    // `ENDED` first: then `living` misses no thread.
    let ended = ENDED.load(Ordering::Acquire);
    let begun = BEGUN.load(Ordering::Relaxed);
    Census {
        living: begun - ended,
        begun,
    }
}

/// After a fork, in the child: counts the parent's other threads, which do not exist here, as
/// ended.
pub(super) fn forget_others() {
    ENDED.store(BEGUN.load(Ordering::Relaxed) - OWN.get(), Ordering::Relaxed);
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// This thread has not used the library yet.
    New,
    /// This thread's slot in seize exists.
    Running,
    /// This thread's slot in seize may have been destroyed.
    Exiting,
}

struct ExitWatch;

impl Drop for ExitWatch {
    fn drop(&mut self) {
        STATE.set(State::Exiting);
        let _ = EXIT_END.try_with(|end| end.seize.set(Some(fork::enter_seize())));
    }
}

struct ExitEnd {
    /// Dropped together with this struct, after seize's destructor has run.
    seize: Cell<Option<SeizeEntry>>,
}

impl Drop for ExitEnd {
    fn drop(&mut self) {
        late::disarm();
        end();
    }
}

thread_local! {
    /// No destructor: accessible at any time.
    static STATE: Cell<State> = const { Cell::new(State::New) };
    /// How many numbers this thread has from seize. No destructor: accessible at any time.
    static OWN: Cell<u64> = const { Cell::new(0) };
    static EXIT_WATCH: ExitWatch = const { ExitWatch };
    static EXIT_END: ExitEnd = const { ExitEnd { seize: Cell::new(None) } };
}

/// The thread on which a call without a guard began, and must end: that thread's reservation
/// protects what the call reads. Builds with debug assertions abort a call that continues on
/// another thread, as after a callback that yields to a scheduler of fibers.
#[derive(Clone, Copy)]
pub(crate) struct CallThread {
    /// `None` if the call may continue on any thread.
    #[cfg(debug_assertions)]
    thread: Option<NonZeroU64>,
}

impl CallThread {
    pub(super) const ANYWHERE: Self = Self {
        #[cfg(debug_assertions)]
        thread: None,
    };

    /// This thread.
    #[inline]
    pub(super) fn here() -> Self {
        Self {
            #[cfg(debug_assertions)]
            thread: Some(number()),
        }
    }

    #[inline]
    pub(super) fn check(self) {
        #[cfg(debug_assertions)]
        assert!(
            self.thread.is_none_or(|thread| thread == number()),
            "a call without a guard continues on another thread than it began on, where its reads \
             are not protected: where a callback may yield to a scheduler, pass a guard"
        );
    }
}

/// Returns this thread's number, which no other thread ever has. Not inlined: within one
/// function, a compiler assumes that the address of a thread-local is constant.
#[cfg(debug_assertions)]
#[inline(never)]
fn number() -> NonZeroU64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static NUMBER: Cell<Option<NonZeroU64>> = const { Cell::new(None) };
    }
    NUMBER.get().unwrap_or_else(|| {
        let number = NonZeroU64::MIN.saturating_add(LAST.fetch_add(1, Ordering::Relaxed));
        NUMBER.set(Some(number));
        number
    })
}

#[inline]
pub(super) fn state() -> State {
    STATE.get()
}

/// Prepares for the end of this thread. Called once in a thread, before seize registers its
/// destructor.
pub(super) fn prepare_exit() {
    begin();
    // This thread's first access: the destructor has not run yet.
    EXIT_END.with(|_| ());
    late::arm();
}

/// Sets the state `Running`, and `Exiting` when the thread ends. Called once in a thread, after
/// seize has registered its destructor.
pub(super) fn watch_exit() {
    // This thread's first access: the destructor has not run yet.
    EXIT_WATCH.with(|_| STATE.set(State::Running));
}

/// Runs destructors of thread-locals that were registered too late for glibc to run them.
///
/// A thread has a value under our key of `pthread_key_create` exactly as long as its
/// destructors are registered and have not run. So glibc calls the key's destructor only if
/// the destructor of another key registered them: in the same round of key destructors, or in the
/// next one. Our key's destructor runs the registered destructors by calling glibc's own function,
/// which also frees the registrations. In other C libraries, a key's destructor runs the
/// destructors of thread-locals anyway.
///
/// glibc's function runs the destructors of all thread-locals that were registered late, the
/// program's included, and destructors of other keys may still use those. So the key's destructor
/// calls that function only when no other key has a value in this thread. Until then it sets its
/// own value again, and is called in the next round. At its third call it no longer waits: if its
/// value was first set in the first round, that call is in the third round or in the fourth, the
/// last.
///
/// Two cases are not solved:
/// - A key still has a value, or has one again, at that third call. If its destructor then uses a
///   thread-local that was registered late, that thread-local is destroyed already.
/// - A thread uses the library for the first time in the last round; or after the first round,
///   while other keys have values until the last. Then the destructors of its late thread-locals do
///   not run, and its slot in seize (some hundred bytes in each tree) is not reused.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod late {
    use std::ffi::c_void;
    use std::ptr;
    use std::sync::OnceLock;

    /// glibc's `PTHREAD_KEYS_MAX`.
    const KEYS: libc::pthread_key_t = 1024;
    /// The number, within a thread, of the call of the key's destructor that no longer waits for
    /// other keys: one less than glibc's `PTHREAD_DESTRUCTOR_ITERATIONS`.
    ///
    /// ThreadSanitizer deletes its own state of the thread in the last round: under it, already the
    /// first call does not wait.
    const LAST_CALL: usize = match cfg!(any(feature = "annotate", masstree_tsan)) {
        true => 1,
        false => 3,
    };

    /// `None`: there are no more keys.
    static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();

    /// Sets the key's value in this thread, so that glibc calls `run`. May lock a mutex: the caller
    /// has entered seize (see `fork`).
    pub(super) fn arm() {
        let key = KEY.get_or_init(|| {
            let mut key = 0;
            // SAFETY: the destructor is not unloaded while a thread has a value: glibc keeps
            // a library whose destructors of thread-locals are registered.
            let status = unsafe { libc::pthread_key_create(&mut key, Some(run)) };
            (status == 0).then_some(key)
        });
        if let &Some(key) = key {
            set_calls(key, 1);
        }
    }

    /// Sets which call of the key's destructor in this thread is the next.
    fn set_calls(key: libc::pthread_key_t, calls: usize) {
        // SAFETY: the key was created, and is never deleted.
        unsafe { libc::pthread_setspecific(key, ptr::without_provenance(calls)) };
    }

    pub(super) fn disarm() {
        if let Some(&Some(key)) = KEY.get() {
            set_calls(key, 0);
        }
    }

    /// Whether another key has a value in this thread, and so may have a destructor to run.
    fn is_other_key_set(own: libc::pthread_key_t) -> bool {
        // SAFETY: glibc returns NULL for keys that do not exist.
        (0..KEYS).any(|key| key != own && unsafe { !libc::pthread_getspecific(key).is_null() })
    }

    /// The key's destructor. `call` was the key's value, which glibc has set to NULL.
    unsafe extern "C" fn run(call: *mut c_void) {
        let call = call.addr();
        if let Some(&Some(key)) = KEY.get()
            && call < LAST_CALL
            && is_other_key_set(key)
        {
            set_calls(key, call + 1);
            return;
        }
        // `__call_tls_dtors` is private to glibc, which calls it when a thread ends. Not every
        // glibc declares it in its headers, but every libc.so since 2.18 exports it.
        // SAFETY: the name is a string; the function has no parameters and no result, and does
        // nothing if no destructor is registered in this thread.
        unsafe {
            let function = libc::dlsym(libc::RTLD_DEFAULT, c"__call_tls_dtors".as_ptr());
            if !function.is_null() {
                std::mem::transmute::<*mut c_void, unsafe extern "C" fn()>(function)();
            }
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod late {
    pub(super) fn arm() {}

    pub(super) fn disarm() {}
}

#[cfg(all(test, target_os = "linux", not(any(loom, shuttle, miri))))]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// Every flush of a child would pad for its parent's threads. Put back: do not call
    /// `forget_others` in the child.
    #[test]
    fn a_child_counts_no_threads_but_its_own() {
        begin();
        let own = OWN.get();
        let (begun, over) = (Barrier::new(2), Barrier::new(2));
        let status = std::thread::scope(|scope| {
            scope.spawn(|| {
                begin();
                begun.wait();
                over.wait();
                end();
            });
            begun.wait();
            let mut status = 0;
            // SAFETY: the child only counts.
            let (child, waited) = unsafe {
                let child = libc::fork();
                if child == 0 {
                    libc::_exit((census().living != own).into());
                }
                (child, libc::waitpid(child, &mut status, 0))
            };
            over.wait();
            assert!(child > 0 && waited == child);
            status
        });
        end();
        assert_eq!(status, 0);
    }
}
