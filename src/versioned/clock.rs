//! Clocks: the lock under which numbers are handed out and snapshots are opened, and where the
//! numbers of a store come from. A versioned tree has a clock of its own; the trees of a store share
//! one.
//!
//! # Clocks of stores
//!
//! A store's numbers come from its log ([`NumberSource`]). A commit *takes* its number under the lock
//! of its key's leaf, *installs* its version, or decides its batch, and reports it after that.
//! `taken` is a number that is at least every number taken so far; `installed` is one below which all
//! that were taken are installed. So a version of a key has a greater number than those that were
//! committed to the key before.
//!
//! **Snapshots** have the number `taken`, loaded once they are in the list. Opening one waits until that
//! number is installed: then everything at or below it can be found, and stays as it is. The wait ends:
//! commits that have taken their numbers finish without waiting for anything. The thread that opens a
//! snapshot must not be one of them.
//!
//! **An overwrite** with number n frees what is hidden by n, except for snapshots. A snapshot that it
//! does not find in the list has a number of at least n, and sees n. It need not take the lock to learn
//! that no snapshot is open: the snapshot counts itself in `open`, then passes a fence, then loads
//! `taken` ([`Line::OpenBeforeTaken`]); the overwrite takes its number, then passes a fence, then loads
//! `open` ([`Line::TakenBeforeOpen`]). If the first fence precedes the second, the overwrite finds the
//! snapshot in `open`, waits for the lock, and finds it in the list; if the second precedes the first,
//! the snapshot's number is at least n.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr::NonNull;

use arrayvec::ArrayVec;
use rustix::time::{ClockId, clock_gettime};

use super::entry::MAX_NUMBER;
use super::verdict::CommitRecord;
use crate::index::memory::{OutOfMemory, Source};
use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering, Wait, fence};

/// The greatest number of a commit in a store. Above are the tags of marks (see `verdict`).
pub(crate) const MAX_COMMIT: u64 = (MAX_NUMBER & !((1 << 48) - 1)) - 1;

/// The most groups that may be pending at a time.
pub(super) const MOST_PENDING: usize = 64;

/// Where the numbers of a store come from.
#[derive(Clone, Copy)]
pub(crate) struct NumberSource {
    ctx: *const c_void,
    taken: unsafe fn(*const c_void) -> u64,
    installed: unsafe fn(*const c_void) -> u64,
}

// SAFETY: the contract of `new` is that any thread may call the functions.
unsafe impl Send for NumberSource {}
// SAFETY: as for `Send`.
unsafe impl Sync for NumberSource {}

impl NumberSource {
    /// `taken(ctx)` loads (no ordering is needed) the counter that numbers are taken from, and returns
    /// at least the greatest number that was taken so far. `installed(ctx)` returns a number such that
    /// every commit that has taken a number up to it is installed, acquires those commits, and rises
    /// to what `taken` has returned when they are all reported, without another call. Neither waits.
    ///
    /// Numbers are from 1 to [`MAX_COMMIT`]. They are taken by an atomic read-modify-write.
    ///
    /// # Safety
    /// Any thread may call the functions with `ctx` as long as the clock is used.
    pub(crate) unsafe fn new(
        ctx: *const c_void,
        taken: unsafe fn(*const c_void) -> u64,
        installed: unsafe fn(*const c_void) -> u64,
    ) -> Self {
        Self {
            ctx,
            taken,
            installed,
        }
    }

    pub(super) fn taken(&self) -> u64 {
        // SAFETY: by the contract of `new`.
        unsafe { (self.taken)(self.ctx) }
    }

    pub(super) fn installed(&self) -> u64 {
        // SAFETY: by the contract of `new`.
        unsafe { (self.installed)(self.ctx) }
    }
}

/// A handle of a clock, which is freed with its last handle.
pub(crate) struct Clock {
    inner: NonNull<Inner>,
}

struct Inner {
    handles: AtomicU64,
    /// 1 while a thread owns `state`.
    lock: AtomicU64,
    state: UnsafeCell<State>,
    /// The number of open snapshots. Stored under the lock.
    open: AtomicU64,
    numbers: Option<NumberSource>,
    source: Source,
}

/// What the lock protects.
pub(super) struct State {
    /// The next number to hand out; 0 as long as none was taken. Not of a store's clock.
    pub(super) next: u64,
    /// First and last number of each pending group, in ascending order. Not of a store's clock.
    pub(super) pending: ArrayVec<(u64, u64), MOST_PENDING>,
    /// The last snapshot that was opened.
    snapshots: Option<NonNull<Registered>>,
    /// The first of the commit records that no batch uses.
    free_records: Option<NonNull<CommitRecord>>,
    /// The commit record that was made last.
    records: Option<NonNull<CommitRecord>>,
}

/// A snapshot in the list of all.
pub(super) struct Registered {
    pub(super) number: u64,
    /// When it was opened, in milliseconds; only in a store.
    opened: u64,
    before: Option<NonNull<Registered>>,
    after: Option<NonNull<Registered>>,
}

impl Registered {
    /// A snapshot that is in no list yet.
    pub(super) fn new() -> Self {
        Self {
            number: 0,
            opened: 0,
            before: None,
            after: None,
        }
    }
}

/// The time in milliseconds, to some of them, since a moment before the system was started.
pub(super) fn milliseconds() -> u64 {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

// SAFETY: only the lock's owner accesses the state, whose snapshots are allocations that any thread
// may access; the rest is atomic or does not change.
unsafe impl Send for Clock {}
// SAFETY: as for `Send`.
unsafe impl Sync for Clock {}

impl Clone for Clock {
    fn clone(&self) -> Self {
        // Relaxed: this handle keeps the clock.
        self.inner().handles.fetch_add(1, Ordering::Relaxed);
        Self { inner: self.inner }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        // AcqRel: the last handle frees what all threads did with the others.
        if self.inner().handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            let source = self.inner().source;
            // SAFETY: made by `make`; no other handle is left.
            unsafe { source.drop_and_free(self.inner) }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: no other thread has the clock any more.
        let mut next = unsafe { &*self.state.get() }.records;
        while let Some(record) = next {
            // SAFETY: made by `take_record`; no batch and no tree is left that uses it.
            unsafe {
                next = record.as_ref().made_before;
                self.source.drop_and_free(record);
            }
        }
    }
}

impl Clock {
    /// Makes the clock of a store.
    pub(crate) fn of_store(source: Source, numbers: NumberSource) -> Result<Self, OutOfMemory> {
        Self::make(source, Some(numbers))
    }

    /// Makes the clock of one tree.
    pub(super) fn of_tree(source: Source) -> Result<Self, OutOfMemory> {
        Self::make(source, None)
    }

    fn make(source: Source, numbers: Option<NumberSource>) -> Result<Self, OutOfMemory> {
        let inner = source.make(Inner {
            handles: AtomicU64::new(1),
            lock: AtomicU64::new(0),
            state: UnsafeCell::new(State {
                next: 0,
                pending: ArrayVec::new(),
                snapshots: None,
                free_records: None,
                records: None,
            }),
            open: AtomicU64::new(0),
            numbers,
            source,
        })?;
        Ok(Self { inner })
    }

    /// Whether both are handles of one clock.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.inner == other.inner
    }

    fn inner(&self) -> &Inner {
        // SAFETY: freed with the last handle.
        unsafe { self.inner.as_ref() }
    }

    /// Where the numbers come from, in a store.
    pub(super) fn numbers(&self) -> Option<&NumberSource> {
        self.inner().numbers.as_ref()
    }

    /// Calls `body` with the state under the lock. `body` allocates nothing, and calls nothing of
    /// the user's.
    pub(super) fn locked<R>(&self, body: impl FnOnce(&mut State) -> R) -> R {
        let inner = self.inner();
        let wait = Wait::new();
        // Acquire: pairs with the store below. Ends: the owner runs a few instructions.
        while (inner.lock)
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            wait.wait();
        }
        // SAFETY: this thread owns the lock.
        let result = body(unsafe { &mut *inner.state.get() });
        inner.lock.store(0, Ordering::Release);
        result
    }

    /// Adds a snapshot to the list. Its number is `latest()`, called under the lock; in a store, the
    /// greatest number taken so far, and the call waits until that is installed.
    ///
    /// # Safety
    /// The snapshot does not move, and is live until `remove`.
    pub(super) unsafe fn add(&self, snapshot: NonNull<Registered>, latest: impl FnOnce() -> u64) {
        let inner = self.inner();
        let opened = inner.numbers.map_or(0, |_| milliseconds());
        let number = self.locked(|state| {
            // Relaxed: under the lock, and see the fence.
            let open = inner.open.load(Ordering::Relaxed) + 1;
            inner.open.store(open, Ordering::Relaxed);
            let number = match &inner.numbers {
                None => latest(),
                Some(numbers) => {
                    if Line::OpenBeforeTaken.is_enabled() {
                        fence(Ordering::SeqCst);
                    }
                    numbers.taken()
                }
            };
            // SAFETY: all snapshots in the list are live, and only the lock's owner accesses them.
            unsafe {
                snapshot.write(Registered {
                    number,
                    opened,
                    before: state.snapshots,
                    after: None,
                });
                // Field by field: owners read their snapshots' numbers meanwhile.
                if let Some(before) = state.snapshots {
                    (*before.as_ptr()).after = Some(snapshot);
                }
            }
            state.snapshots = Some(snapshot);
            number
        });
        if let Some(numbers) = &inner.numbers
            && Line::SnapshotIsInstalled.is_enabled()
        {
            let wait = Wait::new();
            // Ends: see the comment of the module.
            while numbers.installed() < number {
                wait.wait();
            }
        }
    }

    /// Removes a snapshot from the list.
    ///
    /// # Safety
    /// `add` added it, and it is removed once.
    pub(super) unsafe fn remove(&self, snapshot: NonNull<Registered>) {
        self.locked(|state| {
            // SAFETY: as in `add`.
            unsafe {
                let Registered { before, after, .. } = *snapshot.as_ref();
                if let Some(before) = before {
                    (*before.as_ptr()).after = after;
                }
                match after {
                    Some(after) => (*after.as_ptr()).before = before,
                    None => state.snapshots = before,
                }
            }
            let open = &self.inner().open;
            open.store(open.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        });
    }

    /// Takes a commit record that no batch uses, or makes one.
    pub(super) fn take_record(&self) -> Result<NonNull<CommitRecord>, OutOfMemory> {
        let free = self.locked(|state| {
            let record = state.free_records?;
            // SAFETY: freed with the clock; readers of marks look only at its state.
            state.free_records = unsafe { (*record.as_ptr()).next_free };
            Some(record)
        });
        if let Some(record) = free {
            return Ok(record);
        }
        let source = self.inner().source;
        let record = source.make(CommitRecord::new())?;
        if !CommitRecord::is_addressable(record) {
            // SAFETY: no other thread has it.
            unsafe { source.drop_and_free(record) }
            return Err(OutOfMemory);
        }
        self.locked(|state| {
            // SAFETY: no other thread has it yet.
            unsafe { (*record.as_ptr()).made_before = state.records };
            state.records = Some(record);
        });
        Ok(record)
    }

    /// Gives a commit record back to which no mark points.
    pub(super) fn give_back(&self, record: NonNull<CommitRecord>) {
        self.locked(|state| {
            // SAFETY: as in `take_record`.
            unsafe { (*record.as_ptr()).next_free = state.free_records };
            state.free_records = Some(record);
        });
    }

    /// Whether, after a number was taken from a store's log, no snapshot is open below that number.
    pub(super) fn none_is_open(&self) -> bool {
        if Line::TakenBeforeOpen.is_enabled() {
            fence(Ordering::SeqCst);
        }
        self.inner().open.load(Ordering::Relaxed) == 0
    }
}

impl State {
    /// The numbers of the open snapshots, the last one first.
    pub(super) fn snapshots(&self) -> impl Iterator<Item = u64> {
        self.opened().map(|(number, _)| number)
    }

    /// The open snapshots, the last one first: the number, and in a store when it was opened.
    pub(super) fn opened(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut next = self.snapshots;
        std::iter::from_fn(move || {
            // SAFETY: all snapshots in the list are live, and the lock is held.
            let snapshot = unsafe { next?.as_ref() };
            next = snapshot.before;
            Some((snapshot.number, snapshot.opened))
        })
    }
}
