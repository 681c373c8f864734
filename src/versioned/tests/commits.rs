//! Single commits to a tree of a store, and loads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::oracle::{Oracle, Row, is_tombstone};
use super::store::{Store, rows};
use super::*;

/// Random commits, snapshots and trims, compared with the oracle, at the latest number and at
/// snapshots. Put back: in `none_is_open`, return true; in `begin_overwrite_in_store`, forget the snapshots.
#[test]
fn commits_are_seen_at_the_latest_number_and_at_snapshots() {
    for (seed, freeing) in (0..40).zip([Freeing::InTrims, Freeing::WhenOverwritten].iter().cycle())
    {
        let store = Store::new(*freeing, 1);
        let subject = &store.trees[0];
        let mut random = Random(seed);
        let mut oracle = Oracle::default();
        let mut snapshots: Vec<Snapshot<'_>> = Vec::new();
        for _ in 0..400 {
            match random.below(20) {
                0 if snapshots.len() < 4 => {
                    let snapshot = subject.of().snapshot().unwrap();
                    assert!(snapshot.number() >= oracle.highest);
                    snapshots.push(snapshot);
                }
                1 if !snapshots.is_empty() => {
                    let at = random.below(snapshots.len() as u64) as usize;
                    drop(snapshots.swap_remove(at));
                }
                2 => {
                    let guard = subject.guard();
                    let floor = random.below(oracle.highest + 2);
                    _ = subject.of().trim(guard.pin(), floor, 100).unwrap();
                }
                _ => {
                    let key = vec![b'a' + random.below(6) as u8; random.below(3) as usize * 8];
                    let kind = Kind::of([0, 0, 0, 1, 2][random.below(5) as usize]).unwrap();
                    let bytes = match is_tombstone(kind as u32) {
                        true => vec![],
                        false => vec![b'v'; random.below(40) as usize],
                    };
                    let number = store.commit(0, &key, kind, &bytes);
                    assert!(number > oracle.highest);
                    oracle.highest = number;
                    let versions = oracle.keys.entry(key).or_default();
                    versions.insert(number, (kind as u32, bytes));
                }
            }
            let reverse = random.below(2) == 0;
            assert_eq!(rows(subject, LATEST, reverse), oracle.all_visible(u64::MAX));
            for snapshot in &snapshots {
                let number = snapshot.number();
                assert_eq!(rows(subject, number, reverse), oracle.all_visible(number));
            }
            for key in oracle.keys.keys() {
                let expected = oracle.visible(key, u64::MAX).map(|row| row.3);
                assert_eq!(subject.value(key, LATEST), expected);
                assert_eq!(subject.value(key, MAX_NUMBER), expected);
            }
        }
        drop(snapshots);
        subject.assert_sound();
    }
}

/// Put back: in `commit`, ignore what `decide` returns, or free nothing; in `load`, insert with
/// `latest` the version's own number.
#[test]
fn a_commit_decides_by_the_newest_version_and_frees_it() {
    let store = Store::new(Freeing::WhenOverwritten, 1);
    let (subject, positions) = (&store.trees[0], &store.positions);
    let guard = subject.guard();
    let of = subject.of();
    for round in 0..100_u64 {
        let new = of.prepare(guard.pin(), Kind::Value, &round.to_ne_bytes());
        let decide = |newest: Option<Version<'_>>| {
            let expected = (round > 0).then(|| (round - 1).to_ne_bytes());
            assert_eq!(
                newest.map(Version::bytes),
                expected.as_ref().map(|of| &of[..])
            );
            Ok::<_, ()>(())
        };
        let committed = of.commit(guard.pin(), b"key", new.unwrap(), decide, || {
            Ok(positions.take(3))
        });
        let committed = committed.ok().unwrap();
        positions.fill(committed.number, 3);
        let displaced = committed.displaced.map(Version::number);
        assert_eq!(displaced, (round > 0).then(|| committed.number - 3));
        drop(committed);
        let new = of.prepare(guard.pin(), Kind::Value, b"refused").unwrap();
        let refused = of.commit(guard.pin(), b"key", new, |_| Err(round), || unreachable!());
        assert_eq!(refused.err(), Some(Uncommitted::Refused(round)));
        assert_eq!(of.counts(guard.pin()).versions, 1);
    }
    for number in [5000, 7000, 6000, 7000, 5000] {
        of.load(guard.pin(), b"loaded", Kind::Value, number, b"bytes")
            .unwrap();
    }
    assert_eq!(of.counts(guard.pin()).versions, 2);
    let loaded = of.get(guard.pin(), b"loaded", LATEST);
    assert!(matches!(loaded, Found::Version(version) if version.number() == 7000));
    let refused = of.load(guard.pin(), b"loaded", Kind::Value, MAX_COMMIT + 1, b"");
    assert_eq!(refused, Err(Refused::Number));
    drop(guard);
    subject.assert_sound();
}

/// Put back: in `admits`, ask nothing of stores; in `take_numbers` or `publish`, too.
#[test]
fn a_store_s_tree_refuses_other_writes() {
    let store = Store::new(Freeing::InTrims, 1);
    let subject = &store.trees[0];
    for number in [1, MAX_COMMIT, MAX_NUMBER] {
        let refused = subject.put(b"key", number, Kind::Value, b"");
        assert_eq!(refused, Err(Refused::InStore));
        let guard = subject.guard();
        let refused = subject.of().remove_range(guard.pin(), b"a", b"b", number);
        assert_eq!(refused, Err(Refused::InStore));
    }
    assert_eq!(subject.of().take_numbers(1), Err(GroupFault::InStore));
    assert_eq!(subject.of().publish(1), Err(GroupFault::InStore));
}

fn count(version: Version<'_>) -> u64 {
    u64::from_ne_bytes(version.bytes().try_into().unwrap())
}

/// Counts up in a random key, `left` times, by commits that refuse if another one was faster.
fn count_up(store: &Store, random: &mut Random, mut left: u64) {
    let (subject, positions) = (&store.trees[0], &store.positions);
    while left > 0 {
        let key = [b'a' + random.below(3) as u8];
        let guard = subject.guard();
        let of = subject.of();
        let before = match of.get(guard.pin(), &key, LATEST) {
            Found::Version(version) => Some((version.number(), count(version))),
            _ => None,
        };
        let next = before.map_or(1, |(_, count)| count + 1).to_ne_bytes();
        let new = of.prepare(guard.pin(), Kind::Value, &next).unwrap();
        let decide = |newest: Option<Version<'_>>| match newest.map(Version::number) {
            newest if newest == before.map(|(number, _)| number) => Ok(()),
            _ => Err(()),
        };
        match of.commit(guard.pin(), &key, new, decide, || Ok(positions.take(2))) {
            Ok(committed) => {
                positions.fill(committed.number, 2);
                left -= 1;
            }
            Err(refused) => assert_eq!(refused, Uncommitted::Refused(())),
        }
    }
}

/// Threads count up in a few keys beside snapshots, in which the sum never falls. Put back: in `commit`,
/// ignore what `decide` returns.
#[test]
fn counters_lose_no_increment() {
    const THREADS: u64 = 3;
    const ROUNDS: u64 = 4_000;
    let store = Store::new(Freeing::WhenOverwritten, 1);
    let subject = &store.trees[0];
    let running = AtomicU64::new(THREADS);
    thread::scope(|scope| {
        for seed in 0..THREADS {
            let (store, running) = (&store, &running);
            scope.spawn(move || {
                count_up(store, &mut Random(seed), ROUNDS);
                running.fetch_sub(1, Ordering::Relaxed);
            });
        }
        scope.spawn(|| {
            let mut last = 0;
            while running.load(Ordering::Relaxed) > 0 {
                let snapshot = subject.of().snapshot().unwrap();
                let seen = rows(subject, snapshot.number(), false);
                let sum = |rows: &[Row]| -> u64 {
                    let counts = rows.iter().map(|row| &row.3[..]);
                    counts
                        .map(|of| u64::from_ne_bytes(of.try_into().unwrap()))
                        .sum()
                };
                assert!(sum(&seen) >= last);
                last = sum(&seen);
                assert_eq!(rows(subject, snapshot.number(), true), seen);
            }
        });
    });
    let guard = subject.guard();
    let sum: u64 = [b"a", b"b", b"c"]
        .map(|key| match subject.of().get(guard.pin(), key, LATEST) {
            Found::Version(version) => count(version),
            _ => 0,
        })
        .iter()
        .sum();
    assert_eq!(sum, THREADS * ROUNDS);
    drop(guard);
    subject.assert_sound();
}
