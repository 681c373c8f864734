//! Which trees a log may speak of: a record changes or drops a tree that was made before, and not dropped.
//!
//! The records of a frame are checked before the first of them has an effect, so what they make and drop is kept
//! apart (`Checking`).

use std::ops::ControlFlow;

use crate::durable::store::catalog::{Catalog, MAX_NUMBER, MAX_TREES, check_name};
use crate::durable::store::record::{Malformed, decode_commit, decode_tree};
use crate::index::memory::OutOfMemory;

/// The trees after the records that were replayed.
pub(super) struct KnownTrees {
    /// The numbers of those that are not dropped, in ascending order.
    live: Vec<u32>,
    /// The highest number of a tree so far.
    highest: u32,
}

/// Why a frame is refused.
pub(super) enum Unfit {
    NoMemory,
    Malformed(Malformed),
}

impl From<Malformed> for Unfit {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

fn push<T>(list: &mut Vec<T>, at: usize, item: T) -> Result<(), OutOfMemory> {
    list.try_reserve(1).map_err(|_| OutOfMemory)?;
    list.insert(at, item);
    Ok(())
}

impl KnownTrees {
    /// Those that a catalog has.
    pub(super) fn of(catalog: &Catalog) -> Result<Self, OutOfMemory> {
        let mut known = Self {
            live: Vec::new(),
            highest: 0,
        };
        let mut outcome = Ok(());
        catalog.each(|tree| {
            outcome = known.add(tree.number());
            match outcome {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
        known.highest = catalog.highest();
        outcome.map(|()| known)
    }

    /// A tree was made.
    pub(super) fn add(&mut self, number: u32) -> Result<(), OutOfMemory> {
        self.highest = number;
        let end = self.live.len();
        push(&mut self.live, end, number)
    }

    /// A tree was dropped.
    pub(super) fn remove(&mut self, number: u32) {
        if let Ok(at) = self.live.binary_search(&number) {
            self.live.remove(at);
        }
    }

    /// Begins to check the records of a frame.
    pub(super) fn checking<'k>(&'k self, catalog: &'k Catalog) -> Checking<'k> {
        Checking {
            known: self,
            catalog,
            made: Vec::new(),
            dropped: Vec::new(),
            last: 0,
        }
    }
}

/// The trees after some records of a frame.
pub(super) struct Checking<'k> {
    known: &'k KnownTrees,
    catalog: &'k Catalog,
    /// The names of the trees that the frame makes; their numbers follow the highest.
    made: Vec<&'k str>,
    /// The numbers of the trees that it drops, in ascending order.
    dropped: Vec<u32>,
    /// A tree that is live. No tree has number 0.
    last: u32,
}

impl<'k> Checking<'k> {
    fn is_dropped(&self, number: u32) -> bool {
        self.dropped.binary_search(&number).is_ok()
    }

    fn is_live(&self, number: u32) -> bool {
        let known = self.known;
        let is_made = match number.checked_sub(known.highest) {
            Some(0) | None => known.live.binary_search(&number).is_ok(),
            Some(index) => index as usize <= self.made.len(),
        };
        is_made && !self.is_dropped(number)
    }

    /// Whether a tree that is live has a name.
    fn has_name(&self, number: u32, name: &str) -> bool {
        match number.checked_sub(self.known.highest) {
            Some(0) | None => {
                let tree = self.catalog.numbered(number);
                tree.is_some_and(|tree| tree.name() == name)
            }
            Some(index) => self.made[index as usize - 1] == name,
        }
    }

    /// Checks the record of a commit.
    pub(super) fn commit(&mut self, body: &[u8]) -> Result<(), Unfit> {
        decode_commit(body, |change| {
            if change.tree != self.last && !self.is_live(change.tree) {
                return Err(Malformed("a change is of a tree that there is not").into());
            }
            self.last = change.tree;
            Ok(())
        })
    }

    /// Checks the record of a tree that is made.
    pub(super) fn made(&mut self, body: &'k [u8]) -> Result<(), Unfit> {
        let (number, name) = decode_tree(body)?;
        check_name(name).ok_or(Malformed("the name of a tree is too long"))?;
        let next = self.known.highest + 1 + self.made.len() as u32;
        let is_free = (self.catalog.named(name)).is_none_or(|tree| self.is_dropped(tree.number()));
        let has_name = |(number, &made)| made == name && !self.is_dropped(number);
        if number != next || !is_free || (self.known.highest + 1..).zip(&self.made).any(has_name) {
            return Err(Malformed("a tree has the number or name of another one").into());
        }
        let count = self.known.live.len() + self.made.len() - self.dropped.len();
        if count >= MAX_TREES || next > MAX_NUMBER {
            return Err(Malformed("there are too many trees").into());
        }
        let end = self.made.len();
        push(&mut self.made, end, name).map_err(|OutOfMemory| Unfit::NoMemory)
    }

    /// Checks the record of a tree that is dropped.
    pub(super) fn dropped(&mut self, body: &[u8]) -> Result<(), Unfit> {
        let (number, name) = decode_tree(body)?;
        if !self.is_live(number) || !self.has_name(number, name) {
            return Err(Malformed("a tree is dropped that there is not").into());
        }
        self.last = 0;
        let at = self.dropped.partition_point(|&dropped| dropped < number);
        push(&mut self.dropped, at, number).map_err(|OutOfMemory| Unfit::NoMemory)
    }
}
