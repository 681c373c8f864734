//! Visiting a range of keys, in either direction: a walk from one end of the range to
//! the other (see `walk`), with user code run on the copy of each leaf.

use std::ops::ControlFlow;

use super::Tree;
use super::range::Range;
use super::walk::Walk;
use crate::OutOfMemory;
use crate::reclaim::Pin;

impl Tree {
    /// Visits the keys of a range in order until `visit` breaks off; see
    /// `masstree_scan` in the C header for what is promised. Gives the number of
    /// keys visited.
    pub fn scan<V>(
        &self,
        pin: Pin<'_>,
        range: &Range<'_>,
        visit: &mut V,
    ) -> Result<usize, OutOfMemory>
    where
        V: FnMut(&[u8], u64) -> ControlFlow<()>,
    {
        let mut visited = 0;
        self.scan_counting(pin, range, &mut visited, visit)?;
        Ok(visited)
    }

    /// `scan` that adds to the number of keys visited, also when memory runs out.
    #[inline]
    pub(crate) fn scan_counting(
        &self,
        pin: Pin<'_>,
        range: &Range<'_>,
        visited: &mut usize,
        mut visit: impl FnMut(&[u8], u64) -> ControlFlow<()>,
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
        let mut walk = Walk::new(self, false, range.limit);
        let mut there = walk.seek(self, pin, start, end, reverse)?;
        let mut left = range.limit;
        while there {
            let mut count = 0;
            let flow = walk.visit_leaf(range.values_only, reverse, left, &mut count, &mut visit);
            *visited += count;
            left -= count;
            if flow?.is_break() {
                break;
            }
            there = left != 0 && walk.find_or_resume(self, pin, end, reverse)?;
        }
        Ok(())
    }
}
