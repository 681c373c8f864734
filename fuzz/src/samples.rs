//! Keys that are drawn at random.

use masstree::ffi::index::sample::{masstree_sample, masstree_sample_bytes};
use masstree::ffi::status::*;

use crate::scans::{Seen, visit_bytes, visit_word};
use crate::session::Session;

impl Session<'_> {
    /// Draws `count` keys, twice the same; `stop` ends it after so many.
    pub(crate) fn sample(&mut self, count: usize, stop: usize) -> i32 {
        let mut first = self.calls;
        let (status, drawn) = self.draw(&mut first, count, stop);
        if status != MASSTREE_OK {
            return status;
        }
        for (key, value) in &drawn {
            let own = self.is_own(key).then_some(value);
            assert!(own.is_none() || own == self.model.get(key), "{key:?}");
        }
        if !self.is_alone() {
            return status;
        }
        assert!(drawn.is_empty() || !self.model.is_empty());
        let mut again = self.calls;
        let (status, twice) = self.draw(&mut again, count, stop);
        if status == MASSTREE_OK {
            assert_eq!((first, drawn), (again, twice));
        }
        status
    }

    fn draw(&mut self, state: &mut u64, count: usize, stop: usize) -> (i32, Vec<(Vec<u8>, u64)>) {
        let mut seen = Seen::until(stop);
        let (tree, guard) = (self.tree(), self.guard);
        let (ctx, mut visited) = (std::ptr::from_mut(&mut seen).cast(), usize::MAX);
        // SAFETY: a living tree, this session's guard, a sound visitor.
        let status = unsafe {
            match self.holds_bytes() {
                true => masstree_sample_bytes(
                    tree,
                    guard,
                    state,
                    count,
                    Some(visit_bytes),
                    ctx,
                    &mut visited,
                ),
                false => masstree_sample(
                    tree,
                    guard,
                    state,
                    count,
                    Some(visit_word),
                    ctx,
                    &mut visited,
                ),
            }
        };
        assert_eq!(visited, seen.pairs.len());
        assert!(visited <= count && (stop == 0 || visited <= stop));
        (status, seen.pairs)
    }
}
