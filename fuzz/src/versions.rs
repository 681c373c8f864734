//! Versioned trees: operations of one thread, some with failing allocations, against a map of maps
//! and a list of range tombstones.

use std::ffi::c_void;

use arbitrary::{Arbitrary, Unstructured};
use masstree::ffi::handle::{GuardHandle, TreeHandle};
use masstree::ffi::index::guard::*;
use masstree::ffi::index::inspect::*;
use masstree::ffi::index::memory::*;
use masstree::ffi::index::options::*;
use masstree::ffi::index::scan::*;
use masstree::ffi::index::tree::*;
use masstree::ffi::status::*;
use masstree::ffi::versioned::digest::*;
use masstree::ffi::versioned::keep::*;
use masstree::ffi::versioned::read::*;
use masstree::ffi::versioned::walk::*;
use masstree::ffi::versioned::write::*;

use crate::keys::{FAMILIES, Family};
use crate::memory::{self, Memory};
use crate::values::slice_of;
use crate::versions_op::{KeyChoice, Op};
use crate::versions_oracle::{Oracle, Row};

const MAX_OPERATIONS: usize = 300;

pub(crate) struct Subject {
    pub(crate) tree: *mut TreeHandle,
    pub(crate) guard: *mut GuardHandle,
    memory: Box<Memory>,
    families: [Family; FAMILIES],
    snapshots: Vec<*mut SnapshotHandle>,
    pub(crate) model: Oracle,
    digests: u64,
}

/// # Safety
/// `ctx` is a `Vec<Row>`, and the rest as in `VersionVisitor`.
pub(crate) unsafe extern "C" fn collect(
    key: *const c_void,
    key_len: usize,
    version: *const Version,
    ctx: *mut c_void,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        let key = std::slice::from_raw_parts(key.cast::<u8>(), key_len);
        (*ctx.cast::<Vec<Row>>()).push(row(key, &*version));
    }
    MASSTREE_VISIT_CONTINUE
}

pub(crate) fn row(key: &[u8], version: &Version) -> Row {
    // SAFETY: a version that a call returned, under its guard.
    let value =
        unsafe { std::slice::from_raw_parts(version.value.cast::<u8>(), version.value_len) };
    (key.to_vec(), version.seqno, version.kind, value.to_vec())
}

impl Subject {
    pub(crate) fn key(&self, choice: KeyChoice) -> Vec<u8> {
        self.families[usize::from(choice.0) % FAMILIES].key((choice.0 >> 2) % 8)
    }

    fn snapshot_numbers(&self) -> Vec<u64> {
        // SAFETY: open snapshots.
        let numbers = self
            .snapshots
            .iter()
            .map(|&of| unsafe { masstree_snapshot_seqno(of) });
        numbers.collect()
    }

    /// Whether everything at a number is readable.
    pub(crate) fn is_readable(&self, number: u64) -> bool {
        number >= self.model.floor || self.snapshot_numbers().contains(&number)
    }

    /// Makes a call whose allocations may fail; if one does, the call says so, and is repeated.
    fn call(&mut self, mut call: impl FnMut(&mut Self) -> i32) -> i32 {
        crate::count::called(1);
        let before = self.memory.may_fail().then(|| {
            let paused = self.memory.pause();
            let rows = self.scan_versions(std::ptr::null()).1;
            self.memory.resume(paused);
            rows
        });
        let status = call(self);
        self.memory.fail_no_more();
        if status != MASSTREE_NOMEM {
            return status;
        }
        assert!(self.memory.failures() > 0);
        assert_eq!(
            Some(self.scan_versions(std::ptr::null()).1),
            before,
            "a call without memory has changed the tree"
        );
        call(self)
    }

    pub(crate) fn scan_versions(&self, range: *const VersionScan) -> (i32, Vec<Row>) {
        let mut rows: Vec<Row> = Vec::new();
        let ctx = (&raw mut rows).cast();
        // SAFETY: sound arguments.
        let status = unsafe {
            masstree_scan_versions(
                self.tree,
                self.guard,
                range,
                Some(collect),
                ctx,
                std::ptr::null_mut(),
            )
        };
        (status, rows)
    }

    fn put(&mut self, key: KeyChoice, number: u8, kind: u8, bytes: u8, digested: bool) {
        let (key, number, kind) = (self.key(key), u64::from(number), u32::from(kind % 5));
        let value = vec![bytes; usize::from(bytes) % 20];
        let status = self.call(|this| {
            let (k, v) = (slice_of(&key), slice_of(&value));
            // SAFETY: sound arguments.
            unsafe {
                if !digested {
                    return masstree_put_at(
                        this.tree, this.guard, k.data, k.len, number, kind, v.data, v.len,
                    );
                }
                let (mut digest, crc) = (0, MASSTREE_DIGEST_CRC32C);
                let computed = masstree_digest_version(
                    crc,
                    k.data,
                    k.len,
                    number,
                    kind,
                    v.data,
                    v.len,
                    &mut digest,
                );
                assert_eq!(computed, MASSTREE_OK);
                masstree_put_digested_at(
                    this.tree, this.guard, k.data, k.len, number, kind, v.data, v.len, crc, digest,
                )
            }
        });
        if number == 0 || kind == 4 {
            return assert_eq!(status, MASSTREE_INVALID);
        }
        if number <= self.model.floor {
            return assert_eq!(status, MASSTREE_TOO_OLD);
        }
        let versions = self.model.keys.entry(key).or_default();
        if versions.contains_key(&number) {
            return assert_eq!(status, MASSTREE_EXISTS);
        }
        assert_eq!(status, MASSTREE_OK);
        versions.insert(number, (kind, value));
        self.digests += u64::from(digested);
        self.model.highest = self.model.highest.max(number);
    }

    fn put_unless_newer(&mut self, key: KeyChoice, number: u8) {
        let (key, number) = (self.key(key), u64::from(number));
        let mut newer = 0;
        let status = self.call(|this| {
            let k = slice_of(&key);
            // SAFETY: sound arguments.
            unsafe {
                masstree_put_unless_newer_at(
                    this.tree, this.guard, k.data, k.len, number, 0, k.data, k.len, &mut newer,
                )
            }
        });
        let versions = self.model.keys.get(&key);
        let newest = versions
            .and_then(|of| of.last_key_value())
            .map_or(0, |(of, _)| *of);
        match () {
            () if number == 0 => assert_eq!(status, MASSTREE_INVALID),
            () if number <= self.model.floor => assert_eq!(status, MASSTREE_TOO_OLD),
            () if newest > number => assert_eq!((status, newer), (MASSTREE_MISMATCH, newest)),
            () if newest == number => assert_eq!(status, MASSTREE_EXISTS),
            () => {
                assert_eq!(status, MASSTREE_OK);
                let versions = self.model.keys.entry(key.clone()).or_default();
                versions.insert(number, (0, key));
                self.model.highest = self.model.highest.max(number);
            }
        }
    }

    fn remove_range(&mut self, lower: KeyChoice, upper: KeyChoice, number: u8) {
        let (lower, upper, number) = (self.key(lower), self.key(upper), u64::from(number));
        let status = self.call(|this| {
            let (from, to) = (slice_of(&lower), slice_of(&upper));
            // SAFETY: sound arguments.
            unsafe {
                masstree_remove_range_at(
                    this.tree, this.guard, from.data, from.len, to.data, to.len, number,
                )
            }
        });
        match () {
            () if number == 0 => return assert_eq!(status, MASSTREE_INVALID),
            () if number <= self.model.floor => return assert_eq!(status, MASSTREE_TOO_OLD),
            () => assert_eq!(status, MASSTREE_OK),
        }
        self.model.highest = self.model.highest.max(number);
        if lower < upper {
            self.model.ranges.push((lower, upper, number));
        }
    }

    fn open_snapshot(&mut self) {
        let mut opened = std::ptr::null_mut();
        // SAFETY: sound arguments.
        let status = self.call(|this| unsafe { masstree_snapshot_open(this.tree, &mut opened) });
        assert_eq!(status, MASSTREE_OK);
        self.snapshots.push(opened);
        assert_eq!(self.snapshot_numbers().pop(), Some(self.model.highest));
    }

    fn trim(&mut self, floor: u8, budget: u8) {
        let floor = u64::from(floor).min(self.model.highest);
        let expected = self.model.trim(floor, &self.snapshot_numbers());
        let mut all = self.trim_all(floor, budget);
        // Range tombstones may wait for the guards of the trim before: one waits at a time.
        for _ in 0..2 {
            if all < expected {
                // SAFETY: as in `trim_all`; a live tree and its guard.
                unsafe {
                    masstree_guard_refresh(self.guard);
                    assert_eq!(masstree_flush(self.tree, self.guard), MASSTREE_OK);
                }
                all += self.trim_all(floor, budget);
            }
        }
        assert_eq!(all, expected);
    }

    /// Trims to the end; returns what was freed.
    fn trim_all(&mut self, floor: u64, budget: u8) -> usize {
        let mut all = 0;
        // Ends: each call frees something or examines more.
        loop {
            let mut freed = 0;
            // SAFETY: sound arguments.
            let status = self.call(|this| unsafe {
                masstree_trim_versions(this.tree, floor, 1 + usize::from(budget), &mut freed)
            });
            all += freed;
            if status == MASSTREE_END {
                return all;
            }
            assert_eq!(status, MASSTREE_OK);
            // Range tombstones wait for guards that were held when the floor was raised.
            // SAFETY: nothing that was read under the guard is used any more.
            unsafe { masstree_guard_refresh(self.guard) };
        }
    }

    fn run(&mut self, op: &Op) {
        match *op {
            Op::Put {
                key,
                number,
                kind,
                bytes,
                digested,
            } => self.put(key, number, kind, bytes, digested),
            Op::PutUnlessNewer(key, number) => self.put_unless_newer(key, number),
            Op::RemoveRange(lower, upper, number) => self.remove_range(lower, upper, number),
            Op::OpenSnapshot => self.open_snapshot(),
            Op::Trim(floor, budget) => self.trim(floor, budget),
            _ => {
                self.memory.fail_no_more();
                crate::count::called(1);
                self.read(op);
            }
        }
        self.memory.fail_no_more();
    }

    fn read(&mut self, op: &Op) {
        match *op {
            Op::Get(key, number) => self.get(key, number),
            Op::Scan(number, reverse) => self.scan(number, reverse),
            Op::Versions {
                lower,
                upper,
                since,
                reverse,
            } => self.versions(lower, upper, since, reverse),
            Op::Walk(key, number, steps) => self.walk(key, number, steps),
            Op::CloseSnapshot(at) if !self.snapshots.is_empty() => {
                let at = usize::from(at) % self.snapshots.len();
                // SAFETY: it is open.
                unsafe { masstree_snapshot_close(self.snapshots.swap_remove(at)) };
            }
            Op::Verify => {
                let mut verified = 0;
                let none = std::ptr::null_mut();
                // SAFETY: sound arguments.
                let status = unsafe {
                    masstree_verify_digests(self.tree, self.guard, None, none, &mut verified)
                };
                assert_eq!(status, MASSTREE_OK);
                assert!(verified <= self.digests);
            }
            // SAFETY: nothing that was read under the guard is used any more.
            Op::Refresh => unsafe { masstree_guard_refresh(self.guard) },
            _ => {}
        }
    }
}

/// One thread's operations on a versioned tree.
pub fn versions(input: &[u8]) {
    let mut u = Unstructured::new(input);
    let Ok(families) = <[Family; FAMILIES]>::arbitrary(&mut u) else {
        return;
    };
    let memory = Box::new(Memory::default());
    let options = Options {
        struct_size: size_of::<Options>(),
        alloc: Some(memory::alloc),
        free: Some(memory::free),
        alloc_ctx: std::ptr::from_ref(&*memory).cast_mut().cast(),
        value_kind: MASSTREE_VALUES_VERSIONED,
        // SAFETY: all zero is valid.
        ..unsafe { std::mem::zeroed() }
    };
    let (mut tree, mut guard) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: sound options, whose context outlives the tree.
    unsafe {
        assert_eq!(masstree_create(&options, &mut tree), MASSTREE_OK);
        assert_eq!(masstree_guard_enter(tree, &mut guard), MASSTREE_OK);
    }
    let mut subject = Subject {
        tree,
        guard,
        memory,
        families,
        snapshots: Vec::new(),
        model: Oracle::default(),
        digests: 0,
    };
    for _ in 0..MAX_OPERATIONS {
        if u.is_empty() {
            break;
        }
        crate::targets::arm(&subject.memory, &mut u);
        let Ok(op) = u.arbitrary::<Op>() else { break };
        crate::targets::show(&op, "");
        subject.run(&op);
    }
    subject.memory.fail_no_more();
    assert_eq!(
        subject.scan_versions(std::ptr::null()),
        (MASSTREE_OK, subject.model.all_versions())
    );
    // SAFETY: nothing uses the tree after this.
    unsafe {
        let none = std::ptr::null_mut();
        assert_eq!(masstree_check(tree, guard, None, none), MASSTREE_OK);
        for snapshot in subject.snapshots.drain(..) {
            masstree_snapshot_close(snapshot);
        }
        masstree_guard_leave(guard);
        masstree_destroy(tree);
    }
    crate::count::executed();
    subject.memory.assert_all_returned();
}
