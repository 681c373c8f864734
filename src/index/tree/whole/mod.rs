//! What concerns all of a tree: `check` verifies, `survey` counts, `dump` shows, `pivots`
//! divides (all through `nodes`), `swap` replaces everything at once, `destroy` frees.

pub(in crate::index::tree) mod check;
pub(in crate::index::tree) mod destroy;
pub(in crate::index::tree) mod dump;
pub(in crate::index::tree) mod nodes;
pub(in crate::index::tree) mod pivots;
pub(in crate::index::tree) mod survey;
pub(in crate::index::tree) mod swap;
