//! Locates a key for a write: locks the leaf that contains the key or the position of its insert.

use crate::index::key::Key;
use crate::index::memory::Count;
use crate::index::node::{FoundSlot, KeyPosition, Leaf, Locked, with_search};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::read::descend::{Lines, Reached, Stale, reach};
use crate::protocol::Line;
use crate::sync::perturb;

/// A locked leaf, and where in it a key is or would be inserted.
pub(in crate::index::tree) struct Located<'g, 'k> {
    pub(in crate::index::tree) leaf: Locked<'g, Leaf>,
    /// Where the key is in the leaf, or would be inserted; never `KeyPosition::Layer`.
    pub(in crate::index::tree) position: KeyPosition<'g>,
    /// The part of the key that the leaf's layer and those below it index.
    pub(in crate::index::tree) key: Key<'k>,
}

impl<'g> Located<'g, '_> {
    /// The leaf and the version at which it was locked, for [`Tree::locate_again`].
    #[inline]
    pub(in crate::index::tree) fn reached(&self) -> Reached<'g> {
        Reached {
            leaf: self.leaf.node(),
            version: self.leaf.version_found(),
            parent: None,
        }
    }

    /// Whether inserting the key creates a layer.
    #[inline]
    pub(in crate::index::tree) fn is_crowded(&self) -> bool {
        matches!(self.position, KeyPosition::Crowded { .. })
    }
}

/// Whether the locked leaf is the one that was reached, unchanged.
#[inline]
fn is_unchanged(locked: &Locked<'_, Leaf>, reached: Reached<'_>) -> bool {
    std::ptr::eq(locked.node(), reached.leaf) && locked.version_found() == reached.version
}

/// Locks the leaf that holds a slice now, given a leaf that held it at an earlier version.
// inline(always): measured together with `Tree::put`.
#[inline(always)]
pub(super) fn lock_or_move_right<'g>(
    reached: Reached<'g>,
    slice: u64,
) -> Result<Locked<'g, Leaf>, Stale> {
    perturb();
    let locked = Locked::lock(reached.leaf);
    if is_unchanged(&locked, reached) {
        // Unchanged, so the leaf still holds the slice. The next leaf, which may not be in the
        // cache, need not be read.
        return Ok(locked);
    }
    lock_right(locked, slice)
}

/// Locks the leaf that holds a slice now, given a locked leaf that held it at an earlier version.
#[inline(never)]
fn lock_right<'g>(mut locked: Locked<'g, Leaf>, slice: u64) -> Result<Locked<'g, Leaf>, Stale> {
    // Ends: as `move_right`.
    loop {
        if locked.is_deleted() && Line::WriterLeavesDeleted.is_enabled() {
            return Err(Stale);
        }
        match locked.node().next() {
            Some(next) if next.low() <= slice && Line::WriterMovesRight.is_enabled() => {
                // Unlocks this leaf before it waits for the next one: a thread that holds locks may
                // wait only for the leaf before (see `lock`).
                if Line::WriterWaitsAlone.is_enabled() {
                    drop(locked);
                    locked = Locked::lock(next);
                } else {
                    locked = Locked::lock(next);
                }
            }
            _ => return Ok(locked),
        }
    }
}

impl Tree {
    /// Locks the leaf that contains a key or the position of its insert, in the layer where the key
    /// ends or has its suffix.
    pub(in crate::index::tree) fn locate<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        bytes: &'k [u8],
    ) -> Located<'g, 'k> {
        self.must_not_hold();
        // Ends: each round, another writer has replaced a root or deleted a node.
        loop {
            // Begins the record in each round: the tree may have been cleared since the last one. A
            // record with an older count of clears never validates, so this is not needed for safety,
            // but its transaction would abort needlessly. So no model can fail without this; the test
            // below covers it for the attempts of `with_memory`.
            self.begin_recording(pin);
            if let Ok(located) = self.try_locate(pin, bytes) {
                return located;
            }
            pin.count(Count::Restarts, 1);
        }
    }

    /// Locates a key again, given the leaf in which it was located before. `None`: the key must be
    /// located from the root of the tree.
    pub(in crate::index::tree) fn locate_again<'g, 'k>(
        &self,
        reached: Reached<'g>,
        key: Key<'k>,
    ) -> Option<Located<'g, 'k>> {
        let leaf = lock_or_move_right(reached, key.slice()).ok()?;
        match with_search!(self.isa, S => leaf.position_of::<S>(&key)) {
            KeyPosition::Layer(_) => None,
            position => Some(Located {
                leaf,
                position,
                key,
            }),
        }
    }

    #[inline(always)]
    fn try_locate<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        bytes: &'k [u8],
    ) -> Result<Located<'g, 'k>, Stale> {
        let mut key = Key::new(bytes);
        let mut root = self.root(pin);
        loop {
            // Selects the instruction set for each descent, not once for the whole loop, so that
            // the rest of the loop is compiled only once.
            let reached =
                with_search!(self.isa, S => reach::<S>(root, key.slice(), Lines::for_key(&key)))?;
            let mut value_slot = None;
            if key.has_suffix() {
                reached.leaf.prefetch_suffixes();
                let found = with_search!(self.isa, S => {
                    reached.leaf.search_long_slot::<S>(reached.version, &key)
                });
                match found {
                    // Passes the leaves of upper layers without locking them.
                    Some(FoundSlot::Layer(below)) => {
                        below.prefetch_tail();
                        root = below;
                        key.shift();
                        continue;
                    }
                    Some(FoundSlot::Value(slot)) => value_slot = Some(slot),
                    // The next locked instruction would wait for the stores of an append. Inserts of
                    // 1,000,000 100-byte keys take 15 % less time with this.
                    Some(FoundSlot::Absent) | None => {
                        reached.leaf.prefetch_room();
                    }
                }
            }
            let leaf = lock_or_move_right(reached, key.slice())?;
            // Every change of a leaf's entries changes its version. So if the version is still that
            // of the search, the key's value is still in its slot.
            if let Some(slot) = value_slot
                && (is_unchanged(&leaf, reached) || !Line::FoundSlotIsUnchanged.is_enabled())
            {
                return Ok(Located {
                    leaf,
                    position: KeyPosition::Present { slot },
                    key,
                });
            }
            match with_search!(self.isa, S => leaf.position_of::<S>(&key)) {
                KeyPosition::Layer(below) => {
                    root = below;
                    key.shift();
                }
                position => {
                    return Ok(Located {
                        leaf,
                        position,
                        key,
                    });
                }
            }
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::alloc::{Layout, alloc, dealloc};
    use std::ffi::c_void;
    use std::ptr::NonNull;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::index::memory::Allocator;
    use crate::index::node::{Delta, DeltaRecorder, Observation};
    use crate::index::reclaim::Pinned;
    use crate::index::tree::{Inserted, Tree, TreeOptions};

    /// A tree in which another thread writes during an allocation of a write.
    struct Overtaken {
        tree: OnceLock<Tree>,
        is_armed: AtomicBool,
        other_write: fn(&Tree, Pinned<'_>),
    }

    impl Overtaken {
        const fn by(other_write: fn(&Tree, Pinned<'_>)) -> Self {
            Self {
                tree: OnceLock::new(),
                is_armed: AtomicBool::new(false),
                other_write,
            }
        }

        fn tree(&'static self) -> &'static Tree {
            let ctx = std::ptr::from_ref(self).cast_mut().cast();
            // SAFETY: the functions fit, and their context lives as long as the process.
            let user = unsafe { Allocator::new(overtake_and_alloc, free, ctx) };
            let options = TreeOptions {
                allocator: Some(user),
                ..TreeOptions::default()
            };
            self.tree
                .get_or_init(|| Tree::with_options(&options).unwrap())
        }

        /// Makes the other thread write during the next allocation.
        fn arm(&self) {
            self.is_armed.store(true, Ordering::Relaxed);
        }

        fn was_overtaken(&self) -> bool {
            !self.is_armed.load(Ordering::Relaxed)
        }
    }

    unsafe extern "C" fn overtake_and_alloc(
        size: usize,
        align: usize,
        ctx: *mut c_void,
    ) -> *mut c_void {
        // SAFETY: the context that `tree` passes.
        let overtaken = unsafe { &*ctx.cast::<Overtaken>() };
        if overtaken.is_armed.swap(false, Ordering::Relaxed) {
            let other = || {
                let tree = overtaken.tree.get().unwrap();
                let guard = tree.guard().unwrap();
                (overtaken.other_write)(tree, guard.pin());
            };
            std::thread::scope(|scope| scope.spawn(other).join().unwrap());
        }
        // SAFETY: no allocation is empty.
        unsafe { alloc(Layout::from_size_align(size, align).unwrap()).cast() }
    }

    unsafe extern "C" fn free(memory: *mut c_void, size: usize, align: usize, _: *mut c_void) {
        // SAFETY: allocated above with this layout.
        unsafe { dealloc(memory.cast(), Layout::from_size_align(size, align).unwrap()) };
    }

    static DELETED_AND_CLEARED: Overtaken = Overtaken::by(|tree, pin| {
        (0..40).for_each(|key| _ = tree.remove(pin, &[key]));
        tree.clear(pin).unwrap();
    });

    /// Between two attempts of an insert, its leaf is deleted and the tree is cleared, so the
    /// second attempt begins at the new tree's root.
    /// Put back: call `begin_recording` in `write`, before it calls `locate`, instead.
    #[test]
    fn a_delta_has_the_incarnation_of_its_leaf() {
        let overtaken = &DELETED_AND_CLEARED;
        let tree = overtaken.tree();
        let guard = tree.guard().unwrap();
        let mut room = [Observation::default(); 4];
        let mut delta = Delta::with_room(&mut room);
        // SAFETY: no other thread accesses the delta, which outlives the pin.
        let recorder = unsafe { DeltaRecorder::new(NonNull::from(&mut delta)) };
        let pin = guard.pin().with_recorder(Some(recorder));
        for key in 0..40 {
            assert_eq!(tree.insert(pin, &[key], 0), Ok(Inserted::New));
        }
        // The key's leaf is not the last one, which would stay as the empty tree's root.
        let key = [3; 10_000];
        overtaken.arm();
        assert_eq!(tree.insert(pin, &key, 1), Ok(Inserted::New));
        assert!(overtaken.was_overtaken());
        assert_eq!(tree.get_observed(pin, &key), (Some(1), delta.after));
        assert_eq!(delta.after.incarnation, 1);
    }

    fn long_key(n: u8) -> Vec<u8> {
        [&b"a slice "[..], &[n; 100]].concat()
    }

    static MADE_A_LAYER: Overtaken = Overtaken::by(|tree, pin| {
        for n in 1..10 {
            assert_eq!(tree.insert(pin, &long_key(n), 1), Ok(Inserted::New));
        }
    });

    /// Between two attempts of an insert, other keys that share the key's slice become a layer, to
    /// which the second attempt descends. Put back: in `locate_again`, return
    /// `KeyPosition::Layer`, too.
    #[test]
    fn a_write_descends_to_a_layer_made_meanwhile() {
        let overtaken = &MADE_A_LAYER;
        let tree = overtaken.tree();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        overtaken.arm();
        assert_eq!(tree.insert(pin, &long_key(0), 0), Ok(Inserted::New));
        assert!(overtaken.was_overtaken());
        for n in 0..10 {
            assert_eq!(tree.get(pin, &long_key(n)), Some(u64::from(n != 0)));
        }
        assert_eq!(tree.check(pin, &mut |line| panic!("{line}")), Ok(true));
    }
}
