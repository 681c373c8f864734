//! libmasstree through its C ABI, for the driver and for the benches of single pieces.

pub mod library;
