//! What the fuzz targets do with an input: [`operations`], [`threads`], [`structs`] and
//! [`allocations`]. The bytes are read with `arbitrary` as operations on trees, which go
//! through the C interface; a model says what each must answer.

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
