//! What a store has, and what a transaction of it may and must answer.

use std::collections::{BTreeMap, BTreeSet};

use masstree::ffi::status::*;
use masstree::ffi::store::txn::*;

use crate::txn_op::{KeyChoice, RangeChoice};

/// A value, and the number of the commit that stored it.
pub(crate) type Stored = (Vec<u8>, u64);

/// A tree: its number tells it from an earlier one with the same name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) number: usize,
    pub(crate) rows: BTreeMap<Vec<u8>, Stored>,
    /// The last commit that has written a key, or removed it.
    pub(crate) written: BTreeMap<Vec<u8>, u64>,
}

impl Tree {
    /// What a commit does to a key.
    pub(crate) fn write(&mut self, key: &[u8], value: Option<&Vec<u8>>, commit: u64) {
        self.written.insert(key.to_vec(), commit);
        match value {
            Some(value) => self.rows.insert(key.to_vec(), (value.clone(), commit)),
            None => self.rows.remove(key),
        };
    }
}

impl RangeChoice {
    /// All keys that begin with these bytes.
    pub(crate) fn beginning(prefix: &[u8]) -> Self {
        Self {
            prefix: KeyChoice(prefix.to_vec()),
            ..Self::default()
        }
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        let above = self.lower.as_ref().is_none_or(|(bound, inclusive)| {
            key > &bound.0[..] || *inclusive && key == &bound.0[..]
        });
        let below = self.upper.as_ref().is_none_or(|(bound, inclusive)| {
            key < &bound.0[..] || *inclusive && key == &bound.0[..]
        });
        above && below && key.starts_with(&self.prefix.0)
    }

    /// Whether the bounds are refused.
    pub(crate) fn is_refused(&self) -> bool {
        matches!((&self.lower, &self.upper), (Some(lower), Some(upper)) if lower.0.0 > upper.0.0)
    }

    /// Entries in the order of the range, up to its limit.
    pub(crate) fn pick<T>(&self, mut entries: Vec<T>) -> Vec<T> {
        if self.reverse {
            entries.reverse();
        }
        if self.limit > 0 {
            entries.truncate(self.limit.into());
        }
        entries
    }
}

/// A range that was scanned.
#[derive(Debug)]
struct Scanned {
    tree: usize,
    range: RangeChoice,
    /// The last key that was visited, if the scan did not reach the end.
    last: Option<Vec<u8>>,
    /// Keys that the transaction had written.
    own: BTreeSet<Vec<u8>>,
}

impl Scanned {
    fn contains(&self, key: &[u8]) -> bool {
        let reached = self.last.as_ref().is_none_or(|last| {
            if self.range.reverse {
                key >= &last[..]
            } else {
                key <= &last[..]
            }
        });
        reached && self.range.contains(key)
    }
}

/// A transaction.
#[derive(Debug)]
pub(crate) struct Txn {
    pub(crate) isolation: u32,
    pub(crate) seqno: u64,
    pub(crate) is_limited: bool,
    /// The trees when it began.
    pub(crate) trees: [Tree; 2],
    pub(crate) writes: BTreeMap<(usize, Vec<u8>), Option<Vec<u8>>>,
    reads: BTreeSet<(usize, Vec<u8>)>,
    scans: Vec<Scanned>,
    /// Scans that did not end well, and may have noted what they have read.
    attempts: Vec<(usize, RangeChoice)>,
    used: BTreeSet<usize>,
}

/// What a commit may answer.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) allowed: Vec<i32>,
    /// Keys that may be named as a conflict, of a tree.
    pub(crate) conflicts: BTreeSet<(usize, Vec<u8>)>,
    /// It certainly changes something.
    pub(crate) is_effective: bool,
}

impl Txn {
    pub(crate) fn new(isolation: u32, seqno: u64, is_limited: bool, trees: [Tree; 2]) -> Self {
        Self {
            isolation,
            seqno,
            is_limited,
            trees,
            writes: BTreeMap::new(),
            reads: BTreeSet::new(),
            scans: Vec::new(),
            attempts: Vec::new(),
            used: BTreeSet::new(),
        }
    }

    fn tree(&self, number: usize) -> Option<&Tree> {
        self.trees.iter().find(|tree| tree.number == number)
    }

    pub(crate) fn uses(&mut self, tree: usize) {
        self.used.insert(tree);
    }

    /// What it finds; the number of its own writes is 0.
    pub(crate) fn peek(&self, at: usize, key: &[u8]) -> Option<Stored> {
        let tree = &self.trees[at];
        match self.writes.get(&(tree.number, key.to_vec())) {
            Some(own) => own.clone().map(|value| (value, 0)),
            None => tree.rows.get(key).cloned(),
        }
    }

    /// Looks a key up.
    pub(crate) fn read(&mut self, at: usize, key: &[u8]) -> Option<Stored> {
        let of = (self.trees[at].number, key.to_vec());
        if !self.writes.contains_key(&of) {
            self.reads.insert(of);
        }
        self.peek(at, key)
    }

    pub(crate) fn write(&mut self, at: usize, key: &[u8], value: Option<Vec<u8>>) {
        self.writes
            .insert((self.trees[at].number, key.to_vec()), value);
    }

    /// What a scan of the range visits.
    pub(crate) fn rows(&self, at: usize, range: &RangeChoice) -> Vec<(Vec<u8>, Stored)> {
        let tree = &self.trees[at];
        let mut rows = tree.rows.clone();
        for ((of, key), value) in &self.writes {
            if *of == tree.number {
                match value {
                    Some(value) => rows.insert(key.clone(), (value.clone(), 0)),
                    None => rows.remove(key),
                };
            }
        }
        let rows = rows.into_iter().filter(|(key, _)| range.contains(key));
        range.pick(rows.collect())
    }

    /// Notes a scan that has visited these rows.
    pub(crate) fn scanned(&mut self, at: usize, range: &RangeChoice, rows: &[(Vec<u8>, Stored)]) {
        let tree = self.trees[at].number;
        let is_cut = range.limit > 0 && rows.len() == usize::from(range.limit);
        let own = self.writes.keys().filter(|(of, _)| *of == tree);
        self.scans.push(Scanned {
            tree,
            last: rows.last().filter(|_| is_cut).map(|row| row.0.clone()),
            own: own.map(|(_, key)| key.clone()).collect(),
            range: range.clone(),
        });
    }

    pub(crate) fn attempted(&mut self, at: usize, range: &RangeChoice) {
        self.attempts.push((self.trees[at].number, range.clone()));
    }

    /// Whether the key's state is another than the snapshot's, and whether it was written since.
    fn change(&self, now: &[Tree; 2], tree: usize, key: &[u8]) -> (bool, bool) {
        let Some(now) = now.iter().find(|of| of.number == tree) else {
            return (false, false); // dropped
        };
        let state = |of: Option<&Tree>| Some(of?.rows.get(key)?.1);
        let is_newer = now
            .written
            .get(key)
            .is_some_and(|&commit| commit > self.seqno);
        (state(self.tree(tree)) != state(Some(now)), is_newer)
    }

    /// Bytes of the record: at least, and at most.
    fn record(&self) -> (usize, usize) {
        let sum = |least: bool| {
            let counted = self
                .writes
                .iter()
                .filter(|(_, value)| !least || value.is_some());
            let bytes = counted
                .map(|((_, key), value)| 16 + key.len() + value.as_ref().map_or(0, Vec::len));
            8 + bytes.sum::<usize>()
        };
        (sum(true), sum(false))
    }

    /// Whether it must be refused, and the keys that may be the reason.
    fn conflicts(&self, now: &[Tree; 2]) -> (bool, BTreeSet<(usize, Vec<u8>)>) {
        let (mut must, mut conflicts) = (false, BTreeSet::new());
        let mut judge = |tree: usize, key: &[u8], is_certain: bool| {
            let (is_other, is_newer) = self.change(now, tree, key);
            must |= is_other && is_certain;
            if is_newer {
                conflicts.insert((tree, key.to_vec()));
            }
        };
        match self.isolation {
            MASSTREE_TXN_SERIALIZABLE => {
                for (tree, key) in &self.reads {
                    judge(*tree, key, true);
                }
                for tree in now {
                    for key in tree.written.keys() {
                        let number = tree.number;
                        for scan in self
                            .scans
                            .iter()
                            .filter(|scan| scan.tree == number && scan.range.contains(key))
                        {
                            judge(number, key, scan.contains(key) && !scan.own.contains(key));
                        }
                        if self
                            .attempts
                            .iter()
                            .any(|(of, range)| *of == number && range.contains(key))
                        {
                            judge(number, key, false);
                        }
                    }
                }
            }
            MASSTREE_TXN_SNAPSHOT => {
                for ((tree, key), value) in &self.writes {
                    judge(*tree, key, value.is_some());
                }
            }
            _ => {}
        }
        (must, conflicts)
    }

    /// What its commit may answer, with these trees, and a buffer that takes records of so many bytes.
    pub(crate) fn verdict(&self, now: &[Tree; 2], room: usize) -> Verdict {
        let (must, conflicts) = self.conflicts(now);
        let is_effective = self.writes.iter().any(|((tree, key), value)| {
            value.is_some()
                || self
                    .tree(*tree)
                    .is_some_and(|tree| tree.rows.contains_key(key))
        });
        let is_there = |number: usize| now.iter().any(|tree| tree.number == number);
        let lost = self.used.iter().any(|&tree| !is_there(tree));
        let lost_written = is_effective
            && self
                .writes
                .iter()
                .any(|((tree, _), value)| value.is_some() && !is_there(*tree));
        let (least, most) = self.record();
        let mut allowed = Vec::new();
        let is_refused = is_effective && (must || lost_written || least > room);
        for (status, is_possible) in [
            (MASSTREE_OK, !is_refused),
            (
                MASSTREE_CONFLICT,
                !self.writes.is_empty() && !conflicts.is_empty(),
            ),
            (MASSTREE_WRONG_TREE, lost),
            (MASSTREE_TOO_LARGE, most > room),
        ] {
            if is_possible {
                allowed.push(status);
            }
        }
        Verdict {
            allowed,
            conflicts,
            is_effective,
        }
    }
}
