//! What has failed, and where, in a form that outlives what reported it.

use crate::durable::io::{IoError, Path};
use crate::durable::log::Corruption;

/// A file operation that failed, or a file whose content is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// 0: the content is wrong.
    pub(crate) errno: i32,
    /// The name of the operation, if one failed.
    pub(crate) operation: &'static str,
    /// What is wrong, if none failed.
    pub(crate) reason: &'static str,
    /// Empty if there was no memory to copy it.
    pub(crate) file: Path,
    pub(crate) offset: u64,
}

impl Failure {
    pub(super) fn of_io(error: &IoError) -> Self {
        Self {
            errno: error.errno,
            operation: error.operation,
            reason: "",
            file: error.path.duplicate_or_empty(),
            offset: error.offset,
        }
    }

    pub(super) fn of_corruption(corruption: &Corruption) -> Self {
        Self {
            errno: 0,
            operation: "",
            reason: corruption.why,
            file: corruption.file.duplicate_or_empty(),
            offset: corruption.offset,
        }
    }
}
