//! Reading trees: look-ups, and scans with closures as visitors.

use std::ffi::c_void;
use std::ops::ControlFlow;
use std::ptr::{NonNull, null, null_mut};

use masstree::ffi::handle::GuardHandle;
use masstree::ffi::index::guard::{masstree_guard_enter, masstree_guard_leave};
use masstree::ffi::index::scan::*;
use masstree::ffi::status::*;
use masstree::ffi::versioned::read::{Version, masstree_get_at};
use masstree::ffi::versioned::walk::masstree_scan_delimited_at;

use crate::failure::{Failure, Outcome};
use crate::store::Tree;

/// The number that sees everything.
pub(crate) const LATEST: u64 = u64::MAX;

/// A bound of a range.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum Bound<'k> {
    #[default]
    Open,
    Included(&'k [u8]),
    Excluded(&'k [u8]),
}

impl<'k> Bound<'k> {
    fn parts(self) -> (u32, &'k [u8]) {
        match self {
            Self::Open => (MASSTREE_BOUND_OPEN, &[]),
            Self::Included(key) => (MASSTREE_BOUND_INCLUSIVE, key),
            Self::Excluded(key) => (MASSTREE_BOUND_EXCLUSIVE, key),
        }
    }

    fn key(self) -> Option<&'k [u8]> {
        match self {
            Self::Open => None,
            Self::Included(key) | Self::Excluded(key) => Some(key),
        }
    }
}

/// What a scan visits.
#[derive(Clone, Copy)]
pub(crate) struct Scan<'k> {
    pub(crate) lower: Bound<'k>,
    pub(crate) upper: Bound<'k>,
    pub(crate) prefix: &'k [u8],
    /// Rolls up keys; empty: none.
    pub(crate) delimiter: &'k [u8],
    pub(crate) is_reverse: bool,
    /// 0: no limit.
    pub(crate) limit: usize,
    pub(crate) number: u64,
}

impl Default for Scan<'_> {
    fn default() -> Self {
        Self {
            lower: Bound::Open,
            upper: Bound::Open,
            prefix: &[],
            delimiter: &[],
            is_reverse: false,
            limit: 0,
            number: LATEST,
        }
    }
}

impl Scan<'_> {
    /// Whether the bounds leave nothing. The library refuses such a range.
    fn is_reversed(&self) -> bool {
        let (lower, upper) = (self.lower.key(), self.upper.key());
        lower.zip(upper).is_some_and(|(lower, upper)| lower > upper)
    }
}

/// What a scan has found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry<'v> {
    Key {
        key: &'v [u8],
        value: &'v [u8],
        number: u64,
    },
    CommonPrefix(&'v [u8]),
}

/// Calls the closure for the visitors, and keeps the failure with which it ends the scan.
struct Visit<'f> {
    visit: &'f mut dyn FnMut(Entry<'_>) -> Outcome<ControlFlow<()>>,
    failure: Option<Failure>,
}

impl Visit<'_> {
    fn call(&mut self, entry: Entry<'_>) -> i32 {
        match (self.visit)(entry) {
            Ok(ControlFlow::Continue(())) => MASSTREE_VISIT_CONTINUE,
            Ok(ControlFlow::Break(())) => MASSTREE_VISIT_STOP,
            Err(failure) => {
                self.failure = Some(failure);
                MASSTREE_VISIT_STOP
            }
        }
    }
}

/// Returns bytes from C.
///
/// # Safety
/// `len` readable bytes, which do not change as long as the result exists.
unsafe fn bytes<'b>(start: *const c_void, len: usize) -> &'b [u8] {
    // SAFETY: by contract; the library passes no NULL.
    unsafe { std::slice::from_raw_parts(start.cast(), len) }
}

/// # Safety
/// A `masstree_version_visitor_t` whose `ctx` is a [`Visit`].
unsafe extern "C" fn visit_key(
    key: *const c_void,
    len: usize,
    version: *const Version,
    ctx: *mut c_void,
) -> i32 {
    // SAFETY: by contract; the slices are used during this call only.
    unsafe {
        let version = &*version;
        let entry = Entry::Key {
            key: bytes(key, len),
            value: bytes(version.value, version.value_len),
            number: version.seqno,
        };
        (*ctx.cast::<Visit<'_>>()).call(entry)
    }
}

/// # Safety
/// A `masstree_prefix_visitor_t` whose `ctx` is a [`Visit`].
unsafe extern "C" fn visit_prefix(prefix: *const c_void, len: usize, ctx: *mut c_void) -> i32 {
    // SAFETY: by contract; the slice is used during this call only.
    unsafe { (*ctx.cast::<Visit<'_>>()).call(Entry::CommonPrefix(bytes(prefix, len))) }
}

/// A guard of a tree.
struct Guard(NonNull<GuardHandle>);

impl Guard {
    fn enter(tree: Tree<'_>) -> Outcome<Self> {
        let mut guard = null_mut();
        // SAFETY: a tree of an open store.
        let status = unsafe { masstree_guard_enter(tree.handle.as_ptr(), &raw mut guard) };
        tree.store.done(status)?;
        NonNull::new(guard)
            .map(Self)
            .ok_or_else(|| Failure::of_status(status, "a guard"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: a guard that is not used any more.
        unsafe { masstree_guard_leave(self.0.as_ptr()) };
    }
}

impl Tree<'_> {
    /// Calls `found` with the value of a key at a number, and the number of its commit. Returns `None` if it
    /// has none.
    pub(crate) fn get<R>(
        self,
        key: &[u8],
        number: u64,
        found: impl FnOnce(&[u8], u64) -> R,
    ) -> Outcome<Option<R>> {
        let guard = Guard::enter(self)?;
        // SAFETY: all of its fields may be zero.
        let mut version = unsafe { std::mem::zeroed::<Version>() };
        // SAFETY: a tree of an open store, and a guard of it; a key with its length.
        let status = self.store.done(unsafe {
            masstree_get_at(
                self.handle.as_ptr(),
                guard.0.as_ptr(),
                key.as_ptr().cast(),
                key.len(),
                number,
                &raw mut version,
            )
        })?;
        if status != MASSTREE_OK {
            return Ok(None);
        }
        // SAFETY: the guard is held; the value was written with this status.
        let value = unsafe { bytes(version.value, version.value_len) };
        Ok(Some(found(value, version.seqno)))
    }

    /// Visits entries in order, until `visit` ends the scan or fails.
    pub(crate) fn scan(
        self,
        scan: &Scan<'_>,
        visit: &mut dyn FnMut(Entry<'_>) -> Outcome<ControlFlow<()>>,
    ) -> Outcome<()> {
        if scan.is_reversed() {
            return Ok(());
        }
        let (lower_bound, lower) = scan.lower.parts();
        let (upper_bound, upper) = scan.upper.parts();
        let range = ScanRange {
            struct_size: size_of::<ScanRange>(),
            lower: lower.as_ptr().cast(),
            lower_len: lower.len(),
            upper: upper.as_ptr().cast(),
            upper_len: upper.len(),
            prefix: scan.prefix.as_ptr().cast(),
            prefix_len: scan.prefix.len(),
            limit: scan.limit,
            lower_bound,
            upper_bound,
            flags: if scan.is_reverse {
                MASSTREE_SCAN_REVERSE
            } else {
                0
            },
            reserved: 0,
            visitor_result: std::ptr::null_mut(),
        };
        let failure = None;
        let mut state = Visit { visit, failure };
        // SAFETY: a tree of an open store; the range and what it points to live during the call, and the
        // visitors' `ctx` is the state.
        let status = unsafe {
            masstree_scan_delimited_at(
                self.handle.as_ptr(),
                null_mut(),
                &raw const range,
                scan.number,
                match scan.delimiter {
                    [] => null(),
                    delimiter => delimiter.as_ptr().cast(),
                },
                scan.delimiter.len(),
                Some(visit_key),
                Some(visit_prefix),
                (&raw mut state).cast(),
                null_mut(),
            )
        };
        match state.failure {
            Some(failure) => Err(failure),
            None => self.store.done(status).map(drop),
        }
    }
}
