//! Guards, and the proof of holding one.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use seize::Guard as _;

use super::slots::Slot;
use super::thread::{self, CallThread};
use super::{Domain, fork};
use crate::annotate;
use crate::errno;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Count, STRIPES};
use crate::index::node::{Delta, Leaf, Report};

/// What an owned guard consists of, in its slot.
pub(crate) struct GuardState {
    domain: NonNull<Domain>,
    stripe: usize,
    /// How often it has been refreshed.
    refreshes: u64,
    /// What writes under it report to.
    report: Option<Report>,
    guard: ManuallyDrop<seize::OwnedGuard<'static>>,
}

impl GuardState {
    #[inline]
    fn pin(&self) -> Pinned<'_> {
        Pinned {
            // SAFETY: the domain outlives its guards.
            domain: unsafe { self.domain.as_ref() },
            stripe: self.stripe,
            report: self.report,
            thread: CallThread::ANYWHERE,
            via: Via::Owned(&self.guard),
        }
    }
}

/// Pins what is read through it until it is refreshed or dropped. May move
/// between threads; see `masstree_guard_t` in the C header.
pub struct Guard<'t> {
    slot: NonNull<Slot>,
    tree: PhantomData<&'t Domain>,
}

// SAFETY: an owned guard of seize is, and the slot belongs to the guard.
unsafe impl Send for Guard<'_> {}
// SAFETY: as above; what takes `&self` is synchronised by seize, or only reads.
unsafe impl Sync for Guard<'_> {}

impl Domain {
    pub(crate) fn enter(&self) -> Result<Guard<'_>, OutOfMemory> {
        let (slot, stripe) = self.slots.claim_in_seize(self.memory.source())?;
        slot.count_guard();
        // Seize takes a lock here and where the guard is dropped.
        let _ignored = annotate::IgnoredAccesses::begin();
        let guard = errno::keep(|| self.collector.enter_owned());
        // SAFETY: the guard does not outlive its tree, and so not the domain: its
        // lifetime parameter says so, or the C caller promised it.
        let guard = unsafe {
            std::mem::transmute::<seize::OwnedGuard<'_>, seize::OwnedGuard<'static>>(guard)
        };
        // SAFETY: the slot is ours.
        unsafe {
            slot.guard().write(GuardState {
                domain: NonNull::from(self),
                stripe,
                refreshes: 0,
                report: None,
                guard: ManuallyDrop::new(guard),
            });
        }
        slot.hold();
        Ok(Guard {
            slot: NonNull::from(slot),
            tree: PhantomData,
        })
    }

    #[inline]
    pub(crate) fn enter_local(&self) -> LocalGuard<'_> {
        match thread::state() {
            thread::State::Running => {
                LocalGuard::Slot(self, self.collector.enter(), CallThread::here())
            }
            state => self.enter_local_slow(state),
        }
    }

    #[cold]
    fn enter_local_slow(&self, state: thread::State) -> LocalGuard<'_> {
        if state == thread::State::Exiting {
            // No thread-local of seize is touched: an owned guard can be had at any
            // time. Without memory for its slot, pin slotless by the statistics.
            return match self.enter() {
                Ok(guard) => LocalGuard::Owned(guard),
                Err(OutOfMemory) => {
                    let _seize = fork::enter_seize();
                    thread::begin();
                    LocalGuard::Slotless(SlotlessGuard {
                        domain: self,
                        guard: ManuallyDrop::new(errno::keep(|| self.collector.enter_owned())),
                    })
                }
            };
        }
        let _seize = fork::enter_seize();
        errno::keep(|| {
            thread::prepare_exit();
            let guard = self.collector.enter();
            thread::watch_exit();
            LocalGuard::Slot(self, guard, CallThread::here())
        })
    }
}

impl<'t> Guard<'t> {
    fn owned(&self) -> &GuardState {
        // SAFETY: written before the guard was made, and ours until it is dropped.
        unsafe { &*self.slot.as_ref().guard() }
    }

    /// The proof of being pinned that operations take.
    #[inline]
    pub fn pin(&self) -> Pinned<'_> {
        self.owned().pin()
    }

    /// Lets go of everything read so far and pins anew.
    pub fn refresh(&mut self) {
        // SAFETY: the slot is ours, and `&mut self` means that no pin is left.
        unsafe {
            let slot = self.slot.as_ref();
            let owned = slot.guard();
            annotate::release((*owned).domain.as_ptr());
            (*owned).refreshes += 1;
            slot.hold();
            (*owned).guard.refresh();
        }
    }

    /// The guard as a pointer, which stands for it until `from_raw`.
    pub(crate) fn into_raw(self) -> NonNull<Slot> {
        ManuallyDrop::new(self).slot
    }

    /// Whether it is of a tree of another process.
    pub(crate) fn is_forked(&self) -> bool {
        self.pin().domain.generation != fork::generation()
    }

    /// # Safety
    /// The slot came from `into_raw`, its tree lives for `'t`, and nobody else makes a
    /// guard of it that is dropped.
    pub(crate) unsafe fn from_raw(slot: NonNull<Slot>) -> Self {
        Self {
            slot,
            tree: PhantomData,
        }
    }
}

/// A pin of the guard that a slot holds.
///
/// # Safety
/// The slot came from `Guard::into_raw`, and the guard is not refreshed or dropped
/// during `'g`.
#[inline]
pub(crate) unsafe fn pin_of<'g>(slot: NonNull<Slot>) -> Pinned<'g> {
    // SAFETY: by contract.
    let owned = unsafe { &*slot.as_ref().guard() };
    owned.pin()
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // SAFETY: the slot is ours until it is vacated; the guard is not used after.
        unsafe {
            let slot = self.slot.as_ref();
            annotate::release((*slot.guard()).domain.as_ptr());
            let _ignored = annotate::IgnoredAccesses::begin();
            slot.enter_seize();
            errno::keep(|| ManuallyDrop::drop(&mut (*slot.guard()).guard));
            slot.vacate();
        }
    }
}

/// How often the guard that a slot holds has been refreshed.
///
/// # Safety
/// As [`pin_of`], for this call.
pub(crate) unsafe fn refreshes_of(slot: NonNull<Slot>) -> u64 {
    // SAFETY: by contract.
    unsafe { (*slot.as_ref().guard()).refreshes }
}

/// Has writes under the guard that a slot holds report to a delta, or to none.
///
/// # Safety
/// As [`pin_of`], for this call, and no pin of the guard is left; as [`Report::new`].
pub(crate) unsafe fn report_to(slot: NonNull<Slot>, delta: Option<NonNull<Delta>>) {
    // SAFETY: by contract.
    unsafe { (*slot.as_ref().guard()).report = delta.map(|delta| Report::new(delta)) };
}

/// Pins for one call, through the thread's own slot, or, in a thread that is
/// exiting, through a slot of its own. Never handed to a user: one that is
/// forgotten instead of dropped would leave the thread's count of guards too high
/// for good, and the next thread with that slot unprotected.
pub(crate) enum LocalGuard<'t> {
    Slot(&'t Domain, seize::LocalGuard<'t>, CallThread),
    Owned(Guard<'t>),
    Slotless(SlotlessGuard<'t>),
}

/// A guard of seize's that the statistics do not see.
pub(crate) struct SlotlessGuard<'t> {
    domain: &'t Domain,
    guard: ManuallyDrop<seize::OwnedGuard<'t>>,
}

impl Drop for SlotlessGuard<'_> {
    fn drop(&mut self) {
        let _seize = fork::enter_seize();
        annotate::release(self.domain);
        // SAFETY: not used after.
        errno::keep(|| unsafe { ManuallyDrop::drop(&mut self.guard) });
        thread::end();
    }
}

impl LocalGuard<'_> {
    #[inline]
    pub(crate) fn pin(&self) -> Pinned<'_> {
        match self {
            Self::Slot(domain, guard, thread) => Pinned {
                domain,
                stripe: guard.thread_id() % STRIPES,
                report: None,
                thread: *thread,
                via: Via::Local(guard),
            },
            Self::Owned(guard) => guard.pin(),
            Self::Slotless(slotless) => Pinned {
                domain: slotless.domain,
                stripe: 0,
                report: None,
                thread: CallThread::ANYWHERE,
                via: Via::Owned(&slotless.guard),
            },
        }
    }
}

#[cfg(any(debug_assertions, feature = "annotate"))]
impl Drop for LocalGuard<'_> {
    fn drop(&mut self) {
        let pin = self.pin();
        pin.check_thread();
        annotate::release(pin.domain);
    }
}

#[derive(Clone, Copy)]
pub(super) enum Via<'g> {
    Local(&'g seize::LocalGuard<'g>),
    Owned(&'g seize::OwnedGuard<'g>),
}

/// The proof that a guard is held for `'g`.
#[derive(Clone, Copy)]
pub struct Pinned<'g> {
    pub(super) domain: &'g Domain,
    stripe: usize,
    report: Option<Report>,
    thread: CallThread,
    pub(super) via: Via<'g>,
}

impl<'g> Pinned<'g> {
    #[inline]
    pub(crate) fn domain(&self) -> &'g Domain {
        self.domain
    }

    /// To be called when a callback has returned: aborts, in builds with debug assertions, if
    /// a call without a guard is not on the thread any more that it began on.
    #[inline]
    pub(crate) fn check_thread(self) {
        self.thread.check();
    }

    /// Where a write tells what it does, if anybody wants to know.
    #[inline]
    pub(crate) fn report(&self) -> Option<Report> {
        self.report
    }

    /// The same for writes that report nothing.
    pub(crate) fn unreported(self) -> Self {
        Self {
            report: None,
            ..self
        }
    }

    #[inline]
    pub(crate) fn count(&self, count: Count, change: i64) {
        self.domain.memory.tally().add(self.stripe, count, change);
    }

    /// Counts keys that came to leaves of a tree that this leaf is part of, or went from there.
    #[inline]
    pub(crate) fn count_keys(&self, leaf: &Leaf, change: i64) {
        let tally = self.domain.memory.tally();
        tally.add_keys(self.stripe, leaf.era(), change);
    }
}

/// Has the statistics see that this call pins, as user code runs in it that may take
/// long.
pub(crate) struct CountedCall<'t> {
    slot: Option<&'t Slot>,
}

impl Domain {
    /// Without memory for it, nothing is seen.
    pub(crate) fn count_call(&self) -> CountedCall<'_> {
        CountedCall {
            slot: self.slots.claim_counted(self.memory.source()).ok(),
        }
    }
}

impl Drop for CountedCall<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            slot.vacate();
        }
    }
}
