//! What a passage over the keys of a tree must meet: every key that was present throughout,
//! no key that was absent throughout, each at most once, and all in order.
//!
//! Each key has a state, which its writer increments before and after every change. A passage
//! reads all states before it begins, and again when it has ended: a key whose state is the
//! same, and is not that of a change under way, was present, or absent, throughout. (A
//! passage that meets a key has seen its insert, and therefore the state before the insert;
//! one that misses a key because of its removal has seen the state before the removal.)

use std::cmp::Ordering::{Equal, Greater, Less};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Keys in order, some of which are inserted and removed. The value of each is its number.
pub(crate) struct Keys {
    pub(crate) keys: Vec<Vec<u8>>,
    states: Vec<AtomicU64>,
    pub(crate) counts: Counts,
}

/// Counts over all passages.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) passages: AtomicUsize,
    /// Keys met.
    pub(crate) met: AtomicUsize,
    /// Keys that had to be met, and were met.
    pub(crate) due: AtomicUsize,
    /// Keys that must not be met, and were not met.
    pub(crate) absent: AtomicUsize,
}

/// A state modulo 4; odd states are those of a change under way.
const ABSENT: u64 = 0;
const PRESENT: u64 = 2;

/// The states of all keys at the beginning of a passage.
pub(crate) struct Before(Vec<u64>);

/// A position at a key or between two keys: key `n` is at `2n + 1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Spot(pub(crate) usize);

impl Spot {
    pub(crate) const START: Self = Self(0);

    pub(crate) fn at(key: usize) -> Self {
        Self(2 * key + 1)
    }

    pub(crate) fn before(key: usize) -> Self {
        Self(2 * key)
    }

    pub(crate) fn after(key: usize) -> Self {
        Self(2 * key + 2)
    }
}

/// A step to a key or, if it found none, to the end of the keys that it covers, over
/// everything between.
pub(crate) struct Step {
    pub(crate) from: Spot,
    pub(crate) to: Spot,
    pub(crate) met: bool,
}

impl Keys {
    /// Creates keys, none of which is in the tree yet.
    pub(crate) fn new(mut keys: Vec<Vec<u8>>) -> Self {
        keys.sort();
        keys.dedup();
        Self {
            states: keys.iter().map(|_| AtomicU64::new(ABSENT)).collect(),
            keys,
            counts: Counts::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn end(&self) -> Spot {
        Spot(2 * self.len())
    }

    /// Writes one key, which no other thread writes.
    pub(crate) fn change<T>(&self, key: usize, change: impl FnOnce(&[u8]) -> T) -> T {
        self.change_many(&[key], |keys| change(keys[0]))
    }

    /// Writes keys that no other thread writes: inserts or removes each.
    pub(crate) fn change_many<T>(
        &self,
        numbers: &[usize],
        change: impl FnOnce(&[&[u8]]) -> T,
    ) -> T {
        let keys: Vec<_> = numbers.iter().map(|n| self.keys[*n].as_slice()).collect();
        let advance_state = |n: &usize| {
            // Release: a thread that sees the next change of the tree sees this store too.
            let state = self.states[*n].load(Ordering::Relaxed);
            self.states[*n].store(state + 1, Ordering::Release);
        };
        numbers.iter().for_each(advance_state);
        let done = change(&keys);
        numbers.iter().for_each(advance_state);
        done
    }

    /// Begins a passage.
    pub(crate) fn before(&self) -> Before {
        // Acquire: a change seen as done here is visible in the tree to this thread.
        let states = self.states.iter();
        Before(states.map(|state| state.load(Ordering::Acquire)).collect())
    }

    /// The state of a key, if it has been the same since `before`.
    fn state_since(&self, before: &Before, key: usize) -> Option<u64> {
        let state = self.states[key].load(Ordering::Acquire);
        (state == before.0[key] && state.is_multiple_of(2)).then_some(state % 4)
    }

    /// Verifies the number of a key that was met.
    #[track_caller]
    pub(crate) fn number(&self, value: u64, key: Option<&[u8]>) -> usize {
        let number = value as usize;
        let known = self.keys.get(number).expect("a value that no thread wrote");
        assert!(
            key.is_none_or(|key| key == known),
            "a key has another's value: {key:x?}"
        );
        number
    }

    /// Verifies each step of a passage that has ended.
    #[track_caller]
    pub(crate) fn verify(&self, before: &Before, steps: &[Step]) {
        let (mut met, mut due, mut absent) = (0, 0, 0);
        for &Step {
            from,
            to,
            met: has_met,
        } in steps
        {
            let (low, high) = (from.min(to), from.max(to));
            assert_ne!(low, high, "a step stood still");
            // Strictly between.
            for key in low.0.div_ceil(2)..high.0 / 2 {
                let state = self.state_since(before, key);
                assert_ne!(
                    state,
                    Some(PRESENT),
                    "key {key} was passed over: {from:?} {to:?}"
                );
                absent += usize::from(state == Some(ABSENT));
            }
            if has_met {
                let state = self.state_since(before, to.0 / 2);
                assert_ne!(
                    state,
                    Some(ABSENT),
                    "key {} is absent, and was met",
                    to.0 / 2
                );
                met += 1;
                due += usize::from(state == Some(PRESENT));
            }
        }
        self.count(met, due, absent);
    }

    /// Verifies a passage in one direction over part of the keys; `ended` says that it
    /// reached the end of that part.
    #[track_caller]
    pub(crate) fn verify_run(&self, before: &Before, run: &Run, numbers: &[usize], ended: bool) {
        let mut from = run.from;
        let mut steps = Vec::with_capacity(numbers.len() + 1);
        for number in numbers {
            let to = Spot::at(*number);
            assert!(
                run.goes_on(from, to) && run.goes_on(to, run.to),
                "out of order: {from:?} {to:?}"
            );
            steps.push(Step {
                from,
                to,
                met: true,
            });
            from = to;
        }
        if ended && from != run.to {
            steps.push(Step {
                from,
                to: run.to,
                met: false,
            });
        }
        self.verify(before, &steps);
    }

    /// Verifies a count of the keys in part of the tree.
    #[track_caller]
    pub(crate) fn verify_count(&self, before: &Before, low: Spot, high: Spot, count: usize) {
        let keys = low.0.div_ceil(2)..high.0 / 2;
        let (mut due, mut absent) = (0, 0);
        for key in keys.clone() {
            match self.state_since(before, key) {
                Some(PRESENT) => due += 1,
                Some(_) => absent += 1,
                None => {}
            }
        }
        assert!(due <= count, "{count} counted, {due} were present");
        assert!(
            count <= keys.len() - absent,
            "{count} counted, {absent} of {} absent",
            keys.len()
        );
        self.count(count, due, absent);
    }

    fn count(&self, met: usize, due: usize, absent: usize) {
        let add = |to: &AtomicUsize, n| _ = to.fetch_add(n, Ordering::Relaxed);
        add(&self.counts.passages, 1);
        add(&self.counts.met, met);
        add(&self.counts.due, due);
        add(&self.counts.absent, absent);
    }
}

/// Part of the keys, in a direction.
pub(crate) struct Run {
    pub(crate) from: Spot,
    pub(crate) to: Spot,
}

impl Run {
    pub(crate) fn is_reverse(&self) -> bool {
        self.from > self.to
    }

    fn goes_on(&self, from: Spot, to: Spot) -> bool {
        match from.cmp(&to) {
            Less => !self.is_reverse(),
            Equal => false,
            Greater => self.is_reverse(),
        }
    }
}
