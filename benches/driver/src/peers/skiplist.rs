//! crossbeam-skiplist's `SkipMap`, which pins in every call.

use std::ops::Bound;

use crossbeam_skiplist::SkipMap;

use crate::map::{Map, SCAN, Session, Stored};

pub(crate) struct Skiplist<K>(SkipMap<K, u64>);

impl<K> Skiplist<K> {
    pub(crate) fn new() -> Self {
        Self(SkipMap::new())
    }
}

impl<K: Stored> Map for Skiplist<K> {
    type Session<'m> = &'m SkipMap<K, u64>;

    fn session(&self) -> &SkipMap<K, u64> {
        &self.0
    }
}

impl<K: Stored> Session for &SkipMap<K, u64> {
    // 0.1.3: an insert over a key removes the entry first (crossbeam's issue 1023).
    const MAY_MISS_REPLACED: bool = true;

    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u64> {
        K::lookup(key, |key| {
            SkipMap::get(self, key).map(|entry| *entry.value())
        })
    }

    #[inline]
    fn put(&mut self, key: &[u8], value: u64) {
        self.insert(K::stored(key), value);
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) -> bool {
        K::lookup(key, |key| SkipMap::remove(self, key).is_some())
    }

    fn scan(&mut self, from: &[u8], mut visit: impl FnMut(&[u8], u64)) {
        K::lookup(from, |from| {
            let range = (Bound::Included(from), Bound::Unbounded);
            for entry in self.range::<K::Lookup, _>(range).take(SCAN) {
                entry.key().bytes(|key| visit(key, *entry.value()));
            }
        });
    }

    fn scan_reverse(&mut self, from: &[u8], mut visit: impl FnMut(&[u8], u64)) {
        K::lookup(from, |from| {
            let range = (Bound::Unbounded, Bound::Included(from));
            for entry in self.range::<K::Lookup, _>(range).rev().take(SCAN) {
                entry.key().bytes(|key| visit(key, *entry.value()));
            }
        });
    }
}
