//! oneTBB's `concurrent_map`, a skip list, through the shim in `tbb/concurrent_map.cpp`:
//! integers or `std::string` for keys, atomic words for values.

use std::ffi::c_void;

use crate::map::{Map, SCAN, Session};

type Visitor = unsafe extern "C" fn(*const u8, usize, u64, *mut c_void);

/// The functions over one type of keys.
pub(crate) struct Tbb {
    map: *mut c_void,
    put: unsafe extern "C" fn(*mut c_void, *const u8, usize, u64),
    get: unsafe extern "C" fn(*mut c_void, *const u8, usize, *mut u64) -> i32,
    scan: unsafe extern "C" fn(*mut c_void, *const u8, usize, usize, Visitor, *mut c_void),
    destroy: unsafe extern "C" fn(*mut c_void),
}

// SAFETY: the operations used are those that concurrent_map allows beside each other.
unsafe impl Sync for Tbb {}

macro_rules! declare {
    ($make:ident: $create:ident, $put:ident, $get:ident, $scan:ident, $destroy:ident) => {
        unsafe extern "C" {
            fn $create() -> *mut c_void;
            fn $put(map: *mut c_void, key: *const u8, len: usize, value: u64);
            fn $get(map: *mut c_void, key: *const u8, len: usize, value: *mut u64) -> i32;
            fn $scan(
                map: *mut c_void,
                from: *const u8,
                len: usize,
                limit: usize,
                visit: Visitor,
                ctx: *mut c_void,
            );
            fn $destroy(map: *mut c_void);
        }

        /// An empty map.
        pub(crate) fn $make() -> Tbb {
            Tbb {
                // SAFETY: no precondition.
                map: unsafe { $create() },
                put: $put,
                get: $get,
                scan: $scan,
                destroy: $destroy,
            }
        }
    };
}

declare!(integers: bench_integers_create, bench_integers_put, bench_integers_get,
    bench_integers_scan, bench_integers_destroy);
declare!(strings: bench_strings_create, bench_strings_put, bench_strings_get,
    bench_strings_scan, bench_strings_destroy);

impl Drop for Tbb {
    fn drop(&mut self) {
        // SAFETY: sessions borrow the map, so none uses it any more.
        unsafe { (self.destroy)(self.map) }
    }
}

impl Map for Tbb {
    type Session<'m> = &'m Tbb;

    fn session(&self) -> &Tbb {
        self
    }
}

unsafe extern "C" fn call<F: FnMut(&[u8], u64)>(
    key: *const u8,
    len: usize,
    value: u64,
    ctx: *mut c_void,
) {
    // SAFETY: the shim passes a readable key, and the closure that scan gave it.
    unsafe {
        let visit = &mut *ctx.cast::<F>();
        visit(std::slice::from_raw_parts(key, len), value);
    }
}

fn scan_with<F: FnMut(&[u8], u64)>(map: &Tbb, from: &[u8], mut visit: F) {
    let ctx = (&raw mut visit).cast();
    // SAFETY: the map is alive, the key readable, the closure of the visitor's type.
    unsafe { (map.scan)(map.map, from.as_ptr(), from.len(), SCAN, call::<F>, ctx) }
}

impl Session for &Tbb {
    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u64> {
        let mut value = 0;
        // SAFETY: the map is alive, the key readable, the output ours.
        let found = unsafe { (self.get)(self.map, key.as_ptr(), key.len(), &mut value) };
        (found == 1).then_some(value)
    }

    #[inline]
    fn put(&mut self, key: &[u8], value: u64) {
        // SAFETY: the map is alive, the key readable.
        unsafe { (self.put)(self.map, key.as_ptr(), key.len(), value) }
    }

    fn remove(&mut self, _: &[u8]) -> bool {
        unimplemented!("Peer::lacks says so");
    }

    fn scan(&mut self, from: &[u8], visit: impl FnMut(&[u8], u64)) {
        scan_with(self, from, visit);
    }

    fn scan_reverse(&mut self, _: &[u8], _: impl FnMut(&[u8], u64)) {
        unimplemented!("Peer::lacks says so");
    }
}
