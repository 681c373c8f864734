//! Holding a short key without a guard.
//!
//! **Protocol.** The hold descends as a look-up without a guard does (see `read::unguarded`), and locks
//! the leaf only if it still has the version at which the descent reached it. A pair of address and
//! version never recurs, so the leaf is the one that was reached, and it has not left the tree by any
//! operation that locks it. Then the hold compares the number of clearings, as every hold does (see
//! `held`).
//!
//! As long as this thread has the leaf's lock, no other thread changes the leaf or frees it: every
//! operation that takes a leaf out of the tree locks it, except a clear; and the thread that frees a
//! cleared tree takes the lock of each leaf before it frees it, and holds back a leaf whose lock
//! another thread has (`FreedLeafIsLocked`, see `freeing`). So `finish_unguarded` may change
//! the leaf. It must not follow a pointer out of it, though: in a cleared tree, the leaf's parent and
//! neighbours may be freed.
//!
//! What needs one of these, or retires memory or a value, needs a guard: a split, a remove of the
//! leaf's last entry or from a leaf with a bag, and the destruction of a displaced value. For it the
//! caller enters a guard, while the leaf is locked, executes a SeqCst fence, and then compares the
//! number of clearings once more ([`Tree::is_overtaken`]). A clear counts itself before it retires the
//! old tree, and seize executes a fence or a `membarrier` before it looks for guards: if no clearing
//! has begun, then none that begins later is freed before the guard is left, and the hold continues
//! as one with a guard.
//!
//! A thread that finds that a clearing has overtaken its hold unlocks the leaf, and then frees the
//! leaves that were held back, among them its own (`HeldBackIsFreed`). A thread that finishes just
//! before a clearing does not look: if the tree was freed in between, the leaf stays until the next
//! such thread, the next clear, or the end of the tree.

use std::hint::assert_unchecked;

use super::engine::Decision;
use super::held::Overtaken;
use super::held_short::{FullLeaf, HeldShort, with_room};
use super::short::{Short, search_locked};
use crate::index::key::{Key, Kind, SLICE_LEN};
use crate::index::memory::{NODES_STAY_READABLE, own_stripe};
use crate::index::node::{Leaf, Locked, NodeRef, Search, WIDTH, with_search};
use crate::index::tree::Tree;
use crate::index::tree::freeing::free_held_back;
use crate::index::tree::holding::Holder;
use crate::index::tree::read::unguarded::reach;
use crate::index::value::KindId;
use crate::protocol::Line;
use crate::sync::perturb;

impl Tree {
    /// [`Tree::hold_short`] without a guard. What is returned is valid while the leaf is locked.
    // inline(always): as `hold_short`.
    #[inline(always)]
    pub(crate) fn hold_unguarded<'t, 'k>(
        &'t self,
        bytes: &'k [u8],
        may_insert: bool,
        holder: &Holder,
        kept_in: *const (),
    ) -> Result<(HeldShort<'t>, Option<u64>), Option<FullLeaf<'t, 'k>>> {
        debug_assert!(self.holds(KindId::WORDS));
        let key = Key::new(bytes);
        if !NODES_STAY_READABLE || key.has_suffix() {
            return Err(None);
        }
        let incarnation = self.incarnation();
        let locked = with_search!(self.isa, S => self.lock_unguarded::<S>(&key, may_insert));
        let in_tree = |leaf| match self.is_overtaken(incarnation) {
            true if Line::HoldLooksForClears.is_enabled() => {
                self.release_overtaken(leaf);
                None
            }
            _ => Some(leaf),
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

    #[inline(always)]
    fn lock_unguarded<S: Search>(&self, key: &Key<'_>, may_insert: bool) -> Short<'_> {
        self.must_not_hold();
        // SAFETY: the tree has pools.
        let Some((leaf, version)) = (unsafe { reach::<S, true>(&self.root, key.slice()) }) else {
            return Short::Unlocked;
        };
        perturb();
        let Some(leaf) = Locked::lock_unchanged(leaf, version) else {
            return Short::Unlocked;
        };
        // Only for a guard to remember the leaf: there is none.
        let root = NodeRef::from(leaf.node());
        match may_insert {
            true => search_locked::<S, false>(leaf, key, root),
            false => search_locked::<S, true>(leaf, key, root),
        }
    }

    /// Whether the tree was cleared after that many clearings.
    #[inline(always)]
    pub(crate) fn is_overtaken(&self, incarnation: u64) -> bool {
        !self.clears.none_since(incarnation)
    }

    /// Unlocks a leaf that was locked without a guard, in a tree that was cleared.
    #[cold]
    #[inline(never)]
    pub(crate) fn release_overtaken(&self, leaf: Locked<'_, Leaf>) {
        drop(leaf);
        free_held_back(self.domain());
    }

    /// [`Tree::finish_short`] for a leaf that [`Tree::hold_unguarded`] has locked. Returns `None`, and
    /// has changed nothing, if this needs a guard; it does to destroy a displaced value, if `destroys`.
    ///
    /// # Safety
    /// The hold is finished once, by the thread that began it. Only a hold that
    /// [can set](HeldShort::can_set) the key is finished with [`Decision::Set`].
    #[inline(always)]
    pub(crate) unsafe fn finish_unguarded(
        &self,
        held: &HeldShort<'_>,
        decision: Decision,
        destroys: bool,
        holder: &Holder,
    ) -> Option<Result<Option<u64>, Overtaken>> {
        // SAFETY: the leaf is locked.
        let leaf = unsafe { held.leaf.as_ref() };
        let needs_guard = match decision {
            Decision::Keep => false,
            Decision::Set(_) => held.is_present && destroys,
            Decision::Remove => {
                held.is_present
                    && (destroys || leaf.bag().is_some() || leaf.permutation().len() == 1)
            }
        };
        let is_overtaken =
            Line::FinishLooksForClears.is_enabled() && self.is_overtaken(held.incarnation);
        if needs_guard && !is_overtaken {
            return None;
        }
        holder.end();
        // SAFETY: locked by `hold_unguarded`.
        let leaf = unsafe { Locked::resume(leaf, held.version) };
        if is_overtaken {
            self.clears.wait_if_any_since(held.incarnation);
            self.release_overtaken(leaf);
            return Some(Err(Overtaken));
        }
        // SAFETY: by contract.
        Some(Ok(unsafe { self.apply_unguarded(leaf, held, decision) }))
    }

    /// Applies a decision that needs no guard; returns the value before.
    ///
    /// # Safety
    /// As [`Tree::finish_unguarded`].
    #[inline(always)]
    unsafe fn apply_unguarded(
        &self,
        mut leaf: Locked<'_, Leaf>,
        held: &HeldShort<'_>,
        decision: Decision,
    ) -> Option<u64> {
        let era = leaf.era();
        let tally = self.domain().memory.tally();
        if held.is_present {
            let slot = held.slot_or_position;
            // SAFETY: the position is a slot.
            unsafe { assert_unchecked(slot < WIDTH) };
            let value = leaf.value_in(slot);
            match decision {
                Decision::Keep => drop(leaf),
                Decision::Set(new) => _ = leaf.replace(slot, new),
                Decision::Remove => {
                    let position = leaf.permutation().position_of(slot);
                    leaf.remove(position);
                    drop(leaf);
                    tally.add_keys(own_stripe(), era, -1);
                }
            }
            return Some(value);
        }
        if let Decision::Set(value) = decision {
            held.check_key();
            // SAFETY: `hold_unguarded` holds no other kind.
            unsafe { assert_unchecked(held.kind <= SLICE_LEN as Kind) };
            let key = Key::short(held.slice, held.kind);
            // SAFETY: by contract, the key was held for an insert, which happens only in a leaf that is
            // not full; the leaf has been locked since.
            unsafe { leaf.insert_short(held.slot_or_position, &key, value) };
            drop(leaf);
            tally.add_keys(own_stripe(), era, 1);
        }
        None
    }
}

#[cfg(all(test, shuttle))]
mod models {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use shuttle::thread;

    use super::*;
    use crate::index::key_source::KeySource;
    use crate::index::node::{Chain, Entry, Node, Portable, SharedChain, Version};
    use crate::index::tree::freeing::{free_found, free_unheld};
    use crate::index::tree::models::harness::explore_more;
    use crate::index::tree::read::observe::Clears;
    use crate::protocol::models::check;
    use crate::sync::{AtomicPtr, Ordering};

    /// A tree of one leaf, whose memory stays readable, and the root after a clear.
    struct Nodes {
        root: AtomicPtr<Node>,
        clears: Clears,
        leaf: Leaf,
        spare: Leaf,
        held_back: SharedChain,
        frees: AtomicUsize,
    }

    fn entry(key: &[u8], value: u64) -> Entry<'_> {
        Entry::new(&Key::new(key)).with_value(value)
    }

    impl Nodes {
        fn new() -> Arc<Self> {
            let nodes = Arc::new(Self {
                root: AtomicPtr::new(std::ptr::null_mut()),
                clears: Clears::new(),
                leaf: Leaf::new(),
                spare: Leaf::new(),
                held_back: SharedChain::new(),
                frees: AtomicUsize::new(0),
            });
            for leaf in [&nodes.leaf, &nodes.spare] {
                Locked::private(leaf).set_root(true, std::ptr::null_mut());
            }
            nodes
                .root
                .store(NodeRef::from(&nodes.leaf).as_ptr(), Ordering::SeqCst);
            nodes
        }

        /// Frees the leaf, and reuses its memory for a leaf with another key.
        fn free(&self, node: NodeRef<'_>) {
            self.frees.fetch_add(1, Ordering::SeqCst);
            node.version().end();
            node.version().renew(Version::NEW_LEAF);
            let mut leaf = Locked::private(&self.leaf);
            while !leaf.permutation().is_empty() {
                leaf.remove(0);
            }
            leaf.insert(0, &entry(b"other", 2), &KeySource::NONE);
        }

        fn free_found(&self) {
            free_found(&self.held_back, |_, node| self.free(node));
        }

        /// Inserts a key through a hold. Returns whether a clear has overtaken the hold.
        fn hold_and_insert(&self) -> bool {
            let incarnation = self.clears.ended();
            let key = Key::new(b"key");
            // SAFETY: the nodes live as long as `self`.
            let reached = unsafe { reach::<Portable, true>(&self.root, key.slice()) };
            let Some((leaf, version)) = reached else {
                return false;
            };
            let Some(mut leaf) = Locked::lock_unchanged(leaf, version) else {
                return false;
            };
            for _ in ["hold", "finish"] {
                if !self.clears.none_since(incarnation) {
                    drop(leaf);
                    self.free_found();
                    return true;
                }
                thread::yield_now();
            }
            leaf.insert(0, &entry(b"key", 1), &KeySource::NONE);
            false
        }

        fn clear(&self) {
            let spare = NodeRef::from(&self.spare).as_ptr();
            self.clears
                .record(|| self.root.store(spare, Ordering::SeqCst));
            let mut chain = Chain::EMPTY;
            chain.push(NodeRef::from(&self.leaf));
            free_unheld(&self.held_back, chain, |_, node| self.free(node));
        }

        fn keys(leaf: &Leaf) -> usize {
            leaf.permutation().len()
        }
    }

    /// A thread holds a leaf of a tree that is cleared and freed. It changes no memory that was
    /// reused, and the leaf is freed once.
    #[test]
    fn a_leaf_held_without_a_guard_is_not_freed() {
        check(&[Line::FreedLeafIsLocked, Line::HeldBackIsFreed], || {
            explore_more(4, || {
                let nodes = Nodes::new();
                let holder = {
                    let nodes = Arc::clone(&nodes);
                    thread::spawn(move || nodes.hold_and_insert())
                };
                nodes.clear();
                let is_overtaken = holder.join().unwrap();
                let frees = || nodes.frees.load(Ordering::SeqCst);
                if !is_overtaken && frees() == 0 {
                    // The holder has finished without looking.
                    nodes.free_found();
                }
                assert_eq!(frees(), 1);
                assert_eq!(Nodes::keys(&nodes.leaf), 1, "only the other key");
                assert!(Nodes::keys(&nodes.spare) <= 1);
            });
        });
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::thread;

    use super::*;
    use crate::index::tree::with_holder;

    /// Threads hold keys, without guards, of a tree that another thread fills and clears. Put back, in
    /// a build with `--cfg masstree_perturb`: free leaves that are locked.
    #[test]
    fn holds_without_guards_survive_clears() {
        const KEYS: u64 = 200;
        let tree = Tree::new(None).unwrap();
        let (over, held) = (AtomicBool::new(false), AtomicU64::new(0));
        let hold = |n: u64, decision: Decision| {
            with_holder(|holder| {
                let key = n.to_be_bytes();
                let kept_in = std::ptr::null();
                match tree.hold_unguarded(&key, true, holder, kept_in) {
                    Ok((place, found)) => {
                        assert!(found.is_none_or(|value| value == n));
                        // SAFETY: finished once, by this thread.
                        let finished =
                            unsafe { tree.finish_unguarded(&place, decision, false, holder) };
                        match finished {
                            Some(_) => _ = held.fetch_add(1, Ordering::Relaxed),
                            None => {
                                // SAFETY: as above.
                                let kept = unsafe {
                                    tree.finish_unguarded(&place, Decision::Keep, false, holder)
                                };
                                assert!(kept.is_some());
                            }
                        }
                    }
                    Err(Some(full)) => tree.release_overtaken(full.into_leaf()),
                    Err(None) => {}
                }
            });
        };
        thread::scope(|scope| {
            for first in [0, 1] {
                let (over, hold) = (&over, &hold);
                scope.spawn(move || {
                    let mut n = first;
                    while !over.load(Ordering::Relaxed) {
                        n = (n * 7 + 3) % KEYS;
                        hold(n, Decision::Set(n));
                        hold((n + 1) % KEYS, Decision::Remove);
                    }
                });
            }
            for _ in 0..300 {
                let guard = tree.guard().unwrap();
                for n in 0..KEYS {
                    assert!(tree.put(guard.pin(), &n.to_be_bytes(), n).is_ok());
                }
                tree.clear(guard.pin()).unwrap();
                drop(guard);
                tree.guard().unwrap().pin().flush();
            }
            over.store(true, Ordering::Relaxed);
        });
        assert_eq!(held.into_inner() > 0, NODES_STAY_READABLE);
        let guard = tree.guard().unwrap();
        let sound = tree.check(guard.pin(), &mut |line| panic!("{line}"));
        assert_eq!(sound, Ok(true));
    }
}
