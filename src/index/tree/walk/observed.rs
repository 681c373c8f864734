//! Records the leaves that a walk has read, so that they can be validated later.
//!
//! A walk observes each leaf after reading it and before visiting any of its entries. When it
//! descends again to a cut, the observations of leaves before the cut stay recorded. So at any
//! moment, the observations prove the presence of every key found so far, and the absence of every
//! other key up to there.

use super::Walk;
use super::interrupt::Interrupt;
use crate::index::memory::Vector;
use crate::index::node::Observation;

impl Walk<'_> {
    /// Starts recording observations.
    pub(in crate::index::tree) fn start_observing(&mut self) {
        let source = *self.key.allocator();
        self.observed.get_or_insert_with(|| Vector::new_in(source));
    }

    pub(in crate::index::tree) fn observed(&self) -> &[Observation] {
        self.observed.as_deref().unwrap_or(&[])
    }

    /// Forgets all observations except the first `kept`.
    #[inline]
    pub(in crate::index::tree) fn forget_observed(&mut self, kept: usize) {
        if let Some(observed) = &mut self.observed {
            observed.truncate(kept);
        }
    }

    /// Records the current leaf, if the walk records observations.
    #[inline]
    pub(in crate::index::tree) fn observe(&mut self) -> Result<(), Interrupt> {
        match self.observed {
            None => Ok(()),
            Some(_) => self.observe_leaf(),
        }
    }

    #[inline(never)]
    fn observe_leaf(&mut self) -> Result<(), Interrupt> {
        if let (Some(observed), Some(frame)) = (&mut self.observed, self.frames.last()) {
            let observation = Observation::new(frame.leaf, frame.version, self.incarnation);
            if observed.last() != Some(&observation) {
                observed.try_reserve(1)?;
                observed.push(observation);
            }
        }
        Ok(())
    }
}
