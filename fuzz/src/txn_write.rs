//! Writes of a store outside of transactions, compared with the model.

use std::ffi::c_void;

use masstree::ffi::handle::TreeHandle;
use masstree::ffi::status::*;
use masstree::ffi::store::batch::*;
use masstree::ffi::store::write::*;

use crate::transactions::{NAMES, ROOM, Subject};
use crate::txn_changes::{Expected, What};
use crate::txn_model::Tree;
use crate::txn_op::{Access, KeyChoice, RangeChoice};
use crate::txn_session::{Writes, flags_of, renamed};

impl Subject {
    /// A write outside of transactions, or a listing.
    pub(crate) fn store_access(&mut self, at: usize, access: &Access) {
        match access {
            Access::Get(key) => return self.list(at, &RangeChoice::beginning(&key.0), 0),
            Access::Scan(range) => return self.list(at, range, 0),
            _ => {}
        }
        let (expected, writes) = effect(&self.trees[at], access);
        let (status, commit) = self.write(self.handles[&self.trees[at].number], access);
        if expected == MASSTREE_OK && !writes.is_empty() && record(&writes) > ROOM {
            assert_eq!(status, MASSTREE_TOO_LARGE, "{access:?}");
            return;
        }
        assert_eq!(status, expected, "{access:?}");
        if !writes.is_empty() {
            let tree = &mut self.trees[at];
            self.changes
                .note(writes.iter().map(|(key, value)| Expected {
                    commit: Some(commit),
                    tree: tree.number,
                    name: NAMES[at],
                    key: key.to_vec(),
                    what: value.clone().map_or(What::Removed, What::Put),
                    is_certain: true,
                }));
            for (key, value) in &writes {
                tree.write(key, value.as_ref(), commit);
            }
            self.committed(commit);
        }
    }

    /// Makes a call that writes; returns its status, and the commit's number.
    fn write(&self, tree: *mut TreeHandle, access: &Access) -> (i32, u64) {
        let (store, mut commit) = (self.store, 0);
        let name = |key: &KeyChoice| (key.0.as_ptr().cast::<c_void>(), key.0.len());
        // SAFETY: sound arguments.
        let status = unsafe {
            match access {
                Access::Put(key, value) | Access::Insert(key, value) => {
                    let ((key, len), value) = (name(key), value.bytes());
                    let (bytes, value_len) = (value.as_ptr().cast(), value.len());
                    let function = match access {
                        Access::Put(..) => masstree_store_put,
                        _ => masstree_store_insert,
                    };
                    function(store, tree, key, len, bytes, value_len, &mut commit)
                }
                Access::Remove(key) => {
                    masstree_store_remove(store, tree, name(key).0, name(key).1, &mut commit)
                }
                Access::Rename(from, to, force) => {
                    let ((src, src_len), (dst, dst_len)) = (name(from), name(to));
                    let flags = flags_of(*force);
                    masstree_store_rename(
                        store,
                        tree,
                        src,
                        src_len,
                        dst,
                        dst_len,
                        flags,
                        &mut commit,
                    )
                }
                Access::Get(_) | Access::Scan(_) => unreachable!("reads"),
            }
        };
        (status, commit)
    }
}

/// What a write answers, if its record fits, and changes.
fn effect<'a>(tree: &Tree, access: &'a Access) -> (i32, Writes<'a>) {
    let is_there = |key: &KeyChoice| tree.rows.contains_key(&key.0);
    match access {
        Access::Insert(key, _) if is_there(key) => (MASSTREE_EXISTS, Vec::new()),
        Access::Put(key, value) | Access::Insert(key, value) => {
            (MASSTREE_OK, vec![(&key.0, Some(value.bytes()))])
        }
        Access::Remove(key) if !is_there(key) => (MASSTREE_NOT_FOUND, Vec::new()),
        Access::Remove(key) => (MASSTREE_OK, vec![(&key.0, None)]),
        Access::Rename(from, to, force) => {
            renamed(|key| tree.rows.get(key).cloned(), from, to, *force)
        }
        Access::Get(_) | Access::Scan(_) => unreachable!("reads"),
    }
}

/// Bytes of the log that changes take.
fn record(writes: &Writes<'_>) -> usize {
    let value = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
    8 + writes
        .iter()
        .map(|(key, of)| 16 + key.len() + value(of))
        .sum::<usize>()
}
