//! std's `BTreeMap` in a `RwLock`: locked to read, or to write, in every call.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::RwLock;

use crate::map::{Map, SCAN, Session, Stored};

pub(crate) struct Locked<K>(RwLock<BTreeMap<K, u64>>);

impl<K> Locked<K> {
    pub(crate) fn new() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }
}

impl<K: Stored> Map for Locked<K> {
    type Session<'m> = &'m Locked<K>;

    fn session(&self) -> &Locked<K> {
        self
    }
}

const POISONED: &str = "no thread panics while it holds the lock";

impl<K: Stored> Session for &Locked<K> {
    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u64> {
        K::lookup(key, |key| self.0.read().expect(POISONED).get(key).copied())
    }

    #[inline]
    fn put(&mut self, key: &[u8], value: u64) {
        let key = K::stored(key);
        self.0.write().expect(POISONED).insert(key, value);
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) -> bool {
        K::lookup(key, |key| {
            self.0.write().expect(POISONED).remove(key).is_some()
        })
    }

    fn scan(&mut self, from: &[u8], mut visit: impl FnMut(&[u8], u64)) {
        K::lookup(from, |from| {
            let map = self.0.read().expect(POISONED);
            let range = (Bound::Included(from), Bound::Unbounded);
            for (key, value) in map.range::<K::Lookup, _>(range).take(SCAN) {
                key.bytes(|key| visit(key, *value));
            }
        });
    }

    fn scan_reverse(&mut self, from: &[u8], mut visit: impl FnMut(&[u8], u64)) {
        K::lookup(from, |from| {
            let map = self.0.read().expect(POISONED);
            let range = (Bound::Unbounded, Bound::Included(from));
            for (key, value) in map.range::<K::Lookup, _>(range).rev().take(SCAN) {
                key.bytes(|key| visit(key, *value));
            }
        });
    }
}
