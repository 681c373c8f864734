//! The range tombstones of a tree.
//!
//! **Protocol.** `runs` points to an immutable list of immutable sets ([`Run`]), each at least
//! twice as large as the next, or is null. A writer makes a set of the new tombstone and those of
//! the last sets that are not twice as large as what it has so far, then a list with that set in
//! place of those, and stores it by a compare-and-exchange. If another writer was faster, it frees
//! what it made and starts over. So adding n tombstones costs O(n log² n), no lock is held while
//! memory is allocated, and each attempt that fails means that another writer has succeeded.
//!
//! The linearization point is that exchange, which releases the sets; readers acquire them. Lists
//! and sets that were replaced are retired.
//!
//! **Removal.** A trim removes tombstones that hide nothing any more ([`trim_ranges`]): it makes one set
//! of all others, and exchanges the list in the same way; then it retires the tombstones. It has removed
//! the versions that they covered from their lists before. So a reader loads the list of tombstones
//! before it loads the list of a key ([`Line::RangesBeforeList`]): if it does not find a tombstone, it
//! does not find the versions either, since the exchange that it has acquired follows their removal. A
//! reader that has loaded an older list finds a tombstone that has nothing to hide.
//!
//! [`trim_ranges`]: super::trim_ranges

use std::ptr::NonNull;

use arrayvec::ArrayVec;

use super::VersionedTree;
use super::run::{Run, TombstoneRef};
use super::write::Refused;
use crate::index::memory::{OutOfMemory, Source, Vector};
use crate::index::reclaim::{Domain, Pinned, Retire};
use crate::index::tree::Tree;
#[cfg(doc)]
use crate::protocol::Line;
use crate::sync::{AtomicPtr, Ordering};

/// The most sets: each is twice as large as the next.
const MOST_RUNS: usize = 48;

/// A list of sets, the largest first.
struct Runs {
    runs: ArrayVec<NonNull<Run<'static>>, MOST_RUNS>,
}

impl Runs {
    fn sets(&self) -> impl Iterator<Item = &Run<'static>> + Clone {
        // SAFETY: sets are freed after the lists that name them, and tombstones after their sets.
        self.runs.iter().map(|run| unsafe { run.as_ref() })
    }
}

/// The range tombstones of a tree.
pub(super) struct RangeTombstones {
    runs: AtomicPtr<Runs>,
}

/// The range tombstones at one moment.
#[derive(Clone, Copy)]
pub(super) struct Covers<'g> {
    runs: Option<&'g Runs>,
}

impl Covers<'_> {
    /// Returns the greatest number, of at most `number`, of the tombstones that cover a key; 0 if
    /// there is none.
    #[inline]
    pub(super) fn at(self, key: &[u8], number: u64) -> u64 {
        let Some(runs) = self.runs else { return 0 };
        let covers = runs.sets().map(|run| run.cover(key, number));
        covers.max().unwrap_or(0)
    }
}

impl RangeTombstones {
    pub(super) fn new() -> Self {
        Self {
            runs: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// Returns the tombstones of this moment.
    #[inline]
    pub(super) fn load<'g>(&self, _: Pinned<'g>) -> Covers<'g> {
        // SeqCst, as `reclaim` asks; Acquire: pairs with the exchange in `add`.
        let runs = self.runs.load(Ordering::SeqCst);
        Covers {
            // SAFETY: null, or a list that is not freed before the pin ends.
            runs: unsafe { runs.as_ref() },
        }
    }

    /// The number of tombstones, for statistics: the list must not be replaced meanwhile.
    fn count_in(runs: &Runs) -> u64 {
        runs.sets().map(|run| run.tombstones().len() as u64).sum()
    }

    /// Adds a tombstone.
    fn add(
        &self,
        pin: Pinned<'_>,
        source: Source,
        tombstone: TombstoneRef<'static>,
    ) -> Result<(), OutOfMemory> {
        // Ends: another round needs another writer that has succeeded.
        loop {
            let present = self.runs.load(Ordering::SeqCst);
            // SAFETY: as in `load`.
            let old = unsafe { present.as_ref() };
            let sets = old.map_or(&[][..], |runs| &runs.runs[..]);
            let (mut kept, mut count) = (sets.len(), 1);
            while kept > 0 {
                // SAFETY: as `Runs::sets`.
                let len = unsafe { sets[kept - 1].as_ref() }.tombstones().len();
                if len >= 2 * count {
                    break;
                }
                (kept, count) = (kept - 1, count + len);
            }
            // SAFETY: as above.
            let merged = (sets[kept..].iter()).flat_map(|run| unsafe { run.as_ref() }.tombstones());
            let all = merged.copied().chain([tombstone]);
            let (new, run) = make_list(source, &sets[..kept], all)?;
            // Release: pairs with `load`.
            let stored = (self.runs).compare_exchange(
                present,
                new.as_ptr(),
                Ordering::SeqCst,
                Ordering::Relaxed,
            );
            // SAFETY: what was replaced is reachable only for guards held now; what was not stored
            // no other thread has seen.
            unsafe {
                if stored.is_ok() {
                    for run in &sets[kept..] {
                        pin.retire(run.as_ptr());
                    }
                    if !present.is_null() {
                        pin.retire(present);
                    }
                    account(pin.domain(), new, run);
                    account_for(pin.domain(), tombstone.as_ptr());
                    return Ok(());
                }
                source.drop_and_free(new);
                source.drop_and_free(run);
            }
        }
    }

    /// Removes tombstones that are in the list, given in the order of their addresses. One thread at a
    /// time.
    pub(super) fn remove(
        &self,
        pin: Pinned<'_>,
        source: Source,
        obsolete: &[TombstoneRef<'static>],
    ) -> Result<(), OutOfMemory> {
        let is_kept = |tombstone: &&TombstoneRef<'static>| {
            let address = |of: &TombstoneRef<'_>| of.as_ptr().addr();
            obsolete
                .binary_search_by_key(&address(tombstone), address)
                .is_err()
        };
        // Ends: another round needs a writer that has succeeded.
        loop {
            let present = self.runs.load(Ordering::SeqCst);
            // SAFETY: as in `load`.
            let Some(old) = (unsafe { present.as_ref() }) else {
                return Ok(());
            };
            let kept = old.sets().flat_map(|run| run.tombstones()).filter(is_kept);
            let made = match kept.clone().next() {
                Some(_) => Some(make_list(source, &[], kept.copied())?),
                None => None,
            };
            let new = made.map_or(std::ptr::null_mut(), |(list, _)| list.as_ptr());
            // Release: pairs with `load`.
            let stored =
                (self.runs).compare_exchange(present, new, Ordering::SeqCst, Ordering::Relaxed);
            // SAFETY: as in `add`.
            unsafe {
                if stored.is_ok() {
                    for run in &old.runs {
                        pin.retire(run.as_ptr());
                    }
                    pin.retire(present);
                    for tombstone in obsolete {
                        pin.retire(tombstone.as_ptr());
                    }
                    if let Some((list, run)) = made {
                        account(pin.domain(), list, run);
                    }
                    return Ok(());
                }
                if let Some((list, run)) = made {
                    source.drop_and_free(list);
                    source.drop_and_free(run);
                }
            }
        }
    }

    /// Returns the tombstones with numbers of at most `most`, in no particular order.
    pub(super) fn at_most(
        &self,
        pin: Pinned<'_>,
        source: Source,
        most: u64,
    ) -> Result<Vector<TombstoneRef<'static>>, OutOfMemory> {
        let mut found = Vector::new_in(source);
        let Some(runs) = self.load(pin).runs else {
            return Ok(found);
        };
        let all = runs.sets().flat_map(|run| run.tombstones());
        for tombstone in all.filter(|tombstone| tombstone.number() <= most) {
            found.try_reserve(1).map_err(|_| OutOfMemory)?;
            found.push(*tombstone);
        }
        Ok(found)
    }

    /// The number of tombstones. Under a guard, or when no other thread uses the tree.
    pub(super) fn len(&self, pin: Pinned<'_>) -> u64 {
        self.load(pin).runs.map_or(0, Self::count_in)
    }

    /// # Safety
    /// No other thread uses the tree.
    pub(super) unsafe fn free(&self, source: Source) {
        let runs = self.runs.swap(std::ptr::null_mut(), Ordering::Relaxed);
        let Some(runs) = NonNull::new(runs) else {
            return;
        };
        // SAFETY: by contract; each tombstone is in one set.
        unsafe {
            for run in &runs.as_ref().runs {
                for tombstone in run.as_ref().tombstones() {
                    tombstone.free(source);
                }
                source.drop_and_free(*run);
            }
            source.drop_and_free(runs);
        }
    }
}

/// Makes a list of sets, and of a new set of all other tombstones.
fn make_list(
    source: Source,
    kept: &[NonNull<Run<'static>>],
    others: impl Iterator<Item = TombstoneRef<'static>> + Clone,
) -> Result<(NonNull<Runs>, NonNull<Run<'static>>), OutOfMemory> {
    let run = Run::make(source, others)?;
    let mut runs: ArrayVec<_, MOST_RUNS> = kept.iter().copied().collect();
    runs.push(run);
    let list = source.make(Runs { runs }).inspect_err(|_| {
        // SAFETY: no other thread has seen the set.
        unsafe { source.drop_and_free(run) }
    })?;
    Ok((list, run))
}

/// Accounts for a new list and its new set.
///
/// # Safety
/// Both are live.
unsafe fn account(domain: &Domain, list: NonNull<Runs>, run: NonNull<Run<'static>>) {
    // SAFETY: by contract.
    unsafe {
        account_for(domain, list.as_ptr());
        account_for(domain, run.as_ptr());
    }
}

/// Accounts for an object until it is freed by its `Retire`.
///
/// # Safety
/// The object is live.
unsafe fn account_for<T: Retire>(domain: &Domain, object: *mut T) {
    // SAFETY: by contract.
    let bytes = unsafe { T::bytes(object, domain) };
    domain.memory.note(bytes as i64);
}

impl Retire for Runs {
    unsafe fn bytes(_: *mut Self, _: &Domain) -> usize {
        size_of::<Self>()
    }

    unsafe fn free(runs: *mut Self, domain: &Domain) {
        // SAFETY: by contract; `add` made it.
        unsafe {
            domain.memory.note(-(size_of::<Self>() as i64));
            let runs = NonNull::new_unchecked(runs);
            domain.memory.allocator().drop_and_free(runs);
        }
    }
}

impl VersionedTree<'_> {
    /// Deletes, at a number, every key from `lower` to before `upper`: hides versions with smaller
    /// numbers from readers at this number and above. An empty range deletes nothing.
    pub(crate) fn remove_range(
        self,
        pin: Pinned<'_>,
        lower: &[u8],
        upper: &[u8],
        number: u64,
    ) -> Result<(), Refused> {
        self.admit_write(number)?;
        if lower < upper {
            let tree: &Tree = self.tree;
            let source = tree.allocator();
            let tombstone = TombstoneRef::make(source, lower, upper, number)?;
            let added = self.versions.ranges.add(pin, source, tombstone);
            added.inspect_err(|_| {
                // SAFETY: no set has it.
                unsafe { tombstone.free(source) }
            })?;
        }
        self.versions.counts.note_number(pin, number);
        Ok(())
    }

    /// Calls `visit` with the bounds and the number of each range tombstone, in no particular order.
    pub(crate) fn each_range_tombstone(
        self,
        pin: Pinned<'_>,
        mut visit: impl FnMut(&[u8], &[u8], u64) -> std::ops::ControlFlow<()>,
    ) {
        let Some(runs) = self.versions.ranges.load(pin).runs else {
            return;
        };
        for tombstone in runs.sets().flat_map(|run| run.tombstones()) {
            let flow = visit(tombstone.lower(), tombstone.upper(), tombstone.number());
            if flow.is_break() {
                return;
            }
        }
    }
}
