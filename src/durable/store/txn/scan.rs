//! Scans of a transaction: the snapshot, with the transaction's own writes.
//!
//! A scan reads some keys ahead ([`Walk`]) under a guard of the tree, and leaves the guard before it returns the
//! first of them. So the caller may do anything between two of them, also write in the same transaction: what
//! the transaction has written is looked up at each step. What is read ahead is noted as read before any
//! of it is returned; when a scan stops before the end, the note is cut down to what was returned. A cursor may
//! stand still at a key while the transaction is committed, so its note always ends at what was returned
//! ([`Notes`]).

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::accesses::{Access, State};
use super::arena::Kept;
use super::ranges::{Reach, Scanned, bytes_of, side};
use super::{Isolation, Seen, Transaction};
use crate::durable::store::{StoreFault, StoreTree};
use crate::index::memory::{OutOfMemory, Source, Vector, append};
use crate::index::tree::{Bound, Range};

/// The first reading ahead has so many keys, each later one twice as many.
const FIRST_KEYS: usize = if cfg!(test) { 2 } else { 16 };
/// The most keys that are read ahead.
const MOST_KEYS: usize = if cfg!(test) { 4 } else { 256 };
/// No further key is read ahead when they have so many bytes.
const MOST_BYTES: usize = 64 << 10;

/// The first reading ahead of a cursor, which often goes no further.
const FIRST_KEYS_OF_CURSOR: usize = 2;

/// What a walk notes as read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Notes {
    /// What was read ahead; less, if the walk ends earlier.
    Ahead,
    /// What was returned.
    Returned,
}

/// A key of the snapshot that was read ahead.
#[derive(Clone, Copy)]
struct Ahead {
    /// Its end in the buffer; the one before ends where it begins.
    end: usize,
    number: u64,
    value: Kept,
}

/// The key of one of those that were read ahead.
fn key_in<'k>(ahead: &[Ahead], keys: &'k [u8], index: usize) -> &'k [u8] {
    let begin = index.checked_sub(1).map_or(0, |before| ahead[before].end);
    &keys[begin..ahead[index].end]
}

/// The state of a scan, or of a cursor that moves in one direction.
pub(crate) struct Walk<'s, 'r> {
    tree: &'s StoreTree,
    range: Range<'r>,
    notes: Notes,
    /// How many keys may still be returned.
    left: usize,
    /// Which of the transaction's runs it is part of.
    begun: u64,
    /// The index of its range among those that were scanned.
    scanned: Option<usize>,
    ahead: Vector<Ahead>,
    keys: Vector<u8>,
    /// The first key ahead that was not passed.
    next: usize,
    /// How many keys are read ahead the next time.
    wanted: usize,
    /// No key of the snapshot is behind those that were read ahead.
    is_exhausted: bool,
    /// The first written key that was not passed, as of this number of changes.
    own: Option<(u64, Option<Access<'s>>)>,
    /// The last key that was passed.
    at: Vector<u8>,
    is_begun: bool,
    value: Option<(u64, Kept)>,
}

/// Which key is the next.
enum First<'s> {
    /// The next of those that were read ahead.
    Ahead,
    Own(Access<'s>),
}

impl<'s, 'r> Walk<'s, 'r> {
    pub(crate) fn new(tree: &'s StoreTree, range: Range<'r>, source: Source) -> Self {
        Self {
            tree,
            range,
            notes: Notes::Ahead,
            left: range.limit,
            begun: 0,
            scanned: None,
            ahead: Vector::new_in(source),
            keys: Vector::new_in(source),
            next: 0,
            wanted: FIRST_KEYS,
            is_exhausted: false,
            own: None,
            at: Vector::new_in(source),
            is_begun: false,
            value: None,
        }
    }

    /// The walk of a cursor.
    pub(super) fn of_cursor(tree: &'s StoreTree, range: Range<'r>, source: Source) -> Self {
        Self {
            notes: Notes::Returned,
            wanted: FIRST_KEYS_OF_CURSOR,
            ..Self::new(tree, range, source)
        }
    }

    pub(super) fn is_reverse(&self) -> bool {
        self.range.reverse
    }

    /// The key that was found last, and its value, whose bytes stay until the transaction ends.
    pub(crate) fn item(&self) -> Option<(&[u8], Seen<'_>)> {
        let (number, value) = self.value?;
        // SAFETY: the caller uses the item before the transaction ends.
        let bytes = unsafe { value.get() };
        Some((&self.at, Seen { number, bytes }))
    }

    fn key_at(&self, index: usize) -> &[u8] {
        key_in(&self.ahead, &self.keys, index)
    }

    /// The order of two keys in the direction of the scan.
    fn order(&self, a: &[u8], b: &[u8]) -> Ordering {
        match self.range.reverse {
            false => a.cmp(b),
            true => b.cmp(a),
        }
    }

    /// The rest of the range, behind the last key that was read ahead.
    fn rest(&self) -> Range<'_> {
        let mut rest = self.range;
        if let Some(last) = self.ahead.len().checked_sub(1) {
            let bound = Bound::Excluded(self.key_at(last));
            match rest.reverse {
                false => rest.lower = bound,
                true => rest.upper = bound,
            }
        }
        rest
    }

    /// Reads keys ahead at a number whose snapshot is open. Without memory, those before stay.
    fn read_ahead(&mut self, number: u64, source: Source) -> Result<(), OutOfMemory> {
        let wanted = self.wanted.min(self.left);
        let (mut ahead, mut keys) = (Vector::new_in(source), Vector::new_in(source));
        ahead.try_reserve_exact(wanted).map_err(|_| OutOfMemory)?;
        let mut outcome = Ok(());
        let range = Range {
            limit: wanted,
            ..self.rest()
        };
        let mut visited = 0;
        let guard = self.tree.index().local_guard();
        let versioned = self.tree.versioned();
        versioned.scan_at(guard.pin(), &range, number, &mut visited, |key, version| {
            outcome = keys.try_reserve(key.len()).map_err(|_| OutOfMemory);
            if outcome.is_err() {
                return ControlFlow::Break(());
            }
            append(&mut keys, key);
            ahead.push(Ahead {
                end: keys.len(),
                number: version.number(),
                value: Kept::of(version.bytes()),
            });
            match keys.len() < MOST_BYTES {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        outcome?;
        self.is_exhausted = visited < wanted && keys.len() < MOST_BYTES;
        (self.ahead, self.keys, self.next) = (ahead, keys, 0);
        self.wanted = (2 * self.wanted).min(MOST_KEYS);
        Ok(())
    }

    /// Passes a key, whose value is found unless the transaction has removed it.
    fn pass(&mut self, first: First<'s>) -> Result<(), OutOfMemory> {
        let key = match &first {
            First::Ahead => key_in(&self.ahead, &self.keys, self.next),
            // SAFETY: the transaction does not end during this call.
            First::Own(own) => unsafe { own.key() },
        };
        let more = key.len().saturating_sub(self.at.len());
        self.at.try_reserve(more).map_err(|_| OutOfMemory)?;
        self.at.clear();
        append(&mut self.at, key);
        self.value = match first {
            First::Ahead => {
                let ahead = self.ahead[self.next];
                Some((ahead.number, ahead.value))
            }
            First::Own(own) => match own.state {
                State::Value(value) => Some((0, value)),
                State::Before | State::Absent => None,
            },
        };
        self.is_begun = true;
        Ok(())
    }
}

impl<'s> Transaction<'s> {
    /// Finds the next key of a scan, in the direction of its range; [`Walk::item`] returns it. False: there is
    /// none within the range and its limit.
    pub(crate) fn advance(&mut self, walk: &mut Walk<'s, '_>) -> Result<bool, StoreFault> {
        let number = self.running()?;
        if walk.begun == 0 {
            self.reading(walk.tree)?;
            self.begin_scan(walk)?;
        }
        if walk.begun != self.begun {
            return Err(StoreFault::Ended);
        }
        walk.value = None;
        if walk.left == 0 {
            self.end_scan(walk);
            return Ok(false);
        }
        // Ends: each turn passes a key.
        loop {
            if walk.next == walk.ahead.len() && !walk.is_exhausted {
                walk.read_ahead(number, self.store.source())?;
                if walk.notes == Notes::Ahead {
                    self.note_reach(walk)?;
                }
            }
            if !self.pass_next(walk)? {
                self.note_all(walk);
                return Ok(false);
            }
            if walk.value.is_some() {
                if walk.notes == Notes::Returned {
                    self.note_returned(walk)?;
                }
                walk.left -= 1;
                return Ok(true);
            }
        }
    }

    /// Ends a scan before its range ends: what is behind the last key that was returned counts as not read.
    pub(crate) fn end_scan(&mut self, walk: &mut Walk<'s, '_>) {
        walk.left = 0;
        if walk.begun != self.begun || !walk.is_begun {
            return;
        }
        if let Some(scanned) = walk.scanned.take() {
            let empty = Vector::new_in(self.store.source());
            // Without memory, the whole range counts as read.
            _ = self.scanned[scanned].reach.set(&walk.at, empty);
        }
    }

    fn begin_scan(&mut self, walk: &mut Walk<'s, '_>) -> Result<(), StoreFault> {
        if self.options.isolation == Isolation::Serializable && walk.left > 0 {
            let size = size_of::<Scanned<'_>>();
            self.admit(size.saturating_add(bytes_of(&walk.range)))?;
            (self.scanned.try_reserve(1)).map_err(|_| OutOfMemory)?;
            let scanned = Scanned::new(walk.tree, &walk.range, &mut self.arena)?;
            self.scanned.push(scanned);
            self.noted_bytes += size;
            walk.scanned = Some(self.scanned.len() - 1);
        }
        walk.begun = self.begun;
        Ok(())
    }

    /// Notes that everything up to what was read ahead is read.
    fn note_reach(&mut self, walk: &Walk<'s, '_>) -> Result<(), StoreFault> {
        let Some(scanned) = walk.scanned else {
            return Ok(());
        };
        let reach = &mut self.scanned[scanned].reach;
        match walk.ahead.len().checked_sub(1) {
            Some(last) if !walk.is_exhausted => {
                let empty = Vector::new_in(self.store.source());
                reach.set(walk.key_at(last), empty)?;
            }
            _ => *reach = Reach::All,
        }
        Ok(())
    }

    /// Notes that everything up to the key that is returned is read.
    fn note_returned(&mut self, walk: &Walk<'s, '_>) -> Result<(), OutOfMemory> {
        let Some(scanned) = walk.scanned else {
            return Ok(());
        };
        let empty = Vector::new_in(self.store.source());
        self.scanned[scanned].reach.set(&walk.at, empty)
    }

    /// Notes that all of the range is read.
    fn note_all(&mut self, walk: &Walk<'s, '_>) {
        if let Some(scanned) = walk.scanned {
            self.scanned[scanned].reach = Reach::All;
        }
    }

    /// Passes the next key, of the snapshot or of the transaction's own. False: there is none.
    fn pass_next(&mut self, walk: &mut Walk<'s, '_>) -> Result<bool, OutOfMemory> {
        let own = self.own_ahead(walk);
        let of_snapshot = (walk.next < walk.ahead.len()).then(|| walk.key_at(walk.next));
        // SAFETY: the transaction does not end during this call.
        let own_key = own.map(|own| unsafe { own.key() });
        let first = match (of_snapshot, own_key) {
            (None, None) => return Ok(false),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(snapshot), Some(own)) => walk.order(snapshot, own),
        };
        let passed = match own.filter(|_| first.is_ge()) {
            Some(own) => First::Own(own),
            None => First::Ahead,
        };
        walk.pass(passed)?;
        if first.is_ge() {
            walk.own = None;
        }
        walk.next += usize::from(first.is_le());
        Ok(true)
    }

    /// The first key in the rest of a scan that the transaction has written.
    fn own_ahead(&self, walk: &mut Walk<'s, '_>) -> Option<Access<'s>> {
        if self.written == 0 {
            return None;
        }
        if let Some((changes, own)) = walk.own
            && changes == self.changes
        {
            return own;
        }
        let own = self.find_own(walk);
        walk.own = Some((self.changes, own));
        own
    }

    fn find_own(&self, walk: &Walk<'s, '_>) -> Option<Access<'s>> {
        let number = walk.tree.number();
        let at = walk.is_begun.then_some(&walk.at[..]);
        // SAFETY: the transaction does not end during this call.
        let key = |of: &Access<'s>| unsafe { of.key() };
        // Whether a key of the tree is before the rest of the scan, in it, or behind it, in ascending order.
        let side = |of: &Access<'s>| match (side(&walk.range, key(of)), at) {
            (Ordering::Equal, Some(at)) => match (key(of).cmp(at), walk.range.reverse) {
                (Ordering::Greater, false) | (Ordering::Less, true) => Ordering::Equal,
                (_, false) => Ordering::Less,
                (_, true) => Ordering::Greater,
            },
            (side, _) => side,
        };
        let side = |of: &Access<'s>| of.tree.number().cmp(&number).then_with(|| side(of));
        let found = match walk.range.reverse {
            false => {
                let begin = self.accesses.partition_point(|of| side(of).is_lt());
                (self.accesses.from(begin).take_while(|of| side(of).is_eq()))
                    .find(|of| of.is_written())
            }
            true => {
                let end = self.accesses.partition_point(|of| side(of).is_le());
                (self.accesses.before(end).take_while(|of| side(of).is_eq()))
                    .find(|of| of.is_written())
            }
        };
        found.copied()
    }
}
