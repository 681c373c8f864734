//! Storing a value under a key.

use arrayvec::ArrayVec;

use super::Tree;
use super::reserve::{Needs, Reserve, shape_for};
use crate::OutOfMemory;
use crate::key::SUFFIX;
use crate::node::{Entry, Leaf, Locked, Place, WIDTH};
use crate::reclaim::Pin;

/// What [`Tree::insert`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserted {
    /// The key was absent and has the value now.
    New,
    /// The key was there, with this value; nothing was changed.
    Present(u64),
}

/// What becomes of the value of a key that is there already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Overwrite,
    Keep,
}

impl Tree {
    /// Stores a value under a key, present or not; gives the value it displaced,
    /// which the caller owns or hands to [`Tree::discard`].
    pub fn put(&self, pin: Pin<'_>, key: &[u8], value: u64) -> Result<Option<u64>, OutOfMemory> {
        self.store(pin, key, value, Existing::Overwrite)
    }

    /// Stores a value under a key if the key is absent.
    pub fn insert(&self, pin: Pin<'_>, key: &[u8], value: u64) -> Result<Inserted, OutOfMemory> {
        Ok(match self.store(pin, key, value, Existing::Keep)? {
            None => Inserted::New,
            Some(present) => Inserted::Present(present),
        })
    }

    /// Gives the value that was there.
    fn store(
        &self,
        pin: Pin<'_>,
        bytes: &[u8],
        value: u64,
        existing: Existing,
    ) -> Result<Option<u64>, OutOfMemory> {
        self.admit(pin, bytes);
        let mut reserve = Reserve::new(&pin.domain().memory);
        // Ends: the reserve grows to what is needed; it falls short again only if
        // another writer changed the leaf meanwhile.
        loop {
            let (leaf, place, key) = self.lock_leaf(pin, bytes);
            let outcome = match place {
                Place::Present { slot, .. } => {
                    return Ok(Some(match existing {
                        Existing::Overwrite => leaf.replace(slot, value),
                        Existing::Keep => leaf.entry_in(slot).value(),
                    }));
                }
                Place::Conflict { slot } => self.add_layer(leaf, slot, &key, value, &mut reserve),
                Place::Absent { position } if leaf.permutation().is_full() => {
                    self.split(pin, leaf, position, &Entry::new(&key, value), &mut reserve)
                }
                Place::Absent { position } => {
                    add(pin, leaf, position, &Entry::new(&key, value), &mut reserve)
                }
                Place::Layer(_) => unreachable!("lock_leaf goes down all layers"),
            };
            match outcome {
                Ok(()) => {
                    pin.count_key(1);
                    return Ok(None);
                }
                Err(needs) => reserve.fill(&needs)?,
            }
        }
    }
}

/// Adds an entry to a leaf with a free slot.
fn add<'g>(
    pin: Pin<'g>,
    mut leaf: Locked<'g, Leaf>,
    position: usize,
    entry: &Entry<'_>,
    reserve: &mut Reserve<'_>,
) -> Result<(), Needs> {
    let mut old_bag = None;
    if !leaf.has_room_for(entry.suffix) {
        let mut lengths = suffix_lengths(leaf.entries());
        lengths.push(entry.suffix.len());
        let needs = Needs {
            kept: shape_for(&lengths),
            ..Needs::default()
        };
        if !reserve.covers(&needs) {
            return Err(needs);
        }
        old_bag = leaf.renew_bag(reserve.kept_bag());
    }
    leaf.insert(position, entry);
    drop(leaf);
    if let Some(bag) = old_bag {
        // SAFETY: the leaf has a new bag, and only the lock's owner replaces it.
        unsafe { pin.retire_bag(bag) };
    }
    Ok(())
}

/// Lengths of the suffixes of a leaf's entries and of one more.
pub(super) type Lengths = ArrayVec<usize, { WIDTH + 1 }>;

/// The lengths of the suffixes among some entries.
pub(super) fn suffix_lengths<'g>(entries: impl Iterator<Item = Entry<'g>>) -> Lengths {
    entries
        .filter(|entry| entry.kind == SUFFIX)
        .map(|entry| entry.suffix.len())
        .collect()
}
