//! What a versioned tree must answer: a map of maps, and a list of range tombstones.

use std::collections::BTreeMap;

use masstree::ffi::versioned::write::*;

/// A key, a number, a kind, a value.
pub(crate) type Row = (Vec<u8>, u64, u32, Vec<u8>);

/// The versions of a key: number to kind and value.
pub(crate) type OfKey = BTreeMap<u64, (u32, Vec<u8>)>;

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) keys: BTreeMap<Vec<u8>, OfKey>,
    pub(crate) ranges: Vec<(Vec<u8>, Vec<u8>, u64)>,
    pub(crate) floor: u64,
    pub(crate) highest: u64,
    pub(crate) digests: u64,
}

pub(crate) fn is_tombstone(kind: u32) -> bool {
    kind == MASSTREE_VERSION_TOMBSTONE || kind == MASSTREE_VERSION_WEAK_TOMBSTONE
}

impl Model {
    pub(crate) fn cover(&self, key: &[u8], number: u64) -> u64 {
        let covers = self
            .ranges
            .iter()
            .filter(|(lower, upper, of)| &lower[..] <= key && key < &upper[..] && *of <= number);
        covers.map(|range| range.2).max().unwrap_or(0)
    }

    pub(crate) fn operands(&self, key: &[u8], number: u64) -> Vec<Row> {
        let cover = self.cover(key, number);
        let mut rows = Vec::new();
        for (&of, (kind, value)) in self
            .keys
            .get(key)
            .into_iter()
            .flat_map(|v| v.range(..=number).rev())
        {
            if of < cover {
                break;
            }
            rows.push((key.to_vec(), of, *kind, value.clone()));
            if *kind != MASSTREE_VERSION_MERGE {
                break;
            }
        }
        rows
    }

    pub(crate) fn visible(&self, number: u64) -> Vec<Row> {
        let newest = |key: &Vec<u8>| self.operands(key, number).into_iter().next();
        let rows = self.keys.keys().filter_map(newest);
        rows.filter(|row| !is_tombstone(row.2)).collect()
    }

    pub(crate) fn versions(&self) -> Vec<Row> {
        let rows = self.keys.iter().flat_map(|(key, versions)| {
            let of_key = versions.iter().rev();
            of_key.map(|(&number, (kind, value))| (key.clone(), number, *kind, value.clone()))
        });
        rows.collect()
    }

    pub(crate) fn trim(&mut self, floor: u64, snapshots: &[u64]) {
        let points: Vec<u64> = (snapshots.iter().copied())
            .filter(|&at| at < floor)
            .chain([floor])
            .collect();
        let mut kept = BTreeMap::new();
        for (key, versions) in &self.keys {
            let mut needed = versions.clone().split_off(&(floor + 1));
            for &point in &points {
                for (_, number, kind, value) in self.operands(key, point) {
                    needed.insert(number, (kind, value));
                }
            }
            while let Some(oldest) = needed.first_entry() {
                if *oldest.key() > floor || !is_tombstone(oldest.get().0) {
                    break;
                }
                oldest.remove();
            }
            if !needed.is_empty() {
                kept.insert(key.clone(), needed);
            }
        }
        self.keys = kept;
        self.floor = self.floor.max(floor);
    }
}
