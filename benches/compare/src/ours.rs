//! libmasstree through its C ABI, from a shared library opened at run time.

use std::ffi::c_void;
use std::hint::black_box;
use std::marker::PhantomData;
use std::ptr::{null, null_mut};

type Handle = *mut c_void;
type Visitor = unsafe extern "C" fn(*const c_void, usize, u64, *mut c_void) -> i32;

/// `masstree_range_t`.
#[repr(C)]
struct Range {
    struct_size: usize,
    lower: *const c_void,
    lower_len: usize,
    upper: *const c_void,
    upper_len: usize,
    prefix: *const c_void,
    prefix_len: usize,
    limit: usize,
    lower_bound: u32,
    upper_bound: u32,
    flags: u32,
    reserved: u32,
}

const BOUND_INCLUSIVE: u32 = 1;

/// The functions measured.
pub(crate) struct Library {
    create: unsafe extern "C" fn(*const c_void, *mut Handle) -> i32,
    destroy: unsafe extern "C" fn(Handle),
    enter: unsafe extern "C" fn(Handle, *mut Handle) -> i32,
    leave: unsafe extern "C" fn(Handle),
    put: unsafe extern "C" fn(Handle, Handle, *const c_void, usize, u64) -> i32,
    get: unsafe extern "C" fn(Handle, Handle, *const c_void, usize, *mut u64) -> i32,
    scan:
        unsafe extern "C" fn(Handle, Handle, *const Range, Visitor, *mut c_void, *mut usize) -> i32,
}

impl Library {
    pub(crate) fn open(path: &str) -> Result<Self, libloading::Error> {
        // SAFETY: the library's initialisation is that of any Rust library; the
        // signatures are those of include/masstree.h; it is never unloaded.
        unsafe {
            let library = libloading::Library::new(path)?;
            let functions = Self {
                create: *library.get(b"masstree_create")?,
                destroy: *library.get(b"masstree_destroy")?,
                enter: *library.get(b"masstree_guard_enter")?,
                leave: *library.get(b"masstree_guard_leave")?,
                put: *library.get(b"masstree_put")?,
                get: *library.get(b"masstree_get")?,
                scan: *library.get(b"masstree_scan")?,
            };
            std::mem::forget(library);
            Ok(functions)
        }
    }

    pub(crate) fn tree(&self) -> Tree<'_> {
        let mut tree = null_mut();
        // SAFETY: as masstree.h says.
        assert_eq!(unsafe { (self.create)(null(), &mut tree) }, 0);
        Tree {
            library: self,
            tree,
        }
    }
}

pub(crate) struct Tree<'l> {
    library: &'l Library,
    tree: Handle,
}

impl Tree<'_> {
    pub(crate) fn guard(&self) -> Guard<'_> {
        let mut guard = null_mut();
        // SAFETY: as masstree.h says.
        assert_eq!(unsafe { (self.library.enter)(self.tree, &mut guard) }, 0);
        Guard {
            library: self.library,
            tree: self.tree,
            guard,
            borrowed: PhantomData,
        }
    }
}

impl Drop for Tree<'_> {
    fn drop(&mut self) {
        // SAFETY: the guards borrow the tree, so they have been left.
        unsafe { (self.library.destroy)(self.tree) }
    }
}

pub(crate) struct Guard<'t> {
    library: &'t Library,
    tree: Handle,
    guard: Handle,
    borrowed: PhantomData<&'t Tree<'t>>,
}

impl Guard<'_> {
    pub(crate) fn put(&self, key: &[u8], value: u64) {
        let put = self.library.put;
        // SAFETY: as masstree.h says.
        let status = unsafe { put(self.tree, self.guard, key.as_ptr().cast(), key.len(), value) };
        assert_eq!(status, 0);
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<u64> {
        let get = self.library.get;
        let mut value = 0;
        // SAFETY: as masstree.h says.
        let status = unsafe {
            get(
                self.tree,
                self.guard,
                key.as_ptr().cast(),
                key.len(),
                &mut value,
            )
        };
        (status == 0).then_some(value)
    }

    /// Visits up to `limit` keys from `lower` on.
    pub(crate) fn scan(&self, lower: &[u8], limit: usize) -> usize {
        unsafe extern "C" fn visit(
            key: *const c_void,
            len: usize,
            value: u64,
            _: *mut c_void,
        ) -> i32 {
            black_box((key, len, value));
            0
        }
        let range = Range {
            struct_size: size_of::<Range>(),
            lower: lower.as_ptr().cast(),
            lower_len: lower.len(),
            upper: null(),
            upper_len: 0,
            prefix: null(),
            prefix_len: 0,
            limit,
            lower_bound: BOUND_INCLUSIVE,
            upper_bound: 0,
            flags: 0,
            reserved: 0,
        };
        let scan = self.library.scan;
        let mut visited = 0;
        // SAFETY: as masstree.h says.
        let status = unsafe {
            scan(
                self.tree,
                self.guard,
                &range,
                visit,
                null_mut(),
                &mut visited,
            )
        };
        assert_eq!(status, 0);
        visited
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // SAFETY: the guard is left once.
        unsafe { (self.library.leave)(self.guard) }
    }
}
