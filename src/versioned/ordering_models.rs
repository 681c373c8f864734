//! Model checks of memory orderings (`make check-models`), with loom.

use loom::sync::Arc;
use loom::thread;

use super::change::Inserted;
use super::clock::Clock;
use super::entry::{Kind, NewVersion};
use super::list::List;
use super::numbers::Numbers;
use crate::index::memory::{HugePages, Memory, Source};
use crate::index::tree::Decision;
use crate::protocol::Line;
use crate::protocol::models::check;
use crate::sync::{AtomicU64, Ordering};

/// Inserts a version into a list that one thread changes; returns the word under the key.
fn insert(memory: &Memory, present: Option<u64>, number: u64) -> u64 {
    let new = NewVersion::make(memory, number, Kind::Value, None, b"").unwrap();
    // SAFETY: only this thread changes the list.
    let Inserted::Done(decision) = (unsafe { List::insert(present, new.version(), &mut None) })
    else {
        panic!("the list is short and lacks the number");
    };
    new.stored();
    match decision {
        Decision::Set(word) => word,
        _ => present.unwrap(),
    }
}

/// A version is inserted between two others, of which a reader sees both.
///
/// The reader is the thread that is spawned: loom explores a load before the last store of its word,
/// but not before a store that follows a load by the same thread.
#[test]
fn a_reader_that_finds_a_version_finds_the_older_ones() {
    let lines = [Line::VersionIsReleased, Line::LinksBeforePublishing];
    check(&lines, || {
        loom::model(|| {
            let memory = Memory::new(Source::new(None), 0, HugePages::Never);
            let oldest = insert(&memory, None, 1);
            let word = insert(&memory, Some(oldest), 5);
            let reader = thread::spawn(move || {
                // SAFETY: freed after this thread has ended.
                let list = unsafe { List::new(word) };
                assert!(matches!(list.at(4).unwrap().number(), 1 | 3));
                assert_eq!(list.at(2).unwrap().number(), 1);
            });
            assert_eq!(insert(&memory, Some(word), 3), word);
            reader.join().unwrap();
            // SAFETY: no thread uses it any more.
            let list = unsafe { List::new(word) };
            assert_eq!(list.at(4).unwrap().number(), 3);
            // SAFETY: as above.
            unsafe { list.free(&memory) };
        });
    });
}

/// A group is published while a reader takes the visible number.
#[test]
fn a_reader_at_the_visible_number_sees_the_writes_of_its_group() {
    check(&[Line::VisibleIsReleased, Line::VisibleIsAcquired], || {
        loom::model(|| {
            let clock = Clock::of_tree(Source::new(None)).unwrap();
            let shared = Arc::new((Numbers::new(clock), AtomicU64::new(0)));
            let first = shared.0.take(1, 0).unwrap();
            let writer = {
                let shared = shared.clone();
                thread::spawn(move || {
                    shared.1.store(1, Ordering::Relaxed);
                    assert_eq!(shared.0.publish(first), Ok(first));
                })
            };
            if shared.0.visible() >= first {
                assert_eq!(shared.1.load(Ordering::Relaxed), 1);
            }
            writer.join().unwrap();
        });
    });
}
