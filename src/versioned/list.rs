//! Lists of versions, and how they are read without a lock; `change` changes them.

use std::alloc::Layout;
use std::fmt::{self, Write};
use std::marker::PhantomData;
use std::mem::needs_drop;
use std::ptr::NonNull;

use super::entry::{Entry, Kind, Link, MAX_HEIGHT, Version};
use super::verdict::Verdict;
use crate::index::key::Shown;
use crate::index::memory::{Memory, OutOfMemory};
use crate::index::reclaim::{Domain, Retire};
use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering};

/// The most versions of a short list.
pub(super) const MOST_SHORT: u64 = 8;

/// How many versions of a list are shown as text.
const SHOWN_VERSIONS: usize = 4;

/// The head of a long list.
pub(super) struct Long {
    pub(super) links: [Link; MAX_HEIGHT],
    /// The number of versions; stored under the leaf's lock.
    count: AtomicU64,
}

/// The bit of a word that marks the head of a long list.
pub(super) const LONG: u64 = 1;

/// The list to which a word points. What it points to is valid for `'g`.
#[derive(Clone, Copy)]
pub(super) struct List<'g> {
    word: u64,
    lives: PhantomData<&'g Long>,
}

/// The form of a list.
#[derive(Clone, Copy)]
pub(super) enum Form<'g> {
    Short(Version<'g>),
    Long(&'g Long),
}

/// Where a search of a long list came from, at each level.
pub(super) type Path<'g> = [&'g Link; MAX_HEIGHT];

pub(super) fn word_of<T>(ptr: *const T) -> u64 {
    ptr.expose_provenance() as u64
}

impl Long {
    fn new() -> Self {
        Self {
            links: std::array::from_fn(|_| Link::new(std::ptr::null_mut())),
            count: AtomicU64::new(0),
        }
    }

    /// Allocates a head that is in no list yet.
    pub(super) fn make(memory: &Memory) -> Result<NewHead<'_>, OutOfMemory> {
        let head = memory.allocate_value_accounted(Layout::new::<Self>());
        let head = head.ok_or(OutOfMemory)?.cast::<Self>();
        // SAFETY: freshly allocated for a head.
        unsafe { head.write(Self::new()) };
        Ok(NewHead { memory, head })
    }

    /// # Safety
    /// No thread uses the head any more.
    unsafe fn free(head: NonNull<Self>, memory: &Memory) {
        // SAFETY: by contract.
        unsafe {
            if needs_drop::<Self>() {
                head.drop_in_place();
            }
            memory.free_value_accounted(head.cast(), Layout::new::<Self>());
        }
    }

    /// Searches for the versions with greater numbers than `number`. Returns the last link at each
    /// level that is before the first version with a number of at most `number`, and the last
    /// version with a greater number.
    ///
    /// Ends: each step follows a link to a version with a smaller number, or descends a level.
    #[inline]
    pub(super) fn search(&self, number: u64) -> (Path<'_>, Option<Version<'_>>) {
        let mut path: Path<'_> = std::array::from_fn(|level| &self.links[level]);
        let mut last: Option<Version<'_>> = None;
        for level in (0..MAX_HEIGHT).rev() {
            if let Some(version) = last {
                path[level] = version.link(level);
            }
            // SAFETY: what the list links to is valid as long as the list.
            while let Some(next) = unsafe { Version::load(path[level]) } {
                if next.number() <= number {
                    break;
                }
                path[level] = next.link(level);
                last = Some(next);
            }
        }
        (path, last)
    }

    pub(super) fn count(&self) -> u64 {
        // Relaxed: under the lock, or for a statistic.
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn set_count(&self, count: u64) {
        self.count.store(count, Ordering::Relaxed);
    }
}

/// The head of a long list that is in no list yet; freed on drop.
pub(super) struct NewHead<'m> {
    memory: &'m Memory,
    head: NonNull<Long>,
}

impl<'m> NewHead<'m> {
    /// The list owns the head now.
    pub(super) fn stored(self) -> &'m Long {
        // SAFETY: it is not freed before the tree's guards end.
        let head = unsafe { self.head.as_ref() };
        std::mem::forget(self);
        head
    }
}

impl Drop for NewHead<'_> {
    fn drop(&mut self) {
        // SAFETY: no other thread has a pointer to it.
        unsafe { Long::free(self.head, self.memory) }
    }
}

impl<'g> List<'g> {
    /// # Safety
    /// The word is a list of a versioned tree, and nothing in it is freed during `'g`.
    pub(super) unsafe fn new(word: u64) -> Self {
        Self {
            word,
            lives: PhantomData,
        }
    }

    #[inline]
    pub(super) fn form(self) -> Form<'g> {
        let ptr = (self.word & !LONG) as usize;
        // SAFETY: the word came from `insert`, and its list lives for 'g.
        unsafe {
            if self.word & LONG == 0 {
                let entry = std::ptr::with_exposed_provenance_mut::<Entry>(ptr);
                Form::Short(Version::new(NonNull::new_unchecked(entry)))
            } else {
                Form::Long(&*std::ptr::with_exposed_provenance::<Long>(ptr))
            }
        }
    }

    /// Returns the newest version; `None` if there is none but a mark that is not decided, or beside a
    /// trim that removes all of them.
    #[inline]
    pub(super) fn newest(self) -> Option<Version<'g>> {
        let first = self.first()?;
        if !first.current_tag().is_mark() || first.verdict() == Verdict::Version {
            return Some(first);
        }
        let older = first.older();
        // As in `at`.
        match first.verdict() {
            Verdict::Version => Some(first),
            Verdict::Open | Verdict::Withdrawn => older,
        }
    }

    /// Returns the first version, which may be a mark; `None` only beside a trim that removes all.
    #[inline]
    pub(super) fn first(self) -> Option<Version<'g>> {
        match self.form() {
            Form::Short(head) => Some(head),
            // SAFETY: as `form`.
            Form::Long(long) => unsafe { Version::load(&long.links[0]) },
        }
    }

    /// Returns the first version if it is a mark that keeps writers waiting. Under the leaf's lock.
    pub(super) fn open_mark(self) -> Option<Version<'g>> {
        let first = self.first().filter(|first| first.current_tag().is_mark())?;
        let is_open = first.verdict() == Verdict::Open;
        (is_open && Line::WriterWaitsForMark.is_enabled()).then_some(first)
    }

    /// Whether the first version is a mark that is not resolved.
    pub(super) fn has_mark(self) -> bool {
        self.first()
            .is_some_and(|first| first.current_tag().is_mark())
    }

    /// Returns the newest version with a number of at most `number`.
    #[inline]
    pub(super) fn at(self, number: u64) -> Option<Version<'g>> {
        let newest = self.first()?;
        let tag = newest.current_tag();
        if tag.number() <= number {
            return Some(newest);
        }
        if !tag.is_mark() {
            return self.older_at(number);
        }
        if newest.verdict() == Verdict::Version && newest.number() <= number {
            return Some(newest);
        }
        let older = self.older_at(number);
        // The batch may have been committed meanwhile, and what it hides unlinked from below the mark.
        // Then the load of that link has acquired the decision: see `change::unlink`.
        let looks_again = Line::PendingIsLookedAtAgain.is_enabled();
        if looks_again && newest.verdict() == Verdict::Version && newest.number() <= number {
            return Some(newest);
        }
        older
    }

    /// Returns the newest version after the first with a number of at most `number`.
    #[inline]
    fn older_at(self, number: u64) -> Option<Version<'g>> {
        match self.form() {
            Form::Short(head) => {
                let mut version = head.older();
                // Ends: the numbers fall.
                while let Some(newer) = version.filter(|version| version.number() > number) {
                    version = newer.older();
                }
                version
            }
            Form::Long(long) => {
                // SAFETY: what the list links to is valid as long as the list.
                let mut version = unsafe { Version::load(long.search(number).0[0]) };
                // The link was loaded again, and may point to a version that was inserted
                // meanwhile, with a number that is still greater. Ends: the numbers fall.
                while let Some(newer) = version.filter(|version| version.number() > number) {
                    version = newer.older();
                }
                version
            }
        }
    }

    /// Returns the oldest version with a number greater than `number`.
    pub(super) fn newer_than(self, number: u64) -> Option<Version<'g>> {
        // Stores the number of a mark that is decided in its tag.
        self.newest()?;
        let oldest = match self.form() {
            Form::Short(head) => {
                let mut last = None;
                let mut version = Some(head);
                // Ends: the numbers fall.
                while let Some(newer) = version.filter(|version| version.number() > number) {
                    last = Some(newer);
                    version = newer.older();
                }
                last
            }
            Form::Long(long) => long.search(number).1,
        };
        oldest.filter(|version| !version.current_tag().is_mark())
    }

    pub(super) fn oldest(self) -> Option<Version<'g>> {
        self.newer_than(0)
    }

    /// The number of versions. Only under the leaf's lock, or when no thread writes.
    pub(super) fn count(self) -> u64 {
        match self.form() {
            Form::Short(head) => head.rank() + 1,
            Form::Long(long) => long.count(),
        }
    }

    /// Whether another version makes the list long.
    pub(super) fn becomes_long(self) -> bool {
        matches!(self.form(), Form::Short(head) if head.rank() + 1 == MOST_SHORT)
    }

    pub(super) fn is_long(self) -> bool {
        matches!(self.form(), Form::Long(_))
    }

    /// The bytes of the list. Only when no thread writes to it.
    pub(super) fn bytes(self) -> usize {
        let head = usize::from(self.is_long()) * size_of::<Long>();
        let mut bytes = head;
        let mut version = self.first();
        while let Some(this) = version {
            bytes += this.size();
            version = this.older();
        }
        bytes
    }

    /// # Safety
    /// No thread uses the list any more.
    pub(super) unsafe fn free(self, memory: &Memory) {
        let mut version = self.first();
        while let Some(this) = version {
            version = this.older();
            // SAFETY: by contract.
            unsafe { this.free(memory) };
        }
        if let Form::Long(long) = self.form() {
            // SAFETY: by contract.
            unsafe { Long::free(NonNull::from(long), memory) }
        }
    }

    pub(super) fn show(self, to: &mut dyn Write) -> fmt::Result {
        let mut version = self.newest();
        let mut separator = "[";
        for _ in 0..SHOWN_VERSIONS {
            let Some(this) = version else { break };
            let kind = match this.kind() {
                Kind::Value => "",
                Kind::Merge => "merge ",
                Kind::Tombstone => "tombstone",
                Kind::WeakTombstone => "weak tombstone",
            };
            write!(to, "{separator}{}: {kind}", this.number())?;
            if !this.is_tombstone() {
                write!(to, "{}", Shown(this.bytes()))?;
            }
            separator = ", ";
            version = this.older();
        }
        to.write_str(if version.is_some() { ", ...]" } else { "]" })
    }

    /// Checks the list while no thread writes. Returns what is wrong.
    pub(super) fn check(self) -> Option<&'static str> {
        let (mut count, mut last, mut version) = (0, u64::MAX, self.first());
        while let Some(this) = version {
            if this.number() >= last {
                return Some("numbers of versions do not fall");
            }
            (count, last) = (count + 1, this.number());
            version = this.older();
        }
        if count == 0 || count != self.count() {
            return Some("the count of versions is wrong");
        }
        match self.form() {
            Form::Short(_) if count > MOST_SHORT => Some("a short list has too many versions"),
            Form::Short(_) => None,
            Form::Long(long) => long.check_levels(),
        }
    }
}

impl Long {
    /// Each level has exactly the versions that are high enough.
    fn check_levels(&self) -> Option<&'static str> {
        for level in 1..MAX_HEIGHT {
            // SAFETY: as `search`.
            let (mut lower, mut upper) = unsafe {
                let [lower, upper] = [0, level].map(|level| Version::load(&self.links[level]));
                (lower, upper)
            };
            while let Some(this) = lower {
                if this.height() > level {
                    if upper != Some(this) {
                        return Some("a level of a long list lacks a version");
                    }
                    // SAFETY: as above.
                    upper = unsafe { Version::load(this.link(level)) };
                }
                lower = this.older();
            }
            if upper.is_some() {
                return Some("a level of a long list has a version that the list lacks");
            }
        }
        None
    }
}

impl Retire for Long {
    unsafe fn bytes(_: *mut Self, _: &Domain) -> usize {
        size_of::<Self>()
    }

    unsafe fn free(head: *mut Self, domain: &Domain) {
        // SAFETY: by contract.
        unsafe { Long::free(NonNull::new_unchecked(head), &domain.memory) }
    }
}
