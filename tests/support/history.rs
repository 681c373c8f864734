//! The calls of threads on a map, each with its duration.
//!
//! Whether a call came before another is a question of happens-before: the clock says so only
//! where the end of the first was visible when the second began. There are two kinds of
//! clock, which synchronize the threads to different degrees. One counter for all threads
//! orders the most calls, but each read of it is a fence. A counter for each thread is
//! written and read without a fence, so that a store which a protocol forgot to publish
//! cannot become visible through the clock's own fences.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

/// Threads of a history, including the one that reads every key at the end.
pub(crate) const THREADS: usize = 5;

/// How many calls of each thread had ended.
pub(crate) type Seen = [u32; THREADS];

/// A call's effect on one key, according to its result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Effect {
    pub(crate) key: usize,
    /// The value before, or `None` for a call that does not return it.
    pub(crate) before: Option<Option<u64>>,
    pub(crate) after: Option<u64>,
}

impl Effect {
    pub(crate) fn saw(key: usize, value: Option<u64>) -> Self {
        Self::wrote(key, value, value)
    }

    pub(crate) fn wrote(key: usize, before: Option<u64>, after: Option<u64>) -> Self {
        Self {
            key,
            before: Some(before),
            after,
        }
    }

    pub(crate) fn overwrote(key: usize, after: Option<u64>) -> Self {
        Self {
            key,
            before: None,
            after,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) seen: Seen,
    pub(crate) effects: Vec<Effect>,
}

/// The calls of each thread, in program order.
pub(crate) type History = [Vec<Call>; THREADS];

pub(crate) enum Clock {
    Shared(CachePadded<AtomicU64>),
    Own(Box<[CachePadded<AtomicU32>; THREADS]>),
}

impl Clock {
    pub(crate) fn shared() -> Self {
        Self::Shared(AtomicU64::new(0).into())
    }

    pub(crate) fn own() -> Self {
        Self::Own(Box::new(std::array::from_fn(|_| AtomicU32::new(0).into())))
    }
}

/// When a call began.
pub(crate) enum Begun {
    At(u64),
    After(Seen),
}

/// The calls of one thread.
pub(crate) struct Log<'c> {
    clock: &'c Clock,
    thread: usize,
    calls: Vec<(Begun, Call)>,
    /// When each ended, by a shared clock.
    over: Vec<u64>,
}

impl<'c> Log<'c> {
    pub(crate) fn new(clock: &'c Clock, thread: usize) -> Self {
        Self {
            clock,
            thread,
            calls: Vec::new(),
            over: Vec::new(),
        }
    }

    /// Begins a call.
    pub(crate) fn begin(&self) -> Begun {
        match self.clock {
            // AcqRel: a thread that draws a later number sees everything before this one.
            Clock::Shared(clock) => Begun::At(clock.fetch_add(1, Ordering::AcqRel)),
            // Acquire: pairs with the Release in `end`.
            Clock::Own(clocks) => {
                Begun::After(std::array::from_fn(|i| clocks[i].load(Ordering::Acquire)))
            }
        }
    }

    /// Ends a call and logs its effects.
    pub(crate) fn end(&mut self, begun: Begun, name: &'static str, effects: Vec<Effect>) {
        let call = Call {
            name,
            seen: [0; THREADS],
            effects,
        };
        // The stamp is taken as early as possible; no other thread reads what is logged after
        // it.
        match self.clock {
            Clock::Shared(clock) => self.over.push(clock.fetch_add(1, Ordering::AcqRel)),
            Clock::Own(clocks) => {
                let own = self.calls.len() as u32;
                clocks[self.thread].store(own + 1, Ordering::Release);
            }
        }
        self.calls.push((begun, call));
    }

    /// The call that ended last.
    pub(crate) fn last(&self) -> &Call {
        &self.calls.last().expect("a call was logged").1
    }
}

/// Combines the logs of all threads, in the order of the threads.
pub(crate) fn history(logs: Vec<Log<'_>>) -> History {
    let over: Vec<_> = logs.iter().map(|log| log.over.clone()).collect();
    let seen_at = |at: u64| -> Seen {
        std::array::from_fn(|thread| {
            let over = over.get(thread).map_or(&[][..], Vec::as_slice);
            over.partition_point(|end| *end < at) as u32
        })
    };
    let mut history = History::default();
    for log in logs {
        let calls = log.calls.into_iter().map(|(begun, call)| Call {
            seen: match begun {
                Begun::At(at) => seen_at(at),
                Begun::After(seen) => seen,
            },
            ..call
        });
        history[log.thread] = calls.collect();
    }
    history
}
