//! Exports and imports of the store that transactions use, compared with the model.

use std::ffi::{CStr, c_void};
use std::ptr::null_mut;

use masstree::ffi::status::*;
use masstree::ffi::store::export::*;
use masstree::ffi::store::import::*;
use masstree::ffi::store::progress::*;
use masstree::ffi::store::verify::*;
use masstree::ffi::store::write::*;

use crate::store::{STORE, close, content, open, options};
use crate::store_disk::Disk;
use crate::transactions::{NAMES, Subject, tree_named};
use crate::txn_changes::{Expected, What, stats};
use crate::txn_model::Tree;
use crate::txn_op::Import;

const COPY: &CStr = c"/copy";
/// What stops an import.
const STOPPED: i32 = 1 << 20;

pub(crate) fn verify(disk: &Disk, directory: &CStr) -> i32 {
    let table = disk.table();
    let (mut options, mut failure) = options(0);
    options.io = &raw const table;
    options.failure = &raw mut *failure;
    // SAFETY: pointers that are valid during the call.
    unsafe { masstree_store_verify(directory.as_ptr(), &options, null_mut()) }
}

/// Which report of an import stops it: see [`Import`].
struct Stop {
    at: u8,
    seen: u8,
}

/// # Safety
/// `ctx` is a [`Stop`]; `progress` is one for this call.
unsafe extern "C" fn stop(progress: *const RecoveryProgress, ctx: *mut c_void) -> i32 {
    // SAFETY: by contract.
    let (stop, phase) = unsafe { (&mut *ctx.cast::<Stop>(), (*progress).phase) };
    let fills = phase == MASSTREE_PHASE_IMPORT;
    stop.seen += u8::from(fills);
    let is_it = match stop.at {
        4 => !fills,
        at => fills && stop.seen == at,
    };
    if is_it { STOPPED } else { 0 }
}

impl Subject {
    /// Writes what a snapshot sees, or what there is, to the directory of the copy; returns the trees.
    fn copy(&self, from: Option<bool>) -> [Tree; 2] {
        let held = from.and_then(|slot| self.snapshots[usize::from(slot)].as_ref());
        let handle = held.map_or(null_mut(), |held| held.handle);
        // SAFETY: an open store, and its snapshot.
        let export = || unsafe {
            masstree_store_export(
                self.store,
                handle,
                COPY.as_ptr(),
                None,
                null_mut(),
                null_mut(),
            )
        };
        assert_eq!(export(), MASSTREE_OK);
        assert_eq!(export(), MASSTREE_EXISTS);
        held.map_or(&self.trees, |held| &held.trees).clone()
    }

    /// Exports the store, and opens what was exported.
    pub(crate) fn export(&mut self, from: Option<bool>) {
        let trees = self.copy(from);
        assert_eq!(verify(&self.disk, COPY), MASSTREE_OK);
        assert_eq!(verify(&self.disk, STORE), MASSTREE_LOCKED);
        let copy = open(&self.disk, COPY, 0).expect("an exported store");
        assert_eq!(content(copy), Self::content(&trees));
        let numbers = trees.iter().flat_map(|tree| tree.rows.values());
        let last = numbers.map(|(_, number)| *number).max().unwrap_or(0);
        let (tree, mut commit) = (tree_named(copy, NAMES[0]), 0);
        let key = b"key".as_ptr().cast();
        // SAFETY: an open store.
        let status = unsafe { masstree_store_put(copy, tree, key, 3, key, 3, &mut commit) };
        assert_eq!(status, MASSTREE_OK);
        assert!(commit > last, "a number is given out twice");
        close(copy);
        self.disk.remove_all("copy/");
    }

    /// Exports the store, and imports what was exported.
    pub(crate) fn import(&mut self, import: &Import) {
        let trees = self.copy(import.from);
        // SAFETY: all of the fields may be zero.
        let mut imported: ImportedStore = unsafe { std::mem::zeroed() };
        imported.struct_size = size_of::<ImportedStore>();
        let mut stops = Stop {
            at: import.stop,
            seen: 0,
        };
        let flags = if import.replaces {
            MASSTREE_IMPORT_REPLACE
        } else {
            0
        };
        // SAFETY: an open store; what is passed is there during the call.
        let status = unsafe {
            let ctx = (&raw mut stops).cast();
            masstree_store_import(
                self.store,
                COPY.as_ptr(),
                flags,
                Some(stop),
                ctx,
                null_mut(),
                &mut imported,
            )
        };
        self.disk.remove_all("copy/");
        let mut order = [0, 1];
        order.sort_by_key(|&at: &usize| trees[at].number);
        let is_full = |at: &usize| !self.trees[*at].rows.is_empty();
        if import.stop == 4 {
            assert_eq!(status, STOPPED);
        } else if let (false, Some(at)) = (import.replaces, order.into_iter().find(is_full)) {
            assert_eq!(status, MASSTREE_EXISTS);
            // SAFETY: the name ends with a zero byte.
            let name = unsafe { CStr::from_ptr(imported.tree.as_ptr()) };
            assert_eq!(name, NAMES[at]);
        } else if import.stop == 0 {
            assert_eq!(status, MASSTREE_OK);
            self.check_imported(&trees, order, import.replaces, &imported);
        } else {
            assert_eq!(status, STOPPED);
            self.drop_begun(order);
        }
        assert_eq!(content(self.store), Self::content(&self.trees));
    }

    /// Everything was copied, in this order of the trees.
    fn check_imported(
        &mut self,
        from: &[Tree; 2],
        order: [usize; 2],
        replaces: bool,
        imported: &ImportedStore,
    ) {
        let rows = || from.iter().flat_map(|tree| &tree.rows);
        let bytes = rows().map(|(key, (value, _))| (key.len() + value.len()) as u64);
        let counts = (2, rows().count() as u64, bytes.sum());
        assert_eq!((imported.trees, imported.keys, imported.bytes), counts);
        let found = content(self.store);
        for at in order {
            if replaces {
                self.note_tree(at, What::Dropped, None);
                self.make_anew(at);
                self.note_tree(at, What::Made, None);
            }
            let rows = (found.iter()).find(|(name, _)| name.as_c_str() == NAMES[at]);
            let rows = &rows.expect("a tree that was copied").1;
            let values = rows.iter().map(|(key, _, _, value)| (key, value));
            let copied = from[at].rows.iter().map(|(key, (value, _))| (key, value));
            assert!(values.eq(copied), "{rows:?} {from:?}");
            let tree = &mut self.trees[at];
            self.changes
                .note(rows.iter().map(|(key, commit, _, value)| Expected {
                    commit: Some(*commit),
                    tree: tree.number,
                    name: NAMES[at],
                    key: key.clone(),
                    what: What::Put(value.clone()),
                    is_certain: true,
                }));
            for (key, commit, _, value) in rows {
                tree.write(key, Some(value), *commit);
                assert!(*commit >= self.last, "{commit} follows {}", self.last);
                self.last = *commit;
            }
        }
        self.last = stats(self.store).last_commit;
    }

    /// The import has dropped the trees that it has begun to fill: make them again.
    fn drop_begun(&mut self, order: [usize; 2]) {
        let found = content(self.store);
        let is_there = |at: usize| found.iter().any(|(name, _)| name.as_c_str() == NAMES[at]);
        assert!(!is_there(order[0]));
        for at in order {
            if !is_there(at) {
                self.make_anew(at);
            }
        }
        self.changes.lose();
        self.last = stats(self.store).last_commit;
    }
}
