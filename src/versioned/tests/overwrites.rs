//! Versions that overwrites free at once.

use std::collections::btree_map::Entry;

use super::oracle::Oracle;
use super::*;

fn versions(subject: &Subject) -> u64 {
    subject.of().counts(subject.guard().pin()).versions
}

/// Put back: in `begin_overwrite`, forget the snapshots; in `put`, note the number only after the
/// version was stored.
#[test]
fn an_overwrite_frees_what_neither_the_latest_reader_nor_a_snapshot_sees() {
    let subject = Subject::with(Freeing::WhenOverwritten);
    for number in 1..=1000 {
        let value = number.to_string();
        subject
            .put(b"key", number, Kind::Value, value.as_bytes())
            .unwrap();
        assert_eq!(versions(&subject), 1, "after version {number}");
    }
    let snapshot = subject.of().snapshot().unwrap();
    for number in 1001..=2000 {
        subject.put(b"key", number, Kind::Value, b"new").unwrap();
        assert_eq!(versions(&subject), 2, "after version {number}");
    }
    let seen = subject.value(b"key", snapshot.number());
    assert_eq!(seen.as_deref(), Some(&b"1000"[..]));
    assert!(!subject.of().was_readable(1500));
    drop(snapshot);
    subject.put(b"key", 2001, Kind::Value, b"last").unwrap();
    assert_eq!(versions(&subject), 1);
    let latest = subject.value(b"key", LATEST);
    assert_eq!(latest.as_deref(), Some(&b"last"[..]));
    subject.assert_sound();
}

/// Put back: in `begin_overwrite`, raise the floor of writes, too, or close it.
#[test]
fn writes_below_an_overwrite_stay_possible_and_hidden() {
    let subject = Subject::with(Freeing::WhenOverwritten);
    subject.put(b"other", 1, Kind::Value, b"").unwrap();
    subject.put(b"key", 1, Kind::Value, b"old").unwrap();
    subject.put(b"key", 9, Kind::Tombstone, b"").unwrap();
    subject.put(b"other", 5, Kind::Value, b"").unwrap();
    subject.put(b"key", 4, Kind::Value, b"late").unwrap();
    assert_eq!(subject.value(b"key", LATEST), None);
    assert_eq!(
        versions(&subject),
        2,
        "the tombstone, and the version of the other key"
    );
    subject.assert_sound();
}

/// Groups: what a pending group overwrites stays until it is published.
/// Put back: in `latest`, return the highest number that was stored, also if groups are pending.
#[test]
fn an_overwrite_by_a_pending_group_frees_nothing_that_is_visible() {
    let subject = Subject::with(Freeing::WhenOverwritten);
    let publish = |value: &[u8]| {
        let first = subject.of().take_numbers(1).unwrap();
        subject.put(b"key", first, Kind::Value, value).unwrap();
        (first, subject.value(b"key", LATEST))
    };
    for round in 0..10_u8 {
        let (first, before) = publish(&[round]);
        let visible = round.checked_sub(1).map(|round| vec![round]);
        assert_eq!(before, visible);
        subject.of().publish(first).unwrap();
        assert_eq!(subject.value(b"key", LATEST), Some(vec![round]));
        assert!(versions(&subject) <= 2);
    }
    subject.assert_sound();
}

/// Put back: in `read`, read at the visible number again, as often as the reader is overtaken; in
/// `read_at_snapshot`, close the snapshot before the read.
#[test]
fn a_reader_that_is_overtaken_reads_a_second_time_at_a_snapshot() {
    let subject = Subject::with(Freeing::WhenOverwritten);
    let overwrite = || {
        let number = subject.of().take_numbers(1).unwrap();
        subject.put(b"key", number, Kind::Value, b"").unwrap();
        subject.of().publish(number).unwrap();
        number
    };
    overwrite();
    let mut rounds = 0;
    let last = subject.of().read(LATEST, |number| {
        rounds += 1;
        assert!(rounds <= 2, "a reader may be overtaken without end");
        let before = overwrite();
        overwrite();
        assert_eq!(before, number + 1);
        let seen = subject.value(b"key", number).is_some();
        assert_eq!(seen, rounds == 2);
        number
    });
    assert_eq!((rounds, last), (2, 3));
    let counts = subject.of().counts(subject.guard().pin());
    assert_eq!((counts.snapshots, counts.versions), (0, 3));
    subject.assert_sound();
}

/// Random versions in random order, compared at the numbers of snapshots and at the latest.
/// Put back: any of the above; in `remove_overwritten`, keep the decision of the insert if all
/// versions were removed.
#[test]
fn readers_see_the_same_as_without_freeing() {
    let mut random = Random(3);
    let subject = Subject::with(Freeing::WhenOverwritten);
    let mut oracle = Oracle::default();
    let mut snapshots: Vec<Snapshot<'_>> = Vec::new();
    let kinds = [Kind::Value, Kind::Merge, Kind::Tombstone, Kind::Value];
    let mut lowest = 0;
    for step in 0..3000_u32 {
        let key = vec![b'a' + random.below(4) as u8];
        // The number of a snapshot, and those below it, are not stored any more.
        let number = lowest + 1 + random.below(12);
        let kind = kinds[random.below(4) as usize];
        let of_key = oracle.keys.entry(key.clone()).or_default();
        if random.below(20) == 0 {
            let upper = vec![key[0] + 1];
            let guard = subject.guard();
            (subject.of())
                .remove_range(guard.pin(), &key, &upper, number)
                .unwrap();
            oracle.ranges.push((key, upper, number));
        } else if let Entry::Vacant(absent) = of_key.entry(number) {
            let bytes = vec![step as u8];
            subject.put(&key, number, kind, &bytes).unwrap();
            absent.insert((kind as u32, bytes));
        }
        match random.below(30) {
            0 if snapshots.len() < 20 => {
                let snapshot = subject.of().snapshot().unwrap();
                lowest = snapshot.number();
                snapshots.push(snapshot);
            }
            1 if !snapshots.is_empty() => {
                snapshots.swap_remove(random.below(snapshots.len() as u64) as usize);
            }
            _ => {}
        }
        for number in snapshots.iter().map(Snapshot::number).chain([LATEST]) {
            for key in [b"a", b"b", b"c", b"d"] {
                let mut found = Vec::new();
                subject
                    .of()
                    .get_operands(subject.guard().pin(), key, number, |version| {
                        found.push(row(key, version));
                        ControlFlow::Continue(())
                    });
                let expected = oracle.operands(key, number);
                assert_eq!(found, expected, "{key:?} at {number}, step {step}");
            }
        }
    }
    subject.assert_sound();
}
