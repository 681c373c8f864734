//! The text format: lines. Entries begin with a space, all other lines with a word.

use super::TEXT_MAGIC;
use crate::text::Notation;

pub(super) struct Encoder(pub(super) Notation);

impl super::Encoder for Encoder {
    fn begin(&mut self, commit: u64, to: &mut Vec<u8>) {
        let format = match self.0 {
            Notation::Escaped => "text",
            Notation::Hex => "hex",
        };
        to.extend(TEXT_MAGIC);
        to.extend(format!("format {format}\ncommit {commit}\n").as_bytes());
    }

    fn tree(&mut self, name: &[u8], to: &mut Vec<u8>) {
        to.extend(b"tree ");
        Notation::Escaped.write(name, to);
        to.push(b'\n');
    }

    fn entry(&mut self, key: &[u8], value: &[u8], to: &mut Vec<u8>) {
        to.push(b' ');
        self.0.write(key, to);
        to.push(b'\t');
        self.0.write(value, to);
        to.push(b'\n');
    }

    fn end(&mut self, to: &mut Vec<u8>) {
        to.extend(b"end\n");
    }
}
