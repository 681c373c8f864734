//! Counts inputs and calls; prints them when the process ends.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static EXECUTIONS: AtomicU64 = AtomicU64::new(0);
static OPERATIONS: AtomicU64 = AtomicU64::new(0);

/// Counts an input.
pub(crate) fn executed() {
    static AT_EXIT: Once = Once::new();
    AT_EXIT.call_once(|| {
        // SAFETY: a function that may run while the process exits.
        unsafe { libc::atexit(print) };
    });
    EXECUTIONS.fetch_add(1, Relaxed);
}

/// Counts calls of the library; each key of a batch, and each step of a cursor that moves
/// several, counts as a call.
pub(crate) fn called(operations: u64) {
    OPERATIONS.fetch_add(operations, Relaxed);
}

extern "C" fn print() {
    eprintln!(
        "fuzz: {} executions, {} operations",
        EXECUTIONS.load(Relaxed),
        OPERATIONS.load(Relaxed)
    );
}
