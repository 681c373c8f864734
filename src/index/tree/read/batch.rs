//! Interleaves many descents: while the next node of one descent is loaded from memory, the
//! processor continues with the others.
//!
//! **Protocol.** That of `descend`, one node at a time: take the stable version of the
//! current node, then validate the node above it, from which it was reached; then search the
//! current node, and prefetch the lines of the next one. If a node has changed, the descent
//! is abandoned, and its key is looked up separately, from the root of the tree.

use arrayvec::ArrayVec;

use crate::index::key::Key;
use crate::index::node::{AnyNode, Found, Leaf, NodeRef, Search, Version, with_search};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::read::pipeline::ShortKey;
use crate::protocol::Line;

/// Number of descents in flight. From 16 to 48 the speed is the same, also when the descents
/// begin a few at a time so that they are at different depths: their number is not the limit.
const LANES: usize = 32;

/// Nodes below the root that a descent visits without waiting for its next turn: the upper
/// nodes are in the cache.
const HOT: u8 = 2;

/// Number of keys whose paths a batch of writes prefetches at once.
pub(crate) const PREFETCH_WINDOW: usize = 64;

/// A descent under way.
struct Lane<'g, 'k> {
    /// The index of its key.
    index: usize,
    key: Key<'k>,
    /// The node to search next; its lines are prefetched.
    node: NodeRef<'g>,
    /// The internode from which `node` was reached, and its version at that time. `None` for the
    /// root of a layer: the leaf with the link to it is not validated, since the root's own version
    /// says whether it is still a root.
    above: Option<(NodeRef<'g>, Version)>,
    /// How many more nodes the descent may visit in the same turn.
    hot: u8,
    /// Whether the current leaf's suffixes are prefetched.
    has_suffixes: bool,
    /// Whether the lane has no descent: its last one has ended, and all keys have begun.
    idle: bool,
}

/// The result of one step of a descent.
enum Step {
    /// The descent has reached another node.
    Continue,
    Done(Option<u64>),
    /// A node has changed.
    Changed,
}

impl Tree {
    /// Looks up `count` keys, which `key_at` returns (`None` skips one), and calls `found`
    /// with the index and the value of each, in no particular order.
    #[inline]
    pub(crate) fn get_each<'k>(
        &self,
        pin: Pinned<'_>,
        count: usize,
        key_at: impl Fn(usize) -> Option<Key<'k>>,
        mut found: impl FnMut(usize, Option<u64>),
    ) {
        self.admit(pin, &[]);
        with_search!(self.isa, S => {
            self.descend_each::<S, false>(pin, count, &key_at, |index, outcome| {
                let value = match outcome {
                    Some(value) => value,
                    None => key_at(index).and_then(|key| self.find_cold(pin, key)),
                };
                found(index, value);
            });
        });
    }

    /// [`Tree::get_each`] for short keys, in their order.
    #[inline]
    pub(crate) fn get_each_short(
        &self,
        pin: Pinned<'_>,
        count: usize,
        key_at: impl Fn(usize) -> ShortKey,
        mut found: impl FnMut(usize, Option<u64>),
    ) {
        self.admit(pin, &[]);
        let skip = |_, _| false;
        with_search!(self.isa, S => {
            self.descend_short::<S, false>(pin, count, &key_at, &skip, |index, arrival| {
                let key = arrival.key.key();
                let value = arrival
                    .reached
                    .and_then(|reached| reached.leaf.search_short::<S>(reached.version, &key));
                found(index, value.unwrap_or_else(|| self.find_cold(pin, key)));
            });
        });
    }

    /// Prefetches the nodes that writing these keys will touch.
    #[inline]
    pub(crate) fn prefetch_for_writes<'k>(
        &self,
        pin: Pinned<'_>,
        count: usize,
        key_at: impl Fn(usize) -> Option<Key<'k>>,
    ) {
        self.admit(pin, &[]);
        let done = |_, _| ();
        with_search!(self.isa, S => self.descend_each::<S, true>(pin, count, &key_at, done));
    }

    /// Descends for each key and calls `done` with its index and value, or with `None` if a node on
    /// the way has changed. With `PREFETCH`, descends only to load the nodes into the cache, and
    /// the values passed to `done` are meaningless.
    #[inline]
    fn descend_each<'g, 'k, S: Search, const PREFETCH: bool>(
        &self,
        pin: Pinned<'g>,
        count: usize,
        key_at: &impl Fn(usize) -> Option<Key<'k>>,
        mut done: impl FnMut(usize, Option<Option<u64>>),
    ) {
        let mut next = 0;
        let mut next_lane = || {
            while next < count {
                let index = next;
                next += 1;
                if let Some(key) = key_at(index) {
                    return Some(Lane::new(index, key, self.root(pin)));
                }
            }
            None
        };
        let mut lanes: ArrayVec<Lane<'g, 'k>, LANES> =
            std::iter::from_fn(&mut next_lane).take(LANES).collect();
        let mut busy = lanes.len();
        // Ends: each round moves every descent one node, or one layer, further down.
        while busy != 0 {
            for lane in &mut lanes {
                if lane.idle {
                    continue;
                }
                let outcome = match lane.step::<S, PREFETCH>() {
                    Step::Continue => continue,
                    Step::Done(value) => Some(value),
                    Step::Changed => None,
                };
                done(lane.index, outcome);
                match next_lane() {
                    Some(new) => *lane = new,
                    None => {
                        lane.idle = true;
                        busy -= 1;
                    }
                }
            }
        }
    }

    /// [`Tree::find`], not inlined.
    #[cold]
    fn find_cold(&self, pin: Pinned<'_>, key: Key<'_>) -> Option<u64> {
        self.find(pin, key)
    }
}

impl<'g, 'k> Lane<'g, 'k> {
    #[inline]
    fn new(index: usize, key: Key<'k>, root: NodeRef<'g>) -> Self {
        Self {
            index,
            key,
            node: root,
            above: None,
            hot: HOT,
            has_suffixes: false,
            idle: false,
        }
    }

    #[inline]
    fn step<S: Search, const PREFETCH: bool>(&mut self) -> Step {
        // Ends: each round moves one level down, at most `HOT` times.
        loop {
            let version = self.node.version().stable();
            let is_valid = match self.above {
                None => version.is_living_root() || !Line::BatchRootIsLiving.is_enabled(),
                Some((above, version)) => {
                    above.version().validate(version) || !Line::BatchParentIsValidated.is_enabled()
                }
            };
            if !is_valid {
                return Step::Changed;
            }
            let leaf = match self.node.kind_at(version) {
                AnyNode::Leaf(leaf) => leaf,
                AnyNode::Internode(internode) => {
                    let child = internode.child_for::<S>(self.key.slice());
                    self.above = Some((self.node, version));
                    self.node = child;
                    if self.hot != 0 {
                        self.hot -= 1;
                        continue;
                    }
                    if PREFETCH || self.key.has_suffix() {
                        child.prefetch_all();
                    } else {
                        child.prefetch();
                    }
                    return Step::Continue;
                }
            };
            return self.step_in_leaf::<S, PREFETCH>(leaf, version);
        }
    }

    #[inline]
    fn step_in_leaf<S: Search, const PREFETCH: bool>(
        &mut self,
        leaf: &'g Leaf,
        version: Version,
    ) -> Step {
        if self.key.has_suffix() && !self.has_suffixes {
            leaf.prefetch_suffixes();
            self.has_suffixes = true;
            return Step::Continue;
        }
        if PREFETCH && !self.key.has_suffix() {
            return Step::Done(None);
        }
        match leaf.search::<S>(version, &self.key) {
            None => Step::Changed,
            Some(Found::Absent) => Step::Done(None),
            Some(Found::Value(value)) => Step::Done(Some(value)),
            Some(Found::Layer(root)) => {
                root.prefetch_all();
                self.key.shift();
                self.node = root;
                self.above = None;
                self.has_suffixes = false;
                Step::Continue
            }
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    /// Keys of several layers, keys with long suffixes, and short keys.
    fn key(i: u64) -> Vec<u8> {
        let mixed = i.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
        match i % 4 {
            0 => mixed.to_vec(),
            1 => [&b"a shared prefix of some layers/"[..], &mixed].concat(),
            2 => [&mixed[..1], &b" and a suffix that is its own "[..], &mixed].concat(),
            _ => mixed[..3].to_vec(),
        }
    }

    fn assert_group(
        tree: &Tree,
        pin: Pinned<'_>,
        places: &[u64],
        expected: fn(u64) -> Option<u64>,
    ) {
        let keys: Vec<_> = places.iter().map(|&i| key(i)).collect();
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let mut values = vec![None; keys.len()];
        let key_at = |index: usize| Some(Key::new(keys[index]));
        tree.get_each(pin, keys.len(), key_at, |index, value| {
            assert_eq!(values[index].replace(value), None, "reported twice");
        });
        for (&i, value) in places.iter().zip(values) {
            assert_eq!(value, Some(expected(i)), "key {i}");
        }
    }

    /// Keys with residues 0 to 2 modulo 8 exist throughout, keys with residues 4 to 6 are
    /// inserted and removed by the writer, and keys from `8 * KEYS` on never exist. Put back:
    /// in `Lane::step`, do not validate the node above; or take the version of the current
    /// node after searching it.
    #[test]
    fn batches_find_stable_keys_under_a_writer() {
        const KEYS: u64 = 4000;
        const GROUP: usize = 2 * LANES + 5;
        let tree = Tree::new(None).unwrap();
        let put = |i: u64| tree.put(tree.guard().unwrap().pin(), &key(i), i).unwrap();
        (0..KEYS).step_by(8).for_each(|i| _ = put(i));
        (1..KEYS).step_by(8).for_each(|i| _ = put(i));
        (2..KEYS).step_by(8).for_each(|i| _ = put(i));
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let guard = tree.guard().unwrap();
                    // Residues 4 to 6 modulo 8: keys of all kinds but the short ones.
                    let fleeting = (0..KEYS).filter(|i| matches!(i % 8, 4..=6));
                    fleeting.clone().for_each(|i| {
                        tree.put(guard.pin(), &key(i), i).unwrap();
                    });
                    fleeting.for_each(|i| assert_eq!(tree.remove(guard.pin(), &key(i)), Some(i)));
                }
            });
            // Stops the writer also when an assertion fails, so that the test ends.
            let _stop = Stop(&stop);
            for round in 0..3000_u64 {
                let guard = tree.guard().unwrap();
                for start in (0..KEYS).step_by(8 * GROUP) {
                    let residue = round % 3;
                    let stable: Vec<u64> = (0..GROUP as u64)
                        .map(|i| start + 8 * i + residue)
                        .filter(|&i| i < KEYS)
                        .collect();
                    assert_group(&tree, guard.pin(), &stable, Some);
                    let never: Vec<u64> = stable.iter().map(|i| i + 8 * KEYS).collect();
                    assert_group(&tree, guard.pin(), &never, |_| None);
                }
            }
        });
    }

    struct Stop<'s>(&'s AtomicBool);

    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}
