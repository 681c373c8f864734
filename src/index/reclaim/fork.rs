//! What a process that was forked may do.
//!
//! Of the threads of a process only the one that calls `fork` lives on in the child.
//! Whatever another was about to do to a tree is never finished there, so trees made
//! before the fork are not to be used: each [`Domain`](super::Domain) remembers the
//! [`generation`] it was made in.
//!
//! Trees that the child makes itself are sound, but for one thing: seize has one
//! mutex in the process, which hands out numbers for threads and owned guards. Who
//! may hold it is *inside* meanwhile: an owned guard that is made or dropped says so in
//! its slot, a thread that begins or ends using the library holds an [`Inside`]. `fork`
//! waits, not for ever, until nobody is. If somebody still was (one that runs a user's
//! destructor, say, and so waits for who knows what), the child makes no trees either:
//! [`is_cut_off`].
//!
//! To look into all slots, `fork` needs to know all trees: they are in a list, whose
//! mutex it holds until it is over.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Domain, thread};
use crate::annotate::Unseen;
use crate::errno;
use crate::sync::Wait;

/// How many times `fork` looks again while somebody is inside: one time in eight after a sleep of
/// a millisecond.
const PATIENCE: usize = 2000;

/// Forks under way in this process: who wants to go inside waits.
static FORKING: AtomicUsize = AtomicUsize::new(0);
/// How many threads are inside, but for guards.
static INSIDE: AtomicUsize = AtomicUsize::new(0);
/// Forks between the first process and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);
static CUT_OFF: AtomicBool = AtomicBool::new(false);
static DOMAINS: Mutex<Domains> = Mutex::new(Domains { first: None });

/// All trees of the process, those from before a fork included.
struct Domains {
    first: Option<NonNull<Domain>>,
}

// SAFETY: domains may be shared, and their links belong to who holds the mutex.
unsafe impl Send for Domains {}

/// A domain's place among all.
#[derive(Default)]
pub(super) struct Links {
    next: Cell<Option<NonNull<Domain>>>,
    previous: Cell<Option<NonNull<Domain>>>,
}

/// Nobody panics while holding the mutex.
fn domains() -> MutexGuard<'static, Domains> {
    errno::keep(|| DOMAINS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Has forks look into a new domain, until `forget`.
///
/// # Safety
/// The domain is forgotten before it goes.
pub(super) unsafe fn remember(domain: NonNull<Domain>) {
    watch_from_here();
    let mut domains = domains();
    // SAFETY: what is in the list lives, and its links are ours now.
    unsafe {
        domain.as_ref().links.next.set(domains.first);
        if let Some(first) = domains.first {
            first.as_ref().links.previous.set(Some(domain));
        }
    }
    domains.first = Some(domain);
}

/// # Safety
/// The domain is remembered.
pub(super) unsafe fn forget(domain: NonNull<Domain>) {
    let mut domains = domains();
    // SAFETY: what is in the list lives, and its links are ours now.
    unsafe {
        let (next, previous) = {
            let links = &domain.as_ref().links;
            (links.next.get(), links.previous.get())
        };
        if let Some(next) = next {
            next.as_ref().links.previous.set(previous);
        }
        match previous {
            Some(previous) => previous.as_ref().links.next.set(next),
            None => domains.first = next,
        }
    }
}

impl Domains {
    fn is_nobody_inside(&self) -> bool {
        let mut domain = self.first;
        // Ends: with the list, which stays as it is while the mutex is held.
        // SAFETY: what is in the list lives.
        while let Some(at) = domain.map(|domain| unsafe { domain.as_ref() }) {
            if !at.slots.is_nobody_inside() {
                return false;
            }
            domain = at.links.next.get();
        }
        INSIDE.load(Ordering::SeqCst) == 0
    }
}

thread_local! {
    /// The fork that this thread is in. Without a destructor: there at any time.
    static FORK: Cell<Option<ManuallyDrop<Fork>>> = const { Cell::new(None) };
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

#[inline]
pub(super) fn is_under_way() -> bool {
    FORKING.load(Ordering::SeqCst) != 0
}

/// The right to take seize's mutex.
pub(super) struct Inside {
    _unseen: Unseen,
}

/// Waits while a thread forks.
pub(super) fn inside() -> Inside {
    let wait = Wait::new();
    // Ends: forks do. SeqCst: as `Slot::go_inside`.
    loop {
        INSIDE.fetch_add(1, Ordering::SeqCst);
        if !is_under_way() {
            return Inside {
                _unseen: Unseen::begin(),
            };
        }
        INSIDE.fetch_sub(1, Ordering::SeqCst);
        wait.wait();
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A fork under way, in its thread.
struct Fork {
    /// Not let go before it is over.
    domains: MutexGuard<'static, Domains>,
    /// Whether nobody was inside.
    clean: bool,
}

/// Has forks noticed from the moment the library is loaded. What the program registers
/// later is called outside of our handlers, and may use the library.
#[cfg(target_os = "linux")]
#[used]
// SAFETY: the loader calls what this section holds, once, as C functions.
#[unsafe(link_section = ".init_array")]
static WATCH: extern "C" fn() = watch;

#[cfg(unix)]
extern "C" fn watch() {
    // SAFETY: the handlers may run at any fork, and the library is never unloaded. It
    // fails only for lack of memory; then forks go unnoticed.
    unsafe { libc::pthread_atfork(Some(prepare), Some(in_parent), Some(in_child)) };
}

/// Where nothing is run as the library is loaded, forks are noticed from the first tree on.
fn watch_from_here() {
    #[cfg(all(unix, not(target_os = "linux")))]
    {
        static WATCHED: std::sync::Once = std::sync::Once::new();
        WATCHED.call_once(|| watch());
    }
}

#[cfg(unix)]
extern "C" fn prepare() {
    let domains = domains();
    FORKING.fetch_add(1, Ordering::SeqCst);
    let wait = Wait::new();
    let clean = (0..PATIENCE).any(|_| {
        let clean = domains.is_nobody_inside();
        if !clean {
            wait.wait();
        }
        clean
    });
    FORK.set(Some(ManuallyDrop::new(Fork { domains, clean })));
}

#[cfg(unix)]
extern "C" fn in_parent() {
    FORKING.fetch_sub(1, Ordering::SeqCst);
    drop(FORK.take().map(ManuallyDrop::into_inner));
}

#[cfg(unix)]
extern "C" fn in_child() {
    // This is the only thread. Where it is inside itself, the child is cut off.
    match FORK.take().map(ManuallyDrop::into_inner) {
        Some(mut fork) if fork.clean => {
            // Who was about to go inside will never come out again.
            INSIDE.store(0, Ordering::SeqCst);
            fork.domains.first = None;
        }
        _ => CUT_OFF.store(true, Ordering::Relaxed),
    }
    thread::forget_others();
    FORKING.store(0, Ordering::SeqCst);
    GENERATION.fetch_add(1, Ordering::Relaxed);
}
