//! How a thread waits until another thread changes a word. All such loops in the library wait
//! this way: for a node's change or lock (`node::version`, `tree::read::observe`), and for a
//! fork (`reclaim::fork`, `reclaim::slots`). Threads that wait for the mutexes and condition
//! variables of `memory` and `reclaim` sleep in the kernel instead.
//!
//! 1. **Spin**, for about as long as a running thread takes for a change.
//! 2. **Yield**: the other thread may be preempted, and next in line for this processor.
//! 3. **Sleep**, from 50 µs, doubling up to 1 ms. Yielding only lets threads of the same or a
//!    higher priority run: a waiter under `SCHED_FIFO` that only yielded would keep a writer
//!    of lower priority off its processor forever.
//!
//! A futex would wake the waiter at once. But then each unlock, a plain store today, would be
//! an atomic exchange that checks for waiters. The first two steps cover all waits except
//! those for a thread that is not running, or that works long under its lock.
//!
//! **Why the loops end.** Each waits for a thread that already holds all locks it needs, and
//! releases them after a bounded number of its own steps, or that waits itself for a thread
//! further on in the order of locks (`tree::write::lock`). In the third step the waiter uses
//! almost no processor time, so each runnable thread of any priority proceeds. Two cases are
//! the program's responsibility: a callback under a lock, and the time between `masstree_hold`
//! and its finish, last as long as the program makes them; and a signal handler that waits for
//! the thread it interrupted waits forever.
//!
//! **Constraints on sleeping.** It is no cancellation point (`nanosleep` is one: a thread
//! cancelled there would leave its locks locked), and it preserves `errno`.

#[cfg(not(any(loom, shuttle)))]
use std::cell::Cell;
#[cfg(not(any(loom, shuttle)))]
use std::{hint, thread, time::Duration};

/// Rounds of spinning, each twice as long as the one before.
const SPINS: u32 = 7;
/// Number of turns that yield.
const YIELDS: u32 = 64;
const FIRST_SLEEP: u64 = 50_000;
const LONGEST_SLEEP: u64 = 1_000_000;

/// One turn of a waiter, between two loads of the word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    /// Spins this many times.
    Spin(u32),
    Yield,
    /// Sleeps this many nanoseconds.
    Sleep(u64),
}

/// Returns a waiter's turn after it has taken `turns` turns.
#[cfg_attr(any(loom, shuttle), allow(dead_code))]
fn turn_after(turns: u32) -> Turn {
    match turns {
        0..SPINS => Turn::Spin(1 << turns),
        _ if turns < SPINS + YIELDS => Turn::Yield,
        _ => {
            let doublings = (turns - SPINS - YIELDS).min(LONGEST_SLEEP.ilog2());
            Turn::Sleep((FIRST_SLEEP << doublings).min(LONGEST_SLEEP))
        }
    }
}

/// One wait; counts its turns.
pub(crate) struct Wait {
    #[cfg(not(any(loom, shuttle)))]
    turns: Cell<u32>,
}

impl Wait {
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(not(any(loom, shuttle)))]
            turns: Cell::new(0),
        }
    }

    /// Takes the next turn. Not inlined: the functions that wait are inlined into paths that
    /// rarely do.
    #[cold]
    #[inline(never)]
    pub(crate) fn wait(&self) {
        #[cfg(not(any(loom, shuttle)))]
        {
            let turns = self.turns.get();
            self.turns.set(turns.saturating_add(1));
            match turn_after(turns) {
                Turn::Spin(count) => (0..count).for_each(|_| hint::spin_loop()),
                Turn::Yield => thread::yield_now(),
                Turn::Sleep(nanoseconds) => sleep(nanoseconds),
            }
        }
        #[cfg(loom)]
        loom::thread::yield_now();
        #[cfg(shuttle)]
        shuttle::thread::yield_now();
    }
}

/// Sleeps about `nanoseconds`; a signal ends the sleep early.
#[cfg(all(target_os = "linux", not(any(loom, shuttle))))]
#[cold]
fn sleep(nanoseconds: u64) {
    let time = Duration::from_nanos(nanoseconds);
    sleep_for(&libc::timespec {
        tv_sec: time.as_secs() as libc::time_t,
        tv_nsec: time.subsec_nanos() as libc::c_long,
    });
}

#[cfg(all(target_os = "linux", not(any(loom, shuttle))))]
fn sleep_for(time: &libc::timespec) {
    // SAFETY: errno is this thread's; the kernel only reads `time`.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        // Not the C library's function, which is a cancellation point.
        libc::syscall(
            libc::SYS_clock_nanosleep,
            libc::CLOCK_MONOTONIC,
            0,
            std::ptr::from_ref(time),
            std::ptr::null_mut::<libc::timespec>(),
        );
        *errno = before;
    }
}

#[cfg(all(not(target_os = "linux"), not(any(loom, shuttle))))]
#[cold]
fn sleep(nanoseconds: u64) {
    thread::sleep(Duration::from_nanos(nanoseconds));
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// Known failure 43. Put back: never `Turn::Sleep`.
    #[test]
    fn a_waiter_spins_then_yields_then_sleeps() {
        let turns = |range: std::ops::Range<u32>| range.map(turn_after).collect::<Vec<_>>();
        let spins = [1, 2, 4, 8, 16, 32, 64].map(Turn::Spin);
        assert_eq!(turns(0..SPINS), spins);
        let yields = turns(SPINS..SPINS + YIELDS);
        assert!(yields.iter().all(|&turn| turn == Turn::Yield));
        let asleep = SPINS + YIELDS;
        let sleeps = [
            50_000, 100_000, 200_000, 400_000, 800_000, 1_000_000, 1_000_000,
        ];
        assert_eq!(turns(asleep..asleep + 7), sleeps.map(Turn::Sleep));
        for turns in [asleep + 20, asleep + 64, u32::MAX] {
            assert_eq!(turn_after(turns), Turn::Sleep(LONGEST_SLEEP));
        }
    }

    /// A signal that ends the sleep sets `errno`; so does the kernel when it refuses the time, as
    /// here. Put back: do not restore `errno`.
    #[test]
    #[cfg(target_os = "linux")]
    fn sleeping_leaves_errno_alone() {
        let refused = libc::timespec {
            tv_sec: 0,
            tv_nsec: -1,
        };
        // SAFETY: errno is this thread's.
        unsafe { *libc::__errno_location() = libc::EDOM };
        sleep_for(&refused);
        sleep(1);
        // SAFETY: errno is this thread's.
        assert_eq!(unsafe { *libc::__errno_location() }, libc::EDOM);
    }
}
