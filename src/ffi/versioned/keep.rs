//! # Snapshots, trimming, sealing
//!
//! What is kept, and statistics of it.

use std::ptr::NonNull;

use crate::ffi::boundary::{
    on_versioned, on_versioned_read, sized_output, status_of, versioned_of, write_output,
};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::memory::Source;
use crate::versioned::{Refused, Snapshot, StoreSnapshot};

/// A number at which everything stays readable: masstree_trim_versions keeps what readers at it see.
///
/// Created by masstree_snapshot_open or masstree_store_snapshot, freed by masstree_snapshot_close, before its tree is
/// destroyed, or its store is closed. Any thread may use and close it.
pub struct SnapshotHandle {
    pub(in crate::ffi) snapshot: OfTreeOrStore,
}

/// What a snapshot is of.
pub(in crate::ffi) enum OfTreeOrStore {
    Tree(Snapshot<'static>),
    Store(StoreSnapshot),
}

impl SnapshotHandle {
    pub(in crate::ffi) fn number(&self) -> u64 {
        match &self.snapshot {
            OfTreeOrStore::Tree(snapshot) => snapshot.number(),
            OfTreeOrStore::Store(snapshot) => snapshot.number(),
        }
    }

    /// Where the handle is from; `None` in a child of the process that opened the snapshot.
    fn source(&self) -> Option<Source> {
        match &self.snapshot {
            OfTreeOrStore::Tree(snapshot) => {
                let tree = snapshot.tree();
                (!tree.is_forked()).then(|| tree.allocator())
            }
            OfTreeOrStore::Store(snapshot) => (!snapshot.is_forked()).then(|| snapshot.source()),
        }
    }
}

/// Opens a snapshot at the greatest number that is visible. If no number was taken from the tree
/// (masstree_next_seqno), that is the greatest number that was stored; then the caller makes sure that
/// no write with that number or a lower one is under way or follows.
///
/// @param tree      The tree.
/// @param snapshot  Receives the snapshot, which the caller frees with masstree_snapshot_close.
///
/// @retval MASSTREE_OK          *snapshot is a new snapshot.
/// @retval MASSTREE_INVALID     tree or snapshot is NULL.
/// @retval MASSTREE_NOMEM       Out of memory.
/// @retval MASSTREE_WRONG_KIND  The tree is not versioned.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_snapshot_open(
    tree: *mut TreeHandle,
    snapshot: *mut *mut SnapshotHandle,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let versioned = unsafe { versioned_of(tree) }?;
        if snapshot.is_null() {
            return Err(MASSTREE_INVALID);
        }
        let handle = SnapshotHandle {
            snapshot: OfTreeOrStore::Tree(versioned.snapshot()?),
        };
        let handle = versioned.index().allocator().make(handle)?;
        // SAFETY: not NULL, writable by contract.
        unsafe { snapshot.write(handle.as_ptr()) };
        Ok(MASSTREE_OK)
    })
}

/// Returns the number of a snapshot.
///
/// @param snapshot  The snapshot.
///
/// @return The number, to be passed to masstree_get_at and the like; 0 for NULL.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_snapshot_seqno(snapshot: *const SnapshotHandle) -> u64 {
    // SAFETY: NULL or live by contract.
    unsafe { snapshot.as_ref() }.map_or(0, SnapshotHandle::number)
}

/// Closes and frees a snapshot. NULL does nothing, and neither does a snapshot of the parent
/// process, before a fork.
///
/// @param snapshot  The snapshot.
///
/// Thread safety: any thread, but no other one uses the snapshot. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_snapshot_close(snapshot: *mut SnapshotHandle) {
    // SAFETY: NULL or a live snapshot, which no other thread uses.
    unsafe {
        if let Some(handle) = NonNull::new(snapshot)
            && let Some(source) = handle.as_ref().source()
        {
            source.drop_and_free(handle);
        }
    }
}

/// Frees versions that no reader at floor or above, nor at an open snapshot, can see; takes keys out
/// of the tree of which nothing is left but a tombstone at or below floor; and frees range tombstones
/// at or below floor that hide nothing any more. From now on, writes at or below floor are refused,
/// and readers below it, too, unless they read at the number of an open snapshot. Of a key whose
/// tombstone was freed, readers learn MASSTREE_NOT_FOUND, not MASSTREE_DELETED: if older tables may
/// have the key, do not trim at or above the tombstone's number.
///
/// A call does a part of the work and the next one goes on, so that a thread can trim beside others:
/// repeat it until *freed is 0 and MASSTREE_END is returned. Range tombstones are freed only after
/// every guard was refreshed or left that was held when floor was raised: beside such a guard they
/// stay for a later call.
///
/// @param tree    The tree.
/// @param floor   The floor; lowered to the greatest number that is visible. A floor below an earlier
///                one frees what that one allows.
/// @param budget  Free at most this many versions and range tombstones, less those keys and range
///                tombstones that were examined in vain; 0: no limit.
/// @param freed   Receives the number of versions and range tombstones that were freed. May be NULL.
///
/// @retval MASSTREE_OK          The budget was used up, memory ran out after versions were freed,
///                              another thread trims this tree, or range tombstones are left to the
///                              next call.
/// @retval MASSTREE_END         Everything was examined; the next call begins with the first key.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; nothing was freed.
/// @retval MASSTREE_WRONG_KIND  The tree is not versioned, or it is append-only.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
/// @retval MASSTREE_READ_ONLY   The tree is sealed.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_trim_versions(
    tree: *mut TreeHandle,
    floor: u64,
    budget: usize,
    freed: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            on_versioned(tree, std::ptr::null_mut(), |versioned, pin| {
                let budget = if budget == 0 { usize::MAX } else { budget };
                let _counted = versioned.index().count_call();
                let trimmed = match versioned.trim(pin, floor, budget) {
                    Ok(trimmed) => trimmed,
                    Err(Refused::Sealed) => return Err(MASSTREE_READ_ONLY),
                    Err(Refused::AppendOnly) => return Err(MASSTREE_WRONG_KIND),
                    Err(_) => return Err(MASSTREE_NOMEM),
                };
                write_output(freed, trimmed.freed);
                Ok(match trimmed.ended {
                    true => MASSTREE_END,
                    false => MASSTREE_OK,
                })
            })
        }
    })
}

/// Refuses all writes and trims from now on. A write that began before may still be done;
/// masstree_barrier waits for it. There is no way back.
///
/// @param tree  The tree.
///
/// @retval MASSTREE_OK          The tree is sealed.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_WRONG_KIND  The tree is not versioned.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
/// @retval MASSTREE_READ_ONLY   The tree is a store's; it is not sealed.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_seal(tree: *mut TreeHandle) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let versioned = unsafe { versioned_of(tree) }?;
        // A store's tree is written to by its store alone.
        if versioned.is_of_store() {
            return Err(MASSTREE_READ_ONLY);
        }
        versioned.seal();
        Ok(MASSTREE_OK)
    })
}

/// Statistics of versions. Start from MASSTREE_VERSION_STATS_INIT; struct_size works as in
/// masstree_stats_t. All numbers are exact when no thread is writing.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct VersionStats {
    /// sizeof(masstree_version_stats_t); MASSTREE_VERSION_STATS_INIT sets it.
    pub struct_size: usize,
    /// Versions in the tree.
    pub versions: u64,
    /// Those that are tombstones or weak tombstones.
    pub tombstones: u64,
    /// Bytes of the versions' values.
    pub value_bytes: u64,
    /// Range tombstones.
    pub range_tombstones: u64,
    /// The lowest number that was ever stored; 0 if none was.
    pub lowest_seqno: u64,
    /// The highest number that was ever stored; 0 if none was.
    pub highest_seqno: u64,
    /// The greatest number that is visible; MASSTREE_SEQNO_LATEST as long as no number was taken
    /// from the tree.
    pub visible_seqno: u64,
    /// Readers below it need a snapshot: the highest floor of a trim; or, if overwrites free
    /// versions, perhaps a higher number.
    pub floor: u64,
    /// Open snapshots, those of cursors and running scans among them.
    pub snapshots: u64,
    /// The number of the oldest snapshot; 0 without one.
    pub oldest_snapshot: u64,
    /// 1 if the tree is sealed, otherwise 0.
    pub sealed: u64,
}

/// Returns statistics of the versions in a tree.
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
/// @param stats  Receives the statistics.
///
/// @retval MASSTREE_OK          *stats is filled in.
/// @retval MASSTREE_INVALID     tree or stats is NULL, or struct_size is too small.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree is not versioned.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_stats_versions(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    stats: *mut VersionStats,
) -> i32 {
    status_of(|| {
        if stats.is_null() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract.
        unsafe {
            let output = sized_output(stats)?;
            on_versioned_read(tree, guard, |versioned, pin| {
                let counts = versioned.counts(pin);
                let filled = VersionStats {
                    struct_size: output.size(),
                    versions: counts.versions,
                    tombstones: counts.tombstones,
                    value_bytes: counts.value_bytes,
                    range_tombstones: counts.range_tombstones,
                    lowest_seqno: counts.lowest,
                    highest_seqno: counts.highest,
                    visible_seqno: counts.visible,
                    floor: counts.floor,
                    snapshots: counts.snapshots,
                    oldest_snapshot: counts.oldest_snapshot,
                    sealed: u64::from(versioned.is_sealed()),
                };
                output.write(filled);
                Ok(MASSTREE_OK)
            })
        }
    })
}
