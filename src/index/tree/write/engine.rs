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

use super::levels::GrownLayer;
use super::locate::Located;
use super::reserve::{Needs, Reserve, shape_for};
use super::short::Short;
use crate::index::key::{Key, SUFFIX};
use crate::index::memory::OutOfMemory;
use crate::index::node::{
    BagRef, Entry, Form, KeyPosition, Leaf, Locked, NodeRef, OwnedBag, Version, WIDTH, with_search,
};
use crate::index::reclaim::{HintedLeaf, Pinned};
use crate::index::tree::Tree;
use crate::index::tree::read::descend::Reached;

/// What a write does with a key, decided from the key's value or its absence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Changes nothing.
    Keep,
    /// Stores this value under the key, whether or not the key is present.
    Set(u64),
    /// Removes the key, if it is present.
    Remove,
}

/// Decides whether an absent key is inserted, and returns its value. Called after the last step of
/// the write that can fail.
type Decide<'d> = &'d mut dyn FnMut() -> Option<u64>;

/// What a write adds at the position of an absent key.
pub(in crate::index::tree) enum Addition<'d> {
    /// The key, if the callback returns a value for it.
    Key(Decide<'d>),
    /// Room for the key: a free slot, and memory for its suffix. The leaf with the key's position
    /// stays locked.
    Room,
}

/// An [`Addition`] after the callback has decided.
#[derive(Clone, Copy)]
pub(in crate::index::tree) enum Chosen {
    /// The key is not inserted, and nothing changes.
    Nothing,
    /// The key is inserted with this value.
    Key(u64),
    /// Room is made for the key.
    Room,
}

impl Addition<'_> {
    /// Whether only room is made for the key: it is decided later whether the key is inserted.
    pub(in crate::index::tree) fn is_room(&self) -> bool {
        matches!(self, Self::Room)
    }

    /// Calls the callback, if there is one. Nothing may fail after this.
    pub(in crate::index::tree) fn decide(self) -> Chosen {
        match self {
            Self::Room => Chosen::Room,
            Self::Key(decide) => decide().map_or(Chosen::Nothing, Chosen::Key),
        }
    }
}

/// What a write has added.
pub(in crate::index::tree) enum Added<'g> {
    /// The key, or nothing, as decided. No lock is held any more.
    Done {
        /// The key's layer, if it has more levels than before (see `levels`).
        grown: Option<GrownLayer<'g>>,
        /// If a split has created a leaf for ascending keys, and the key is its last: that leaf and
        /// its range, which the guard may remember.
        appended: Option<(HintedLeaf<'g>, RangeInclusive<u64>)>,
    },
    /// Room for the key; its leaf is locked.
    Room(Room<'g>),
}

impl<'g> Added<'g> {
    /// `Done` without a leaf for the guard to remember.
    pub(in crate::index::tree) fn done(grown: Option<GrownLayer<'g>>) -> Self {
        Self::Done {
            grown,
            appended: None,
        }
    }
}

/// Room for a key in a locked leaf.
pub(in crate::index::tree) struct Room<'g> {
    pub(in crate::index::tree) leaf: Locked<'g, Leaf>,
    /// The position of the key's insert.
    pub(in crate::index::tree) position: usize,
    /// How many layers the leaf is below the leaf that the write located.
    pub(in crate::index::tree) layers: usize,
    /// The layer of the leaf that the write located, if it has more levels than before.
    pub(in crate::index::tree) grown: Option<GrownLayer<'g>>,
    /// The bag that was replaced in the leaf that the write located; the caller retires it when it
    /// holds no lock.
    pub(in crate::index::tree) old_bag: Option<BagRef<'g>>,
    /// A larger bag, which `leaf` gets if the key is inserted.
    pub(in crate::index::tree) bag: Option<OwnedBag<'g>>,
}

impl Tree {
    /// Calls `decide` once, under the lock of the key's leaf, with the key's value or `None`, and
    /// applies its decision; nothing fails after that. Returns the value that the key had.
    ///
    /// For values of any kind: the caller has checked the guard and the key, and retires the
    /// displaced value.
    // inline(always), as in all of `write`: an insert takes 78 instructions less.
    #[inline(always)]
    pub(crate) fn write(
        &self,
        pin: Pinned<'_>,
        bytes: &[u8],
        decide: impl FnMut(Option<u64>) -> Decision,
    ) -> Result<Option<u64>, OutOfMemory> {
        with_search!(self.isa, S => {
            let key = Key::new(bytes);
            let short = self.lock_short::<S, false>(pin, &key);
            self.write_locked(pin, bytes, key, short, decide)
        })
    }

    /// [`Tree::write`] once [`Tree::lock_short`] has tried to lock the key's leaf.
    #[inline(always)]
    pub(in crate::index::tree) fn write_locked<'g>(
        &self,
        pin: Pinned<'g>,
        bytes: &[u8],
        key: Key<'_>,
        short: Short<'g>,
        mut decide: impl FnMut(Option<u64>) -> Decision,
    ) -> Result<Option<u64>, OutOfMemory> {
        let (mut leaf, position, root) = match short {
            Short::Absent {
                leaf,
                position,
                root,
            } => (leaf, position, root),
            Short::Present { leaf, slot } => {
                let decide = |value| decide(Some(value));
                return Ok(Some(self.change_present(pin, leaf, slot, true, decide)));
            }
            Short::Unlocked => return self.write_long(pin, bytes, &mut decide),
        };
        if leaf.permutation().is_full() || leaf.wastes_its_bag() {
            // By parts, so that the path below keeps them in registers.
            let (node, version) = leaf.suspend();
            return self.write_crowded(pin, bytes, (node, version, position), root, &mut decide);
        }
        let Decision::Set(value) = decide(None) else {
            return Ok(None);
        };
        // SAFETY: the leaf is not full.
        unsafe { leaf.insert_short(position, &key, value) };
        pin.renew_hint(HintedLeaf::after(&leaf));
        let node = leaf.node();
        drop(leaf);
        pin.count_keys(node, 1);
        Ok(None)
    }

    /// [`Tree::write`] for a short key that is absent from a leaf which is full or wastes its bag;
    /// the leaf is locked, suspended, and has this version. `root`: as in [`Short::Absent`].
    #[inline(never)]
    fn write_crowded<'g>(
        &self,
        pin: Pinned<'g>,
        bytes: &[u8],
        (leaf, version, position): (&'g Leaf, Version, usize),
        root: NodeRef<'g>,
        decide: &mut dyn FnMut(Option<u64>) -> Decision,
    ) -> Result<Option<u64>, OutOfMemory> {
        // SAFETY: the caller has suspended it.
        let leaf = unsafe { Locked::resume(leaf, version) };
        let key = Key::new(bytes);
        let leaf = match leaf.permutation().is_full() {
            true => self.split_short(pin, leaf, position, &key, root, decide),
            false => Some(leaf),
        };
        let Some(leaf) = leaf else {
            return Ok(None);
        };
        let position = KeyPosition::Absent { position };
        let located = Located {
            leaf,
            position,
            key,
        };
        self.write_slow(pin, bytes, decide, located, Some(root))
    }

    /// [`Tree::write`] at a located key, for writes that may need memory. `root`: the root from which
    /// the leaf was reached, if the guard may remember a leaf below it.
    #[inline(never)]
    pub(super) fn write_slow<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        bytes: &'k [u8],
        decide: &mut dyn FnMut(Option<u64>) -> Decision,
        located: Located<'g, 'k>,
        root: Option<NodeRef<'g>>,
    ) -> Result<Option<u64>, OutOfMemory> {
        let mut reserve = Reserve::new(&pin.domain().memory);
        let attempt = |located: Located<'g, 'k>, reserve: &mut Reserve<'g>| {
            let (node, is_crowded) = (located.leaf.node(), located.is_crowded());
            if let KeyPosition::Present { slot } = located.position {
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
            let Added::Done { grown, appended } = outcome else {
                unreachable!("the addition is a key, not room")
            };
            // `root` is the root from which the leaf was reached. The tree's present root would be
            // wrong here: if the tree was cleared meanwhile, the leaf is not below that one.
            if let Some((leaf, range)) = appended
                && let Some(root) = root
            {
                pin.remember(root, leaf, range);
            }
            if added {
                pin.count_keys(node, 1);
            }
            if let Some(layer) = grown {
                self.raise_levels(pin, layer, bytes, layers);
            }
            // A merge changes leaves that the record does not contain.
            if added && is_crowded && pin.recorder().is_none() {
                self.merge_around(pin, node);
            }
            Ok(None)
        };
        let relocate = |reached, key| {
            (self.locate_again(reached, key)).unwrap_or_else(|| self.locate(pin, bytes))
        };
        with_memory(located, &mut reserve, attempt, relocate)
    }

    /// Adds an absent key, or room for it, at the key's position.
    pub(in crate::index::tree) fn add<'g>(
        &self,
        pin: Pinned<'g>,
        located: Located<'g, '_>,
        addition: Addition<'_>,
        reserve: &mut Reserve<'g>,
    ) -> Result<Added<'g>, Needs> {
        let Located {
            leaf,
            position,
            key,
        } = located;
        match position {
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

    /// Applies the decision of `decide` to a present key. Returns the value that the key had.
    ///
    /// `is_hinted`: the leaf was locked by [`Tree::lock_short`], so the guard may remember it, and
    /// its new version is passed to the guard.
    #[inline(always)]
    pub(in crate::index::tree) fn change_present<'g>(
        &self,
        pin: Pinned<'g>,
        leaf: Locked<'g, Leaf>,
        slot: usize,
        is_hinted: bool,
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
                self.take_out(pin, leaf, position, is_hinted);
            }
        }
        value
    }

    /// Begins a new record, if the write is recorded. Called before each descent of the write,
    /// before it loads the root.
    #[inline]
    pub(in crate::index::tree) fn begin_recording(&self, pin: Pinned<'_>) {
        if let Some(recorder) = pin.recorder() {
            recorder.begin(self.incarnation());
        }
    }
}

/// Calls `attempt` with a located key until the reserve covers what the attempt needs. An attempt
/// that needs more unlocks everything and returns its needs; then this function fills the reserve,
/// and `relocate` locates the key, given the leaf in which it was located before.
///
/// Ends: the reserve is filled with what the last attempt needed. Another attempt needs more only
/// if another writer has changed the leaf meanwhile.
#[inline]
pub(in crate::index::tree) fn with_memory<'g, 'k, R>(
    mut located: Located<'g, 'k>,
    reserve: &mut Reserve<'g>,
    mut attempt: impl FnMut(Located<'g, 'k>, &mut Reserve<'g>) -> Result<R, Needs>,
    mut relocate: impl FnMut(Reached<'g>, Key<'k>) -> Located<'g, 'k>,
) -> Result<R, OutOfMemory> {
    loop {
        let (reached, key) = (located.reached(), located.key);
        match attempt(located, reserve) {
            Ok(done) => return Ok(done),
            Err(needs) => reserve.fill(&needs)?,
        }
        located = relocate(reached, key);
    }
}

/// Records the leaf that contains a write's key or the position of its insert. Called before the
/// leaf is unlocked.
#[inline]
pub(in crate::index::tree) fn record(pin: Pinned<'_>, leaf: &Locked<'_, Leaf>) {
    if let Some(recorder) = pin.recorder() {
        recorder.leaf(leaf, leaf.version_found());
    }
}

/// Records a leaf that a write has created. Called before the leaf is unlocked.
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
    let wastes = leaf.wastes_its_bag();
    if !wastes && leaf.has_room_for(&entry.suffix) {
        // The leaf keeps its bag.
    } else if let Some(shape) = reserve.kept_shape().filter(|_| !wastes)
        && leaf.fits_with(entry.suffix.len(), shape)
    {
        // Reserved by the attempt before.
        needs.kept = Some(shape);
    } else {
        let mut lengths = lengths_in_bag(&leaf, leaf.form());
        if entry.kind == SUFFIX && !leaf.keeps_as_tail(entry.suffix.len()) {
            lengths.push(entry.suffix.len());
        }
        // The write that takes the last suffix from a large bag also retires the bag.
        debug_assert!(
            !lengths.is_empty(),
            "a leaf without suffixes has no large bag"
        );
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
            grown: None,
            old_bag: None,
            bag,
        }));
    };
    let old_bag = bag.and_then(|bag| leaf.renew_bag(bag));
    leaf.insert(position, &entry.with_value(value), pin.keys());
    record(pin, &leaf);
    drop(leaf);
    if let Some(bag) = old_bag {
        // SAFETY: the leaf has a new bag, and only the lock's owner replaces it.
        unsafe { pin.retire_bag(bag) };
    }
    Ok(Added::done(None))
}

/// Lengths of the suffixes of a leaf's entries and of one more entry.
pub(in crate::index::tree) type Lengths = ArrayVec<usize, { WIDTH + 1 }>;

/// Returns the lengths of those suffixes of a leaf's entries that a leaf, with or without tails,
/// keeps in its bag.
pub(in crate::index::tree) fn lengths_in_bag(leaf: &Locked<'_, Leaf>, form: Form) -> Lengths {
    bagged(leaf.suffix_lengths(0..leaf.permutation().len()), form)
}

/// Returns those lengths of suffixes that a leaf, with or without tails, keeps in its bag.
pub(in crate::index::tree) fn bagged(lengths: impl Iterator<Item = usize>, form: Form) -> Lengths {
    lengths.filter(|&len| form.bags(len)).collect()
}
