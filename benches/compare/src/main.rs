//! libmasstree beside the `masstree` crate, on the same random 8-byte keys, in
//! the same minutes: load by put, get, scans of 100 items, bytes per key.
//!
//! Ours is the shared library, loaded at run time, called through its C ABI
//! under a held guard; the crate is called directly. Rounds alternate; figures
//! are medians. One thread.

mod ours;

use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::Instant;

use masstree::{MassTree, RangeBound};

const SCAN_LEN: usize = 100;
const USAGE: &str = "usage: masstree-compare LIBRARY [KEYS [ROUNDS]]
  LIBRARY  path of libmasstree.so
  KEYS     number of keys (default 1000000)
  ROUNDS   rounds of each, alternating (default 5)";

/// Operations per second of each phase.
struct Rates {
    load: f64,
    get: f64,
    /// Items per second.
    scan: f64,
}

/// Distinct keys in random order: an odd multiplier permutes the integers.
fn keys(count: usize) -> Vec<[u8; 8]> {
    (0..count as u64).map(|n| mix(n).to_be_bytes()).collect()
}

fn mix(n: u64) -> u64 {
    let mut x = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^= x >> 32;
    x = x.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    x ^ x >> 32
}

/// The keys in another random order, laid out in the order of access.
fn shuffled(keys: &[[u8; 8]]) -> Vec<[u8; 8]> {
    let mut order = keys.to_vec();
    for i in (1..order.len()).rev() {
        order.swap(i, (mix(i as u64) % (i as u64 + 1)) as usize);
    }
    order
}

fn value_of(key: [u8; 8]) -> u64 {
    u64::from_be_bytes(key).rotate_left(7)
}

fn timed(operations: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    operations as f64 / start.elapsed().as_secs_f64()
}

fn run_ours(library: &ours::Library, keys: &[[u8; 8]], lookups: &[[u8; 8]]) -> Rates {
    let tree = library.tree();
    let guard = tree.guard();
    let load = timed(keys.len(), || {
        for &key in keys {
            guard.put(&key, value_of(key));
        }
    });
    let get = timed(lookups.len(), || {
        for &key in lookups {
            assert_eq!(guard.get(&key), Some(value_of(key)));
        }
    });
    let starts = &lookups[..lookups.len().div_ceil(20)];
    let mut items = 0;
    let mut seconds = 0.0;
    let start = Instant::now();
    for key in starts {
        items += guard.scan(key, SCAN_LEN);
    }
    seconds += start.elapsed().as_secs_f64();
    Rates {
        load,
        get,
        scan: items as f64 / seconds,
    }
}

fn run_peer(keys: &[[u8; 8]], lookups: &[[u8; 8]]) -> Rates {
    let tree: MassTree<u64> = MassTree::new();
    let guard = tree.guard();
    let load = timed(keys.len(), || {
        for &key in keys {
            tree.insert_with_guard(&key, value_of(key), &guard);
        }
    });
    let get = timed(lookups.len(), || {
        for &key in lookups {
            assert_eq!(tree.get_with_guard(&key, &guard), Some(value_of(key)));
        }
    });
    let starts = &lookups[..lookups.len().div_ceil(20)];
    let mut items = 0;
    let start = Instant::now();
    for key in starts {
        let mut left = SCAN_LEN;
        tree.scan(
            RangeBound::Included(key),
            RangeBound::Unbounded,
            |key, value| {
                black_box((key, value));
                items += 1;
                left -= 1;
                left > 0
            },
            &guard,
        );
    }
    Rates {
        load,
        get,
        scan: items as f64 / start.elapsed().as_secs_f64(),
    }
}

/// Resident bytes of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("statm");
    pages * 4096
}

/// What a load adds to the resident memory of a fresh process.
fn memory(library: Option<&ours::Library>, keys: &[[u8; 8]]) -> usize {
    let before = resident();
    if let Some(library) = library {
        let tree = library.tree();
        let guard = tree.guard();
        keys.iter().for_each(|key| guard.put(key, value_of(*key)));
        resident() - before
    } else {
        let tree: MassTree<u64> = MassTree::new();
        let guard = tree.guard();
        for key in keys {
            tree.insert_with_guard(key, value_of(*key), &guard);
        }
        resident() - before
    }
}

fn memory_in_child(library: &str, count: usize, which: &str) -> f64 {
    let program = std::env::current_exe().expect("the path of this program");
    let output = Command::new(program)
        .args([library, &count.to_string(), which])
        .output()
        .expect("this program starts");
    let bytes: f64 = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .expect("a number");
    bytes / count as f64
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn row(name: &str, unit: f64, rounds: &[(Rates, Rates)], pick: fn(&Rates) -> f64) {
    let ours = median(rounds.iter().map(|(ours, _)| pick(ours)).collect());
    let peer = median(rounds.iter().map(|(_, peer)| pick(peer)).collect());
    let ratio = median(
        rounds
            .iter()
            .map(|(ours, peer)| pick(ours) / pick(peer))
            .collect(),
    );
    println!(
        "{name:<28} {:>12.2} {:>12.2} {ratio:>7.2}",
        ours / unit,
        peer / unit
    );
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(path) = arguments.first().filter(|path| !path.starts_with('-')) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let number = |place: usize, default| {
        arguments
            .get(place)
            .map_or(Some(default), |text| text.parse().ok())
    };
    let library = match ours::Library::open(path) {
        Ok(library) => library,
        Err(error) => {
            eprintln!("masstree-compare: {path}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let Some(count) = number(1, 1_000_000_usize).filter(|&count| count > 0) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let keys = keys(count);
    match arguments.get(2).map(String::as_str) {
        Some("memory-ours") => {
            println!("{}", memory(Some(&library), &keys));
            return ExitCode::SUCCESS;
        }
        Some("memory-peer") => {
            println!("{}", memory(None, &keys));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let Some(rounds) = number(2, 5).filter(|&rounds| rounds > 0) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let lookups = shuffled(&keys);
    let mut rates = Vec::new();
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        rates.push((
            run_ours(&library, &keys, &lookups),
            run_peer(&keys, &lookups),
        ));
    }
    println!("{count} random 8-byte keys, one thread, median of {rounds} alternating rounds");
    println!(
        "{:<28} {:>12} {:>12} {:>7}",
        "", "libmasstree", "crate 0.9.5", "ratio"
    );
    row("load by put, Mops/s", 1e6, &rates, |rates| rates.load);
    row("get, Mops/s", 1e6, &rates, |rates| rates.get);
    row("scan of 100, M items/s", 1e6, &rates, |rates| rates.scan);
    let ours = memory_in_child(path, count, "memory-ours");
    let peer = memory_in_child(path, count, "memory-peer");
    println!(
        "{:<28} {ours:>12.1} {peer:>12.1} {:>7.2}",
        "resident bytes per key",
        ours / peer
    );
    ExitCode::SUCCESS
}
