//! libmasstree: a concurrent ordered map from byte strings to 64-bit words.
//!
//! The product is the C library that `include/masstree.h` describes. This crate
//! is how it is made; its Rust face, [`Tree`], serves tests and benchmarks.
//!
//! Rooms, each over the one below:
//!
//! - [`ffi`]: anything C can see.
//! - `tree`: walking and changing the tree.
//! - `reclaim`: guards, and freeing what readers may still hold.
//! - `node`: the bytes of a node.
//! - `memory`: allocators, pools, counters.
//! - `key`, `value`, `sync`: slices of keys, values, atomics.
//! - `protocol`: the lines that the models leave out.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("libmasstree keeps pointers in 64-bit words: 64-bit targets only");

pub mod ffi;
mod key;
mod memory;
mod node;
mod protocol;
mod reclaim;
mod sync;
mod tree;
mod value;

pub use key::MAX_KEY_LEN;
pub use memory::Allocator;
pub use node::Observation;
pub use reclaim::{Guard, Note, Options, Pin};
pub use tree::{
    Bound, Counters, Cursor, Decision, Format, Inserted, Loaded, OfLayer, Range, SURVEYED_LAYERS,
    Seek, Survey, Swept, Tree,
};
pub use value::{Destructor, Values};

/// Memory ran out; the tree is as it was before the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

impl std::fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("out of memory; the tree is unchanged")
    }
}

impl std::error::Error for OutOfMemory {}
