//! The fuzz targets: [`operations`], [`threads`], [`structs`],
//! [`allocations`], [`versions`], [`store`], [`checkpoints`] and [`transactions`].
//! `arbitrary` decodes an input into operations on trees, which go through the C interface;
//! a model determines the result of each.

mod additions;
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
mod ranges;
mod samples;
mod scans;
mod session;
mod store;
mod store_checkpoint;
mod store_damage;
mod store_disk;
mod store_forge;
mod structs;
mod targets;
mod transactions;
mod txn_changes;
mod txn_copy;
mod txn_cursor;
mod txn_list;
mod txn_model;
mod txn_op;
mod txn_session;
mod txn_snapshots;
mod txn_write;
mod values;
mod versions;
mod versions_op;
#[path = "../../src/versioned/tests/oracle.rs"]
mod versions_oracle;
mod versions_read;
mod whole;

pub use store::{checkpoints, store};
pub use structs::structs;
pub use targets::{allocations, operations, threads};
pub use transactions::transactions;
pub use versions::versions;
