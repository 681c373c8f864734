//! All kinds of passages over a tree: scans and cursors of the C interface, in both
//! directions, over the whole tree or a part, at once or step by step.

use std::ops::ControlFlow;
use std::ptr::{null, null_mut};

use masstree::ffi::index::bytes::Slice;
use masstree::ffi::index::cursor::*;
use masstree::ffi::index::cursor_move::*;
use masstree::ffi::index::scan::{
    MASSTREE_BOUND_EXCLUSIVE, MASSTREE_BOUND_INCLUSIVE, ScanRange, masstree_count,
};
use masstree::ffi::status::{MASSTREE_END, MASSTREE_OK};
use masstree::{Bound, Range, Tree};

use super::passage::{Keys, Run, Spot, Step};
use super::{Random, handle};

/// A random part of the keys, bounded by keys that may or may not exist.
struct Part<'k> {
    lower: Bound<'k>,
    upper: Bound<'k>,
    low: Spot,
    high: Spot,
}

impl<'k> Part<'k> {
    fn at_random(keys: &'k Keys, random: &mut Random) -> Self {
        let (one, other) = (random.below(keys.len()), random.below(keys.len()));
        let (first, last) = (one.min(other), one.max(other));
        let (lower, low) = match random.below(3) {
            0 => (Bound::Open, Spot::START),
            1 => (
                Bound::Included(keys.keys[first].as_slice()),
                Spot::before(first),
            ),
            _ => (
                Bound::Excluded(keys.keys[first].as_slice()),
                Spot::at(first),
            ),
        };
        let (upper, high) = match random.below(3) {
            0 => (Bound::Open, keys.end()),
            1 => (
                Bound::Included(keys.keys[last].as_slice()),
                Spot::after(last),
            ),
            _ => (Bound::Excluded(keys.keys[last].as_slice()), Spot::at(last)),
        };
        Self {
            lower,
            upper,
            low,
            high,
        }
    }
}

fn run_over(low: Spot, high: Spot, reverse: bool) -> Run {
    match reverse {
        true => Run {
            from: high,
            to: low,
        },
        false => Run {
            from: low,
            to: high,
        },
    }
}

/// Scans; returns the numbers of the keys met.
fn scan(tree: &Tree, keys: &Keys, range: &Range<'_>) -> Vec<usize> {
    let guard = tree.guard().expect("memory for a guard");
    let mut numbers = Vec::new();
    let visited = tree.scan(guard.pin(), range, &mut |key, value| {
        numbers.push(keys.number(value, (!range.values_only).then_some(key)));
        ControlFlow::Continue(())
    });
    assert_eq!(visited, Ok(numbers.len()));
    numbers
}

pub(crate) fn scan_all(tree: &Tree, keys: &Keys, reverse: bool) {
    let range = Range {
        reverse,
        ..Range::all()
    };
    let before = keys.before();
    let numbers = scan(tree, keys, &range);
    let run = run_over(Spot::START, keys.end(), reverse);
    keys.verify_run(&before, &run, &numbers, true);
}

pub(crate) fn scan_part(tree: &Tree, keys: &Keys, random: &mut Random) {
    let part = Part::at_random(keys, random);
    let reverse = random.below(2) == 0;
    let limit = match random.below(2) {
        0 => usize::MAX,
        _ => 1 + random.below(40),
    };
    let range = Range {
        lower: part.lower,
        upper: part.upper,
        limit,
        reverse,
        values_only: random.below(4) == 0,
        ..Range::all()
    };
    let before = keys.before();
    let numbers = scan(tree, keys, &range);
    let run = run_over(part.low, part.high, reverse);
    keys.verify_run(&before, &run, &numbers, numbers.len() < limit);
}

/// Scans the keys with a prefix of some key.
pub(crate) fn scan_prefix(tree: &Tree, keys: &Keys, random: &mut Random) {
    let key = &keys.keys[random.below(keys.len())];
    let prefix = &key[..random.below(key.len() + 1)];
    let reverse = random.below(2) == 0;
    let range = Range {
        prefix,
        reverse,
        ..Range::all()
    };
    let first = keys.keys.partition_point(|key| key.as_slice() < prefix);
    let len = keys.keys[first..].partition_point(|key| key.starts_with(prefix));
    let run = run_over(Spot::before(first), Spot::before(first + len), reverse);
    let before = keys.before();
    let numbers = scan(tree, keys, &range);
    keys.verify_run(&before, &run, &numbers, true);
}

pub(crate) fn count_part(tree: &Tree, keys: &Keys, random: &mut Random) {
    let part = Part::at_random(keys, random);
    let bound = |bound: Bound<'_>| match bound {
        Bound::Open => (null(), 0, 0),
        Bound::Included(key) => (key.as_ptr().cast(), key.len(), MASSTREE_BOUND_INCLUSIVE),
        Bound::Excluded(key) => (key.as_ptr().cast(), key.len(), MASSTREE_BOUND_EXCLUSIVE),
    };
    let ((lower, lower_len, lower_bound), (upper, upper_len, upper_bound)) =
        (bound(part.lower), bound(part.upper));
    // SAFETY: all fields may be zero.
    let none: ScanRange = unsafe { std::mem::zeroed() };
    let range = ScanRange {
        struct_size: size_of::<ScanRange>(),
        lower,
        lower_len,
        upper,
        upper_len,
        lower_bound,
        upper_bound,
        ..none
    };
    let mut count = usize::MAX;
    let before = keys.before();
    // SAFETY: a live tree, and bounds that live as long as the keys.
    let status = unsafe { masstree_count(handle(tree), null_mut(), &range, &mut count) };
    assert_eq!(status, MASSTREE_OK);
    keys.verify_count(&before, part.low, part.high, count);
}

/// A cursor under a guard of its own.
struct CCursor(*mut CursorHandle);

impl CCursor {
    fn new(tree: &Tree) -> Self {
        let mut cursor = null_mut();
        // SAFETY: a live tree.
        let status = unsafe { masstree_cursor_open(handle(tree), null_mut(), &mut cursor) };
        assert_eq!(status, MASSTREE_OK);
        Self(cursor)
    }

    fn refresh(&mut self) {
        // SAFETY: a live cursor.
        unsafe { masstree_cursor_refresh(self.0) }
    }

    /// Steps; returns whether a key followed.
    fn step(&mut self, reverse: bool) -> bool {
        // SAFETY: a live cursor.
        let status = unsafe {
            match reverse {
                true => masstree_cursor_prev(self.0),
                false => masstree_cursor_next(self.0),
            }
        };
        assert!(status == MASSTREE_OK || status == MASSTREE_END);
        status == MASSTREE_OK
    }

    /// The number of its current key.
    fn number(&mut self, keys: &Keys) -> usize {
        let mut key = Slice {
            data: null(),
            len: 0,
        };
        let mut value = u64::MAX;
        // SAFETY: a live cursor, which has not moved since.
        unsafe {
            assert_eq!(masstree_cursor_key(self.0, &mut key), MASSTREE_OK);
            assert_eq!(masstree_cursor_value(self.0, &mut value), MASSTREE_OK);
            let key = std::slice::from_raw_parts(key.data.cast(), key.len);
            keys.number(value, Some(key))
        }
    }

    /// Steps over up to `capacity` keys, and returns their numbers.
    fn step_many(&mut self, keys: &Keys, reverse: bool, capacity: usize) -> Vec<usize> {
        let none = Slice {
            data: null(),
            len: 0,
        };
        let (mut met, mut values) = (vec![none; capacity], vec![0; capacity]);
        let mut count = 0;
        let step = match reverse {
            true => masstree_cursor_prev_many,
            false => masstree_cursor_next_many,
        };
        // SAFETY: a live cursor, and buffers of the given capacity; the keys are valid until
        // the cursor moves.
        unsafe {
            let (met_at, values_at) = (met.as_mut_ptr(), values.as_mut_ptr());
            let status = step(self.0, met_at, values_at, capacity, &mut count);
            assert_eq!(
                status,
                if count == 0 {
                    MASSTREE_END
                } else {
                    MASSTREE_OK
                }
            );
            let met = met.iter().zip(&values).take(count);
            let numbers = met.map(|(key, value)| {
                let key = std::slice::from_raw_parts(key.data.cast(), key.len);
                keys.number(*value, Some(key))
            });
            numbers.collect()
        }
    }
}

impl Drop for CCursor {
    fn drop(&mut self) {
        // SAFETY: created in `new`, and not used after this.
        unsafe { masstree_cursor_close(self.0) }
    }
}

/// Steps through all keys, one by one or several at once; now and then the cursor's guard is
/// refreshed.
pub(crate) fn go_through(tree: &Tree, keys: &Keys, random: &mut Random, reverse: bool) {
    let mut cursor = CCursor::new(tree);
    let mut numbers = Vec::new();
    let before = keys.before();
    loop {
        match random.below(16) {
            0 => cursor.refresh(),
            1..=8 => match cursor.step(reverse) {
                true => numbers.push(cursor.number(keys)),
                false => break,
            },
            _ => {
                let capacity = 1 + random.below(20);
                let met = cursor.step_many(keys, reverse, capacity);
                numbers.extend_from_slice(&met);
                if met.len() < capacity {
                    break;
                }
            }
        }
    }
    let run = run_over(Spot::START, keys.end(), reverse);
    keys.verify_run(&before, &run, &numbers, true);
}

/// Moves to a position and steps nearby, changing direction now and then.
pub(crate) fn wander(tree: &Tree, keys: &Keys, random: &mut Random) {
    let mut cursor = CCursor::new(tree);
    let start = random.below(keys.len());
    let key = &keys.keys[start];
    let (how, from) = match random.below(4) {
        0 => (MASSTREE_SEEK_GE, Spot::before(start)),
        1 => (MASSTREE_SEEK_GT, Spot::at(start)),
        2 => (MASSTREE_SEEK_LE, Spot::after(start)),
        _ => (MASSTREE_SEEK_LT, Spot::at(start)),
    };
    let reverse = how == MASSTREE_SEEK_LE || how == MASSTREE_SEEK_LT;
    let end_of = |reverse| if reverse { Spot::START } else { keys.end() };
    let before = keys.before();
    // SAFETY: a live cursor, and a key that outlives the call.
    let status = unsafe { masstree_cursor_seek(cursor.0, key.as_ptr().cast(), key.len(), how) };
    if status != MASSTREE_OK {
        assert_eq!(status, MASSTREE_END);
        let to = end_of(reverse);
        return keys.verify(
            &before,
            &[Step {
                from,
                to,
                met: false,
            }],
        );
    }
    let mut at = Spot::at(cursor.number(keys));
    assert_eq!(at < from, reverse, "a seek went astray");
    let mut steps = vec![Step {
        from,
        to: at,
        met: true,
    }];
    for _ in 0..20 {
        let reverse = random.below(2) == 0;
        for _ in 0..random.below(25) {
            let moved = cursor.step(reverse);
            let to = match moved {
                true => Spot::at(cursor.number(keys)),
                false => end_of(reverse),
            };
            assert_eq!(to < at, reverse, "a step went astray");
            steps.push(Step {
                from: at,
                to,
                met: moved,
            });
            if moved {
                at = to;
            }
        }
        if random.below(4) == 0 {
            cursor.refresh();
        }
    }
    keys.verify(&before, &steps);
}
