//! Decides whether a history is linearizable: whether there is a sequential order of all
//! calls that explains every result, and in which no call comes before one that had ended
//! when it began (Herlihy and Wing 1990). The calls on each key can be checked separately,
//! since linearizability is local; calls that read several keys at one moment are checked
//! together with all others.
//!
//! The search is that of Wing and Gong (1993), with Lowe's memory of visited states (2017): a
//! state is how many calls of each thread are already ordered, and the values that the keys
//! have then. Values are unique, so that few calls fit each state.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::history::{Call, Effect, History, Seen, THREADS};

/// A call, and its effects at one moment.
struct Step {
    name: &'static str,
    effects: Vec<Effect>,
    /// How many of each thread's steps must come before it.
    seen: Seen,
}

/// The steps of each thread.
type Steps = [Vec<Step>; THREADS];

/// Values of the keys, by their numbers.
type Values<const N: usize> = [Option<u64>; N];

/// The result of a search.
pub(crate) struct Verdict {
    pub(crate) calls: usize,
    /// How many calls overlap one of another thread.
    pub(crate) overlapping: usize,
    /// How many states the search has visited.
    pub(crate) places: usize,
    /// A report if there is no such order; `None` if there is one.
    pub(crate) fault: Option<String>,
}

/// The calls with an effect on a key, which is number 0 here.
fn steps_on(history: &History, key: usize) -> Steps {
    let on_key = |effect: &&Effect| effect.key == key;
    let places: [Vec<u32>; THREADS] = std::array::from_fn(|thread| {
        let calls = (0u32..).zip(&history[thread]);
        let calls = calls.filter(|(_, call)| call.effects.iter().any(|e| on_key(&e)));
        calls.map(|(place, _)| place).collect()
    });
    std::array::from_fn(|thread| {
        let steps = places[thread].iter().map(|place| {
            let call = &history[thread][*place as usize];
            let effects = call.effects.iter().filter(on_key);
            Step {
                name: call.name,
                effects: effects.map(|effect| Effect { key: 0, ..*effect }).collect(),
                seen: std::array::from_fn(|other| {
                    places[other].partition_point(|place| *place < call.seen[other]) as u32
                }),
            }
        });
        steps.collect()
    })
}

fn all_steps(history: &History) -> Steps {
    let step = |call: &Call| Step {
        name: call.name,
        effects: call.effects.clone(),
        seen: call.seen,
    };
    std::array::from_fn(|thread| history[thread].iter().map(step).collect())
}

/// Counts the steps that overlap a step of another thread.
fn overlapping(steps: &Steps) -> usize {
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

/// Searches for an order of the calls on a key with a given initial value.
pub(crate) fn linearize(history: &History, key: usize, initial: Option<u64>) -> Verdict {
    search(&steps_on(history, key), [initial])
}

/// Searches for an order of all calls, in which each call has all its effects at one moment.
pub(crate) fn linearize_whole<const N: usize>(history: &History, initial: Values<N>) -> Verdict {
    search(&all_steps(history), initial)
}

/// The values after a step, if its result agrees with those before.
fn after<const N: usize>(step: &Step, mut values: Values<N>) -> Option<Values<N>> {
    for effect in &step.effects {
        let value = &mut values[effect.key];
        if effect.before.is_some_and(|before| before != *value) {
            return None;
        }
        *value = effect.after;
    }
    Some(values)
}

fn search<const N: usize>(steps: &Steps, initial: Values<N>) -> Verdict {
    let all: Seen = std::array::from_fn(|thread| steps[thread].len() as u32);
    let start = (Seen::default(), initial);
    let mut been = HashSet::from([start]);
    let mut open = vec![start];
    let mut furthest = start;
    let mut fault = None;
    loop {
        let Some((done, values)) = open.pop() else {
            fault = Some(report(steps, furthest, been.len()));
            break;
        };
        if done == all {
            break;
        }
        if done.iter().sum::<u32>() > furthest.0.iter().sum() {
            furthest = (done, values);
        }
        for thread in 0..THREADS {
            let Some(step) = steps[thread].get(done[thread] as usize) else {
                continue;
            };
            let may_be_next = done.iter().zip(&step.seen).all(|(done, seen)| done >= seen);
            if may_be_next && let Some(values) = after(step, values) {
                let mut done = done;
                done[thread] += 1;
                if been.insert((done, values)) {
                    open.push((done, values));
                }
            }
        }
    }
    Verdict {
        calls: all.iter().sum::<u32>() as usize,
        overlapping: overlapping(steps),
        places: been.len(),
        fault,
    }
}

/// Describes how far the search came, and which calls did not fit there.
fn report<const N: usize>(steps: &Steps, furthest: (Seen, Values<N>), places: usize) -> String {
    let (done, values) = furthest;
    let mut text =
        format!("no order of these calls after {places} places; furthest: {done:?} done");
    writeln!(text, ", values {values:x?}").expect("writing to a string");
    for (thread, steps) in steps.iter().enumerate() {
        for (place, step) in steps.iter().enumerate() {
            let stuck = if place as u32 == done[thread] {
                "->"
            } else {
                "  "
            };
            let Step {
                name,
                effects,
                seen,
            } = step;
            write!(
                text,
                "{stuck} thread {thread} call {place} after {seen:?}: {name}"
            )
            .expect("writing to a string");
            for Effect { key, before, after } in effects {
                write!(text, ", key {key} {before:x?} -> {after:x?}").expect("writing to a string");
            }
            text.push('\n');
        }
    }
    text
}
