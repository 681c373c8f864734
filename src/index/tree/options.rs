//! The options with which a tree is created.

use crate::index::memory::{Allocator, HugePages};
use crate::index::value::Values;

/// The options with which a tree is created.
#[derive(Clone, Copy)]
pub struct TreeOptions {
    /// The kind of its values.
    pub values: Values,
    /// The allocator of its memory; `None`: the global one.
    pub allocator: Option<Allocator>,
    /// Size in bytes of the chunks that the node pool allocates, at least one node; 0: from 1 KiB,
    /// growing to 2 MiB.
    pub chunk_size: usize,
    /// Where a large tree takes huge pages from. [`HugePages::FromAllocator`] needs `allocator`, and a
    /// `chunk_size` of 0.
    pub huge_pages: HugePages,
    /// Whether nothing that a reader may have reached is freed before the tree is dropped, so that a
    /// layer may read without guards.
    pub keeps_everything: bool,
}

impl Default for TreeOptions {
    fn default() -> Self {
        Self {
            values: Values::words(None),
            allocator: None,
            chunk_size: 0,
            huge_pages: HugePages::FromKernel,
            keeps_everything: false,
        }
    }
}
