//! Changing what is under one key: every write is a decision made under the lock
//! of the key's leaf.
//!
//! The linearization point of a write is the store that publishes it (see `leaf`,
//! `split`, `layer`, `collapse`); of one that decides to change nothing, any
//! moment under the lock.

use arrayvec::ArrayVec;

use super::reserve::{Needs, Reserve, shape_for};
use crate::index::key::{Key, SUFFIX};
use crate::index::memory::OutOfMemory;
use crate::index::node::{BagRef, Entry, Leaf, Locked, OwnedBag, Place, WIDTH};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::read::descend::Reached;

/// What [`Tree::insert`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserted {
    /// The key was absent and has the value now.
    New,
    /// The key was there, with this value; nothing was changed.
    Present(u64),
}

/// What a write does with a key, once it knows what is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Nothing.
    Keep,
    /// The key gets this value, whether it is there or not.
    Set(u64),
    /// The key goes, if it is there.
    Remove,
}

/// Decides what to do with an absent key, once nothing can fail any more. Gives
/// the value that the key gets, if any.
pub(in crate::index::tree) type Decide<'d> = &'d mut dyn FnMut() -> Option<u64>;

/// What is to become of an absent key's place.
pub(in crate::index::tree) enum Wanted<'d> {
    /// The key, if that is decided.
    Key(Decide<'d>),
    /// Room for the key. The leaf with its place stays locked.
    Room,
}

/// What has become of it.
pub(in crate::index::tree) enum Made<'g> {
    /// What was decided, and nothing is locked any more.
    Decided,
    Room(Room<'g>),
}

/// Room for a key.
pub(in crate::index::tree) struct Room<'g> {
    pub(in crate::index::tree) leaf: Locked<'g, Leaf>,
    pub(in crate::index::tree) position: usize,
    /// Layers that the leaf is further down than the one that was locked first.
    pub(in crate::index::tree) layers: usize,
    /// A bag that the leaf locked first has no more: to be retired once no lock is held.
    pub(in crate::index::tree) old_bag: Option<BagRef<'g>>,
    /// A bag that the leaf is to get with the key; not yet, for the key may not come.
    pub(in crate::index::tree) bag: Option<OwnedBag<'g>>,
}

impl Tree {
    /// Stores a value under a key, present or not; gives the value it displaced,
    /// which the caller owns or hands to [`Tree::discard`].
    pub fn put(&self, pin: Pinned<'_>, key: &[u8], value: u64) -> Result<Option<u64>, OutOfMemory> {
        self.admit_words(pin, key);
        self.write(pin, key, |_| Decision::Set(value))
    }

    /// Stores a value under a key if the key is absent.
    pub fn insert(&self, pin: Pinned<'_>, key: &[u8], value: u64) -> Result<Inserted, OutOfMemory> {
        self.admit_words(pin, key);
        let decide = |present: Option<u64>| match present {
            None => Decision::Set(value),
            Some(_) => Decision::Keep,
        };
        Ok(match self.write(pin, key, decide)? {
            None => Inserted::New,
            Some(present) => Inserted::Present(present),
        })
    }

    /// Does with a key what `decide` says, which is called once, with what is
    /// there, under the lock of the key's leaf; nothing fails after that. Gives
    /// what was there.
    #[inline]
    pub(in crate::index::tree) fn write(
        &self,
        pin: Pinned<'_>,
        bytes: &[u8],
        mut decide: impl FnMut(Option<u64>) -> Decision,
    ) -> Result<Option<u64>, OutOfMemory> {
        self.begin_report(pin);
        let (mut leaf, place, key) = self.lock_leaf(pin, bytes);
        match place {
            Place::Present { position, slot } => {
                let decide = |value| decide(Some(value));
                Ok(Some(self.change_present(pin, leaf, position, slot, decide)))
            }
            Place::Absent { position }
                if !key.goes_on() && !leaf.permutation().is_full() && !leaf.wastes_its_bag() =>
            {
                let decision = decide(None);
                if let Decision::Set(value) = decision {
                    leaf.insert(position, &Entry::new(&key).with_value(value));
                }
                report(pin, &leaf);
                let node = leaf.node();
                drop(leaf);
                if let Decision::Set(_) = decision {
                    pin.count_keys(node, 1);
                }
                Ok(None)
            }
            place => self.write_with_memory(pin, bytes, &mut decide, (leaf, place, key)),
        }
    }

    /// `write` where it may take memory; `found` is what was found and locked first.
    #[inline(never)]
    fn write_with_memory<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        bytes: &'k [u8],
        decide: &mut dyn FnMut(Option<u64>) -> Decision,
        mut found: (Locked<'g, Leaf>, Place<'g>, Key<'k>),
    ) -> Result<Option<u64>, OutOfMemory> {
        let mut reserve = Reserve::new(&pin.domain().memory);
        // Ends: the reserve grows to what is needed; it falls short again only if
        // another writer changed the leaf meanwhile.
        loop {
            let (leaf, place, key) = found;
            let reached = Reached {
                leaf: leaf.node(),
                version: leaf.version_found(),
                parent: None,
            };
            if let Place::Present { position, slot } = place {
                let decide = |value| decide(Some(value));
                return Ok(Some(self.change_present(pin, leaf, position, slot, decide)));
            }
            let mut added = false;
            let crowded = matches!(place, Place::Crowded { .. });
            let decide: Decide<'_> = &mut || match decide(None) {
                Decision::Set(value) => {
                    added = true;
                    Some(value)
                }
                Decision::Keep | Decision::Remove => None,
            };
            let wanted = Wanted::Key(decide);
            match self.make(pin, leaf, place, &key, wanted, &mut reserve) {
                Ok(_) => {
                    if added {
                        pin.count_keys(reached.leaf, 1);
                    }
                    // It changes leaves beyond what is reported.
                    if crowded && pin.report().is_none() {
                        self.merge_around(pin, reached.leaf);
                    }
                    return Ok(None);
                }
                Err(needs) => reserve.fill(&needs)?,
            }
            found = match self.lock_again(reached, &key) {
                Some((leaf, place)) => (leaf, place, key),
                None => self.lock_leaf(pin, bytes),
            };
        }
    }

    /// Does what is wanted where a key is absent.
    pub(in crate::index::tree) fn make<'g>(
        &self,
        pin: Pinned<'g>,
        leaf: Locked<'g, Leaf>,
        place: Place<'g>,
        key: &Key<'_>,
        wanted: Wanted<'_>,
        reserve: &mut Reserve<'g>,
    ) -> Result<Made<'g>, Needs> {
        match place {
            Place::Crowded { first } => self.add_layer(pin, leaf, first, key, wanted, reserve),
            Place::Absent { position } if leaf.permutation().is_full() => {
                self.split(pin, leaf, position, Entry::new(key), wanted, reserve)
            }
            Place::Absent { position } => {
                add(pin, leaf, position, Entry::new(key), wanted, reserve)
            }
            Place::Present { .. } | Place::Layer(_) => unreachable!("the key is absent here"),
        }
    }

    /// Does with a present key what `decide` says; gives the value it had.
    #[inline]
    pub(in crate::index::tree) fn change_present<'g>(
        &self,
        pin: Pinned<'g>,
        leaf: Locked<'g, Leaf>,
        position: usize,
        slot: usize,
        decide: impl FnOnce(u64) -> Decision,
    ) -> u64 {
        let value = leaf.value_in(slot);
        match decide(value) {
            Decision::Keep => report(pin, &leaf),
            Decision::Set(new) => {
                leaf.replace(slot, new);
                report(pin, &leaf);
            }
            Decision::Remove => self.take_out(pin, leaf, position),
        }
        value
    }

    /// Before a write looks for its leaf.
    #[inline]
    pub(in crate::index::tree) fn begin_report(&self, pin: Pinned<'_>) {
        if let Some(report) = pin.report() {
            report.begin(self.incarnation());
        }
    }
}

/// Before a write lets go of the leaf with its key's place.
#[inline]
pub(in crate::index::tree) fn report(pin: Pinned<'_>, leaf: &Locked<'_, Leaf>) {
    if let Some(report) = pin.report() {
        report.leaf(leaf, leaf.version_found());
    }
}

/// Before a write lets go of a leaf that it has created.
pub(in crate::index::tree) fn report_created(pin: Pinned<'_>, leaf: &Locked<'_, Leaf>) {
    if let Some(report) = pin.report() {
        report.created(leaf);
    }
}

impl Wanted<'_> {
    /// Whether the key may yet not come.
    pub(in crate::index::tree) fn is_room(&self) -> bool {
        matches!(self, Self::Room)
    }

    /// The value that the key gets, or none if it is to get room; nothing at all if it is
    /// decided that there is to be no key.
    pub(in crate::index::tree) fn decide(self) -> Option<Option<u64>> {
        match self {
            Self::Room => Some(None),
            Self::Key(decide) => decide().map(Some),
        }
    }
}

/// Adds an entry to a leaf with a free slot.
fn add<'g>(
    pin: Pinned<'g>,
    mut leaf: Locked<'g, Leaf>,
    position: usize,
    entry: Entry<'_>,
    wanted: Wanted<'_>,
    reserve: &mut Reserve<'g>,
) -> Result<Made<'g>, Needs> {
    let mut needs = Needs::default();
    if !leaf.has_room_for(entry.suffix) || leaf.wastes_its_bag() {
        let mut lengths = suffix_lengths(leaf.entries());
        if entry.kind == SUFFIX {
            lengths.push(entry.suffix.len());
        }
        // Who takes the last suffix out of a leaf takes a large bag with it.
        debug_assert!(!lengths.is_empty(), "a leaf without suffixes wastes none");
        needs.kept = shape_for(&lengths, leaf.permutation().len() + 1);
        if !reserve.covers(&needs) {
            return Err(needs);
        }
    }
    let Some(value) = wanted.decide() else {
        report(pin, &leaf);
        return Ok(Made::Decided);
    };
    let bag = needs.kept.map(|_| reserve.kept_bag());
    let Some(value) = value else {
        report(pin, &leaf);
        return Ok(Made::Room(Room {
            leaf,
            position,
            layers: 0,
            old_bag: None,
            bag,
        }));
    };
    let old_bag = bag.and_then(|bag| leaf.renew_bag(bag));
    leaf.insert(position, &entry.with_value(value));
    report(pin, &leaf);
    drop(leaf);
    if let Some(bag) = old_bag {
        // SAFETY: the leaf has a new bag, and only the lock's owner replaces it.
        unsafe { pin.retire_bag(bag) };
    }
    Ok(Made::Decided)
}

/// Lengths of the suffixes of a leaf's entries and of one more.
pub(in crate::index::tree) type Lengths = ArrayVec<usize, { WIDTH + 1 }>;

/// The lengths of the suffixes among some entries.
pub(in crate::index::tree) fn suffix_lengths<'g>(
    entries: impl Iterator<Item = Entry<'g>>,
) -> Lengths {
    entries
        .filter(|entry| entry.kind == SUFFIX)
        .map(|entry| entry.suffix.len())
        .collect()
}
