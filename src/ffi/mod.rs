//! Everything C can see. The order of the modules below is the order of the
//! sections in `include/masstree.h`; doc comments on exported items are copied
//! there verbatim, so they speak to a C reader.
//!
//! An entry point checks its arguments, converts them, calls the tree and
//! converts the answer; `boundary` holds the checks. Nothing here unwinds into
//! C: a panic is a bug of the library and aborts the process, as does leaving
//! an `extern "C"` function by unwinding in a debug build.
#![allow(
    clippy::missing_safety_doc,
    reason = "an entry point's documentation is its contract, and is copied to the C header"
)]

pub mod index;

pub mod occ;

pub mod handle;

pub mod status;

mod boundary;
