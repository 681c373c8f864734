//! All file operations of a durable store go through one table of functions, so that a program, and
//! the tests, can put another file system, or faults, below it.
//!
//! **Contract of a table.** Each function returns a value that is not negative, or a negated `errno`.
//! Functions may be called by several threads at a time, also for one file. A call that fails has no
//! effect, except that a write may have stored some of its bytes. What `sync` and `sync_dir` promise:
//! when `sync` returns 0, all bytes that calls finished before it have written to the file, and its
//! length, survive a crash; when `sync_dir` returns 0, so do the creations, renamings and removals in
//! that directory that finished before. Without them, a crash may leave any part of either: the layers
//! above assume no order, and that a sector of 512 bytes is written whole or not at all.
//!
//! **What is tried again.** [`File`] continues reads and writes that were short, and repeats calls that
//! a signal has interrupted (EINTR). A `sync` is never repeated: after one that failed, the kernel may
//! have marked pages as clean that it did not write (known failure 61).

mod handle;
mod path;
mod real;

#[cfg(all(test, not(any(loom, shuttle))))]
pub(crate) mod faults;
#[cfg(all(test, not(any(loom, shuttle))))]
pub(crate) mod memory;
#[cfg(all(test, not(any(loom, shuttle))))]
pub(crate) mod tests;

use std::ffi::{c_char, c_int, c_void};

pub(crate) use handle::{File, Io};
pub(crate) use path::Path;

/// Flag of `open`: the file may be written; otherwise it is only read.
pub(crate) const OPEN_WRITE: u32 = 1;
/// Flag of `open`: the file is created, and the call fails with EEXIST if it exists.
pub(crate) const OPEN_NEW: u32 = 2;
/// Flag of `open`: the file is created if it does not exist.
pub(crate) const OPEN_CREATE: u32 = 4;

/// Receives a name that `list` has found: its `argument`, the name, and the name's length. If it
/// returns a negative value, `list` ends, and returns that value.
pub(crate) type Visit = unsafe extern "C" fn(*mut c_void, *const c_char, usize) -> i64;

/// The file operations. Each function gets `ctx` first, and returns a value that is not negative, or a
/// negated errno, such as `-EIO`. Paths are strings that end with a zero byte; they, and buffers, are
/// valid during the call. Files are handles that `open` has returned; the library only passes them
/// back.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct IoTable {
    /// What each function gets as its first argument.
    pub(crate) ctx: *mut c_void,
    /// `(ctx, path, flags)`: opens a file, for reading unless `flags` say more; returns its handle.
    /// `-ENOENT` if it does not exist, `-EEXIST` if it does and must not.
    pub(crate) open: unsafe extern "C" fn(*mut c_void, *const c_char, u32) -> i64,
    /// `(ctx, file)`: closes a file, and unlocks it. The handle is invalid afterwards, also if an
    /// error is returned.
    pub(crate) close: unsafe extern "C" fn(*mut c_void, i64) -> i64,
    /// `(ctx, file, buffer, length, offset)`: reads up to `length` bytes; returns how many, 0 at the
    /// end of the file. May read fewer than there are.
    pub(crate) read_at: unsafe extern "C" fn(*mut c_void, i64, *mut u8, usize, u64) -> i64,
    /// `(ctx, file, bytes, length, offset)`: writes up to `length` bytes, and extends the file if they
    /// end behind it; returns how many it has written, at least 1.
    pub(crate) write_at: unsafe extern "C" fn(*mut c_void, i64, *const u8, usize, u64) -> i64,
    /// `(ctx, file)`: makes the file's bytes, and its length, durable, as `fdatasync` does.
    pub(crate) sync: unsafe extern "C" fn(*mut c_void, i64) -> i64,
    /// `(ctx, directory)`: makes creations, renamings and removals in the directory durable, as
    /// `fsync` does.
    pub(crate) sync_dir: unsafe extern "C" fn(*mut c_void, *const c_char) -> i64,
    /// `(ctx, file, offset, length)`: allocates the range, so that writing to it does not fail for
    /// lack of room; bytes that did not exist read as zeroes, and the file's length covers them.
    /// `-ENOSPC` or `-EDQUOT` if there is no room.
    pub(crate) preallocate: unsafe extern "C" fn(*mut c_void, i64, u64, u64) -> i64,
    /// `(ctx, file, length)`: makes the file shorter or longer.
    pub(crate) truncate: unsafe extern "C" fn(*mut c_void, i64, u64) -> i64,
    /// `(ctx, file)`: returns the file's length.
    pub(crate) length: unsafe extern "C" fn(*mut c_void, i64) -> i64,
    /// `(ctx, file, exclusive)`: locks the file against other opens of it, without waiting, for
    /// reading or, if `exclusive` is not 0, alone. `-EWOULDBLOCK` if another lock is in the way.
    pub(crate) lock: unsafe extern "C" fn(*mut c_void, i64, c_int) -> i64,
    /// `(ctx, from, to)`: gives a file another name; replaces the file that has it.
    pub(crate) rename: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> i64,
    /// `(ctx, path)`: removes a file. `-ENOENT` if it does not exist.
    pub(crate) unlink: unsafe extern "C" fn(*mut c_void, *const c_char) -> i64,
    /// `(ctx, path)`: creates a directory. `-EEXIST` if it exists.
    pub(crate) mkdir: unsafe extern "C" fn(*mut c_void, *const c_char) -> i64,
    /// `(ctx, directory, visit, argument)`: calls `visit` with the name of each file in the directory,
    /// in any order, but not with "." and "..".
    pub(crate) list: unsafe extern "C" fn(*mut c_void, *const c_char, Visit, *mut c_void) -> i64,
}

/// A file operation that failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IoError {
    pub(crate) errno: i32,
    /// The name of the function in [`IoTable`]; "allocate" if there was no memory for a path or a
    /// buffer, "thread" if a thread could not be started.
    pub(crate) operation: &'static str,
    /// Empty if there was no memory to copy it.
    pub(crate) path: Path,
    /// Where in the file; 0 for operations that have no offset.
    pub(crate) offset: u64,
}

impl IoError {
    pub(crate) fn no_memory() -> Self {
        Self {
            errno: libc::ENOMEM,
            operation: "allocate",
            path: Path::empty(),
            offset: 0,
        }
    }

    /// A thread could not be started.
    pub(crate) fn of_thread(error: &std::io::Error) -> Self {
        Self {
            errno: error.raw_os_error().unwrap_or(libc::EAGAIN),
            operation: "thread",
            path: Path::empty(),
            offset: 0,
        }
    }

    /// Whether the library itself found no memory, and did not call the table.
    pub(crate) fn is_no_memory(&self) -> bool {
        self.operation == "allocate"
    }

    /// Whether there is no room in the file system, or the user's quota is used up.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self.errno, libc::ENOSPC | libc::EDQUOT)
    }

    /// Copies the error; the path is empty if there is no memory for it.
    pub(crate) fn duplicate(&self) -> Self {
        Self {
            errno: self.errno,
            operation: self.operation,
            path: self.path.duplicate_or_empty(),
            offset: self.offset,
        }
    }
}
