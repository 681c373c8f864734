//! Ranges that a transaction has read, as far as it has read them.

use std::cmp::Ordering;

use super::arena::{Arena, Kept};
use crate::durable::store::StoreTree;
use crate::index::memory::{OutOfMemory, Vector, append};
use crate::index::tree::{Bound, Range};

/// An end of a range.
#[derive(Clone, Copy)]
enum End {
    Open,
    Included(Kept),
    Excluded(Kept),
}

impl End {
    fn copy(bound: Bound<'_>, arena: &mut Arena) -> Result<Self, OutOfMemory> {
        Ok(match bound {
            Bound::Open => Self::Open,
            Bound::Included(key) => Self::Included(arena.copy(key)?),
            Bound::Excluded(key) => Self::Excluded(arena.copy(key)?),
        })
    }

    /// # Safety
    /// The arena keeps the key for `'k`.
    unsafe fn bound<'k>(self) -> Bound<'k> {
        // SAFETY: by contract.
        unsafe {
            match self {
                Self::Open => Bound::Open,
                Self::Included(key) => Bound::Included(key.get()),
                Self::Excluded(key) => Bound::Excluded(key.get()),
            }
        }
    }
}

/// How far a range has been read.
pub(super) enum Reach {
    Nothing,
    /// Up to this key, which is included; in reverse, down to it.
    Key(Vector<u8>),
    All,
}

impl Reach {
    /// Reaches up to `key`. `Nothing` and `All` get a vector of their own.
    pub(super) fn set(&mut self, key: &[u8], empty: Vector<u8>) -> Result<(), OutOfMemory> {
        let mut reach = match std::mem::replace(self, Self::All) {
            Self::Key(reach) => reach,
            Self::Nothing | Self::All => empty,
        };
        reach.clear();
        // Without memory, more than necessary counts as read.
        reach.try_reserve(key.len()).map_err(|_| OutOfMemory)?;
        append(&mut reach, key);
        *self = Self::Key(reach);
        Ok(())
    }
}

/// A range that was read. The arena keeps its bounds.
pub(super) struct Scanned<'s> {
    pub(super) tree: &'s StoreTree,
    lower: End,
    upper: End,
    prefix: Kept,
    reverse: bool,
    pub(super) reach: Reach,
}

impl<'s> Scanned<'s> {
    /// A range of which nothing was read.
    pub(super) fn new(
        tree: &'s StoreTree,
        range: &Range<'_>,
        arena: &mut Arena,
    ) -> Result<Self, OutOfMemory> {
        Ok(Self {
            tree,
            lower: End::copy(range.lower, arena)?,
            upper: End::copy(range.upper, arena)?,
            prefix: arena.copy(range.prefix)?,
            reverse: range.reverse,
            reach: Reach::Nothing,
        })
    }

    /// What was read; `None`: nothing.
    ///
    /// # Safety
    /// The arena keeps the bounds during the borrow.
    pub(super) unsafe fn range(&self) -> Option<Range<'_>> {
        // SAFETY: by contract.
        let mut range = unsafe {
            Range {
                lower: self.lower.bound(),
                upper: self.upper.bound(),
                prefix: self.prefix.get(),
                ..Range::all()
            }
        };
        match (&self.reach, self.reverse) {
            (Reach::Nothing, _) => return None,
            (Reach::All, _) => {}
            (Reach::Key(key), false) => range.upper = Bound::Included(key),
            (Reach::Key(key), true) => range.lower = Bound::Included(key),
        }
        Some(range)
    }
}

/// The bytes that a range's bounds have.
pub(super) fn bytes_of(range: &Range<'_>) -> usize {
    let len = |bound| match bound {
        Bound::Open => 0,
        Bound::Included(key) | Bound::Excluded(key) => key.len(),
    };
    len(range.lower)
        .saturating_add(len(range.upper))
        .saturating_add(range.prefix.len())
}

/// Whether a key is below a range, in it, or above.
pub(super) fn side(range: &Range<'_>, key: &[u8]) -> Ordering {
    let is_below = match range.lower {
        Bound::Open => false,
        Bound::Included(lower) => key < lower,
        Bound::Excluded(lower) => key <= lower,
    };
    let is_above = match range.upper {
        Bound::Open => false,
        Bound::Included(upper) => key > upper,
        Bound::Excluded(upper) => key >= upper,
    };
    let has_prefix = key.starts_with(range.prefix);
    if is_below || (!has_prefix && key < range.prefix) {
        Ordering::Less
    } else if is_above || !has_prefix {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}
