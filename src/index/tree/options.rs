//! What a tree is made with.

use crate::index::memory::Allocator;
use crate::index::value::Values;

/// What a tree is made with.
#[derive(Clone, Copy)]
pub struct TreeOptions {
    /// The kind of its values.
    pub values: Values,
    /// The allocator of its memory; `None`: the global one.
    pub allocator: Option<Allocator>,
    /// Bytes that the node pool allocates at once, at least one node's; 0: from 1 KiB, growing to
    /// 2 MiB.
    pub chunk_size: usize,
    /// Whether large trees use huge pages, if the kernel has them, the tree has no allocator of
    /// the user's, and `chunk_size` is 0.
    pub huge_pages: bool,
}

impl Default for TreeOptions {
    fn default() -> Self {
        Self {
            values: Values::words(None),
            allocator: None,
            chunk_size: 0,
            huge_pages: true,
        }
    }
}
