//! Guards, and the proof that one is held.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::RangeInclusive;
use std::ptr::NonNull;

use seize::Guard as _;

use super::near::{Near, NearLeaf};
use super::slots::Slot;
use super::thread::{self, CallThread};
use super::{Domain, fork};
use crate::annotate;
use crate::errno;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Count, KeyCell, STRIPES};
use crate::index::node::{DeltaRecorder, Leaf, NodeRef};

/// What all pins of a guard share. It stays in its place while there are any, so that a pin is one
/// word, which calls pass in a register.
pub(super) struct PinState {
    domain: NonNull<Domain>,
    /// The stripe of counters and caches that the guard uses.
    stripe: usize,
    near: Near,
    /// Where an owned guard counts keys; null for others.
    keys: *const KeyCell,
    thread: CallThread,
    /// Seize's guard: beside this state. Set before the first pin, where both have their place.
    via: Cell<Via>,
}

/// Seize's guard of one of two kinds; for an owned guard not in its place yet, null.
#[derive(Clone, Copy)]
enum Via {
    Local(*const seize::LocalGuard<'static>),
    Owned(*const seize::OwnedGuard<'static>),
}

impl PinState {
    fn new(domain: &Domain, stripe: usize, thread: CallThread) -> Self {
        Self {
            domain: NonNull::from(domain),
            stripe,
            near: Near::new(),
            keys: std::ptr::null(),
            thread,
            via: Cell::new(Via::Owned(std::ptr::null())),
        }
    }

    /// Returns a pin through a guard that lives as long.
    #[inline]
    fn pin(&self, via: Via) -> Pinned<'_> {
        self.via.set(via);
        Pinned {
            state: self,
            recorder: None,
        }
    }
}

/// The state of an owned guard, kept in its slot.
pub(crate) struct GuardState {
    pin: PinState,
    /// How many times it has been refreshed.
    refreshes: u64,
    /// Where its C user wants writes recorded; the C boundary passes it to them.
    recorder: Option<DeltaRecorder>,
    guard: ManuallyDrop<seize::OwnedGuard<'static>>,
}

impl GuardState {
    #[inline]
    fn pin(&self) -> Pinned<'_> {
        Pinned {
            state: &self.pin,
            recorder: None,
        }
    }
}

/// Protects everything read through it until it is refreshed or dropped. May move
/// between threads; see `masstree_guard_t` in the C header.
pub struct Guard<'t> {
    slot: NonNull<Slot>,
    tree: PhantomData<&'t Domain>,
}

// SAFETY: seize's owned guard is `Send`, and the slot belongs to the guard.
unsafe impl Send for Guard<'_> {}

impl Domain {
    pub(crate) fn enter(&self) -> Result<Guard<'_>, OutOfMemory> {
        let (slot, stripe) = self.slots.claim_in_seize(self.memory.source())?;
        slot.count_guard();
        // Seize locks its mutex here and when the guard is dropped.
        let _ignored = annotate::IgnoredAccesses::begin();
        let guard = errno::preserve(|| self.collector.enter_owned());
        // SAFETY: the guard does not outlive its tree, nor therefore the domain: its
        // lifetime parameter ensures it, or the C caller promised it.
        let guard = unsafe {
            std::mem::transmute::<seize::OwnedGuard<'_>, seize::OwnedGuard<'static>>(guard)
        };
        // SAFETY: this guard owns the slot.
        unsafe {
            let state = slot.guard();
            state.write(GuardState {
                pin: PinState::new(self, stripe, CallThread::ANYWHERE),
                refreshes: 0,
                recorder: None,
                guard: ManuallyDrop::new(guard),
            });
            // It stays there.
            let guard: *const seize::OwnedGuard<'static> = &*(*state).guard;
            (*state).pin.via.set(Via::Owned(guard));
            (*state).pin.keys = slot.keys();
        }
        slot.record_time();
        Ok(Guard {
            slot: NonNull::from(slot),
            tree: PhantomData,
        })
    }

    #[inline]
    pub(crate) fn enter_local(&self) -> LocalGuard<'_> {
        match thread::state() {
            thread::State::Running => {
                let guard = self.collector.enter();
                LocalGuard::Thread(ThreadGuard::new(self, guard))
            }
            state => self.enter_local_slow(state),
        }
    }

    #[cold]
    fn enter_local_slow(&self, state: thread::State) -> LocalGuard<'_> {
        if state == thread::State::Exiting {
            // Uses no thread-local of seize: owned guards are available at any time. Without
            // memory for a slot, pins without one; statistics do not count it.
            return match self.enter() {
                Ok(guard) => LocalGuard::Owned(guard),
                Err(OutOfMemory) => {
                    let _seize = fork::enter_seize();
                    thread::begin();
                    LocalGuard::Slotless(SlotlessGuard {
                        pin: PinState::new(self, 0, CallThread::ANYWHERE),
                        guard: ManuallyDrop::new(errno::preserve(|| self.collector.enter_owned())),
                    })
                }
            };
        }
        let _seize = fork::enter_seize();
        errno::preserve(|| {
            thread::prepare_exit();
            let guard = self.collector.enter();
            thread::watch_exit();
            LocalGuard::Thread(ThreadGuard::new(self, guard))
        })
    }
}

impl<'t> Guard<'t> {
    fn owned(&self) -> &GuardState {
        // SAFETY: written before the guard was made; the guard owns the slot until it is dropped.
        unsafe { &*self.slot.as_ref().guard() }
    }

    /// Returns the proof of holding the guard that operations take.
    #[inline]
    pub fn pin(&self) -> Pinned<'_> {
        self.owned().pin()
    }

    /// Ends the protection of everything read so far, and pins again.
    pub fn refresh(&mut self) {
        // SAFETY: the guard owns the slot, and `&mut self` means that no `Pinned` of it is left.
        unsafe {
            let slot = self.slot.as_ref();
            let owned = slot.guard();
            annotate::release((*owned).pin.domain.as_ptr());
            (*owned).refreshes += 1;
            (*owned).pin.near.forget();
            slot.record_time();
            (*owned).guard.refresh();
        }
    }

    /// Converts the guard to a pointer, from which `from_raw` restores it.
    pub(crate) fn into_raw(self) -> NonNull<Slot> {
        ManuallyDrop::new(self).slot
    }

    /// Whether its tree was created in another process, before a fork.
    pub(crate) fn is_forked(&self) -> bool {
        self.pin().domain().generation != fork::generation()
    }

    /// # Safety
    /// The slot came from `into_raw`, its tree lives for `'t`, and at most one guard made of it is
    /// dropped.
    pub(crate) unsafe fn from_raw(slot: NonNull<Slot>) -> Self {
        Self {
            slot,
            tree: PhantomData,
        }
    }
}

/// Returns the proof for the guard that a slot holds.
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
        // SAFETY: the guard owns the slot until it is vacated, and is not used after.
        unsafe {
            let slot = self.slot.as_ref();
            annotate::release((*slot.guard()).pin.domain.as_ptr());
            let _ignored = annotate::IgnoredAccesses::begin();
            slot.enter_seize();
            errno::preserve(|| ManuallyDrop::drop(&mut (*slot.guard()).guard));
            slot.vacate();
        }
    }
}

/// Returns how many times the guard that a slot holds has been refreshed.
///
/// # Safety
/// The contract of [`pin_of`], for the duration of this call.
pub(crate) unsafe fn refreshes_of(slot: NonNull<Slot>) -> u64 {
    // SAFETY: by contract.
    unsafe { (*slot.as_ref().guard()).refreshes }
}

/// Stores the recorder for writes that the C user makes under the guard that a slot holds.
///
/// # Safety
/// The contract of [`pin_of`], for the duration of this call.
pub(crate) unsafe fn set_recorder(slot: NonNull<Slot>, recorder: Option<DeltaRecorder>) {
    // SAFETY: by contract.
    unsafe { (*slot.as_ref().guard()).recorder = recorder };
}

/// Returns what [`set_recorder`] has stored. A write records there if its pin is given it
/// ([`Pinned::with_recorder`]).
///
/// # Safety
/// The contract of [`pin_of`], for the duration of this call.
#[inline]
pub(crate) unsafe fn recorder_of(slot: NonNull<Slot>) -> Option<DeltaRecorder> {
    // SAFETY: by contract.
    unsafe { (*slot.as_ref().guard()).recorder }
}

/// Pins for one call, through the thread's own reservation or, in a thread that is exiting,
/// through an owned guard. Never returned to a user: one that was forgotten instead of dropped
/// would leave the thread's count of guards too high for good, and the next thread with that
/// number unprotected.
pub(crate) enum LocalGuard<'t> {
    Thread(ThreadGuard<'t>),
    Owned(Guard<'t>),
    Slotless(SlotlessGuard<'t>),
}

/// The thread's own reservation.
pub(crate) struct ThreadGuard<'t> {
    pin: PinState,
    guard: seize::LocalGuard<'t>,
}

impl<'t> ThreadGuard<'t> {
    #[inline]
    fn new(domain: &'t Domain, guard: seize::LocalGuard<'t>) -> Self {
        let stripe = guard.thread_id() % STRIPES;
        Self {
            pin: PinState::new(domain, stripe, CallThread::here()),
            guard,
        }
    }
}

/// A guard without a slot, which statistics do not count.
pub(crate) struct SlotlessGuard<'t> {
    pin: PinState,
    guard: ManuallyDrop<seize::OwnedGuard<'t>>,
}

impl Drop for SlotlessGuard<'_> {
    fn drop(&mut self) {
        let _seize = fork::enter_seize();
        annotate::release(self.pin.domain.as_ptr());
        // SAFETY: the guard is not used after.
        errno::preserve(|| unsafe { ManuallyDrop::drop(&mut self.guard) });
        thread::end();
    }
}

impl LocalGuard<'_> {
    #[inline]
    pub(crate) fn pin(&self) -> Pinned<'_> {
        match self {
            Self::Thread(local) => {
                let guard = std::ptr::from_ref(&local.guard);
                local.pin.pin(Via::Local(guard.cast()))
            }
            Self::Owned(guard) => guard.pin(),
            Self::Slotless(slotless) => {
                let guard = std::ptr::from_ref(&*slotless.guard);
                slotless.pin.pin(Via::Owned(guard.cast()))
            }
        }
    }
}

#[cfg(any(debug_assertions, feature = "annotate"))]
impl Drop for LocalGuard<'_> {
    fn drop(&mut self) {
        let pin = self.pin();
        pin.check_thread();
        annotate::release(pin.domain());
    }
}

/// The proof that a guard is held for `'g`. Two words.
#[derive(Clone, Copy)]
pub struct Pinned<'g> {
    state: &'g PinState,
    recorder: Option<DeltaRecorder>,
}

impl<'g> Pinned<'g> {
    #[inline]
    pub(crate) fn domain(&self) -> &'g Domain {
        // SAFETY: the domain outlives its guards.
        unsafe { self.state.domain.as_ref() }
    }

    /// Calls `local` or `owned` with seize's guard, whichever kind it is.
    #[inline]
    pub(super) fn on_guard<R>(
        &self,
        local: impl FnOnce(&seize::LocalGuard<'_>) -> R,
        owned: impl FnOnce(&seize::OwnedGuard<'_>) -> R,
    ) -> R {
        // SAFETY: set when the pin was made; the guard is held, in its place, for 'g.
        unsafe {
            match self.state.via.get() {
                Via::Local(guard) => local(&*guard),
                Via::Owned(guard) => owned(&*guard),
            }
        }
    }

    /// The leaf that the guard remembers, if it held this slice in the tree with this root.
    #[inline(always)]
    pub(crate) fn near(&self, root: NodeRef<'g>, slice: u64) -> Option<NearLeaf<'g>> {
        self.state.near.find(root, slice)
    }

    /// Returns whether the last write under the guard came to this leaf, too, and notes that this
    /// one does.
    #[inline(always)]
    pub(crate) fn comes_again(&self, leaf: &Leaf) -> bool {
        self.state.near.comes_again(leaf)
    }

    /// Makes the guard remember a leaf of the first layer below this root, which holds the slices of
    /// a range (see `near`).
    #[inline(always)]
    pub(crate) fn remember(
        &self,
        root: NodeRef<'_>,
        leaf: NearLeaf<'_>,
        range: RangeInclusive<u64>,
    ) {
        self.state.near.remember(root, leaf, range);
    }

    /// Notes that the leaf of the last write is about to have this version.
    #[inline(always)]
    pub(crate) fn renew_near(&self, leaf: NearLeaf<'_>) {
        self.state.near.renew(leaf);
    }

    /// The stripe of counters and caches that the guard uses.
    #[inline]
    pub(crate) fn stripe(&self) -> usize {
        self.state.stripe
    }

    /// Call after a callback has returned: aborts, in builds with debug assertions, if a call
    /// without a guard is no longer on the thread on which it began.
    #[inline]
    pub(crate) fn check_thread(self) {
        self.state.thread.check();
    }

    /// Where a write with this pin records what it changes, if anywhere.
    #[inline]
    pub(crate) fn recorder(&self) -> Option<DeltaRecorder> {
        self.recorder
    }

    /// The same proof, for writes that record there. A guard's pin has no recorder: a layer above
    /// passes one to each write that it wants recorded, and so does the C boundary for its user.
    #[inline]
    pub(crate) fn with_recorder(self, recorder: Option<DeltaRecorder>) -> Self {
        Self { recorder, ..self }
    }

    #[inline]
    pub(crate) fn count(&self, count: Count, change: i64) {
        self.domain()
            .memory
            .tally()
            .add(self.stripe(), count, change);
    }

    /// Adds to the number of keys of the tree to which the leaf belongs.
    #[inline]
    pub(crate) fn count_keys(&self, leaf: &Leaf, change: i64) {
        let tally = self.domain().memory.tally();
        // SAFETY: null, or of a slot that lives as long as the domain. Only the thread that uses the
        // guard adds to it.
        match unsafe { self.state.keys.as_ref() } {
            Some(cell) => tally.add_keys_owned(cell, leaf.era(), change),
            None => tally.add_keys(self.stripe(), leaf.era(), change),
        }
    }
}

/// Makes statistics count this call as a held guard, since user code that runs in it may take
/// long.
pub(crate) struct CountedCall<'t> {
    slot: Option<&'t Slot>,
}

impl Domain {
    /// Counts this call. Without memory for a slot, it is not counted.
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
