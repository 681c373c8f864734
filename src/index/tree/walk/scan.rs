//! Scans: visit a range of keys in either direction, by a walk from one end of the range to the
//! other (see `walk`), which calls the visitor for the entries in its copy of each leaf.

use std::ops::ControlFlow;

use super::Walk;
use super::range::Range;
use crate::index::memory::OutOfMemory;
use crate::index::node::Observation;
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;

const CONTINUE: ControlFlow<()> = ControlFlow::Continue(());

impl Tree {
    /// Visits the keys of a range in order until `visit` returns `Break`; the C header
    /// documents the guarantees at `masstree_scan`. Returns the number of keys visited.
    pub fn scan<V>(
        &self,
        pin: Pinned<'_>,
        range: &Range<'_>,
        visit: &mut V,
    ) -> Result<usize, OutOfMemory>
    where
        V: FnMut(&[u8], u64) -> ControlFlow<()>,
    {
        let mut visited = 0;
        let mut walk = Walk::new(self, false, range.limit);
        self.scan_by(&mut walk, pin, range, &mut visited, visit, |_| CONTINUE)?;
        Ok(visited)
    }

    /// `scan` that passes an observation of each leaf to `show` before it visits the keys of
    /// that leaf; at least one, unless the limit is 0.
    pub(crate) fn scan_observed(
        &self,
        pin: Pinned<'_>,
        range: &Range<'_>,
        visited: &mut usize,
        visit: impl FnMut(&[u8], u64) -> ControlFlow<()>,
        mut show: impl FnMut(&Observation) -> ControlFlow<()>,
    ) -> Result<(), OutOfMemory> {
        let mut walk = Walk::new(self, false, range.limit);
        walk.start_observing();
        self.scan_by(&mut walk, pin, range, visited, visit, |walk| {
            walk.observed().iter().try_for_each(&mut show)?;
            walk.forget_observed(0);
            CONTINUE
        })
    }

    /// `scan` that adds the number of keys visited to `visited`, even when memory runs out.
    #[inline]
    pub(crate) fn scan_counting(
        &self,
        pin: Pinned<'_>,
        range: &Range<'_>,
        visited: &mut usize,
        visit: impl FnMut(&[u8], u64) -> ControlFlow<()>,
    ) -> Result<(), OutOfMemory> {
        let mut walk = Walk::new(self, false, range.limit);
        self.scan_by(&mut walk, pin, range, visited, visit, |_| CONTINUE)
    }

    /// Scans by a walk. Calls `after_advance` whenever the walk has moved to other leaves.
    // inline(always): measured together with the other functions of `walk`.
    #[inline(always)]
    fn scan_by<'g>(
        &self,
        walk: &mut Walk<'g>,
        pin: Pinned<'g>,
        range: &Range<'_>,
        visited: &mut usize,
        mut visit: impl FnMut(&[u8], u64) -> ControlFlow<()>,
        mut after_advance: impl FnMut(&mut Walk<'g>) -> ControlFlow<()>,
    ) -> Result<(), OutOfMemory> {
        self.admit(pin, range.prefix);
        if range.limit == 0 {
            return Ok(());
        }
        let reverse = range.reverse;
        let (lower, upper) = (range.lower_cut(), range.upper_cut());
        let (start, end) = if reverse {
            (upper, lower)
        } else {
            (lower, upper)
        };
        let mut found = walk.seek(self, pin, start, end, reverse)?;
        let mut left = range.limit;
        while after_advance(walk).is_continue() && found {
            let mut count = 0;
            let flow = walk.visit_leaf(range.values_only, reverse, left, &mut count, &mut visit);
            *visited += count;
            left -= count;
            if flow?.is_break() {
                break;
            }
            if left == 0 {
                break;
            }
            found = walk.find_or_resume(self, pin, end, reverse)?;
        }
        Ok(())
    }
}
