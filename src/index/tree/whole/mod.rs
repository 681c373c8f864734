//! Operations on a whole tree: `check` verifies, `survey` counts, `dump` shows and `pivots`
//! divides (all but `check` through `nodes`), `swap` replaces the whole tree at once,
//! `destroy` frees it.

pub(in crate::index::tree) mod check;
pub(in crate::index::tree) mod destroy;
pub(in crate::index::tree) mod dump;
pub(in crate::index::tree) mod nodes;
pub(in crate::index::tree) mod pivots;
pub(in crate::index::tree) mod survey;
pub(in crate::index::tree) mod swap;
