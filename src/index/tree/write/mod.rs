//! Changing the tree.
//!
//! - `engine`: locks the leaf of a key, by `locate` or, for most short keys, by `short`; decides;
//!   changes the leaf.
//! - `put`, `update`, `remove`, `bytes`: the operations on one key.
//! - `remove_range`: removes the keys of a range; `run`: whole leaves of it.
//! - `pop`: removes the first or the last key of a range.
//! - `many`: writes many short keys, whose descents overlap.
//! - `lock`: the order in which locks are taken. `reserve`: memory that is reserved before a
//!   change.
//! - `split`: splits a full leaf. `layer`: turns keys that share a slice into a layer.
//! - `collapse`: deletes empty leaves, internodes and layers. `merge`: merges sparse leaves.
//!   `compact`: moves keys to leaves that have room. `sweep`: visits leaves for the two.
//! - `levels`: records in each node how high the layers below it are.
//! - `held`: keeps a leaf locked for the user; `held_short` and `held_split` do so for most short
//!   keys, `held_unguarded` without a guard; `held_ready` where a leaf has room for the key.

pub(in crate::index::tree) mod bytes;
pub(in crate::index::tree) mod collapse;
pub(in crate::index::tree) mod compact;
pub(in crate::index::tree) mod engine;
pub(in crate::index::tree) mod held;
pub(in crate::index::tree) mod held_ready;
pub(in crate::index::tree) mod held_short;
pub(in crate::index::tree) mod held_split;
mod held_unguarded;
pub(in crate::index::tree) mod layer;
pub(in crate::index::tree) mod levels;
pub(in crate::index::tree) mod locate;
pub(in crate::index::tree) mod lock;
mod long;
pub(in crate::index::tree) mod many;
pub(in crate::index::tree) mod merge;
pub(in crate::index::tree) mod pop;
pub(in crate::index::tree) mod put;
pub(in crate::index::tree) mod remove;
pub(in crate::index::tree) mod remove_range;
pub(in crate::index::tree) mod reserve;
mod run;
pub(in crate::index::tree) mod short;
pub(in crate::index::tree) mod split;
mod split_short;
pub(in crate::index::tree) mod sweep;
pub(in crate::index::tree) mod update;
pub(in crate::index::tree) mod update_bytes;
