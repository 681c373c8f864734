//! What refuses a transaction; each line of the protocol is left out once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;
use crate::protocol::{Line, models};
use crate::versioned::Kind;

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

/// A transaction that finds its own writes depends on no other commit to these keys.
///
/// Put back: in `note_read`, note a read of each access.
#[test]
fn what_was_written_first_does_not_count_as_read() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    let mut transaction = begin(&store);
    for key in [b"a", b"b", b"c"] {
        transaction.put(tree, key, b"own").unwrap();
        assert_eq!(
            seen(&mut transaction, tree, key).as_deref(),
            Some(&b"own"[..])
        );
    }
    assert!(transaction.remove(tree, b"b").unwrap());
    assert!(!transaction.insert(tree, b"c", b"").unwrap());
    for key in [b"a", b"b", b"c"] {
        put(&store, tree, key, b"other");
    }
    assert!(matches!(transaction.commit(), Ok(Ending::Done(_))));
    let own = |key: &[u8]| (key.to_vec(), b"own".to_vec());
    assert_eq!(content(tree), [own(b"a"), own(b"c")]);
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
            let (is_taken, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
            let other_takes = || {
                let size = 64;
                let place = store.log().reserve(size).unwrap().take();
                is_taken.store(true, Ordering::Release);
                for _ in 0..5 {
                    thread::yield_now();
                }
                // Ends: without the line, the transaction does not wait for this commit.
                while !Line::LowerAreInstalled.is_enabled() && !is_over.load(Ordering::Acquire) {
                    thread::yield_now();
                }
                pinned(tree, |pin| {
                    let of = tree.versioned();
                    let new = of.prepare(pin, Kind::Value, b"").unwrap();
                    let number = || Ok(place.number());
                    let committed = of.commit(pin, b"a", new, |_| Ok::<_, ()>(()), number);
                    place.fill(RecordKind::Void as u8, |_| ());
                    drop(committed);
                });
            };
            let ended = thread::scope(|scope| {
                let ended = transaction.commit_between(|| {
                    scope.spawn(other_takes);
                    while !is_taken.load(Ordering::Acquire) {
                        thread::yield_now();
                    }
                });
                is_over.store(true, Ordering::Release);
                ended
            });
            assert_eq!(ended, Ok(Ending::Conflict));
        }
    });
}
