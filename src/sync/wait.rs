//! Waits until another thread changes a word. All loops of the library that wait for a word use
//! this: for a node's change or lock (`node::version`, `tree::read::observe`), and for a fork
//! (`reclaim::fork`, `reclaim::slots`). Threads that wait for the mutexes and condition variables
//! of `memory` and `reclaim` sleep in the kernel instead.
//!
//! 1. **Spin**, for about as long as a running thread takes for a change.
//! 2. **Yield**: the other thread may have been preempted, and may be the next to run on this
//!    processor.
//! 3. **Sleep**, from 50 µs, twice as long each time, up to 1 ms. Yielding lets only threads of the
//!    same or a higher priority run: a waiter under `SCHED_FIFO` that only yielded would keep a
//!    writer of lower priority from its processor for ever. After each sleep the waiter spins again
//!    as in step 1, so that it loads the word several times in each millisecond, not once: the word
//!    may be locked most of the time, and the waiter may own locks for which others wait.
//!
//! A futex would wake the waiter at once. But then each unlock, which is a plain store, would have
//! to be an atomic exchange that checks for waiters. The first two steps suffice unless the other
//! thread is not running, or holds its lock for long.
//!
//! **Why the loops end.** A waiter waits for a thread that can finish by a bounded number of its
//! own steps, or that itself waits for the owner of a later lock in the order of locks
//! (`tree::write::lock`). In step 3 the waiter uses little of a processor, some microseconds in a
//! millisecond, so every runnable thread of any priority can execute its steps. The program is
//! responsible for two cases: a callback under a lock, and the time between `masstree_hold` and
//! `masstree_held_finish`, last as long as the program makes them last; and a signal handler that
//! waits for the thread that it interrupted waits for ever.
//!
//! **Sleeping** must not be a cancellation point, since a cancelled thread would never release its
//! locks (so it is not `nanosleep`), and must not change `errno`. Where a seccomp filter refuses
//! the system call, the waiter yields instead.

#[cfg(not(any(loom, shuttle)))]
use std::cell::Cell;
#[cfg(not(any(loom, shuttle)))]
use std::{hint, thread, time::Duration};

#[cfg(not(any(loom, shuttle)))]
use crate::errno;

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
            let round = turns - SPINS - YIELDS;
            let (sleeps, spins) = (round / (1 + SPINS), round % (1 + SPINS));
            if spins > 0 {
                return Turn::Spin(1 << (spins - 1));
            }
            let doublings = sleeps.min(LONGEST_SLEEP.ilog2());
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
                // If a seccomp filter refuses the call, it sets `errno`.
                Turn::Yield => errno::preserve(thread::yield_now),
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
    let time = libc::timespec {
        // The cast does not name `time_t`, which libc deprecates for musl.
        tv_sec: time.as_secs() as _,
        tv_nsec: time.subsec_nanos() as libc::c_long,
    };
    if !sleep_for(&time) {
        errno::preserve(thread::yield_now);
    }
}

/// Sleeps; returns whether the kernel allowed the system call.
#[cfg(all(target_os = "linux", not(any(loom, shuttle))))]
fn sleep_for(time: &libc::timespec) -> bool {
    // SAFETY: errno is this thread's; the kernel reads `time`, and writes nothing.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        // Not the C library's function, which is a cancellation point.
        let status = libc::syscall(
            libc::SYS_clock_nanosleep,
            libc::CLOCK_MONOTONIC,
            0,
            std::ptr::from_ref(time),
            std::ptr::null_mut::<libc::timespec>(),
        );
        let slept = status == 0 || *errno == libc::EINTR;
        *errno = before;
        slept
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

    /// Known failure 43. Put back: never `Turn::Sleep`; or no spins after a sleep.
    #[test]
    fn a_waiter_spins_then_yields_then_sleeps() {
        let turns = |range: std::ops::Range<u32>| range.map(turn_after).collect::<Vec<_>>();
        let spins = [1, 2, 4, 8, 16, 32, 64].map(Turn::Spin);
        assert_eq!(turns(0..SPINS), spins);
        let yields = turns(SPINS..SPINS + YIELDS);
        assert!(yields.iter().all(|&turn| turn == Turn::Yield));
        let mut at = SPINS + YIELDS;
        for sleep in [
            50_000, 100_000, 200_000, 400_000, 800_000, 1_000_000, 1_000_000,
        ] {
            assert_eq!(turn_after(at), Turn::Sleep(sleep));
            assert_eq!(turns(at + 1..at + 1 + SPINS), spins);
            at += 1 + SPINS;
        }
        // The count of turns stays at its maximum.
        for turns in [at + 20 * (1 + SPINS), at + 64 * (1 + SPINS), u32::MAX] {
            assert_eq!(turn_after(turns), Turn::Sleep(LONGEST_SLEEP));
        }
    }

    /// A signal that ends the sleep sets `errno`, and so does the kernel where it refuses the
    /// time, as here. A refused sleep is reported, so that the waiter yields. Put back: do not
    /// restore it; or always return true.
    #[test]
    #[cfg(target_os = "linux")]
    fn sleeping_leaves_errno_alone() {
        let refused = libc::timespec {
            tv_sec: 0,
            tv_nsec: -1,
        };
        // SAFETY: errno is this thread's.
        unsafe { *libc::__errno_location() = libc::EDOM };
        assert!(!sleep_for(&refused));
        assert!(sleep_for(&libc::timespec {
            tv_sec: 0,
            tv_nsec: 1,
        }));
        sleep(1);
        // SAFETY: errno is this thread's.
        assert_eq!(unsafe { *libc::__errno_location() }, libc::EDOM);
    }
}
