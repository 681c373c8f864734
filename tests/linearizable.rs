//! Operations on one key are linearizable. Short dense histories of calls of all kinds run on
//! few keys, whose neighbours are inserted and removed so that leaves split, empty and are
//! unlinked, and groups of long keys become layers and are removed. For each key there must
//! be an order of all calls that explains every result.
//!
//! `make check-lin HISTORIES=n` checks `n` histories in both builds. A history's number
//! determines what its threads do; it is printed when no such order exists. `SEED=number
//! HISTORIES=1 REPEATS=1000` runs that history again 1000 times, since the threads do not
//! interleave in the same way each time.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use masstree::{Tree, TreeOptions, Values};
use support::actor::Actor;
use support::history::{self, Call, Clock, Effect, History, Log, Seen, THREADS};
use support::linearize::{Verdict, linearize, linearize_whole};
use support::plan::{Field, MOST_HOT, Plan};
use support::{Random, assert_sound, from_environment};

/// Counts of the histories of a run and of the calls in them.
#[derive(Default)]
struct Totals {
    histories: usize,
    calls: usize,
    overlapping: usize,
    places: usize,
}

impl Totals {
    #[track_caller]
    fn add(&mut self, verdict: Verdict, of: &str) {
        if let Some(fault) = verdict.fault {
            panic!("{of}: {fault}");
        }
        self.calls += verdict.calls;
        self.overlapping += verdict.overlapping;
        self.places += verdict.places;
    }
}

/// Prints the plan when the thread that runs it panics.
struct Named<'p>(&'p Plan);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

/// Runs a plan once and checks its history.
fn run(plan: &Plan, totals: &mut Totals) {
    let options = TreeOptions {
        values: match plan.bytes {
            true => Values::BYTES,
            false => Values::words(None),
        },
        ..TreeOptions::default()
    };
    let _named = Named(plan);
    let tree = Tree::with_options(&options).expect("memory for a tree");
    let field = Field::new(plan, &tree);
    let initial = field.fill();
    let clock = match plan.own_clocks {
        true => Clock::own(),
        false => Clock::shared(),
    };
    let started = AtomicUsize::new(0);
    let logs: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.threads)
            .map(|id| {
                let (field, clock, started) = (&field, &clock, &started);
                scope.spawn(move || {
                    let mut actor = Actor::new(field, Log::new(clock, id), id);
                    started.fetch_add(1, Ordering::Relaxed);
                    // Not a barrier: its threads wake up one after the other.
                    while started.load(Ordering::Relaxed) < plan.threads {
                        thread::yield_now();
                    }
                    for _ in 0..plan.calls {
                        actor.act();
                    }
                    actor.log
                })
            })
            .collect();
        let logs = threads.into_iter().map(|thread| thread.join());
        logs.map(|log| log.expect("a thread ended well")).collect()
    });
    let logs = with_last_look(logs, &field, &clock);
    let history = history::history(logs);
    totals.histories += 1;
    if plan.whole {
        let mut values = [None; MOST_HOT];
        values[..initial.len()].copy_from_slice(&initial);
        totals.add(linearize_whole(&history, values), "all keys");
    }
    for (key, initial) in initial.into_iter().enumerate() {
        totals.add(
            linearize(&history, key, initial),
            &format!("key {key}, at first {initial:x?}"),
        );
    }
    assert_sound(&tree);
}

/// Adds the log of a thread that reads every key after all others are done.
fn with_last_look<'c>(mut logs: Vec<Log<'c>>, field: &Field<'_>, clock: &'c Clock) -> Vec<Log<'c>> {
    let mut last = Actor::new(field, Log::new(clock, logs.len()), logs.len());
    last.look_at_all();
    logs.push(last.log);
    logs
}

#[test]
fn histories_are_linearizable() {
    let histories = from_environment("HISTORIES", 2000);
    let repeats = from_environment("REPEATS", 1);
    let seed = from_environment("SEED", 1);
    let mut totals = Totals::default();
    let mut numbers = seed..;
    // Ends: at last two threads call at once.
    while numbers.start < seed + histories || totals.overlapping == 0 {
        let plan = Plan::new(numbers.next().expect("there are numbers enough"));
        (0..repeats).for_each(|_| run(&plan, &mut totals));
    }
    println!(
        "{} histories from SEED={seed} on: {} calls, {} overlapping another on the same key \
         or keys, {} places searched",
        totals.histories, totals.calls, totals.overlapping, totals.places
    );
}

/// A call that began when `seen` calls of each thread were over.
fn call(seen: [u32; 3], before: Option<u64>, after: Option<u64>) -> Call {
    let mut all = Seen::default();
    all[..3].copy_from_slice(&seen);
    Call {
        name: "call",
        seen: all,
        effects: vec![Effect::wrote(0, before, after)],
    }
}

fn of_threads<const N: usize>(calls: [Vec<Call>; N]) -> History {
    let mut history = History::default();
    for (thread, calls) in calls.into_iter().enumerate() {
        history[thread] = calls;
    }
    history
}

#[track_caller]
fn assert_refused(history: &History, initial: Option<u64>) {
    assert!(linearize(history, 0, initial).fault.is_some());
}

#[track_caller]
fn assert_accepted(history: &History, initial: Option<u64>) {
    assert_eq!(linearize(history, 0, initial).fault, None);
}

#[test]
fn a_lost_update_is_refused() {
    let history = of_threads([
        vec![call([0; 3], Some(1), Some(2))],
        vec![call([0; 3], Some(1), Some(3))],
    ]);
    assert_refused(&history, Some(1));
}

#[test]
fn two_successful_inserts_of_a_key_are_refused() {
    let history = of_threads([
        vec![call([0; 3], None, Some(2))],
        vec![call([0; 3], None, Some(3))],
    ]);
    assert_refused(&history, None);
    let removed = call([0; 3], Some(2), None);
    assert_accepted(
        &of_threads([history[0].clone(), history[1].clone(), vec![removed]]),
        None,
    );
}

#[test]
fn a_read_of_a_value_overwritten_earlier_is_refused() {
    let read_after = |seen| {
        of_threads([
            vec![call([0; 3], Some(1), Some(2))],
            vec![call(seen, Some(1), Some(1))],
        ])
    };
    assert_refused(&read_after([1, 0, 0]), Some(1));
    assert_accepted(&read_after([0, 0, 0]), Some(1));
}

#[test]
fn an_acknowledged_insert_that_is_not_found_is_refused() {
    let history = of_threads([vec![
        call([0; 3], None, Some(7)),
        call([1, 0, 0], None, None),
    ]]);
    assert_refused(&history, None);
}

#[test]
fn reads_that_see_two_writes_in_different_orders_are_refused() {
    let writers = [
        vec![call([0; 3], Some(1), Some(2))],
        vec![call([0; 3], Some(2), Some(3))],
    ];
    let reader = |first, second| {
        vec![
            call([0; 3], Some(first), Some(first)),
            call([0, 0, 1], Some(second), Some(second)),
        ]
    };
    let [one, two] = writers;
    assert_refused(
        &of_threads([one.clone(), two.clone(), reader(3, 2)]),
        Some(1),
    );
    assert_accepted(&of_threads([one, two, reader(2, 3)]), Some(1));
}

#[test]
fn a_value_that_no_thread_wrote_is_refused() {
    assert_refused(&of_threads([vec![call([0; 3], Some(9), Some(9))]]), Some(1));
}

#[test]
fn a_key_that_comes_back_after_a_clear_is_refused() {
    let mut cleared = call([0; 3], None, None);
    cleared.effects = vec![Effect::overwrote(0, None)];
    let read_after = |seen| of_threads([vec![cleared.clone()], vec![call(seen, Some(1), Some(1))]]);
    assert_refused(&read_after([1, 0, 0]), Some(1));
    assert_accepted(&read_after([0, 0, 0]), Some(1));
}

#[test]
fn calls_on_other_keys_only_contribute_their_order() {
    let mut elsewhere = call([0; 3], Some(5), Some(6));
    elsewhere.effects = vec![Effect::wrote(1, Some(5), Some(6))];
    // The write to key 0 is the second call of its thread.
    let read_after = |seen| {
        of_threads([
            vec![elsewhere.clone(), call([1, 0, 0], Some(1), Some(2))],
            vec![call(seen, Some(1), Some(1))],
        ])
    };
    assert_accepted(&read_after([1, 0, 0]), Some(1));
    assert_refused(&read_after([2, 0, 0]), Some(1));
}

/// A cursor that reports "after 0 comes 2" although 1 was put before 2.
#[test]
fn a_cursor_that_mixes_two_moments_is_refused() {
    let put = |key, seen| Call {
        effects: vec![Effect::wrote(key, None, Some(7))],
        ..call(seen, None, None)
    };
    let cursor = Call {
        effects: vec![Effect::saw(1, None), Effect::saw(2, Some(7))],
        ..call([0; 3], None, None)
    };
    let history = |writer| of_threads([writer, vec![cursor.clone()]]);
    let wrong = history(vec![put(1, [0; 3]), put(2, [1, 0, 0])]);
    assert!(linearize_whole(&wrong, [None; 3]).fault.is_some());
    (0..3).for_each(|key| assert_eq!(linearize(&wrong, key, None).fault, None));
    let right = history(vec![put(2, [0; 3]), put(1, [1, 0, 0])]);
    assert_eq!(linearize_whole(&right, [None; 3]).fault, None);
}

/// Results of a correct map are accepted, whichever calls overlap, and refused after one
/// result is changed.
#[test]
fn histories_of_a_correct_map_are_accepted_until_a_result_is_changed() {
    let mut random = Random(from_environment("SEED", 1) as u64);
    for _ in 0..from_environment("HISTORIES", 2000) {
        let mut history = History::default();
        let mut value = None;
        let mut over = Seen::default();
        for turn in 0..60 {
            let thread = random.below(THREADS);
            let after = match random.below(3) {
                0 => None,
                1 => value,
                _ => Some(turn),
            };
            // It may have begun a while ago, but after its thread's previous call.
            let own = history[thread]
                .last()
                .map_or(Seen::default(), |call| call.seen);
            let mut seen: Seen = std::array::from_fn(|i| {
                let room = (over[i] - own[i]) as usize;
                own[i] + random.below(room.min(3) + 1).max(room.saturating_sub(3)) as u32
            });
            seen[thread] = over[thread];
            history[thread].push(Call {
                name: "call",
                seen,
                effects: vec![Effect::wrote(0, value, after)],
            });
            over[thread] += 1;
            value = after;
        }
        assert_accepted(&history, None);
        let thread = random.below(THREADS);
        let changed = random.below(history[thread].len().max(1));
        if let Some(call) = history[thread].get_mut(changed) {
            call.effects[0].before = Some(Some(1000));
            assert_refused(&history, None);
        }
    }
}
