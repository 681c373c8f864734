//! The index: byte strings to words or byte strings. Each room over the one below:
//!
//! - `tree`: walking and changing the tree.
//! - `reclaim`: guards, and freeing what readers may still hold.
//! - `node`: the bytes of a node.
//! - `memory`: allocators, pools, counters.
//! - `key`, `value`: slices of keys, values.

pub(crate) mod key;
pub(crate) mod memory;
pub(crate) mod node;
pub(crate) mod reclaim;
pub(crate) mod tree;
pub(crate) mod value;
