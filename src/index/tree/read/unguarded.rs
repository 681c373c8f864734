//! Look-ups of short keys without a guard.
//!
//! Such a look-up enters no guard: it writes nothing and executes no locked instruction. Nodes that
//! it reads may be freed meanwhile, and their memory reused for other nodes of the same tree.
//!
//! **Protocol.** The memory of a node stays readable until its tree is destroyed, its first word
//! stays a version word, and a pair of address and version never recurs (see `memory::pool` and
//! `node::version`). So a look-up may read a node at any time, and detects by its version that the
//! node was freed. It differs from a guarded one (see `descend`) as follows:
//!
//! - It loads the root word again after the root's version (`UnguardedRootIsStill`): the root's
//!   memory may have become the root of a layer. If the word is unchanged and the version validates
//!   later, then the node had this version when it was the root of the tree.
//! - It validates an internode before it accesses the child (`UnguardedChildIsKnown`): otherwise the
//!   word may not be that of a child. Then the pointer is one to memory of the tree's nodes. The
//!   internode is validated again after the child's version was loaded, as in any descent
//!   (`UnguardedChildIsStill`): if it is unchanged, the child was not freed yet, since a node is
//!   freed only after it has been removed from its parent.
//! - A clear is the exception: it changes no node of the tree that it removes, and these nodes are
//!   freed in any order. So at the end the look-up compares the number of clears
//!   (`UnguardedLooksForClears`).
//! - It follows no other pointer: neither links to layers or to the next leaf, nor suffixes.
//!
//! Every store that reuses a node's memory follows a release fence (`FenceOfReuse`), which follows
//! the node's removal from the tree. A look-up that has loaded such a store executes an acquire
//! fence before it compares a version or the number of clears, and so detects the removal.
//! A load deletes the leaf that was the root (`DisplacedIsDeleted`). If a bulk load was begun by one
//! thread and is continued by another, what the first has done happens before the stores of the
//! other: no processor makes these visible to a reader any earlier.
//!
//! A look-up that detects any change returns `None`, and the caller repeats it under a guard.
//! Linearization is that of guarded look-ups.
//!
//! Builds without pools free nodes at once: they have no unguarded look-ups.

use std::ptr::NonNull;

use super::observe::Clears;
use crate::index::key::Key;
use crate::index::memory::NODES_STAY_READABLE;
use crate::index::node::{
    AnyNode, Leaf, Lockable, Node, NodeRef, Observation, Search, Version, with_search,
};
use crate::index::tree::Tree;
#[cfg(debug_assertions)]
use crate::index::tree::updating::is_updating;
use crate::protocol::Line;
use crate::sync::{AtomicPtr, Ordering, perturb};

/// The result of a look-up.
struct Seen<'t> {
    value: Option<u64>,
    leaf: &'t Leaf,
    version: Version,
    incarnation: u64,
}

impl Tree {
    /// Looks a key up, and observes its leaf, without a guard. Returns `None` if the key is not
    /// short, or if a writer has interfered: then the caller looks the key up under a guard.
    #[inline(always)]
    pub(crate) fn get_unguarded(&self, key: &[u8]) -> Option<(Option<u64>, Observation)> {
        #[cfg(debug_assertions)]
        assert!(
            !is_updating(self),
            "an update callback must not use the tree"
        );
        let key = Key::new(key);
        if !NODES_STAY_READABLE || key.has_suffix() {
            return None;
        }
        let seen = with_search!(self.isa, S => {
            // SAFETY: the tree has pools.
            unsafe { look_up::<S>(&self.root, &self.clears, &key) }
        })?;
        let observation = Observation::of_address(seen.leaf, seen.version, seen.incarnation);
        Some((seen.value, observation))
    }
}

/// # Safety
/// The word points to the root of the tree with these clears. The memory of the tree's nodes stays
/// readable for `'t`.
#[inline(always)]
unsafe fn look_up<'t, S: Search>(
    root: &'t AtomicPtr<Node>,
    clears: &Clears,
    key: &Key<'_>,
) -> Option<Seen<'t>> {
    let incarnation = clears.ended();
    // SAFETY: as this function's contract.
    let (leaf, version) = unsafe { reach::<S, false>(root, key.slice()) }?;
    perturb();
    let value = leaf.search_short_unguarded::<S>(version, key)?;
    let is_cleared = Line::UnguardedLooksForClears.is_enabled() && !clears.none_since(incarnation);
    (!is_cleared).then_some(Seen {
        value,
        leaf,
        version,
        incarnation,
    })
}

/// Descends to the leaf that holds a slice. Returns `None` if a node on the way has changed. Prefetches
/// the whole leaf if it is to be `LOCKED`.
///
/// # Safety
/// As `look_up`.
#[inline(always)]
pub(in crate::index::tree) unsafe fn reach<S: Search, const LOCKED: bool>(
    root: &AtomicPtr<Node>,
    slice: u64,
) -> Option<(&Leaf, Version)> {
    // SAFETY: never null; each word of a root points to memory of a node.
    let top = unsafe { NodeRef::load(root).unwrap_unchecked() };
    perturb();
    let mut version = top.version().load();
    let is_still = root.load(Ordering::SeqCst) == top.as_ptr();
    if !version.is_clean()
        || !version.is_living_root()
        || !is_still && Line::UnguardedRootIsStill.is_enabled()
    {
        return None;
    }
    let mut internode = match top.kind_at(version) {
        AnyNode::Leaf(leaf) => return Some((leaf, version)),
        AnyNode::Internode(internode) => internode,
    };
    // Ends: each round reaches a lower level.
    loop {
        let word = internode.child_word::<S>(slice);
        perturb();
        if !internode.version().validate(version) && Line::UnguardedChildIsKnown.is_enabled() {
            return None;
        }
        // SAFETY: the word was that of a child, so it points to memory of a node.
        let child = unsafe { NodeRef::new(NonNull::new(word).unwrap_unchecked()) };
        match LOCKED && version.is_lowest() {
            true => child.prefetch_all(),
            false => child.prefetch_tail(),
        }
        perturb();
        let child_version = child.version().load();
        let is_child = internode.version().validate(version);
        if !child_version.is_clean() || !is_child && Line::UnguardedChildIsStill.is_enabled() {
            return None;
        }
        perturb();
        // SAFETY: the validated version says which kind the children are. Memory of a node is large
        // enough for either kind.
        unsafe {
            if version.is_lowest() {
                return Some((&*child.as_ptr().cast(), child_version));
            }
            internode = &*child.as_ptr().cast();
        }
        version = child_version;
    }
}

#[cfg(all(test, any(loom, shuttle)))]
mod models {
    #[cfg(loom)]
    use loom::{model as explore, sync::Arc, thread};
    #[cfg(shuttle)]
    use shuttle::thread;
    #[cfg(shuttle)]
    use std::sync::Arc;

    use super::*;
    use crate::index::key_source::KeySource;
    use crate::index::node::{Entry, Internode, Locked, Portable};
    #[cfg(shuttle)]
    use crate::index::tree::models::harness::{explore, explore_more};
    use crate::protocol::models::check;

    const KEY: &[u8] = b"A";
    #[cfg(shuttle)]
    const OTHER: &[u8] = b"B";

    /// Nodes of a tree, whose memory stays readable.
    struct Nodes {
        root: AtomicPtr<Node>,
        clears: Clears,
        internode: Internode,
        leaf: Leaf,
        spare: Leaf,
    }

    impl Nodes {
        /// A leaf that contains the key, under an internode or as the root; and a spare leaf that
        /// contains the key, too.
        fn new(is_root: bool) -> Arc<Self> {
            let nodes = Arc::new(Self {
                root: AtomicPtr::new(std::ptr::null_mut()),
                clears: Clears::new(),
                internode: Internode::new(),
                leaf: Leaf::new(),
                spare: Leaf::new(),
            });
            let mut leaf = Locked::private(&nodes.leaf);
            leaf.insert(
                0,
                &Entry::new(&Key::new(KEY)).with_value(1),
                &KeySource::NONE,
            );
            let mut spare = Locked::private(&nodes.spare);
            spare.insert(
                0,
                &Entry::new(&Key::new(KEY)).with_value(1),
                &KeySource::NONE,
            );
            spare.set_root(true, std::ptr::null_mut());
            let mut top = Locked::private(&nodes.internode);
            let root = if is_root {
                leaf.set_root(true, std::ptr::null_mut());
                NodeRef::from(&nodes.leaf)
            } else {
                let children = [&nodes.leaf, &nodes.spare].map(NodeRef::from);
                top.fill(&[u64::MAX], &children);
                top.set_root(true, std::ptr::null_mut());
                NodeRef::from(&nodes.internode)
            };
            drop((leaf, spare, top));
            nodes.root.store(root.as_ptr(), Ordering::SeqCst);
            nodes
        }

        fn set_root_to_spare(&self) {
            let root = NodeRef::from(&self.spare);
            self.root.store(root.as_ptr(), Ordering::SeqCst);
        }

        /// The key's value, `Some(None)` if it seems absent.
        fn get(&self) -> Option<Option<u64>> {
            // SAFETY: the nodes live as long as `self`.
            let seen = unsafe { look_up::<Portable>(&self.root, &self.clears, &Key::new(KEY)) };
            seen.map(|seen| seen.value)
        }

        /// Runs `change` beside a look-up, which must find the key or nothing at all.
        fn race(nodes: &Arc<Self>, change: fn(&Self)) {
            let reader = {
                let nodes = Arc::clone(nodes);
                thread::spawn(move || assert!(matches!(nodes.get(), None | Some(Some(1)))))
            };
            change(nodes);
            reader.join().unwrap();
        }
    }

    #[cfg(shuttle)]
    /// Ends a leaf that left the tree, and reuses it for one with another key.
    fn reuse(leaf: &Leaf, is_root: bool) {
        leaf.version().end();
        leaf.version().renew(Version::NEW_LEAF);
        let mut leaf = Locked::private(leaf);
        leaf.remove(0);
        leaf.insert(
            0,
            &Entry::new(&Key::new(OTHER)).with_value(2),
            &KeySource::NONE,
        );
        if is_root {
            leaf.set_root(true, std::ptr::null_mut());
        }
    }

    /// A root is replaced and freed, and its memory becomes the root of a layer.
    #[cfg(shuttle)]
    #[test]
    fn a_root_whose_memory_is_reused_is_not_taken_for_the_root() {
        check(&[Line::UnguardedRootIsStill], || {
            explore(|| {
                Nodes::race(&Nodes::new(true), |nodes| {
                    nodes.set_root_to_spare();
                    Locked::lock(&nodes.leaf).delete();
                    reuse(&nodes.leaf, true);
                });
            });
        });
    }

    /// An internode is freed, and a word of its memory is no pointer any more.
    #[cfg(loom)]
    #[test]
    fn no_word_of_a_freed_internode_is_followed() {
        let lines = [Line::UnguardedChildIsKnown, Line::FenceOfReuse];
        check(&lines, || {
            explore(|| {
                Nodes::race(&Nodes::new(false), |nodes| {
                    nodes.set_root_to_spare();
                    Locked::lock(&nodes.internode).delete();
                    nodes.internode.version().end();
                    // Following it panics.
                    nodes.internode.spoil_children();
                });
            });
        });
    }

    /// A leaf is removed from its parent, freed, and reused.
    #[cfg(shuttle)]
    #[test]
    fn no_leaf_that_left_its_parent_is_taken_for_another() {
        check(&[Line::UnguardedChildIsStill], || {
            explore_more(10, || {
                Nodes::race(&Nodes::new(false), |nodes| {
                    let mut internode = Locked::lock(&nodes.internode);
                    internode.mark_dirty();
                    internode.remove(0);
                    drop(internode);
                    Locked::lock(&nodes.leaf).delete();
                    reuse(&nodes.leaf, false);
                });
            });
        });
    }

    /// A clear changes no node; a leaf of the removed tree is reused before the internode above it
    /// is freed.
    #[cfg(shuttle)]
    #[test]
    fn no_leaf_of_a_cleared_tree_is_taken_for_another() {
        check(&[Line::UnguardedLooksForClears], || {
            explore(|| {
                Nodes::race(&Nodes::new(false), |nodes| {
                    nodes.clears.record(|| nodes.set_root_to_spare());
                    reuse(&nodes.leaf, false);
                });
            });
        });
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    /// Put back, and run with `--cfg masstree_perturb`: do not validate the internode before the child
    /// is accessed, or after its version was loaded.
    #[test]
    fn a_look_up_without_a_guard_finds_each_key_while_nodes_are_reused() {
        const KEYS: u64 = 64;
        let tree = Tree::new(None).unwrap();
        let put = |n: u64| {
            let guard = tree.guard().unwrap();
            assert!(tree.put(guard.pin(), &n.to_be_bytes(), n).is_ok());
        };
        // Each round removes and frees all leaves between two of the keys.
        let churn = |base: u64| {
            (1..40).for_each(|n| put(base + n));
            let guard = tree.guard().unwrap();
            for n in 1..40_u64 {
                _ = tree.remove(guard.pin(), &(base + n).to_be_bytes());
            }
            guard.pin().flush();
        };
        (0..KEYS).for_each(|n| put(n << 32));
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let readers = [0, 1].map(|first| {
                let (tree, over) = (&tree, &over);
                scope.spawn(move || {
                    let mut found = 0;
                    while !over.load(Ordering::Relaxed) {
                        for n in (first..KEYS).map(|n| n << 32) {
                            if let Some((value, _)) = tree.get_unguarded(&n.to_be_bytes()) {
                                assert_eq!(value, Some(n));
                                found += 1;
                            }
                        }
                    }
                    found
                })
            });
            for round in 0..2000_u64 {
                churn((round % KEYS) << 32);
            }
            over.store(true, Ordering::Relaxed);
            let found = readers.map(|reader| reader.join().unwrap());
            assert_eq!(found.iter().all(|&found| found > 0), NODES_STAY_READABLE);
        });
        assert_eq!(tree.get_unguarded(b"a key with a suffix").map(|_| ()), None);
    }
}
