//! Models of the ring, and of how threads sleep (`make check-models`), with loom.

use std::time::Duration;

use loom::sync::{Arc, Mutex};
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

/// Lines without which the flusher rests over work.
const REST: [Line; 3] = [
    Line::IdleIsRechecked,
    Line::FenceBeforeIdleIsLoaded,
    Line::FenceAfterIdle,
];

/// Provides work while the flusher begins to rest. Loom reports a thread that sleeps for ever.
fn rest_beside(provide: fn(&Idle, &AtomicU64), rest: fn(&Idle, &dyn Fn() -> bool)) {
    let shared = Arc::new((Idle::new(), AtomicU64::new(0)));
    let provider = {
        let shared = shared.clone();
        thread::spawn(move || provide(&shared.0, &shared.1))
    };
    let has_work = || shared.1.load(Ordering::Relaxed) == 1;
    rest(&shared.0, &has_work);
    provider.join().unwrap();
}

/// A writer provides work while the flusher falls asleep.
#[test]
fn a_flusher_does_not_sleep_over_work() {
    check(&REST, || {
        loom::model(|| {
            let provide = |idle: &Idle, work: &AtomicU64| {
                work.store(1, Ordering::Release);
                idle.wake();
            };
            rest_beside(provide, |idle, has_work| idle.sleep_unless(has_work, None));
        });
    });
}

/// A thread asks for a record to be written while the flusher begins a nap, from which a record alone does
/// not wake it.
#[test]
fn a_flusher_does_not_nap_over_a_waiter() {
    check(&REST, || {
        loom::model(|| {
            let provide = |idle: &Idle, work: &AtomicU64| {
                idle.wake();
                work.store(1, Ordering::Release);
                idle.call();
            };
            rest_beside(provide, |idle, is_urgent| {
                idle.nap_unless(is_urgent, Duration::from_millis(1));
            });
        });
    });
}

/// Two records, of which a word says that one is filled, and what is written of them.
struct Appended {
    idle: Idle,
    appender: Mutex<()>,
    written: AtomicU64,
    filled: [AtomicU64; 2],
}

impl Appended {
    /// Writes what is filled, as the thread that holds the appender.
    fn turn(&self) -> bool {
        let from = self.written.load(Ordering::Relaxed) as usize;
        let is_filled = |word: &&AtomicU64| word.load(Ordering::Acquire) == 1;
        let group = self.filled[from..].iter().take_while(is_filled).count();
        self.written.store((from + group) as u64, Ordering::Release);
        for word in &self.filled[from..from + group] {
            word.store(0, Ordering::Relaxed);
        }
        group > 0
    }

    fn has_record(&self) -> bool {
        let next = self
            .filled
            .get(self.written.load(Ordering::Acquire) as usize);
        next.is_some_and(|word| word.load(Ordering::Relaxed) == 1)
    }

    /// Whether all is written.
    fn is_over(&self) -> bool {
        self.written.load(Ordering::Acquire) == 2
    }

    fn flush(&self) {
        while !self.is_over() {
            let held = self.appender.lock().unwrap();
            let was_busy = self.turn();
            drop(held);
            if !was_busy {
                self.idle
                    .sleep_unless(|| self.has_record() || self.is_over(), None);
            }
        }
    }

    fn lead(&self) {
        if let Ok(held) = self.appender.try_lock() {
            self.turn();
            drop(held);
            self.idle.call_if(|| self.has_record());
        }
        // Its own record is not written, or the log ends.
        if self.written.load(Ordering::Acquire) == 0 || self.is_over() {
            self.idle.call();
        }
    }
}

/// A thread appends its record in place of the flusher, while another record is filled.
#[test]
fn a_flusher_does_not_sleep_over_what_a_leader_leaves() {
    let lines = [Line::LeaderLooksAgain, Line::FenceBeforeLeaderLooks];
    check(&lines, || {
        let mut model = loom::model::Builder::new();
        // Without a bound it takes hours.
        model.preemption_bound = Some(3);
        model.check(|| {
            let shared = Arc::new(Appended {
                idle: Idle::new(),
                appender: Mutex::new(()),
                written: AtomicU64::new(0),
                filled: [AtomicU64::new(0), AtomicU64::new(0)],
            });
            let leader = {
                let shared = shared.clone();
                thread::spawn(move || {
                    shared.filled[0].store(1, Ordering::Release);
                    shared.lead();
                })
            };
            let writer = {
                let shared = shared.clone();
                thread::spawn(move || {
                    shared.filled[1].store(1, Ordering::Release);
                    shared.idle.wake();
                })
            };
            shared.flush();
            leader.join().unwrap();
            writer.join().unwrap();
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
