//! Threads that wait for the log.

use std::ffi::c_void;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::durable::io::IoTable;

/// What the next sync does: nothing but to sync; it will stop; it has stopped; it may go on.
static GATE: AtomicU32 = AtomicU32::new(OPEN);
const OPEN: u32 = 0;
const STOP: u32 = 1;
const STOPPED: u32 = 2;
const GO_ON: u32 = 3;

type Sync = unsafe extern "C" fn(*mut c_void, i64) -> i64;

static SYNC: OnceLock<Sync> = OnceLock::new();

unsafe extern "C" fn stopping_sync(ctx: *mut c_void, file: i64) -> i64 {
    let (success, failure) = (Ordering::SeqCst, Ordering::SeqCst);
    if (GATE.compare_exchange(STOP, STOPPED, success, failure)).is_ok() {
        await_gate(GO_ON);
    }
    // SAFETY: the context and the file are those of the table whose function this is.
    unsafe { SYNC.get().expect("it was set")(ctx, file) }
}

/// Ends: when another thread of the test has come so far.
fn await_gate(state: u32) {
    while GATE.load(Ordering::SeqCst) != state {
        thread::yield_now();
    }
}

/// The sync that precedes a new segment wakes a thread that has begun to wait for it meanwhile.
///
/// Put back: wake waiters only after a sync for which the appender found one.
#[test]
fn a_sync_before_a_new_segment_wakes_waiters() {
    let disk = Disk::default();
    let inner = disk.io();
    SYNC.set(inner.table().sync).unwrap();
    let table = IoTable {
        sync: stopping_sync,
        ..*inner.table()
    };
    // SAFETY: the functions are those of a table that meets the contract; the disk outlives the log.
    let io = unsafe { Io::from_table(table, None) };
    let log = Log::open(small(io), LogEnd::new()).unwrap();
    // The first segment is synced before this returns.
    let first = append(&log, &[1; 100]).unwrap();
    GATE.store(STOP, Ordering::SeqCst);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Ends: the segment is full.
            while GATE.load(Ordering::SeqCst) == STOP {
                append(&log, &[2; 100]).unwrap();
            }
        });
        await_gate(STOPPED);
        let waiter = scope.spawn(|| log.wait(first, Level::Durable));
        // Ends: the waiter cannot do without the sync.
        while log.shared.synced.sleepers() == 0 {
            thread::yield_now();
        }
        GATE.store(GO_ON, Ordering::SeqCst);
        waiter.join().unwrap().unwrap();
    });
    log.close().unwrap();
}
