//! scc's `TreeIndex`. A guard is held over the calls, and renewed, also where they take
//! one of their own, which then costs less.

use std::ops::Bound;

use scc::{Guard, TreeIndex};

use crate::map::{Map, SCAN, Session, Stored, Turns};

pub(crate) struct Tree<K>(TreeIndex<K, u64>);

pub(crate) struct Held<'t, K> {
    tree: &'t TreeIndex<K, u64>,
    guard: Option<Guard>,
    turns: Turns,
}

impl<K> Tree<K> {
    pub(crate) fn new() -> Self {
        Self(TreeIndex::new())
    }
}

impl<K: Stored> Map for Tree<K> {
    type Session<'m> = Held<'m, K>;

    fn session(&self) -> Held<'_, K> {
        Held {
            tree: &self.0,
            guard: Some(Guard::new()),
            turns: Turns::new(),
        }
    }
}

impl<K> Held<'_, K> {
    /// The guard, a new one now and then. The old one goes first: guards of a thread nest,
    /// and only the outermost lets memory go.
    #[inline]
    fn guard(&mut self) -> (&TreeIndex<K, u64>, &Guard) {
        if self.turns.is_over() {
            self.guard = None;
        }
        (self.tree, self.guard.get_or_insert_with(Guard::new))
    }
}

impl<K: Stored> Session for Held<'_, K> {
    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u64> {
        let (tree, guard) = self.guard();
        K::lookup(key, |key| tree.peek(key, guard).copied())
    }

    #[inline]
    fn put(&mut self, key: &[u8], value: u64) {
        let (tree, _) = self.guard();
        tree.upsert_sync(K::stored(key), value);
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) -> bool {
        let (tree, _) = self.guard();
        K::lookup(key, |key| tree.remove_sync(key))
    }

    fn scan(&mut self, from: &[u8], mut visit: impl FnMut(&[u8], u64)) {
        let (tree, guard) = self.guard();
        K::lookup(from, |from| {
            let range = (Bound::Included(from), Bound::Unbounded);
            let range = tree.range::<K::Lookup, _>(range, guard);
            for (key, value) in range.take(SCAN) {
                key.bytes(|key| visit(key, *value));
            }
        });
    }

    fn scan_reverse(&mut self, from: &[u8], mut visit: impl FnMut(&[u8], u64)) {
        let (tree, guard) = self.guard();
        K::lookup(from, |from| {
            let range = (Bound::Unbounded, Bound::Included(from));
            let range = tree.range::<K::Lookup, _>(range, guard);
            for (key, value) in range.rev().take(SCAN) {
                key.bytes(|key| visit(key, *value));
            }
        });
    }
}
