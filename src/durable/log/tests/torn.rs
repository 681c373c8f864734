//! Ends that a crash has torn.

use super::*;

/// One segment with a few frames, none of which is known to be durable when the next is written.
fn unsynced() -> (Vec<u8>, Vec<u8>, Records) {
    let disk = Disk::default();
    let (_, log) = open(&disk.io()).unwrap();
    let mut records = Records::new();
    for index in 0..8 {
        let body = body(index);
        let number = append(&log, &body).unwrap();
        log.wait(number, Level::Written).unwrap();
        records.insert(number, body);
    }
    log.close().unwrap();
    let (path, bytes) = disk.files().pop_first().unwrap();
    (path, bytes, records)
}

fn disk_with(path: &[u8], bytes: Vec<u8>) -> Disk {
    Disk::with(BTreeMap::from([(path.to_vec(), bytes)]))
}

/// Known failure 57: zeroes, and whatever else is behind the end, are no records, and what is appended
/// after such an end is found again.
///
/// Put back: do not truncate; append to the old segment.
#[test]
fn an_end_torn_at_any_length_is_dropped_and_the_log_goes_on() {
    let (path, bytes, records) = unsynced();
    for length in 80..bytes.len() {
        for filler in [None, Some(0), Some(0xff)] {
            let mut torn = bytes[..length].to_vec();
            if let Some(filler) = filler {
                torn.resize(bytes.len() + 100, filler);
            }
            let is_whole = torn.starts_with(&bytes);
            let disk = disk_with(&path, torn);
            let (found, end) = read(&disk.io()).unwrap();
            assert!(records.iter().take(found.len()).eq(&found));
            // The last record may end with zeroes.
            assert_eq!(found.len() == records.len(), is_whole);
            assert!(filler != Some(0xff) || end.report.torn_bytes >= 100);
            let log = Log::open(small(disk.io()), end).unwrap();
            let number = append(&log, b"more").unwrap();
            log.close().unwrap();
            let (mut again, end) = read(&disk.io()).unwrap();
            assert_eq!(again.remove(&number).as_deref(), Some(&b"more"[..]));
            assert_eq!((again, end.report.torn_bytes), (found, 0));
        }
    }
}

/// A frame behind a hole, of which nothing is known to be durable: it was written, and the one before
/// it was not. It is dropped, and does not come back when the hole is filled.
///
/// Put back: do not truncate the file; search for any frame instead of one that says so.
#[test]
fn frames_behind_a_hole_are_dropped() {
    let (path, bytes, _) = unsynced();
    let mut torn = bytes;
    // The second frame's header: the first has a record of three bytes, in one unit.
    torn[80 + 64 + 16..][..64].fill(0);
    let disk = disk_with(&path, torn);
    let (found, end) = read(&disk.io()).unwrap();
    assert_eq!(found.len(), 1);
    assert!(end.report.torn_bytes > 0);
    let (_, log) = open(&disk.io()).unwrap();
    log.close().unwrap();
    let file = disk.files().remove(&path).unwrap();
    assert_eq!(file.len(), 80 + 64 + 16);
}

/// A frame that fits in its number, and follows another frame than the one before it: of an end that
/// was dropped, say. Put back: take a frame without comparing `previous`.
#[test]
fn a_frame_that_followed_another_one_is_dropped() {
    let (path, mut bytes, records) = unsynced();
    let header = &mut bytes[80 + 64 + 16..].first_chunk_mut().unwrap();
    let (mut frame, _) = frame::FrameHeader::decode(header).unwrap();
    frame.previous ^= 1;
    frame.encode(header);
    let (found, end) = read(&disk_with(&path, bytes).io()).unwrap();
    assert!(records.iter().take(1).eq(&found));
    assert!(end.report.torn_bytes > 0);
}

/// Known failure 66. Put back: repair in `read_log`.
#[test]
fn reading_changes_nothing() {
    let (path, bytes, _) = unsynced();
    let disk = disk_with(&path, bytes[..bytes.len() - 5].to_vec());
    read(&disk.io()).unwrap();
    assert_eq!(disk.operations(), 0);
}

/// A crash while a segment is begun leaves a file without a valid header: it is removed, and its name
/// used again. With a frame behind such a header, the log is corrupt: the header was synced before.
///
/// Put back: take such a file for corruption; do not remove it; no `has_evidence` in `check_begun`.
#[test]
fn a_segment_that_was_only_begun_is_removed() {
    let (path, bytes, records) = unsynced();
    let next = read(&disk_with(&path, bytes.clone()).io()).unwrap().1.next;
    let begun = [DIRECTORY, b"/", &frame::segment_name(next)].concat();
    for header in [vec![], vec![0; 80], bytes[..40].to_vec(), vec![0xee; 900]] {
        let mut files = BTreeMap::from([(path.clone(), bytes.clone())]);
        files.insert(begun.clone(), header);
        let disk = Disk::with(files);
        let (found, log) = open(&disk.io()).unwrap();
        assert_eq!(found, records);
        assert!(!disk.files().contains_key(&begun));
        assert_eq!(append(&log, b"more"), Ok(next));
        log.close().unwrap();
        assert_eq!(read(&disk.io()).unwrap().0.len(), records.len() + 1);
    }
    let mut broken = bytes.clone();
    broken[30] ^= 1;
    let disk = disk_with(&path, broken);
    assert!(matches!(read(&disk.io()), Err(LogError::Corrupt(found)) if found.offset == 0));
}
