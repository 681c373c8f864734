//! Renames of one key.

use super::batch::{Action, Batch, Operation};
use super::commit::Committed;
use super::{Store, StoreFault, StoreTree};

/// What became of a rename.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Renamed {
    /// The commit has this number.
    Done(u64),
    /// The source has no value; nothing was changed.
    NoSource,
    /// The target has a value; nothing was changed.
    TargetExists,
}

impl Store {
    /// Moves the value of `from` to `to`, which must have none unless `replaces`.
    pub(crate) fn rename(
        &self,
        tree: &StoreTree,
        from: &[u8],
        to: &[u8],
        replaces: bool,
    ) -> Result<Renamed, StoreFault> {
        let mut batch = Batch::new(self.source());
        let operation = Operation {
            tree,
            key: from,
            action: Action::Rename { to, replaces },
        };
        // SAFETY: the tree outlives this call, and with it the batch.
        unsafe { batch.push(&operation) }?;
        Ok(match self.commit(&batch)? {
            Committed::Done(number) => Renamed::Done(number),
            Committed::Failed(unmet) if unmet.is_present => Renamed::TargetExists,
            Committed::Failed(_) => Renamed::NoSource,
        })
    }
}
