//! libmasstree: versioned trees. Under each key they keep several versions, each with a sequence
//! number, and read as of a number. docs/versioned.md explains their use.
//!
//! A tree is made versioned by value_kind = MASSTREE_VALUES_VERSIONED in its options. Guards,
//! cursors, statistics, masstree_check, masstree_dump and masstree_destroy are those of every tree;
//! masstree_contains, masstree_count, masstree_len and scans of keys only see every key that has a
//! version, also if all of them are tombstones.
//!
//! Sequence numbers are 1 to MASSTREE_SEQNO_MAX. Either the caller chooses them, in any order; or
//! it takes them from the tree in groups (masstree_next_seqno), whose writes become visible at once
//! (masstree_publish). A reader at a number sees, of each key, the newest version with that number
//! or a lower one, unless a range tombstone in between covers the key.

pub mod write;

pub mod read;

pub mod walk;

pub mod cursor;

pub mod numbers;

pub mod keep;

pub mod digest;
