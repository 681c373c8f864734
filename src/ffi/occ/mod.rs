//! libmasstree: support for optimistic transactions: observations of what was read, deltas of
//! what writes change, and held leaves. docs/occ.md explains their use.

pub mod observe;
pub mod observe_scan;

pub mod validate;

pub mod delta;

pub mod held;
pub mod held_ask;
mod held_begin;
mod held_content;
mod held_finish;
