//! Two transactions of one thread, with cursors, and single writes of a store, against a model; and of the same
//! store: listings by a delimiter, snapshots, dropped trees, changes, exports, imports, checkpoints, verifying, and
//! opening it again.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::ptr::{null, null_mut};

use arbitrary::Unstructured;
use masstree::ffi::handle::TreeHandle;
use masstree::ffi::status::*;
use masstree::ffi::store::checkpoint::*;
use masstree::ffi::store::handle::{StoreHandle, TxnHandle};
use masstree::ffi::store::trees::*;
use masstree::ffi::store::txn::*;
use masstree::ffi::store::wait::{MASSTREE_DURABLE, MASSTREE_WRITTEN};
use masstree::ffi::store::write::*;

use crate::store::{Content, STORE, close, content, open};
use crate::store_disk::Disk;
use crate::targets::show;
use crate::txn_changes::{Changes, Expected, What};
use crate::txn_copy::verify;
use crate::txn_cursor::Cursor;
use crate::txn_list::{list, row_of};
use crate::txn_model::{Tree, Txn};
use crate::txn_op::{Access, Move, Op, RangeChoice};
use crate::txn_session::Session;
use crate::txn_snapshots::{Held, open_snapshots};

const MAX_OPERATIONS: usize = 160;
pub(crate) const NAMES: [&CStr; 2] = [c"left", c"right"];
/// Half of the log's buffer.
pub(crate) const ROOM: usize = 1 << 11;

pub(crate) struct Subject {
    pub(crate) disk: Box<Disk>,
    pub(crate) store: *mut StoreHandle,
    pub(crate) trees: [Tree; 2],
    /// By the trees' numbers.
    pub(crate) handles: BTreeMap<usize, *mut TreeHandle>,
    /// The last commit.
    pub(crate) last: u64,
    txns: [Option<Running>; 2],
    pub(crate) snapshots: [Option<Held>; 2],
    pub(crate) changes: Changes,
}

/// A transaction, and its cursors of the two trees.
struct Running {
    txn: *mut TxnHandle,
    model: Txn,
    cursors: [Option<Cursor>; 2],
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cursors = [None, None];
        // SAFETY: a transaction of this thread, which is not used any more.
        unsafe { masstree_txn_destroy(self.txn) };
    }
}

/// A store on a disk that is open to be written.
fn begin_store(disk: &Disk) -> *mut StoreHandle {
    open(disk, STORE, 0).expect("an undamaged store")
}

pub(crate) fn tree_named(store: *mut StoreHandle, name: &CStr) -> *mut TreeHandle {
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
            snapshots: [None, None],
            changes: Changes::default(),
        };
        made.find_trees();
        for at in 0..2 {
            made.note_tree(at, What::Made, None);
        }
        made
    }

    fn find_trees(&mut self) {
        for (tree, name) in self.trees.iter().zip(NAMES) {
            self.handles
                .insert(tree.number, tree_named(self.store, name));
        }
    }

    /// What a store has that has these trees.
    pub(crate) fn content(trees: &[Tree; 2]) -> Content {
        let mut trees: Vec<_> = trees.iter().zip(NAMES).collect();
        trees.sort_by_key(|(tree, _)| tree.number);
        let content = trees.into_iter().map(|(tree, name)| {
            let rows = tree.rows.clone().into_iter().map(row_of).collect();
            (CString::from(name), rows)
        });
        content.collect()
    }

    /// Notes what a commit has done to a tree.
    pub(crate) fn note_tree(&mut self, at: usize, what: What, commit: Option<u64>) {
        self.changes.note([Expected {
            commit,
            tree: self.trees[at].number,
            name: NAMES[at],
            key: Vec::new(),
            what,
            is_certain: true,
        }]);
    }

    /// Notes a commit's number.
    pub(crate) fn committed(&mut self, commit: u64) {
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
                if let Some(mut running) = self.txns[usize::from(slot)].take() {
                    // SAFETY: a transaction of this thread.
                    unsafe { masstree_txn_abort(running.txn) };
                    running.has_ended();
                }
            }
            Op::Step(slot, tree, step) => self.step(slot.into(), tree.into(), &step),
            Op::CloseCursor(slot, tree) => {
                if let Some(running) = &mut self.txns[usize::from(slot)] {
                    running.cursors[usize::from(tree)] = None;
                }
            }
            Op::Store(tree, access) => self.store_access(tree.into(), &access),
            Op::List(tree, range, delimiter) => self.list(tree.into(), &range, delimiter),
            Op::Snapshot(slot) => self.open_or_close(slot.into()),
            Op::GetAt(slot, tree, key) => {
                if let Some((held, handle)) = self.held(slot, tree) {
                    held.get(tree.into(), handle, &key.0);
                }
            }
            Op::ListAt(slot, tree, range, delimiter) => {
                if let Some((held, handle)) = self.held(slot, tree) {
                    let tree = &held.trees[usize::from(tree)];
                    list(handle, tree, held.seqno, &range, delimiter);
                }
            }
            Op::Drop(tree) => self.drop_tree(tree.into()),
            Op::Export(from) => self.export(from),
            Op::Import(import) => self.import(&import),
            Op::Follow { is_durable, keeps } => {
                let level = if is_durable {
                    MASSTREE_DURABLE
                } else {
                    MASSTREE_WRITTEN
                };
                self.changes.follow(self.store, level);
                if !keeps {
                    self.changes.leave();
                }
            }
            Op::ChangesSince(choice) => self.changes.read_since(self.store, choice),
            Op::Checkpoint => {
                // SAFETY: an open store.
                let status = unsafe { masstree_store_checkpoint(self.store) };
                assert_eq!(status, MASSTREE_OK);
            }
            Op::Reopen => self.reopen(),
        }
    }

    fn begin(&mut self, slot: usize, kind: u8) {
        self.txns[slot] = None;
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
        self.txns[slot] = Some(Running {
            txn,
            model,
            cursors: [None, None],
        });
    }

    fn reset(&mut self, slot: usize) {
        let Some(Running {
            txn,
            model,
            cursors,
        }) = &mut self.txns[slot]
        else {
            return;
        };
        // SAFETY: a transaction of this thread.
        let seqno = unsafe {
            assert_eq!(masstree_txn_reset(*txn), MASSTREE_OK);
            masstree_txn_seqno(*txn)
        };
        assert!(seqno >= self.last);
        *model = Txn::new(model.isolation, seqno, model.is_limited, self.trees.clone());
        cursors.iter_mut().flatten().for_each(Cursor::forget);
    }

    fn commit(&mut self, slot: usize) {
        let Some(mut running) = self.txns[slot].take() else {
            return;
        };
        let (txn, model) = (running.txn, &running.model);
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
            self.txns[slot] = Some(running); // goes on
            return;
        }
        if status == MASSTREE_OK && (verdict.is_effective || commit > model.seqno) {
            self.committed(commit);
            self.write_all(model, commit);
        } else if status == MASSTREE_OK {
            assert_eq!(commit, model.seqno);
        }
        let (mut tree, mut key, mut len) = (null_mut(), null(), 0);
        // SAFETY: a transaction of this thread.
        let named = unsafe { masstree_txn_conflict(txn, &mut tree, &mut key, &mut len) };
        if status == MASSTREE_CONFLICT {
            assert_eq!(named, MASSTREE_OK);
            // SAFETY: the key of the conflict.
            let key = unsafe { std::slice::from_raw_parts(key.cast::<u8>(), len).to_vec() };
            let number = self.handles.iter().find(|(_, handle)| **handle == tree);
            let number = *number.expect("a tree of the store").0;
            assert!(
                verdict.conflicts.contains(&(number, key)),
                "{verdict:?} {model:?}"
            );
        } else {
            assert_eq!(named, MASSTREE_NOT_FOUND);
        }
        running.has_ended();
    }

    /// Writes what a transaction has committed.
    fn write_all(&mut self, model: &Txn, commit: u64) {
        let mut changes = Vec::new();
        for ((number, key), value) in &model.writes {
            let at = model.trees.iter().position(|tree| tree.number == *number);
            let at = at.expect("a tree that the transaction has seen");
            let tree = &mut self.trees[at];
            let is_there = tree.number == *number;
            changes.push(Expected {
                commit: Some(commit),
                tree: *number,
                name: NAMES[at],
                key: key.clone(),
                what: value.clone().map_or(What::Removed, What::Put),
                is_certain: value.is_some() || is_there && tree.rows.contains_key(key),
            });
            if is_there {
                tree.write(key, value.as_ref(), commit);
            }
        }
        self.changes.note(changes);
    }

    fn step(&mut self, slot: usize, at: usize, step: &Move) {
        let Some(Running {
            txn,
            model,
            cursors,
        }) = &mut self.txns[slot]
        else {
            return;
        };
        let number = model.trees[at].number;
        model.uses(number);
        let cursor =
            cursors[at].get_or_insert_with(|| Cursor::open(*txn, self.handles[&number], number));
        cursor.step(model, at, step);
    }

    fn access(&mut self, slot: usize, at: usize, access: Access) {
        let Some(Running { txn, model, .. }) = &mut self.txns[slot] else {
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

    pub(crate) fn list(&self, at: usize, range: &RangeChoice, delimiter: u8) {
        let tree = &self.trees[at];
        list(self.handles[&tree.number], tree, u64::MAX, range, delimiter);
    }

    /// Opens a snapshot, or closes it; lists all that are open.
    fn open_or_close(&mut self, slot: usize) {
        self.snapshots[slot] = match self.snapshots[slot].take() {
            Some(_) => None,
            None => Some(Held::open(self.store, &self.trees)),
        };
        let held = self.snapshots.iter().flatten().map(|held| held.seqno);
        let running = (self.txns.iter().flatten()).map(|running| running.model.seqno);
        let mut expected: Vec<u64> = held.chain(running).collect();
        expected.sort_unstable();
        assert_eq!(open_snapshots(self.store), expected);
    }

    /// A snapshot, and a tree that it sees, which may have been dropped.
    fn held(&self, slot: bool, tree: bool) -> Option<(&Held, *mut TreeHandle)> {
        let held = self.snapshots[usize::from(slot)].as_ref()?;
        let number = held.trees[usize::from(tree)].number;
        Some((held, self.handles[&number]))
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
        self.note_tree(at, What::Dropped, Some(commit));
        self.make_anew(at);
        self.note_tree(at, What::Made, None);
    }

    /// A tree was dropped, and is made again.
    pub(crate) fn make_anew(&mut self, at: usize) {
        let number = 1 + *self.handles.keys().last().expect("trees");
        self.trees[at] = Tree {
            number,
            ..Tree::default()
        };
        self.handles
            .insert(number, tree_named(self.store, NAMES[at]));
    }

    fn reopen(&mut self) {
        self.txns = [None, None];
        self.snapshots = [None, None];
        self.changes.leave();
        close(self.store);
        self.handles.clear();
        assert_eq!(verify(&self.disk, STORE), MASSTREE_OK);
        self.store = begin_store(&self.disk);
        assert_eq!(content(self.store), Self::content(&self.trees));
        self.find_trees();
    }
}

impl Running {
    /// It was committed, refused or aborted.
    fn has_ended(&mut self) {
        // SAFETY: a transaction of this thread.
        unsafe {
            assert_eq!(masstree_txn_seqno(self.txn), 0);
            assert_eq!(masstree_txn_commit(self.txn, null_mut()), MASSTREE_INVALID);
        }
        (self.cursors.iter_mut().flatten()).for_each(Cursor::outlive);
    }
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
    subject.changes.follow(subject.store, MASSTREE_DURABLE);
    subject.changes.leave();
    close(subject.store);
}
