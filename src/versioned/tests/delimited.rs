//! Scans of versioned trees that roll keys up by a delimiter.

use super::oracle::{Oracle, Row};
use super::*;
use crate::index::tree::{Bound, Delimited, Entry};

/// An entry that owns its bytes: a common prefix, or a key with its version.
type Owned = (Vec<u8>, Option<Row>);

fn listed(subject: &Subject, of: &Delimited<'_>, number: u64) -> Vec<Owned> {
    let (guard, mut entries, mut visited) = (subject.guard(), Vec::new(), 0);
    let visit = |entry: Entry<'_, Version<'_>>| {
        entries.push(match entry {
            Entry::Key(key, version) => (key.to_vec(), Some(row(key, version))),
            Entry::CommonPrefix(prefix) => (prefix.to_vec(), None),
        });
        ControlFlow::Continue(())
    };
    (subject.of())
        .scan_delimited_at(guard.pin(), of, number, &mut visited, visit)
        .unwrap();
    assert_eq!(visited, entries.len());
    entries
}

/// Returns the entries that a scan must visit.
fn expected(oracle: &Oracle, of: &Delimited<'_>, number: u64) -> Vec<Owned> {
    let prefix_len = of.range.prefix.len();
    let mut rows = oracle.all_visible(number);
    rows.retain(|(key, ..)| key.starts_with(of.range.prefix));
    let mut entries: Vec<Owned> = (rows.into_iter())
        .map(
            |row| match row.0[prefix_len..].iter().position(|&byte| byte == b'/') {
                Some(at) => (row.0[..=prefix_len + at].to_vec(), None),
                None => (row.0.clone(), Some(row)),
            },
        )
        .collect();
    entries.dedup();
    if of.range.reverse {
        entries.reverse();
    }
    entries.truncate(of.range.limit);
    entries
}

const KINDS: [Kind; 4] = [
    Kind::Value,
    Kind::Merge,
    Kind::Tombstone,
    Kind::WeakTombstone,
];

fn key(random: &mut Random) -> Vec<u8> {
    let len = random.below(6);
    let byte = |_| b"a//\xff"[random.below(4) as usize];
    (0..len).map(byte).collect()
}

/// A common prefix is visited exactly if a key below it is visible, wherever that key is among others that
/// are deleted. Put back: in `Listing::meet`, note the common prefix before `see` is asked, or leave out the
/// range tombstones in `Visible::version`.
#[test]
fn prefixes_are_visited_exactly_if_a_key_below_them_is_visible() {
    let mut random = Random(64);
    for _ in 0..if cfg!(any(masstree_asan, masstree_tsan, miri)) {
        10
    } else {
        150
    } {
        let (subject, mut oracle) = (Subject::new(), Oracle::default());
        for number in 1..=random.below(200) {
            if random.below(20) == 0 {
                let (one, other) = (key(&mut random), key(&mut random));
                let (lower, upper) = (one.clone().min(other.clone()), one.max(other));
                let pin = subject.guard();
                if lower < upper {
                    subject
                        .of()
                        .remove_range(pin.pin(), &lower, &upper, number)
                        .unwrap();
                    oracle.ranges.push((lower, upper, number));
                }
                continue;
            }
            let (key, kind) = (key(&mut random), KINDS[random.below(4) as usize]);
            subject.put(&key, number, kind, b"").unwrap();
            let versions = oracle.keys.entry(key).or_default();
            versions.insert(number, (kind as u32, vec![]));
        }
        for _ in 0..100 {
            let (prefix, number) = (key(&mut random), random.below(210));
            let range = Range {
                prefix: &prefix[..prefix.len().min(2)],
                limit: [usize::MAX, 2][random.below(2) as usize],
                reverse: random.below(2) == 0,
                ..Range::all()
            };
            let delimiter = b"/";
            let of = Delimited { range, delimiter };
            let entries = expected(&oracle, &of, number);
            assert_eq!(listed(&subject, &of, number), entries, "{of:?} at {number}");
        }
    }
}

/// Put back: read at the number that is asked for, without a snapshot.
#[test]
fn a_listing_at_the_latest_number_is_consistent() {
    let subject = Subject::new();
    for (at, key) in [&b"a/1"[..], b"b", b"c/1"].iter().enumerate() {
        subject.put(key, at as u64 + 1, Kind::Value, b"").unwrap();
    }
    let of = Delimited {
        range: Range {
            lower: Bound::Excluded(b"a/"),
            ..Range::all()
        },
        delimiter: b"/",
    };
    let (guard, mut shown, mut visited) = (subject.guard(), Vec::new(), 0);
    let visit = |entry: Entry<'_, Version<'_>>| {
        shown.push(match entry {
            Entry::Key(key, _) => key.to_vec(),
            Entry::CommonPrefix(prefix) => prefix.to_vec(),
        });
        // Both come after the scan has begun.
        let number = 10 + shown.len() as u64;
        subject.put(b"c/1", number, Kind::Tombstone, b"").unwrap();
        subject.put(b"d/1", number, Kind::Value, b"").unwrap();
        ControlFlow::Continue(())
    };
    (subject.of())
        .scan_delimited_at(guard.pin(), &of, LATEST, &mut visited, visit)
        .unwrap();
    assert_eq!(shown, [&b"b"[..], b"c/"]);
}
