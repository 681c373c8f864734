//! The table of the operating system's files, over rustix, whose system calls do not change `errno`.
//!
//! A handle is a file descriptor. Descriptors are closed on exec.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::fs::{self, AtFlags, CWD, FallocateFlags, FlockOperation, Mode, OFlags, RawDir};
use rustix::io::{self, Errno};

use super::{IoTable, OPEN_CREATE, OPEN_NEW, OPEN_WRITE, Visit};

pub(super) const TABLE: IoTable = IoTable {
    ctx: ptr::null_mut(),
    open,
    close,
    read_at,
    write_at,
    sync,
    sync_dir,
    preallocate,
    truncate,
    length,
    lock,
    rename,
    unlink,
    mkdir,
    list,
};

fn result(result: io::Result<i64>) -> i64 {
    result.unwrap_or_else(|errno| -i64::from(errno.raw_os_error()))
}

fn done(done: io::Result<()>) -> i64 {
    result(done.map(|()| 0))
}

/// # Safety
///
/// `file` is an open descriptor, and stays open while the result is used.
unsafe fn descriptor<'a>(file: i64) -> BorrowedFd<'a> {
    // SAFETY: by this function's contract; descriptors, which `open` returned, fit.
    unsafe { BorrowedFd::borrow_raw(file as RawFd) }
}

/// # Safety
///
/// `path` points to a string that ends with a zero byte, and lives while the result is used.
unsafe fn string<'a>(path: *const c_char) -> &'a CStr {
    // SAFETY: by this function's contract.
    unsafe { CStr::from_ptr(path) }
}

unsafe extern "C" fn open(_: *mut c_void, path: *const c_char, flags: u32) -> i64 {
    let mut how = OFlags::CLOEXEC;
    how |= if flags & OPEN_WRITE == 0 {
        OFlags::RDONLY
    } else {
        OFlags::RDWR
    };
    if flags & OPEN_NEW != 0 {
        how |= OFlags::CREATE | OFlags::EXCL;
    }
    if flags & OPEN_CREATE != 0 {
        how |= OFlags::CREATE;
    }
    // SAFETY: the caller's path lives during the call.
    let path = unsafe { string(path) };
    let opened = fs::openat(CWD, path, how, Mode::from_raw_mode(0o666));
    result(opened.map(|file| i64::from(file.into_raw_fd())))
}

unsafe extern "C" fn close(_: *mut c_void, file: i64) -> i64 {
    // SAFETY: `open` returned the descriptor, which the caller does not use again. The call, unlike the drop
    // of an owned descriptor, returns its error; it may set `errno`. The C library's function is a
    // cancellation point: a thread that is cancelled here would never let the log go.
    let closed = crate::errno::preserve(|| unsafe {
        match libc::syscall(libc::SYS_close, file as RawFd) {
            0 => 0,
            _ => *libc::__errno_location(),
        }
    });
    -i64::from(closed)
}

unsafe extern "C" fn read_at(
    _: *mut c_void,
    file: i64,
    buffer: *mut u8,
    length: usize,
    offset: u64,
) -> i64 {
    // SAFETY: the caller's descriptor is open, and its buffer writable during the call.
    let (file, buffer) = unsafe {
        let buffer = std::slice::from_raw_parts_mut(buffer.cast::<MaybeUninit<u8>>(), length);
        (descriptor(file), buffer)
    };
    result(io::pread(file, buffer, offset).map(|(read, _)| read.len() as i64))
}

unsafe extern "C" fn write_at(
    _: *mut c_void,
    file: i64,
    bytes: *const u8,
    length: usize,
    offset: u64,
) -> i64 {
    // SAFETY: the caller's descriptor is open, and its bytes readable during the call.
    let (file, bytes) = unsafe { (descriptor(file), std::slice::from_raw_parts(bytes, length)) };
    result(io::pwrite(file, bytes, offset).map(|written| written as i64))
}

unsafe extern "C" fn sync(_: *mut c_void, file: i64) -> i64 {
    // SAFETY: the caller's descriptor is open.
    done(fs::fdatasync(unsafe { descriptor(file) }))
}

fn open_directory(path: &CStr) -> io::Result<OwnedFd> {
    let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    fs::openat(CWD, path, how, Mode::empty())
}

unsafe extern "C" fn sync_dir(_: *mut c_void, path: *const c_char) -> i64 {
    // SAFETY: the caller's path lives during the call.
    let opened = open_directory(unsafe { string(path) });
    done(opened.and_then(fs::fsync))
}

unsafe extern "C" fn preallocate(_: *mut c_void, file: i64, offset: u64, length: u64) -> i64 {
    // SAFETY: the caller's descriptor is open.
    let file = unsafe { descriptor(file) };
    match fs::fallocate(file, FallocateFlags::empty(), offset, length) {
        Err(Errno::OPNOTSUPP) => done(write_zeroes(file, offset, length)),
        allocated => done(allocated),
    }
}

/// Allocates a range where the file system has no call for it. The range lies beyond the file's end:
/// its other bytes would be overwritten.
fn write_zeroes(file: BorrowedFd<'_>, offset: u64, length: u64) -> io::Result<()> {
    const ZEROES: [u8; 4096] = [0; 4096];
    let end = offset + length;
    let mut at = offset.max(fs::fstat(file)?.st_size as u64);
    // Ends: each turn writes at least one byte, or fails.
    while at < end {
        let wanted = (end - at).min(ZEROES.len() as u64) as usize;
        match io::pwrite(file, &ZEROES[..wanted], at)? {
            0 => return Err(Errno::IO),
            written => at += written as u64,
        }
    }
    Ok(())
}

unsafe extern "C" fn truncate(_: *mut c_void, file: i64, length: u64) -> i64 {
    // SAFETY: the caller's descriptor is open.
    done(fs::ftruncate(unsafe { descriptor(file) }, length))
}

unsafe extern "C" fn length(_: *mut c_void, file: i64) -> i64 {
    // SAFETY: the caller's descriptor is open.
    result(fs::fstat(unsafe { descriptor(file) }).map(|stat| stat.st_size))
}

unsafe extern "C" fn lock(_: *mut c_void, file: i64, exclusive: c_int) -> i64 {
    let how = if exclusive != 0 {
        FlockOperation::NonBlockingLockExclusive
    } else {
        FlockOperation::NonBlockingLockShared
    };
    // SAFETY: the caller's descriptor is open.
    done(fs::flock(unsafe { descriptor(file) }, how))
}

unsafe extern "C" fn rename(_: *mut c_void, from: *const c_char, to: *const c_char) -> i64 {
    // SAFETY: the caller's paths live during the call.
    done(unsafe { fs::renameat(CWD, string(from), CWD, string(to)) })
}

unsafe extern "C" fn unlink(_: *mut c_void, path: *const c_char) -> i64 {
    // SAFETY: the caller's path lives during the call.
    done(fs::unlinkat(CWD, unsafe { string(path) }, AtFlags::empty()))
}

unsafe extern "C" fn mkdir(_: *mut c_void, path: *const c_char) -> i64 {
    // SAFETY: the caller's path lives during the call.
    let path = unsafe { string(path) };
    done(fs::mkdirat(CWD, path, Mode::from_raw_mode(0o777)))
}

unsafe extern "C" fn list(
    _: *mut c_void,
    path: *const c_char,
    visit: Visit,
    argument: *mut c_void,
) -> i64 {
    // SAFETY: the caller's path lives during the call.
    let directory = match open_directory(unsafe { string(path) }) {
        Ok(directory) => directory,
        Err(errno) => return result(Err(errno)),
    };
    let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
    let mut entries = RawDir::new(directory, &mut buffer);
    // Ends: after the last entry.
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(errno) => return result(Err(errno)),
        };
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        // SAFETY: the caller's function and argument; the name lives during the call.
        let answer = unsafe { visit(argument, name.as_ptr(), name.to_bytes().len()) };
        if answer < 0 {
            return answer;
        }
    }
    0
}
