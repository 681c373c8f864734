//! libmasstree: durable stores. A store is a directory and the trees in memory that it is read into: what is
//! written to a store is logged, and is there again when the directory is opened. docs/store.md
//! explains their use.
//!
//! The data must fit in memory. All reads are reads of memory: a store's trees are versioned trees, for
//! which every reading function of masstree.h and masstree/versioned.h works; functions of those headers
//! that write return MASSTREE_READ_ONLY for them. Writes go through the functions of this header.
//!
//! What a store promises: after a crash of the process, the kernel or the machine, the next opening finds the
//! state after some commit, which is at or after every commit that was reported as durable. A batch is
//! found whole or not at all. A commit is in memory when the call returns; masstree_store_wait says when it is
//! written to the kernel (it survives a crash of the process) and when it is durable (it survives a loss of power).

pub mod handle;

pub mod failure;

pub mod io;

pub mod progress;

pub mod open;

pub mod trees;

pub mod write;

pub mod conditional;

pub mod batch;

pub mod batch_assert;

pub mod txn;

pub mod txn_access;

pub mod txn_cursor;

pub mod transact;

pub mod snapshot;

pub mod wait;

pub mod checkpoint;

pub mod export;

pub mod import;

pub mod changes;

pub mod verify;

pub mod stats;

pub mod stats_json;
