//! The write engine: every write is a decision made under the lock of the key's leaf.
//!
//! **Protocol.** A write locates its key: it locks the leaf that contains the key or its
//! position ([`Located`]). It then decides, once, with the key's value or its absence, and
//! changes the leaf. If that takes memory which the [`Reserve`] does not have, it unlocks
//! everything without a change, allocates, and locates the key again ([`with_memory`]): no
//! allocation under a lock, and none that can fail after the first change. Nothing fails after
//! the decision.
//!
//! The linearization point of a write is the store that publishes it (see `leaf`, `split`,
//! `layer`, `collapse`); of a write that decides to change nothing, any moment under the lock.

use std::ops::RangeInclusive;

use arrayvec::ArrayVec;

use super::levels::Outgrown;
use super::locate::Located;
use super::reserve::{Needs, Reserve, shape_for};
use super::short::Short;
use crate::index::key::{Key, SUFFIX};
use crate::index::memory::OutOfMemory;
use crate::index::node::{BagRef, Entry, KeyPosition, Leaf, Locked, NodeRef, OwnedBag, WIDTH};
use crate::index::reclaim::{NearLeaf, Pinned};
use crate::index::tree::Tree;
use crate::index::tree::read::descend::Reached;

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

/// Decides whether an absent key is inserted, and with which value. Runs when nothing can fail
/// any more.
type Decide<'d> = &'d mut dyn FnMut() -> Option<u64>;

/// What a write adds at the position of an absent key.
pub(in crate::index::tree) enum Addition<'d> {
    /// The key, if the callback decides so.
    Key(Decide<'d>),
    /// Room for the key. The leaf with its position stays locked.
    Room,
}

/// What an [`Addition`] comes to, once nothing can fail any more.
#[derive(Clone, Copy)]
pub(in crate::index::tree) enum Chosen {
    Nothing,
    Key(u64),
    Room,
}

impl Addition<'_> {
    /// Whether the key may yet not be inserted.
    pub(in crate::index::tree) fn is_room(&self) -> bool {
        matches!(self, Self::Room)
    }

    pub(in crate::index::tree) fn decide(self) -> Chosen {
        match self {
            Self::Room => Chosen::Room,
            Self::Key(decide) => decide().map_or(Chosen::Nothing, Chosen::Key),
        }
    }
}

/// What a write has added.
pub(in crate::index::tree) enum Added<'g> {
    /// What was decided; nothing is locked any more.
    Done {
        /// The key's layer, if it has grown.
        outgrown: Option<Outgrown<'g>>,
        /// If a split made a leaf whose last key is the key: that leaf and its range.
        appended: Option<(NearLeaf<'g>, RangeInclusive<u64>)>,
    },
    Room(Room<'g>),
}

impl<'g> Added<'g> {
    /// Nothing that a later write may begin at.
    pub(in crate::index::tree) fn done(outgrown: Option<Outgrown<'g>>) -> Self {
        Self::Done {
            outgrown,
            appended: None,
        }
    }
}

/// Room for a key.
pub(in crate::index::tree) struct Room<'g> {
    pub(in crate::index::tree) leaf: Locked<'g, Leaf>,
    pub(in crate::index::tree) position: usize,
    /// Layers that the leaf is further down than the one that was locked first.
    pub(in crate::index::tree) layers: usize,
    /// As in [`Added::Done`], of the layer of the leaf that was locked first.
    pub(in crate::index::tree) outgrown: Option<Outgrown<'g>>,
    /// A bag that the leaf locked first has no more: to be retired once no lock is held.
    pub(in crate::index::tree) old_bag: Option<BagRef<'g>>,
    /// A bag that the leaf is to get with the key; not yet, for the key may not come.
    pub(in crate::index::tree) bag: Option<OwnedBag<'g>>,
}

impl Tree {
    /// Calls `decide` once, under the lock of the key's leaf, with the key's value or `None`, and
    /// does what it says; nothing fails after that. Returns the value that the key had.
    ///
    /// For values of any kind: the caller has checked the guard and the key, and retires what it
    /// displaces.
    #[inline(always)]
    pub(crate) fn write(
        &self,
        pin: Pinned<'_>,
        bytes: &[u8],
        mut decide: impl FnMut(Option<u64>) -> Decision,
    ) -> Result<Option<u64>, OutOfMemory> {
        let key = Key::new(bytes);
        match self.lock_short(pin, &key) {
            Short::Present { leaf, slot } => {
                let decide = |value| decide(Some(value));
                Ok(Some(self.change_present(pin, leaf, slot, true, decide)))
            }
            Short::Absent {
                mut leaf, position, ..
            } if !leaf.permutation().is_full() && !leaf.wastes_its_bag() => {
                let Decision::Set(value) = decide(None) else {
                    return Ok(None);
                };
                leaf.insert_short(position, &key, value);
                pin.renew_near(NearLeaf::after(&leaf));
                let node = leaf.node();
                drop(leaf);
                pin.count_keys(node, 1);
                Ok(None)
            }
            Short::Absent {
                leaf,
                position,
                root,
            } => {
                let place = KeyPosition::Absent { position };
                let located = Located { leaf, place, key };
                self.write_with_memory(pin, bytes, &mut decide, Some((located, root)))
            }
            Short::Unlocked => self.write_with_memory(pin, bytes, &mut decide, None),
        }
    }

    /// [`Tree::write`] in all cases: where the key is long, where it may take memory, where other
    /// writers came between, and where changes are recorded.
    #[inline(never)]
    fn write_with_memory<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        bytes: &'k [u8],
        decide: &mut dyn FnMut(Option<u64>) -> Decision,
        located: Option<(Located<'g, 'k>, NodeRef<'g>)>,
    ) -> Result<Option<u64>, OutOfMemory> {
        let (located, root) = match located {
            Some((located, root)) => (located, Some(root)),
            None => (self.locate(pin, bytes), None),
        };
        let mut reserve = Reserve::new(&pin.domain().memory);
        let attempt = |located: Located<'g, 'k>, reserve: &mut Reserve<'g>| {
            let (node, is_crowded) = (located.leaf.node(), located.is_crowded());
            if let KeyPosition::Present { slot } = located.place {
                let (leaf, decide) = (located.leaf, |value| decide(Some(value)));
                return Ok(Some(self.change_present(pin, leaf, slot, false, decide)));
            }
            let mut added = false;
            let decide: Decide<'_> = &mut || match decide(None) {
                Decision::Set(value) => {
                    added = true;
                    Some(value)
                }
                Decision::Keep | Decision::Remove => None,
            };
            let layers = located.key.layers_above(bytes);
            let outcome = self.add(pin, located, Addition::Key(decide), reserve)?;
            let Added::Done { outgrown, appended } = outcome else {
                unreachable!("no room was asked for")
            };
            // The root is the one from which the leaf was found: otherwise the tree may have been
            // cleared meanwhile, and the leaf would be none of the tree with the present root.
            if let Some((leaf, range)) = appended
                && let Some(root) = root
            {
                pin.remember(root, leaf, range);
            }
            if added {
                pin.count_keys(node, 1);
            }
            if let Some(layer) = outgrown {
                self.raise_levels(pin, layer, bytes, layers);
            }
            // A merge changes leaves beyond what is recorded.
            if is_crowded && pin.recorder().is_none() {
                self.merge_around(pin, node);
            }
            Ok(None)
        };
        let again = |reached, key| {
            (self.locate_again(reached, key)).unwrap_or_else(|| self.locate(pin, bytes))
        };
        with_memory(located, &mut reserve, attempt, again)
    }

    /// Adds something at the position of an absent key.
    pub(in crate::index::tree) fn add<'g>(
        &self,
        pin: Pinned<'g>,
        located: Located<'g, '_>,
        addition: Addition<'_>,
        reserve: &mut Reserve<'g>,
    ) -> Result<Added<'g>, Needs> {
        let Located { leaf, place, key } = located;
        match place {
            KeyPosition::Crowded { first } => {
                self.add_layer(pin, leaf, first, &key, addition, reserve)
            }
            KeyPosition::Absent { position } if leaf.permutation().is_full() => {
                self.split(pin, leaf, position, Entry::new(&key), addition, reserve)
            }
            KeyPosition::Absent { position } => {
                add_entry(pin, leaf, position, Entry::new(&key), addition, reserve)
            }
            KeyPosition::Present { .. } | KeyPosition::Layer(_) => {
                unreachable!("the key is absent here")
            }
        }
    }

    /// Applies the decision of `decide` to a present key. Returns the value that the key had. The
    /// guard may remember the leaf if it `is_near`.
    #[inline(always)]
    pub(in crate::index::tree) fn change_present<'g>(
        &self,
        pin: Pinned<'g>,
        leaf: Locked<'g, Leaf>,
        slot: usize,
        is_near: bool,
        decide: impl FnOnce(u64) -> Decision,
    ) -> u64 {
        let value = leaf.value_in(slot);
        match decide(value) {
            Decision::Keep => record(pin, &leaf),
            Decision::Set(new) => {
                leaf.replace(slot, new);
                record(pin, &leaf);
            }
            Decision::Remove => {
                let position = leaf.permutation().position_of(slot);
                self.take_out(pin, leaf, position, is_near);
            }
        }
        value
    }

    /// Before a write looks for its leaf.
    #[inline]
    pub(in crate::index::tree) fn begin_recording(&self, pin: Pinned<'_>) {
        if let Some(recorder) = pin.recorder() {
            recorder.begin(self.incarnation());
        }
    }
}

/// Calls `attempt` with a located key until the reserve covers what it needs. After each failure,
/// for which `attempt` has unlocked everything, `again` locates the key, given where it was.
///
/// Ends: the reserve grows to what was needed; it falls short again only if another writer
/// changed the leaf meanwhile.
#[inline]
pub(in crate::index::tree) fn with_memory<'g, 'k, R>(
    mut located: Located<'g, 'k>,
    reserve: &mut Reserve<'g>,
    mut attempt: impl FnMut(Located<'g, 'k>, &mut Reserve<'g>) -> Result<R, Needs>,
    mut again: impl FnMut(Reached<'g>, Key<'k>) -> Located<'g, 'k>,
) -> Result<R, OutOfMemory> {
    loop {
        let (reached, key) = (located.reached(), located.key);
        match attempt(located, reserve) {
            Ok(done) => return Ok(done),
            Err(needs) => reserve.fill(&needs)?,
        }
        located = again(reached, key);
    }
}

/// Records the leaf with a write's key or its position; called before the leaf is unlocked.
#[inline]
pub(in crate::index::tree) fn record(pin: Pinned<'_>, leaf: &Locked<'_, Leaf>) {
    if let Some(recorder) = pin.recorder() {
        recorder.leaf(leaf, leaf.version_found());
    }
}

/// Records a leaf that a write has created; called before the leaf is unlocked.
pub(in crate::index::tree) fn record_created(pin: Pinned<'_>, leaf: &Locked<'_, Leaf>) {
    if let Some(recorder) = pin.recorder() {
        recorder.created(leaf);
    }
}

/// Adds an entry to a leaf with a free slot.
fn add_entry<'g>(
    pin: Pinned<'g>,
    mut leaf: Locked<'g, Leaf>,
    position: usize,
    entry: Entry<'_>,
    addition: Addition<'_>,
    reserve: &mut Reserve<'g>,
) -> Result<Added<'g>, Needs> {
    let mut needs = Needs::default();
    if !leaf.has_room_for(entry.suffix) || leaf.wastes_its_bag() {
        let mut lengths = suffix_lengths(leaf.entries());
        if entry.kind == SUFFIX {
            lengths.push(entry.suffix.len());
        }
        // A remove that takes the last suffix also retires a large bag.
        debug_assert!(!lengths.is_empty(), "a leaf without suffixes wastes none");
        needs.kept = shape_for(&lengths, leaf.permutation().len() + 1);
        if !reserve.covers(&needs) {
            return Err(needs);
        }
    }
    let chosen = addition.decide();
    if let Chosen::Nothing = chosen {
        record(pin, &leaf);
        return Ok(Added::done(None));
    }
    let bag = needs.kept.map(|_| reserve.kept_bag());
    let Chosen::Key(value) = chosen else {
        record(pin, &leaf);
        return Ok(Added::Room(Room {
            leaf,
            position,
            layers: 0,
            outgrown: None,
            old_bag: None,
            bag,
        }));
    };
    let old_bag = bag.and_then(|bag| leaf.renew_bag(bag));
    leaf.insert(position, &entry.with_value(value));
    record(pin, &leaf);
    drop(leaf);
    if let Some(bag) = old_bag {
        // SAFETY: the leaf has a new bag, and only the lock's owner replaces it.
        unsafe { pin.retire_bag(bag) };
    }
    Ok(Added::done(None))
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
