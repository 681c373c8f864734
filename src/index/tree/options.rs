//! The options with which a tree is created.

use crate::index::memory::Allocator;
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
    /// Whether a large tree uses huge pages. Ignored if `allocator` or `chunk_size` is set, or if
    /// the kernel has no huge pages.
    pub huge_pages: bool,
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
            huge_pages: true,
            keeps_everything: false,
        }
    }
}
