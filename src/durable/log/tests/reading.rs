//! Logs whose files do not fit each other, and visitors that refuse.

use super::*;

fn corruption(disk: &Disk) -> Corruption {
    match read(&disk.io()) {
        Err(LogError::Corrupt(corruption)) => corruption,
        other => panic!("{other:?}"),
    }
}

/// Known failure 58. Put back: take the bases only to sort segments.
#[test]
fn a_segment_that_is_missing_is_corruption() {
    let (files, ..) = finished();
    let paths: Vec<Vec<u8>> = files.keys().cloned().collect();
    for (missing, path) in paths.iter().enumerate() {
        let mut fewer = files.clone();
        fewer.remove(path);
        let disk = Disk::with(fewer);
        // Nothing says that the last one was there.
        if missing + 1 < paths.len() {
            let found = corruption(&disk);
            assert_eq!(found.file.bytes(), paths[missing + 1]);
            assert_eq!(
                (found.offset, found.why),
                (40, "the segment before this one is missing")
            );
        }
    }
}

/// Known failure 58: a newer segment is there, and the end of an older one is not. Put back: take a
/// segment's end where its frames end.
#[test]
fn a_segment_that_is_shorter_than_its_successor_says_is_corruption() {
    let (files, ..) = finished();
    let (path, bytes) = files.first_key_value().unwrap();
    for length in 0..bytes.len() {
        let mut shorter = files.clone();
        shorter.get_mut(path).unwrap().truncate(length);
        let found = corruption(&Disk::with(shorter));
        assert_eq!(found.file.bytes(), path);
        assert!(found.offset as usize <= length);
    }
}

/// Put back: compare only the bases, not the stores.
#[test]
fn a_segment_of_another_store_is_corruption() {
    let (files, ..) = finished();
    let (path, bytes) = files.last_key_value().unwrap();
    let (mut header, ..) = frame::SegmentHeader::decode(bytes.first_chunk().unwrap()).unwrap();
    header.store_id += 1;
    let mut foreign = files.clone();
    header.encode(foreign.get_mut(path).unwrap().first_chunk_mut().unwrap());
    let found = corruption(&Disk::with(foreign));
    assert_eq!((found.file.bytes(), found.offset), (path.as_slice(), 16));
}

/// Put back: read any format.
#[test]
fn a_format_of_the_future_is_refused() {
    let (files, ..) = finished();
    let (path, bytes) = files.first_key_value().unwrap();
    let mut newer = bytes.clone();
    newer[8] = 2;
    let crc = crc32c::crc32c(&newer[..76]);
    newer[76..80].copy_from_slice(&crc.to_le_bytes());
    let mut future = files.clone();
    future.insert(path.clone(), newer);
    let found = corruption(&Disk::with(future));
    assert_eq!((found.file.bytes(), found.offset), (path.as_slice(), 8));
}

/// A directory may hold other files. Put back: parse the digits of any name.
#[test]
fn other_files_are_no_segments() {
    let (mut files, records, _) = finished();
    for name in [
        "/disk/log-",
        "/disk/log-12",
        "/disk/log-000000000000000G",
        "/disk/MANIFEST",
        "/disk/log-0000000000000abc.old",
        "/disk/log-00000000000000A0",
    ] {
        files.insert(name.into(), vec![1; 100]);
    }
    assert_eq!(read(&Disk::with(files).io()).unwrap().0, records);
}

/// Put back: go on after an error of the visitor; the frame's offset for the record's.
#[test]
fn a_visitor_refuses_a_record() {
    let (files, records, _) = finished();
    let disk = Disk::with(files);
    let third = *records.keys().nth(2).unwrap();
    let why = "unknown kind";
    let corrupt = Refusal::Corrupt { record: third, why };
    for refusal in [Refusal::NoMemory, corrupt] {
        let mut seen = 0;
        let read = read_log(&disk.io(), &directory(), 0, false, &mut |frame| {
            seen += 1;
            match frame.records().any(|record| record.number == third) {
                true => Err(refusal),
                false => Ok(()),
            }
        });
        assert_eq!(seen, 3);
        match (refusal, read.unwrap_err()) {
            (Refusal::NoMemory, LogError::NoMemory) => {}
            (Refusal::Corrupt { .. }, LogError::Corrupt(found)) => {
                assert_eq!(found.why, why);
                let records = third - 1;
                // Three frames, of three records.
                assert_eq!(found.offset, 80 + 3 * 64 + records * UNIT);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A log of one frame, of the given records.
fn one_frame(records: &[&[u8]]) -> Disk {
    let disk = Disk::default();
    let log = Log::open(
        LogOptions {
            buffer_bytes: 1 << 16,
            ..small(disk.io())
        },
        LogEnd::new(),
    );
    let log = log.unwrap();
    // The flusher finds no filled record before the first one is filled.
    let places: Vec<_> = (records.iter())
        .map(|record| log.reserve(record.len()).unwrap().take())
        .collect();
    for (place, record) in places.into_iter().zip(records).rev() {
        place.fill(record.len() as u8, |writer| writer.write(record));
    }
    log.close().unwrap();
    disk
}

/// A frame of which a record is refused is dropped as a whole by salvage. Put back: pass the records of a
/// frame on one by one; keep the frame.
#[test]
fn salvage_drops_the_whole_frame_of_a_refused_record() {
    let disk = one_frame(&[b"first", b"second", b"third"]);
    let mut seen = Vec::new();
    let end = read_log(&disk.io(), &directory(), 0, true, &mut |frame| {
        seen.extend(frame.records().map(|record| record.number));
        let why = "no";
        Err(Refusal::Corrupt { record: 3, why })
    });
    let end = end.unwrap();
    assert_eq!(seen.len(), 3);
    assert_eq!((end.report.frames, end.report.records), (0, 0));
    let salvaged = end.report.salvaged.as_ref().unwrap();
    assert_eq!(salvaged.offset, 80 + 64 + 2 * UNIT);
    Log::open(small(disk.io()), end).unwrap().close().unwrap();
    assert_eq!(read(&disk.io()).unwrap().0, Records::new());
}

/// Put back: in `Frame::new`, end at the first record that does not fit.
#[test]
fn a_record_that_does_not_fit_its_frame_is_corruption() {
    let mut files = one_frame(&[b"first", b"second"]).files();
    let (path, bytes) = files.iter_mut().next().unwrap();
    let (path, start) = (path.clone(), 80 + 64);
    // The second record seems to be longer than the rest of the frame.
    bytes[start + UNIT as usize] += UNIT as u8;
    let head = bytes[80..start].first_chunk().unwrap();
    let (mut header, _) = frame::FrameHeader::decode(head).unwrap();
    header.body_crc = crc32c::crc32c(&bytes[start..start + header.body as usize]);
    header.encode(bytes[80..].first_chunk_mut().unwrap());
    let found = corruption(&Disk::with(files));
    assert_eq!(found.file.bytes(), path);
    assert_eq!(
        (found.offset, found.why),
        (80 + 64 + UNIT, "a record does not fit its frame")
    );
}

/// Progress: the bytes that were read rise up to those of the files, and records before `from` are left out.
/// Put back: leave `before` out.
#[test]
fn frames_say_how_much_was_read() {
    let (files, records, _) = finished();
    let sizes: u64 = files.values().map(|bytes| bytes.len() as u64).sum();
    let disk = Disk::with(files);
    let (mut last, mut found) = (0, 0);
    let from = *records.keys().nth(1).unwrap();
    let end = read_log(&disk.io(), &directory(), from, false, &mut |frame| {
        assert!(frame.read > last && frame.read <= frame.total);
        assert_eq!(frame.total, sizes);
        (last, found) = (frame.read, found + frame.records().count());
        Ok(())
    });
    assert_eq!(found, records.len() - 1);
    let report = end.unwrap().report;
    assert_eq!((report.records, report.bytes), (found as u64, last));
}

/// The other tests use a disk in memory. Put back: open the system's files without O_CREAT; read from
/// offset 0.
#[test]
fn a_log_in_a_directory_of_the_system_is_read_again() {
    let real = crate::durable::io::tests::Directory::new("log");
    let mut all = Records::new();
    for round in 0..3 {
        let (records, end) = read_in(&Io::real(), &real.path(), false).unwrap();
        assert_eq!((records, end.report.torn_bytes), (all.clone(), 0));
        let options = LogOptions {
            directory: Some(real.path()),
            ..small(Io::real())
        };
        let log = Log::open(options, end).unwrap();
        for index in 0..100 {
            let body = body(index + round);
            all.insert(append(&log, &body).unwrap(), body);
        }
        log.sync().unwrap();
        log.close().unwrap();
    }
}
