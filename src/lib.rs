//! libmasstree: a concurrent ordered map from byte strings to 64-bit words.
//!
//! The product is the C library that `include/masstree.h` describes. The Rust interface,
//! [`Tree`], serves tests and benchmarks.
//!
//! Modules; each uses only those below it:
//!
//! - [`ffi`]: the C interface.
//! - `durable`: files of stores.
//! - `versioned`: trees with several versions of a key.
//! - `index`: the tree, its nodes, reclamation and memory.
//! - `errno`: preserves the caller's `errno`.
//! - `sync`: selects std's atomics or those of a model checker.
//! - `protocol`: the protocol lines that model checks leave out, one at a time.
//! - `annotate`: reports synchronization to ThreadSanitizer and Helgrind, in builds with the
//!   feature `annotate`.

// Models call the layers below: without this one, they are compiled in half the time.
#![cfg_attr(any(loom, shuttle), allow(dead_code, unused_imports))]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("libmasstree keeps pointers in 64-bit words: 64-bit targets only");

mod annotate;
mod durable;
mod errno;
#[cfg(not(any(loom, shuttle)))]
pub mod ffi;
mod index;
mod protocol;
mod sync;
#[cfg(test)]
mod testing;
mod versioned;

#[cfg(feature = "global-allocator")]
#[global_allocator]
static ALLOCATOR: errno::PreservingAllocator = errno::PreservingAllocator;

pub use index::key::MAX_KEY_LEN;
pub use index::memory::{Allocator, HugePages, OutOfMemory};
pub use index::node::Observation;
pub use index::reclaim::{Guard, Pinned, RetiredObject};
pub use index::tree::{
    Bound, Counters, Cursor, Decision, Format, Inserted, LayerCounts, LoadOutcome, Range,
    SURVEYED_LAYERS, Seek, Survey, SweepOutcome, Tree, TreeOptions,
};
pub use index::value::{Destructor, KindId, Values};
