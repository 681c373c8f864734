//! How much of its time a thread spends between its pops.
//!
//! A thread that only pops loses nothing while another one pops for a while: one pop follows the other, whoever
//! makes it. A thread that works between its pops, as one that takes jobs from a queue does, loses that work:
//! two of them would take as long as one. So a thread times every 64th of its pops, and the time before it,
//! and knows whether it works between them.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Of so many pops, one is timed. In a model none is: a seed repeats its schedule.
const EACH: u32 = if cfg!(any(loom, shuttle)) {
    u32::MAX
} else {
    64
};
/// The most that one sample counts, so that a thread that was not running soon forgets it.
const MOST: Duration = Duration::from_micros(16);

/// What a thread remembers of the times of its pops.
pub(super) struct Pace {
    /// Pops until the end of the one before the one that is timed.
    countdown: Cell<u32>,
    /// That end, if the next pop is timed.
    ended: Cell<Option<Instant>>,
    sums: Cell<Sums>,
}

/// Sums in which each sample counts twice as much as the one before it, in nanoseconds.
#[derive(Clone, Copy)]
struct Sums {
    popping: u32,
    between: u32,
    works_between: bool,
}

/// A pop that is timed.
#[derive(Clone, Copy)]
pub(super) struct Timed {
    begin: Instant,
    between: Duration,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self {
            countdown: Cell::new(EACH),
            ended: Cell::new(None),
            sums: Cell::new(Sums {
                popping: 0,
                between: 0,
                works_between: false,
            }),
        }
    }

    /// Whether the thread works between its pops.
    pub(super) fn works_between(&self) -> bool {
        self.sums.get().works_between
    }

    /// Begins a pop.
    pub(super) fn begin(&self) -> Option<Timed> {
        let ended = self.ended.get()?;
        self.ended.set(None);
        let begin = Instant::now();
        Some(Timed {
            begin,
            between: begin - ended,
        })
    }

    /// Ends the work of a pop, before the thread waits.
    pub(super) fn end(&self, timed: Option<Timed>) {
        if let Some(timed) = timed {
            self.note(timed.begin.elapsed(), timed.between);
        }
    }

    /// Ends a pop, after the thread has waited.
    pub(super) fn leave(&self) {
        let left = self.countdown.get() - 1;
        self.countdown.set(left);
        if left == 0 {
            self.countdown.set(EACH);
            self.ended.set(Some(Instant::now()));
        }
    }

    fn note(&self, popping: Duration, between: Duration) {
        let add = |sum: u32, sample: Duration| sum / 2 + sample.min(MOST).as_nanos() as u32;
        let sums = self.sums.get();
        let popping = add(sums.popping, popping);
        let between = add(sums.between, between);
        // While other threads pop at the same time, a pop takes up to twice as long.
        let works_between = match sums.works_between {
            false => 4 * between >= 3 * popping,
            true => 4 * between >= popping,
        };
        self.sums.set(Sums {
            popping,
            between,
            works_between,
        });
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    fn noted(pace: &Pace, samples: usize, popping: u64, between: u64) -> bool {
        for _ in 0..samples {
            pace.note(Duration::from_nanos(popping), Duration::from_nanos(between));
        }
        pace.works_between()
    }

    /// Put back: compare with `popping` in both cases; or with 4 * `popping` in the first.
    #[test]
    fn a_thread_works_between_its_pops_if_that_takes_as_long() {
        let pace = Pace::new();
        assert!(!noted(&pace, 10, 200, 20));
        assert!(!noted(&pace, 10, 200, 140));
        assert!(noted(&pace, 10, 200, 160));
        // Beside others that pop, too.
        assert!(noted(&pace, 10, 400, 160));
        assert!(!noted(&pace, 10, 400, 20));
    }

    /// Put back: no `MOST`; or sums without a decay.
    #[test]
    fn a_thread_soon_forgets_that_it_was_not_running() {
        let pace = Pace::new();
        assert!(noted(&pace, 1, 200, 100_000_000));
        assert!(!noted(&pace, 12, 200, 20));
        assert!(!noted(&pace, 1, 100_000_000, 20));
        assert!(noted(&pace, 12, 200, 5000));
    }

    /// Put back: time each pop; or none.
    #[test]
    fn one_pop_of_many_is_timed() {
        let pace = Pace::new();
        let timed = (0..10 * EACH).filter(|_| {
            let timed = pace.begin();
            pace.end(timed);
            pace.leave();
            timed.is_some()
        });
        assert_eq!(timed.count(), 9);
    }
}
