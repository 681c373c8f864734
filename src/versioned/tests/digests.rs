//! Digests.

use super::*;

/// Stores a value with its right digest.
fn put(subject: &Subject, key: &[u8], number: u64, kind: Kind, bytes: &[u8]) {
    let put = Put {
        number,
        kind,
        digest: Some(Digest {
            algorithm: CRC32C,
            value: crc32c_of(key, number, kind as u32, bytes),
        }),
        bytes,
    };
    let stored = subject.of().put(subject.guard().pin(), key, &put, false);
    assert_eq!(stored, Ok(()));
}

/// Returns how many digests are right, and what is faulty.
fn verify(subject: &Subject) -> (u64, Vec<(Vec<u8>, u64, Fault)>) {
    let (mut verified, mut faults) = (0, Vec::new());
    let report = |key: &[u8], number, fault| {
        faults.push((key.to_vec(), number, fault));
        ControlFlow::Continue(())
    };
    (subject.of())
        .verify_digests(subject.guard().pin(), &mut verified, report)
        .unwrap();
    (verified, faults)
}

/// The value of CRC-32C that RFC 3720 lists, and the order in which a version is hashed.
/// Put back: hash the parts in another order, or another polynomial.
#[test]
fn digests_are_those_of_the_documentation() {
    assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    let all = [
        &3_u64.to_le_bytes()[..],
        &7_u64.to_le_bytes(),
        &1_u32.to_le_bytes(),
        b"key",
        b"value",
    ]
    .concat();
    assert_eq!(crc32c_of(b"key", 7, 1, b"value"), crc32c::crc32c(&all));
}

/// Versions with and without a digest, also in a long list; each bit of a value, of the digest, of
/// the algorithm and of the kind is flipped once.
/// Put back: in `verify`, skip what has an unknown algorithm or kind; in `crc32c_of`, leave out
/// the number, the kind or the key.
#[test]
fn each_flipped_bit_is_found_and_named() {
    let subject = Subject::new();
    for number in 1..=20 {
        put(&subject, b"key", number, Kind::Value, b"value");
    }
    put(&subject, b"other", 3, Kind::Tombstone, b"");
    subject.put(b"plain", 1, Kind::Value, b"no digest").unwrap();
    assert_eq!(verify(&subject), (21, vec![]));
    let guard = subject.guard();
    let list = subject.of().list(guard.pin(), b"key").unwrap();
    for number in [1, 9, 20] {
        let version = list.at(number).unwrap();
        let bytes = version.bytes().as_ptr().cast_mut();
        let value = (0..5).map(|at| (bytes.wrapping_add(at), Fault::Mismatch));
        let digest = (0..4).map(|at| (bytes.wrapping_sub(4 - at), Fault::Mismatch));
        let algorithm = (0..4).map(|at| (bytes.wrapping_sub(8 - at), Fault::Algorithm));
        for (byte, fault) in value.chain(digest).chain(algorithm) {
            for bit in 0..8 {
                // SAFETY: within the version; no other thread runs.
                unsafe { *byte ^= 1 << bit };
                assert_eq!(
                    verify(&subject),
                    (20, vec![(b"key".to_vec(), number, fault)])
                );
                // SAFETY: as above.
                unsafe { *byte ^= 1 << bit };
            }
        }
        for (bit, fault) in [
            (0, Fault::Mismatch),
            (1, Fault::Mismatch),
            (2, Fault::Kind),
            (3, Fault::Kind),
        ] {
            let tag = version.as_ptr().cast::<u64>();
            // SAFETY: the tag is the first word of a version; no other thread runs.
            unsafe { *tag ^= 1 << bit };
            assert_eq!(
                verify(&subject),
                (20, vec![(b"key".to_vec(), number, fault)])
            );
            assert!(subject.value(b"key", number).is_some() || bit == 1);
            // SAFETY: as above.
            unsafe { *tag ^= 1 << bit };
        }
    }
    drop(guard);
    assert_eq!(verify(&subject).0, 21);
    subject.assert_sound();
}

/// Put back: in `crc32c_of`, leave out the key, its length, or the number.
#[test]
fn a_digest_of_another_version_does_not_match() {
    let of = |key: &[u8], number, kind, bytes: &[u8]| crc32c_of(key, number, kind, bytes);
    let mut digests = vec![
        of(b"key", 1, 0, b"value"),
        of(b"kez", 1, 0, b"value"),
        of(b"keyv", 1, 0, b"alue"),
        of(b"key", 2, 0, b"value"),
        of(b"key", 1, 1, b"value"),
        of(b"key", 1, 0, b"valuf"),
        of(b"", 1, 0, b"keyvalue"),
    ];
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 7);
}
