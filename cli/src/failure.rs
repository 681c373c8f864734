//! Why a command has failed, and the exit code that says so.

use std::fmt::{self, Display};
use std::io;

use masstree::ffi::status::*;

/// A kind of failure. Its number is the exit code; docs/command-line.md lists them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// There is no such key, tree or store; or a condition does not hold.
    Absent = 1,
    /// The arguments, or the input of `load`, are not as described.
    Usage = 2,
    /// A file of the store, or a dump, is damaged.
    Corrupt = 3,
    /// Another process has the store open.
    Locked = 4,
    /// A file operation failed, or the disk is full.
    Io = 5,
    /// Anything else: out of memory, an entry that is too large.
    Other = 6,
    /// The reader of the output has gone away; as if by SIGPIPE.
    Pipe = 141,
}

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A failure of a file that is not the store's.
    pub(crate) fn of_file(name: impl Display, error: &io::Error) -> Self {
        Self::new(Kind::Io, format!("{name}: {error}"))
    }

    /// A failure of the standard output.
    pub(crate) fn of_output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Kind::Pipe, ""),
            _ => Self::of_file("standard output", error),
        }
    }

    /// A failure that the library reports by a status.
    pub(crate) fn of_status(status: i32, message: impl Display) -> Self {
        let (kind, what) = match status {
            MASSTREE_NOT_FOUND => (Kind::Absent, "not found"),
            MASSTREE_CORRUPT => (Kind::Corrupt, "the store is damaged"),
            MASSTREE_LOCKED => (Kind::Locked, "another process has the store open"),
            MASSTREE_FULL => (Kind::Io, "the disk is full"),
            MASSTREE_FAILED => (Kind::Io, "a file operation failed"),
            MASSTREE_UNKNOWN => (
                Kind::Io,
                "a file operation failed; what was written may be lost",
            ),
            MASSTREE_NOMEM => (Kind::Other, "out of memory"),
            MASSTREE_TOO_LARGE => (
                Kind::Other,
                "the entry does not fit into the log's buffer: see --log-buffer",
            ),
            MASSTREE_TOO_OLD => (Kind::Absent, "the store does not keep this number any more"),
            MASSTREE_KEY_TOO_LONG => (Kind::Usage, "the key is too long"),
            MASSTREE_INVALID => (Kind::Usage, "the arguments are not valid"),
            _ => (Kind::Other, "the library refuses"),
        };
        Self::new(kind, format!("{message}: {what}"))
    }
}

impl Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.message)
    }
}
