//! Writes the checkpoint of a store as docs/store-format.md describes it, without the library: an input decides
//! at which record, and how its entries are divided into parts and blocks.

use arbitrary::Unstructured;

use crate::store_disk::{File, Files};
use crate::store_forge::{STORE, State, crc, header, pair, seal, tree_name};

pub(crate) const PART_MAGIC: &[u8] = b"MTCHKPNT";
pub(crate) const BLOCK_MAGIC: &[u8] = b"MTBLOCK1";
pub(crate) const END_MAGIC: &[u8] = b"MTCHKEND";
pub(crate) const MANIFEST_MAGIC: &[u8] = b"MTMANIFS";
/// Bytes of each header in a part.
pub(crate) const HEADER: usize = 48;
pub(crate) const MANIFEST_HEAD: usize = 64;
/// Bytes of a part in a manifest.
pub(crate) const PART_RECORD: usize = 24;
const FORMAT: u32 = 1;
const MOST_PARTS: usize = 4;

/// A state that a checkpoint may have: the number of its last record, the number that the next one had, and
/// the numbers of the records that made its trees.
pub(crate) struct Moment {
    pub(crate) number: u64,
    pub(crate) end: u64,
    pub(crate) made: Vec<u64>,
}

/// The name of a part.
pub(crate) fn part_name(number: u64, part: usize) -> Vec<u8> {
    format!("checkpoint-{number:016x}-{part:03x}").into_bytes()
}

/// A part that is written.
struct Part {
    bytes: Vec<u8>,
    chain: u32,
    blocks: u64,
    entries: u64,
    /// The block that is under way: its tree, its entries, and how many.
    tree: u32,
    body: Vec<u8>,
    count: u32,
}

impl Part {
    fn new(number: u64, index: usize) -> Self {
        let words = [pair(HEADER as u32, FORMAT), STORE, number, index as u64];
        let mut bytes = header(PART_MAGIC, &words, HEADER);
        Self {
            chain: seal(&mut bytes),
            bytes,
            blocks: 0,
            entries: 0,
            tree: 0,
            body: Vec::new(),
            count: 0,
        }
    }

    fn push(&mut self, tree: u32, number: u64, key: &[u8], value: &[u8]) {
        if self.tree != tree {
            self.end_block();
        }
        self.tree = tree;
        self.body.extend(number.to_le_bytes());
        self.body.extend((value.len() as u64).to_le_bytes());
        self.body.extend((key.len() as u32).to_le_bytes());
        self.body.extend(key.iter().chain(value));
        self.count += 1;
    }

    fn end_block(&mut self) {
        if self.count == 0 {
            return;
        }
        let words = [
            pair(HEADER as u32, crc(&self.body)),
            self.blocks,
            pair(self.tree, self.count),
            self.body.len() as u64,
            u64::from(self.chain),
        ];
        let mut block = header(BLOCK_MAGIC, &words, HEADER);
        self.chain = seal(&mut block);
        self.bytes.append(&mut block);
        self.bytes.append(&mut self.body);
        self.blocks += 1;
        self.entries += u64::from(self.count);
        self.count = 0;
    }

    /// Returns the file, and its record in the manifest.
    fn end(mut self) -> (Vec<u8>, [u8; PART_RECORD]) {
        self.end_block();
        let words = [
            HEADER as u64,
            self.entries,
            self.blocks,
            self.bytes.len() as u64,
            u64::from(self.chain),
        ];
        let mut end = header(END_MAGIC, &words, HEADER);
        let crc = seal(&mut end);
        self.bytes.append(&mut end);
        let mut record = [0; PART_RECORD];
        record[..8].copy_from_slice(&(self.bytes.len() as u64).to_le_bytes());
        record[8..16].copy_from_slice(&self.entries.to_le_bytes());
        record[16..20].copy_from_slice(&crc.to_le_bytes());
        (self.bytes, record)
    }
}

/// Adds the checkpoint of a state to the files; returns its number.
pub(crate) fn add_checkpoint(
    files: &mut Files,
    moment: &Moment,
    state: &State,
    u: &mut Unstructured<'_>,
) -> u64 {
    let units = moment.end - moment.number;
    let number = moment.number + u64::from(u.arbitrary::<u8>().unwrap_or(0)) % units;
    let most = usize::from(u.arbitrary::<u8>().unwrap_or(0)) % MOST_PARTS;
    let mut parts: Vec<Part> = (0..=most).map(|index| Part::new(number, index)).collect();
    for (tree, values) in (1..).zip(state) {
        let mut part = 0;
        for (key, (value, of)) in values {
            match u.arbitrary::<u8>().unwrap_or(0) % 8 {
                1 => part = most.min(part + 1),
                2 => parts[part].end_block(),
                _ => {}
            }
            parts[part].push(tree, *of, key, value);
        }
    }
    let mut records = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        let (bytes, record) = part.end();
        files.insert(part_name(number, index), File::of(bytes));
        records.push(record);
    }
    let manifest = manifest(number, moment, &records, u);
    files.insert(b"manifest".to_vec(), File::of(manifest));
    number
}

fn manifest(
    number: u64,
    moment: &Moment,
    parts: &[[u8; PART_RECORD]],
    u: &mut Unstructured<'_>,
) -> Vec<u8> {
    let trees = moment.made.len() as u32;
    let words = [
        pair(FORMAT, MANIFEST_HEAD as u32),
        STORE,
        number,
        number + u64::from(u.arbitrary::<u8>().unwrap_or(0)),
        pair(trees + 1, trees),
        parts.len() as u64,
    ];
    let mut bytes = header(MANIFEST_MAGIC, &words, MANIFEST_HEAD);
    for (tree, made) in (1..).zip(&moment.made) {
        let name = tree_name(tree);
        bytes.extend(pair(tree as u32, name.len() as u32).to_le_bytes());
        bytes.extend(made.to_le_bytes());
        bytes.extend(name.bytes());
    }
    bytes.extend(parts.iter().flatten());
    bytes.extend([0; 4]);
    let length = bytes.len() as u64;
    bytes[56..64].copy_from_slice(&length.to_le_bytes());
    seal(&mut bytes);
    bytes
}
