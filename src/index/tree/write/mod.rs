//! Changing the tree. `lock` says in which order locks are taken, `reserve` has memory
//! ready before they are; `engine` decides, under the lock that
//! `locate` takes, or `short` for most short keys; `put` stores, `update` stores on conditions, `remove` takes out,
//! `split` makes room, `layer` goes one slice deeper, `collapse` frees what became empty,
//! `merge` what is nearly so; `levels` tells nodes how high the layers below them are; `bytes` stores
//! byte strings, `held` keeps a leaf locked, as `held_short` does for most short keys.

pub(in crate::index::tree) mod bytes;
pub(in crate::index::tree) mod collapse;
pub(in crate::index::tree) mod engine;
pub(in crate::index::tree) mod held;
pub(in crate::index::tree) mod held_short;
pub(in crate::index::tree) mod layer;
pub(in crate::index::tree) mod levels;
pub(in crate::index::tree) mod locate;
pub(in crate::index::tree) mod lock;
pub(in crate::index::tree) mod merge;
pub(in crate::index::tree) mod put;
pub(in crate::index::tree) mod remove;
pub(in crate::index::tree) mod reserve;
pub(in crate::index::tree) mod short;
pub(in crate::index::tree) mod split;
pub(in crate::index::tree) mod update;
