//! Cursors of transactions, each move compared with the model.

use std::mem::MaybeUninit;
use std::ptr::null_mut;

use masstree::ffi::handle::TreeHandle;
use masstree::ffi::index::cursor_move::*;
use masstree::ffi::status::*;
use masstree::ffi::store::handle::{TxnCursorHandle, TxnHandle};
use masstree::ffi::store::txn_cursor::*;
use masstree::ffi::versioned::read::*;

use crate::txn_list::row_of;
use crate::txn_model::{Stored, Txn};
use crate::txn_op::{Move, RangeChoice};
use crate::values::slice_of;
use crate::versions::row;

pub(crate) struct Cursor {
    handle: *mut TxnCursorHandle,
    /// The number of its tree.
    tree: usize,
    /// The key that it is at, with what the key had when it moved there.
    item: Option<(Vec<u8>, Stored)>,
}

impl Cursor {
    pub(crate) fn open(txn: *mut TxnHandle, tree: *mut TreeHandle, number: usize) -> Self {
        let mut handle = null_mut();
        // SAFETY: a transaction of this thread, and a tree of its store.
        let status = unsafe { masstree_txn_cursor_open(txn, tree, &mut handle) };
        assert_eq!(status, MASSTREE_OK);
        Self {
            handle,
            tree: number,
            item: None,
        }
    }

    /// The keys among which a move finds the first.
    fn range(&self, step: &Move) -> RangeChoice {
        let mut range = RangeChoice {
            limit: 1,
            ..RangeChoice::default()
        };
        let at = |inclusive| {
            Some((
                crate::txn_op::KeyChoice(self.item.as_ref()?.0.clone()),
                inclusive,
            ))
        };
        match step {
            Move::First => {}
            Move::Next => range.lower = at(false),
            Move::Last => range.reverse = true,
            Move::Prev => (range.upper, range.reverse) = (at(false), true),
            Move::Seek(key, how) => {
                let bound = Some((key.clone(), how % 2 == 0));
                match how % 4 < 2 {
                    true => range.lower = bound,
                    false => (range.upper, range.reverse) = (bound, true),
                }
            }
        }
        range
    }

    fn go(&self, step: &Move) -> i32 {
        const HOW: [u32; 4] = [
            MASSTREE_SEEK_GE,
            MASSTREE_SEEK_GT,
            MASSTREE_SEEK_LE,
            MASSTREE_SEEK_LT,
        ];
        let none = slice_of(&[]);
        let seek = |key: &[u8], how| {
            let key = if key.is_empty() { none } else { slice_of(key) };
            // SAFETY: a cursor of a transaction of this thread.
            unsafe { masstree_txn_cursor_seek(self.handle, key.data, key.len, how) }
        };
        match step {
            Move::First => seek(&[], MASSTREE_SEEK_FIRST),
            Move::Last => seek(&[], MASSTREE_SEEK_LAST),
            // SAFETY: as above.
            Move::Next => unsafe { masstree_txn_cursor_next(self.handle) },
            // SAFETY: as above.
            Move::Prev => unsafe { masstree_txn_cursor_prev(self.handle) },
            Move::Seek(key, how) => seek(&key.0, HOW[usize::from(how % 4)]),
        }
    }

    /// Moves the cursor. `at`: the index of its tree, if that was not dropped before the transaction began.
    pub(crate) fn step(&mut self, model: &mut Txn, at: usize, step: &Move) {
        self.check();
        let status = self.go(step);
        if model.trees[at].number != self.tree {
            assert_eq!(status, MASSTREE_WRONG_TREE);
            return self.check();
        }
        let range = self.range(step);
        if model.is_limited && status == MASSTREE_TOO_LARGE {
            model.attempted(at, &range);
            return self.check();
        }
        let mut found = model.rows(at, &range);
        model.scanned(at, &range, &found);
        let expected = match found.is_empty() {
            true => MASSTREE_END,
            false => MASSTREE_OK,
        };
        assert_eq!(status, expected, "{step:?} {:?} {model:?}", self.item);
        if let Some(item) = found.pop() {
            self.item = Some(item);
        }
        self.check();
    }

    /// Compares the key and its value, as they were when the cursor moved.
    fn check(&self) {
        let mut key = slice_of(&[]);
        let mut version = MaybeUninit::<Version>::uninit();
        // SAFETY: a cursor of a transaction of this thread.
        let statuses = unsafe {
            [
                masstree_txn_cursor_key(self.handle, &mut key),
                masstree_txn_cursor_version(self.handle, version.as_mut_ptr()),
            ]
        };
        let Some(item) = &self.item else {
            return assert_eq!(statuses, [MASSTREE_NOT_FOUND; 2]);
        };
        assert_eq!(statuses, [MASSTREE_OK; 2]);
        // SAFETY: the calls have stored them, and the cursor was not moved since.
        let found = unsafe {
            let key = std::slice::from_raw_parts(key.data.cast::<u8>(), key.len);
            row(key, &version.assume_init())
        };
        assert_eq!(found, row_of(item.clone()));
    }

    /// The transaction was begun again.
    pub(crate) fn forget(&mut self) {
        self.item = None;
        self.check();
    }

    /// The transaction has ended.
    pub(crate) fn outlive(&mut self) {
        self.forget();
        assert_eq!(self.go(&Move::Next), MASSTREE_INVALID);
        assert_eq!(self.go(&Move::Last), MASSTREE_INVALID);
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        // SAFETY: it is not used any more, and its transaction was not destroyed.
        unsafe { masstree_txn_cursor_close(self.handle) };
    }
}
