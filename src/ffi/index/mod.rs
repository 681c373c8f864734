//! The index: include/masstree.h, one module a section, in the order of its sections.

pub mod version;

pub mod options;

pub mod tree;

pub mod get;

pub mod point;

pub mod guard;

pub mod scan;

pub mod update;

pub mod get_or_insert;

pub mod bytes;

pub mod bytes_conditional;

pub mod cursor;

pub mod cursor_many;

pub mod batch;

pub mod batch_write;

pub mod bulk_load;

pub mod memory;

pub mod inspect;

pub mod stats;

#[cfg(all(
    test,
    debug_assertions,
    target_os = "linux",
    target_env = "gnu",
    not(any(loom, shuttle))
))]
mod fibers;
