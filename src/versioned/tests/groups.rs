//! Groups of numbers.

use super::*;

/// Put back: in `publish`, make everything visible although a lower group is pending; in `take`,
/// leave `visible` at `LATEST`.
#[test]
fn a_group_becomes_visible_at_once_and_after_those_below() {
    let subject = Subject::new();
    subject.put(b"a", 5, Kind::Value, b"0").unwrap();
    let first = subject.of().take_numbers(2).unwrap();
    let second = subject.of().take_numbers(1).unwrap();
    assert_eq!((first, second), (6, 8));
    subject.put(b"b", second, Kind::Value, b"2").unwrap();
    subject.put(b"a", first, Kind::Value, b"1").unwrap();
    let before = subject.of().snapshot().unwrap();
    assert_eq!(before.number(), 5);
    assert_eq!(subject.of().publish(second), Ok(5));
    assert_eq!(subject.value(b"b", LATEST), None);
    assert_eq!(subject.value(b"a", LATEST).as_deref(), Some(&b"0"[..]));
    subject.put(b"c", first + 1, Kind::Value, b"1").unwrap();
    assert_eq!(subject.of().publish(first), Ok(8));
    for (key, value) in [(b"a", b"1"), (b"b", b"2"), (b"c", b"1")] {
        assert_eq!(subject.value(key, LATEST).as_deref(), Some(&value[..]));
    }
    assert_eq!(
        subject.value(b"a", before.number()).as_deref(),
        Some(&b"0"[..])
    );
    assert_eq!(subject.put(b"d", 8, Kind::Value, b""), Err(Refused::Number));
    assert_eq!(subject.of().publish(first), Err(GroupFault::Invalid));
}

/// Put back: grow the list of groups without a limit, or panic at it.
#[test]
fn many_pending_groups_are_refused() {
    let subject = Subject::new();
    let groups: Vec<u64> = std::iter::from_fn(|| subject.of().take_numbers(1).ok()).collect();
    assert_eq!(groups.len(), 64);
    assert_eq!(subject.of().take_numbers(1), Err(GroupFault::Busy));
    assert_eq!(subject.of().publish(groups[63]), Ok(0));
    assert_eq!(subject.of().take_numbers(0), Err(GroupFault::Invalid));
    assert_eq!(
        subject.of().take_numbers(MAX_NUMBER),
        Err(GroupFault::Invalid)
    );
    assert_eq!(subject.of().take_numbers(1), Ok(65));
}

/// Put back: in `admit_write`, do not ask whether the tree is sealed.
#[test]
fn a_sealed_tree_refuses_writes_and_trims() {
    let subject = Subject::new();
    subject.put(b"a", 1, Kind::Value, b"1").unwrap();
    subject.of().seal();
    assert_eq!(subject.put(b"a", 2, Kind::Value, b""), Err(Refused::Sealed));
    let guard = subject.guard();
    let removed = subject.of().remove_range(guard.pin(), b"a", b"b", 2);
    assert_eq!(removed, Err(Refused::Sealed));
    assert_eq!(subject.of().trim(guard.pin(), 1, 10), Err(Refused::Sealed));
    assert_eq!(subject.value(b"a", LATEST).as_deref(), Some(&b"1"[..]));
}
