//! What a transaction reads and writes, each compared with the model.

use std::ffi::c_void;

use masstree::ffi::handle::TreeHandle;
use masstree::ffi::status::*;
use masstree::ffi::store::batch::*;
use masstree::ffi::store::handle::TxnHandle;
use masstree::ffi::store::txn::*;
use masstree::ffi::store::txn_access::*;
use masstree::ffi::versioned::read::*;

use crate::txn_list::{range_of, row_of};
use crate::txn_model::{Stored, Txn};
use crate::txn_op::{Access, KeyChoice, RangeChoice};
use crate::versions::{collect, row};
use crate::versions_oracle::Row;

pub(crate) type Writes<'k> = Vec<(&'k Vec<u8>, Option<Vec<u8>>)>;

pub(crate) fn flags_of(force: bool) -> u32 {
    if force { MASSTREE_RENAME_FORCE } else { 0 }
}

/// What a rename answers and writes.
pub(crate) fn renamed<'k>(
    get: impl Fn(&[u8]) -> Option<Stored>,
    from: &'k KeyChoice,
    to: &'k KeyChoice,
    force: bool,
) -> (i32, Writes<'k>) {
    match get(&from.0) {
        None => (MASSTREE_NOT_FOUND, Vec::new()),
        Some(_) if from.0 == to.0 => (MASSTREE_OK, Vec::new()),
        Some(_) if !force && get(&to.0).is_some() => (MASSTREE_EXISTS, Vec::new()),
        Some((value, _)) => (MASSTREE_OK, vec![(&from.0, None), (&to.0, Some(value))]),
    }
}

/// One access of a transaction to a tree, which has an index in the model.
pub(crate) struct Session {
    pub(crate) txn: *mut TxnHandle,
    pub(crate) tree: *mut TreeHandle,
    pub(crate) at: usize,
}

impl Session {
    pub(crate) fn run(&self, model: &mut Txn, access: Access) {
        let is_read_only = model.isolation == MASSTREE_TXN_READ_ONLY;
        match access {
            Access::Get(key) => self.get(model, &key.0),
            Access::Scan(range) => self.scan(model, &range),
            _ if is_read_only => assert_eq!(self.write(&access), MASSTREE_READ_ONLY),
            Access::Put(ref key, value) => {
                let status = self.write(&access);
                if !model.is_limited || status != MASSTREE_TOO_LARGE {
                    assert_eq!(status, MASSTREE_OK);
                    model.write(self.at, &key.0, Some(value.bytes()));
                }
            }
            Access::Insert(ref key, value) => {
                let writes = vec![(&key.0, Some(value.bytes()))];
                let is_there = model.peek(self.at, &key.0).is_some();
                let answer = if is_there {
                    (MASSTREE_EXISTS, Vec::new())
                } else {
                    (MASSTREE_OK, writes)
                };
                self.change(model, &access, &[key], answer);
            }
            Access::Remove(ref key) => {
                let is_there = model.peek(self.at, &key.0).is_some();
                let answer = if is_there {
                    (MASSTREE_OK, vec![(&key.0, None)])
                } else {
                    (MASSTREE_NOT_FOUND, Vec::new())
                };
                self.change(model, &access, &[key], answer);
            }
            Access::Rename(ref from, ref to, force) => {
                let answer = renamed(|key| model.peek(self.at, key), from, to, force);
                // Whether the target counts as read if nothing is moved, or displaced, is not said.
                let moves = answer.0 != MASSTREE_NOT_FOUND && from.0 != to.0;
                let reads: &[&KeyChoice] = if moves && !force {
                    &[from, to]
                } else {
                    &[from]
                };
                if moves && force {
                    model.attempted(self.at, &RangeChoice::beginning(&to.0));
                }
                self.change(model, &access, reads, answer);
            }
        }
    }

    /// A change that reads keys first.
    fn change(
        &self,
        model: &mut Txn,
        access: &Access,
        reads: &[&KeyChoice],
        answer: (i32, Writes<'_>),
    ) {
        let status = self.write(access);
        if model.is_limited && status == MASSTREE_TOO_LARGE {
            for key in reads {
                model.attempted(self.at, &RangeChoice::beginning(&key.0));
            }
            return;
        }
        assert_eq!(status, answer.0, "{access:?} {model:?}");
        for key in reads {
            model.read(self.at, &key.0);
        }
        for (key, value) in answer.1 {
            model.write(self.at, key, value);
        }
    }

    fn write(&self, access: &Access) -> i32 {
        let (txn, tree) = (self.txn, self.tree);
        let name = |key: &KeyChoice| (key.0.as_ptr().cast::<c_void>(), key.0.len());
        // SAFETY: sound arguments.
        unsafe {
            match access {
                Access::Put(key, value) => {
                    let ((key, len), value) = (name(key), value.bytes());
                    masstree_txn_put(txn, tree, key, len, value.as_ptr().cast(), value.len())
                }
                Access::Insert(key, value) => {
                    let ((key, len), value) = (name(key), value.bytes());
                    masstree_txn_insert(txn, tree, key, len, value.as_ptr().cast(), value.len())
                }
                Access::Remove(key) => masstree_txn_remove(txn, tree, name(key).0, name(key).1),
                Access::Rename(from, to, force) => {
                    let ((src, src_len), (dst, dst_len)) = (name(from), name(to));
                    let flags = flags_of(*force);
                    masstree_txn_rename(txn, tree, src, src_len, dst, dst_len, flags)
                }
                Access::Get(_) | Access::Scan(_) => unreachable!("reads"),
            }
        }
    }

    fn get(&self, model: &mut Txn, key: &[u8]) {
        // SAFETY: all of the fields may be zero.
        let mut version: Version = unsafe { std::mem::zeroed() };
        // SAFETY: sound arguments.
        let status = unsafe {
            masstree_txn_get(
                self.txn,
                self.tree,
                key.as_ptr().cast(),
                key.len(),
                &mut version,
            )
        };
        if model.is_limited && status == MASSTREE_TOO_LARGE {
            model.attempted(self.at, &RangeChoice::beginning(key));
            return;
        }
        match model.read(self.at, key) {
            None => assert_eq!(status, MASSTREE_NOT_FOUND),
            Some(stored) => {
                assert_eq!(status, MASSTREE_OK);
                assert_eq!(row(key, &version), row_of((key.to_vec(), stored)));
            }
        }
    }

    fn scan(&self, model: &mut Txn, range: &RangeChoice) {
        let (mut rows, mut visited): (Vec<Row>, usize) = (Vec::new(), 0);
        // SAFETY: sound arguments.
        let status = unsafe {
            masstree_txn_scan(
                self.txn,
                self.tree,
                &range_of(range),
                Some(collect),
                (&raw mut rows).cast(),
                &mut visited,
            )
        };
        if range.is_refused() {
            assert_eq!(status, MASSTREE_INVALID);
            return;
        }
        let expected = model.rows(self.at, range);
        let expected_rows: Vec<Row> = expected.iter().cloned().map(row_of).collect();
        if model.is_limited && status == MASSTREE_TOO_LARGE {
            assert!(expected_rows.starts_with(&rows));
            model.attempted(self.at, range);
            return;
        }
        assert_eq!(status, MASSTREE_OK);
        assert_eq!(rows, expected_rows, "{range:?} {model:?}");
        assert_eq!(visited, rows.len());
        model.scanned(self.at, range, &expected);
    }
}
