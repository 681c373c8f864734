use super::*;
use crate::index::reclaim::Guard;
use crate::index::tree::{Bound, TreeOptions};
use crate::index::value::Values;
use crate::testing::Random;

const BOTH: Counted = Counted {
    keys: true,
    values: true,
};
const MOST: u64 = 128;

const COUNT: u64 = if cfg!(any(masstree_asan, masstree_tsan, miri)) {
    3000
} else {
    40_000
};

const SHAPES: [&str; 8] = [
    "random numbers",
    "ascending numbers",
    "user and digits",
    "many layers",
    "decimal numbers",
    "a few layers with most keys",
    "long keys",
    "thinned out",
];

/// The keys of one shape, in the order in which they are inserted.
fn keys(shape: usize) -> Vec<Vec<u8>> {
    let mut random = Random(shape as u64);
    let key = |number: u64| {
        let drawn = random.next();
        match shape {
            0 => drawn.to_be_bytes().to_vec(),
            1 | 7 => number.to_be_bytes().to_vec(),
            2 => format!("user{drawn:020}").into_bytes(),
            3 => format!("a prefix of all keys/{}/{number}", drawn % 1000).into_bytes(),
            4 => format!("{}", drawn % 1_000_000).into_bytes(),
            // Most leaves of the first layer have no link.
            5 if number.is_multiple_of(4) => drawn.to_be_bytes().to_vec(),
            5 => format!("layer {:2}{drawn:016x}", drawn % 3).into_bytes(),
            _ => format!("{:0100}", drawn % 10_000_000_000).into_bytes(),
        }
    };
    (0..COUNT).map(key).collect()
}

/// A tree, and its sorted keys with their values' lengths.
fn build(shape: usize, tree: &Tree, guard: &Guard<'_>) -> Vec<(Vec<u8>, usize)> {
    let mut random = Random(99);
    let mut sorted = std::collections::BTreeMap::new();
    for key in keys(shape) {
        let value = vec![b'v'; random.below(100)];
        tree.put_bytes(guard.pin(), &key, &value).unwrap();
        sorted.insert(key, value.len());
    }
    if shape == 7 {
        sorted.retain(|key, _| {
            let stays = random.below(10) == 0;
            if !stays {
                tree.remove_bytes(guard.pin(), key);
            }
            stays
        });
    }
    sorted.into_iter().collect()
}

fn bytes_tree() -> Tree {
    Tree::with_options(&TreeOptions {
        values: Values::BYTES,
        ..TreeOptions::default()
    })
    .unwrap()
}

/// What was found of some ranges.
#[derive(Default, Debug)]
struct Tally {
    ranges: usize,
    /// Those whose error was less than the difference to the truth.
    outside: usize,
    bytes_outside: usize,
    worst: f64,
    sum_of_errors: f64,
    sum_of_bounds: f64,
}

/// Ranges between two keys, of all lengths. Put back: in `open_internode`, let `first` be 0; in `sampled`,
/// multiply by half of `n`; in `open_leaf`, count entries below the lower end; in `Content::size`, leave out
/// the depth; in `usual`, take all nodes for usual; in `size_and_error`, halve the error.
#[test]
fn estimates_are_exact_for_small_ranges_and_within_their_error_for_others() {
    for (shape, name) in SHAPES.iter().enumerate() {
        let tree = bytes_tree();
        let guard = tree.guard().unwrap();
        let sorted = build(shape, &tree, &guard);
        let mut random = Random(77);
        let mut tally = Tally::default();
        for round in 0..1000 {
            let span = (sorted.len() >> (round % 13)).max(1);
            let low = random.below(sorted.len());
            let high = (low + 1 + random.below(span))
                .min(sorted.len() - 1)
                .max(low);
            let range = Range {
                lower: Bound::Included(&sorted[low].0),
                upper: Bound::Excluded(&sorted[high].0),
                ..Range::all()
            };
            let estimate = tree.estimate(guard.pin(), &range, BOTH, MOST).unwrap();
            let within = &sorted[low..high];
            let bytes: usize = within.iter().map(|(key, value)| key.len() + value).sum();
            note(&mut tally, &estimate, within.len(), bytes, name);
        }
        let ranges = tally.ranges as f64;
        println!("{name}: {tally:?}");
        assert!(tally.outside as f64 <= 0.05 * ranges, "{name}");
        assert!(tally.bytes_outside as f64 <= 0.06 * ranges, "{name}");
        assert!(tally.sum_of_errors <= 0.08 * ranges, "{name}");
        assert!(tally.sum_of_bounds <= 0.4 * ranges, "{name}");
        assert!(tally.worst <= 0.5, "{name}");
    }
}

fn note(tally: &mut Tally, estimate: &Estimate, keys: usize, bytes: usize, name: &str) {
    let off = |estimate: u64, exact: usize| estimate.abs_diff(exact as u64);
    assert!(estimate.nodes <= MOST + 100, "{name}: {estimate:?}");
    if keys <= 150 {
        assert_eq!(estimate.keys, keys as u64, "{name}: {estimate:?}");
        assert_eq!(estimate.bytes, bytes as u64, "{name}: {estimate:?}");
    }
    if estimate.keys_error == 0 {
        assert_eq!(estimate.keys, keys as u64, "{name}: {estimate:?}");
        return;
    }
    let error = off(estimate.keys, keys);
    tally.ranges += 1;
    tally.outside += usize::from(error > estimate.keys_error);
    tally.bytes_outside += usize::from(off(estimate.bytes, bytes) > estimate.bytes_error);
    tally.worst = tally.worst.max(error as f64 / keys as f64);
    tally.sum_of_errors += error as f64 / keys as f64;
    tally.sum_of_bounds += estimate.keys_error as f64 / keys as f64;
}

/// Put back: in `open_internode`, let `first` be 0; in `open_leaf`, count entries below the lower end.
#[test]
fn more_nodes_make_estimates_better_until_they_are_counts() {
    for (shape, name) in SHAPES.iter().enumerate() {
        let tree = bytes_tree();
        let guard = tree.guard().unwrap();
        let sorted = build(shape, &tree, &guard);
        let range = Range {
            lower: Bound::Excluded(&sorted[1].0),
            ..Range::all()
        };
        let (keys, bytes) = sorted[2..]
            .iter()
            .fold((0, 0), |(keys, bytes), (key, value)| {
                (keys + 1, bytes + (key.len() + value) as u64)
            });
        let mut last = u64::MAX;
        for most in [1, 30, 1000, u64::MAX] {
            let estimate = tree.estimate(guard.pin(), &range, BOTH, most).unwrap();
            assert!(estimate.nodes <= most.saturating_add(100), "{name}");
            // Where nearly nothing was read, the error is not known well either.
            assert!(most < 1000 || estimate.keys_error < last, "{name}");
            last = estimate.keys_error.max(1);
            let difference = estimate.keys.abs_diff(keys);
            let bound = estimate.keys_error.max(keys / 2);
            assert!(most == 1 || difference <= bound, "{name}");
            if most == u64::MAX {
                let exact = Estimate {
                    keys,
                    bytes,
                    keys_error: 0,
                    bytes_error: 0,
                    ..estimate
                };
                assert_eq!(estimate, exact, "{name}");
            }
        }
    }
}

/// Put back: in `sum_up`, do not ask for the number of keys, or forget the limit.
#[test]
fn everything_is_known_and_limits_bound_estimates() {
    let tree = bytes_tree();
    let guard = tree.guard().unwrap();
    let estimate = |range: &Range<'_>| tree.estimate(guard.pin(), range, BOTH, MOST).unwrap();
    let empty = Estimate {
        nodes: 1,
        ..Estimate::default()
    };
    assert_eq!(estimate(&Range::all()), empty);
    let sorted = build(0, &tree, &guard);
    let all = estimate(&Range::all());
    assert_eq!((all.keys, all.keys_error), (sorted.len() as u64, 0));
    assert!(all.bytes_error > 0 && all.bytes.abs_diff(58 * all.keys) < 10 * all.keys);
    for limit in [0, 1, 100, 2000] {
        let limited = estimate(&Range {
            limit,
            ..Range::all()
        });
        assert_eq!((limited.keys, limited.keys_error), (limit as u64, 0));
        assert!(limited.bytes.abs_diff(58 * limited.keys) <= 10 * limited.keys);
    }
    // Bounds that exclude each other, and a prefix that no key has.
    let nothing = Range {
        lower: Bound::Included(b"b"),
        prefix: b"a",
        ..Range::all()
    };
    assert_eq!(estimate(&nothing).keys, 0);
    let (key, _) = &sorted[7];
    let one = Range {
        lower: Bound::Included(key),
        upper: Bound::Included(key),
        ..Range::all()
    };
    let found = estimate(&one);
    assert_eq!((found.keys, found.keys_error), (1, 0));
    let keys = Counted {
        keys: true,
        values: false,
    };
    let found = tree.estimate(guard.pin(), &one, keys, MOST).unwrap();
    assert_eq!(found.bytes, key.len() as u64);
    let values = Counted {
        keys: false,
        values: true,
    };
    let found = tree.estimate(guard.pin(), &one, values, MOST).unwrap();
    assert_eq!(found.bytes, sorted[7].1 as u64);
}

/// A layer below one key among many has most keys. Put back: return 0 from `hidden`.
#[test]
fn a_layer_with_most_keys_below_one_leaf_is_found() {
    let tree = bytes_tree();
    let guard = tree.guard().unwrap();
    let mut random = Random(5);
    for number in 0..COUNT {
        let key = match number % 2 {
            0 => random.next().to_be_bytes().to_vec(),
            _ => format!("12345678{:016x}", random.next()).into_bytes(),
        };
        tree.put_bytes(guard.pin(), &key, b"").unwrap();
    }
    let range = Range {
        lower: Bound::Included(&[1]),
        upper: Bound::Excluded(&[255]),
        ..Range::all()
    };
    let exact = tree.scan(guard.pin(), &range, &mut |_, _| {
        std::ops::ControlFlow::Continue(())
    });
    let exact = exact.unwrap() as u64;
    for most in [100, 200, 400] {
        let estimate = tree.estimate(guard.pin(), &range, BOTH, most).unwrap();
        let difference = estimate.keys.abs_diff(exact);
        assert!(
            difference <= estimate.keys_error.min(exact / 3),
            "{estimate:?} of {exact}"
        );
    }
}
