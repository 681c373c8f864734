//! Finds a leaf, looks up one key or many, and observes the leaves that were read.

pub(in crate::index::tree) mod batch;
pub(in crate::index::tree) mod descend;
pub(in crate::index::tree) mod longest;
pub(in crate::index::tree) mod observe;
pub(in crate::index::tree) mod pipeline;
pub(super) mod unguarded;
