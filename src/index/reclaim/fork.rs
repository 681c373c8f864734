//! Keeps a forked child process from using its parent's trees.
//!
//! Of the threads of a process, only the one that calls `fork` exists in the child. Changes that
//! other threads had begun are never finished there, so the child must not use trees created before
//! the fork: each [`Domain`](super::Domain) records the [`generation`] in which it was created.
//!
//! Trees that the child creates itself are sound, with one exception: seize has one mutex in the
//! process, under which it assigns numbers to threads and owned guards. A thread that may hold
//! it *has entered seize*: while a thread makes or drops an owned guard, that guard's slot is in
//! the state `IN_SEIZE`; a thread that begins or ends using the library holds a [`SeizeEntry`].
//! `fork` waits, for a limited time, until no thread has entered seize. If one still has (for
//! example because it runs a user's destructor, which may wait for anything), the child cannot
//! create trees either: [`cannot_create_trees`].
//!
//! To check all slots, `fork` needs all trees: they are in a list, whose mutex it holds until
//! the fork has ended.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::{Domain, thread};
use crate::annotate::IgnoredAccesses;
use crate::errno;
use crate::sync::Wait;

/// How many times `fork` checks whether a thread has entered seize; one time in eight, it first
/// sleeps for a millisecond.
const MAX_POLLS: usize = 2000;

/// Active calls of `fork` in this process; threads that want to enter seize wait for them.
static FORKING: AtomicUsize = AtomicUsize::new(0);
/// How many threads have entered seize, not counting those that make or drop a guard in a slot.
static IN_SEIZE: AtomicUsize = AtomicUsize::new(0);
/// The number of forks between the first process that loaded the library and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);
static CANNOT_CREATE_TREES: AtomicBool = AtomicBool::new(false);
static DOMAINS: Mutex<Domains> = Mutex::new(Domains { first: None });

/// All trees of the process, including those from before a fork.
struct Domains {
    first: Option<NonNull<Domain>>,
}

// SAFETY: domains may be shared, and the holder of the mutex owns their links.
unsafe impl Send for Domains {}

/// A domain's links in the list of all domains.
#[derive(Default)]
pub(super) struct Links {
    next: Cell<Option<NonNull<Domain>>>,
    previous: Cell<Option<NonNull<Domain>>>,
}

/// Locks the list.
fn domains() -> MutexGuard<'static, Domains> {
    errno::lock(&DOMAINS)
}

/// Adds a domain to the list that forks check, until `unregister`.
///
/// # Safety
/// The domain is unregistered before it is freed.
pub(super) unsafe fn register(domain: NonNull<Domain>) {
    watch_forks();
    let mut domains = domains();
    // SAFETY: domains in the list are alive, and the mutex is held, which protects their links.
    unsafe {
        domain.as_ref().links.next.set(domains.first);
        if let Some(first) = domains.first {
            first.as_ref().links.previous.set(Some(domain));
        }
    }
    domains.first = Some(domain);
}

/// # Safety
/// The domain is registered.
pub(super) unsafe fn unregister(domain: NonNull<Domain>) {
    let mut domains = domains();
    // SAFETY: domains in the list are alive, and the mutex is held, which protects their links.
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
    fn none_in_seize(&self) -> bool {
        let mut domain = self.first;
        // Ends: at the end of the list, which does not change while the mutex is held.
        // SAFETY: domains in the list are alive.
        while let Some(at) = domain.map(|domain| unsafe { domain.as_ref() }) {
            if !at.slots.none_in_seize() {
                return false;
            }
            domain = at.links.next.get();
        }
        IN_SEIZE.load(Ordering::SeqCst) == 0
    }
}

thread_local! {
    /// The fork that this thread executes. No destructor: accessible at any time.
    static FORK: Cell<Option<ManuallyDrop<Fork>>> = const { Cell::new(None) };
}

/// Returns the number of forks between the first process that loaded the library and this one.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Whether this process cannot create trees, because a thread may have held seize's mutex when it
/// was forked.
pub(crate) fn cannot_create_trees() -> bool {
    CANNOT_CREATE_TREES.load(Ordering::Relaxed)
}

#[inline]
pub(super) fn is_forking() -> bool {
    FORKING.load(Ordering::SeqCst) != 0
}

/// The permission to lock seize's mutex.
pub(super) struct SeizeEntry {
    _ignored: IgnoredAccesses,
}

/// Permits this thread to lock seize's mutex; waits while a thread forks.
pub(super) fn enter_seize() -> SeizeEntry {
    let wait = Wait::new();
    // Ends: every fork ends. SeqCst: as in `Slot::enter_seize`.
    loop {
        IN_SEIZE.fetch_add(1, Ordering::SeqCst);
        if !is_forking() {
            return SeizeEntry {
                _ignored: IgnoredAccesses::begin(),
            };
        }
        IN_SEIZE.fetch_sub(1, Ordering::SeqCst);
        wait.wait();
    }
}

impl Drop for SeizeEntry {
    fn drop(&mut self) {
        IN_SEIZE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The state of an active fork, kept by the thread that forks.
struct Fork {
    /// Locked until the fork has ended.
    domains: MutexGuard<'static, Domains>,
    /// Whether no thread had entered seize when the process was forked.
    clean: bool,
}

/// Registers the handlers when the library is loaded. Handlers that the program registers later
/// run before ours at a fork and after ours in parent and child, so they may use the library.
#[cfg(target_os = "linux")]
#[used]
// SAFETY: the loader calls the functions in this section, once, as C functions.
#[unsafe(link_section = ".init_array")]
static INSTALL: extern "C" fn() = install_handlers;

#[cfg(unix)]
extern "C" fn install_handlers() {
    // SAFETY: the handlers may run at any fork, and the library is never unloaded. The call
    // fails only for lack of memory; then forks are not noticed.
    unsafe { libc::pthread_atfork(Some(prepare), Some(in_parent), Some(in_child)) };
}

/// Registers the handlers at the first tree, on systems where nothing runs at load time.
pub(crate) fn watch_forks() {
    #[cfg(all(unix, not(target_os = "linux")))]
    {
        static INSTALLED: std::sync::Once = std::sync::Once::new();
        INSTALLED.call_once(|| install_handlers());
    }
}

#[cfg(unix)]
extern "C" fn prepare() {
    let domains = domains();
    FORKING.fetch_add(1, Ordering::SeqCst);
    let wait = Wait::new();
    let clean = (0..MAX_POLLS).any(|_| {
        let clean = domains.none_in_seize();
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
    // This is the child's only thread. If it had itself entered seize, the child cannot create
    // trees.
    match FORK.take().map(ManuallyDrop::into_inner) {
        Some(mut fork) if fork.clean => {
            // Threads that were about to enter seize do not exist in the child.
            IN_SEIZE.store(0, Ordering::SeqCst);
            fork.domains.first = None;
        }
        _ => CANNOT_CREATE_TREES.store(true, Ordering::Relaxed),
    }
    thread::forget_others();
    FORKING.store(0, Ordering::SeqCst);
    GENERATION.fetch_add(1, Ordering::Relaxed);
}
