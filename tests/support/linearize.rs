//! Whether there is an order of all calls on a key, one after the other, that explains
//! what each of them told its caller, and in which none comes before one that was over
//! when it began (Herlihy and Wing 1990). The calls on each key are looked at alone:
//! linearizability is local.
//!
//! The search is that of Wing and Gong (1993), with Lowe's memory of where it has been
//! (2017): a place in it is how many calls of each thread have had their turn, and the
//! value the key has then. Values are unique, so that few calls fit each place.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::history::{Effect, History, Seen, THREADS};

/// A call on the key.
struct Step {
    name: &'static str,
    effect: Effect,
    /// How many of each thread's steps come before it.
    seen: Seen,
}

/// What a key went through.
pub(crate) struct Verdict {
    pub(crate) calls: usize,
    /// Calls that overlap one of another thread.
    pub(crate) overlapping: usize,
    /// The places of the search.
    pub(crate) places: usize,
    /// How to tell that there is no such order; `None`: there is one.
    pub(crate) fault: Option<String>,
}

/// The calls that do something to a key.
fn steps_on(history: &History, key: usize) -> [Vec<Step>; THREADS] {
    let on_key = |effect: &&Effect| effect.key == key;
    let places: [Vec<u32>; THREADS] = std::array::from_fn(|thread| {
        let calls = (0u32..).zip(&history[thread]);
        let calls = calls.filter(|(_, call)| call.effects.iter().any(|e| on_key(&e)));
        calls.map(|(place, _)| place).collect()
    });
    std::array::from_fn(|thread| {
        let steps = places[thread].iter().map(|place| {
            let call = &history[thread][*place as usize];
            let mut effects = call.effects.iter().filter(on_key);
            let effect = *effects.next().expect("a call on this key");
            assert!(effects.next().is_none(), "two effects of one call on a key");
            Step {
                name: call.name,
                effect,
                seen: std::array::from_fn(|other| {
                    places[other].partition_point(|place| *place < call.seen[other]) as u32
                }),
            }
        });
        steps.collect()
    })
}

/// Counts the steps which another thread's step neither precedes nor follows.
fn overlapping(steps: &[Vec<Step>; THREADS]) -> usize {
    let overlaps = |thread: usize, place: usize| {
        let step = &steps[thread][place];
        (0..THREADS).any(|other| {
            let first = steps[other].get(step.seen[other] as usize);
            other != thread && first.is_some_and(|first| first.seen[thread] as usize <= place)
        })
    };
    let places = |thread: usize| 0..steps[thread].len();
    (0..THREADS)
        .map(|thread| {
            places(thread)
                .filter(|place| overlaps(thread, *place))
                .count()
        })
        .sum()
}

/// Looks for an order of the calls on a key that has a certain value at first.
pub(crate) fn linearize(history: &History, key: usize, initial: Option<u64>) -> Verdict {
    let steps = steps_on(history, key);
    let all: Seen = std::array::from_fn(|thread| steps[thread].len() as u32);
    let start = (Seen::default(), initial);
    let mut been = HashSet::from([start]);
    let mut open = vec![start];
    let mut furthest = start;
    let mut fault = None;
    loop {
        let Some((done, value)) = open.pop() else {
            fault = Some(report(&steps, furthest, been.len()));
            break;
        };
        if done == all {
            break;
        }
        if done.iter().sum::<u32>() > furthest.0.iter().sum() {
            furthest = (done, value);
        }
        for thread in 0..THREADS {
            let Some(step) = steps[thread].get(done[thread] as usize) else {
                continue;
            };
            let may_be_next = done.iter().zip(&step.seen).all(|(done, seen)| done >= seen);
            if may_be_next && step.effect.before.is_none_or(|before| before == value) {
                let mut done = done;
                done[thread] += 1;
                let next = (done, step.effect.after);
                if been.insert(next) {
                    open.push(next);
                }
            }
        }
    }
    Verdict {
        calls: all.iter().sum::<u32>() as usize,
        overlapping: overlapping(&steps),
        places: been.len(),
        fault,
    }
}

/// How far the search came, and what did not fit there.
fn report(steps: &[Vec<Step>; THREADS], furthest: (Seen, Option<u64>), places: usize) -> String {
    let (done, value) = furthest;
    let mut text =
        format!("no order of these calls after {places} places; furthest: {done:?} done");
    writeln!(text, ", value {value:x?}").expect("writing to a string");
    for (thread, steps) in steps.iter().enumerate() {
        for (place, step) in steps.iter().enumerate() {
            let stuck = if place as u32 == done[thread] {
                "->"
            } else {
                "  "
            };
            let Effect { before, after, .. } = step.effect;
            writeln!(
                text,
                "{stuck} thread {thread} call {place} after {:?}: {} {before:x?} -> {after:x?}",
                step.seen, step.name
            )
            .expect("writing to a string");
        }
    }
    text
}
