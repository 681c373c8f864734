//! Model checks of marks and of clocks (`make check-models`), with loom.

use std::ffi::c_void;
use std::ptr::NonNull;

use loom::sync::Arc;
use loom::thread;

use super::clock::{Clock, NumberSource, Registered};
use super::entry::{Kind, NewVersion, Version};
use super::list::List;
use super::verdict::{Record, Verdict};
use crate::index::memory::{HugePages, Memory, Source};
use crate::index::tree::Decision;
use crate::protocol::Line;
use crate::protocol::models::check;
use crate::sync::{AtomicU64, Ordering};

/// The number of the model's batch.
const NUMBER: u64 = 7;

/// The clock of a store, in which everything is installed.
fn clock(taken: *const AtomicU64) -> Clock {
    fn load(taken: *const c_void) -> u64 {
        // SAFETY: the model's counter.
        unsafe { (*taken.cast::<AtomicU64>()).load(Ordering::Relaxed) }
    }
    // SAFETY: the counter outlives the clock.
    let numbers = unsafe { NumberSource::new(taken.cast(), load, |_| u64::MAX) };
    Clock::of_store(Source::new(None), numbers).unwrap()
}

fn place(memory: &Memory, word: Option<u64>, record: Option<&Record<'_>>, number: u64) -> u64 {
    let new = NewVersion::make(memory, number, Kind::Value, None, b"").unwrap();
    if let Some(record) = record {
        record.make_mark(new.version(), false);
    }
    // SAFETY: one thread changes the list.
    let decision = unsafe { List::push(word, new.version(), &mut None) };
    new.stored();
    match decision {
        Decision::Set(word) => word,
        _ => unreachable!("the list is short"),
    }
}

/// A list, whose word is loaded and stored like that under a key.
struct Key(AtomicU64);

impl Key {
    fn list<'g>(&self) -> List<'g> {
        // SAFETY: freed at the end of the model.
        unsafe { List::new(self.0.load(Ordering::Acquire)) }
    }

    fn mark<'g>(&self, memory: &Memory, record: &Record<'_>) -> Version<'g> {
        let word = place(
            memory,
            Some(self.0.load(Ordering::Relaxed)),
            Some(record),
            1,
        );
        self.0.store(word, Ordering::Release);
        self.list().first().unwrap()
    }

    fn seen(&self) -> u64 {
        self.list().newest().unwrap().number()
    }
}

/// A batch marks two keys, decides, and resolves a mark, beside a reader of both.
#[test]
fn a_reader_that_finds_a_version_of_a_batch_finds_the_others() {
    let lines = [
        Line::DecisionIsReleased,
        Line::DecisionIsAcquired,
        Line::ResolvedIsReleased,
        Line::NumberIsAcquired,
    ];
    check(&lines, || {
        loom::model(|| {
            let memory = Memory::new(Source::new(None), 0, HugePages::Never);
            let taken = AtomicU64::new(0);
            let clock = clock(&raw const taken);
            let key = || Key(AtomicU64::new(place(&memory, None, None, 1)));
            let keys = Arc::new([key(), key()]);
            let reader = {
                let keys = keys.clone();
                thread::spawn(move || {
                    if keys[0].seen() == NUMBER {
                        assert_eq!(keys[1].seen(), NUMBER);
                    }
                })
            };
            let record = clock.record().unwrap();
            let marks = [0, 1].map(|at| keys[at].mark(&memory, &record));
            record.decide(NUMBER);
            marks[0].resolve_to(NUMBER);
            record.forget_mark();
            reader.join().unwrap();
            marks[1].resolve_to(NUMBER);
            record.forget_mark();
            // SAFETY: no thread uses them any more.
            keys.iter()
                .for_each(|key| unsafe { key.list().free(&memory) });
        });
    });
}

/// A mark is resolved or withdrawn, and its record used again, beside a reader at the mark.
#[test]
fn a_reader_does_not_mistake_the_decision_about_another_batch() {
    let lines = [
        Line::MarkLooksAgain,
        Line::DecisionIsAcquired,
        Line::UnlinkedIsWithdrawn,
    ];
    check(&lines, || {
        for commits in [true, false] {
            loom::model(move || {
                let memory = Memory::new(Source::new(None), 0, HugePages::Never);
                let taken = AtomicU64::new(0);
                let clock = clock(&raw const taken);
                let key = Key(AtomicU64::new(place(&memory, None, None, 1)));
                let record = clock.record().unwrap();
                let mark = key.mark(&memory, &record);
                if commits {
                    record.decide(NUMBER);
                }
                let word = key.0.load(Ordering::Relaxed);
                let reader = thread::spawn(move || {
                    // SAFETY: freed after this thread has ended.
                    let newest = unsafe { List::new(word) }.newest().unwrap();
                    assert_eq!(newest.number(), if commits { NUMBER } else { 1 });
                });
                match commits {
                    true => mark.resolve_to(NUMBER),
                    false => {
                        record.abort();
                        mark.withdraw();
                    }
                }
                record.forget_mark();
                drop(record);
                let record = clock.record().unwrap();
                if !commits {
                    record.decide(NUMBER + 1);
                }
                reader.join().unwrap();
                let expected = if commits {
                    Verdict::Version
                } else {
                    Verdict::Withdrawn
                };
                assert_eq!(mark.verdict(), expected);
                // SAFETY: no thread uses it any more.
                unsafe { key.list().free(&memory) };
            });
        }
    });
}

/// An overwrite looks for snapshots while one is opened: it finds it, or the snapshot sees the overwrite.
#[test]
fn an_overwrite_that_finds_no_snapshot_is_seen_by_those_that_follow() {
    check(&[Line::OpenBeforeTaken, Line::TakenBeforeOpen], || {
        loom::model(|| {
            let taken = Arc::new(AtomicU64::new(0));
            let clock = Arc::new(clock(std::ptr::from_ref(&*taken)));
            let writer = {
                let (taken, clock) = (taken.clone(), clock.clone());
                thread::spawn(move || {
                    let number = taken.fetch_add(1, Ordering::Relaxed) + 1;
                    (number, clock.none_is_open())
                })
            };
            let mut registered = Registered::new();
            let snapshot = NonNull::from(&mut registered);
            // SAFETY: it does not move, and leaves the list below.
            unsafe { clock.add(snapshot, || unreachable!("the clock is a store's")) };
            // SAFETY: no other thread writes to it.
            let number = unsafe { (*snapshot.as_ptr()).number };
            let (overwrite, found_none) = writer.join().unwrap();
            assert!(!found_none || number >= overwrite);
            // SAFETY: added above.
            unsafe { clock.remove(snapshot) };
        });
    });
}
