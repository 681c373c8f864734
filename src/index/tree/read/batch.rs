//! Many descents at once, interleaved: while the processor waits for the next node of
//! one, it goes on with the others.
//!
//! **Protocol.** That of `descend`, one node at a time: the stable version of the node at
//! hand is taken, then the node above, which led to it, is validated; then the node at
//! hand is searched, and the lines of the next one asked for. A descent that finds
//! something changed is given up, and its look-up done on its own, from the top.

use arrayvec::ArrayVec;

use crate::index::key::Key;
use crate::index::node::{AnyNode, Found, Leaf, NodeRef, Search, Version, with_search};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::protocol::Line;

/// Descents under way at once. From 16 to 48, and also when they begin a few at a time so as
/// to be at different depths, the speed is the same: what limits it is not their number.
const LANES: usize = 32;

/// Nodes below the root that a descent goes to without waiting for its next turn: the upper
/// ones are in the cache.
const HOT: u8 = 2;

/// Keys whose paths are warmed at once for writes.
pub(crate) const WARMED: usize = 64;

/// A descent under way.
struct Lane<'g, 'k> {
    /// Which of the keys it is for.
    place: usize,
    key: Key<'k>,
    /// The node to be searched next, whose lines were asked for.
    node: NodeRef<'g>,
    /// What led to it, as it was then; nothing leads to the root of a layer that could
    /// tell.
    above: Option<(NodeRef<'g>, Version)>,
    /// Nodes that it may still go to in the same turn.
    hot: u8,
    /// Whether the suffixes of the leaf at hand were asked for.
    has_suffixes: bool,
    /// Whether it is done, and there was no further key to begin with.
    idle: bool,
}

/// What a step of a descent came to.
enum Step {
    /// Another node.
    On,
    Done(Option<u64>),
    /// Something changed.
    Lost,
}

impl Tree {
    /// Looks up `count` keys, which `key_at` gives (none: it is left out), and tells
    /// `found` what is under each, in no particular order.
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
            self.descend_each::<S, false>(pin, count, &key_at, |place, outcome| {
                let value = match outcome {
                    Some(value) => value,
                    None => key_at(place).and_then(|key| self.find_alone(pin, key)),
                };
                found(place, value);
            });
        });
    }

    /// Has the processor read what writes under these keys are going to read.
    #[inline]
    pub(crate) fn warm<'k>(
        &self,
        pin: Pinned<'_>,
        count: usize,
        key_at: impl Fn(usize) -> Option<Key<'k>>,
    ) {
        self.admit(pin, &[]);
        let done = |_, _| ();
        with_search!(self.isa, S => self.descend_each::<S, true>(pin, count, &key_at, done));
    }

    /// Descends for each key and tells `done` what is under it, unless the descent got
    /// lost; to `WARM` is to go down for what is there, not what it says.
    #[inline(always)]
    fn descend_each<'g, 'k, S: Search, const WARM: bool>(
        &self,
        pin: Pinned<'g>,
        count: usize,
        key_at: &impl Fn(usize) -> Option<Key<'k>>,
        mut done: impl FnMut(usize, Option<Option<u64>>),
    ) {
        let mut next = 0;
        let mut next_lane = || {
            while next < count {
                let place = next;
                next += 1;
                if let Some(key) = key_at(place) {
                    return Some(Lane::new(place, key, self.root(pin)));
                }
            }
            None
        };
        let mut lanes: ArrayVec<Lane<'g, 'k>, LANES> =
            std::iter::from_fn(&mut next_lane).take(LANES).collect();
        let mut busy = lanes.len();
        // Ends: each round leads every descent one node, or layer, further down.
        while busy != 0 {
            for lane in &mut lanes {
                if lane.idle {
                    continue;
                }
                let outcome = match lane.step::<S, WARM>() {
                    Step::On => continue,
                    Step::Done(value) => Some(value),
                    Step::Lost => None,
                };
                done(lane.place, outcome);
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

    #[cold]
    fn find_alone(&self, pin: Pinned<'_>, key: Key<'_>) -> Option<u64> {
        self.find(pin, key)
    }
}

impl<'g, 'k> Lane<'g, 'k> {
    #[inline(always)]
    fn new(place: usize, key: Key<'k>, root: NodeRef<'g>) -> Self {
        Self {
            place,
            key,
            node: root,
            above: None,
            hot: HOT,
            has_suffixes: false,
            idle: false,
        }
    }

    #[inline(always)]
    fn step<S: Search, const WARM: bool>(&mut self) -> Step {
        // Ends: goes down, a few times.
        loop {
            let version = self.node.version().stable();
            let is_right = match self.above {
                None => version.is_living_root() || !Line::BatchRootIsLiving.is_enabled(),
                Some((above, version)) => {
                    above.version().validate(version) || !Line::BatchParentIsValidated.is_enabled()
                }
            };
            if !is_right {
                return Step::Lost;
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
                    if WARM || self.key.has_suffix() {
                        child.prefetch_all();
                    } else {
                        child.prefetch();
                    }
                    return Step::On;
                }
            };
            return self.step_in_leaf::<S, WARM>(leaf, version);
        }
    }

    #[inline(always)]
    fn step_in_leaf<S: Search, const WARM: bool>(
        &mut self,
        leaf: &'g Leaf,
        version: Version,
    ) -> Step {
        if self.key.has_suffix() && !self.has_suffixes {
            leaf.prefetch_suffixes();
            self.has_suffixes = true;
            return Step::On;
        }
        if WARM && !self.key.has_suffix() {
            return Step::Done(None);
        }
        match leaf.search::<S>(version, &self.key) {
            None => Step::Lost,
            Some(Found::Absent) => Step::Done(None),
            Some(Found::Value(value)) => Step::Done(Some(value)),
            Some(Found::Layer(root)) => {
                root.prefetch_all();
                self.key.shift();
                self.node = root;
                self.above = None;
                self.has_suffixes = false;
                Step::On
            }
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    /// Keys of several layers, long suffixes, and short ones.
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
        let key_at = |place: usize| Some(Key::new(keys[place]));
        tree.get_each(pin, keys.len(), key_at, |place, value| {
            assert_eq!(values[place].replace(value), None, "told twice");
        });
        for (&i, value) in places.iter().zip(values) {
            assert_eq!(value, Some(expected(i)), "key {i}");
        }
    }

    /// Even places are there throughout, odd ones of the writer's half come and go, those
    /// of the other half are never there. Put back: in `Lane::step`, do not validate what
    /// is above; or take the version of the node at hand after it was searched.
    #[test]
    fn groups_find_what_is_there_throughout_while_others_come_and_go() {
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
                    // Other residues of 8: keys of all kinds but the short ones.
                    let fleeting = (0..KEYS).filter(|i| matches!(i % 8, 4..=6));
                    fleeting.clone().for_each(|i| {
                        tree.put(guard.pin(), &key(i), i).unwrap();
                    });
                    fleeting.for_each(|i| assert_eq!(tree.remove(guard.pin(), &key(i)), Some(i)));
                }
            });
            // Also when an assertion fails: the other thread ends, and the test with it.
            let _stop = Stop(&stop);
            for round in 0..3000_u64 {
                let guard = tree.guard().unwrap();
                for start in (0..KEYS).step_by(8 * GROUP) {
                    let residue = round % 3;
                    let there: Vec<u64> = (0..GROUP as u64)
                        .map(|i| start + 8 * i + residue)
                        .filter(|&i| i < KEYS)
                        .collect();
                    assert_group(&tree, guard.pin(), &there, Some);
                    let never: Vec<u64> = there.iter().map(|i| i + 8 * KEYS).collect();
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
