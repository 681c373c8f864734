//! What a versioned tree must answer: an ordered map of keys to numbers to versions, and a list of
//! range tombstones.

use std::collections::BTreeMap;

use super::*;

/// A key, a number, a kind and bytes.
pub(super) type Row = (Vec<u8>, u64, Kind, Vec<u8>);

type OfKey = BTreeMap<u64, (Kind, Vec<u8>)>;

#[derive(Default)]
pub(super) struct Oracle {
    pub(super) keys: BTreeMap<Vec<u8>, OfKey>,
    pub(super) ranges: Vec<(Vec<u8>, Vec<u8>, u64)>,
    pub(super) floor: u64,
    pub(super) highest: u64,
}

impl Oracle {
    /// Returns the greatest number, of at most `number`, of the range tombstones over a key.
    pub(super) fn cover(&self, key: &[u8], number: u64) -> u64 {
        let covering = (self.ranges.iter())
            .filter(|(lower, upper, of)| {
                lower.as_slice() <= key && key < upper.as_slice() && *of <= number
            })
            .map(|(_, _, of)| *of);
        covering.max().unwrap_or(0)
    }

    /// Returns what a reader merges, the newest first; a tombstone may be the last.
    pub(super) fn operands(&self, key: &[u8], number: u64) -> Vec<Row> {
        let cover = self.cover(key, number);
        let mut operands = Vec::new();
        let Some(versions) = self.keys.get(key) else {
            return operands;
        };
        for (&of, (kind, bytes)) in versions.range(..=number).rev() {
            if of < cover {
                break;
            }
            operands.push((key.to_vec(), of, *kind, bytes.clone()));
            if *kind != Kind::Merge {
                break;
            }
        }
        operands
    }

    /// Returns what a reader sees of a key.
    pub(super) fn visible(&self, key: &[u8], number: u64) -> Option<Row> {
        let newest = self.operands(key, number).into_iter().next();
        newest.filter(|(_, _, kind, _)| !kind.is_tombstone())
    }

    /// Returns all that a reader sees, in ascending order of the keys.
    pub(super) fn all_visible(&self, number: u64) -> Vec<Row> {
        (self.keys.keys().filter_map(|key| self.visible(key, number))).collect()
    }

    /// Returns all versions, in the order of versions.
    pub(super) fn all_versions(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (key, versions) in &self.keys {
            for (&number, (kind, bytes)) in versions.iter().rev() {
                rows.push((key.clone(), number, *kind, bytes.clone()));
            }
        }
        rows
    }

    /// Removes what a trim that reaches the last key removes: what neither readers at the floor or
    /// above see, nor those at a snapshot; then tombstones below which nothing is left.
    pub(super) fn trim(&mut self, floor: u64, snapshots: &[u64]) {
        let points: Vec<u64> = (snapshots.iter().copied())
            .filter(|&number| number < floor)
            .chain([floor])
            .collect();
        let mut kept = BTreeMap::new();
        for (key, versions) in &self.keys {
            let mut needed: OfKey = versions.clone().split_off(&(floor + 1));
            for &point in &points {
                for (_, number, kind, bytes) in self.operands(key, point) {
                    needed.insert(number, (kind, bytes));
                }
            }
            while let Some(oldest) = needed.first_entry() {
                if *oldest.key() > floor || !oldest.get().0.is_tombstone() {
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

pub(super) fn row(key: &[u8], version: Version<'_>) -> Row {
    let bytes = version.bytes().to_vec();
    (key.to_vec(), version.number(), version.kind(), bytes)
}
