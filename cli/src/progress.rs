//! Progress bars, on standard error, and only if it is a terminal.

use std::ffi::c_void;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use masstree::ffi::store::progress::*;

/// A bar of bytes. Hidden unless standard error is a terminal.
pub(crate) fn bytes_bar(what: &'static str, total: Option<u64>) -> ProgressBar {
    let template = match total {
        Some(_) => "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        None => "{msg} {bytes} {bytes_per_sec}",
    };
    bar(what, template, total)
}

/// A bar of entries.
pub(crate) fn entries_bar(what: &'static str) -> ProgressBar {
    bar(what, "{msg} {human_pos} entries, {per_sec}", None)
}

fn bar(what: &'static str, template: &str, total: Option<u64>) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr())
        .with_style(style)
        .with_message(what)
}

/// Shows how far the opening, or the export, of a store is.
pub(crate) struct PhaseBar {
    bar: Option<(u32, ProgressBar)>,
}

impl PhaseBar {
    pub(crate) fn new() -> Self {
        Self { bar: None }
    }

    /// A `masstree_progress_callback_t`.
    ///
    /// # Safety
    /// `ctx` is an [`PhaseBar`].
    pub(crate) unsafe extern "C" fn show(
        progress: *const RecoveryProgress,
        ctx: *mut c_void,
    ) -> i32 {
        // SAFETY: by contract.
        let (progress, this) = unsafe { (&*progress, &mut *ctx.cast::<Self>()) };
        let what = match progress.phase {
            MASSTREE_PHASE_CHECKPOINT => "reading the checkpoint",
            MASSTREE_PHASE_EXPORT => "exporting",
            MASSTREE_PHASE_IMPORT => "importing",
            _ => "reading the log",
        };
        let is_same = |(phase, _): &(u32, _)| *phase == progress.phase;
        if !this.bar.as_ref().is_some_and(is_same) {
            this.finish();
            let bar = bytes_bar(what, Some(progress.bytes_total));
            this.bar = Some((progress.phase, bar));
        }
        if let Some((_, bar)) = &this.bar {
            bar.set_position(progress.bytes_read);
        }
        0
    }

    fn finish(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for PhaseBar {
    fn drop(&mut self) {
        self.finish();
    }
}
