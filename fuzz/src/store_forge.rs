//! Writes the files of a store as docs/store-format.md describes them, without the library: an input decides
//! which records they have, how these are divided into frames and segments, and what each frame says about
//! durability.

use std::collections::BTreeMap;

use arbitrary::Unstructured;

use crate::store_checkpoint::Moment;
use crate::store_disk::{File, Files};

/// Of each tree, in the order of their numbers: the values, and the numbers of their commits.
pub(crate) type State = Vec<BTreeMap<Vec<u8>, (Vec<u8>, u64)>>;

pub(crate) const SEGMENT_MAGIC: &[u8] = b"MTLOGSEG";
pub(crate) const FRAME_MAGIC: &[u8] = b"MTFRAME1";
pub(crate) const SEGMENT_HEADER: usize = 80;
pub(crate) const FRAME_HEADER: usize = 64;
pub(crate) const STORE: u64 = 0x1122_3344_5566_7788;
const MAX_RECORDS: usize = 60;
const UNIT: u64 = 16;

/// The name of the segment with a base.
pub(crate) fn segment_name(base: u64) -> Vec<u8> {
    format!("log-{base:016x}").into_bytes()
}

/// The name of a tree.
pub(crate) fn tree_name(number: usize) -> String {
    format!("tree {number}")
}

/// CRC-32C, a bit at a time.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, &byte: &u8| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & 0u32.wrapping_sub(crc & 1))
        })
    };
    !bytes.iter().fold(!0, step)
}

/// Makes the last four bytes the checksum of those before; returns it.
pub(crate) fn seal(header: &mut [u8]) -> u32 {
    let end = header.len() - 4;
    let crc = crc(&header[..end]);
    header[end..].copy_from_slice(&crc.to_le_bytes());
    crc
}

pub(crate) fn header(magic: &[u8], words: &[u64], length: usize) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes.resize(length, 0);
    bytes
}

pub(crate) fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

struct Forge {
    files: Files,
    /// The state after each record, and at first.
    states: Vec<State>,
    /// When the states were.
    moments: Vec<Moment>,
    /// The bases of the segments that were ended, and the number after their last records.
    ended: Vec<(u64, u64)>,
    base: u64,
    segment: Vec<u8>,
    /// The records of the frame that is under way, its first number, and that of its last record.
    frame: Vec<u8>,
    first: u64,
    last: u64,
    durable: u64,
    chain: u32,
}

/// What was written.
pub(crate) struct Forged {
    pub(crate) files: Files,
    /// The state after each record, and at first.
    pub(crate) states: Vec<State>,
    /// When the states were.
    pub(crate) moments: Vec<Moment>,
    /// The bases of the segments before the last, and the number after their last records.
    pub(crate) ended: Vec<(u64, u64)>,
}

/// Writes files as the input says.
pub(crate) fn forge(u: &mut Unstructured<'_>) -> Forged {
    let mut forge = Forge {
        files: Files::from([(b"lock".to_vec(), File::default())]),
        states: vec![State::default()],
        moments: vec![Moment {
            number: 0,
            end: 1,
            made: Vec::new(),
        }],
        ended: Vec::new(),
        base: 1,
        segment: Vec::new(),
        frame: Vec::new(),
        first: 1,
        last: 1,
        durable: 1,
        chain: 0,
    };
    forge.begin_segment(1, [0; 3], 0);
    while forge.states.len() < MAX_RECORDS && !u.is_empty() {
        let Ok(choice) = u.int_in_range(0..=19u8) else {
            break;
        };
        match choice {
            0..=8 => forge.commit(1, u),
            9 | 10 => forge.commit(2 + usize::from(choice), u),
            11 | 12 => forge.make_tree(),
            13 => forge.record(3, &[]),
            14..=16 => forge.end_frame(choice == 14),
            17 => forge.next_segment(0),
            18 => forge.next_segment(1000),
            _ => break,
        }
    }
    forge.end_frame(false);
    let name = segment_name(forge.base);
    (forge.files).insert(name, File::of(forge.segment));
    Forged {
        files: forge.files,
        states: forge.states,
        moments: forge.moments,
        ended: forge.ended,
    }
}

impl Forge {
    fn next(&self) -> u64 {
        self.first + self.frame.len() as u64 / UNIT
    }

    fn record(&mut self, kind: u64, body: &[u8]) {
        self.last = self.next();
        let word = (body.len() as u64 + 8) | (kind << 56);
        self.frame.extend(word.to_le_bytes());
        self.frame.extend(body);
        let padded = self.frame.len().next_multiple_of(UNIT as usize);
        self.frame.resize(padded, 0);
        let state = self.states.last().expect("one at first").clone();
        self.states.push(state);
        let mut made = (self.moments.last().expect("one at first").made).clone();
        if kind == 2 {
            made.push(self.last);
        }
        self.moments.push(Moment {
            number: self.last,
            end: self.next(),
            made,
        });
    }

    fn state(&mut self) -> &mut State {
        self.states.last_mut().expect("one at first")
    }

    fn make_tree(&mut self) {
        let number = self.state().len() + 1;
        let mut body = (number as u32).to_le_bytes().to_vec();
        body.extend(tree_name(number).bytes());
        self.record(2, &body);
        self.state().push(BTreeMap::new());
    }

    /// A commit with up to `most` changes.
    fn commit(&mut self, most: usize, u: &mut Unstructured<'_>) {
        if self.state().is_empty() {
            self.make_tree();
        }
        let (trees, number) = (self.state().len(), self.next());
        let mut changes = BTreeMap::new();
        for _ in 0..most {
            let [tree, key, value] = u.arbitrary().unwrap_or([0u8; 3]);
            let tree = usize::from(tree) % trees;
            let key = vec![b'k'; usize::from(key % 24)];
            let value = (value % 5 != 0).then(|| vec![value; usize::from(value) / 3]);
            changes.insert((tree, key), value);
        }
        let mut body = Vec::new();
        for ((tree, key), value) in &changes {
            let bytes = value.as_deref().unwrap_or_default();
            body.extend(pair(*tree as u32 + 1, key.len() as u32).to_le_bytes());
            let kind = if value.is_some() { 0 } else { 2 };
            body.extend(((bytes.len() as u64) << 8 | kind).to_le_bytes());
            body.extend(key.iter().chain(bytes));
        }
        self.record(1, &body);
        for ((tree, key), value) in changes {
            match value {
                Some(value) => _ = self.state()[tree].insert(key, (value, number)),
                None => _ = self.state()[tree].remove(&key),
            }
        }
    }

    /// Ends the frame, if it has records; perhaps everything before it was durable.
    fn end_frame(&mut self, is_durable: bool) {
        if self.frame.is_empty() {
            return;
        }
        if is_durable {
            self.durable = self.first;
        }
        let words = [
            pair(FRAME_HEADER as u32, crc(&self.frame)),
            STORE,
            self.first,
            self.last,
            self.frame.len() as u64,
            self.durable,
            u64::from(self.chain),
        ];
        let mut header = header(FRAME_MAGIC, &words, FRAME_HEADER);
        self.chain = seal(&mut header);
        self.first = self.next();
        self.segment.extend(header);
        self.segment.append(&mut self.frame);
    }

    fn begin_segment(&mut self, base: u64, predecessor: [u64; 3], chain: u32) {
        let format = pair(1, SEGMENT_HEADER as u32);
        let limit = base + 100_000;
        let [before, offset, end] = predecessor;
        let words = [
            format,
            STORE,
            base,
            limit,
            before,
            offset,
            end,
            chain.into(),
        ];
        self.segment = header(SEGMENT_MAGIC, &words, SEGMENT_HEADER);
        self.chain = seal(&mut self.segment);
        (self.base, self.first) = (base, base);
    }

    /// Ends the segment; the next one leaves `gap` numbers out.
    fn next_segment(&mut self, gap: u64) {
        self.end_frame(false);
        self.durable = self.first;
        let predecessor = [self.base, self.segment.len() as u64, self.first];
        let name = segment_name(self.base);
        if self.first == self.base && gap == 0 {
            return;
        }
        self.ended.push((self.base, self.first));
        let bytes = std::mem::take(&mut self.segment);
        self.files.insert(name, File::of(bytes));
        self.begin_segment(self.first + gap, predecessor, self.chain);
    }
}
