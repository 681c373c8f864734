//! Passing the keys of a range on in batches: to a loader, a file or a network.

use std::ffi::c_void;
use std::ops::ControlFlow;

use super::bytes::Slice;
use super::scan::{Ending, ScanRange, control_flow, decode_with_ending};
use crate::ffi::boundary::{ValueKind, on_tree, status_of, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::memory::{OutOfMemory, Vector, append};
use crate::index::reclaim::Pinned;
use crate::index::tree::{Range, Tree};

/// Keys that a sink gets at once.
const BATCH: usize = 128;
/// Bytes of keys after which a sink is called with fewer.
const BATCH_BYTES: usize = 1 << 16;

/// Called for batches of keys of an export, in order: with the arguments of
/// masstree_loader_add_many, so a sink that fills a loader is that one call.
///
/// @param keys    The keys; their bytes are valid during this call only. data is never NULL, not
///                even for the empty key. With MASSTREE_SCAN_VALUES_ONLY each length is 0.
/// @param values  Their values; if they are pointers, see masstree_get. All 0 with
///                MASSTREE_SCAN_KEYS_ONLY.
/// @param count   Number of keys: at least 1; at most 128 in this version, fewer if the keys are long.
/// @param ctx     The ctx that was passed to the export.
///
/// @return As masstree_visitor_t, whose rules apply.
///
/// Do not pass words of a tree that owns them on to a tree with a value destructor: each would be
/// destroyed twice.
pub type Sink = Option<
    unsafe extern "C" fn(
        keys: *const Slice,
        values: *const u64,
        count: usize,
        ctx: *mut c_void,
    ) -> i32,
>;

/// Like masstree_sink_t, for a tree of byte strings. The bytes of the values are valid as long as
/// the guard that the export runs under is held, and without a guard during this call only.
pub type BytesSink = Option<
    unsafe extern "C" fn(
        keys: *const Slice,
        values: *const Slice,
        count: usize,
        ctx: *mut c_void,
    ) -> i32,
>;

/// The keys and values that the sink gets next.
struct SinkBatch<V> {
    /// The bytes of all keys, one after the other.
    bytes: Vector<u8>,
    /// The keys; while the batch is filled, only their lengths.
    keys: [Slice; BATCH],
    values: [V; BATCH],
    len: usize,
}

impl<V: Copy> SinkBatch<V> {
    /// Returns a batch without keys; `blank` fills unused places.
    fn new(tree: &Tree, blank: V) -> Self {
        Self {
            bytes: Vector::new_in(tree.allocator()),
            keys: [Slice::of(&[]); BATCH],
            values: [blank; BATCH],
            len: 0,
        }
    }

    /// Adds a key and its value; returns whether the batch is full now.
    #[inline]
    fn add(&mut self, key: &[u8], value: V) -> Result<bool, OutOfMemory> {
        (self.bytes.try_reserve(key.len())).map_err(|_| OutOfMemory)?;
        append(&mut self.bytes, key);
        self.keys[self.len].len = key.len();
        self.values[self.len] = value;
        self.len += 1;
        Ok(self.len == BATCH || self.bytes.len() >= BATCH_BYTES)
    }

    /// Passes the keys and values on, unless there are none; the batch is empty then. Returns the
    /// sink's result.
    fn pass(&mut self, sink: &mut impl FnMut(&[Slice], &[V]) -> i32) -> i32 {
        let len = std::mem::take(&mut self.len);
        if len == 0 {
            return MASSTREE_OK;
        }
        let mut rest = self.bytes.as_slice();
        for key in &mut self.keys[..len] {
            let (bytes, after) = rest.split_at(key.len);
            *key = Slice::of(bytes);
            rest = after;
        }
        let result = sink(&self.keys[..len], &self.values[..len]);
        self.bytes.clear();
        result
    }
}

/// Exports a tree of either kind of values; `value_of` converts a word to what the sink gets, which
/// is `value_of(None)` if only keys are requested.
///
/// # Safety
/// As `masstree_export_to`.
unsafe fn export<V: Copy>(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    kind: ValueKind,
    value_of: impl Fn(&Tree, Pinned<'_>, Option<u64>) -> V,
    mut sink: impl FnMut(&[Slice], &[V]) -> i32,
    exported: *mut usize,
) -> Result<i32, i32> {
    // SAFETY: by contract.
    let (range, keys_only, ending) = unsafe { decode_with_ending(range) }?;
    let kind = match kind {
        ValueKind::Words if keys_only => ValueKind::Any,
        kind => kind,
    };
    let run = |tree: &Tree, pin: Pinned<'_>| {
        // The statistics count exports without a guard, too.
        let _counted = guard.is_null().then(|| tree.count_call());
        let mut passed = 0;
        let mut pass_on = |keys: &[Slice], values: &[V]| {
            let result = sink(keys, values);
            passed += keys.len();
            pin.check_thread();
            result
        };
        let value_of = |word: Option<u64>| value_of(tree, pin, word.filter(|_| !keys_only));
        let status = export_range(tree, pin, (&range, &ending), value_of, &mut pass_on);
        // SAFETY: NULL or writable by contract.
        unsafe { write_output(exported, passed) };
        status
    };
    // SAFETY: as this function's contract.
    unsafe { on_tree(tree, guard, kind, run) }
}

/// Passes the keys of a range to the sink, until it returns something other than 0.
#[inline]
fn export_range<V: Copy>(
    tree: &Tree,
    pin: Pinned<'_>,
    (range, ending): (&Range<'_>, &Ending),
    value_of: impl Fn(Option<u64>) -> V,
    sink: &mut impl FnMut(&[Slice], &[V]) -> i32,
) -> Result<i32, i32> {
    let mut batch = SinkBatch::new(tree, value_of(None));
    let mut ended = None;
    let scanned = tree.scan_counting(pin, range, &mut 0, |key, word| {
        let result = match batch.add(key, value_of(Some(word))) {
            Ok(false) => return ControlFlow::Continue(()),
            Ok(true) => Ok(batch.pass(sink)),
            Err(OutOfMemory) => Err(OutOfMemory),
        };
        if result == Ok(MASSTREE_OK) {
            return ControlFlow::Continue(());
        }
        ended = Some(result);
        ControlFlow::Break(())
    });
    // Out of memory: the keys before go to the sink, too, so that the export can be continued.
    let last = match ended {
        None | Some(Err(OutOfMemory)) => batch.pass(sink),
        Some(Ok(number)) => number,
    };
    _ = control_flow(last, ending);
    scanned?;
    match ended {
        Some(Err(OutOfMemory)) => Err(MASSTREE_NOMEM),
        _ => Ok(ending.status()),
    }
}

/// Passes the keys of a range and their values on in order, in batches, which makes it the
/// counterpart of masstree_bulk_load_from and masstree_loader_add_many. Otherwise like
/// masstree_scan.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range     As in masstree_scan. Only an ascending export can be loaded as it is.
/// @param sink      Called for each batch.
/// @param ctx       Passed to sink.
/// @param exported  Receives the number of keys passed to the sink, including those of the batch at
///                  which it ended the export; also with MASSTREE_NOMEM. To go on later, begin above
///                  the last key that was processed. May be NULL.
///
/// @retval MASSTREE_OK            The range was exported to its end, to the limit, or until the
///                                sink stopped.
/// @retval MASSTREE_INVALID       tree or sink is NULL, or the range is invalid as in
///                                masstree_scan.
/// @retval MASSTREE_NOMEM         Out of memory for the keys.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and flags lacks
///                                MASSTREE_SCAN_KEYS_ONLY.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @return The negative number that the sink returned.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_export_to(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    sink: Sink,
    ctx: *mut c_void,
    exported: *mut usize,
) -> i32 {
    status_of(|| {
        let sink = sink.ok_or(MASSTREE_INVALID)?;
        let kind = ValueKind::Words;
        let value_of = |_: &Tree, _: Pinned<'_>, word: Option<u64>| word.unwrap_or(0);
        // SAFETY: as this function's contract.
        unsafe {
            let sink = |keys: &[Slice], values: &[u64]| {
                sink(keys.as_ptr(), values.as_ptr(), keys.len(), ctx)
            };
            export(tree, guard, range, kind, value_of, sink, exported)
        }
    })
}

/// Like masstree_export_to, for a tree of byte strings.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range     As in masstree_export_to.
/// @param sink      Called for each batch.
/// @param ctx       Passed to sink.
/// @param exported  As in masstree_export_to.
///
/// @retval MASSTREE_OK            The range was exported to its end, to the limit, or until the
///                                sink stopped.
/// @retval MASSTREE_INVALID       As in masstree_export_to.
/// @retval MASSTREE_NOMEM         Out of memory for the keys.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @return The negative number that the sink returned.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_export_to_bytes(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    sink: BytesSink,
    ctx: *mut c_void,
    exported: *mut usize,
) -> i32 {
    status_of(|| {
        let sink = sink.ok_or(MASSTREE_INVALID)?;
        let kind = ValueKind::Bytes;
        let value_of = |tree: &Tree, pin: Pinned<'_>, word: Option<u64>| {
            Slice::of(word.map_or(&[], |word| tree.bytes_of(pin, word)))
        };
        // SAFETY: as this function's contract.
        unsafe {
            let sink = |keys: &[Slice], values: &[Slice]| {
                sink(keys.as_ptr(), values.as_ptr(), keys.len(), ctx)
            };
            export(tree, guard, range, kind, value_of, sink, exported)
        }
    })
}
