//! Two transactions of one thread and single writes of a store, against a model; and of the same store:
//! listings by a delimiter, dropped trees, exports, checkpoints, verifying, and opening it again.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_void};
use std::ptr::{null, null_mut};

use arbitrary::Unstructured;
use masstree::ffi::handle::TreeHandle;
use masstree::ffi::status::*;
use masstree::ffi::store::batch::*;
use masstree::ffi::store::checkpoint::*;
use masstree::ffi::store::export::*;
use masstree::ffi::store::handle::{StoreHandle, TxnHandle};
use masstree::ffi::store::trees::*;
use masstree::ffi::store::txn::*;
use masstree::ffi::store::verify::*;
use masstree::ffi::store::write::*;

use crate::store::{Content, STORE, close, content, open, options};
use crate::store_disk::Disk;
use crate::targets::show;
use crate::txn_list::{list, row_of};
use crate::txn_model::{Tree, Txn};
use crate::txn_op::{Access, KeyChoice, Op, RangeChoice};
use crate::txn_session::{Session, Writes, flags_of, renamed};

const MAX_OPERATIONS: usize = 160;
const NAMES: [&CStr; 2] = [c"left", c"right"];
const COPY: &CStr = c"/copy";
/// Half of the log's buffer.
const ROOM: usize = 1 << 11;

struct Subject {
    disk: Box<Disk>,
    store: *mut StoreHandle,
    trees: [Tree; 2],
    /// By the trees' numbers.
    handles: BTreeMap<usize, *mut TreeHandle>,
    last: u64,
    txns: [Option<(*mut TxnHandle, Txn)>; 2],
}

/// A store on a disk that is open to be written.
fn begin_store(disk: &Disk) -> *mut StoreHandle {
    open(disk, STORE, 0).expect("an undamaged store")
}

fn tree_named(store: *mut StoreHandle, name: &CStr) -> *mut TreeHandle {
    let mut tree = null_mut();
    // SAFETY: an open store, and a string.
    let status = unsafe { masstree_store_tree(store, name.as_ptr(), &mut tree) };
    assert_eq!(status, MASSTREE_OK);
    tree
}

impl Subject {
    fn new() -> Self {
        let disk = Box::<Disk>::default();
        let store = begin_store(&disk);
        let mut made = Self {
            disk,
            store,
            trees: [1, 2].map(|number| Tree {
                number,
                ..Tree::default()
            }),
            handles: BTreeMap::new(),
            last: 0,
            txns: [None, None],
        };
        made.find_trees();
        made
    }

    fn find_trees(&mut self) {
        for (tree, name) in self.trees.iter().zip(NAMES) {
            self.handles
                .insert(tree.number, tree_named(self.store, name));
        }
    }

    fn content(&self) -> Content {
        let mut trees: Vec<_> = self.trees.iter().zip(NAMES).collect();
        trees.sort_by_key(|(tree, _)| tree.number);
        let content = trees.into_iter().map(|(tree, name)| {
            let rows = tree.rows.clone().into_iter().map(row_of).collect();
            (CString::from(name), rows)
        });
        content.collect()
    }

    /// Notes a commit's number.
    fn committed(&mut self, commit: u64) {
        assert!(
            commit > self.last,
            "the number {commit} follows {}",
            self.last
        );
        self.last = commit;
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Of(slot, tree, access) => self.access(slot.into(), tree.into(), access),
            Op::Begin(slot, kind) => self.begin(slot.into(), kind),
            Op::Reset(slot) => self.reset(slot.into()),
            Op::Commit(slot) => self.commit(slot.into()),
            Op::Abort(slot) => {
                if let Some((txn, _)) = self.txns[usize::from(slot)].take() {
                    // SAFETY: a transaction of this thread.
                    unsafe {
                        masstree_txn_abort(txn);
                        assert_eq!(masstree_txn_seqno(txn), 0);
                        assert_eq!(masstree_txn_commit(txn, null_mut()), MASSTREE_INVALID);
                        masstree_txn_destroy(txn);
                    }
                }
            }
            Op::Store(tree, access) => self.store_access(tree.into(), &access),
            Op::List(tree, range, delimiter) => self.list(tree.into(), &range, delimiter),
            Op::Drop(tree) => self.drop_tree(tree.into()),
            Op::Export => self.export(),
            Op::Checkpoint => {
                // SAFETY: an open store.
                let status = unsafe { masstree_store_checkpoint(self.store) };
                assert_eq!(status, MASSTREE_OK);
            }
            Op::Reopen => self.reopen(),
        }
    }

    fn begin(&mut self, slot: usize, kind: u8) {
        self.end(slot);
        // SAFETY: all of the fields may be zero.
        let mut options: TxnOptions = unsafe { std::mem::zeroed() };
        options.struct_size = size_of::<TxnOptions>();
        options.isolation = u32::from(kind & 7).min(9) % 4 % 3;
        options.max_bytes = if kind & 0x38 == 0 { 3000 } else { 0 };
        let mut txn = null_mut();
        // SAFETY: an open store.
        let (status, seqno) = unsafe {
            let status = masstree_txn_begin(self.store, &options, &mut txn);
            (status, masstree_txn_seqno(txn))
        };
        assert_eq!(status, MASSTREE_OK);
        assert!(seqno >= self.last);
        let model = Txn::new(
            options.isolation,
            seqno,
            options.max_bytes != 0,
            self.trees.clone(),
        );
        self.txns[slot] = Some((txn, model));
    }

    fn reset(&mut self, slot: usize) {
        let Some((txn, model)) = &mut self.txns[slot] else {
            return;
        };
        // SAFETY: a transaction of this thread.
        let seqno = unsafe {
            assert_eq!(masstree_txn_reset(*txn), MASSTREE_OK);
            masstree_txn_seqno(*txn)
        };
        assert!(seqno >= self.last);
        *model = Txn::new(model.isolation, seqno, model.is_limited, self.trees.clone());
    }

    fn end(&mut self, slot: usize) {
        if let Some((txn, _)) = self.txns[slot].take() {
            // SAFETY: a transaction of this thread, which is not used any more.
            unsafe { masstree_txn_destroy(txn) };
        }
    }

    fn commit(&mut self, slot: usize) {
        let Some((txn, model)) = self.txns[slot].take() else {
            return;
        };
        let verdict = model.verdict(&self.trees, ROOM);
        let mut commit = 0;
        // SAFETY: a transaction of this thread.
        let status = unsafe { masstree_txn_commit(txn, &mut commit) };
        show(&(status, &verdict), "commit: ");
        assert!(
            verdict.allowed.contains(&status),
            "{status}; {verdict:?} {model:?}"
        );
        if status < 0 {
            self.txns[slot] = Some((txn, model)); // goes on
            return;
        }
        if status == MASSTREE_OK && (verdict.is_effective || commit > model.seqno) {
            self.committed(commit);
            for ((number, key), value) in &model.writes {
                let tree = self.trees.iter_mut().find(|tree| tree.number == *number);
                if let Some(tree) = tree {
                    tree.write(key, value.as_ref(), commit);
                }
            }
        } else if status == MASSTREE_OK {
            assert_eq!(commit, model.seqno);
        }
        let (mut tree, mut key, mut len) = (null_mut(), null(), 0);
        // SAFETY: a transaction of this thread.
        unsafe {
            let named = masstree_txn_conflict(txn, &mut tree, &mut key, &mut len);
            if status == MASSTREE_CONFLICT {
                assert_eq!(named, MASSTREE_OK);
                let key = std::slice::from_raw_parts(key.cast::<u8>(), len).to_vec();
                let number = self.handles.iter().find(|(_, handle)| **handle == tree);
                let number = *number.expect("a tree of the store").0;
                assert!(
                    verdict.conflicts.contains(&(number, key)),
                    "{verdict:?} {model:?}"
                );
            } else {
                assert_eq!(named, MASSTREE_NOT_FOUND);
            }
            assert_eq!(masstree_txn_commit(txn, null_mut()), MASSTREE_INVALID);
            masstree_txn_destroy(txn);
        }
    }

    fn access(&mut self, slot: usize, at: usize, access: Access) {
        let Some((txn, model)) = &mut self.txns[slot] else {
            return;
        };
        let of = Session {
            txn: *txn,
            tree: self.handles[&model.trees[at].number],
            at,
        };
        model.uses(model.trees[at].number);
        of.run(model, access);
    }

    /// A write outside of transactions, or a listing.
    fn store_access(&mut self, at: usize, access: &Access) {
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
            for (key, value) in &writes {
                self.trees[at].write(key, value.as_ref(), commit);
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

    fn list(&self, at: usize, range: &RangeChoice, delimiter: u8) {
        let tree = &self.trees[at];
        list(self.handles[&tree.number], tree, range, delimiter);
    }

    fn drop_tree(&mut self, at: usize) {
        let mut commit = 0;
        // SAFETY: an open store; a dropped tree stays valid.
        unsafe {
            let name = NAMES[at].as_ptr();
            assert_eq!(
                masstree_store_drop_tree(self.store, name, &mut commit),
                MASSTREE_OK
            );
            assert_eq!(
                masstree_store_drop_tree(self.store, name, null_mut()),
                MASSTREE_NOT_FOUND
            );
            let old = self.handles[&self.trees[at].number];
            let key = b"key".as_ptr().cast();
            let status = masstree_store_put(self.store, old, key, 3, key, 3, null_mut());
            assert_eq!(status, MASSTREE_WRONG_TREE);
        }
        self.committed(commit);
        let number = 1 + *self.handles.keys().last().expect("trees");
        self.trees[at] = Tree {
            number,
            ..Tree::default()
        };
        self.handles
            .insert(number, tree_named(self.store, NAMES[at]));
    }

    /// Exports the store, and opens what was exported.
    fn export(&mut self) {
        // SAFETY: an open store.
        let export = || unsafe {
            masstree_store_export(
                self.store,
                null(),
                COPY.as_ptr(),
                None,
                null_mut(),
                null_mut(),
            )
        };
        assert_eq!(export(), MASSTREE_OK);
        assert_eq!(export(), MASSTREE_EXISTS);
        assert_eq!(verify(&self.disk, COPY), MASSTREE_OK);
        assert_eq!(verify(&self.disk, STORE), MASSTREE_LOCKED);
        let copy = open(&self.disk, COPY, 0).expect("an exported store");
        assert_eq!(content(copy), self.content());
        let (tree, mut commit) = (tree_named(copy, NAMES[0]), 0);
        let key = b"key".as_ptr().cast();
        // SAFETY: an open store.
        let status = unsafe { masstree_store_put(copy, tree, key, 3, key, 3, &mut commit) };
        assert_eq!(status, MASSTREE_OK);
        assert!(commit > self.last, "a number is given out twice");
        close(copy);
        self.disk.remove_all("copy/");
    }

    fn reopen(&mut self) {
        (0..2).for_each(|slot| self.end(slot));
        close(self.store);
        self.handles.clear();
        assert_eq!(verify(&self.disk, STORE), MASSTREE_OK);
        self.store = begin_store(&self.disk);
        assert_eq!(content(self.store), self.content());
        self.find_trees();
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

fn verify(disk: &Disk, directory: &CStr) -> i32 {
    let table = disk.table();
    let (mut options, mut failure) = options(0);
    options.io = &raw const table;
    options.failure = &raw mut *failure;
    // SAFETY: pointers that are valid during the call.
    unsafe { masstree_store_verify(directory.as_ptr(), &options, null_mut()) }
}

/// One input.
pub fn transactions(input: &[u8]) {
    let mut u = Unstructured::new(input);
    let mut subject = Subject::new();
    for _ in 0..MAX_OPERATIONS {
        let Ok(op) = u.arbitrary::<Op>() else { break };
        if u.is_empty() {
            break;
        }
        show(&op, "");
        subject.run(op);
    }
    subject.reopen();
    close(subject.store);
}
