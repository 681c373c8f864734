//! Threads that use the library: when they begin and end, and whether this thread's slot in
//! seize still exists.
//!
//! A program may call the library from a destructor that runs when a thread exits
//! (`pthread_key_create`, C++ `thread_local`), after the destructor of seize's own thread-local
//! may have run; seize would panic. Destructors run in the reverse order of registration:
//! [`ExitWatch`] is registered after seize's, so it has always run when seize's has.
//! [`ExitEnd`] is registered before seize's and runs after it; between the two, the thread may
//! lock seize's mutex (see `fork`).
//!
//! A thread may also use the library for the first time in such a destructor. In one of a C++
//! `thread_local` it still registers in time. But glibc runs destructors of
//! `pthread_key_create` after those of thread-locals: it no longer runs what is registered
//! there, and `late` does so instead.
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

/// Threads that have, or had, a number from seize; guards without a slot count as such.
static BEGUN: AtomicU64 = AtomicU64::new(0);
/// Those of them that have returned it.
static ENDED: AtomicU64 = AtomicU64::new(0);

/// Counts a number that the caller takes from seize next.
pub(super) fn begin() {
    OWN.set(OWN.get() + 1);
    BEGUN.fetch_add(1, Ordering::Relaxed);
    // Release: a flush that finds the thread's reservation active counts it; see `flush`.
    fence(Ordering::Release);
}

/// Counts a number of seize's that was given back, by the thread that took it.
pub(super) fn end() {
    OWN.set(OWN.get() - 1);
    // Release: who sees it finds the number's reservation inactive.
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
    /// Dropped with it.
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
    /// Numbers of seize's that this thread has. Without a destructor.
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

/// Call once in a thread, before seize registers its destructor.
pub(super) fn prepare_exit() {
    begin();
    // This thread's first access: the destructor has not run yet.
    EXIT_END.with(|_| ());
    late::arm();
}

/// Call once in a thread, after seize registered its destructor.
pub(super) fn watch_exit() {
    // This thread's first access: the destructor has not run yet.
    EXIT_WATCH.with(|_| STATE.set(State::Running));
}

/// Runs destructors of thread-locals that were registered too late for glibc to run them.
///
/// A thread has a value under our key of `pthread_key_create` exactly as long as its
/// destructors are registered and have not run. So glibc calls the key's destructor only if
/// the destructor of another key registered them, in the same round of such destructors or in
/// the next. It runs them by glibc's own function, which also frees the registrations. In other
/// C libraries, destructors of thread-locals are themselves those of a key.
///
/// glibc's function runs the destructors of all thread-locals that were registered late, the
/// program's included, and destructors of other keys may still use those. So the key's destructor
/// does it only when no other key has a value in this thread. Until then it sets its own value
/// again, and is called in the next round. At its third call it no longer waits: if it was first
/// set in the first round, that call is in the third round or in the last, the fourth.
///
/// Left:
/// - A key that has a value still, or again, at that third call: if its destructor then uses a
///   thread-local that was registered late, it finds it destroyed.
/// - A thread that uses the library for the first time in the last round; or after the first
///   round, where other keys have values until the last. The destructors of its late thread-locals
///   do not run, and its slot (some hundred bytes in each tree) is not given back.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod late {
    use std::ffi::c_void;
    use std::ptr;
    use std::sync::OnceLock;

    /// glibc's `PTHREAD_KEYS_MAX`.
    const KEYS: libc::pthread_key_t = 1024;
    /// The call of the key's destructor in one thread that does not wait for other keys: one less
    /// than glibc's `PTHREAD_DESTRUCTOR_ITERATIONS`.
    ///
    /// ThreadSanitizer ends a thread for itself in the last round: with it, no call waits.
    const LAST_CALL: usize = match cfg!(any(feature = "annotate", masstree_tsan)) {
        true => 1,
        false => 3,
    };

    /// `None`: there are no more keys.
    static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();

    /// The caller has entered seize (see `fork`), as this may lock a mutex.
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
        // SAFETY: glibc answers NULL for keys that do not exist.
        (0..KEYS).any(|key| key != own && unsafe { !libc::pthread_getspecific(key).is_null() })
    }

    /// Called without a value: glibc clears it before.
    unsafe extern "C" fn run(call: *mut c_void) {
        let call = call.addr();
        if let Some(&Some(key)) = KEY.get()
            && call < LAST_CALL
            && is_other_key_set(key)
        {
            set_calls(key, call + 1);
            return;
        }
        // Private to glibc, which calls it when a thread ends; not in every glibc's headers,
        // but exported by every libc.so since 2.18.
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
