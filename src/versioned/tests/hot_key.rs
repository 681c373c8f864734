//! A key with many versions.

use super::*;
use crate::index::tree::Seek;

/// Versions of the key, by the order in which they are stored: ascending as in a key that is
/// overwritten, descending, or random.
const VERSIONS_OF_KEY: [u64; 3] = [1_000_000, 50_000, 200_000];

/// More links than a search follows: about 50 for a million versions.
const FEW: u64 = 400;

/// Stores versions with even numbers: ascending, descending, or in random order.
fn hot(order: usize) -> Subject {
    let subject = Subject::new();
    let guard = subject.guard();
    let mut random = Random(1);
    let mut numbers: Vec<u64> = (1..=VERSIONS_OF_KEY[order]).map(|n| 2 * n).collect();
    match order {
        0 => {}
        1 => numbers.reverse(),
        _ => {
            for at in (1..numbers.len()).rev() {
                numbers.swap(at, random.below(at as u64 + 1) as usize);
            }
        }
    }
    for (at, &number) in numbers.iter().enumerate() {
        let put = Put {
            number,
            kind: Kind::Value,
            digest: None,
            bytes: b"v",
        };
        let followed = steps(|| {
            let stored = subject.of().put(guard.pin(), b"hot", &put, false);
            assert_eq!(stored, Ok(()));
        });
        assert!(
            followed < FEW,
            "insert {at} of order {order} followed {followed} links"
        );
    }
    drop(guard);
    subject
}

fn assert_few(what: &str, work: impl FnOnce()) {
    let followed = steps(work);
    assert!(followed < FEW, "{what} followed {followed} links");
}

/// Known failure 53. Put back: in `List::at`, follow `older` from the newest version of a long list,
/// too; in `height_of`, return 1.
#[test]
fn no_operation_on_a_hot_key_visits_all_its_versions() {
    for (order, &count) in VERSIONS_OF_KEY.iter().enumerate() {
        let subject = hot(order);
        let of = subject.of();
        let guard = subject.guard();
        let mut random = Random(2);
        for _ in 0..200 {
            let number = 1 + random.below(2 * count);
            assert_few("get", || {
                let Found::Version(found) = of.get(guard.pin(), b"hot", number.max(2)) else {
                    panic!("{number} is not there");
                };
                assert_eq!(found.number(), number.max(2) & !1);
            });
        }
        for reverse in [false, true] {
            let mut cursor = VersionCursor::over_versions(of, of.index().allocator(), 0);
            assert_few("the end of a walk", || {
                assert_eq!(cursor.step(of, guard.pin(), reverse), Ok(true));
                assert_eq!(cursor.step(of, guard.pin(), reverse), Ok(true));
            });
            let seek = if reverse {
                Seek::AtMost(b"hot")
            } else {
                Seek::AtLeast(b"hot")
            };
            assert_few("a seek", || {
                let found = cursor.seek(of, guard.pin(), seek, Some(count));
                assert_eq!(found, Ok(true));
                assert_eq!(cursor.step(of, guard.pin(), reverse), Ok(true));
            });
        }
        assert_few("a small trim", || {
            let trimmed = of.trim(guard.pin(), count, 5).unwrap();
            assert_eq!((trimmed.freed, trimmed.ended), (5, false));
        });
        let snapshot = of.snapshot().unwrap();
        assert_eq!(snapshot.number(), 2 * count);
        let freed = of.trim(guard.pin(), LATEST, usize::MAX).unwrap().freed;
        assert_eq!(freed as u64 + 5 + 1, count);
        drop(guard);
        subject.assert_sound();
    }
}
