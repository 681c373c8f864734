//! The index: a map from byte strings to words or byte strings. Each module uses only those
//! below it:
//!
//! - `tree`: searches, walks and changes the tree.
//! - `reclaim`: guards, and freeing of objects that readers may still hold.
//! - `node`: layout of nodes, and access to one node.
//! - `memory`: allocators, pools, counters.
//! - `key`, `key_source`, `value`: keys as slices, where values contain them, and values.

pub(crate) mod key;
pub(crate) mod key_source;
pub(crate) mod memory;
pub(crate) mod node;
pub(crate) mod reclaim;
pub(crate) mod tree;
pub(crate) mod value;
