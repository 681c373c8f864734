//! What transactions need: observations, deltas, held leaves.

pub mod observe;

pub mod validate;

pub mod delta;

pub mod held;
