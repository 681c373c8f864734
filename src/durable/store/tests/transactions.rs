//! Transactions: what they read and write, what refuses them, and that they are serializable.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;
use crate::durable::io::memory::Random;
use crate::index::tree::Bound;
use crate::protocol::{Line, models};
use crate::versioned::Kind;

fn begin(store: &Store) -> Transaction<'_> {
    Transaction::begin(store, TransactionOptions::default()).unwrap()
}

fn begin_with(store: &Store, isolation: Isolation) -> Transaction<'_> {
    let options = TransactionOptions {
        isolation,
        ..TransactionOptions::default()
    };
    Transaction::begin(store, options).unwrap()
}

fn seen<'s>(of: &mut Transaction<'s>, tree: &'s StoreTree, key: &[u8]) -> Option<Vec<u8>> {
    let seen = of.get(tree, key).unwrap();
    seen.map(|seen| seen.bytes.to_vec())
}

fn scanned<'s>(
    of: &mut Transaction<'s>,
    tree: &'s StoreTree,
    range: Range<'_>,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut walk = Walk::new(tree, range, of.store().source());
    let mut found = Vec::new();
    while of.advance(&mut walk).unwrap() {
        let (key, seen) = walk.item().unwrap();
        found.push((key.to_vec(), seen.bytes.to_vec()));
    }
    found
}

fn with_prefix(prefix: &[u8]) -> Range<'_> {
    Range {
        prefix,
        ..Range::all()
    }
}

#[test]
fn a_transaction_sees_its_snapshot_and_its_own_writes() {
    let store = in_memory();
    let (tree, other) = (tree_named(&store, "t"), tree_named(&store, "other"));
    let first = put(&store, tree, b"a", b"1");
    let mut transaction = begin(&store);
    put(&store, tree, b"a", b"2");
    put(&store, tree, b"b", b"2");
    let read = transaction.get(tree, b"a").unwrap().unwrap();
    assert_eq!((read.number, read.bytes), (first, &b"1"[..]));
    assert_eq!(seen(&mut transaction, tree, b"b"), None);
    transaction.put(tree, b"c", b"own").unwrap();
    transaction.put(other, b"a", b"other").unwrap();
    let read = transaction.get(tree, b"c").unwrap().unwrap();
    assert_eq!((read.number, read.bytes), (0, &b"own"[..]));
    assert!(!transaction.insert(tree, b"c", b"").unwrap());
    assert!(transaction.remove(tree, b"c").unwrap());
    assert!(!transaction.remove(tree, b"c").unwrap());
    assert!(transaction.insert(tree, b"c", b"again").unwrap());
    assert_eq!(get(tree, b"c"), None);
    assert_eq!(transaction.commit(), Ok(Ending::Conflict));
    let conflict = transaction.conflict().unwrap();
    assert_eq!((conflict.tree.number(), &conflict.key[..]), (1, &b"a"[..]));
    assert_eq!(get(tree, b"c"), None);
    assert_eq!(transaction.get(tree, b"a").err(), Some(StoreFault::Ended));
    transaction.restart().unwrap();
    assert!(transaction.conflict().is_none());
    assert_eq!(seen(&mut transaction, tree, b"a"), Some(b"2".to_vec()));
    transaction.put(tree, b"c", b"own").unwrap();
    transaction.put(other, b"a", b"other").unwrap();
    let Ok(Ending::Done(number)) = transaction.commit() else {
        panic!("it is not refused");
    };
    assert_eq!(store.last_commit(), number);
    assert_eq!(get(tree, b"c"), Some(b"own".to_vec()));
    assert_eq!(get(other, b"a"), Some(b"other".to_vec()));
    assert_eq!(transaction.commit(), Err(StoreFault::Ended));
    check(tree);
}

#[test]
fn a_rename_moves_a_value() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    put(&store, tree, b"a", b"1");
    put(&store, tree, b"b", b"2");
    let mut transaction = begin(&store);
    let mut rename =
        |from: &[u8], to: &[u8], replaces| transaction.rename(tree, from, to, replaces).unwrap();
    assert_eq!(rename(b"c", b"d", false), Moved::NoSource);
    assert_eq!(rename(b"a", b"b", false), Moved::TargetExists);
    assert_eq!(rename(b"a", b"a", false), Moved::Done);
    assert_eq!(rename(b"a", b"b", true), Moved::Done);
    assert_eq!(rename(b"b", b"c", false), Moved::Done);
    assert!(matches!(transaction.commit(), Ok(Ending::Done(_))));
    assert_eq!(content(tree), [(b"c".to_vec(), b"1".to_vec())]);
}

/// Put back: take the bytes from a version that is visible at no snapshot, such as the newest.
#[test]
fn what_was_read_stays_readable() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    for index in 0..100u8 {
        put(&store, tree, &[index], &[index; 100]);
    }
    let mut transaction = begin(&store);
    let mut walk = Walk::new(tree, Range::all(), store.source());
    assert!(transaction.advance(&mut walk).unwrap());
    let first = walk.item().unwrap().1.bytes;
    for round in 0..50 {
        for index in 0..100u8 {
            put(&store, tree, &[index], &[round; 100]);
        }
    }
    assert_eq!(first, [0; 100]);
    let mut count = 1u8;
    while transaction.advance(&mut walk).unwrap() {
        assert_eq!(walk.item().unwrap().1.bytes, [count; 100]);
        count += 1;
    }
    assert_eq!(count, 100);
}

/// The rest of a scan has what the transaction writes meanwhile.
///
/// Put back: keep the next written key over a write.
#[test]
fn a_scan_goes_on_after_a_write() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    for key in [b"a", b"b", b"f", b"g", b"k", b"p"] {
        put(&store, tree, key, b"");
    }
    for reverse in [false, true] {
        let mut transaction = begin(&store);
        let range = Range {
            reverse,
            ..Range::all()
        };
        let mut walk = Walk::new(tree, range, store.source());
        let mut found = Vec::new();
        while transaction.advance(&mut walk).unwrap() {
            let key = walk.item().unwrap().0.to_vec();
            if key == b"f" {
                transaction.put(tree, b"e", b"").unwrap();
                transaction.put(tree, b"h", b"").unwrap();
                transaction.remove(tree, b"b").unwrap();
                transaction.remove(tree, b"k").unwrap();
            }
            found.extend(key);
        }
        match reverse {
            false => assert_eq!(found, b"abfghp"),
            true => assert_eq!(found, b"pkgfea"),
        }
    }
}

/// A random range over one-byte keys.
fn random_range<'k>(random: &mut Random, keys: &'k [[u8; 1]]) -> Range<'k> {
    let bound = |random: &mut Random| match random.below(3) {
        0 => Bound::Open,
        1 => Bound::Included(&keys[random.below(keys.len())][..]),
        _ => Bound::Excluded(&keys[random.below(keys.len())][..]),
    };
    let mut range = Range {
        lower: bound(random),
        upper: bound(random),
        prefix: match random.below(6) {
            0 => &keys[random.below(keys.len())][..],
            _ => b"",
        },
        limit: match random.below(3) {
            0 => 1 + random.below(6),
            _ => usize::MAX,
        },
        reverse: random.below(2) == 0,
        values_only: false,
    };
    if range.is_reversed() {
        std::mem::swap(&mut range.lower, &mut range.upper);
    }
    range
}

/// Against a model: scans in both directions over the snapshot and own writes, of which there are many.
///
/// Put back: pass both of two equal keys; leave out own keys behind the last of the snapshot.
#[test]
fn scans_merge_the_snapshot_with_own_writes() {
    let keys: Vec<[u8; 1]> = (0..40).map(|key| [key]).collect();
    for seed in 0..60 {
        let store = in_memory();
        let tree = tree_named(&store, "t");
        let mut random = Random(seed);
        let mut model = BTreeMap::new();
        for _ in 0..random.below(60) {
            let key = keys[random.below(40)];
            put(&store, tree, &key, &key);
            model.insert(key.to_vec(), key.to_vec());
        }
        let mut transaction = begin(&store);
        for step in 0..120u8 {
            let key = keys[random.below(40)].to_vec();
            match random.below(4) {
                0 => {
                    transaction.put(tree, &key, &[step]).unwrap();
                    model.insert(key, vec![step]);
                }
                1 => {
                    let removed = transaction.remove(tree, &key).unwrap();
                    assert_eq!(removed, model.remove(&key).is_some());
                }
                2 => assert_eq!(seen(&mut transaction, tree, &key), model.get(&key).cloned()),
                _ => {
                    let range = random_range(&mut random, &keys);
                    let is_below = |key: &Vec<u8>| match range.lower {
                        Bound::Open => false,
                        Bound::Included(lower) => key[..] < *lower,
                        Bound::Excluded(lower) => key[..] <= *lower,
                    };
                    let is_above = |key: &Vec<u8>| match range.upper {
                        Bound::Open => false,
                        Bound::Included(upper) => key[..] > *upper,
                        Bound::Excluded(upper) => key[..] >= *upper,
                    };
                    let mut expected: Vec<_> = (model.clone().into_iter())
                        .filter(|(key, _)| !is_below(key) && !is_above(key))
                        .filter(|(key, _)| key.starts_with(range.prefix))
                        .collect();
                    if range.reverse {
                        expected.reverse();
                    }
                    expected.truncate(range.limit);
                    let found = scanned(&mut transaction, tree, range);
                    assert_eq!(found, expected, "seed {seed}, {range:?}");
                }
            }
        }
        assert!(matches!(transaction.commit(), Ok(Ending::Done(_))));
        assert_eq!(content(tree), model.into_iter().collect::<Vec<_>>());
        check(tree);
    }
}

/// Two transactions that read both keys, and write one each.
#[test]
fn a_write_skew_is_refused() {
    models::check(&[Line::ReadsAreValidated], || {
        let store = in_memory();
        let tree = tree_named(&store, "t");
        let (mut one, mut two) = (begin(&store), begin(&store));
        for of in [&mut one, &mut two] {
            assert_eq!(seen(of, tree, b"a"), None);
            assert_eq!(seen(of, tree, b"b"), None);
        }
        one.put(tree, b"a", b"1").unwrap();
        two.put(tree, b"b", b"2").unwrap();
        assert!(matches!(one.commit(), Ok(Ending::Done(_))));
        assert_eq!(two.commit(), Ok(Ending::Conflict));
        assert_eq!(&two.conflict().unwrap().key[..], b"a");
    });
}

/// Snapshot isolation lets it pass: only what is written is validated.
#[test]
fn snapshot_isolation_refuses_only_writes_of_the_same_key() {
    models::check(&[Line::WrittenAreUnchanged], || {
        let store = in_memory();
        let tree = tree_named(&store, "t");
        put(&store, tree, b"c", b"");
        let mut of = [(); 4].map(|()| begin_with(&store, Isolation::Snapshot));
        for (of, key) in of.iter_mut().zip([b"a", b"b", b"b", b"c"]) {
            assert_eq!(seen(of, tree, b"a"), None);
            assert!(scanned(of, tree, Range::all()).len() == 1);
            of.put(tree, key, b"1").unwrap();
        }
        pinned(tree, |pin| {
            _ = store.remove(tree, pin, b"c", Condition::None).unwrap();
        });
        let [mut a, mut b, mut b_again, mut c] = of;
        assert!(matches!(a.commit(), Ok(Ending::Done(_))));
        assert!(matches!(b.commit(), Ok(Ending::Done(_))));
        assert_eq!(b_again.commit(), Ok(Ending::Conflict));
        assert_eq!(&b_again.conflict().unwrap().key[..], b"b");
        assert_eq!(c.commit(), Ok(Ending::Conflict));
    });
}

#[test]
fn a_lost_update_is_refused() {
    models::check(&[Line::WrittenAreUnchanged], || {
        let store = in_memory();
        let tree = tree_named(&store, "t");
        let (mut one, mut two) = (begin(&store), begin(&store));
        for of in [&mut one, &mut two] {
            assert!(of.insert(tree, b"a", b"").unwrap());
        }
        assert!(matches!(one.commit(), Ok(Ending::Done(_))));
        assert_eq!(two.commit(), Ok(Ending::Conflict));
        // Without a read, the later write wins.
        let (mut one, mut two) = (begin(&store), begin(&store));
        one.put(tree, b"a", b"1").unwrap();
        two.put(tree, b"a", b"2").unwrap();
        assert!(matches!(two.commit(), Ok(Ending::Done(_))));
        assert!(matches!(one.commit(), Ok(Ending::Done(_))));
        assert_eq!(get(tree, b"a"), Some(b"1".to_vec()));
    });
}

/// Each of two transactions adds a key to a range that the other has found without it.
#[test]
fn phantoms_are_refused() {
    models::check(&[Line::RangesAreValidated], || {
        let store = in_memory();
        let tree = tree_named(&store, "t");
        for key in [b"a1", b"b1", b"b2", b"b3", b"b9", b"c1"] {
            put(&store, tree, key, b"");
        }
        let change = |change: &dyn Fn(), range: Range<'_>| {
            let mut transaction = begin(&store);
            scanned(&mut transaction, tree, range);
            transaction.put(tree, b"result", b"").unwrap();
            change();
            transaction.commit().unwrap()
        };
        let insert = |key: &'static [u8]| {
            move |store: &Store| _ = put(store, tree_named(store, "t"), key, b"x")
        };
        let refused =
            |key: &'static [u8], range| change(&|| insert(key)(&store), range) == Ending::Conflict;
        assert!(refused(b"b5", with_prefix(b"b")));
        assert!(refused(b"b2", with_prefix(b"b")));
        assert!(!refused(b"a5", with_prefix(b"b")));
        assert!(!refused(b"c0", with_prefix(b"b")));
        // Of a scan that ends at its limit, only what it has read counts.
        let limited = |limit, reverse| Range {
            limit,
            reverse,
            ..with_prefix(b"b")
        };
        assert!(refused(b"b1", limited(2, false)));
        assert!(refused(b"b2", limited(2, false)));
        assert!(!refused(b"b25", limited(2, false)));
        assert!(refused(b"b95", limited(2, true)));
        assert!(!refused(b"b3", limited(2, true)));
        let removal = || {
            pinned(tree, |pin| {
                _ = store.remove(tree, pin, b"b3", Condition::None).unwrap();
            })
        };
        assert_eq!(change(&removal, with_prefix(b"b")), Ending::Conflict);
    });
}

/// Another commit comes between the first validation and the number.
#[test]
fn what_changes_before_the_number_is_found() {
    models::check(&[Line::ValidatedAfterNumber], || {
        let store = in_memory();
        let tree = tree_named(&store, "t");
        put(&store, tree, b"a", b"1");
        for reads_range in [false, true] {
            let mut transaction = begin(&store);
            match reads_range {
                true => _ = scanned(&mut transaction, tree, with_prefix(b"a")),
                false => _ = seen(&mut transaction, tree, b"a"),
            }
            transaction.put(tree, b"b", b"").unwrap();
            let ended = transaction.commit_between(|| _ = put(&store, tree, b"a", b"2"));
            assert_eq!(ended, Ok(Ending::Conflict));
            assert_eq!(get(tree, b"b"), None);
        }
        // Another one that changes nothing that was read refuses nothing.
        let mut transaction = begin(&store);
        seen(&mut transaction, tree, b"a");
        transaction.put(tree, b"b", b"").unwrap();
        let ended = transaction.commit_between(|| _ = put(&store, tree, b"c", b"2"));
        assert!(matches!(ended, Ok(Ending::Done(_))));
    });
}

/// A commit has taken a lower number, and is not installed when the transaction has taken its own.
#[test]
fn commits_with_lower_numbers_are_awaited() {
    models::check(&[Line::LowerAreInstalled], || {
        for _ in 0..100 {
            let store = in_memory();
            let tree = tree_named(&store, "t");
            let mut transaction = begin(&store);
            seen(&mut transaction, tree, b"a");
            transaction.put(tree, b"b", b"").unwrap();
            let is_taken = AtomicBool::new(false);
            let other_takes = || {
                let size = 64;
                let place = store.log().reserve(size).unwrap().take();
                is_taken.store(true, Ordering::Release);
                for _ in 0..50 {
                    thread::yield_now();
                }
                pinned(tree, |pin| {
                    let of = tree.versioned();
                    let new = of.prepare(pin, Kind::Value, b"").unwrap();
                    let number = || place.number();
                    let committed = of.commit(pin, b"a", new, |_| Ok::<_, ()>(()), number);
                    place.fill(RecordKind::Void as u8, |_| ());
                    drop(committed);
                });
            };
            let ended = thread::scope(|scope| {
                transaction.commit_between(|| {
                    scope.spawn(other_takes);
                    while !is_taken.load(Ordering::Acquire) {
                        thread::yield_now();
                    }
                })
            });
            assert_eq!(ended, Ok(Ending::Conflict));
        }
    });
}

#[test]
fn limits_and_isolation_refuse_operations() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    let options = TransactionOptions {
        most_bytes: 4096,
        ..TransactionOptions::default()
    };
    let mut transaction = Transaction::begin(&store, options).unwrap();
    assert_eq!(
        transaction.put(tree, b"a", &[0; 5000]),
        Err(StoreFault::TooLarge)
    );
    let mut fits = 0u32;
    while transaction.put(tree, &fits.to_be_bytes(), b"value").is_ok() {
        fits += 1;
    }
    assert!(fits > 10);
    assert_eq!(
        transaction.get(tree, b"other").err(),
        Some(StoreFault::TooLarge)
    );
    assert!(matches!(transaction.commit(), Ok(Ending::Done(_))));
    assert_eq!(content(tree).len(), fits as usize);

    let mut reader = begin_with(&store, Isolation::ReadOnly);
    put(&store, tree, b"later", b"");
    assert_eq!(
        scanned(&mut reader, tree, Range::all()).len(),
        fits as usize
    );
    assert_eq!(reader.put(tree, b"a", b""), Err(StoreFault::ReadOnly));
    let number = reader.number().unwrap();
    assert_eq!(reader.commit(), Ok(Ending::Done(number)));
}

/// What a transaction has read and written: `None` is absent.
#[derive(Default)]
struct Trace {
    number: u64,
    has_written: bool,
    reads: Vec<(usize, Vec<u8>, Option<Vec<u8>>)>,
    scans: Vec<(usize, Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>)>,
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
        trees.map(check);
    }
}

const ACCOUNTS: usize = 8;

/// Put back: leave out a sum's validation, or that of what is written.
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

/// Put back: leave the changes of an aborted record in it.
#[test]
fn a_refused_transaction_is_not_in_the_log() {
    let disk = Disk::default();
    {
        let store = Store::open(on(&disk)).unwrap();
        let tree = tree_named(&store, "t");
        let mut transaction = begin(&store);
        seen(&mut transaction, tree, b"a");
        transaction.put(tree, b"b", b"").unwrap();
        let ended = transaction.commit_between(|| _ = put(&store, tree, b"a", b"1"));
        assert_eq!(ended, Ok(Ending::Conflict));
        transaction.restart().unwrap();
        transaction.put(tree, b"c", b"").unwrap();
        assert!(matches!(transaction.commit(), Ok(Ending::Done(_))));
        drop(transaction);
        store.close().unwrap();
    }
    let options = StoreOptions {
        is_read_only: true,
        ..on(&disk)
    };
    let store = Store::open(options).unwrap();
    let tree = tree_named(&store, "t");
    let mut transaction = begin(&store);
    let found = scanned(&mut transaction, tree, Range::all());
    assert_eq!(
        found,
        [(b"a".to_vec(), b"1".to_vec()), (b"c".to_vec(), Vec::new())]
    );
    assert_eq!(transaction.put(tree, b"d", b""), Err(StoreFault::ReadOnly));
    assert!(matches!(transaction.commit(), Ok(Ending::Done(_))));
}
