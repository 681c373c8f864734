//! Everything that C can see. The order of the modules below is the order of the sections in
//! `include/masstree.h`. Doc comments on exported items are copied there verbatim, so write
//! them for a C programmer.
//!
//! An entry point checks its arguments, converts them, calls the tree and converts the result;
//! `boundary` holds the checks. Nothing here unwinds into C: a panic is a bug of the library
//! and aborts the process, and so does unwinding out of an `extern "C"` function.
#![allow(
    clippy::missing_safety_doc,
    reason = "an entry point's documentation is its contract, and is copied to the C header"
)]

pub mod index;

pub mod occ;

pub mod versioned;

pub mod store;

pub mod handle;

pub mod status;

mod boundary;

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
