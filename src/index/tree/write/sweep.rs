//! Sweeps over the leaves of a tree, a limited number at a time.
//!
//! One thread sweeps at a time: it takes the key at which to go on out of its mutex, and puts the next
//! one back when it ends. The mutex is locked only for these two moves, not while leaves are changed
//! and memory is freed.

use std::sync::Mutex;

use crate::annotate::Owned;
use crate::errno;
use crate::index::memory::{OutOfMemory, Source, Vector};
use crate::index::node::Leaf;
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::walk::Walk;
use crate::index::tree::walk::assemble::append;
use crate::index::tree::walk::range::Cut;

/// What a sweep did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SweepOutcome {
    /// Leaves that were merged with others.
    pub merged: usize,
    /// Whether the sweep reached the end of the tree; the next sweep begins at its start.
    pub ended: bool,
}

/// Where the next sweep of a tree begins.
pub(in crate::index::tree) struct Sweep {
    /// The key; `None` while a thread sweeps.
    key: Mutex<Option<Vector<u8>>>,
}

/// The right to sweep, until it is dropped.
struct Turn<'t> {
    sweep: &'t Sweep,
    /// Where this sweep begins, and then where the next one does.
    key: Vector<u8>,
}

impl Sweep {
    pub(in crate::index::tree) fn new(source: Source) -> Self {
        Self {
            key: Mutex::new(Some(Vector::new_in(source))),
        }
    }

    /// Returns `None` while another thread sweeps.
    fn begin(&self) -> Option<Turn<'_>> {
        let key = self.lock().take()?;
        Some(Turn { sweep: self, key })
    }

    fn lock(&self) -> Owned<'_, Option<Vector<u8>>> {
        Owned::from(errno::lock(&self.key))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let source = *self.key.allocator();
        let key = std::mem::replace(&mut self.key, Vector::new_in(source));
        *self.sweep.lock() = Some(key);
    }
}

impl Tree {
    /// Calls `tidy`, which returns whether it merged a leaf with the previous one, for about `limit`
    /// leaves, beginning where the last sweep ended; and replaces bags that are too large after
    /// removes. Stops only between two keys, and a key may have a new leaf in each of its layers, so it
    /// may sweep a few leaves more. Does nothing while another thread sweeps.
    pub(super) fn sweep_leaves<'g>(
        &self,
        pin: Pinned<'g>,
        limit: usize,
        mut tidy: impl FnMut(&'g Leaf) -> Result<bool, OutOfMemory>,
    ) -> Result<SweepOutcome, OutOfMemory> {
        self.admit(pin, &[]);
        self.must_not_hold();
        let mut swept = SweepOutcome {
            merged: 0,
            ended: false,
        };
        if limit == 0 {
            return Ok(swept);
        }
        let Some(mut turn) = self.sweep.begin() else {
            return Ok(swept);
        };
        let next_key = &mut turn.key;
        let mut walk = Walk::new(self, false, 0);
        let start = Cut::Before(next_key);
        let mut is_at_key = walk.seek(self, pin, Some(start), None, false)?;
        let mut seen = Vector::new_in(self.allocator());
        let mut leaves = 0;
        while is_at_key {
            if walk.is_in_another_leaf(&seen) {
                if leaves > 0 && leaves >= limit {
                    let (key, _) = walk.pair()?;
                    let lacking = key.len().saturating_sub(next_key.len());
                    next_key.try_reserve(lacking).map_err(|_| OutOfMemory)?;
                    next_key.clear();
                    append(next_key, key);
                    return Ok(swept);
                }
                let same = walk.note_leaves(&mut seen)?;
                for leaf in &seen[same..] {
                    leaves += 1;
                    swept.merged += usize::from(tidy(leaf)?);
                    self.shrink_bag(pin, leaf)?;
                }
            }
            is_at_key = walk.step_or_resume(self, pin, None, false)?;
        }
        next_key.clear();
        swept.ended = true;
        Ok(swept)
    }
}
