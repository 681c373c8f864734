//! What tests of several modules use.

use std::env;
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
