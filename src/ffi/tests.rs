//! Tests of what the index offers to layers above it, from outside the index.

mod kinds;
mod of_store;
mod recorders;
mod retired;
