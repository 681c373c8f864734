//! Changes of lists, under the lock of the key's leaf.

use super::entry::{Link, MAX_HEIGHT, Version, publishing};
use super::list::{Form, LONG, List, Long, MOST_SHORT, NewHead, Path, word_of};
use crate::index::reclaim::Pinned;
use crate::index::tree::Decision;
use crate::protocol::Line;
use crate::sync::Ordering;

/// What an insert did with a list.
pub(super) enum Inserted {
    /// The version is in the list; the word under the key changes like this.
    Done(Decision),
    /// The list has a version with the same number.
    Exists,
    /// The list becomes long: the insert needs a head.
    NeedsHead,
}

/// Consecutive versions that were removed from a list, to be retired.
pub(super) struct Removed<'g> {
    first: Version<'g>,
    pub(super) count: usize,
    head: Option<&'g Long>,
}

impl<'g> List<'g> {
    /// Inserts a version into the list of a key, or begins one. Leaves the version to the caller,
    /// unless it returns `Done`; takes `head` only if the list becomes long.
    ///
    /// # Safety
    /// The caller owns the lock of the key's leaf, `present` is the word under the key, and the
    /// caller applies the decision before it unlocks the leaf.
    pub(super) unsafe fn insert(
        present: Option<u64>,
        new: Version<'g>,
        head: &mut Option<NewHead<'g>>,
    ) -> Inserted {
        let Some(word) = present else {
            return Inserted::Done(Decision::Set(word_of(new.as_ptr())));
        };
        // SAFETY: by contract; the lock's owner sees a list that no other thread changes.
        match unsafe { Self::new(word) }.form() {
            Form::Short(first) => insert_short(first, new, head),
            Form::Long(long) => match insert_long(long, new) {
                false => Inserted::Exists,
                true => Inserted::Done(Decision::Keep),
            },
        }
    }

    /// Removes versions with numbers from `lowest` to `highest`, at most `most` of them, the newest
    /// first. Returns what happens to the word under the key, and the removed versions.
    ///
    /// # Safety
    /// As `insert`. The caller retires what is returned, after it has unlocked the leaf.
    pub(super) unsafe fn remove(
        self,
        highest: u64,
        lowest: u64,
        most: usize,
    ) -> (Decision, Option<Removed<'g>>) {
        let Some(first) = self.at(highest) else {
            return (Decision::Keep, None);
        };
        let mut end = Some(first);
        let mut count = 0;
        // Ends: the numbers fall.
        while let Some(version) = end.filter(|version| version.number() >= lowest && count < most) {
            end = version.older();
            count += 1;
        }
        if count == 0 {
            return (Decision::Keep, None);
        }
        let left = self.count() - count as u64;
        let mut removed = Removed {
            first,
            count,
            head: None,
        };
        let decision = match self.form() {
            Form::Short(head) => remove_short(head, first, end, left),
            Form::Long(long) if left == 0 => {
                removed.head = Some(long);
                Decision::Remove
            }
            Form::Long(long) => {
                remove_long(long, first.number(), end);
                long.set_count(left);
                Decision::Keep
            }
        };
        (decision, Some(removed))
    }
}

impl<'g> List<'g> {
    /// Inserts a version whose number is greater than all others, or a mark. Takes `head`, which is not
    /// `None` if the list becomes long.
    ///
    /// # Safety
    /// As `insert`.
    pub(super) unsafe fn push(
        present: Option<u64>,
        new: Version<'g>,
        head: &mut Option<NewHead<'g>>,
    ) -> Decision {
        // SAFETY: by contract.
        match unsafe { Self::insert(present, new, head) } {
            Inserted::Done(decision) => decision,
            Inserted::Exists | Inserted::NeedsHead => {
                unreachable!("the number is greater than all others, and there is a head")
            }
        }
    }

    /// Removes the first version, a mark. Returns what happens to the word under the key, and the mark.
    ///
    /// # Safety
    /// As `remove`.
    pub(super) unsafe fn remove_first(self, first: Version<'g>) -> (Decision, Removed<'g>) {
        debug_assert!(self.first() == Some(first));
        let left = self.count() - 1;
        let mut removed = Removed {
            first,
            count: 1,
            head: None,
        };
        let decision = match self.form() {
            Form::Short(head) => remove_short(head, first, first.older(), left),
            Form::Long(long) if left == 0 => {
                removed.head = Some(long);
                Decision::Remove
            }
            Form::Long(long) => {
                // From the top, as in `remove_long`.
                for level in (0..first.height()).rev() {
                    // SAFETY: what a version links to is valid as long as the list.
                    unlink(&long.links[level], unsafe {
                        Version::load(first.link(level))
                    });
                }
                long.set_count(left);
                Decision::Keep
            }
        };
        (decision, removed)
    }
}

/// Inserts into a short list, whose newest version is `first`.
fn insert_short<'g>(
    first: Version<'g>,
    new: Version<'g>,
    head: &mut Option<NewHead<'g>>,
) -> Inserted {
    let mut before = None;
    let mut after = Some(first);
    // Ends: the numbers fall.
    while let Some(version) = after.filter(|version| version.number() > new.number()) {
        before = Some(version);
        after = version.older();
    }
    if after.is_some_and(|version| version.number() == new.number()) {
        return Inserted::Exists;
    }
    let count = first.rank() + 1;
    if count == MOST_SHORT {
        let Some(head) = head.take() else {
            return Inserted::NeedsHead;
        };
        let long = head.stored();
        fill(long, first, count);
        let inserted = insert_long(long, new);
        debug_assert!(inserted);
        // The word is stored with a release: see `Leaf::replace`.
        return Inserted::Done(Decision::Set(word_of(long) | LONG));
    }
    let Some(before) = before else {
        new.link(0).store(first.as_ptr(), Ordering::Relaxed);
        new.set_rank(count);
        return Inserted::Done(Decision::Set(word_of(new.as_ptr())));
    };
    link(new, 0, before.link(0), after);
    first.set_rank(count);
    Inserted::Done(Decision::Keep)
}

/// Links a new version between `before` and `after`.
fn link(new: Version<'_>, level: usize, before: &Link, after: Option<Version<'_>>) {
    let after = after.map_or(std::ptr::null_mut(), Version::as_ptr);
    // Relaxed: the store below releases it.
    if Line::LinksBeforePublishing.is_enabled() {
        new.link(level).store(after, Ordering::Relaxed);
    }
    before.store(new.as_ptr(), publishing());
    if !Line::LinksBeforePublishing.is_enabled() {
        new.link(level).store(after, Ordering::Relaxed);
    }
}

/// Makes the versions of a short list those of a new head, which no reader has seen.
fn fill(long: &Long, first: Version<'_>, count: u64) {
    let mut tails: Path<'_> = std::array::from_fn(|level| &long.links[level]);
    let mut version = Some(first);
    // The lowest links are those of the short list, which readers follow meanwhile.
    long.links[0].store(first.as_ptr(), Ordering::Relaxed);
    while let Some(this) = version {
        for (level, tail) in tails.iter_mut().enumerate().take(this.height()).skip(1) {
            // Readers do not use these links before the head is published.
            tail.store(this.as_ptr(), Ordering::Relaxed);
            *tail = this.link(level);
        }
        version = this.older();
    }
    long.set_count(count);
}

/// Inserts into a long list; returns `false` if it has a version with the same number.
fn insert_long<'g>(long: &'g Long, new: Version<'g>) -> bool {
    let (path, _) = long.search(new.number());
    // SAFETY: as `search`.
    let after = path.map(|link| unsafe { Version::load(link) });
    if after[0].is_some_and(|version| version.number() == new.number()) {
        return false;
    }
    // All links are stored before the first link to the version: a search that finds the version at
    // one level goes on at it, on this level and on those below.
    for level in 1..new.height() {
        let after = after[level].map_or(std::ptr::null_mut(), Version::as_ptr);
        new.link(level).store(after, Ordering::Relaxed);
    }
    link(new, 0, path[0], after[0]);
    for link in &path[1..new.height()] {
        link.store(new.as_ptr(), publishing());
    }
    long.set_count(long.count() + 1);
    true
}

/// Removes the versions from `first` to before `end` from a short list that has `left` others.
fn remove_short<'g>(
    head: Version<'g>,
    first: Version<'g>,
    end: Option<Version<'g>>,
    left: u64,
) -> Decision {
    let Some(newest) = (if head == first { end } else { Some(head) }) else {
        return Decision::Remove;
    };
    newest.set_rank(left - 1);
    if head == first {
        return Decision::Set(word_of(newest.as_ptr()));
    }
    let mut before = head;
    // Ends: `first` is in the list.
    while let Some(next) = before.older().filter(|next| *next != first) {
        before = next;
    }
    unlink(before.link(0), end);
    Decision::Keep
}

/// Removes the versions from the one with number `highest` to before `end` from a long list.
fn remove_long<'g>(long: &'g Long, highest: u64, end: Option<Version<'g>>) {
    let lowest_left = end.map_or(0, Version::number);
    let (path, _) = long.search(highest);
    // From the top, so that no search enters the run by a high link when a lower one skips it.
    for level in (0..MAX_HEIGHT).rev() {
        // SAFETY: as `search`.
        let mut after = unsafe { Version::load(path[level]) };
        let before = after;
        // Ends: the numbers fall.
        while let Some(version) = after.filter(|version| version.number() > lowest_left) {
            // SAFETY: as `search`.
            after = unsafe { Version::load(version.link(level)) };
        }
        if before != after {
            unlink(path[level], after);
        }
    }
}

/// Stores a link over removed versions, whose own links stay: readers at them follow these.
fn unlink(link: &Link, after: Option<Version<'_>>) {
    let after = after.map_or(std::ptr::null_mut(), Version::as_ptr);
    // SeqCst, as `reclaim` asks of stores that unlink. Release: the trim has stored its floor.
    link.store(after, Ordering::SeqCst);
}

impl Removed<'_> {
    /// Retires the versions. The caller holds no lock.
    pub(super) fn retire(self, pin: Pinned<'_>) {
        let mut version = Some(self.first);
        for _ in 0..self.count {
            let Some(this) = version else { break };
            version = this.older();
            if !Line::RemovedKeepLinks.is_enabled() {
                this.link(0).store(std::ptr::null_mut(), Ordering::Relaxed);
            }
            // SAFETY: no link of the list points to it any more, it was removed once, and readers
            // that found it hold guards.
            unsafe { pin.retire(this.as_ptr()) };
        }
        if let Some(head) = self.head {
            // SAFETY: the key has left the tree with it; the rest as above.
            unsafe { pin.retire(std::ptr::from_ref(head).cast_mut()) };
        }
    }

    /// The removed versions.
    pub(super) fn versions(&self) -> impl Iterator<Item = Version<'_>> {
        std::iter::successors(Some(self.first), |version| version.older()).take(self.count)
    }
}
