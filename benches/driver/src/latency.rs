//! Latencies of single operations: the clock is read before and after each, which is why
//! operations per second are measured separately. The latencies include the clock's own
//! time, which is printed beside them.

use std::sync::Mutex;
use std::time::Instant;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::child::Task;
use crate::keys::{Keys, is_value_of, value_of};
use crate::map::{Map, Session};
use crate::timing::timed;

/// Percentiles of the nanoseconds that an operation takes.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) operation: String,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
}

type Times = Histogram<u64>;

/// Up to a minute, in three digits. Fixed bounds, for a histogram that grows by itself
/// does not do so when it is asked to saturate.
fn times() -> Times {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are allowed")
}

/// Times gets of existing keys, then puts of absent keys; and the clock.
pub(crate) fn measure<M: Map>(map: &M, task: &Task) -> Vec<Latency> {
    let lookups = task.lookups();
    let samples = lookups[0].len();
    task.load(map, false);
    let gets = of_threads(task, |thread, times| {
        let mut session = map.session();
        each(&lookups[thread], times, |key| {
            let value = session.get(key).expect("the key is there");
            assert!(is_value_of(value, key), "another key's value");
        });
    });
    let fresh: Vec<Keys> = (0..task.threads)
        .map(|thread| {
            let first = (task.count + thread * samples) as u64;
            task.keys.keys(task.count, first..first + samples as u64)
        })
        .collect();
    let puts = of_threads(task, |thread, times| {
        let mut session = map.session();
        each(&fresh[thread], times, |key| session.put(key, value_of(key)));
    });
    let mut clock = times();
    each(&lookups[0], &mut clock, |_| ());
    [("get", gets), ("put", puts), ("the clock", clock)]
        .map(|(operation, times)| Latency {
            operation: operation.to_string(),
            p50: times.value_at_quantile(0.5),
            p99: times.value_at_quantile(0.99),
            p999: times.value_at_quantile(0.999),
        })
        .into()
}

fn each(keys: &Keys, times: &mut Times, mut operation: impl FnMut(&[u8])) {
    for key in keys.iter(0..keys.len()) {
        let start = Instant::now();
        operation(key);
        times.saturating_record(start.elapsed().as_nanos() as u64);
    }
}

fn of_threads(task: &Task, work: impl Fn(usize, &mut Times) + Sync) -> Times {
    let all = Mutex::new(times());
    timed(task.threads, |thread, barrier| {
        let mut times = times();
        barrier.wait();
        let start = Instant::now();
        work(thread, &mut times);
        #[expect(clippy::disallowed_methods, reason = "the library's rule")]
        let mut all = all.lock().expect("no panic");
        all.add(times).expect("alike");
        start
    });
    all.into_inner().expect("no panic")
}
