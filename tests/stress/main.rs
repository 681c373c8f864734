//! Threads that write, remove, read and scan at once: known failures 4, 5, 6 and 8, and a
//! general run with a model for each thread. Sizes are operation counts; no test measures
//! time.

#![allow(
    clippy::disallowed_methods,
    reason = "they are for code of the library"
)]

mod scans;
#[path = "../support/mod.rs"]
mod support;
mod values;
mod writes;

use std::ops::ControlFlow;

use masstree::{Pinned, Range, Tree};
use support::Random;

/// Scans all of a range and verifies the order on the way.
fn ordered_scan(tree: &Tree, pin: Pinned<'_>, range: &Range<'_>, mut see: impl FnMut(&[u8], u64)) {
    let mut last: Option<Vec<u8>> = None;
    tree.scan(pin, range, &mut |key, value| {
        if let Some(last) = &last {
            assert!(
                if range.reverse {
                    key < last
                } else {
                    key > last
                },
                "a scan is out of order"
            );
        }
        last = Some(key.to_vec());
        see(key, value);
        ControlFlow::Continue(())
    })
    .expect("memory for a scan");
}

/// Merges sparse leaves in a stretch of the tree.
fn maintain(tree: &Tree, random: &mut Random) {
    let guard = tree.guard().unwrap();
    match random.below(2) {
        0 => tree.maintain(guard.pin(), random.below(64)).unwrap(),
        _ => tree
            .compact(guard.pin(), random.below(16), random.below(64))
            .unwrap(),
    };
}

/// Spreads numbers over all words, one to one.
fn mixed(n: usize) -> u64 {
    (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
