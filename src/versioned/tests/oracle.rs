//! What a versioned tree must answer: an ordered map of keys to numbers to versions, and a list of
//! range tombstones. Tests and the fuzz target `versions` share this file.

use std::collections::BTreeMap;

/// A key, a number, the number of a kind, and bytes.
pub(crate) type Row = (Vec<u8>, u64, u32, Vec<u8>);

/// The versions of a key: number to kind and bytes.
pub(crate) type OfKey = BTreeMap<u64, (u32, Vec<u8>)>;

/// The kind of merge operands.
const MERGE: u32 = 1;

/// Whether the kind is one of the two of tombstones.
pub(crate) fn is_tombstone(kind: u32) -> bool {
    matches!(kind, 2 | 3)
}

#[derive(Default)]
pub(crate) struct Oracle {
    pub(crate) keys: BTreeMap<Vec<u8>, OfKey>,
    pub(crate) ranges: Vec<(Vec<u8>, Vec<u8>, u64)>,
    pub(crate) floor: u64,
    pub(crate) highest: u64,
}

impl Oracle {
    /// Returns the greatest number, of at most `number`, of the range tombstones over a key.
    pub(crate) fn cover(&self, key: &[u8], number: u64) -> u64 {
        let covering = (self.ranges.iter())
            .filter(|(lower, upper, of)| {
                lower.as_slice() <= key && key < upper.as_slice() && *of <= number
            })
            .map(|(_, _, of)| *of);
        covering.max().unwrap_or(0)
    }

    /// Returns what a reader merges, the newest first; a tombstone may be the last.
    pub(crate) fn operands(&self, key: &[u8], number: u64) -> Vec<Row> {
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
            if *kind != MERGE {
                break;
            }
        }
        operands
    }

    /// Returns what a reader sees of a key.
    pub(crate) fn visible(&self, key: &[u8], number: u64) -> Option<Row> {
        let newest = self.operands(key, number).into_iter().next();
        newest.filter(|(_, _, kind, _)| !is_tombstone(*kind))
    }

    /// Returns all that a reader sees, in ascending order of the keys.
    pub(crate) fn all_visible(&self, number: u64) -> Vec<Row> {
        (self.keys.keys().filter_map(|key| self.visible(key, number))).collect()
    }

    /// Returns all versions, in the order of versions.
    pub(crate) fn all_versions(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (key, versions) in &self.keys {
            for (&number, (kind, bytes)) in versions.iter().rev() {
                rows.push((key.clone(), number, *kind, bytes.clone()));
            }
        }
        rows
    }

    /// Removes what a trim that reaches the end removes: what neither readers at the floor or above
    /// see, nor those at a snapshot; then tombstones below which nothing is left; then range tombstones
    /// that hide nothing. Returns how many versions and range tombstones that is.
    pub(crate) fn trim(&mut self, floor: u64, snapshots: &[u64]) -> usize {
        let points: Vec<u64> = (snapshots.iter().copied())
            .filter(|&number| number < floor)
            .chain([floor])
            .collect();
        let before = self.all_versions().len() + self.ranges.len();
        let mut kept = BTreeMap::new();
        for (key, versions) in &self.keys {
            let mut needed: OfKey = versions.clone().split_off(&(floor + 1));
            for &point in &points {
                for (_, number, kind, bytes) in self.operands(key, point) {
                    needed.insert(number, (kind, bytes));
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
        let is_needed = |(lower, upper, number): &(Vec<u8>, Vec<u8>, u64)| {
            let reader = points.iter().filter(|&point| point >= number).min();
            let Some(&reader) = reader else { return true };
            let mut covered = self
                .keys
                .iter()
                .filter(|(key, _)| lower <= key && *key < upper);
            covered.any(|(key, versions)| {
                let oldest = versions.first_key_value().map(|(oldest, _)| *oldest);
                oldest < Some(*number) && self.cover(key, reader) <= *number
            })
        };
        let ranges = self.ranges.iter().filter(|range| is_needed(range)).cloned();
        self.ranges = ranges.collect();
        self.floor = self.floor.max(floor);
        before - self.all_versions().len() - self.ranges.len()
    }
}
