//! What a process that was forked may do.
//!
//! Of the threads of a process only the one that calls `fork` lives on in the child.
//! Whatever another was about to do to a tree is never finished there, so trees made
//! before the fork are not to be used: each [`Domain`](super::Domain) remembers the
//! [`generation`] it was made in.
//!
//! Trees that the child makes itself are sound, but for one thing: seize has one
//! mutex in the process, which hands out numbers for threads and owned guards. Who
//! may hold it is [`Inside`] meanwhile, and `fork` waits, not for ever, until nobody
//! is. If somebody still was (one that runs a user's destructor, say, and so waits
//! for who knows what), the child makes no trees either: [`is_cut_off`].
//!
//! Nothing here is on the way of an operation that has its guard, or whose thread has
//! used the library before.

use std::cell::Cell;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread;

use crossbeam_utils::CachePadded;

use crate::memory::{STRIPES, own_stripe};

/// How many times `fork` gives the processor away while somebody is inside.
const PATIENCE: usize = 10_000;

/// Forks under way in this process: who wants to go inside waits.
static FORKING: AtomicUsize = AtomicUsize::new(0);
static INSIDE: [CachePadded<AtomicUsize>; STRIPES] =
    [const { CachePadded::new(AtomicUsize::new(0)) }; STRIPES];
/// Forks between the first process and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);
static CUT_OFF: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether nobody was inside at the fork that this thread is in.
    static CLEAN: Cell<bool> = const { Cell::new(true) };
}

/// The number of forks that led to this process, as far as trees are concerned.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Whether this process was forked at a moment after which it can make no trees.
pub(crate) fn is_cut_off() -> bool {
    CUT_OFF.load(Ordering::Relaxed)
}

/// The right to take seize's mutex.
pub(super) struct Inside {
    stripe: usize,
}

/// Waits while a thread forks. Reentrant: a user's destructor may run inside.
#[inline]
pub(super) fn inside() -> Inside {
    let stripe = own_stripe();
    // Ends: forks do. SeqCst here and in `prepare`: either this sees the fork, or the
    // fork sees this.
    loop {
        INSIDE[stripe].fetch_add(1, Ordering::SeqCst);
        if FORKING.load(Ordering::SeqCst) == 0 {
            return Inside { stripe };
        }
        INSIDE[stripe].fetch_sub(1, Ordering::SeqCst);
        thread::yield_now();
    }
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        INSIDE[self.stripe].fetch_sub(1, Ordering::SeqCst);
    }
}

/// Has forks noticed from here on.
pub(super) fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        #[cfg(unix)]
        // SAFETY: the handlers may run at any fork, and the library is never unloaded.
        // It fails only for lack of memory; then forks go unnoticed.
        unsafe {
            libc::pthread_atfork(Some(prepare), Some(in_parent), Some(in_child));
        }
    });
}

#[cfg(unix)]
extern "C" fn prepare() {
    FORKING.fetch_add(1, Ordering::SeqCst);
    let nobody = || INSIDE.iter().all(|count| count.load(Ordering::SeqCst) == 0);
    let clean = (0..PATIENCE).any(|_| {
        let clean = nobody();
        if !clean {
            thread::yield_now();
        }
        clean
    });
    CLEAN.set(clean);
}

#[cfg(unix)]
extern "C" fn in_parent() {
    FORKING.fetch_sub(1, Ordering::SeqCst);
}

#[cfg(unix)]
extern "C" fn in_child() {
    // This is the only thread. Where it is inside itself, its own count goes too; it
    // takes it back in vain when it comes out, and the child is cut off anyway.
    if !CLEAN.get() {
        CUT_OFF.store(true, Ordering::Relaxed);
    }
    FORKING.store(0, Ordering::SeqCst);
    GENERATION.fetch_add(1, Ordering::Relaxed);
}
