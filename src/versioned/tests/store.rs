//! Stores of tests: trees that share a clock, and the positions of a log.

use super::super::positions::Positions;
use super::oracle::Row;
use super::*;
use crate::index::memory::Source;

/// Units of a test's log.
const UNITS: usize = 1 << 20;

/// What a batch of a test does: a tree, a key, and what happens to it.
pub(super) type Steps<'k> = [(usize, &'k [u8], Mark<'k>)];

pub(super) struct Store {
    pub(super) trees: Vec<Subject>,
    pub(super) clock: Clock,
    pub(super) positions: Box<Positions>,
}

impl Store {
    pub(super) fn new(freeing: Freeing, trees: usize) -> Self {
        Self::with(freeing, trees, None)
    }

    /// With an allocator of the trees and of the clock.
    pub(super) fn with(freeing: Freeing, trees: usize, allocator: Option<Allocator>) -> Self {
        let positions = Box::new(Positions::new(UNITS));
        let clock = positions.clock(Source::new(allocator));
        let tree = |_| Subject::of_store(freeing, &clock, allocator);
        Self {
            trees: (0..trees).map(tree).collect(),
            clock,
            positions,
        }
    }

    /// A commit that is not refused, and is reported at once.
    pub(super) fn commit(&self, tree: usize, key: &[u8], kind: Kind, bytes: &[u8]) -> u64 {
        self.try_commit(tree, key, kind, bytes).unwrap()
    }

    pub(super) fn try_commit(
        &self,
        tree: usize,
        key: &[u8],
        kind: Kind,
        bytes: &[u8],
    ) -> Result<u64, Uncommitted<()>> {
        let guard = self.trees[tree].guard();
        let of = self.trees[tree].of();
        let new = of.prepare(guard.pin(), kind, bytes)?;
        let units = 1 + bytes.len() as u64 / 16;
        let number = || Ok(self.positions.take(units));
        let committed = of.commit(guard.pin(), key, new, |_| Ok(()), number)?;
        self.positions.fill(committed.number, units);
        Ok(committed.number)
    }

    /// A batch, whose steps are in the order of their trees and keys. Asks `judge` at each mark. Returns
    /// its number; `None` if `judge` refuses one.
    pub(super) fn batch(
        &self,
        steps: &Steps<'_>,
        judge: impl Fn(usize, Option<Version<'_>>) -> bool,
    ) -> Result<Option<u64>, Uncommitted<()>> {
        let guards: Vec<_> = self.trees.iter().map(Subject::guard).collect();
        let record = self.clock.record()?;
        let mut marked = Vec::new();
        let mut outcome = Ok(());
        for (index, &(tree, key, mark)) in steps.iter().enumerate() {
            let judge = |newest: Option<Version<'_>>| match judge(
                index,
                newest.filter(|newest| !newest.is_tombstone()),
            ) {
                true => Ok(()),
                false => Err(()),
            };
            match self.trees[tree]
                .of()
                .mark(guards[tree].pin(), key, &record, mark, judge)
            {
                Ok(mark) => marked.push((tree, mark)),
                Err(refused) => {
                    outcome = Err(refused);
                    break;
                }
            }
        }
        let number = outcome.is_ok().then(|| self.positions.take(5));
        match number {
            Some(number) => {
                record.decide(number);
                self.positions.fill(number, 5);
            }
            None => record.abort(),
        }
        for (tree, mark) in marked {
            self.trees[tree].of().resolve(guards[tree].pin(), mark);
        }
        match outcome {
            Err(Uncommitted::Refused(())) => Ok(None),
            outcome => outcome.map(|()| number),
        }
    }
}

/// Returns what a scan visits, in ascending order.
pub(super) fn rows(subject: &Subject, number: u64, reverse: bool) -> Vec<Row> {
    let guard = subject.guard();
    let range = Range {
        reverse,
        ..Range::all()
    };
    let (mut rows, mut visited) = (Vec::new(), 0);
    let scanned = (subject.of()).scan_at(guard.pin(), &range, number, &mut visited, |key, of| {
        rows.push(row(key, of));
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    if reverse {
        rows.reverse();
    }
    rows
}
