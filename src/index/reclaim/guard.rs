//! Guards, and the proof that one is held.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::RangeInclusive;
use std::ptr::NonNull;

use seize::Guard as _;

use super::counted_pin::CountedPin;
use super::hint::{HintedLeaf, LeafHint};
use super::slots::Slot;
use super::thread::{self, CallThread};
use super::{Domain, fork};
use crate::annotate;
use crate::errno;
use crate::index::key_source::KeySource;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Count, KeyCell, STRIPES};
use crate::index::node::{DeltaRecorder, Leaf, NodeRef};

/// The state that all pins of a guard share. It is not moved while a pin exists: a pin points to
/// it, and so is small enough for registers.
pub(super) struct PinState {
    domain: NonNull<Domain>,
    /// The stripe of counters and caches that the guard uses.
    stripe: usize,
    hint: LeafHint,
    /// The cell in which an owned guard counts keys (see `memory::keys`); null for other guards.
    keys: *const KeyCell,
    thread: CallThread,
    /// Seize's guard, which is stored beside this state. Set before the first pin, when neither is
    /// moved any more; null until then.
    seize_guard: Cell<SeizeGuard>,
}

/// A pointer to seize's guard, of either kind.
#[derive(Clone, Copy)]
enum SeizeGuard {
    Local(*const seize::LocalGuard<'static>),
    Owned(*const seize::OwnedGuard<'static>),
}

impl PinState {
    pub(super) fn new(domain: &Domain, stripe: usize, thread: CallThread) -> Self {
        Self {
            domain: NonNull::from(domain),
            stripe,
            hint: LeafHint::new(),
            keys: std::ptr::null(),
            thread,
            seize_guard: Cell::new(SeizeGuard::Owned(std::ptr::null())),
        }
    }

    /// Returns a pin through `guard`, which lives at least as long as the pin.
    #[inline]
    fn pin(&self, guard: SeizeGuard) -> Pinned<'_> {
        self.seize_guard.set(guard);
        Pinned {
            state: self,
            recorder: None,
        }
    }

    /// Returns a pin. Without a guard, nothing is retired or flushed through it.
    #[inline]
    pub(super) fn pin_unguarded(&self) -> Pinned<'_> {
        Pinned {
            state: self,
            recorder: None,
        }
    }
}

/// The state of an owned guard, kept in its slot.
pub(crate) struct GuardState {
    pub(super) counted: CountedPin,
    /// The recorder that the C user attached to the guard; the C boundary passes it to each write.
    recorder: Option<DeltaRecorder>,
    guard: ManuallyDrop<seize::OwnedGuard<'static>>,
}

impl GuardState {
    #[inline]
    fn pin(&self) -> Pinned<'_> {
        self.counted.state.pin_unguarded()
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
        let (slot, stripe) = self.slots.claim_in_seize(self.memory.allocator())?;
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
                counted: CountedPin {
                    state: PinState::new(self, stripe, CallThread::ANYWHERE),
                    refreshes: 0,
                },
                recorder: None,
                guard: ManuallyDrop::new(guard),
            });
            // The slot does not move, so neither does seize's guard.
            let guard: *const seize::OwnedGuard<'static> = &*(*state).guard;
            (*state)
                .counted
                .state
                .seize_guard
                .set(SeizeGuard::Owned(guard));
            (*state).counted.state.keys = slot.keys();
        }
        slot.record_time();
        Ok(Guard {
            slot: NonNull::from(slot),
            tree: PhantomData,
        })
    }

    #[inline]
    pub(crate) fn enter_local(&self) -> LocalGuard<'_> {
        self.enter_local_inlined()
    }

    #[inline(always)]
    pub(crate) fn enter_local_inlined(&self) -> LocalGuard<'_> {
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
            // An owned guard uses no thread-local of seize, which may be destroyed by now. Without
            // memory for a slot, the guard has none, and statistics do not count it.
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
    fn state(&self) -> &GuardState {
        // SAFETY: written before the guard was made; the guard owns the slot until it is dropped.
        unsafe { &*self.slot.as_ref().guard() }
    }

    /// Returns the proof of holding the guard that operations take.
    #[inline]
    pub fn pin(&self) -> Pinned<'_> {
        self.state().pin()
    }

    /// Ends the protection of everything read so far, and pins again.
    pub fn refresh(&mut self) {
        // SAFETY: the guard owns the slot, and `&mut self` means that no `Pinned` of it is left.
        unsafe {
            let slot = self.slot.as_ref();
            let state = slot.guard();
            annotate::release((*state).counted.state.domain.as_ptr());
            (*state).counted.refreshes += 1;
            (*state).counted.state.hint.forget();
            slot.record_time();
            (*state).guard.refresh();
        }
    }

    /// Converts the guard to a pointer, from which `from_raw` restores it.
    pub(crate) fn into_raw(self) -> NonNull<Slot> {
        ManuallyDrop::new(self).slot
    }

    /// Whether the parent process created the guard's tree, before a fork.
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

/// Returns a pin of the guard that a slot holds.
///
/// # Safety
/// The slot came from `Guard::into_raw`, and the guard is not refreshed or dropped
/// during `'g`.
#[inline]
pub(crate) unsafe fn pin_of<'g>(slot: NonNull<Slot>) -> Pinned<'g> {
    // SAFETY: by contract.
    let state = unsafe { &*slot.as_ref().guard() };
    state.pin()
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // SAFETY: the guard owns the slot until `vacate`, and is not used after that.
        unsafe {
            let slot = self.slot.as_ref();
            annotate::release((*slot.guard()).counted.state.domain.as_ptr());
            let _ignored = annotate::IgnoredAccesses::begin();
            slot.enter_seize();
            errno::preserve(|| ManuallyDrop::drop(&mut (*slot.guard()).guard));
            slot.vacate();
        }
    }
}

/// Stores the recorder for writes that the C user makes under the guard that a slot holds.
///
/// # Safety
/// The contract of [`pin_of`], for the duration of this call.
pub(crate) unsafe fn set_recorder(slot: NonNull<Slot>, recorder: Option<DeltaRecorder>) {
    // SAFETY: by contract.
    unsafe { (*slot.as_ref().guard()).recorder = recorder };
}

/// Returns the recorder that [`set_recorder`] has stored. It takes effect only on writes whose pin
/// carries it ([`Pinned::with_recorder`]).
///
/// # Safety
/// The contract of [`pin_of`], for the duration of this call.
#[inline]
pub(crate) unsafe fn recorder_of(slot: NonNull<Slot>) -> Option<DeltaRecorder> {
    // SAFETY: by contract.
    unsafe { (*slot.as_ref().guard()).recorder }
}

/// A guard for one call: the thread's own reservation or, in a thread that is exiting, an owned
/// guard. Never returned to a user: if one were forgotten instead of dropped, seize's count of the
/// thread's guards would stay too high for ever, and the next thread that gets this thread's number
/// would be unprotected.
pub(crate) enum LocalGuard<'t> {
    Thread(ThreadGuard<'t>),
    Owned(Guard<'t>),
    Slotless(SlotlessGuard<'t>),
}

/// A guard that uses the thread's own reservation.
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
        // SAFETY: the guard is not used after this.
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
                local.pin.pin(SeizeGuard::Local(guard.cast()))
            }
            Self::Owned(guard) => guard.pin(),
            Self::Slotless(slotless) => {
                let guard = std::ptr::from_ref(&*slotless.guard);
                slotless.pin.pin(SeizeGuard::Owned(guard.cast()))
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

/// The proof that a guard is held for `'g`. Two words: the guard's state, and the recorder of the
/// write that gets the pin.
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

    /// Where the tree's values contain their keys, if they do.
    #[inline]
    pub(crate) fn keys(&self) -> &'g KeySource {
        &self.domain().values().keys
    }

    /// Calls `local` or `owned`, as the kind of seize's guard requires.
    #[inline]
    pub(super) fn on_guard<R>(
        &self,
        local: impl FnOnce(&seize::LocalGuard<'_>) -> R,
        owned: impl FnOnce(&seize::OwnedGuard<'_>) -> R,
    ) -> R {
        // SAFETY: set before the pin was made; the guard is held, and not moved, for 'g.
        unsafe {
            match self.state.seize_guard.get() {
                SeizeGuard::Local(guard) => local(&*guard),
                SeizeGuard::Owned(guard) => owned(&*guard),
            }
        }
    }

    /// Returns the leaf that the guard remembers, if it was remembered for the tree with this root
    /// and for a range that contains the slice (see `hint`).
    #[inline]
    pub(crate) fn hint(&self, root: NodeRef<'g>, slice: u64) -> Option<HintedLeaf<'g>> {
        self.state.hint.find(root, slice)
    }

    /// Records the leaf that a write under the guard has reached by a descent. Returns whether it is
    /// the leaf that the guard last remembered or recorded.
    #[inline]
    pub(crate) fn note_reached(&self, leaf: &Leaf) -> bool {
        self.state.hint.note_reached(leaf)
    }

    /// Makes the guard remember a leaf of the first layer of the tree with this root, for the
    /// slices of a range (see `hint`).
    #[inline]
    pub(crate) fn remember(
        &self,
        root: NodeRef<'_>,
        leaf: HintedLeaf<'_>,
        range: RangeInclusive<u64>,
    ) {
        self.state.hint.remember(root, leaf, range);
    }

    /// Updates the version of the remembered leaf, which the caller has locked and is about to
    /// unlock.
    #[inline]
    pub(crate) fn renew_hint(&self, leaf: HintedLeaf<'_>) {
        self.state.hint.renew(leaf);
    }

    /// The stripe of counters and caches that the guard uses.
    #[inline]
    pub(crate) fn stripe(&self) -> usize {
        self.state.stripe
    }

    /// Called after a callback has returned. In builds with debug assertions, aborts if a call
    /// without a guard no longer runs on the thread on which it began.
    #[inline]
    pub(crate) fn check_thread(self) {
        self.state.thread.check();
    }

    /// The recorder of the writes that get this pin, if they are recorded.
    #[inline]
    pub(crate) fn recorder(&self) -> Option<DeltaRecorder> {
        self.recorder
    }

    /// Returns this pin with a recorder, for writes that are to be recorded. The pin that a guard
    /// returns has none: a layer above the index, and the C boundary for its user, adds the
    /// recorder to the pin of each write that it wants recorded.
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

    /// Adds to the number of keys of the tree to which the leaf belongs. Inlined into every write:
    /// a call makes a remove take 8 instructions more.
    #[inline(always)]
    pub(crate) fn count_keys(&self, leaf: &Leaf, change: i64) {
        let tally = self.domain().memory.tally();
        // SAFETY: null, or the cell of a slot, which lives as long as the domain. Only the thread
        // that uses the guard adds to the cell.
        match unsafe { self.state.keys.as_ref() } {
            Some(cell) => tally.add_keys_owned(cell, leaf.era(), change),
            None => tally.add_keys(self.stripe(), leaf.era(), change),
        }
    }
}

/// Makes statistics count a call as a held guard, since user code that runs within the call may
/// take long.
pub(crate) struct CountedCall<'t> {
    slot: Option<&'t Slot>,
}

impl Domain {
    /// Counts a call until the result is dropped. Without memory for a slot, it is not counted.
    pub(crate) fn count_call(&self) -> CountedCall<'_> {
        CountedCall {
            slot: self.slots.claim_counted(self.memory.allocator()).ok(),
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
