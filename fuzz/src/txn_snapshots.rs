//! Snapshots of a store, and what is read at them, compared with the model.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::null_mut;

use masstree::ffi::handle::TreeHandle;
use masstree::ffi::index::guard::*;
use masstree::ffi::index::scan::MASSTREE_VISIT_CONTINUE;
use masstree::ffi::status::*;
use masstree::ffi::store::handle::StoreHandle;
use masstree::ffi::store::snapshot::*;
use masstree::ffi::versioned::keep::*;
use masstree::ffi::versioned::read::*;

use crate::txn_list::row_of;
use crate::txn_model::Tree;
use crate::versions::row;

/// An open snapshot, and the trees that it sees.
pub(crate) struct Held {
    pub(crate) handle: *mut SnapshotHandle,
    pub(crate) seqno: u64,
    pub(crate) trees: [Tree; 2],
}

impl Held {
    pub(crate) fn open(store: *mut StoreHandle, trees: &[Tree; 2]) -> Self {
        let mut handle = null_mut();
        // SAFETY: an open store.
        let (status, seqno) = unsafe {
            let status = masstree_store_snapshot(store, &mut handle);
            (status, masstree_snapshot_seqno(handle))
        };
        assert_eq!(status, MASSTREE_OK);
        Self {
            handle,
            seqno,
            trees: trees.clone(),
        }
    }

    /// Looks a key up in one of the trees.
    pub(crate) fn get(&self, at: usize, handle: *mut TreeHandle, key: &[u8]) {
        let mut guard = null_mut();
        let mut version = MaybeUninit::<Version>::uninit();
        // SAFETY: a tree of the store, which may have been dropped; sound arguments.
        let (status, found) = unsafe {
            assert_eq!(masstree_guard_enter(handle, &mut guard), MASSTREE_OK);
            let (bytes, len) = (key.as_ptr().cast(), key.len());
            let to = version.as_mut_ptr();
            let status = masstree_get_at(handle, guard, bytes, len, self.seqno, to);
            let found = (status == MASSTREE_OK).then(|| row(key, version.assume_init_ref()));
            masstree_guard_leave(guard);
            (status, found)
        };
        let stored = self.trees[at].rows.get(key);
        let expected = stored.map(|stored| row_of((key.to_vec(), stored.clone())));
        assert_eq!(found, expected, "{status} at {}", self.seqno);
        let is_absent = matches!(status, MASSTREE_NOT_FOUND | MASSTREE_DELETED);
        assert_eq!(is_absent, expected.is_none(), "{status}");
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: it is open, and not used any more.
        unsafe { masstree_snapshot_close(self.handle) };
    }
}

/// # Safety
/// `ctx` is a `Vec<u64>`; `snapshot` is one for this call.
unsafe extern "C" fn collect_number(snapshot: *const OpenSnapshot, ctx: *mut c_void) -> i32 {
    // SAFETY: by contract.
    unsafe { (*ctx.cast::<Vec<u64>>()).push((*snapshot).seqno) };
    MASSTREE_VISIT_CONTINUE
}

/// The numbers of the open snapshots of a store, the oldest first.
pub(crate) fn open_snapshots(store: *mut StoreHandle) -> Vec<u64> {
    let mut numbers: Vec<u64> = Vec::new();
    let ctx = (&raw mut numbers).cast();
    // SAFETY: an open store; the vector is there during the call.
    let status = unsafe { masstree_store_list_snapshots(store, Some(collect_number), ctx) };
    assert_eq!(status, MASSTREE_OK);
    numbers
}
