//! Values: numbers, each used once, which shows where a value came from and how often it
//! was destroyed.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use masstree::ffi::index::bytes::Slice;

/// The number of values of a thread.
pub(crate) const VALUES: u64 = 8192;
/// The content of outputs before a call.
pub(crate) const UNTOUCHED: u64 = u64::MAX;

/// How often each value was destroyed. Value 0 may be stored more than once and is not
/// counted.
pub(crate) struct Ledger {
    destroyed: Box<[AtomicU8]>,
}

impl Ledger {
    pub(crate) fn new(threads: u64) -> Self {
        Self {
            destroyed: (0..threads * VALUES).map(|_| AtomicU8::new(0)).collect(),
        }
    }

    pub(crate) fn destroyed(&self, value: u64) -> u8 {
        self.destroyed[value as usize].load(Relaxed)
    }
}

/// The value destructor; `ctx` is a [`Ledger`].
pub(crate) unsafe extern "C" fn destroy(value: u64, ctx: *mut c_void) {
    // SAFETY: the tree has the ledger's address, and is destroyed before it.
    let ledger = unsafe { &*ctx.cast::<Ledger>() };
    let count = ledger.destroyed[value as usize].fetch_add(1, Relaxed);
    assert!(value == 0 || count == 0, "value {value} is destroyed twice");
}

/// A number as a byte string with a check of its integrity.
pub(crate) fn encoded(number: u64) -> Vec<u8> {
    if number == 0 {
        return Vec::new();
    }
    let mut bytes = number.to_le_bytes().to_vec();
    let more = if number % 16 == 15 { 400 } else { number % 61 };
    bytes.resize(8 + more as usize, number as u8);
    bytes
}

/// The number that a byte string encodes.
pub(crate) fn decoded(bytes: &[u8]) -> u64 {
    let number = bytes.first_chunk().map_or(0, |n| u64::from_le_bytes(*n));
    assert_eq!(bytes, encoded(number), "a value is not whole");
    number
}

/// The bytes of a slice of the library.
///
/// # Safety
/// It is readable as long as the result is used.
pub(crate) unsafe fn bytes_of<'s>(slice: Slice) -> &'s [u8] {
    assert!(!slice.data.is_null(), "NULL for bytes");
    // SAFETY: by contract.
    unsafe { std::slice::from_raw_parts(slice.data.cast(), slice.len) }
}

/// Bytes for the library; NULL if there are none.
pub(crate) fn slice_of(bytes: &[u8]) -> Slice {
    let data = if bytes.is_empty() {
        std::ptr::null()
    } else {
        bytes.as_ptr().cast()
    };
    Slice {
        data,
        len: bytes.len(),
    }
}
