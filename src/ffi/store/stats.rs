//! # Statistics of stores
//!
//! Counters of the log, of checkpoints and of transactions, and what was found when the store was opened.

use super::handle::{StoreHandle, store_of};
use crate::durable::store::{Event, Store};
use crate::ffi::boundary::{sized_output, status_of};
use crate::ffi::status::*;

/// Statistics of a store. Start from MASSTREE_STORE_STATS_INIT; struct_size works as in masstree_stats_t.
/// A histogram's member i counts values from 2^(i-1) to 2^i - 1; its first counts zeros.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct StoreStats {
    /// sizeof(masstree_store_stats_t); MASSTREE_STORE_STATS_INIT sets it.
    pub struct_size: usize,
    /// The number of the last commit.
    pub last_commit: u64,
    /// The number up to which every commit is durable.
    pub durable_commit: u64,
    /// Trees.
    pub trees: u64,
    /// Records that were written to the log since the store was opened: commits, and new trees.
    pub log_records: u64,
    /// Groups of records, each written at once.
    pub log_groups: u64,
    /// Bytes that were written to the log.
    pub log_bytes: u64,
    /// Syncs of the log.
    pub log_syncs: u64,
    /// Histogram: how long syncs took, in microseconds.
    pub sync_us: [u64; 64],
    /// Histogram: records of a group.
    pub group_records: [u64; 64],
    /// Files of the log that were read when the store was opened.
    pub read_segments: u64,
    /// Records that were read.
    pub read_records: u64,
    /// Bytes at the end of the log that a crash had left incomplete, and that were cut off.
    pub torn_bytes: u64,
    /// 1 if a fault was found in the log and what followed was given up (MASSTREE_STORE_SALVAGE),
    /// otherwise 0.
    pub salvaged: u64,
    /// Checkpoints that were begun since the store was opened.
    pub checkpoints_begun: u64,
    /// Those that were made, or for which nothing was to do.
    pub checkpoints_done: u64,
    /// Those that were not made.
    pub checkpoints_failed: u64,
    /// Bytes that were written for checkpoints, also for those that were not made.
    pub checkpoint_bytes: u64,
    /// Keys in the last checkpoint that was made since the store was opened.
    pub checkpoint_keys: u64,
    /// How long that took, in microseconds.
    pub checkpoint_us: u64,
    /// The commit up to which the checkpoint that counts has everything; 0: there is none.
    pub checkpoint_commit: u64,
    /// Tombstones that were trimmed in the background.
    pub trimmed_tombstones: u64,
    /// Groups of records that were read.
    pub read_groups: u64,
    /// Bytes of the log that were read.
    pub read_bytes: u64,
    /// Threads that built the trees from the log: see recovery_threads of the options.
    pub recovery_threads: u64,
    /// How long that took, in microseconds.
    pub read_us: u64,
    /// How long the checkpoint was read, in microseconds.
    pub restore_us: u64,
    /// Transactions that were begun since the store was opened, or begun again.
    pub txns_begun: u64,
    /// Those that were committed.
    pub txns_committed: u64,
    /// Those that ended without a commit: by an abort, by being begun again or destroyed.
    pub txns_aborted: u64,
    /// Those that were refused because another commit had changed a key that they had read.
    pub txn_key_conflicts: u64,
    /// Those that were refused because another commit had changed a key in a range that they had read.
    pub txn_range_conflicts: u64,
    /// Those that were refused because another commit had changed a key that they write.
    pub txn_write_conflicts: u64,
    /// How often masstree_store_transact has repeated a transaction that was refused.
    pub txn_retries: u64,
    /// Bytes of the records of transactions in the log.
    pub txn_bytes: u64,
    /// Open snapshots: see masstree_store_list_snapshots.
    pub snapshots: u64,
    /// The number of the oldest of them; 0 without one.
    pub oldest_snapshot: u64,
    /// How long that has been open, in milliseconds.
    pub oldest_snapshot_ms: u64,
    /// The least number since which the log has the changes of all commits: see masstree_store_changes. 0: all that there
    /// ever were; also of a store in memory only, which has none.
    pub changes_since: u64,
}

/// The statistics of a store, without `struct_size`.
fn statistics(store: &Store) -> StoreStats {
    let (log, report) = (store.log_statistics(), store.report());
    let checkpoints = store.checkpoint_statistics();
    let (snapshots, oldest) = store.oldest_snapshot();
    StoreStats {
        struct_size: 0,
        last_commit: store.last_commit(),
        durable_commit: store.durable(),
        trees: store.tree_count(),
        log_records: log.appends,
        log_groups: log.groups,
        log_bytes: log.bytes,
        log_syncs: log.syncs,
        sync_us: log.sync_microseconds,
        group_records: log.group_sizes,
        read_segments: report.segments,
        read_records: report.records,
        torn_bytes: report.torn_bytes,
        salvaged: report.salvaged.is_some().into(),
        checkpoints_begun: checkpoints.attempted,
        checkpoints_done: checkpoints.done,
        checkpoints_failed: checkpoints.failed,
        checkpoint_bytes: checkpoints.bytes,
        checkpoint_keys: checkpoints.last_entries,
        checkpoint_us: checkpoints.last_microseconds,
        checkpoint_commit: checkpoints.number,
        trimmed_tombstones: checkpoints.trimmed,
        read_groups: report.frames,
        read_bytes: report.bytes,
        recovery_threads: store.recovery().threads as u64,
        read_us: store.recovery().log.as_micros() as u64,
        restore_us: store.recovery().checkpoint.as_micros() as u64,
        txns_begun: store.transactions(Event::Begun),
        txns_committed: store.transactions(Event::Committed),
        txns_aborted: store.transactions(Event::Aborted),
        txn_key_conflicts: store.transactions(Event::KeyConflict),
        txn_range_conflicts: store.transactions(Event::RangeConflict),
        txn_write_conflicts: store.transactions(Event::WriteConflict),
        txn_retries: store.transactions(Event::Repeated),
        txn_bytes: store.transactions(Event::CommittedByte),
        snapshots,
        oldest_snapshot: oldest.map_or(0, |oldest| oldest.number),
        oldest_snapshot_ms: oldest.map_or(0, |oldest| oldest.age),
        changes_since: store.changes_since(),
    }
}

/// Returns statistics of a store.
///
/// @param store  The store.
/// @param stats  Receives the statistics.
///
/// @retval MASSTREE_OK       *stats is filled in.
/// @retval MASSTREE_INVALID  store or stats is NULL, or struct_size is too small.
/// @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_stats(
    store: *const StoreHandle,
    stats: *mut StoreStats,
) -> i32 {
    status_of(|| {
        if stats.is_null() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract.
        unsafe {
            let output = sized_output(stats)?;
            let store = store_of(store)?;
            let filled = StoreStats {
                struct_size: output.size(),
                ..statistics(store)
            };
            output.write(filled);
        }
        Ok(MASSTREE_OK)
    })
}
