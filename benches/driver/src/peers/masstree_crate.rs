//! The `masstree` crate: a tree with inline values, under a guard that is held and
//! refreshed. Scans through `scan_intra_leaf_batch` and `scan_rev_batch`, the faster of
//! its visitors.

use masstree_crate::{MassTree, RangeBound};
use seize::LocalGuard;

use crate::map::{Map, SCAN, Session, Turns};

pub(crate) struct Crate(MassTree<u64>);

pub(crate) struct Held<'t> {
    tree: &'t MassTree<u64>,
    guard: LocalGuard<'t>,
    turns: Turns,
}

impl Crate {
    pub(crate) fn new() -> Self {
        Self(MassTree::new())
    }
}

impl Map for Crate {
    type Session<'m> = Held<'m>;

    fn session(&self) -> Held<'_> {
        Held {
            tree: &self.0,
            guard: self.0.guard(),
            turns: Turns::new(),
        }
    }
}

impl Held<'_> {
    #[inline]
    fn turn(&mut self) {
        if self.turns.is_over() {
            seize::Guard::refresh(&mut self.guard);
        }
    }
}

/// Calls `visit`, `SCAN` times at most.
#[inline]
fn limited(mut visit: impl FnMut(&[u8], u64)) -> impl FnMut(&[u8], u64) -> bool {
    let mut left = SCAN;
    move |key, value| {
        visit(key, value);
        left -= 1;
        left > 0
    }
}

impl Session for Held<'_> {
    // 0.9.5: a scan from `RangeBound::Included(key)` begins after the key if part of the
    // key is stored as a suffix (the user keys and the URLs), by whichever function.
    const MAY_SKIP_START: bool = true;

    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u64> {
        self.turn();
        self.tree.get_with_guard(key, &self.guard)
    }

    #[inline]
    fn put(&mut self, key: &[u8], value: u64) {
        self.turn();
        self.tree.insert_with_guard(key, value, &self.guard);
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) -> bool {
        self.turn();
        let removed = self.tree.remove_with_guard(key, &self.guard);
        matches!(removed, Ok(Some(_)))
    }

    #[inline]
    fn scan(&mut self, from: &[u8], visit: impl FnMut(&[u8], u64)) {
        self.turn();
        let (from, to) = (RangeBound::Included(from), RangeBound::Unbounded);
        self.tree
            .scan_intra_leaf_batch(from, to, limited(visit), &self.guard);
    }

    #[inline]
    fn scan_reverse(&mut self, from: &[u8], visit: impl FnMut(&[u8], u64)) {
        self.turn();
        let (from, to) = (RangeBound::Unbounded, RangeBound::Included(from));
        self.tree
            .scan_rev_batch(from, to, limited(visit), &self.guard);
    }
}
