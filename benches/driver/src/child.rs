//! One run of one map through the phases of one suite, in its own process, so that each
//! starts with an unused allocator, and memory can be measured.
//!
//! Every phase is timed from a common start of its threads to the end of the last. A
//! thread's keys lie in the order in which it uses them (see `keys`). What is read is
//! compared with what was written; that costs a comparison with a key that is at hand.

use std::hint::black_box;
use std::ops::Range;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::keys::{KeySet, Keys, is_value_of, random_order, updated_value_of, value_of};
use crate::latency::{self, Latency};
use crate::map::{BATCH, Map, SCAN, Session};
use crate::peers::{Subject, Work, with_map};
use crate::suite::Phase;
use crate::timing::{Span, resident, timed};

/// The task of a child process.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) subject: Subject,
    pub(crate) keys: KeySet,
    /// In the order of `Phase`.
    pub(crate) phases: Vec<Phase>,
    pub(crate) threads: usize,
    /// The number of keys of the map.
    pub(crate) count: usize,
    /// The number of operations of each thread in a phase that reads or updates.
    pub(crate) operations: usize,
}

/// Its results.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Findings {
    pub(crate) figures: Vec<Figure>,
    pub(crate) latencies: Vec<Latency>,
}

/// A figure is disturbed if a thread waited for a processor for more than this part of the time.
pub(crate) const DISTURBED: f64 = 0.05;

impl Findings {
    /// The longest wait for a processor, as `Figure::waited`.
    pub(crate) fn waited(&self) -> f64 {
        self.figures
            .iter()
            .map(|figure| figure.waited)
            .fold(0.0, f64::max)
    }
}

/// A figure of a phase.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) phase: Phase,
    /// Operations, or items of scans, per second; bytes for `Memory`.
    pub(crate) figure: f64,
    /// The part of the time for which the thread that waited longest was runnable, but other
    /// processes had its processor.
    pub(crate) waited: f64,
}

impl Span {
    fn figure(self, phase: Phase, operations: usize) -> Figure {
        Figure {
            phase,
            figure: operations as f64 / self.seconds,
            waited: self.waited,
        }
    }
}

/// Executes the task.
pub(crate) fn run(task: &Task) -> Findings {
    with_map(&task.subject, task.keys, task)
}

impl Work for &Task {
    type Outcome = Findings;

    fn on<M: Map>(self, map: &M) -> Findings {
        let mut findings = Findings::default();
        if self.phases.contains(&Phase::Latency) {
            findings.latencies = latency::measure(map, self);
            return findings;
        }
        let has = |phase| self.phases.contains(&phase);
        let lookups = self.lookups();
        let batches = has(Phase::PutMany) || has(Phase::GetMany);
        let load = if batches { Phase::PutMany } else { Phase::Load };
        let (span, bytes) = self.load(map, batches);
        findings.figures.push(span.figure(load, self.count));
        findings.figures.push(Figure {
            phase: Phase::Memory,
            figure: bytes,
            waited: 0.0,
        });
        if self.phases.iter().any(|phase| phase.reads()) {
            // In the first seconds after a load, reads run at half speed: the host settles the pages.
            for _ in 0..2 {
                self.operate(map, Phase::Get, &lookups, get::<M>);
            }
        }
        for &phase in &self.phases {
            let figure = match phase {
                Phase::Load | Phase::PutMany | Phase::Memory | Phase::Latency => continue,
                Phase::Get => self.operate(map, phase, &lookups, get::<M>),
                Phase::GetMany => self.operate(map, phase, &lookups, get_many::<M>),
                Phase::Update => self.operate(map, phase, &lookups, update::<M>),
                Phase::Mixed => self.operate(map, phase, &lookups, mixed::<M>),
                Phase::Scan | Phase::ScanReverse => self.scan(map, phase, &lookups),
                Phase::Remove => self.remove(map),
            };
            findings.figures.push(figure);
        }
        findings.figures.retain(|figure| has(figure.phase));
        findings
    }
}

impl Task {
    /// For each thread the keys that it looks up: in its own random order, or, of sequential keys, a
    /// part in ascending order.
    pub(crate) fn lookups(&self) -> Vec<Keys> {
        let wanted = self.operations.min(self.count);
        (0..self.threads)
            .map(|thread| {
                let order = match self.keys.are_in_order() {
                    true => in_order(self.share(thread), wanted),
                    false => random_order(self.count, wanted, thread as u64 + 1),
                };
                self.keys.keys(self.count, order.into_iter())
            })
            .collect()
    }

    fn share(&self, thread: usize) -> Range<usize> {
        self.count * thread / self.threads..self.count * (thread + 1) / self.threads
    }

    /// Puts every key, each thread its share: the time, and resident bytes per key.
    pub(crate) fn load<M: Map>(&self, map: &M, batches: bool) -> (Span, f64) {
        let keys = self.keys.keys(self.count, 0..self.count as u64);
        let before = resident();
        let span = timed(self.threads, |thread, barrier| {
            let mut session = map.session();
            let share = self.share(thread);
            barrier.wait();
            let start = Instant::now();
            if batches {
                batches_of(share).for_each(|places| session.put_many(&keys, places));
            } else {
                keys.iter(share)
                    .for_each(|key| session.put(key, value_of(key)));
            }
            start
        });
        let bytes = resident().saturating_sub(before) as f64 / self.count as f64;
        (span, bytes)
    }

    /// Runs `operations` operations on the keys of each thread, repeating keys if they are
    /// fewer.
    fn operate<M: Map>(
        &self,
        map: &M,
        phase: Phase,
        lookups: &[Keys],
        pass: fn(&mut M::Session<'_>, &Keys, Range<usize>),
    ) -> Figure {
        let span = timed(self.threads, |thread, barrier| {
            let mut session = map.session();
            let keys = &lookups[thread];
            barrier.wait();
            let start = Instant::now();
            let mut left = self.operations;
            while left > 0 {
                let now = left.min(keys.len());
                pass(&mut session, keys, 0..now);
                left -= now;
            }
            start
        });
        span.figure(phase, self.operations * self.threads)
    }

    /// Scans from as many keys as yield `operations` times four items.
    fn scan<M: Map>(&self, map: &M, phase: Phase, lookups: &[Keys]) -> Figure {
        let reverse = phase == Phase::ScanReverse;
        let starts = (self.operations * 4 / SCAN).clamp(1, lookups[0].len());
        let checked = starts.min(200);
        check_scans::<M>(&mut map.session(), &lookups[0], checked, reverse);
        let span = timed(self.threads, |thread, barrier| {
            let mut session = map.session();
            let keys = lookups[thread].iter(0..starts);
            barrier.wait();
            let start = Instant::now();
            let mut items = 0;
            for from in keys {
                // Reads the key, as a program does: some maps keep keys elsewhere.
                let visit = |key: &[u8], value| {
                    black_box((key.first().copied(), key.last().copied(), value));
                    items += 1;
                };
                match reverse {
                    false => session.scan(from, visit),
                    true => session.scan_reverse(from, visit),
                }
            }
            // Scans that begin near the end of the keys are short.
            let cut_off = SCAN * SCAN;
            assert!(
                items + cut_off >= starts * SCAN.min(self.count),
                "items are missing"
            );
            start
        });
        span.figure(phase, starts * SCAN * self.threads)
    }

    /// Removes every key, in another order than that of the load, unless the keys are sequential.
    fn remove<M: Map>(&self, map: &M) -> Figure {
        let order = match self.keys.are_in_order() {
            true => (0..self.count as u64).collect(),
            false => random_order(self.count, self.count, 0),
        };
        let keys = self.keys.keys(self.count, order.into_iter());
        let span = timed(self.threads, |thread, barrier| {
            let mut session = map.session();
            let share = self.share(thread);
            barrier.wait();
            let start = Instant::now();
            for key in keys.iter(share) {
                assert!(session.remove(key), "a key was not there");
            }
            start
        });
        let mut session = map.session();
        let sample = keys.iter(0..self.count.min(1000));
        assert!(sample.into_iter().all(|key| session.get(key).is_none()));
        span.figure(Phase::Remove, self.count)
    }
}

/// The first `wanted` of these numbers.
fn in_order(numbers: Range<usize>, wanted: usize) -> Vec<u64> {
    numbers.take(wanted).map(|number| number as u64).collect()
}

fn batches_of(places: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = places.end;
    places
        .step_by(BATCH)
        .map(move |start| start..end.min(start + BATCH))
}

fn get<M: Map>(session: &mut M::Session<'_>, keys: &Keys, places: Range<usize>) {
    for key in keys.iter(places) {
        let value = session.get(key).expect("the key is there");
        assert!(is_value_of(value, key), "another key's value");
    }
}

fn get_many<M: Map>(session: &mut M::Session<'_>, keys: &Keys, places: Range<usize>) {
    for batch in batches_of(places) {
        let wanted = batch.len();
        assert_eq!(
            session.get_many(keys, batch),
            wanted,
            "a key or value is wrong"
        );
    }
}

fn update<M: Map>(session: &mut M::Session<'_>, keys: &Keys, places: Range<usize>) {
    for key in keys.iter(places) {
        session.put(key, updated_value_of(key));
    }
}

fn mixed<M: Map>(session: &mut M::Session<'_>, keys: &Keys, places: Range<usize>) {
    for (turn, key) in keys.iter(places).enumerate() {
        if turn % 10 == 9 {
            session.put(key, updated_value_of(key));
        } else {
            let is_right = match session.get(key) {
                Some(value) => is_value_of(value, key),
                None => <M::Session<'_> as Session>::MAY_MISS_REPLACED,
            };
            assert!(is_right, "no value, or another key's");
        }
    }
}

/// Untimed: checks that scans return the right items in the right order.
fn check_scans<M: Map>(session: &mut M::Session<'_>, keys: &Keys, checked: usize, reverse: bool) {
    let may_skip = <M::Session<'_> as Session>::MAY_SKIP_START && !reverse;
    for from in keys.iter(0..checked) {
        let mut last = Vec::new();
        let visit = |key: &[u8], value| {
            let in_order = match (last.is_empty(), reverse) {
                (true, _) if may_skip => key >= from,
                (true, _) => key == from,
                (false, false) => key > last.as_slice(),
                (false, true) => key < last.as_slice(),
            };
            assert!(in_order && is_value_of(value, key), "a wrong item");
            last.clear();
            last.extend(key);
        };
        match reverse {
            false => session.scan(from, visit),
            true => session.scan_reverse(from, visit),
        }
    }
}
