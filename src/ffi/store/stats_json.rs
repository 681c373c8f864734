//! Statistics of stores as text.

use std::ffi::c_void;
use std::fmt::Write;
use std::mem::MaybeUninit;

use super::handle::StoreHandle;
use super::stats::{StoreStats, masstree_store_stats};
use crate::ffi::boundary::status_of;
use crate::ffi::index::inspect::{TextSink, WriteText};
use crate::ffi::index::stats::write_array;
use crate::ffi::status::*;

/// What a field is.
enum Field<'s> {
    Number(u64),
    Histogram(&'s [u64]),
}

impl From<&u64> for Field<'_> {
    fn from(number: &u64) -> Self {
        Self::Number(*number)
    }
}

impl<'s, const LEN: usize> From<&'s [u64; LEN]> for Field<'s> {
    fn from(numbers: &'s [u64; LEN]) -> Self {
        Self::Histogram(numbers)
    }
}

/// Defines how statistics are written. rustc reports a field of the struct that is missing in the list
/// below.
macro_rules! fields {
    ($($field:ident)*) => {
        /// Returns the names of the fields, and the fields.
        fn fields(StoreStats { struct_size: _, $($field),* }: &StoreStats) -> impl Iterator<Item = (&str, Field<'_>)> {
            [$((stringify!($field), Field::from($field))),*].into_iter()
        }
    };
}

fields! {
    last_commit durable_commit trees
    log_records log_groups log_bytes log_syncs sync_us group_records
    read_segments read_records torn_bytes salvaged
    checkpoints_begun checkpoints_done checkpoints_failed checkpoint_bytes checkpoint_keys checkpoint_us
    checkpoint_commit trimmed_tombstones
    read_groups read_bytes recovery_threads read_us restore_us
    txns_begun txns_committed txns_aborted txn_key_conflicts txn_range_conflicts txn_write_conflicts
    txn_retries txn_bytes snapshots oldest_snapshot oldest_snapshot_ms changes_since
}

fn write_json(stats: &StoreStats, to: &mut dyn Write) -> std::fmt::Result {
    let mut separator = "{";
    for (name, field) in fields(stats) {
        write!(to, "{separator}\"{name}\":")?;
        match field {
            Field::Number(number) => write!(to, "{number}")?,
            Field::Histogram(numbers) => write_array(to, numbers)?,
        }
        separator = ",";
    }
    to.write_str("}\n")
}

/// Writes the statistics of a store as a JSON object with the names of the fields of
/// masstree_store_stats_t, all of them numbers or arrays of numbers, on one line that ends with a newline.
///
/// @param store  The store.
/// @param write  Called with the text, in pieces.
/// @param ctx    Passed to write.
///
/// @retval MASSTREE_OK       Everything was written.
/// @retval MASSTREE_INVALID  store or write is NULL.
/// @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_stats_json(
    store: *const StoreHandle,
    write: WriteText,
    ctx: *mut c_void,
) -> i32 {
    status_of(|| {
        let write = write.ok_or(MASSTREE_INVALID)?;
        let mut stats = MaybeUninit::<StoreStats>::zeroed();
        // SAFETY: all zero is a valid struct; the store is as this function's contract.
        let stats = unsafe {
            (*stats.as_mut_ptr()).struct_size = size_of::<StoreStats>();
            match masstree_store_stats(store, stats.as_mut_ptr()) {
                MASSTREE_OK => stats.assume_init(),
                status => return Err(status),
            }
        };
        // SAFETY: the callback is called as its type says.
        let mut sink = unsafe { TextSink::new(write, ctx) };
        // Writing to a sink cannot fail.
        let _ = write_json(&stats, &mut sink);
        Ok(MASSTREE_OK)
    })
}
