//! Commit records of batches, and what is done at a pending version.
//!
//! A batch first puts a *mark* on each of its keys: a version whose tag has a pointer to the batch's
//! commit record in place of the number. A mark is the first version of its list, and stays that until it
//! is resolved: a writer that meets a mark which is not decided waits. When all marks stand, the batch
//! takes its number and stores it in the record: that store is the commit point of the whole batch. Then
//! each mark is *resolved*: the number is stored in its tag, or, if the batch was aborted, or the mark only
//! holds its key, it is unlinked.
//!
//! **Readers.** At a mark, a reader loads the record. A mark without a decision is passed over, to the
//! older version; so is one of an aborted batch, and one that only holds a key. A mark that is decided is a
//! version with the record's number: the reader stores that in its tag, and looks at no record the next
//! time. The store of the decision releases all marks ([`Line::DecisionIsReleased`]), and its load acquires
//! them ([`Line::DecisionIsAcquired`]); so do the stores and loads of resolved tags
//! ([`Line::ResolvedIsReleased`], [`Line::NumberIsAcquired`]): a reader that has seen one version of a batch
//! sees all of them in what it reads afterwards.
//!
//! A reader that passes over a mark looks at it once more after it has followed the mark's link
//! ([`Line::PendingIsLookedAtAgain`]): in between, the batch may have been committed, and an overwrite may
//! have unlinked, from below the mark, what it hides. The load of the changed link acquires the decision.
//!
//! **Tags of marks** are, as numbers, greater than all that readers in a store read at ([`MAX_COMMIT`]), so
//! a search in a list passes over them. Only who looks at the first version of a list asks for marks.
//!
//! **Records are used again**, for other batches, after all marks of a batch are resolved; they are freed
//! with the clock. So a reader compares the tag once more after it has loaded the record's state
//! ([`Line::MarkLooksAgain`]). If the state was another batch's, the reader has acquired what its store
//! released, and the tag's change is part of that: the tag is not the same any more, since it changes once.
//! That is why the tag of a mark that is unlinked changes, too ([`Line::UnlinkedIsWithdrawn`]): a reader may
//! still stand at it.

use std::cell::Cell;
use std::ptr::NonNull;

use super::clock::Clock;
#[cfg(doc)]
use super::clock::MAX_COMMIT;
use super::entry::{Tag, Version};
use crate::index::memory::OutOfMemory;
use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering, Wait};

/// The bits of a tag that are all set in marks, and in no number of a store.
const MARK: u64 = 0xff << 56 | PENDING;
/// The bit of a tag's kind that only marks have.
const PENDING: u64 = 1 << 3;
/// The bit of a tag's kind that says that a mark only holds its key.
const HOLD: u64 = 1 << 2;
/// The bits of a tag that are the address of a commit record.
const ADDRESS: u64 = !(0xff << 56 | 0xff);

/// The state of a record whose batch is not decided.
const UNDECIDED: u64 = 0;
/// The state of a record whose batch is aborted.
const ABORTED: u64 = u64::MAX;

/// The decision about a batch. Aligned so that its address leaves the other bits of a tag free.
#[repr(align(256))]
pub(super) struct CommitRecord {
    /// [`UNDECIDED`], [`ABORTED`], or the number of the batch.
    state: AtomicU64,
    /// The next record of the clock's free ones. Under the clock's lock.
    pub(super) next_free: Option<NonNull<CommitRecord>>,
    /// The record that was made before. Under the clock's lock.
    pub(super) made_before: Option<NonNull<CommitRecord>>,
}

impl CommitRecord {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU64::new(UNDECIDED),
            next_free: None,
            made_before: None,
        }
    }

    /// Whether the record's address fits into a tag. It does on all 64-bit systems, unless the allocator
    /// keeps something in the highest byte.
    pub(super) fn is_addressable(record: NonNull<Self>) -> bool {
        record.addr().get() as u64 & !ADDRESS == 0
    }
}

/// The commit record of one batch, which is used for another one after it is dropped.
pub(crate) struct Record<'c> {
    clock: &'c Clock,
    record: NonNull<CommitRecord>,
    /// The marks that are not resolved.
    marks: Cell<usize>,
}

impl<'c> Record<'c> {
    /// The record is taken from the clock, and no mark points to it.
    pub(super) fn new(clock: &'c Clock, record: NonNull<CommitRecord>) -> Self {
        let this = Self {
            clock,
            record,
            marks: Cell::new(0),
        };
        // Release: pairs with the load in `verdict`, which then finds the tags of the earlier batch
        // changed; this thread has acquired them with the clock's lock.
        this.state().store(UNDECIDED, Ordering::Release);
        this
    }

    fn state(&self) -> &AtomicU64 {
        // SAFETY: records are freed with the clock.
        unsafe { &(*self.record.as_ptr()).state }
    }

    /// Commits the batch: all its marks that are not holds are versions with this number from now on. The
    /// number was taken after the last mark was placed. The caller then reports it as installed, and
    /// resolves the marks.
    pub(crate) fn decide(&self, number: u64) {
        debug_assert!((1..=super::MAX_COMMIT).contains(&number));
        debug_assert_eq!(self.state().load(Ordering::Relaxed), UNDECIDED);
        // Release: pairs with the load in `verdict`.
        let ordering = Line::DecisionIsReleased.release();
        self.state().store(number, ordering);
    }

    /// Aborts the batch. The caller then resolves the marks that it has placed.
    pub(crate) fn abort(&self) {
        debug_assert_eq!(self.state().load(Ordering::Relaxed), UNDECIDED);
        // Release, as in `new`: a reader at a mark of an earlier batch looks at its tag again.
        self.state().store(ABORTED, Ordering::Release);
    }

    /// The number of the batch; `None` if it is not committed.
    pub(super) fn number(&self) -> Option<u64> {
        match self.state().load(Ordering::Relaxed) {
            UNDECIDED | ABORTED => None,
            number => Some(number),
        }
    }

    /// Whether the mark is one of this batch.
    pub(super) fn owns(&self, mark: Version<'_>) -> bool {
        mark.current_tag().record() == Some(self.record)
    }

    /// Makes a version that is in no list a mark of this batch.
    pub(super) fn make_mark(&self, version: Version<'_>, holds: bool) {
        let tag = version.tag().marked(self.record, holds);
        // Relaxed: the link to the version publishes it.
        version.set_tag(tag, Ordering::Relaxed);
        self.marks.set(self.marks.get() + 1);
    }

    /// The mark that was made last was not placed, or one is resolved.
    pub(super) fn forget_mark(&self) {
        self.marks.set(self.marks.get() - 1);
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        // A record to which a mark points stays as it is until the clock is freed.
        let resolved = self.marks.get() == 0;
        debug_assert!(resolved || std::thread::panicking(), "marks are left");
        if resolved {
            self.clock.give_back(self.record);
        }
    }
}

impl Clock {
    /// Returns a record for a batch.
    pub(crate) fn record(&self) -> Result<Record<'_>, OutOfMemory> {
        Ok(Record::new(self, self.take_record()?))
    }
}

impl Tag {
    #[inline]
    pub(super) fn is_mark(self) -> bool {
        // The first bit alone decides for versions, without a long constant.
        self.0 & PENDING != 0 && self.0 & MARK == MARK
    }

    fn holds(self) -> bool {
        self.0 & HOLD != 0
    }

    fn marked(self, record: NonNull<CommitRecord>, holds: bool) -> Self {
        let address = record.expose_provenance().get() as u64;
        debug_assert_eq!(address & !ADDRESS, 0);
        let hold = if holds { HOLD } else { 0 };
        Self(MARK | address | hold | self.0 & 0xff)
    }

    /// The tag of a mark that is unlinked.
    fn withdrawn(self) -> Self {
        Self(self.0 & !ADDRESS)
    }

    /// The record of a mark that is not withdrawn.
    fn record(self) -> Option<NonNull<CommitRecord>> {
        if !self.is_mark() {
            return None;
        }
        let address = (self.0 & ADDRESS) as usize;
        NonNull::new(std::ptr::with_exposed_provenance_mut(address))
    }

    /// The tag with a number, which is none of a mark.
    pub(super) fn with_number(self, number: u64) -> Self {
        Self(number << 8 | self.0 & (0xff & !PENDING))
    }
}

/// What a version is that may be a mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// A version with a number.
    Version,
    /// A mark that is not resolved: not decided, or to be unlinked.
    Open,
    /// A mark that is unlinked.
    Withdrawn,
}

impl Version<'_> {
    /// Returns what the version is; if a mark of it is decided, stores the number in its tag.
    #[cold]
    pub(super) fn verdict(self) -> Verdict {
        let tag = self.current_tag();
        if !tag.is_mark() {
            return Verdict::Version;
        }
        let Some(record) = tag.record() else {
            return Verdict::Withdrawn;
        };
        // SAFETY: records are freed with the clock, which the tree keeps.
        let state = unsafe { &(*record.as_ptr()).state };
        // Acquire: pairs with `decide`; and with `Record::new`, for the next load.
        let state = state.load(Line::DecisionIsAcquired.acquire());
        let now = self.current_tag();
        if now != tag && Line::MarkLooksAgain.is_enabled() {
            return match now.is_mark() {
                false => Verdict::Version,
                true => Verdict::Withdrawn,
            };
        }
        match state {
            UNDECIDED | ABORTED => Verdict::Open,
            _ if tag.holds() => Verdict::Open,
            number => {
                self.resolve_to(number);
                Verdict::Version
            }
        }
    }

    /// Waits until a mark is decided or unlinked. The caller holds no lock; about the end, see `mark`.
    pub(super) fn wait_until_resolved(self) {
        let wait = Wait::new();
        while self.verdict() == Verdict::Open {
            wait.wait();
        }
    }

    /// Stores the number of its batch in the tag of a mark that is decided. Several threads may: they
    /// store the same.
    pub(super) fn resolve_to(self, number: u64) {
        let tag = self.tag().with_number(number);
        // Release: pairs with `current_tag`. This thread has placed, or acquired, the marks of the batch.
        self.set_tag(tag, Line::ResolvedIsReleased.release());
    }

    /// Changes the tag of a mark that is not decided, or holds its key, before it is unlinked.
    pub(super) fn withdraw(self) {
        // Release: pairs with `current_tag`, of a writer that waits.
        if Line::UnlinkedIsWithdrawn.is_enabled() {
            self.set_tag(self.tag().withdrawn(), Ordering::Release);
        }
    }
}
