//! The fuzz targets: [`operations`], [`threads`], [`structs`] and [`allocations`].
//! `arbitrary` decodes an input into operations on trees, which go through the C interface;
//! a model determines the result of each.

mod bad_calls;
mod batches;
mod calls;
mod count;
mod cursors;
mod held;
mod keys;
mod memory;
mod observed;
mod op;
mod points;
mod scans;
mod session;
mod structs;
mod targets;
mod values;
mod whole;

pub use structs::structs;
pub use targets::{allocations, operations, threads};
