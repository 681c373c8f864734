//! congee's `U64Congee`, under a pin that is held and renewed. Its scan fills an array.

use congee::U64Congee;
use congee::epoch::{Guard, pin};

use crate::map::{Map, SCAN, Session, Turns, integer};

pub(crate) struct Congee(U64Congee<usize>);

pub(crate) struct Held<'t> {
    tree: &'t U64Congee<usize>,
    guard: Guard,
    turns: Turns,
    items: [([u8; 8], usize); SCAN],
}

impl Congee {
    pub(crate) fn new() -> Self {
        Self(U64Congee::new())
    }
}

impl Map for Congee {
    type Session<'m> = Held<'m>;

    fn session(&self) -> Held<'_> {
        Held {
            tree: &self.0,
            guard: pin(),
            turns: Turns::new(),
            items: [([0; 8], 0); SCAN],
        }
    }
}

impl Held<'_> {
    #[inline]
    fn turn(&mut self) {
        if self.turns.is_over() {
            self.guard.repin();
        }
    }
}

impl Session for Held<'_> {
    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u64> {
        self.turn();
        let value = self.tree.get(integer(key), &self.guard)?;
        Some(value as u64)
    }

    #[inline]
    fn put(&mut self, key: &[u8], value: u64) {
        self.turn();
        let old = self.tree.insert(integer(key), value as usize, &self.guard);
        assert!(old.is_ok(), "congee ran out of memory");
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) -> bool {
        self.turn();
        self.tree.remove(integer(key), &self.guard).is_some()
    }

    fn scan(&mut self, from: &[u8], mut visit: impl FnMut(&[u8], u64)) {
        self.turn();
        let from = integer(from);
        let found = self
            .tree
            .range(from, u64::MAX, &mut self.items, &self.guard);
        for (key, value) in &self.items[..found] {
            visit(key, *value as u64);
        }
    }

    fn scan_reverse(&mut self, _: &[u8], _: impl FnMut(&[u8], u64)) {
        unimplemented!("Peer::lacks says so");
    }
}
