//! Threads timed from a common start, and the kernel's statistics on this process.

use std::fs::read_to_string;
use std::sync::Barrier;
use std::time::Instant;

/// A duration, and how much of it was spent waiting for a processor.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) seconds: f64,
    /// For the thread that waited longest, the part of the time for which it could have
    /// run but other processes had its processor.
    pub(crate) waited: f64,
}

/// One thread's part.
struct Part {
    start: Instant,
    end: Instant,
    /// Nanoseconds.
    waited: u64,
}

/// From the first thread's start to the last one's end. The first thread is the one that
/// calls. `work` gets its thread's number, waits at the barrier when it is ready, and returns
/// the time of its start.
pub(crate) fn timed(threads: usize, work: impl Fn(usize, &Barrier) -> Instant + Sync) -> Span {
    let barrier = Barrier::new(threads);
    let part = |thread| {
        let waited = waited();
        let start = work(thread, &barrier);
        let end = Instant::now();
        Part {
            start,
            end,
            waited: self::waited() - waited,
        }
    };
    let part = &part;
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|thread| scope.spawn(move || part(thread)))
            .collect();
        let first = part(0);
        let others = others
            .into_iter()
            .map(|other| other.join().expect("a thread panicked"));
        std::iter::once(first).chain(others).collect()
    });
    let start = parts.iter().map(|part| part.start).min();
    let end = parts.iter().map(|part| part.end).max();
    let (start, end) = start.zip(end).expect("there is a thread");
    let seconds = (end - start).as_secs_f64();
    let waited = parts.iter().map(|part| part.waited).max().unwrap_or(0);
    Span {
        seconds,
        waited: (waited as f64 / 1e9 / seconds).min(1.0),
    }
}

/// Nanoseconds for which this thread was ready to run and did not; 0 where the kernel does
/// not count them.
fn waited() -> u64 {
    let text = read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let waited = text.split_whitespace().nth(1);
    waited.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Resident bytes of this process.
pub(crate) fn resident() -> usize {
    let statm = read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split(' ').nth(1);
    let pages = pages.and_then(|number| number.parse::<usize>().ok());
    pages.expect("statm has numbers") * 4096
}
