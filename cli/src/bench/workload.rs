//! The operations that are measured.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::failure::Outcome;
use crate::scan::{Bound, LATEST, Scan};
use crate::store::Tree;

/// Keys of a scan.
const SCANNED: usize = 100;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Workload {
    /// Puts every key once, and syncs at the end.
    Fill,
    Get,
    /// Reads 100 keys in order.
    Scan,
    /// Overwrites a key; waits for nothing.
    Put,
    /// Overwrites a key, and waits until that is durable.
    PutDurable,
}

impl Workload {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fill => "fill",
            Self::Get => "get",
            Self::Scan => "scan 100",
            Self::Put => "put",
            Self::PutDurable => "put durable",
        }
    }
}

/// The keys of the store: 20 digits, in a random order of insertion.
pub(super) struct Keys {
    count: u64,
}

impl Keys {
    pub(super) fn new(count: u64) -> Self {
        Self { count }
    }

    fn key(&self, index: u64) -> [u8; 20] {
        let mut key = [b'0'; 20];
        let mut rest = scrambled(index);
        for digit in key.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        key
    }
}

/// A bijection of 64-bit numbers without an apparent order (the finaliser of SplitMix64).
fn scrambled(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// What all threads use.
pub(super) struct Shared<'s> {
    pub(super) tree: Tree<'s>,
    pub(super) keys: Keys,
    pub(super) value: Vec<u8>,
    /// How long a workload runs.
    pub(super) time: Duration,
}

/// For times in nanoseconds; longer ones than a minute count as one.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are in order")
}

/// Runs a workload on one of several threads; returns the times of its operations.
pub(super) fn run(
    shared: &Shared<'_>,
    workload: Workload,
    thread: usize,
    threads: usize,
) -> Outcome<Histogram<u64>> {
    let mut times = histogram();
    let (first, step) = (thread as u64, threads as u64);
    let end = Instant::now() + shared.time;
    let mut begun = Instant::now();
    let mut index = first;
    // Ends: the keys of `Fill` are finite, and the others end with their time.
    loop {
        let is_done = match workload {
            Workload::Fill => index >= shared.keys.count,
            _ => begun >= end,
        };
        if is_done {
            return Ok(times);
        }
        let chosen = match workload {
            Workload::Fill => index,
            _ => scrambled(index.wrapping_add(1) << 8) % shared.keys.count,
        };
        operate(shared, workload, &shared.keys.key(chosen))?;
        let now = Instant::now();
        let time = now.duration_since(begun).as_nanos();
        times.saturating_record(u64::try_from(time).unwrap_or(u64::MAX).max(1));
        begun = now;
        index += step;
    }
}

fn operate(shared: &Shared<'_>, workload: Workload, key: &[u8]) -> Outcome<()> {
    let tree = shared.tree;
    match workload {
        Workload::Fill | Workload::Put => tree.put(key, &shared.value).map(drop),
        Workload::PutDurable => tree.store.wait_durable(tree.put(key, &shared.value)?),
        Workload::Get => tree.get(key, LATEST, |_, _| ()).map(drop),
        Workload::Scan => {
            let scan = Scan {
                lower: Bound::Included(key),
                limit: SCANNED,
                ..Scan::default()
            };
            tree.scan(&scan, &mut |_| Ok(ControlFlow::Continue(())))
        }
    }
}
