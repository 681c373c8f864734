//! Models of the ring, and of how threads sleep (`make check-models`), with loom.

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;

use super::ring::{Ring, first_word};
use super::signal::{Closing, Idle, Signal};
use crate::protocol::Line;
use crate::protocol::models::check;
use crate::sync::{AtomicU64, Ordering};

/// Fills a record of one unit, whose body is a word.
fn fill(ring: &Ring, position: u64, body: u64) {
    ring.store(position, 1, body);
    ring.fill(position, first_word(8, 0));
}

fn body(ring: &Ring, position: u64) -> u64 {
    let mut bytes = [0; 16];
    ring.copy(position, &mut bytes);
    u64::from_le_bytes(bytes[8..].try_into().unwrap())
}

/// A full ring of two units, in which `released` is still the first position.
fn full_ring() -> Ring {
    let ring = Ring::new(2, 1).unwrap();
    for position in [1, 2] {
        assert!(ring.reserve(1));
        assert_eq!(ring.take(1), position);
        fill(&ring, position, 7);
    }
    assert_eq!(ring.advance(), 3);
    ring
}

/// A unit is released, reserved, taken and filled again while another thread looks what is installed.
#[test]
fn a_unit_is_used_again_beside_a_walk() {
    let lines = [
        Line::RoomBeforeNumber,
        Line::RoomIsAcquired,
        Line::RoomAfterZeroing,
        Line::TakeIsOrdered,
        Line::TakenIsAcquired,
        Line::FilledBeforeWord,
        Line::WordIsAcquired,
        Line::WalkEndsAtTaken,
    ];
    check(&lines, || {
        loom::model(|| {
            let ring = Arc::new(full_ring());
            let writer = {
                let ring = ring.clone();
                thread::spawn(move || {
                    let reserved = ring.reserve(1);
                    if reserved {
                        assert_eq!(ring.take(1), 3);
                        fill(&ring, 3, 9);
                    }
                    reserved
                })
            };
            let observer = {
                let ring = ring.clone();
                thread::spawn(move || match ring.advance() {
                    3 => {}
                    4 => assert_eq!(body(&ring, 3), 9),
                    other => panic!("installed is {other}"),
                })
            };
            ring.release(1, 2);
            let written = writer.join().unwrap();
            observer.join().unwrap();
            assert_eq!(ring.advance(), 3 + u64::from(written));
        });
    });
}

/// A record is installed by one thread's walk, and read by a thread that only loads the position.
#[test]
fn what_is_installed_is_seen() {
    check(
        &[Line::InstalledIsReleased, Line::InstalledIsAcquired],
        || {
            loom::model(|| {
                let shared = Arc::new((Ring::new(2, 1).unwrap(), AtomicU64::new(0)));
                let writer = {
                    let shared = shared.clone();
                    thread::spawn(move || {
                        let (ring, commit) = &*shared;
                        assert!(ring.reserve(1));
                        let position = ring.take(1);
                        commit.store(1, Ordering::Relaxed);
                        fill(ring, position, 7);
                    })
                };
                let reader = {
                    let shared = shared.clone();
                    thread::spawn(move || {
                        if shared.0.installed() == 2 {
                            assert_eq!(shared.1.load(Ordering::Relaxed), 1);
                        }
                    })
                };
                shared.0.advance();
                writer.join().unwrap();
                reader.join().unwrap();
            });
        },
    );
}

/// Two walks, of which one began when fewer records were filled.
#[test]
fn installed_never_moves_back() {
    check(&[Line::WalkIsUndisturbed], || {
        loom::model(|| {
            let ring = Arc::new(Ring::new(2, 1).unwrap());
            assert!(ring.reserve(2));
            assert_eq!(ring.take(1), 1);
            assert_eq!(ring.take(1), 2);
            fill(&ring, 1, 7);
            let walker = {
                let ring = ring.clone();
                thread::spawn(move || ring.advance())
            };
            fill(&ring, 2, 7);
            assert_eq!(ring.advance(), 3);
            walker.join().unwrap();
            assert_eq!(ring.installed(), 3);
        });
    });
}

/// A writer provides work while the flusher falls asleep. Loom reports a thread that sleeps for ever.
#[test]
fn a_flusher_does_not_sleep_over_work() {
    let lines = [
        Line::IdleIsRechecked,
        Line::FenceBeforeIdleIsLoaded,
        Line::FenceAfterIdle,
    ];
    check(&lines, || {
        loom::model(|| {
            let shared = Arc::new((Idle::new(), AtomicU64::new(0)));
            let writer = {
                let shared = shared.clone();
                thread::spawn(move || {
                    shared.1.store(1, Ordering::Release);
                    shared.0.wake();
                })
            };
            let has_work = || shared.1.load(Ordering::Relaxed) == 1;
            shared.0.sleep_unless(has_work, None);
            writer.join().unwrap();
        });
    });
}

/// A thread asks for a record to be written while the flusher begins a nap, from which a record alone does
/// not wake it.
#[test]
fn a_flusher_does_not_nap_over_a_waiter() {
    let lines = [
        Line::IdleIsRechecked,
        Line::FenceBeforeIdleIsLoaded,
        Line::FenceAfterIdle,
    ];
    check(&lines, || {
        loom::model(|| {
            let shared = Arc::new((Idle::new(), AtomicU64::new(0)));
            let waiter = {
                let shared = shared.clone();
                thread::spawn(move || {
                    shared.0.wake();
                    shared.1.store(1, Ordering::Release);
                    shared.0.call();
                })
            };
            let is_urgent = || shared.1.load(Ordering::Relaxed) == 1;
            shared.0.nap_unless(is_urgent, Duration::from_millis(1));
            waiter.join().unwrap();
        });
    });
}

/// A record is taken, and the log closed, while the flusher looks whether it may end.
#[test]
fn a_flusher_does_not_end_before_what_was_taken() {
    check(&[Line::ClosingBeforeEnd], || {
        loom::model(|| {
            let shared = Arc::new((Ring::new(2, 1).unwrap(), Closing::new()));
            let writer = {
                let shared = shared.clone();
                thread::spawn(move || {
                    assert!(shared.0.reserve(1));
                    fill(&shared.0, shared.0.take(1), 7);
                    shared.1.begin();
                })
            };
            let position = 1;
            let is_over = shared.1.is_over(|| shared.0.taken() == position);
            assert!(!is_over, "a record was not written");
            writer.join().unwrap();
        });
    });
}

/// A thread waits for progress while the flusher announces it.
#[test]
fn a_waiter_does_not_sleep_over_progress() {
    let lines = [
        Line::ChangeBeforeWord,
        Line::WordBeforeCondition,
        Line::FenceBeforeSleepers,
        Line::FenceBeforeSleep,
    ];
    check(&lines, || {
        loom::model(|| {
            let shared = Arc::new((Signal::new(), AtomicU64::new(0)));
            let flusher = {
                let shared = shared.clone();
                thread::spawn(move || {
                    shared.1.store(1, Ordering::Relaxed);
                    shared.0.notify();
                })
            };
            let has_progressed = || shared.1.load(Ordering::Relaxed) == 1;
            shared.0.sleep_until(has_progressed);
            flusher.join().unwrap();
        });
    });
}
