//! # File operations
//!
//! A store's file operations go through one table of functions. A program may pass its own
//! (masstree_store_options_t), for another file system, or to make operations fail in tests.

use std::ffi::{c_char, c_int, c_void};

use crate::durable::io::{self, IoTable, OPEN_CREATE, OPEN_NEW, OPEN_WRITE};
use crate::ffi::status::*;

/// Flag of open: the file may be written; otherwise it is only read.
pub const MASSTREE_IO_WRITE: u32 = 1;
/// Flag of open: the file is created, and the call fails with -EEXIST if it exists.
pub const MASSTREE_IO_NEW: u32 = 2;
/// Flag of open: the file is created if it does not exist.
pub const MASSTREE_IO_CREATE: u32 = 4;

const _: () = {
    assert!(MASSTREE_IO_WRITE == OPEN_WRITE);
    assert!(MASSTREE_IO_NEW == OPEN_NEW);
    assert!(MASSTREE_IO_CREATE == OPEN_CREATE);
    assert!(size_of::<StoreIo>() == size_of::<IoTable>());
};

/// Receives a name that list has found.
///
/// @param argument  What list was called with.
/// @param name      The name; name_len bytes, valid during this call only.
/// @param name_len  Its length in bytes.
///
/// @return A negative value ends the list, which returns it.
pub type FoundName = Option<
    unsafe extern "C" fn(argument: *mut c_void, name: *const c_char, name_len: usize) -> i64,
>;

/// The file operations of a store. All functions are required. Each gets ctx first, and returns a value
/// that is not negative, or a negated errno, such as -EIO. Paths are strings that end with a zero byte;
/// they, and buffers, are valid during the call. Files are handles that open has returned. A call that
/// fails has no effect, except that a write may have stored some of its bytes.
///
/// When sync returns 0, everything that finished calls have written to the file survives a crash; when
/// sync_dir returns 0, so do the creations, renamings and removals in that directory. The library
/// assumes no order of other writes, and that a sector of 512 bytes is written whole or not at all. It
/// repeats calls other than these two that return -EINTR, and goes on after a short read or write.
///
/// Thread safety: functions are called on any thread, several at a time, also for one file; on the program's own too,
/// since a thread that waits for its commit may write and sync the log. They must return: no longjmp, no C++
/// exception, no pthread_exit; and must not call functions of the store.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct StoreIo {
    /// What each function gets as its first argument.
    pub ctx: *mut c_void,
    /// Opens a file, as flags say (MASSTREE_IO_WRITE, _NEW, _CREATE); returns its handle. -ENOENT if it
    /// does not exist, -EEXIST if it does and must not.
    pub open:
        Option<unsafe extern "C" fn(ctx: *mut c_void, path: *const c_char, flags: u32) -> i64>,
    /// Closes a file, and unlocks it. The handle is invalid afterwards, also if an error is returned.
    pub close: Option<unsafe extern "C" fn(ctx: *mut c_void, file: i64) -> i64>,
    /// Reads up to len bytes; returns how many, 0 at the end of the file.
    pub read_at: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            file: i64,
            buffer: *mut u8,
            len: usize,
            offset: u64,
        ) -> i64,
    >,
    /// Writes up to len bytes, and extends the file if they end behind it; returns how many it has
    /// written, at least 1.
    pub write_at: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            file: i64,
            bytes: *const u8,
            len: usize,
            offset: u64,
        ) -> i64,
    >,
    /// Makes the file's bytes, and its length, durable, as fdatasync does.
    pub sync: Option<unsafe extern "C" fn(ctx: *mut c_void, file: i64) -> i64>,
    /// Makes creations, renamings and removals in a directory durable, as fsync does.
    pub sync_dir: Option<unsafe extern "C" fn(ctx: *mut c_void, directory: *const c_char) -> i64>,
    /// Allocates a range, so that writing to it does not fail for lack of room; bytes that did not exist
    /// read as zeros, and the file's length covers them. -ENOSPC or -EDQUOT if there is no room.
    pub preallocate:
        Option<unsafe extern "C" fn(ctx: *mut c_void, file: i64, offset: u64, len: u64) -> i64>,
    /// Makes the file len bytes long.
    pub truncate: Option<unsafe extern "C" fn(ctx: *mut c_void, file: i64, len: u64) -> i64>,
    /// Returns the file's length in bytes.
    pub length: Option<unsafe extern "C" fn(ctx: *mut c_void, file: i64) -> i64>,
    /// Locks the file against other opens of it, in other processes too, without waiting: for reading
    /// or, if exclusive is not 0, alone. -EWOULDBLOCK if another lock is in the way.
    pub lock: Option<unsafe extern "C" fn(ctx: *mut c_void, file: i64, exclusive: c_int) -> i64>,
    /// Gives a file another name; replaces the file that has it.
    pub rename: Option<
        unsafe extern "C" fn(ctx: *mut c_void, from: *const c_char, to: *const c_char) -> i64,
    >,
    /// Removes a file. -ENOENT if it does not exist.
    pub unlink: Option<unsafe extern "C" fn(ctx: *mut c_void, path: *const c_char) -> i64>,
    /// Creates a directory. -EEXIST if it exists.
    pub mkdir: Option<unsafe extern "C" fn(ctx: *mut c_void, path: *const c_char) -> i64>,
    /// Calls found with the name of each file in a directory, in any order, but not with "." and "..".
    pub list: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            directory: *const c_char,
            found: FoundName,
            argument: *mut c_void,
        ) -> i64,
    >,
}

/// The type of `list`, for a type of visitors.
type List<V> = unsafe extern "C" fn(*mut c_void, *const c_char, V, *mut c_void) -> i64;

/// Converts a table from C; refuses one that lacks a function.
///
/// # Safety
/// The functions are as their documentation says, as long as the result is used.
pub(super) unsafe fn decode(table: &StoreIo) -> Result<io::Io, i32> {
    let lacks = MASSTREE_INVALID;
    let list = table.list.ok_or(lacks)?;
    let table = IoTable {
        ctx: table.ctx,
        open: table.open.ok_or(lacks)?,
        close: table.close.ok_or(lacks)?,
        read_at: table.read_at.ok_or(lacks)?,
        write_at: table.write_at.ok_or(lacks)?,
        sync: table.sync.ok_or(lacks)?,
        sync_dir: table.sync_dir.ok_or(lacks)?,
        preallocate: table.preallocate.ok_or(lacks)?,
        truncate: table.truncate.ok_or(lacks)?,
        length: table.length.ok_or(lacks)?,
        lock: table.lock.ok_or(lacks)?,
        rename: table.rename.ok_or(lacks)?,
        unlink: table.unlink.ok_or(lacks)?,
        mkdir: table.mkdir.ok_or(lacks)?,
        // SAFETY: only the type of the visitor differs, which C may see as NULL.
        list: unsafe { std::mem::transmute::<List<FoundName>, List<io::Visit>>(list) },
    };
    // SAFETY: by contract.
    Ok(unsafe { io::Io::from_table(table, None) })
}
