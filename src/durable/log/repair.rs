//! Cuts what reading has dropped off a log, before anything is appended.
//!
//! Segments that go are removed first, and their directory is synced: a later segment may get the name
//! of one of them. Then the last segment is cut behind its last valid frame, and synced: bytes that
//! were dropped once never count again, whatever is appended elsewhere (known failure 57).

use super::frame::segment_name;
use super::reader::LogEnd;
use crate::durable::io::{Io, IoError, OPEN_WRITE, Path};

pub(super) fn repair(io: &Io, directory: &Path, recovered: &LogEnd) -> Result<(), IoError> {
    // The newest first: what is left meanwhile has no gap.
    for &base in recovered.doomed.iter().rev() {
        io.unlink(&directory.join(&segment_name(base))?)?;
    }
    if !recovered.doomed.is_empty() {
        io.sync_dir(directory)?;
    }
    let tail = recovered.tail;
    if tail.base == 0 {
        return Ok(());
    }
    let file = io.open(&directory.join(&segment_name(tail.base))?, OPEN_WRITE)?;
    if file.length()? > tail.offset {
        file.truncate(tail.offset)?;
    }
    file.sync()?;
    file.close()
}
