//! Trimming range tombstones.

use super::*;

fn trim(subject: &Subject, floor: u64, budget: usize) -> (usize, bool) {
    trim_under(subject, &subject.guard(), floor, budget)
}

fn trim_under(subject: &Subject, guard: &Guard<'_>, floor: u64, budget: usize) -> (usize, bool) {
    let trimmed = subject.of().trim(guard.pin(), floor, budget).unwrap();
    (trimmed.freed, trimmed.ended)
}

/// Trims until the end; returns what was freed.
fn trim_all(subject: &Subject, floor: u64, budget: usize) -> usize {
    let mut all = 0;
    // Ends: each call frees something or examines more.
    loop {
        let (freed, ended) = trim(subject, floor, budget);
        all += freed;
        if ended {
            return all;
        }
    }
}

fn remove_range(subject: &Subject, lower: &[u8], upper: &[u8], number: u64) {
    let guard = subject.guard();
    (subject.of())
        .remove_range(guard.pin(), lower, upper, number)
        .unwrap();
}

/// The numbers of the range tombstones that are left.
fn left(subject: &Subject) -> Vec<u64> {
    let mut numbers = Vec::new();
    let guard = subject.guard();
    (subject.of()).each_range_tombstone(guard.pin(), |_, _, number| {
        numbers.push(number);
        ControlFlow::Continue(())
    });
    numbers.sort_unstable();
    numbers
}

/// Put back: in `examine`, take a tombstone for obsolete although a version below it is left.
#[test]
fn a_range_tombstone_goes_after_what_it_hides() {
    let subject = Subject::new();
    subject.put(b"b", 1, Kind::Value, b"old").unwrap();
    let snapshot = subject.of().snapshot().unwrap();
    remove_range(&subject, b"a", b"c", 3);
    remove_range(&subject, b"x", b"z", 9);
    assert_eq!(trim_all(&subject, 5, 100), 0, "the snapshot needs both");
    assert_eq!(subject.value(b"b", LATEST), None);
    drop(snapshot);
    assert_eq!(trim_all(&subject, 5, 100), 2);
    assert_eq!((left(&subject), subject.tree.key_count()), (vec![9], 0));
    assert_eq!(trim_all(&subject, LATEST, 100), 1);
    assert_eq!(left(&subject), vec![]);
    assert_eq!(
        subject.put(b"b", 2, Kind::Value, b"back"),
        Err(Refused::Number)
    );
    subject.assert_sound();
}

/// Put back: in `examine`, ask for a newer tombstone at the floor, not at the number of the next reader.
#[test]
fn a_range_tombstone_goes_when_newer_ones_replace_it_for_all_readers() {
    let subject = Subject::new();
    subject.put(b"b", 1, Kind::Value, b"").unwrap();
    subject.put(b"d", 1, Kind::Value, b"").unwrap();
    let oldest = subject.of().snapshot().unwrap();
    remove_range(&subject, b"a", b"e", 3);
    let between = subject.of().snapshot().unwrap();
    remove_range(&subject, b"a", b"c", 5);
    remove_range(&subject, b"c", b"f", 6);
    assert_eq!(trim_all(&subject, LATEST, 100), 0);
    assert_eq!(subject.value(b"b", between.number()), None);
    drop(between);
    assert_eq!(trim_all(&subject, LATEST, 100), 1);
    assert_eq!(left(&subject), vec![5, 6]);
    assert!(subject.value(b"b", oldest.number()).is_some());
    assert_eq!(subject.value(b"d", LATEST), None);
    drop(oldest);
    assert_eq!(trim_all(&subject, LATEST, 100), 4);
    assert_eq!(left(&subject), vec![]);
}

/// Put back: in `examine`, begin at the tombstone's first key again: then this does not end.
#[test]
fn a_budget_of_one_trims_all_range_tombstones() {
    let subject = Subject::new();
    for number in 1..=30_u64 {
        let [lower, upper] = [number, number + 7].map(|key| [key as u8]);
        subject.put(&lower, number, Kind::Value, b"").unwrap();
        remove_range(&subject, &lower, &upper, number + 30);
        subject.put(&lower, number + 60, Kind::Value, b"").unwrap();
    }
    assert_eq!(trim_all(&subject, LATEST, 1), 60);
    assert_eq!((left(&subject), subject.tree.key_count()), (vec![], 30));
    subject.assert_sound();
}

/// Put back: in `begin_ranges`, take the floor for settled at once.
#[test]
fn a_range_tombstone_waits_for_guards_under_which_older_versions_may_arrive() {
    let subject = Subject::new();
    remove_range(&subject, b"a", b"c", 3);
    let writer = subject.guard();
    assert_eq!(trim(&subject, 3, 100), (0, false));
    assert_eq!(trim(&subject, 3, 100), (0, true));
    assert_eq!(left(&subject), vec![3]);
    drop(writer);
    assert_eq!(trim(&subject, 3, 100), (1, true));
    assert_eq!(left(&subject), vec![]);
}

/// One guard retires and flushes: a flush reaches only what was retired with its thread number of
/// seize, and two guards of a thread need not have the same.
///
/// Put back: in `remove`, do not retire the tombstones, or the sets.
#[test]
fn removed_range_tombstones_are_freed() {
    let subject = Subject::new();
    let writer = subject.guard();
    for number in 1..=100_u64 {
        (subject.of())
            .remove_range(writer.pin(), b"a", b"c", number)
            .unwrap();
    }
    writer.pin().flush();
    drop(writer);
    assert_eq!(subject.tree.counters().limbo_objects, 0);
    assert_eq!(trim(&subject, LATEST, usize::MAX), (0, false));
    let reader = subject.guard();
    let trimmer = subject.guard();
    let trimmed = trim_under(&subject, &trimmer, LATEST, usize::MAX);
    assert_eq!(trimmed, (100, true));
    trimmer.pin().flush();
    drop(trimmer);
    assert!(subject.tree.counters().limbo_objects > 100);
    drop(reader);
    assert_eq!(subject.tree.counters().limbo_objects, 0);
}
