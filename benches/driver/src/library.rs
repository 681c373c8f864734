//! libmasstree's shared library, opened at run time, and its functions as
//! include/masstree.h declares them.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::path::Path;
use std::ptr::{null, null_mut};

/// A pointer to a tree, a guard or a cursor.
pub type Handle = *mut c_void;

/// `masstree_visitor_t`.
pub type Visitor = unsafe extern "C" fn(*const c_void, usize, u64, *mut c_void) -> i32;

/// `MASSTREE_OK`.
pub const OK: i32 = 0;
/// `MASSTREE_NOT_FOUND`.
pub const NOT_FOUND: i32 = 1;
/// `MASSTREE_BOUND_INCLUSIVE`.
const BOUND_INCLUSIVE: u32 = 1;
/// `MASSTREE_SCAN_REVERSE`.
const SCAN_REVERSE: u32 = 1;

/// `masstree_slice_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Slice {
    /// The bytes.
    pub data: *const c_void,
    /// Their number.
    pub len: usize,
}

impl Slice {
    /// The slice of no bytes.
    pub const EMPTY: Slice = Slice {
        data: null(),
        len: 0,
    };

    /// These bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Slice {
            data: bytes.as_ptr().cast(),
            len: bytes.len(),
        }
    }
}

/// `masstree_range_t`.
#[repr(C)]
pub struct Range {
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
    visitor_result: *mut i32,
}

impl Range {
    /// The keys from `bound` on, upwards or downwards, at most `limit`.
    pub fn from_key(bound: &[u8], limit: usize, reverse: bool) -> Self {
        let (lower, upper) = match reverse {
            false => (Slice::of(bound), Slice::EMPTY),
            true => (Slice::EMPTY, Slice::of(bound)),
        };
        Self {
            struct_size: size_of::<Range>(),
            lower: lower.data,
            lower_len: lower.len,
            upper: upper.data,
            upper_len: upper.len,
            prefix: null(),
            prefix_len: 0,
            limit,
            lower_bound: if reverse { 0 } else { BOUND_INCLUSIVE },
            upper_bound: if reverse { BOUND_INCLUSIVE } else { 0 },
            flags: if reverse { SCAN_REVERSE } else { 0 },
            reserved: 0,
            visitor_result: null_mut(),
        }
    }
}

macro_rules! functions {
    ($($(#[$doc:meta])* $field:ident = $symbol:literal: $signature:ty;)*) => {
        /// The functions that are measured.
        #[derive(Clone, Copy)]
        pub struct Library {
            $($(#[$doc])* pub $field: $signature,)*
        }

        impl Library {
            /// Opens the shared library, for the rest of the process's life.
            pub fn open(path: &Path) -> Result<Self, libloading::Error> {
                // SAFETY: the library's initialisation is that of any Rust library;
                // the signatures are those of include/masstree.h; it is never unloaded.
                unsafe {
                    let library = libloading::Library::new(path)?;
                    let functions = Self { $($field: *library.get($symbol)?,)* };
                    std::mem::forget(library);
                    Ok(functions)
                }
            }
        }
    };
}

functions! {
    /// `masstree_create`
    create = b"masstree_create": unsafe extern "C" fn(*const c_void, *mut Handle) -> i32;
    /// `masstree_destroy`
    destroy = b"masstree_destroy": unsafe extern "C" fn(Handle);
    /// `masstree_guard_enter`
    enter = b"masstree_guard_enter": unsafe extern "C" fn(Handle, *mut Handle) -> i32;
    /// `masstree_guard_refresh`
    refresh = b"masstree_guard_refresh": unsafe extern "C" fn(Handle);
    /// `masstree_guard_leave`
    leave = b"masstree_guard_leave": unsafe extern "C" fn(Handle);
    /// `masstree_put`
    put = b"masstree_put":
        unsafe extern "C" fn(Handle, Handle, *const c_void, usize, u64) -> i32;
    /// `masstree_get`
    get = b"masstree_get":
        unsafe extern "C" fn(Handle, Handle, *const c_void, usize, *mut u64) -> i32;
    /// `masstree_remove`
    remove = b"masstree_remove":
        unsafe extern "C" fn(Handle, Handle, *const c_void, usize, *mut u64) -> i32;
    /// `masstree_scan`
    scan = b"masstree_scan": unsafe extern "C" fn(
        Handle, Handle, *const Range, Visitor, *mut c_void, *mut usize,
    ) -> i32;
    /// `masstree_get_many`
    get_many = b"masstree_get_many": unsafe extern "C" fn(
        Handle, Handle, *const Slice, usize, *mut u64, *mut i32,
    ) -> i32;
    /// `masstree_get_many_u64`
    get_many_u64 = b"masstree_get_many_u64": unsafe extern "C" fn(
        Handle, Handle, *const c_void, usize, usize, *mut u64, *mut i32,
    ) -> i32;
    /// `masstree_put_many`
    put_many = b"masstree_put_many": unsafe extern "C" fn(
        Handle, Handle, *const Slice, *const u64, usize, *mut i32,
    ) -> i32;
    /// `masstree_put_many_u64`
    put_many_u64 = b"masstree_put_many_u64": unsafe extern "C" fn(
        Handle, Handle, *const c_void, usize, *const u64, usize, *mut i32,
    ) -> i32;
    /// `masstree_bulk_load_u64`
    bulk_load_u64 = b"masstree_bulk_load_u64": unsafe extern "C" fn(
        Handle, Handle, *const c_void, usize, *const u64, usize, *mut usize,
    ) -> i32;
    /// `masstree_cursor_open`
    cursor_open = b"masstree_cursor_open":
        unsafe extern "C" fn(Handle, Handle, *mut Handle) -> i32;
    /// `masstree_cursor_close`
    cursor_close = b"masstree_cursor_close": unsafe extern "C" fn(Handle);
    /// `masstree_cursor_first`
    cursor_first = b"masstree_cursor_first": unsafe extern "C" fn(Handle) -> i32;
    /// `masstree_cursor_next`
    cursor_next = b"masstree_cursor_next": unsafe extern "C" fn(Handle) -> i32;
    /// `masstree_cursor_next_many`
    cursor_next_many = b"masstree_cursor_next_many": unsafe extern "C" fn(
        Handle, *mut Slice, *mut u64, usize, *mut usize,
    ) -> i32;
}

/// A tree of words, destroyed when it is dropped.
pub struct Tree {
    /// The functions of its library.
    pub library: Library,
    /// The handle for these functions.
    pub handle: Handle,
}

// SAFETY: any thread may use a tree at any time (masstree.h).
unsafe impl Send for Tree {}
// SAFETY: as above.
unsafe impl Sync for Tree {}

impl Tree {
    /// An empty tree with the default options.
    pub fn new(library: Library) -> Self {
        let mut handle = null_mut();
        // SAFETY: NULL stands for the default options; the output is ours.
        let status = unsafe { (library.create)(null(), &mut handle) };
        assert_eq!(status, OK, "masstree_create");
        Self { library, handle }
    }

    /// Enters a guard.
    pub fn guard(&self) -> Guard<'_> {
        let mut handle = null_mut();
        // SAFETY: the tree is alive, the output is ours.
        let status = unsafe { (self.library.enter)(self.handle, &mut handle) };
        assert_eq!(status, OK, "masstree_guard_enter");
        Guard {
            library: self.library,
            tree: self.handle,
            handle,
            borrowed: PhantomData,
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // SAFETY: the guards borrow the tree, so they have been left.
        unsafe { (self.library.destroy)(self.handle) }
    }
}

/// A guard, left when it is dropped.
pub struct Guard<'t> {
    /// The functions of the tree's library.
    pub library: Library,
    /// The tree's handle.
    pub tree: Handle,
    /// The guard's handle.
    pub handle: Handle,
    borrowed: PhantomData<&'t Tree>,
}

impl Guard<'_> {
    /// `masstree_put`.
    #[inline]
    pub fn put(&self, key: &[u8], value: u64) {
        let put = self.library.put;
        // SAFETY: the tree and the guard are alive, the key is readable.
        let status = unsafe {
            put(
                self.tree,
                self.handle,
                key.as_ptr().cast(),
                key.len(),
                value,
            )
        };
        assert_eq!(status, OK, "masstree_put");
    }

    /// `masstree_get`.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<u64> {
        let get = self.library.get;
        let (data, len) = (key.as_ptr().cast(), key.len());
        let mut value = 0;
        // SAFETY: as in put; the output is ours.
        let status = unsafe { get(self.tree, self.handle, data, len, &mut value) };
        (status == OK).then_some(value)
    }

    /// `masstree_remove`: whether the key was there.
    #[inline]
    pub fn remove(&self, key: &[u8]) -> bool {
        let remove = self.library.remove;
        let (data, len) = (key.as_ptr().cast(), key.len());
        // SAFETY: as in put; the old value is not wanted.
        let status = unsafe { remove(self.tree, self.handle, data, len, null_mut()) };
        status == OK
    }

    /// `masstree_scan`: calls `visit` for up to `limit` keys from `from` on.
    #[inline]
    pub fn scan<F>(&self, from: &[u8], limit: usize, reverse: bool, mut visit: F)
    where
        F: FnMut(&[u8], u64),
    {
        let range = Range::from_key(from, limit, reverse);
        let scan = self.library.scan;
        let ctx = (&raw mut visit).cast();
        // SAFETY: as in put; the context is the closure that the visitor expects.
        let status = unsafe { scan(self.tree, self.handle, &range, call::<F>, ctx, null_mut()) };
        assert_eq!(status, OK, "masstree_scan");
    }

    /// `masstree_guard_refresh`.
    #[inline]
    pub fn refresh(&self) {
        // SAFETY: the guard is alive; nothing read through it is kept.
        unsafe { (self.library.refresh)(self.handle) }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // SAFETY: the guard is left once.
        unsafe { (self.library.leave)(self.handle) }
    }
}

/// The visitor that calls the closure `ctx` points to.
unsafe extern "C" fn call<F: FnMut(&[u8], u64)>(
    key: *const c_void,
    len: usize,
    value: u64,
    ctx: *mut c_void,
) -> i32 {
    // SAFETY: the key is readable during the call (masstree.h); ctx is the closure that
    // Guard::scan passed, which nothing else uses meanwhile.
    unsafe {
        let visit = &mut *ctx.cast::<F>();
        visit(std::slice::from_raw_parts(key.cast(), len), value);
    }
    0
}
