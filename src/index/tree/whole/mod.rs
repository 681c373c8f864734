//! Operations on a whole tree: `check` verifies its invariants, `survey` counts its nodes, `dump`
//! writes them as text, `pivots` selects keys that divide the tree,
//! `estimate` estimates the size of a range, `random` draws keys at random, `swap` clears or bulk-loads it,
//! `build` builds a tree from sorted keys, `destroy` frees one. `nodes` visits every node, for several of them.

pub(in crate::index::tree) mod build;
pub(in crate::index::tree) mod check;
mod destroy;
pub(in crate::index::tree) mod dump;
pub(in crate::index::tree) mod estimate;
#[cfg(all(test, not(any(loom, shuttle))))]
mod keyed_tests;
pub(in crate::index::tree) mod nodes;
pub(in crate::index::tree) mod pivots;
pub(in crate::index::tree) mod random;
pub(in crate::index::tree) mod survey;
pub(in crate::index::tree) mod swap;
