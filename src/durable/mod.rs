//! Durable stores: a directory with a log and checkpoints, whose trees are versioned trees in memory.
//!
//! - `io`: the table of file operations through which everything in a directory is read and written.
//! - `log`: the sequence of records of commits: numbers, groups, recovery.
//! - `checkpoint`: files with the content of trees at a number, in place of the log before it.
//! - `store`: trees by name, writes, batches, opening.

mod bytes;
pub(crate) mod checkpoint;
pub(crate) mod io;
pub(crate) mod log;
pub(crate) mod store;
mod threads;
