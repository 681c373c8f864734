//! Several threads write to a log at the same time.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::durable::io::memory::Random;

const WRITERS: u64 = 3;
const RECORDS: u64 = 2000;

/// Each writer's record is found under its number, in its order; a snapshot's number covers what
/// returned before.
fn write_from_threads(log: &Log) -> Records {
    let highest = AtomicU64::new(0);
    let writer = |writer: u64| {
        let mut own = Records::new();
        let mut random = Random(writer);
        for index in 0..RECORDS {
            let length = random.below(200);
            let body: Vec<u8> = (0..length)
                .map(|at| (writer + index + at as u64) as u8)
                .collect();
            let number = append(log, &body).unwrap();
            highest.fetch_max(number, Ordering::Relaxed);
            match random.below(64) {
                0 => log.wait(number, Level::Durable).unwrap(),
                1 => log.wait(number, Level::Written).unwrap(),
                2 => {
                    let before = highest.load(Ordering::Relaxed);
                    assert!(log.settle() >= before);
                }
                3 => drop(log.reserve(300).unwrap()),
                _ => {
                    let durable = log.durable();
                    assert!(log.installed() >= durable);
                }
            }
            assert!(own.last_key_value().is_none_or(|(last, _)| *last < number));
            own.insert(number, body);
        }
        own
    };
    let all: Vec<Records> = thread::scope(|scope| {
        let started: Vec<_> = (0..WRITERS)
            .map(|id| scope.spawn(move || writer(id)))
            .collect();
        started
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let records: Records = all.into_iter().flatten().collect();
    assert_eq!(records.len() as u64, WRITERS * RECORDS);
    assert_eq!(log.statistics().appends.min(1), 1);
    records
}

/// Put back: `installed` beyond a record that is not filled; release units before they are zeroed; a
/// sync that covers what was written after it began.
#[test]
fn records_of_several_threads_are_all_there() {
    let disk = Disk::default();
    let (_, log) = open(&disk.io()).unwrap();
    let records = write_from_threads(&log);
    log.close().unwrap();
    assert_eq!(log.statistics().appends, WRITERS * RECORDS);
    let (found, _) = read(&disk.io()).unwrap();
    assert_eq!(found, records);
}

/// As above, without files. Put back: release beyond what is installed.
#[test]
fn numbers_of_several_threads_differ_without_files() {
    let mut options = small(Disk::default().io());
    options.directory = None;
    let log = Log::open(options, LogEnd::new()).unwrap();
    let records = write_from_threads(&log);
    assert!(records.into_keys().eq(1..=WRITERS * RECORDS));
}

/// Records become durable after an interval that passes at once. Put back: sync only if a thread
/// waits (the test waits for ever).
#[test]
fn records_become_durable_when_the_interval_has_passed() {
    let disk = Disk::default();
    let mut options = small(disk.io());
    options.sync_interval = Some(Duration::ZERO);
    let log = Log::open(options, LogEnd::new()).unwrap();
    let number = append(&log, b"body").unwrap();
    log.shared.synced.sleep_until(|| log.durable() >= number);
    log.close().unwrap();
}
