//! Trimming.

use super::*;
use crate::versioned::trim::Trimmed;

fn trim(subject: &Subject, floor: u64, budget: usize) -> Trimmed {
    trim_under(subject, &subject.guard(), floor, budget)
}

fn trim_under(subject: &Subject, guard: &Guard<'_>, floor: u64, budget: usize) -> Trimmed {
    subject.of().trim(guard.pin(), floor, budget).unwrap()
}

/// Put back: charge the budget for a key before its versions are removed: then this does not end.
#[test]
fn a_budget_of_one_trims_everything() {
    let subject = Subject::new();
    for number in 1..=20 {
        for key in [b"a", b"b", b"c"] {
            subject.put(key, number, Kind::Value, b"").unwrap();
        }
    }
    let mut freed = 0;
    for _ in 0..100 {
        freed += trim(&subject, 20, 1).freed;
    }
    assert_eq!(freed, 57);
    subject.assert_sound();
}

/// Known failure 55. Put back: in `put`, do not ask `admit_write` again under the lock, nor before.
#[test]
fn a_deleted_key_does_not_come_back_below_the_floor() {
    let subject = Subject::new();
    subject.put(b"key", 3, Kind::Value, b"old").unwrap();
    subject.put(b"key", 5, Kind::Tombstone, b"").unwrap();
    let trimmed = trim(&subject, 5, 100);
    assert_eq!((trimmed.freed, trimmed.ended), (2, true));
    assert_eq!(subject.tree.key_count(), 0, "the key has left the tree");
    for number in [2, 4, 5] {
        let stored = subject.put(b"key", number, Kind::Value, b"back");
        assert_eq!(stored, Err(Refused::Number));
    }
    assert_eq!(subject.value(b"key", LATEST), None);
    subject.put(b"key", 6, Kind::Value, b"new").unwrap();
    assert_eq!(subject.value(b"key", LATEST).as_deref(), Some(&b"new"[..]));
}

/// Known failure 55. Put back: in `next_gap`, take the oldest tombstone for obsolete also above the
/// floor, or while an older version is left.
#[test]
fn a_tombstone_stays_as_long_as_anything_older_is_kept() {
    let subject = Subject::new();
    subject.put(b"key", 3, Kind::Value, b"old").unwrap();
    let snapshot = subject.of().snapshot().unwrap();
    subject.put(b"key", 5, Kind::WeakTombstone, b"").unwrap();
    assert_eq!(trim(&subject, 5, 100).freed, 0);
    assert_eq!(subject.value(b"key", LATEST), None);
    assert_eq!(
        subject.value(b"key", snapshot.number()).as_deref(),
        Some(&b"old"[..])
    );
    drop(snapshot);
    assert_eq!(trim(&subject, 5, 100).freed, 2);
    assert_eq!(subject.tree.key_count(), 0);
}

/// Put back: in `was_readable`, forget the snapshots, or the floor.
#[test]
fn readers_learn_that_a_trim_has_overtaken_them() {
    let subject = Subject::new();
    subject.put(b"key", 3, Kind::Value, b"").unwrap();
    let snapshot = subject.of().snapshot().unwrap();
    subject.put(b"key", 7, Kind::Value, b"").unwrap();
    _ = trim(&subject, 7, 100);
    let readable = [2, 3, 4, 6, 7, 8, LATEST].map(|number| subject.of().was_readable(number));
    assert_eq!(readable, [false, true, false, false, true, true, true]);
    drop(snapshot);
    assert!(!subject.of().was_readable(3));
}

/// Memory: everything that a trim removes is freed, and everything else with the tree.
#[test]
fn trimmed_versions_are_freed() {
    let subject = Subject::new();
    subject.put(b"key", 1, Kind::Value, &[0; 100]).unwrap();
    let one = subject.tree.counters().value_bytes;
    for number in 2..=1000 {
        subject.put(b"key", number, Kind::Value, &[0; 100]).unwrap();
    }
    assert!(subject.tree.counters().value_bytes > 999 * one);
    let guard = subject.guard();
    assert_eq!(trim_under(&subject, &guard, LATEST, usize::MAX).freed, 999);
    guard.pin().flush();
    drop(guard);
    assert!(subject.tree.counters().value_bytes < 3 * one);
    subject.put(b"key", 1001, Kind::Tombstone, b"").unwrap();
    let guard = subject.guard();
    assert_eq!(trim_under(&subject, &guard, LATEST, usize::MAX).freed, 2);
    guard.pin().flush();
    drop(guard);
    assert_eq!(
        subject.tree.counters().value_bytes,
        0,
        "the head is freed, too"
    );
}

/// A store trims its trees in the background, which no program can keep from doing so before it checks a tree.
/// Put back: leave `pause` out of `check`.
#[test]
fn a_check_pauses_trims() {
    let subject = Subject::new();
    for round in 0..20 {
        for key in 0..1000_u32 {
            let key = key.to_be_bytes();
            let number = 2 * round + 1;
            subject.put(&key, number, Kind::Value, b"value").unwrap();
            (subject.put(&key, number + 1, Kind::Tombstone, b"")).unwrap();
        }
        std::thread::scope(|threads| {
            let checked = threads.spawn(|| subject.assert_sound());
            // Ends: each call removes versions, or the check ends.
            while !trim(&subject, LATEST, 10).ended {}
            checked.join().unwrap();
        });
    }
    subject.assert_sound();
}
