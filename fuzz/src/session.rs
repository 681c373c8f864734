//! One thread's operations on a tree, and the model of their results.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_void};

use masstree::ffi::handle::GuardHandle;
use masstree::ffi::handle::TreeHandle;
use masstree::ffi::index::bytes::Slice;
use masstree::ffi::index::guard::*;
use masstree::ffi::index::inspect::*;
use masstree::ffi::index::memory::*;
use masstree::ffi::index::options::*;
use masstree::ffi::index::stats::*;
use masstree::ffi::index::tree::*;
use masstree::ffi::status::*;

use crate::cursors::OpenCursor;
use crate::keys::{FAMILIES, Family};
use crate::memory::{self, Memory};
use crate::observed::Observed;
use crate::op::{GuardOp, Op};
use crate::scans::Spec;
use crate::values::{self, Ledger, UNTOUCHED, VALUES, bytes_of, decoded};

/// The nodes of an empty tree: one leaf, which may have tails.
const NODE_BYTES: u64 = 448;

/// A tree, and the contexts in its options. It outlives the sessions.
pub(crate) struct Place {
    pub(crate) tree: *mut TreeHandle,
    pub(crate) kind: Kind,
    pub(crate) ledger: Box<Ledger>,
    pub(crate) memory: Box<Memory>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Words,
    /// Words with a destructor.
    Destroyed,
    Bytes,
}

impl Place {
    /// Creates a tree. `bits` select its options. None if an allocation fails.
    pub(crate) fn new(bits: u8, threads: u64, memory: Box<Memory>) -> Result<Self, Box<Memory>> {
        let kind = match bits & 3 {
            0 | 1 => Kind::Bytes,
            2 => Kind::Destroyed,
            _ => Kind::Words,
        };
        let ledger = Box::new(Ledger::new(threads));
        let own = bits & 4 != 0;
        let chunk_size = [0, 1, 320 * 3, 4096][usize::from(bits >> 3) % 4];
        let options = Options {
            struct_size: size_of::<Options>(),
            value_destructor: (kind == Kind::Destroyed).then_some(values::destroy as _),
            value_ctx: std::ptr::from_ref(&*ledger).cast_mut().cast(),
            alloc: own.then_some(memory::alloc as _),
            free: own.then_some(memory::free as _),
            alloc_ctx: std::ptr::from_ref(&*memory).cast_mut().cast(),
            chunk_size,
            value_kind: u32::from(kind == Kind::Bytes),
            huge_pages: match bits >> 7 {
                1 if own && chunk_size == 0 => MASSTREE_HUGE_PAGES_FROM_ALLOCATOR,
                mode => u32::from(mode),
            },
            version_flags: 0,
            reserved: 0,
            key_of: None,
            key_ctx: std::ptr::null_mut(),
        };
        let mut tree = std::ptr::null_mut();
        // SAFETY: sound options, whose contexts outlive the tree.
        let status = unsafe { masstree_create(&options, &mut tree) };
        if status == MASSTREE_NOMEM {
            assert!(memory.failures() > 0 && tree.is_null());
            memory.assert_all_returned();
            return Err(memory);
        }
        assert_eq!(status, MASSTREE_OK);
        Ok(Self {
            tree,
            kind,
            ledger,
            memory,
        })
    }

    /// Destroys the tree; then every value that it owned was destroyed once, and all memory
    /// was freed.
    pub(crate) fn close(self, ends: &[Ending]) {
        // SAFETY: the sessions are over.
        unsafe { masstree_destroy(self.tree) };
        crate::count::executed();
        self.memory.assert_all_returned();
        if self.kind == Kind::Destroyed {
            for end in ends {
                for (place, fate) in end.fates.iter().enumerate().skip(1) {
                    let value = end.first_value + place as u64;
                    let expected = u8::from(*fate == Fate::TheTrees);
                    assert_eq!(self.ledger.destroyed(value), expected, "value {value}");
                }
            }
        }
    }
}

/// The owner of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    NeverStored,
    TheTrees,
    TheCallers,
}

/// The fate of a session's values.
pub(crate) struct Ending {
    first_value: u64,
    fates: Vec<Fate>,
    /// The values left in the tree.
    pub(crate) model: BTreeMap<Vec<u8>, u64>,
}

/// The result of a call: its status and its output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Given {
    pub(crate) status: i32,
    pub(crate) value: Option<u64>,
}

pub(crate) struct Session<'p> {
    pub(crate) place: &'p Place,
    pub(crate) families: [Family; FAMILIES],
    /// The end of keys of this session, if other sessions use the tree, too.
    pub(crate) tag: Option<u8>,
    pub(crate) model: BTreeMap<Vec<u8>, u64>,
    first_value: u64,
    fates: Vec<Fate>,
    pub(crate) guard: *mut GuardHandle,
    /// Values that were displaced since the guard was entered: not destroyed yet.
    pinned: Vec<u64>,
    /// Byte strings returned under the guard: still readable, and intact.
    held: Vec<(Slice, u64)>,
    pub(crate) cursors: [Option<OpenCursor>; 2],
    pub(crate) observed: Vec<Observed>,
    /// Calls so far.
    pub(crate) calls: u64,
}

impl<'p> Session<'p> {
    pub(crate) fn new(
        place: &'p Place,
        families: [Family; FAMILIES],
        thread: u64,
        tag: Option<u8>,
    ) -> Self {
        Self {
            place,
            families,
            tag,
            model: BTreeMap::new(),
            first_value: thread * VALUES,
            fates: vec![Fate::NeverStored],
            guard: std::ptr::null_mut(),
            pinned: Vec::new(),
            held: Vec::new(),
            cursors: [None, None],
            observed: Vec::new(),
            calls: 0,
        }
    }

    pub(crate) fn tree(&self) -> *mut TreeHandle {
        self.place.tree
    }

    pub(crate) fn holds_bytes(&self) -> bool {
        self.place.kind == Kind::Bytes
    }

    /// Whether no other session uses the tree.
    pub(crate) fn is_alone(&self) -> bool {
        self.tag.is_none()
    }

    /// Whether a key is one that only this session writes.
    pub(crate) fn is_own(&self, key: &[u8]) -> bool {
        self.tag.is_none() || key.last() == self.tag.as_ref()
    }

    /// Runs an operation; false when enough were run.
    pub(crate) fn run(&mut self, op: &Op) -> bool {
        match op {
            Op::Point(point) => self.point(point),
            Op::Run(run) => self.many(run),
            Op::Scan(scan) => self.scan(scan),
            Op::Cursor(op) => self.cursor(op),
            Op::Guard(op) => self.guard_op(*op),
            Op::Whole(op) => self.whole(op),
        }
        self.assert_observed();
        // An operation takes at most 64 values, also a bulk load.
        self.fates.len() as u64 + 64 < VALUES
    }

    /// A value that was not used before.
    pub(crate) fn fresh(&mut self) -> u64 {
        self.fates.push(Fate::NeverStored);
        self.first_value + self.fates.len() as u64 - 1
    }

    fn fate(&mut self, value: u64) -> Option<&mut Fate> {
        (value != 0).then(|| &mut self.fates[(value - self.first_value) as usize])
    }

    /// Applies a store to the model: the tree owns the value, and the displaced one goes to
    /// the destructor, or to the caller if it `took` it.
    pub(crate) fn stored(&mut self, key: &[u8], value: u64, took: bool) {
        let before = self.model.insert(key.to_vec(), value);
        if let Some(fate) = self.fate(value) {
            *fate = Fate::TheTrees;
        }
        if before != Some(value) {
            self.displaced(before, took);
        }
    }

    pub(crate) fn removed(&mut self, key: &[u8], took: bool) {
        let before = self.model.remove(key);
        self.displaced(before, took);
    }

    pub(crate) fn displaced(&mut self, value: Option<u64>, took: bool) {
        let Some(value) = value else { return };
        if took {
            if let Some(fate) = self.fate(value) {
                *fate = Fate::TheCallers;
            }
        } else if !self.guard.is_null() && value != 0 {
            self.pinned.push(value);
        }
    }

    /// Whether a call ran out of memory, and so changed nothing.
    pub(crate) fn refused(&mut self, status: i32) -> bool {
        if status != MASSTREE_NOMEM {
            return false;
        }
        let memory = &self.place.memory;
        assert!(memory.failures() > 0, "out of memory without reason");
        true
    }

    /// A word that was stored in an output.
    pub(crate) fn word(status: i32, word: u64) -> Given {
        Given {
            status,
            value: (word != UNTOUCHED).then_some(word),
        }
    }

    /// A byte string that was returned under the guard.
    pub(crate) fn slice(&mut self, status: i32, slice: Slice) -> Given {
        let value = (slice.len != UNTOUCHED as usize).then(|| {
            // SAFETY: the guard is held.
            let value = decoded(unsafe { bytes_of(slice) });
            self.held.push((slice, value));
            value
        });
        Given { status, value }
    }

    fn guard_op(&mut self, op: GuardOp) {
        self.calls += 1;
        match op {
            GuardOp::Enter if self.guard.is_null() => {
                // SAFETY: a living tree.
                let status = unsafe { masstree_guard_enter(self.tree(), &mut self.guard) };
                assert!(status == MASSTREE_OK || self.refused(status), "{status}");
            }
            GuardOp::Enter => {}
            GuardOp::Refresh => {
                self.assert_pinned();
                self.cursors_let_go();
                // SAFETY: NULL, or this session's.
                unsafe { masstree_guard_refresh(self.guard) };
            }
            GuardOp::Leave => {
                self.assert_pinned();
                self.close_cursors(false);
                // SAFETY: NULL, or this session's.
                unsafe { masstree_guard_leave(self.guard) };
                self.guard = std::ptr::null_mut();
            }
        }
    }

    /// Checks that values read under the guard are unchanged, and displaced ones not destroyed.
    fn assert_pinned(&mut self) {
        for value in self.pinned.drain(..) {
            assert_eq!(self.place.ledger.destroyed(value), 0, "value {value}");
        }
        for (slice, value) in self.held.drain(..) {
            // SAFETY: the guard is still held.
            assert_eq!(decoded(unsafe { bytes_of(slice) }), value);
        }
    }

    /// Checks that the tree is valid and contains what the model does.
    pub(crate) fn verify(&mut self) {
        if self.is_alone() {
            assert_sound(self.place);
            let mut len = UNTOUCHED;
            // SAFETY: a living tree.
            let status = unsafe { masstree_len(self.tree(), &mut len) };
            assert_eq!((status, len), (MASSTREE_OK, self.model.len() as u64));
        }
        self.scan_as(&Spec::all(false));
        self.scan_as(&Spec::all(true));
    }

    /// Removes every key: then the tree is as small as a new one, except for garbage.
    pub(crate) fn empty(&mut self) {
        self.close_cursors(true);
        self.guard_op(GuardOp::Leave);
        let keys: Vec<_> = self.model.keys().cloned().collect();
        self.calls += keys.len() as u64;
        for key in keys {
            assert_eq!(self.call_remove(&key, false).status, MASSTREE_OK);
            self.removed(&key, false);
        }
        // SAFETY: a living tree, and no guard is held.
        unsafe {
            assert_eq!(masstree_flush(self.tree(), self.guard), MASSTREE_OK);
            assert_eq!(masstree_barrier(self.tree()), MASSTREE_OK);
        }
        let stats = self.stats();
        let held = stats.node_bytes + stats.suffix_bytes + stats.value_bytes;
        // An incomplete batch of a guard that was left still waits.
        let most = NODE_BYTES + stats.limbo_bytes;
        assert!(stats.keys == 0 && held <= most, "{held} bytes, not {most}");
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats {
            struct_size: size_of::<Stats>(),
            ..Stats::default()
        };
        // SAFETY: a living tree, and a sound struct.
        let status = unsafe { masstree_stats(self.tree(), self.guard, &mut stats) };
        assert_eq!(status, MASSTREE_OK);
        stats
    }

    pub(crate) fn end(mut self) -> Ending {
        self.close_cursors(true);
        self.guard_op(GuardOp::Leave);
        crate::count::called(self.calls);
        Ending {
            first_value: self.first_value,
            fates: self.fates,
            model: self.model,
        }
    }
}

/// No thread may use the tree.
pub(crate) fn assert_sound(place: &Place) {
    unsafe extern "C" fn append(text: *const c_char, len: usize, ctx: *mut c_void) {
        // SAFETY: as the library promises, and what was passed with it.
        let (text, faults) = unsafe {
            let text = std::slice::from_raw_parts(text.cast::<u8>(), len);
            (text, &mut *ctx.cast::<String>())
        };
        faults.push_str(&String::from_utf8_lossy(text));
    }
    let mut faults = String::new();
    let ctx = std::ptr::from_mut(&mut faults).cast();
    // SAFETY: a living tree, and the callback is sound.
    let status = unsafe { masstree_check(place.tree, std::ptr::null_mut(), Some(append), ctx) };
    assert_eq!(status, MASSTREE_OK, "{faults}");
}
