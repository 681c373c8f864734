//! Every byte of a log, flipped.

use super::*;

/// Reading a log of which one byte is wrong returns what was written; or says in which file it is
/// corrupt, near the byte; or drops an end, of which nothing is known to be durable.
///
/// Put back: leave any member out of a checksum; search without `has_evidence`; take no notice of a
/// successor's header.
#[test]
fn a_flipped_byte_is_noticed_where_it_is() {
    let (files, records, durable) = finished();
    let (mut same, mut corrupt, mut torn) = (0, 0, 0);
    for (path, bytes) in &files {
        for at in 0..bytes.len() {
            let mut flipped = files.clone();
            flipped.get_mut(path).unwrap()[at] ^= 1 << (at % 8);
            match read(&Disk::with(flipped).io()) {
                Ok((found, end)) if found == records => {
                    assert_eq!(end.report.torn_bytes, 0);
                    same += 1;
                }
                Ok((found, end)) => {
                    assert!(end.report.torn_bytes > 0);
                    assert!(records.iter().take(found.len()).eq(&found));
                    let known = records.range(..=durable).count();
                    assert!(
                        found.len() >= known,
                        "byte {at}: {} of {known}",
                        found.len()
                    );
                    torn += 1;
                }
                Err(LogError::Corrupt(corruption)) => {
                    // A segment's header is suspected where its successor's is wrong, and the other
                    // way round.
                    let offset = corruption.offset;
                    let is_near = corruption.file.bytes() == path
                        && (offset as usize <= at && at <= offset as usize + 400);
                    assert!(is_near, "{corruption:?}, byte {at} of {path:?}");
                    corrupt += 1;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    assert_eq!(same, 0);
    assert!(corrupt > 10 * torn && torn > 0, "{same} {corrupt} {torn}");
}

/// Put back: read the rest of a salvaged log; give all of it up if a header is damaged.
#[test]
fn salvage_keeps_what_is_before_a_corruption() {
    let (files, records, _) = finished();
    for (path, bytes) in &files {
        for at in (0..bytes.len()).step_by(97) {
            let mut flipped = files.clone();
            flipped.get_mut(path).unwrap()[at] ^= 0x10;
            let disk = Disk::with(flipped);
            let (mut found, end) = read_in(&disk.io(), &directory(), true).unwrap();
            assert!(records.iter().take(found.len()).eq(&found));
            let base = frame::base_of(path.rsplit(|&byte| byte == b'/').next().unwrap());
            assert!(found.len() >= records.range(..base.unwrap()).count());
            assert!(end.next > *records.last_key_value().unwrap().0);
            let log = Log::open(small(disk.io()), end).unwrap();
            found.insert(append(&log, b"more").unwrap(), b"more".to_vec());
            log.close().unwrap();
            assert_eq!(read(&disk.io()).unwrap().0, found);
        }
    }
}

/// Put back: no `sync_dir` in `repair`.
#[test]
fn a_salvage_is_durable_once_the_log_is_open() {
    let (mut files, ..) = finished();
    files.first_entry().unwrap().get_mut()[100] ^= 1;
    let disk = Disk::with(files);
    let end = read_log(&disk.io(), &directory(), 0, true, &mut |_| Ok(())).unwrap();
    let log = Log::open(small(disk.io()), end).unwrap();
    log.close().unwrap();
    for seed in 0..20 {
        read(&disk.images(disk.operations(), seed).io()).unwrap();
    }
}
