//! Which leaves a walk has read, for those who want to validate them later.
//!
//! A walk observes each leaf when it has read it, before it goes to any of its entries. Where
//! it goes down again to a cut, the leaves from before the cut stay observed. So whatever it
//! has found, and found absent, the leaves observed until then prove.

use super::Walk;
use super::interrupt::Interrupt;
use crate::index::memory::Vector;
use crate::index::node::Observation;

impl Walk<'_> {
    /// From here on, the walk observes.
    pub(in crate::index::tree) fn begin_to_observe(&mut self) {
        let source = *self.key.allocator();
        self.observed.get_or_insert_with(|| Vector::new_in(source));
    }

    pub(in crate::index::tree) fn observed(&self) -> &[Observation] {
        self.observed.as_deref().unwrap_or(&[])
    }

    /// Forgets all it has observed but the first.
    #[inline]
    pub(in crate::index::tree) fn forget_observed(&mut self, but: usize) {
        if let Some(observed) = &mut self.observed {
            observed.truncate(but);
        }
    }

    /// Observes the leaf that the walk is in.
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
