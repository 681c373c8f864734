//! The fast path for holding a short key that is present, or for which its leaf has room.
//!
//! **Protocol.** That of `held`, also for clearing: the hold loads the number of clearings before
//! the root, and compares it under the leaf's lock; `finish_short` compares it again. The hold
//! locks the leaf only at the version at which it found the leaf (see `short`), and neither changes
//! the leaf nor allocates. So it does not wait and does not run out of memory. It keeps a few plain
//! words, from which `finish_short` resumes the ownership of the lock.

use std::hint::assert_unchecked;
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::engine::Decision;
use super::held::Overtaken;
use super::locate::Located;
use super::short::{Short, lock_hinted, lock_if_unchanged, search_locked};
use crate::index::key::{Key, Kind, SLICE_LEN};
use crate::index::node::{
    KeyPosition, Leaf, Locked, NodeRef, Observation, Search, Version, WIDTH, with_search,
};
use crate::index::reclaim::{HintedLeaf, Pinned};
use crate::index::tree::Tree;
use crate::index::tree::holding::Holder;
use crate::index::tree::read::descend::{Lines, reach_undisturbed};
use crate::index::value::KindId;
use crate::protocol::Line;

/// A locked leaf, and where in it a short key is or would be inserted. Dropping this does not
/// unlock the leaf.
pub(crate) struct HeldShort<'g> {
    pub(super) leaf: NonNull<Leaf>,
    pub(super) version: Version,
    pub(super) incarnation: u64,
    pub(super) slice: u64,
    /// The key's slot if the key is present, else the position of its insert.
    pub(super) slot_or_position: usize,
    pub(super) kind: Kind,
    pub(super) is_present: bool,
    pub(super) has_room: bool,
    /// The caller's key, to check that it does not change.
    #[cfg(debug_assertions)]
    pub(super) bytes: *const [u8],
    pub(super) pin: PhantomData<Pinned<'g>>,
}

/// A locked leaf in which [`Tree::hold_split`] or [`Tree::hold_from`] must make room: it is full, or
/// its bag is, or wastes memory, or the key belongs into a new layer.
pub(crate) struct FullLeaf<'g, 'k> {
    pub(super) located: Located<'g, 'k>,
    /// The root from which the leaf was reached, if the guard may remember a leaf below it.
    pub(super) root: Option<NodeRef<'g>>,
    /// The number of clearings, as in [`HeldShort`].
    pub(super) incarnation: u64,
}

impl<'g> FullLeaf<'g, '_> {
    /// Whether the tree was cleared after the leaf was reached.
    pub(crate) fn is_overtaken(&self, tree: &Tree) -> bool {
        tree.is_overtaken(self.incarnation)
    }

    /// The leaf, still locked.
    pub(crate) fn into_leaf(self) -> Locked<'g, Leaf> {
        self.located.leaf
    }
}

impl Tree {
    /// Holds a key, and returns its value, if the key is short, the pin has no recorder, and the
    /// hold needs no waiting, no memory and no change of a leaf. Otherwise holds nothing; if the
    /// only reason is that the leaf needs room, returns the leaf, locked.
    // inline(always): measured together with `Tree::write`.
    #[inline(always)]
    pub(crate) fn hold_short<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        bytes: &'k [u8],
        may_insert: bool,
        holder: &Holder,
        kept_in: *const (),
    ) -> Result<(HeldShort<'g>, Option<u64>), Option<FullLeaf<'g, 'k>>> {
        // The caller has checked the pin and the kind of values.
        debug_assert!(self.owns(pin) && self.holds(KindId::WORDS));
        let key = Key::new(bytes);
        let incarnation = self.incarnation();
        let locked = with_search!(self.isa, S => self.lock_to_hold::<S>(pin, &key, may_insert));
        let is_cleared =
            || Line::HoldLooksForClears.is_enabled() && !self.clears.none_since(incarnation);
        let in_tree = |leaf| match is_cleared() {
            true => None,
            false => Some(leaf),
        };
        with_room(
            self,
            locked,
            (&key, bytes),
            may_insert,
            incarnation,
            in_tree,
            holder,
            kept_in,
        )
    }

    /// [`Tree::lock_short`] for a hold, which gives up if a writer interferes.
    #[inline(always)]
    fn lock_to_hold<'g, S: Search>(
        &self,
        pin: Pinned<'g>,
        key: &Key<'_>,
        may_insert: bool,
    ) -> Short<'g> {
        if key.has_suffix() || pin.recorder().is_some() {
            return Short::Unlocked;
        }
        self.must_not_hold();
        let root = self.root(pin);
        let leaf = match lock_hinted(pin, root, key.slice()) {
            Some(leaf) => leaf,
            None => {
                let Some(reached) = reach_undisturbed::<S>(root, key.slice(), Lines::All) else {
                    return Short::Unlocked;
                };
                match lock_if_unchanged(pin, root, reached) {
                    Some(leaf) => leaf,
                    None => return Short::Unlocked,
                }
            }
        };
        match may_insert {
            true => search_locked::<S, false>(leaf, key, root),
            false => search_locked::<S, true>(leaf, key, root),
        }
    }

    /// [`Tree::finish`] for a leaf that [`Tree::hold_short`] or [`Tree::hold_split`] has locked.
    ///
    /// # Safety
    /// The hold is finished once, by the thread that began it, under the same pin. Only a hold that
    /// [can set](HeldShort::can_set) the key is finished with [`Decision::Set`].
    #[inline(always)]
    pub(crate) unsafe fn finish_short<'g>(
        &self,
        pin: Pinned<'g>,
        held: &HeldShort<'g>,
        decision: Decision,
        holder: &Holder,
    ) -> Result<Option<u64>, Overtaken> {
        holder.end();
        // SAFETY: found under the pin, and locked by `hold_short`.
        let mut leaf = unsafe { Locked::resume(held.leaf.as_ref(), held.version) };
        // The last comparison, under the leaf's lock: see `held`.
        if Line::FinishLooksForClears.is_enabled() && !self.clears.none_since(held.incarnation) {
            return self.finish_overtaken(pin, leaf, held.incarnation);
        }
        if held.is_present {
            // SAFETY: the position is a slot.
            unsafe { assert_unchecked(held.slot_or_position < WIDTH) };
            let value = self.change_present(pin, leaf, held.slot_or_position, true, |_| decision);
            return Ok(Some(value));
        }
        let Decision::Set(value) = decision else {
            self.release_unused(pin, leaf);
            return Ok(None);
        };
        held.check_key();
        // SAFETY: `hold_short` and `hold_split` hold no other kind.
        unsafe { assert_unchecked(held.kind <= SLICE_LEN as Kind) };
        let key = Key::short(held.slice, held.kind);
        // SAFETY: by contract, the key was held for an insert, which happens only in a leaf that is
        // not full; the leaf has been locked since.
        unsafe { leaf.insert_short(held.slot_or_position, &key, value) };
        pin.renew_hint(HintedLeaf::after(&leaf));
        let node = leaf.node();
        drop(leaf);
        pin.count_keys(node, 1);
        Ok(None)
    }

    /// Completes [`Tree::finish_short`] for a tree that was cleared.
    #[cold]
    #[inline(never)]
    pub(super) fn finish_overtaken<'g>(
        &self,
        pin: Pinned<'g>,
        leaf: Locked<'g, Leaf>,
        incarnation: u64,
    ) -> Result<Option<u64>, Overtaken> {
        self.clears.wait_if_any_since(incarnation);
        self.release_unused(pin, leaf);
        Err(Overtaken)
    }

    /// Unlocks a held leaf that was not changed; deletes it if a split has left it empty.
    #[inline(never)]
    fn release_unused<'g>(&self, pin: Pinned<'g>, leaf: Locked<'g, Leaf>) {
        let is_unused = leaf.permutation().is_empty() && !self.is_root(&leaf);
        match is_unused && Line::UnusedRoomIsGivenBack.is_enabled() {
            true => self.collapse(pin, leaf),
            false => drop(leaf),
        }
    }
}

/// Completes a hold of a key that was searched for in its locked leaf: returns what is held, and the
/// key's value, or the leaf if it needs room. Holds nothing if `in_tree` takes the leaf, since the
/// tree was cleared.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "they stay in registers")]
pub(super) fn with_room<'g, 'k>(
    tree: &Tree,
    locked: Short<'g>,
    (key, bytes): (&Key<'k>, &'k [u8]),
    may_insert: bool,
    incarnation: u64,
    in_tree: impl Fn(Locked<'g, Leaf>) -> Option<Locked<'g, Leaf>>,
    holder: &Holder,
    kept_in: *const (),
) -> Result<(HeldShort<'g>, Option<u64>), Option<FullLeaf<'g, 'k>>> {
    let (leaf, position, root) = match locked {
        Short::Unlocked => return Err(None),
        Short::Present { leaf, slot } => {
            let leaf = in_tree(leaf).ok_or(None)?;
            let value = leaf.value_in(slot);
            let (leaf, version) = leaf.suspend();
            holder.begin(tree, leaf, incarnation, kept_in);
            let held = HeldShort {
                slot_or_position: slot,
                is_present: true,
                has_room: may_insert,
                ..HeldShort::absent(leaf, version, incarnation, key, bytes, 0)
            };
            return Ok((held, Some(value)));
        }
        Short::Absent {
            leaf,
            position,
            root,
        } => (in_tree(leaf).ok_or(None)?, position, root),
    };
    if may_insert && (leaf.permutation().is_full() || leaf.wastes_its_bag()) {
        let located = Located {
            leaf,
            position: KeyPosition::Absent { position },
            key: *key,
        };
        return Err(Some(FullLeaf {
            located,
            root: Some(root),
            incarnation,
        }));
    }
    let (leaf, version) = leaf.suspend();
    holder.begin(tree, leaf, incarnation, kept_in);
    let held = HeldShort {
        has_room: may_insert,
        ..HeldShort::absent(leaf, version, incarnation, key, bytes, position)
    };
    Ok((held, None))
}

impl<'g> HeldShort<'g> {
    /// A hold of an absent short key, for its insert at a position of a locked leaf.
    #[inline(always)]
    pub(super) fn absent(
        leaf: &'g Leaf,
        version: Version,
        incarnation: u64,
        key: &Key<'_>,
        _bytes: &[u8],
        position: usize,
    ) -> Self {
        Self {
            leaf: NonNull::from(leaf),
            version,
            incarnation,
            slice: key.slice(),
            slot_or_position: position,
            kind: key.kind(),
            is_present: false,
            has_room: true,
            #[cfg(debug_assertions)]
            bytes: _bytes,
            pin: PhantomData,
        }
    }
}

impl HeldShort<'_> {
    /// In builds with debug assertions, aborts if the caller has changed the key.
    #[inline(always)]
    pub(super) fn check_key(&self) {
        #[cfg(debug_assertions)]
        {
            // SAFETY: the key stays readable while it is held.
            let key = Key::new(unsafe { &*self.bytes });
            assert!(
                key.slice() == self.slice,
                "a key must stay as it is while it is held"
            );
        }
    }

    /// How many entries the leaf has. The leaf is still held.
    #[inline(always)]
    pub(crate) fn leaf_len(&self) -> usize {
        // SAFETY: the leaf is held under the pin.
        unsafe { self.leaf.as_ref() }.permutation().len()
    }

    /// Whether the key is present.
    #[inline(always)]
    pub(crate) fn is_present(&self) -> bool {
        self.is_present
    }

    /// Whether the key can be set: it is present or can be inserted.
    #[inline(always)]
    pub(crate) fn can_set(&self) -> bool {
        self.is_present || self.has_room
    }

    /// An observation of the locked leaf, as readers see it and as it was when it was locked.
    pub(crate) fn now(&self) -> Observation {
        self.observation(self.version)
    }

    /// An observation of the leaf at one of its versions.
    fn observation(&self, version: Version) -> Observation {
        // Does not dereference the leaf, which may have been freed since.
        Observation::of_address(self.leaf.as_ptr(), version, self.incarnation)
    }

    /// An observation of the leaf as `finish_short` will leave it, or has left it, with this
    /// decision, unless the decision empties it.
    pub(crate) fn next(&self, decision: Decision) -> Observation {
        self.left(match decision {
            Decision::Keep => false,
            Decision::Set(_) => !self.is_present,
            Decision::Remove => self.is_present,
        })
    }

    /// An observation of the leaf after the key was inserted or removed, if it was `changed`.
    pub(crate) fn left(&self, changed: bool) -> Observation {
        self.observation(match changed {
            true => self.version.next(),
            false => self.version,
        })
    }
}
