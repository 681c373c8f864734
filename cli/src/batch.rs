//! Batches, over the C functions.

use std::ptr::{NonNull, null_mut};

use masstree::ffi::store::batch::*;
use masstree::ffi::store::handle::BatchHandle;

use crate::failure::{Failure, Outcome};
use crate::store::{Store, Tree};

/// Changes that are committed at once.
pub(crate) struct Batch<'s> {
    handle: NonNull<BatchHandle>,
    store: &'s Store,
}

impl<'s> Batch<'s> {
    pub(crate) fn new(store: &'s Store) -> Outcome<Self> {
        let mut handle = null_mut();
        // SAFETY: an open store.
        let status =
            store.done(unsafe { masstree_batch_create(store.handle(), &raw mut handle) })?;
        let handle = NonNull::new(handle).ok_or_else(|| Failure::of_status(status, "a batch"))?;
        Ok(Self { handle, store })
    }

    pub(crate) fn put(&mut self, tree: Tree<'s>, key: &[u8], value: &[u8]) -> Outcome<()> {
        // SAFETY: a batch, and a tree, of an open store; bytes with their lengths.
        let status = unsafe {
            masstree_batch_put(
                self.handle.as_ptr(),
                tree.handle.as_ptr(),
                key.as_ptr().cast(),
                key.len(),
                value.as_ptr().cast(),
                value.len(),
            )
        };
        self.store.done(status).map(drop)
    }

    /// Commits what the batch has, and empties it.
    pub(crate) fn commit(&mut self) -> Outcome<()> {
        // SAFETY: a batch of an open store.
        let status = unsafe {
            let (store, batch) = (self.store.handle(), self.handle.as_ptr());
            masstree_store_commit(store, batch, null_mut(), null_mut())
        };
        self.store.done(status)?;
        // SAFETY: as above.
        unsafe { masstree_batch_clear(self.handle.as_ptr()) };
        Ok(())
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        // SAFETY: a batch that is not used any more; its store is open.
        unsafe { masstree_batch_destroy(self.handle.as_ptr()) };
    }
}
