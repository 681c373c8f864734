//! Histories of transactions that run beside each other are serializable.

use std::collections::BTreeMap;
use std::thread;

use super::*;
use crate::durable::io::memory::Random;

/// Keys and their values.
type Content = Vec<(Vec<u8>, Vec<u8>)>;

/// What a transaction has read and written: `None` is absent.
#[derive(Default)]
struct Trace {
    number: u64,
    has_written: bool,
    reads: Vec<(usize, Vec<u8>, Option<Vec<u8>>)>,
    scans: Vec<(usize, Vec<u8>, Content)>,
    writes: Vec<(usize, Vec<u8>, Option<Vec<u8>>)>,
}

/// Runs a random transaction; notes only what it has read before it wrote.
fn run<'s>(
    of: &mut Transaction<'s>,
    trees: [&'s StoreTree; 2],
    random: &mut Random,
    value: u64,
) -> Option<Trace> {
    let mut trace = Trace::default();
    for _ in 0..1 + random.below(3) {
        let tree = random.below(2);
        let key = vec![b'0' + random.below(3) as u8, random.below(4) as u8];
        match random.below(3) {
            0 => {
                let prefix = &key[..random.below(2)];
                let found = scanned(of, trees[tree], with_prefix(prefix));
                trace.scans.push((tree, prefix.to_vec(), found));
            }
            _ => {
                let found = seen(of, trees[tree], &key);
                trace.reads.push((tree, key, found));
            }
        }
    }
    for _ in 0..random.below(3) {
        let tree = random.below(2);
        let key = vec![b'0' + random.below(3) as u8, random.below(4) as u8];
        let new = match random.below(3) {
            0 if of.remove(trees[tree], &key).unwrap() => None,
            0 => continue,
            _ => {
                let value = value.to_le_bytes().to_vec();
                of.put(trees[tree], &key, &value).unwrap();
                Some(value)
            }
        };
        trace.writes.push((tree, key, new));
    }
    trace.has_written = !trace.writes.is_empty();
    match of.commit().unwrap() {
        Ending::Done(number) => trace.number = number,
        Ending::Conflict => return None,
    }
    Some(trace)
}

/// Checks that the transactions, in the order of their numbers, have read what those before have written.
fn check_traces(mut traces: Vec<Trace>) {
    // One that has written nothing reads after the commit with its number.
    traces.sort_by_key(|trace| (trace.number, !trace.has_written));
    let mut state = [BTreeMap::new(), BTreeMap::new()];
    for trace in traces {
        for (tree, key, found) in trace.reads {
            assert_eq!(state[tree].get(&key), found.as_ref());
        }
        for (tree, prefix, found) in trace.scans {
            let expected =
                (state[tree].iter()).filter(|(key, _): &(&Vec<u8>, _)| key.starts_with(&prefix));
            assert!(expected.eq(found.iter().map(|(key, value)| (key, value))));
        }
        for (tree, key, new) in trace.writes {
            match new {
                Some(value) => _ = state[tree].insert(key, value),
                None => _ = state[tree].remove(&key),
            }
        }
    }
}

/// Put back: leave out any of the validations.
#[test]
fn transactions_of_threads_are_serializable() {
    let disk = Disk::default();
    for store in [in_memory(), Store::open(on(&disk)).unwrap()] {
        let trees = [tree_named(&store, "one"), tree_named(&store, "two")];
        let traces: Vec<Trace> = thread::scope(|scope| {
            let threads: Vec<_> = (0..3u64)
                .map(|seed| {
                    let store = &store;
                    scope.spawn(move || {
                        let mut random = Random(seed + 77);
                        let mut transaction = begin(store);
                        let mut traces = Vec::new();
                        for round in 0..1500 {
                            transaction.restart().unwrap();
                            let value = seed << 32 | round;
                            traces.extend(run(&mut transaction, trees, &mut random, value));
                        }
                        traces
                    })
                })
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(
            traces.len() > 500,
            "{} of 4500 were committed",
            traces.len()
        );
        check_traces(traces);
        for tree in trees {
            check(tree);
        }
    }
}

const ACCOUNTS: usize = 8;

/// What is written is read by the sum, too, so either validation suffices.
///
/// Put back: leave out both that of ranges and that of what is written.
#[test]
fn a_bank_keeps_its_sum() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    for index in 0..ACCOUNTS {
        put(&store, tree, &[index as u8], &100i64.to_le_bytes());
    }
    let amount = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().unwrap());
    thread::scope(|scope| {
        for seed in 0..3 {
            let store = &store;
            scope.spawn(move || {
                let mut random = Random(seed);
                let mut transaction = begin(store);
                for _ in 0..500 {
                    let (from, to) = (random.below(ACCOUNTS), random.below(ACCOUNTS));
                    let mut backoff = Backoff::new(0);
                    // Ends: a refusal means that another commit has succeeded.
                    loop {
                        transaction.restart().unwrap();
                        let sum: i64 = (scanned(&mut transaction, tree, Range::all()).iter())
                            .map(|(_, value)| amount(value))
                            .sum();
                        assert_eq!(sum, 100 * ACCOUNTS as i64);
                        for (account, change) in [(from, -5), (to, 5)] {
                            let key = [account as u8];
                            let old = amount(&seen(&mut transaction, tree, &key).unwrap());
                            transaction
                                .put(tree, &key, &(old + change).to_le_bytes())
                                .unwrap();
                        }
                        match transaction.commit().unwrap() {
                            Ending::Done(_) => break,
                            Ending::Conflict => assert_eq!(backoff.refused(), Turn::Again),
                        }
                    }
                }
            });
        }
    });
    let sum: i64 = content(tree).iter().map(|(_, value)| amount(value)).sum();
    assert_eq!(sum, 100 * ACCOUNTS as i64);
}

#[test]
fn attempts_are_counted() {
    let mut backoff = Backoff::new(2);
    assert_eq!(backoff.refused(), Turn::Again);
    assert_eq!(backoff.refused(), Turn::Over);
}
