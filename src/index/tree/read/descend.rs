//! The descent from a layer's root to the leaf that holds a slice.
//!
//! **Protocol.** At each internode: take a stable version, find the child, take the child's
//! stable version, and only then validate the internode. If the internode has not changed,
//! the child held the slice when the child's version was taken. Everything read in the child
//! that validates against that version is therefore correct, since a later split of the child
//! changes that version. If the internode has changed, the slice may have moved to any node: the
//! thread starts again at the layer's root.
//!
//! **Roots.** The words that refer to a layer's root (the tree's root word, links in leaves)
//! always point to the current root, because a thread that replaces a root owns the lock that
//! protects the word. A reader that loaded the word before that finds that the old root is deleted
//! or no longer a root, and starts over from the root of the tree.
//!
//! **Moving right.** A leaf that has changed after it was found may have split. The slice is
//! then in a leaf further right, so the thread at the leaf compares the slice with the next
//! leaf's low. The slice cannot have moved left: the entries of a leaf move to the left only
//! when that leaf is deleted, and its version says so.

use crate::index::key::Key;
use crate::index::memory::Count;
#[cfg(any(masstree_avx, masstree_neon))]
use crate::index::node::Isa;
use crate::index::node::{
    AnyNode, Found, Internode, Leaf, Lockable, NodeRef, Search, Version, may_be_tail, with_search,
};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::protocol::Line;
use crate::sync::perturb;

/// The node from which to descend is no longer a root, or a leaf on the way was deleted.
pub(in crate::index::tree) struct Stale;

/// A leaf that held the wanted slice when its version was taken.
#[derive(Clone, Copy)]
pub(in crate::index::tree) struct Reached<'g> {
    pub(in crate::index::tree) leaf: &'g Leaf,
    pub(in crate::index::tree) version: Version,
    /// The internode from which the leaf was reached, if any: a hint.
    pub(in crate::index::tree) parent: Option<&'g Internode>,
}

/// Which lines of a leaf a descent prefetches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::index::tree) enum Lines {
    /// Those that a search reads first.
    First,
    /// Those of a leaf without tails.
    All,
    /// Those of a tailed leaf: whether the leaf is one is not known before it is loaded.
    WithTails,
}

impl Lines {
    /// The lines that a search for a key with a suffix may read.
    #[inline(always)]
    pub(in crate::index::tree) fn for_key(key: &Key<'_>) -> Self {
        match may_be_tail(key.suffix().len()) {
            true => Self::WithTails,
            false => Self::All,
        }
    }
}

/// Descends to the leaf of a layer that holds a slice, and prefetches lines of the leaf.
///
/// The version of an internode says whether its children are leaves. So the kind of the child, and
/// how many lines of it to prefetch, are known before the child is loaded.
///
/// Ends: the descent starts again only when an internode on the way has changed, and then a writer
/// has made progress.
#[inline]
pub(in crate::index::tree) fn reach<'g, S: Search>(
    root: NodeRef<'g>,
    slice: u64,
    lines: Lines,
) -> Result<Reached<'g>, Stale> {
    'root: loop {
        let mut version = root.version().stable();
        if !version.is_living_root() && Line::RootIsLiving.is_enabled() {
            return Err(Stale);
        }
        let mut internode = match root.kind_at(version) {
            AnyNode::Internode(internode) => internode,
            AnyNode::Leaf(leaf) => {
                return Ok(Reached {
                    leaf,
                    version,
                    parent: None,
                });
            }
        };
        loop {
            let child = internode.child_for::<S>(slice);
            let is_lowest = version.is_lowest();
            match is_lowest && lines != Lines::First {
                true => child.prefetch_all(),
                false => child.prefetch_tail(),
            }
            if is_lowest && lines == Lines::WithTails {
                child.prefetch_tails();
            }
            perturb();
            let child_version = child.version().stable();
            if !internode.version().validate(version) && Line::ParentIsValidated.is_enabled() {
                continue 'root;
            }
            perturb();
            debug_assert!(!child_version.is_deleted());
            debug_assert_eq!(child_version.is_leaf(), is_lowest);
            if is_lowest {
                return Ok(Reached {
                    // SAFETY: the validated version says that the internode's children are leaves.
                    leaf: unsafe { child.leaf() },
                    version: child_version,
                    parent: Some(internode),
                });
            }
            // SAFETY: the validated version says that the internode's children are internodes.
            internode = unsafe { child.internode() };
            version = child_version;
        }
    }
}

/// [`reach`] without waiting, for callers that have another way if a writer interferes: returns
/// `None` then.
// inline(always): else the hold of a leaf calls it, and takes 45 instructions more.
#[inline(always)]
pub(in crate::index::tree) fn reach_undisturbed<'g, S: Search>(
    root: NodeRef<'g>,
    slice: u64,
    lines: Lines,
) -> Option<Reached<'g>> {
    let mut version = root.version().load();
    let is_root = version.is_living_root() || !Line::RootIsLiving.is_enabled();
    if !version.is_clean() || !is_root {
        return None;
    }
    let mut internode = match root.kind_at(version) {
        AnyNode::Internode(internode) => internode,
        AnyNode::Leaf(leaf) => {
            return Some(Reached {
                leaf,
                version,
                parent: None,
            });
        }
    };
    // Ends: each round reaches a lower level.
    while !version.is_lowest() {
        let child = internode.child_for::<S>(slice);
        child.prefetch_tail();
        version = version_below(internode, version, child)?;
        // SAFETY: the validated version says that the internode's children are internodes.
        internode = unsafe { child.internode() };
    }
    let child = internode.child_for::<S>(slice);
    match lines {
        Lines::First => child.prefetch_tail(),
        Lines::All | Lines::WithTails => child.prefetch_all(),
    }
    Some(Reached {
        version: version_below(internode, version, child)?,
        // SAFETY: the validated version says that the internode's children are leaves.
        leaf: unsafe { child.leaf() },
        parent: Some(internode),
    })
}

/// The version of an internode's child, if the internode is unchanged and the child clean.
#[inline(always)]
fn version_below(internode: &Internode, version: Version, child: NodeRef<'_>) -> Option<Version> {
    perturb();
    let below = child.version().load();
    // Two branches: together, they would take four instructions more.
    if !below.is_clean() {
        return None;
    }
    if !internode.version().validate(version) && Line::ParentIsValidated.is_enabled() {
        return None;
    }
    perturb();
    Some(below)
}

/// Finds the leaf that holds the slice now, after `leaf` has changed: `leaf` itself or one to
/// its right. Returns `Stale` if a leaf on the way was deleted.
pub(in crate::index::tree) fn move_right<'g>(
    mut leaf: &'g Leaf,
    slice: u64,
) -> Result<Reached<'g>, Stale> {
    // Ends: each step reaches a leaf with a greater low that is at most the slice.
    loop {
        let version = NodeRef::from(leaf).version().stable();
        if version.is_deleted() && Line::ReaderLeavesDeleted.is_enabled() {
            return Err(Stale);
        }
        perturb();
        match leaf.next() {
            Some(next) if next.low() <= slice && Line::ReaderMovesRight.is_enabled() => leaf = next,
            _ => {
                return Ok(Reached {
                    leaf,
                    version,
                    parent: None,
                });
            }
        }
    }
}

impl Tree {
    /// Looks a key up from the root of the tree through its layers. Inlined into the entry
    /// points: a `masstree_get_u64` in cache took 16 ns instead of 18.
    // inline(always), as in all of `read`: a get takes 51 instructions less.
    #[inline(always)]
    pub(in crate::index::tree) fn find<'g>(&self, pin: Pinned<'g>, key: Key<'_>) -> Option<u64> {
        // Ends: each round, a writer has replaced the root of a layer or deleted a leaf.
        loop {
            if let Ok(found) = with_search!(self.isa, S => self.try_find::<S>(pin, key)) {
                return found;
            }
            pin.count(Count::Restarts, 1);
        }
    }

    /// [`Tree::find`] for a key that ends in its first slice, and its leaf; returns `None` if a
    /// writer interferes. Calls nothing, so that no caller's variable is saved meanwhile: a look-up
    /// takes 25 instructions less.
    #[inline(always)]
    pub(in crate::index::tree) fn find_undisturbed<'g>(
        &self,
        pin: Pinned<'g>,
        key: &Key<'_>,
    ) -> Option<(Option<u64>, Reached<'g>)> {
        // Without vectors, a search takes more registers than the callers leave.
        #[cfg(any(masstree_avx, masstree_neon))]
        if self.isa == Isa::Portable {
            return None;
        }
        with_search!(self.isa, S => {
            let reached = reach_undisturbed::<S>(self.root(pin), key.slice(), Lines::First)?;
            let value = reached.leaf.search_short::<S>(reached.version, key)?;
            Some((value, reached))
        })
    }

    #[inline(always)]
    fn try_find<'g, S: Search>(
        &self,
        pin: Pinned<'g>,
        mut key: Key<'_>,
    ) -> Result<Option<u64>, Stale> {
        let mut root = self.root(pin);
        // Two functions for the two cases, so that no node tests whether the key has a suffix.
        while key.has_suffix() {
            match search_long::<S>(root, &key)?.0 {
                Found::Absent => return Ok(None),
                Found::Value(value) => return Ok(Some(value)),
                Found::Layer(below) => root = below,
            }
            key.shift();
        }
        Ok(search_short::<S>(root, &key)?.0)
    }
}

/// Looks up in a layer a key that is longer than its slice.
#[inline(always)]
pub(in crate::index::tree) fn search_long<'g, S: Search>(
    root: NodeRef<'g>,
    key: &Key<'_>,
) -> Result<(Found<'g>, Reached<'g>), Stale> {
    let mut reached = reach::<S>(root, key.slice(), Lines::for_key(key))?;
    reached.leaf.prefetch_suffixes();
    // Ends: each round, a writer has changed the leaf.
    loop {
        if let Some(found) = reached.leaf.search_long::<S>(reached.version, key) {
            if let Found::Layer(below) = &found {
                // The descent loads the first two lines itself, at once.
                below.prefetch_tail();
            }
            return Ok((found, reached));
        }
        reached = move_right(reached.leaf, key.slice())?;
    }
}

/// Looks up in a layer a key that ends in its slice.
#[inline(always)]
pub(in crate::index::tree) fn search_short<'g, S: Search>(
    root: NodeRef<'g>,
    key: &Key<'_>,
) -> Result<(Option<u64>, Reached<'g>), Stale> {
    let mut reached = reach::<S>(root, key.slice(), Lines::First)?;
    // Ends: see `search_long`.
    loop {
        if let Some(value) = reached.leaf.search_short::<S>(reached.version, key) {
            return Ok((value, reached));
        }
        reached = move_right(reached.leaf, key.slice())?;
    }
}
