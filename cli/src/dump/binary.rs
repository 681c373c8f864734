//! The binary format: records with lengths, all numbers little-endian, and a checksum of everything at the end.

use super::{BINARY_MAGIC, END, ENTRY, TREE};

#[derive(Default)]
pub(super) struct Encoder {
    entries: u64,
    checksum: u32,
}

impl Encoder {
    /// Takes what was appended since `from` into the checksum.
    fn cover(&mut self, from: usize, to: &[u8]) {
        self.checksum = crc32c::crc32c_append(self.checksum, &to[from..]);
    }
}

impl super::Encoder for Encoder {
    fn begin(&mut self, commit: u64, to: &mut Vec<u8>) {
        let from = to.len();
        to.extend(BINARY_MAGIC);
        to.extend(commit.to_le_bytes());
        self.cover(from, to);
    }

    fn tree(&mut self, name: &[u8], to: &mut Vec<u8>) {
        let from = to.len();
        to.push(TREE);
        to.extend((name.len() as u32).to_le_bytes());
        to.extend(name);
        self.cover(from, to);
    }

    fn entry(&mut self, key: &[u8], value: &[u8], to: &mut Vec<u8>) {
        let from = to.len();
        to.push(ENTRY);
        to.extend((key.len() as u32).to_le_bytes());
        to.extend((value.len() as u64).to_le_bytes());
        to.extend(key);
        to.extend(value);
        self.entries += 1;
        self.cover(from, to);
    }

    fn end(&mut self, to: &mut Vec<u8>) {
        let from = to.len();
        to.push(END);
        to.extend(self.entries.to_le_bytes());
        self.cover(from, to);
        to.extend(self.checksum.to_le_bytes());
    }
}
