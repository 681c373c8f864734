//! Holding a leaf: the place of a key, locked, while the user makes up its mind.
//!
//! **Protocol.** Whatever can fail or takes other locks is done first: if the key is absent
//! and may be inserted, room is made for it, by a split or a layer, as an insert would, but
//! without the key; readers see that at once. What stays locked is the one leaf that has the
//! key or its place, clean, so that readers pass. Until it is let go nobody else changes it,
//! so what is said of it holds: its version now, and the one it will have.
//!
//! A split may leave the leaf without a key, which no leaf in a tree is that is not locked. If
//! the key is not inserted after all, the leaf goes as one does from which the last key was
//! removed (see `collapse`).
//!
//! Only the thread that holds a leaf lets it go, and it holds one at a time, and waits for no
//! other lock meanwhile: else two could wait for each other.

use std::cell::Cell;

use super::put::{Decision, Made, Room, Wanted, report};
use super::reserve::Reserve;
use crate::index::key::Key;
use crate::index::memory::Count;
use crate::index::memory::OutOfMemory;
use crate::index::node::{BagRef, Entry, Leaf, Locked, Observation, OwnedBag, Place};
use crate::index::reclaim::{Pin, generation};
use crate::index::tree::Tree;
use crate::index::tree::read::descend::Reached;
use crate::protocol::Line;
use crate::sync::thread_local;

/// The place of a key, locked.
pub(crate) struct Held<'g, 'k> {
    leaf: Locked<'g, Leaf>,
    found: Option<usize>,
    position: usize,
    key: Key<'k>,
    has_room: bool,
    original: Observation,
    /// The leaf in which a group has turned into a link to make room.
    crowded: Option<&'g Leaf>,
    /// To be retired, and to be freed, when no lock is held.
    old_bag: Option<BagRef<'g>>,
    spare_bags: [Option<OwnedBag<'g>>; 2],
}

/// What a thread holds.
#[derive(Clone, Copy)]
struct Holding {
    #[cfg_attr(not(debug_assertions), expect(dead_code))]
    tree: *const Tree,
    leaf: *const Leaf,
    /// The process: what was held before a fork is held by the parent alone.
    generation: u32,
}

thread_local! {
    static HOLDING: Cell<Option<Holding>> = const { Cell::new(None) };
}

fn holding() -> Option<Holding> {
    HOLDING
        .with(Cell::get)
        .filter(|holding| holding.generation == generation())
}

/// Whether this thread holds a leaf.
pub(crate) fn is_holding() -> bool {
    holding().is_some()
}

/// Whether this thread holds the leaf with this id.
pub(in crate::index::tree) fn holds(node: u64) -> bool {
    holding().is_some_and(|holding| holding.leaf.expose_provenance() as u64 == node)
}

/// In builds with debug assertions, aborts if a thread ends while it holds a leaf.
#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
struct AtTheEnd;

#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
thread_local! {
    static AT_THE_END: AtTheEnd = const { AtTheEnd };
}

#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
impl Drop for AtTheEnd {
    fn drop(&mut self) {
        assert!(!is_holding(), "a thread must finish before it ends");
    }
}

impl Tree {
    /// Before this thread waits for locks.
    #[inline]
    pub(in crate::index::tree) fn must_not_hold(&self) {
        #[cfg(debug_assertions)]
        assert!(
            !holding().is_some_and(|holding| std::ptr::eq(holding.tree, self)),
            "a thread that holds a leaf must not write to the tree"
        );
    }

    /// Locks the leaf with a key or with its place. With `may_insert`, an absent key can be
    /// inserted then; without, memory does not run out. The caller holds no leaf yet.
    pub(crate) fn hold<'g, 'k>(
        &self,
        pin: Pin<'g>,
        bytes: &'k [u8],
        may_insert: bool,
    ) -> Result<Held<'g, 'k>, OutOfMemory> {
        self.admit_words(pin, bytes);
        debug_assert!(!is_holding(), "a thread holds one leaf at a time");
        self.begin_report(pin);
        let incarnation = self.incarnation();
        let mut reserve = Reserve::new(&pin.domain().memory);
        let mut found = self.lock_leaf(pin, bytes);
        // Ends: as `write_with_memory`.
        loop {
            let (leaf, place, mut key) = found;
            let original = Observation::new(leaf.node(), leaf.version_found(), incarnation);
            let reached = Reached {
                leaf: leaf.node(),
                version: leaf.version_found(),
                parent: None,
            };
            let crowded = matches!(place, Place::Crowded { .. }).then_some(reached.leaf);
            let held = |room: Room<'g>, found, key| Held {
                crowded: crowded.filter(|_| room.layers > 0),
                found,
                position: room.position,
                key,
                has_room: may_insert,
                original,
                old_bag: room.old_bag,
                leaf: room.leaf,
                spare_bags: [None, None],
            };
            let made = match place {
                Place::Present { position, slot } => {
                    report(pin, &leaf);
                    let mut held = held(Room::already(leaf, position), Some(slot), key);
                    // Another thread put the key while this one got memory for it, which goes
                    // back to the user's allocator when no lock is held.
                    held.spare_bags = reserve.spare_bags();
                    return Ok(held.begin(self));
                }
                Place::Absent { .. } | Place::Crowded { .. } if !may_insert => {
                    report(pin, &leaf);
                    return Ok(held(Room::already(leaf, 0), None, key).begin(self));
                }
                place => self.make(pin, leaf, place, &key, Wanted::Room, &mut reserve),
            };
            match made {
                Ok(Made::Room(room)) => {
                    (0..room.layers).for_each(|_| key.shift());
                    let mut held = held(room, None, key);
                    held.spare_bags = reserve.spare_bags();
                    return Ok(held.begin(self));
                }
                Ok(Made::Decided) => unreachable!("room was wanted"),
                Err(needs) => reserve.fill(&needs)?,
            }
            found = match self.lock_again(reached, &key) {
                Some((leaf, place)) => (leaf, place, key),
                None => self.lock_leaf(pin, bytes),
            };
        }
    }

    /// Does with a held key what was decided, and lets its leaf go. Gives the value it had.
    ///
    /// An absent key can be set only if it may be inserted.
    pub(crate) fn finish<'g>(
        &self,
        pin: Pin<'g>,
        held: Held<'g, '_>,
        decision: Decision,
    ) -> Option<u64> {
        HOLDING.with(|holding| holding.set(None));
        let Held {
            mut leaf,
            found,
            position,
            key,
            has_room,
            crowded,
            old_bag,
            spare_bags,
            ..
        } = held;
        let present = found.map(|slot| leaf.value_in(slot));
        match (found, decision) {
            (Some(slot), decision) => {
                self.change_present(pin, leaf, position, slot, |_| decision);
            }
            (None, Decision::Set(value)) if has_room => {
                #[cfg(debug_assertions)]
                assert!(
                    key.is_as_it_was(),
                    "a key must stay as it is while it is held"
                );
                leaf.insert(position, &Entry::new(&key).with_value(value));
                report_held(pin, &leaf);
                drop(leaf);
                pin.count(Count::Keys, 1);
            }
            // Without a key, and not the tree's only leaf: room was made.
            (None, _)
                if has_room
                    && leaf.permutation().is_empty()
                    && !self.is_root(&leaf)
                    && Line::UnusedRoomIsGivenBack.is_kept() =>
            {
                if let Some(report) = pin.report() {
                    report.more();
                }
                self.collapse(pin, leaf);
            }
            (None, _) => drop(leaf),
        }
        drop(spare_bags);
        if let Some(bag) = old_bag {
            // SAFETY: as where it was taken: its leaf has another or none, and no lock is
            // held any more.
            unsafe { pin.retire_bag(bag) };
        }
        // As after an insert.
        if let Some(leaf) = crowded.filter(|_| pin.report().is_none()) {
            self.merge_around(pin, leaf);
        }
        present
    }
}

/// Before a held leaf is let go.
fn report_held(pin: Pin<'_>, leaf: &Locked<'_, Leaf>) {
    if let Some(report) = pin.report() {
        report.held(leaf);
    }
}

impl<'g> Room<'g> {
    /// Where nothing has to be made.
    fn already(leaf: Locked<'g, Leaf>, position: usize) -> Self {
        Self {
            leaf,
            position,
            layers: 0,
            old_bag: None,
        }
    }
}

impl Held<'_, '_> {
    fn begin(self, tree: &Tree) -> Self {
        #[cfg(all(debug_assertions, not(any(loom, shuttle))))]
        // Fails in a destructor of a thread that ends: it is too late to look.
        let _watched = AT_THE_END.try_with(|_| ());
        let holding = Holding {
            tree,
            leaf: self.leaf.node(),
            generation: generation(),
        };
        HOLDING.with(|held| held.set(Some(holding)));
        self
    }

    /// The key's value, if it is there.
    pub(crate) fn value(&self) -> Option<u64> {
        self.found.map(|slot| self.leaf.value_in(slot))
    }

    /// Whether an absent key can be inserted.
    pub(crate) fn has_room(&self) -> bool {
        self.has_room
    }

    /// The leaf with the key's place as it was when it was locked first, before room was
    /// made.
    pub(crate) fn original(&self) -> Observation {
        self.original
    }

    /// The leaf that is locked, as readers see it.
    pub(crate) fn now(&self) -> Observation {
        let incarnation = self.original.incarnation;
        Observation::new(self.leaf.node(), self.leaf.version_found(), incarnation)
    }

    /// The leaf as it will be once it was let go with this decision, unless that empties it.
    pub(crate) fn next(&self, decision: Decision) -> Observation {
        let changes = match decision {
            Decision::Keep => false,
            Decision::Set(_) => self.found.is_none(),
            Decision::Remove => self.found.is_some(),
        };
        let version = match changes {
            true => self.leaf.version_found().next(),
            false => self.leaf.version_found(),
        };
        let incarnation = self.original.incarnation;
        Observation::new(self.leaf.node(), version, incarnation)
    }
}

#[cfg(all(test, debug_assertions, not(any(loom, shuttle))))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Whatever waits for locks would wait for the leaf that this thread holds.
    #[test]
    fn a_thread_that_holds_a_leaf_and_writes_is_caught() {
        type Write = fn(&Tree, Pin<'_>);
        let writes: [Write; 7] = [
            |tree, pin| _ = tree.put(pin, b"other", 1),
            |tree, pin| _ = tree.remove(pin, b"other"),
            |tree, pin| _ = tree.update(pin, b"other", |_| Decision::Keep),
            |tree, pin| {
                let held = tree.hold(pin, b"other", true).unwrap();
                tree.finish(pin, held, Decision::Keep);
            },
            |tree, pin| _ = tree.clear(pin),
            |tree, pin| _ = tree.maintain(pin, 1),
            |tree, pin| _ = tree.bulk_load(pin, 0, |_, _| (), |_| Ok(0)),
        ];
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        for (number, write) in writes.iter().enumerate() {
            let held = tree.hold(pin, b"key", true).unwrap();
            let outcome = catch_unwind(AssertUnwindSafe(|| write(&tree, pin)));
            assert!(outcome.is_err(), "write {number}");
            assert_eq!(tree.get(pin, b"other"), None);
            tree.finish(pin, held, Decision::Keep);
            write(&tree, pin);
            tree.clear(pin).unwrap();
        }
    }
}
