//! # The version of the library
//!
//! The version of the library, and of its binary interface.

use std::ffi::c_char;

/// The number of the binary interface. A program that was built against one ABI number runs
/// with every later library of the same number; the shared library's SONAME carries it
/// (`libmasstree.so.0`).
pub const MASSTREE_ABI_VERSION: u32 = 0;

const fn decimal(text: &str) -> u32 {
    let bytes = text.as_bytes();
    let mut value = 0;
    let mut i = 0;
    while i < bytes.len() {
        assert!(bytes[i].is_ascii_digit());
        value = value * 10 + (bytes[i] - b'0') as u32;
        i += 1;
    }
    value
}

const MAJOR: u32 = decimal(env!("CARGO_PKG_VERSION_MAJOR"));
const MINOR: u32 = decimal(env!("CARGO_PKG_VERSION_MINOR"));
const PATCH: u32 = decimal(env!("CARGO_PKG_VERSION_PATCH"));

/// Returns the version of the library in use as text: "0.1.0". The text is static, and never
/// freed. Compare it with MASSTREE_VERSION_STRING, the version of the header.
///
/// @return The text.
///
/// Thread safety: any thread, any time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn masstree_version_string() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Returns the version of the library in use as a number that grows with every release: major *
/// 1000000 + minor * 1000 + patch. Compare it with MASSTREE_VERSION_NUMBER, the version of the
/// header.
///
/// @return The number.
///
/// Thread safety: any thread, any time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn masstree_version_number() -> u32 {
    MAJOR * 1_000_000 + MINOR * 1_000 + PATCH
}

/// Returns the ABI number of the library in use. If it differs from MASSTREE_ABI_VERSION of the
/// header that a program was built with, the program and the library are incompatible.
///
/// @return The number.
///
/// Thread safety: any thread, any time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn masstree_abi_version() -> u32 {
    MASSTREE_ABI_VERSION
}
