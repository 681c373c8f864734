//! The progress of an opening.

use std::ffi::c_void;
use std::ops::ControlFlow;

use crate::durable::store::{OnProgress, Phase, Progress};
use crate::ffi::status::MASSTREE_OK;

/// A phase of masstree_store_open: it reads a checkpoint.
pub const MASSTREE_PHASE_CHECKPOINT: u32 = 1;
/// A phase of masstree_store_open: it reads the log.
pub const MASSTREE_PHASE_LOG: u32 = 2;

/// The phase of masstree_store_export: it writes the content.
pub const MASSTREE_PHASE_EXPORT: u32 = 3;

/// The last phase of masstree_store_import: it fills the trees.
pub const MASSTREE_PHASE_IMPORT: u32 = 4;

/// How far masstree_store_open or masstree_store_export is.
#[repr(C)]
pub struct RecoveryProgress {
    /// MASSTREE_PHASE_CHECKPOINT or MASSTREE_PHASE_LOG; the phases come in this order, and the first is
    /// left out if there is no checkpoint. MASSTREE_PHASE_EXPORT for an export, which has no other. Of an import,
    /// MASSTREE_PHASE_IMPORT follows.
    pub phase: u32,
    /// 0.
    pub reserved: u32,
    /// Bytes that were read in this phase. Files have unused room at their end, so this may jump to
    /// bytes_total. Of an export, and of MASSTREE_PHASE_IMPORT: bytes that were written.
    pub bytes_read: u64,
    /// Bytes to read in this phase; 0 for an export, and in MASSTREE_PHASE_IMPORT.
    pub bytes_total: u64,
    /// Records of the log, or keys of the checkpoint, that were read in this phase; keys that an import has copied; 0 for
    /// an export.
    pub records: u64,
}

/// Called by masstree_store_open, masstree_store_export or masstree_store_import, on its thread and with no lock held but that of the directory, at most
/// some 20 times a second, and at the end of each phase; by an import, also when it begins a tree. It must not open the same directory.
///
/// @param progress  How far the opening is; valid during this call only.
/// @param ctx       The ctx that was passed with the function.
///
/// @return 0 to go on. Another number stops the opening or export, and is what that returns; the
///         store's files stay as they were.
pub type ProgressCallback =
    Option<unsafe extern "C" fn(progress: *const RecoveryProgress, ctx: *mut c_void) -> i32>;

/// A function of the user, with its context, and the number with which it has stopped an opening.
pub(super) struct Watcher {
    function: ProgressCallback,
    ctx: *mut c_void,
    pub(super) status: i32,
}

impl Watcher {
    pub(super) fn new(function: ProgressCallback, ctx: *mut c_void) -> Self {
        Self {
            function,
            ctx,
            status: MASSTREE_OK,
        }
    }

    /// Returns what calls the function; `None` if there is none.
    ///
    /// # Safety
    /// The watcher lives, and is not used otherwise, until the opening ends, which is on this thread; the
    /// function may be called until then.
    pub(super) unsafe fn on_progress(&mut self) -> Option<OnProgress> {
        let ctx = std::ptr::from_mut(self).cast();
        // SAFETY: by contract.
        (self.function.is_some()).then(|| unsafe { OnProgress::new(call, ctx) })
    }
}

/// # Safety
/// `ctx` is a watcher, which nothing else uses during the call.
unsafe fn call(ctx: *mut c_void, progress: &Progress) -> ControlFlow<()> {
    // SAFETY: by contract.
    let watcher = unsafe { &mut *ctx.cast::<Watcher>() };
    let converted = RecoveryProgress {
        phase: match progress.phase {
            Phase::Checkpoint => MASSTREE_PHASE_CHECKPOINT,
            Phase::Log => MASSTREE_PHASE_LOG,
            Phase::Export => MASSTREE_PHASE_EXPORT,
            Phase::Import => MASSTREE_PHASE_IMPORT,
        },
        reserved: 0,
        bytes_read: progress.bytes,
        bytes_total: progress.total,
        records: progress.records,
    };
    if let Some(function) = watcher.function {
        // SAFETY: the contract of the option.
        watcher.status = unsafe { function(&raw const converted, watcher.ctx) };
    }
    match watcher.status {
        MASSTREE_OK => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    }
}
