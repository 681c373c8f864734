//! Safe calls of an I/O table: checks results, continues short reads and writes, and says which
//! operation failed on which file.

use std::any::Any;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use super::{IoError, IoTable, OPEN_NEW, OPEN_WRITE, Path, Visit, real};

/// A table of file operations, with what it lives in.
#[derive(Clone)]
pub(crate) struct Io {
    table: IoTable,
    _context: Option<Arc<dyn Any + Send + Sync>>,
}

// SAFETY: the contract of a table allows calls from several threads, on any of them; `ctx`, the only
// member that is not a function or `Send` by itself, is passed to those functions only.
unsafe impl Send for Io {}
// SAFETY: as for `Send`.
unsafe impl Sync for Io {}

impl Io {
    /// The operating system's files.
    pub(crate) fn real() -> Self {
        Self {
            table: real::TABLE,
            _context: None,
        }
    }

    /// # Safety
    ///
    /// `table` meets the contract of the module's comment as long as any copy of the result, or a
    /// file opened through it, lives; `context`, if given, lives as long.
    pub(crate) unsafe fn from_table(
        table: IoTable,
        context: Option<Arc<dyn Any + Send + Sync>>,
    ) -> Self {
        Self {
            table,
            _context: context,
        }
    }

    /// The functions, for a table that calls this one.
    #[cfg(all(test, not(any(loom, shuttle))))]
    pub(crate) fn table(&self) -> &IoTable {
        &self.table
    }

    pub(crate) fn open(&self, path: &Path, flags: u32) -> Result<File, IoError> {
        let own = path.duplicate()?;
        // SAFETY: the table's contract; the path ends with a zero byte.
        let call = || unsafe { (self.table.open)(self.table.ctx, own.as_c_str().as_ptr(), flags) };
        let handle = checked(uninterrupted(call), "open", path, 0)?;
        Ok(File {
            io: self.clone(),
            handle,
            path: own,
        })
    }

    pub(crate) fn create(&self, path: &Path) -> Result<File, IoError> {
        self.open(path, OPEN_WRITE | OPEN_NEW)
    }

    pub(crate) fn sync_dir(&self, path: &Path) -> Result<(), IoError> {
        // SAFETY: as in `open`.
        let result = unsafe { (self.table.sync_dir)(self.table.ctx, path.as_c_str().as_ptr()) };
        checked(result, "sync_dir", path, 0).map(drop)
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        let (old, new) = (from.as_c_str().as_ptr(), to.as_c_str().as_ptr());
        // SAFETY: as in `open`.
        let call = || unsafe { (self.table.rename)(self.table.ctx, old, new) };
        checked(uninterrupted(call), "rename", from, 0).map(drop)
    }

    pub(crate) fn unlink(&self, path: &Path) -> Result<(), IoError> {
        // SAFETY: as in `open`.
        let call = || unsafe { (self.table.unlink)(self.table.ctx, path.as_c_str().as_ptr()) };
        checked(uninterrupted(call), "unlink", path, 0).map(drop)
    }

    /// Removes a file, if it exists.
    pub(crate) fn unlink_if_there(&self, path: &Path) -> Result<(), IoError> {
        match self.unlink(path) {
            Err(error) if error.errno == libc::ENOENT => Ok(()),
            outcome => outcome,
        }
    }

    pub(crate) fn mkdir(&self, path: &Path) -> Result<(), IoError> {
        // SAFETY: as in `open`.
        let call = || unsafe { (self.table.mkdir)(self.table.ctx, path.as_c_str().as_ptr()) };
        checked(uninterrupted(call), "mkdir", path, 0).map(drop)
    }

    /// Passes the name of each file in a directory, in any order, until `visit` fails.
    pub(crate) fn list(
        &self,
        path: &Path,
        visit: &mut dyn FnMut(&[u8]) -> Result<(), IoError>,
    ) -> Result<(), IoError> {
        let mut names = Names {
            visit,
            failed: None,
        };
        let argument = (&raw mut names).cast::<c_void>();
        let directory = path.as_c_str().as_ptr();
        // SAFETY: as in `open`; `names` lives during the call, in which alone `visit_name` is called.
        let result =
            unsafe { (self.table.list)(self.table.ctx, directory, visit_name as Visit, argument) };
        match names.failed.take() {
            Some(error) => Err(error),
            None => checked(result, "list", path, 0).map(drop),
        }
    }
}

struct Names<'a> {
    visit: &'a mut dyn FnMut(&[u8]) -> Result<(), IoError>,
    failed: Option<IoError>,
}

unsafe extern "C" fn visit_name(argument: *mut c_void, name: *const c_char, length: usize) -> i64 {
    // SAFETY: `list` passes its `names`, which nothing else uses during the call.
    let names = unsafe { &mut *argument.cast::<Names<'_>>() };
    // SAFETY: the table passes a name of this length.
    let name = unsafe { std::slice::from_raw_parts(name.cast::<u8>(), length) };
    match (names.visit)(name) {
        Ok(()) => 0,
        Err(error) => {
            names.failed = Some(error);
            i64::from(-libc::ECANCELED)
        }
    }
}

/// Repeats a call that a signal interrupted. Ends: as soon as the call takes less time than passes
/// between two signals.
fn uninterrupted(mut call: impl FnMut() -> i64) -> i64 {
    loop {
        let result = call();
        if result != i64::from(-libc::EINTR) {
            return result;
        }
    }
}

fn checked(result: i64, operation: &'static str, path: &Path, offset: u64) -> Result<i64, IoError> {
    if result >= 0 {
        return Ok(result);
    }
    Err(IoError {
        errno: i32::try_from(-result).unwrap_or(libc::EIO),
        operation,
        path: path.duplicate_or_empty(),
        offset,
    })
}

/// An open file; closed when it is dropped.
pub(crate) struct File {
    io: Io,
    handle: i64,
    path: Path,
}

impl File {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn failed<T>(&self, errno: i32, operation: &'static str, offset: u64) -> Result<T, IoError> {
        checked(i64::from(-errno), operation, &self.path, offset)?;
        unreachable!("an errno is positive")
    }

    /// Fills `buffer` from the bytes at `offset` on, as far as the file goes; returns how many bytes
    /// there were.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, IoError> {
        let mut done = 0;
        // Ends: each turn but the last reads at least one byte.
        while done < buffer.len() {
            let rest = &mut buffer[done..];
            let at = offset + done as u64;
            let (table, bytes) = (&self.io.table, rest.as_mut_ptr());
            // SAFETY: the table's contract; `rest` is writable, and this thread's.
            let call = || unsafe { (table.read_at)(table.ctx, self.handle, bytes, rest.len(), at) };
            let read = checked(uninterrupted(call), "read_at", &self.path, at)?;
            match usize::try_from(read) {
                Ok(0) => break,
                Ok(read) if read <= rest.len() => done += read,
                _ => return self.failed(libc::EIO, "read_at", at),
            }
        }
        Ok(done)
    }

    /// Writes all bytes.
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), IoError> {
        let mut done = 0;
        // Ends: each turn writes at least one byte, or fails.
        while done < bytes.len() {
            let rest = &bytes[done..];
            let at = offset + done as u64;
            let table = &self.io.table;
            // SAFETY: the table's contract; `rest` is readable.
            let call = || unsafe {
                (table.write_at)(table.ctx, self.handle, rest.as_ptr(), rest.len(), at)
            };
            let written = checked(uninterrupted(call), "write_at", &self.path, at)?;
            match usize::try_from(written) {
                Ok(1..) if written as usize <= rest.len() => done += written as usize,
                _ => return self.failed(libc::EIO, "write_at", at),
            }
        }
        Ok(())
    }

    /// Makes what was written durable. Called once: see the module's comment.
    pub(crate) fn sync(&self) -> Result<(), IoError> {
        // SAFETY: the table's contract; the handle is open.
        let result = unsafe { (self.io.table.sync)(self.io.table.ctx, self.handle) };
        checked(result, "sync", &self.path, 0).map(drop)
    }

    pub(crate) fn preallocate(&self, offset: u64, length: u64) -> Result<(), IoError> {
        let table = &self.io.table;
        // SAFETY: as in `sync`.
        let call = || unsafe { (table.preallocate)(table.ctx, self.handle, offset, length) };
        checked(uninterrupted(call), "preallocate", &self.path, offset).map(drop)
    }

    pub(crate) fn truncate(&self, length: u64) -> Result<(), IoError> {
        let table = &self.io.table;
        // SAFETY: as in `sync`.
        let call = || unsafe { (table.truncate)(table.ctx, self.handle, length) };
        checked(uninterrupted(call), "truncate", &self.path, length).map(drop)
    }

    pub(crate) fn length(&self) -> Result<u64, IoError> {
        // SAFETY: as in `sync`.
        let result = unsafe { (self.io.table.length)(self.io.table.ctx, self.handle) };
        checked(result, "length", &self.path, 0).map(|length| length as u64)
    }

    /// Locks the file; returns false if another open of it is locked.
    pub(crate) fn lock(&self, exclusive: bool) -> Result<bool, IoError> {
        let table = &self.io.table;
        // SAFETY: as in `sync`.
        let call = || unsafe { (table.lock)(table.ctx, self.handle, c_int::from(exclusive)) };
        let result = uninterrupted(call);
        if result == i64::from(-libc::EWOULDBLOCK) {
            return Ok(false);
        }
        checked(result, "lock", &self.path, 0).map(|_| true)
    }

    /// Closes the file, and reports an error that closing reveals.
    pub(crate) fn close(mut self) -> Result<(), IoError> {
        let result = self.close_handle();
        checked(result, "close", &self.path, 0).map(drop)
    }

    fn close_handle(&mut self) -> i64 {
        let handle = std::mem::replace(&mut self.handle, -1);
        if handle < 0 {
            return 0;
        }
        // SAFETY: the table's contract; the handle was open, and is not used again. Never repeated:
        // the handle is closed also if the call was interrupted.
        unsafe { (self.io.table.close)(self.io.table.ctx, handle) }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.close_handle();
    }
}
