//! A full disk refuses, and the log goes on when there is room.

use super::*;

/// Known failure 60. Put back: fail on ENOSPC; keep refusing; grow by a whole step only; open only if
/// a segment can be created.
#[test]
fn a_full_disk_refuses_and_the_log_goes_on_when_there_is_room() {
    let disk = Disk::default();
    let mut records = Records::new();
    let mut refused = 0;
    for round in 0..3 {
        disk.set_room(Some(0));
        let (found, log) = open(&disk.io()).unwrap();
        assert_eq!(found, records);
        let mut accepted = 0;
        for index in 0..120 {
            disk.set_room(Some([0, 700, 300][index % 3]));
            let body = body(index + round);
            match append(&log, &body) {
                Ok(number) => {
                    records.insert(number, body);
                    accepted += 1;
                    log.wait(number, Level::Durable).unwrap();
                    log.end_turn();
                }
                Err(fault) => {
                    assert_eq!(fault, LogFault::Full);
                    refused += 1;
                }
            }
        }
        // No room was ever enough for a whole step.
        assert!(accepted > 0);
        disk.set_room(None);
        let number = append(&log, b"room").unwrap();
        records.insert(number, b"room".to_vec());
        assert!(log.failure().is_none());
        log.close().unwrap();
    }
    assert!(refused > 3, "{refused}");
    assert_eq!(read(&disk.io()).unwrap().0, records);
}

/// A refusal is over with it: the next writer gets room at once. Put back: store only refusals in
/// `answer`.
#[test]
fn a_writer_gets_room_right_after_a_refusal() {
    let disk = Disk::default();
    disk.set_room(Some(0));
    let (_, log) = open(&disk.io()).unwrap();
    for _ in 0..3 {
        // Ends: what is allocated is used up.
        while append(&log, &[1; 100]) != Err(LogFault::Full) {
            log.sync().unwrap();
        }
        disk.set_room(None);
        append(&log, &[1; 100]).unwrap();
        log.sync().unwrap();
        disk.set_room(Some(0));
    }
    log.close().unwrap();
}
