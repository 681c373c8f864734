//! Cursors of a transaction: a position among the keys of the snapshot and the transaction's own writes, from
//! which to move in either direction.
//!
//! # Protocol
//!
//! A cursor is at a key, or at none yet. Each move sees what the transaction has written by then: it finds the
//! key nearest to a given one, or to the key that the cursor is at, whether or not that key still exists. A
//! move that finds nothing, or fails, leaves the cursor where it is.
//!
//! Moves in one direction are one walk (`scan`). A seek and a change of direction begin another, each with
//! a range of its own that the commit validates: from where the walk began to the last key that it returned; and
//! to the end of the tree if it found no more. That covers the gaps between the keys, so a key that another commit
//! adds there refuses the transaction.
//!
//! A cursor belongs to the run of the transaction in which it has moved. When the transaction was begun again, it is
//! at no key, and reads the new snapshot.

use super::arena::Kept;
use super::{Seen, Transaction, Walk};
use crate::durable::store::{StoreFault, StoreTree};
use crate::index::memory::{OutOfMemory, Source, Vector, append};
use crate::index::tree::{Bound, Range, Seek};

/// A position in what a transaction reads of a tree.
pub(crate) struct TransactionCursor<'s> {
    tree: &'s StoreTree,
    source: Source,
    /// The transaction's run that the position is of.
    begun: u64,
    /// The moves in one direction. Its range borrows `bound`.
    walk: Option<Walk<'s, 'static>>,
    /// Where the walk has begun.
    bound: Vector<u8>,
    /// The key that it is at.
    key: Vector<u8>,
    /// Takes the next key: what is sought may be the one that the cursor is at.
    spare: Vector<u8>,
    /// The value of the key; `None`: it is at no key yet.
    value: Option<(u64, Kept)>,
}

// SAFETY: the trees and versions that it points to belong to the store, and any thread may use them.
unsafe impl Send for TransactionCursor<'_> {}

impl<'s> TransactionCursor<'s> {
    /// Returns the key that the cursor is at, and its value as it was when the cursor moved to it; its bytes stay
    /// until the transaction ends.
    pub(crate) fn item(&self, of: &Transaction<'s>) -> Option<(&[u8], Seen<'_>)> {
        let (number, value) = self.value.filter(|_| self.begun == of.begun)?;
        of.snapshot.as_ref()?;
        // SAFETY: the run of the transaction in which it was read goes on.
        let bytes = unsafe { value.get() };
        Some((&self.key, Seen { number, bytes }))
    }

    /// Begins a walk. The bound is copied.
    fn begin_walk(&mut self, seek: Seek<'_>) -> Result<(), OutOfMemory> {
        let key = match seek {
            Seek::First | Seek::Last => &[],
            Seek::AtLeast(key) | Seek::Above(key) | Seek::AtMost(key) | Seek::Below(key) => key,
        };
        let mut bound = Vector::new_in(self.source);
        bound
            .try_reserve_exact(key.len())
            .map_err(|_| OutOfMemory)?;
        append(&mut bound, key);
        // Before its bound.
        self.walk = None;
        self.bound = bound;
        // SAFETY: the bytes of the vector are neither moved nor freed before the walk is dropped.
        let bound = unsafe { Kept::of(&self.bound).get() };
        let mut range = Range::all();
        match seek {
            Seek::First | Seek::Last => {}
            Seek::AtLeast(_) => range.lower = Bound::Included(bound),
            Seek::Above(_) => range.lower = Bound::Excluded(bound),
            Seek::AtMost(_) => range.upper = Bound::Included(bound),
            Seek::Below(_) => range.upper = Bound::Excluded(bound),
        }
        range.reverse = matches!(seek, Seek::Last | Seek::AtMost(_) | Seek::Below(_));
        self.walk = Some(Walk::of_cursor(self.tree, range, self.source));
        Ok(())
    }

    /// Moves to what the walk has found.
    fn arrive(&mut self) -> Result<(), OutOfMemory> {
        let (key, seen) = (self.walk.as_ref().and_then(Walk::item)).expect("it was found");
        let more = key.len().saturating_sub(self.spare.len());
        self.spare.try_reserve(more).map_err(|_| OutOfMemory)?;
        self.spare.clear();
        append(&mut self.spare, key);
        self.value = Some((seen.number, Kept::of(seen.bytes)));
        std::mem::swap(&mut self.key, &mut self.spare);
        Ok(())
    }
}

impl<'s> Transaction<'s> {
    /// Returns a cursor over a tree, at no key.
    pub(crate) fn cursor(&self, tree: &'s StoreTree) -> Result<TransactionCursor<'s>, StoreFault> {
        self.reading(tree)?;
        let source = self.store.source();
        Ok(TransactionCursor {
            tree,
            source,
            begun: self.begun,
            walk: None,
            bound: Vector::new_in(source),
            key: Vector::new_in(source),
            spare: Vector::new_in(source),
            value: None,
        })
    }

    /// Moves a cursor to the key nearest to a given one. False: there is none.
    pub(crate) fn seek(
        &mut self,
        cursor: &mut TransactionCursor<'s>,
        seek: Seek<'_>,
    ) -> Result<bool, StoreFault> {
        self.join(cursor);
        cursor.begin_walk(seek)?;
        self.go(cursor)
    }

    /// Moves a cursor to the next key in a direction. False: there is none.
    pub(crate) fn step(
        &mut self,
        cursor: &mut TransactionCursor<'s>,
        reverse: bool,
    ) -> Result<bool, StoreFault> {
        self.join(cursor);
        let goes_on = (cursor.walk.as_ref()).is_some_and(|walk| walk.is_reverse() == reverse);
        if !goes_on {
            let is_at_key = cursor.value.is_some();
            let key = std::mem::replace(&mut cursor.key, Vector::new_in(cursor.source));
            let begun = cursor.begin_walk(match (is_at_key, reverse) {
                (false, false) => Seek::First,
                (false, true) => Seek::Last,
                (true, false) => Seek::Above(&key),
                (true, true) => Seek::Below(&key),
            });
            cursor.key = key;
            begun?;
        }
        self.go(cursor)
    }

    /// Lets a cursor take part in the transaction's run.
    fn join(&self, cursor: &mut TransactionCursor<'s>) {
        if cursor.begun != self.begun {
            cursor.walk = None;
            cursor.value = None;
            cursor.begun = self.begun;
        }
    }

    /// Goes on with a cursor's walk. If nothing is found, the next move begins another one: the walk has passed what
    /// the transaction has removed behind the cursor's key.
    fn go(&mut self, cursor: &mut TransactionCursor<'s>) -> Result<bool, StoreFault> {
        let walk = cursor.walk.as_mut().expect("it was begun");
        let moved = match self.advance(walk) {
            Ok(true) => cursor.arrive().map(|()| true).map_err(StoreFault::from),
            other => other,
        };
        if moved != Ok(true) {
            cursor.walk = None;
        }
        moved
    }
}
