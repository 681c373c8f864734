//! Finding a leaf, looking up one key or many, and observing what was read.

pub(in crate::index::tree) mod batch;
pub(in crate::index::tree) mod descend;
pub(in crate::index::tree) mod observe;
