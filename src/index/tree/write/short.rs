//! The fast path for writes of short keys: those that end within their first slice, such as integer
//! keys.
//!
//! **Protocol.** If the guard remembers a leaf for the key's slice (see `reclaim::hint`), the write
//! locks that leaf, but only if it is unlocked and still has the remembered version. Otherwise the
//! write descends, and locks the leaf that it reaches, but only if that leaf is unlocked and still
//! has the version at which the descent reached it. At either version the leaf holds the key's
//! slice, so neither the leaf nor its neighbours need be checked again under the lock. If no leaf
//! could be locked so, or if the write is recorded, nothing is locked, and the write locates its
//! key by `locate`, which waits for locks.

use crate::index::key::Key;
use crate::index::node::{Leaf, Locked, NodeRef, Search};
use crate::index::reclaim::{HintedLeaf, Pinned};
use crate::index::tree::Tree;
use crate::index::tree::read::descend::{Lines, Reached, reach};
use crate::protocol::Line;
use crate::sync::perturb;

/// The result of trying to lock the leaf of a short key without waiting.
pub(in crate::index::tree) enum Short<'g> {
    /// The key is in this slot of the locked leaf.
    Present { leaf: Locked<'g, Leaf>, slot: usize },
    /// The key is absent, and would be inserted at this position of the locked leaf. `root` is the
    /// root from which the leaf was reached, or for which it was remembered.
    Absent {
        leaf: Locked<'g, Leaf>,
        position: usize,
        root: NodeRef<'g>,
    },
    /// Nothing is locked: the caller locates the key by [`Tree::locate`], or writes it by itself.
    Unlocked,
}

impl Tree {
    /// Locks the leaf that contains a short key or the position of its insert, if that is possible
    /// without waiting. With `LIKELY_PRESENT`, compares entries before it computes the position of an
    /// insert: faster if the key is present, slower if it is absent.
    // inline(always): measured together with `Tree::write`.
    #[inline(always)]
    pub(in crate::index::tree) fn lock_short<'g, S: Search, const LIKELY_PRESENT: bool>(
        &self,
        pin: Pinned<'g>,
        key: &Key<'_>,
    ) -> Short<'g> {
        if key.has_suffix() || pin.recorder().is_some() {
            return Short::Unlocked;
        }
        self.must_not_hold();
        let root = self.root(pin);
        let leaf = match lock_hinted(pin, root, key.slice()) {
            Some(leaf) => leaf,
            None => {
                let Ok(reached) = reach::<S>(root, key.slice(), Lines::All) else {
                    return Short::Unlocked;
                };
                match lock_if_unchanged(pin, root, reached) {
                    Some(leaf) => leaf,
                    None => return Short::Unlocked,
                }
            }
        };
        search_locked::<S, LIKELY_PRESENT>(leaf, key, root)
    }
}

/// Locks the leaf that the guard remembers for a slice of the tree with this root, if it remembers one
/// that is unlocked and unchanged.
#[inline(always)]
pub(super) fn lock_hinted<'g>(
    pin: Pinned<'g>,
    root: NodeRef<'g>,
    slice: u64,
) -> Option<Locked<'g, Leaf>> {
    let hint = pin.hint(root, slice)?;
    match Line::HintIsUnchanged.is_enabled() {
        true => Locked::lock_unchanged(hint.leaf, hint.version),
        false => Some(Locked::lock(hint.leaf)),
    }
}

/// Locks the leaf that a descent from this root has reached, if it is unlocked and unchanged.
#[inline(always)]
pub(super) fn lock_if_unchanged<'g>(
    pin: Pinned<'g>,
    root: NodeRef<'g>,
    reached: Reached<'g>,
) -> Option<Locked<'g, Leaf>> {
    perturb();
    let leaf = Locked::lock_unchanged(reached.leaf, reached.version)?;
    if pin.note_reached(leaf.node()) {
        pin.remember(root, HintedLeaf::after(&leaf), leaf.range());
    }
    Some(leaf)
}

/// Searches a short key in its locked leaf. `LIKELY_PRESENT`: as in [`Tree::lock_short`].
#[inline(always)]
pub(super) fn search_locked<'g, S: Search, const LIKELY_PRESENT: bool>(
    leaf: Locked<'g, Leaf>,
    key: &Key<'_>,
    root: NodeRef<'g>,
) -> Short<'g> {
    let found = match LIKELY_PRESENT {
        true => leaf.find_short_likely_present::<S>(key),
        false => leaf.find_short_likely_absent::<S>(key),
    };
    match found {
        Ok(slot) => Short::Present { leaf, slot },
        Err(position) => Short::Absent {
            leaf,
            position,
            root,
        },
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// The low of a layer's first leaf may be greater than the slices that the leaf holds. Put
    /// back: in `Leaf::range`, begin with the leaf's own low.
    #[test]
    fn a_first_leaf_is_remembered_with_its_range() {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        let put = |n: u64| assert_eq!(tree.put(pin, &n.to_be_bytes(), n), Ok(None));
        let remove = |n: u64| assert_eq!(tree.remove(pin, &n.to_be_bytes()), Some(n));
        (1000..1100).for_each(put);
        // Deletes the first leaves. The leaf that is the first now gets smaller keys, and splits
        // between them.
        (1000..1050).for_each(remove);
        (0..40).rev().for_each(put);
        (100..110).for_each(put);
        (200..230).step_by(3).for_each(put);
        for first in [40, 60, 110] {
            put(first);
            put(first + 1);
            put(first + 500);
            remove(first + 500);
        }
        for n in [41_u64, 61, 111, 0, 39, 100, 109, 227, 1050, 1099] {
            assert_eq!(tree.get(pin, &n.to_be_bytes()), Some(n));
        }
        assert_eq!(tree.check(pin, &mut |line| panic!("{line}")), Ok(true));
    }

    /// Put back: do not call `hint.forget` in `Guard::refresh`.
    #[test]
    fn a_refreshed_guard_remembers_nothing() {
        let tree = Tree::new(None).unwrap();
        let mut guard = tree.guard().unwrap();
        for n in 0..100_u64 {
            assert_eq!(tree.put(guard.pin(), &n.to_be_bytes(), n), Ok(None));
        }
        let remembers = |pin: Pinned<'_>| pin.hint(tree.root(pin), 99).is_some();
        assert!(remembers(guard.pin()));
        guard.refresh();
        assert!(!remembers(guard.pin()));
    }
}
