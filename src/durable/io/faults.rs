//! A table that makes one call of another table fail.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Io, IoTable, Visit};

/// What happens to the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It fails with this errno, without effect.
    Errno(i32),
    /// A read or write handles about half of the bytes; another call does what it should.
    Short,
}

/// The table, and how many calls it has seen.
pub(crate) struct Faults {
    inner: Io,
    calls: AtomicU64,
    /// The call that fails, from 0.
    at: u64,
    fault: Fault,
    /// Whether all later calls of the same operation fail, too.
    for_ever: bool,
    failed: AtomicU64,
}

impl Faults {
    /// The call number `at` fails.
    pub(crate) fn new(inner: Io, at: u64, fault: Fault, for_ever: bool) -> Arc<Self> {
        Arc::new(Self {
            inner,
            calls: AtomicU64::new(0),
            at,
            fault,
            for_ever,
            failed: AtomicU64::new(u64::MAX),
        })
    }

    pub(crate) fn io(self: &Arc<Self>) -> Io {
        let ctx = Arc::as_ptr(self).cast_mut().cast::<c_void>();
        // SAFETY: the functions below meet the contract if `inner` does; `self` lives with the result.
        unsafe { Io::from_table(IoTable { ctx, ..TABLE }, Some(self.clone())) }
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Whether a call has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed) != u64::MAX
    }

    fn next(&self, operation: u64) -> Option<Fault> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let again = self.for_ever && self.failed.load(Ordering::Relaxed) == operation;
        if call != self.at && !again {
            return None;
        }
        self.failed.store(operation, Ordering::Relaxed);
        Some(self.fault)
    }
}

/// Calls the inner table's function, unless this call fails.
unsafe fn call(ctx: *mut c_void, operation: u64, inner: impl FnOnce(&IoTable) -> i64) -> i64 {
    // SAFETY: `Faults::io` passes its `Faults`.
    let faults = unsafe { &*ctx.cast_const().cast::<Faults>() };
    match faults.next(operation) {
        Some(Fault::Errno(errno)) => i64::from(-errno),
        Some(Fault::Short) | None => inner(faults.inner.table()),
    }
}

/// As `call`, for a read or write of `length` bytes.
unsafe fn transfer(
    ctx: *mut c_void,
    operation: u64,
    length: usize,
    inner: impl FnOnce(&IoTable, usize) -> i64,
) -> i64 {
    // SAFETY: as in `call`.
    let faults = unsafe { &*ctx.cast_const().cast::<Faults>() };
    match faults.next(operation) {
        Some(Fault::Errno(errno)) => i64::from(-errno),
        Some(Fault::Short) => inner(faults.inner.table(), length.div_ceil(2)),
        None => inner(faults.inner.table(), length),
    }
}

const TABLE: IoTable = IoTable {
    ctx: std::ptr::null_mut(),
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

type Path = *const c_char;
type Ctx = *mut c_void;

/// Defines functions that call those of the inner table.
macro_rules! forwarded {
    ($($number:literal $name:ident($($argument:ident: $type:ty),*);)*) => {
        $(unsafe extern "C" fn $name(ctx: Ctx, $($argument: $type),*) -> i64 {
            // SAFETY: the caller's contract is that of the inner table.
            unsafe { call(ctx, $number, |inner| (inner.$name)(inner.ctx, $($argument),*)) }
        })*
    };
}

forwarded! {
    0 open(path: Path, flags: u32);
    3 sync(file: i64);
    4 sync_dir(path: Path);
    5 preallocate(file: i64, offset: u64, length: u64);
    6 truncate(file: i64, length: u64);
    7 length(file: i64);
    8 lock(file: i64, exclusive: c_int);
    9 rename(from: Path, to: Path);
    10 unlink(path: Path);
    11 mkdir(path: Path);
    12 list(path: Path, visit: Visit, argument: *mut c_void);
}

unsafe extern "C" fn close(ctx: Ctx, file: i64) -> i64 {
    // SAFETY: as in `call`; the file is closed in any case, as the contract says.
    unsafe {
        let faults = &*ctx.cast_const().cast::<Faults>();
        let inner = faults.inner.table();
        let closed = (inner.close)(inner.ctx, file);
        call(ctx, 13, |_| closed)
    }
}

unsafe extern "C" fn read_at(
    ctx: Ctx,
    file: i64,
    buffer: *mut u8,
    length: usize,
    offset: u64,
) -> i64 {
    // SAFETY: the caller's contract is that of the inner table.
    unsafe {
        transfer(ctx, 1, length, |inner, length| {
            (inner.read_at)(inner.ctx, file, buffer, length, offset)
        })
    }
}

unsafe extern "C" fn write_at(
    ctx: Ctx,
    file: i64,
    bytes: *const u8,
    length: usize,
    offset: u64,
) -> i64 {
    // SAFETY: as for `read_at`.
    unsafe {
        transfer(ctx, 2, length, |inner, length| {
            (inner.write_at)(inner.ctx, file, bytes, length, offset)
        })
    }
}
