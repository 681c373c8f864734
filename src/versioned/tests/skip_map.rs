//! What the tests of a skip-list memtable, coordinode-lsm-tree's `SkipMap`, ask of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::*;
use crate::index::tree::Seek;

type Place = (Vec<u8>, u64);

/// Versions in their order, of keys that are prefixes of each other.
fn places() -> Vec<Place> {
    let numbers: [(&[u8], &[u64]); 4] = [
        (b"", &[4]),
        (b"a", &[MAX_NUMBER, 9, 5, 1]),
        (b"a\0", &[7, 5]),
        (b"b", &[20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10]),
    ];
    let places = numbers.iter().flat_map(|(key, numbers)| {
        let of_key = |number: &u64| (key.to_vec(), *number);
        numbers.iter().map(of_key)
    });
    places.collect()
}

fn filled() -> Subject {
    let subject = Subject::new();
    for (key, number) in places().iter().rev() {
        subject.put(key, *number, Kind::Value, key).unwrap();
    }
    subject
}

fn scan(subject: &Subject, range: &VersionRange<'_>) -> Vec<Place> {
    let mut found = Vec::new();
    let visit = |key: &[u8], version: Version<'_>| {
        found.push((key.to_vec(), version.number()));
        ControlFlow::Continue(())
    };
    let guard = subject.guard();
    (subject.of())
        .scan_versions(guard.pin(), range, &mut 0, visit)
        .unwrap();
    found
}

fn bounds<'k>(keys: &[&'k [u8]]) -> Vec<VersionBound<'k>> {
    let mut bounds = vec![VersionBound::Open];
    for &key in keys {
        for number in [0, 1, 5, 6, 9, 15, MAX_NUMBER, LATEST] {
            bounds.push(VersionBound::Included(key, number));
            bounds.push(VersionBound::Excluded(key, number));
        }
    }
    bounds
}

/// Whether a place is at or behind (`ahead` is less), or before or at, a bound.
fn is_within(place: &Place, bound: VersionBound<'_>, is_lower: bool) -> bool {
    let (key, number, included) = match bound {
        VersionBound::Open => return true,
        VersionBound::Included(key, number) => (key, number, true),
        VersionBound::Excluded(key, number) => (key, number, false),
    };
    let order = place.0.as_slice().cmp(key).then(number.cmp(&place.1));
    let order = if is_lower { order } else { order.reverse() };
    order.is_gt() || (included && order.is_eq())
}

/// Each pair of bounds, in both directions, over a filled tree and over an empty one.
/// Put back: in `VersionRange::numbers`, treat an excluded bound as an included one, or forget
/// that it is for one key only.
#[test]
fn every_pair_of_bounds_selects_the_versions_between() {
    let (subject, empty) = (filled(), Subject::new());
    let places = places();
    let bounds = bounds(&[b"", b"a", b"a\0", b"aa", b"b", b"c"]);
    for &lower in &bounds {
        for &upper in &bounds {
            for reverse in [false, true] {
                let range = VersionRange {
                    lower,
                    upper,
                    since: 0,
                    limit: usize::MAX,
                    reverse,
                };
                if range.is_reversed() {
                    continue;
                }
                let within = places.iter().filter(|place| {
                    is_within(place, lower, true) && is_within(place, upper, false)
                });
                let mut expected: Vec<Place> = within.cloned().collect();
                if reverse {
                    expected.reverse();
                }
                assert_eq!(scan(&subject, &range), expected, "{range:?}");
                assert_eq!(scan(&empty, &range), []);
            }
        }
    }
}

fn place_of(cursor: &VersionCursor<'_, '_>, version: Version<'_>) -> Place {
    (cursor.key().unwrap().to_vec(), version.number())
}

/// From each version, in both directions, to the end.
/// Put back: in `VersionCursor::step`, look for the newer version from the newest of the list on.
#[test]
fn walks_from_every_position_reach_both_ends() {
    let subject = filled();
    let (of, guard, places) = (subject.of(), subject.guard(), places());
    for (at, (key, number)) in places.iter().enumerate() {
        for reverse in [false, true] {
            let mut expected = match reverse {
                false => places[at..].to_vec(),
                true => places[..=at].iter().rev().cloned().collect(),
            };
            let mut cursor = VersionCursor::over_versions(of, of.index().allocator(), 0);
            let seek = if reverse {
                Seek::AtMost(key)
            } else {
                Seek::AtLeast(key)
            };
            assert_eq!(cursor.seek(of, guard.pin(), seek, Some(*number)), Ok(true));
            let mut walked = Vec::new();
            loop {
                let version = cursor.version(of, guard.pin()).unwrap();
                walked.push(place_of(&cursor, version));
                if !cursor.step(of, guard.pin(), reverse).unwrap() {
                    break;
                }
            }
            assert_eq!(walked, expected);
            // And back again, from the end.
            expected.reverse();
            let mut back = vec![walked.pop().unwrap()];
            while cursor.step(of, guard.pin(), !reverse).unwrap() && back.len() < expected.len() {
                let version = cursor.version(of, guard.pin()).unwrap();
                back.push(place_of(&cursor, version));
            }
            assert_eq!(back, expected);
        }
    }
}

/// Two cursors walk towards each other, whichever takes how many steps first.
#[test]
fn walks_from_both_ends_meet() {
    let subject = filled();
    let (of, guard, places) = (subject.of(), subject.guard(), places());
    for steps in 0..=places.len() {
        let mut ends =
            [(); 2].map(|()| VersionCursor::over_versions(of, of.index().allocator(), 0));
        let mut walked = [vec![], vec![]];
        for count in 0..places.len() {
            let end = usize::from(count >= steps);
            let cursor = &mut ends[end];
            assert_eq!(cursor.step(of, guard.pin(), end == 1), Ok(true));
            let version = cursor.version(of, guard.pin()).unwrap();
            walked[end].push(place_of(cursor, version));
        }
        let [mut all, back] = walked;
        all.extend(back.into_iter().rev());
        assert_eq!(all, places);
    }
}

/// The least and the greatest number, an empty tree, and a number that a key has already.
/// Put back: in `insert_short` or `insert_long`, store a second version with an equal number.
#[test]
fn numbers_at_the_limits_and_equal_ones() {
    let subject = Subject::new();
    assert_eq!(subject.value(b"key", LATEST), None);
    assert_eq!(subject.of().counts(subject.guard().pin()).versions, 0);
    for number in [0, MAX_NUMBER + 1, LATEST] {
        let stored = subject.put(b"key", number, Kind::Value, b"");
        assert_eq!(stored, Err(Refused::Number), "{number}");
    }
    for number in [MAX_NUMBER, 1] {
        let value = number.to_string();
        for (bytes, expected) in [(value.as_bytes(), Ok(())), (b"", Err(Refused::Exists))] {
            assert_eq!(subject.put(b"key", number, Kind::Value, bytes), expected);
        }
        assert_eq!(subject.value(b"key", number), Some(value.into_bytes()));
    }
    for number in 2..30 {
        subject.put(b"key", number, Kind::Value, b"").unwrap();
        let again = subject.put(b"key", number, Kind::Tombstone, b"");
        assert_eq!(again, Err(Refused::Exists));
    }
    assert_eq!(subject.value(b"key", 0), None);
    for number in [MAX_NUMBER, LATEST] {
        let seen = subject.value(b"key", number);
        assert_eq!(seen, Some(MAX_NUMBER.to_string().into_bytes()));
    }
    subject.assert_sound();
}

const WRITERS: u64 = 8;
const PER_WRITER: u64 = 2_000;

/// Eight writers, on few and on many keys, and readers that walk in both directions: what they
/// pass is in strict order, and nothing that was there before they began is missing.
/// Put back: in `link`, store the link to the new version first, and its own link after a pause.
#[test]
fn eight_writers_and_readers_that_walk() {
    let subject = Subject::new();
    let running = AtomicU64::new(WRITERS);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (subject, running) = (&subject, &running);
            scope.spawn(move || {
                let mut random = Random(writer);
                for count in 0..PER_WRITER {
                    let keys = if count % 2 == 0 { 4 } else { 10_000 };
                    let key = random.below::<u64>(keys).to_be_bytes();
                    let number = 1 + count * WRITERS + writer;
                    subject.put(&key, number, Kind::Value, &key).unwrap();
                }
                running.fetch_sub(1, Ordering::Relaxed);
            });
        }
        for reverse in [false, true] {
            let (subject, running) = (&subject, &running);
            scope.spawn(move || {
                let mut rounds = 0;
                while running.load(Ordering::Relaxed) > 0 || rounds == 0 {
                    let guard = subject.guard();
                    let there = subject.of().counts(guard.pin()).versions;
                    let range = VersionRange {
                        lower: VersionBound::Open,
                        upper: VersionBound::Open,
                        since: 0,
                        limit: usize::MAX,
                        reverse,
                    };
                    let mut found = scan(subject, &range);
                    assert!(found.len() as u64 >= there);
                    if reverse {
                        found.reverse();
                    }
                    let in_order =
                        |pair: &[Place]| pair[0].0.cmp(&pair[1].0).then(pair[1].1.cmp(&pair[0].1));
                    assert!(found.windows(2).all(|pair| in_order(pair).is_lt()));
                    rounds += 1;
                }
            });
        }
    });
    let versions = subject.of().counts(subject.guard().pin()).versions;
    assert_eq!(versions, WRITERS * PER_WRITER);
    subject.assert_sound();
}
