//! Durable stores: a directory with a log and checkpoints, whose trees are versioned trees in memory.
//!
//! - `io`: the table of file operations through which everything in a directory is read and written.

pub(crate) mod io;
