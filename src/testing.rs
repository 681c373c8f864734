//! What tests of several modules use.

use std::env;
#[cfg(not(any(loom, shuttle)))]
use std::hash::{BuildHasher, RandomState};
use std::process::Command;

/// Returns a command that starts this program again, under the emulator under which it runs (see
/// `.ci/cross`).
pub(crate) fn this_program() -> Command {
    let this = env::current_exe().expect("the tests have a path");
    let emulator = env::var("EMULATOR").unwrap_or_default();
    let mut words = emulator.split_whitespace();
    match words.next() {
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.args(words).arg(this);
            command
        }
        None => Command::new(this),
    }
}

/// Random numbers (splitmix64), the same in every run with the same seed.
#[cfg(not(any(loom, shuttle)))]
pub(crate) struct Random(pub(crate) u64);

#[cfg(not(any(loom, shuttle)))]
impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Returns a number below a bound, which is positive.
    pub(crate) fn below<N: TryInto<u64> + TryFrom<u64>>(&mut self, bound: N) -> N {
        let bound = bound.try_into().ok().expect("a positive bound");
        let number = N::try_from(self.next() % bound);
        number.ok().expect("less than the bound")
    }
}

/// Chooses the positions that a test tries, of all that there are: all of them; or where MASSTREE_TEST_DIVISOR
/// is set, as under emulation, one of each group of so many neighbours. Which one depends on MASSTREE_TEST_SEED;
/// if that is not set, it is another one in each run. The seed is printed.
#[cfg(not(any(loom, shuttle)))]
pub(crate) struct Sample {
    seed: u64,
    divisor: usize,
    passes: usize,
}

#[cfg(not(any(loom, shuttle)))]
impl Sample {
    pub(crate) fn new() -> Self {
        let divisor = number("MASSTREE_TEST_DIVISOR").unwrap_or(1).max(1) as usize;
        let drawn = || RandomState::new().hash_one(0);
        let seed = number("MASSTREE_TEST_SEED").unwrap_or_else(drawn);
        if divisor > 1 {
            println!("MASSTREE_TEST_DIVISOR={divisor} MASSTREE_TEST_SEED={seed}");
        }
        Self {
            seed,
            divisor,
            passes: 1,
        }
    }

    /// Chooses all positions, one sample after the other. A test that must fail does so soon, also if few
    /// positions show why.
    pub(crate) fn exhaustive() -> Self {
        let sample = Self::new();
        Self {
            passes: sample.divisor,
            ..sample
        }
    }

    /// Returns the chosen positions below `end`.
    pub(crate) fn below(&self, end: usize) -> impl Iterator<Item = usize> {
        let Self {
            seed,
            divisor,
            passes,
        } = *self;
        (0..passes).flat_map(move |pass| {
            (0..end).step_by(divisor).map(move |group| {
                let width = divisor.min(end - group);
                group + (Random(seed ^ group as u64).below(width) + pass) % width
            })
        })
    }

    /// Returns how many of `full` findings the test must have, if all positions have many more.
    pub(crate) fn share(&self, full: usize) -> usize {
        full / self.divisor
    }
}

/// Returns the number in an environment variable, if it is set.
#[cfg(not(any(loom, shuttle)))]
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

#[cfg(test)]
#[cfg(not(any(loom, shuttle)))]
mod tests {
    use std::collections::BTreeSet;

    use super::Sample;

    /// Put back: draw the same position of each group; leave the last group out, which may be smaller.
    #[test]
    fn a_sample_has_one_position_of_each_group() {
        for (end, passes) in [(0, 1), (1, 1), (203, 1), (203, 20)] {
            let sample = Sample {
                seed: 7,
                divisor: 20,
                passes,
            };
            let chosen: Vec<_> = sample.below(end).collect();
            assert_eq!(chosen.len(), end.div_ceil(20) * passes);
            assert!(chosen.iter().all(|&at| at < end));
            let groups = chosen.iter().map(|at| at / 20);
            assert!(groups.eq((0..passes).flat_map(|_| 0..end.div_ceil(20))));
            let distinct = |of: &[usize]| of.iter().copied().collect::<BTreeSet<_>>().len();
            let shifts: Vec<_> = chosen.iter().map(|at| at % 20).collect();
            assert!(passes > 1 || end < 100 || distinct(&shifts) > 4);
            assert!(passes < 20 || distinct(&chosen) == end);
        }
    }
}
