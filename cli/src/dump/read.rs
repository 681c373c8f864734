//! Reads dumps of both formats, and counts and checksums the bytes that were read.

use std::ffi::CString;
use std::io::{self, BufRead, Read};

use super::{BINARY_MAGIC, END, ENTRY, TEXT_MAGIC, TREE};
use crate::failure::{Failure, Kind, Outcome};
use crate::text::Notation;

/// A piece of a dump.
#[derive(Debug)]
pub(crate) enum Item {
    /// The entries that follow are of this tree.
    Tree(CString),
    Entry {
        key: Vec<u8>,
        value: Vec<u8>,
    },
    /// The dump is complete.
    End,
}

enum Format {
    Text { notation: Notation, line: u64 },
    Binary { entries: u64 },
}

/// A dump that is being read.
pub(crate) struct DumpReader<'i> {
    input: Box<dyn BufRead + 'i>,
    name: String,
    format: Format,
    /// How many bytes were read.
    offset: u64,
    /// Their CRC-32C.
    checksum: u32,
}

impl<'i> DumpReader<'i> {
    /// Reads the header of a dump.
    pub(crate) fn new(input: impl BufRead + 'i, name: String) -> Outcome<Self> {
        let format = Format::Binary { entries: 0 };
        let mut this = Self {
            input: Box::new(input),
            name,
            format,
            offset: 0,
            checksum: 0,
        };
        let magic = this.exact::<8>()?;
        if magic == BINARY_MAGIC {
            this.exact::<8>()?;
            return Ok(this);
        }
        let is_text = TEXT_MAGIC.starts_with(&magic)
            && this.line()?.as_deref() == TEXT_MAGIC[8..].strip_suffix(b"\n");
        if !is_text {
            let message = format!("{}: this is not a dump of a store", this.name);
            return Err(Failure::usage(message));
        }
        let notation = match this.line()?.as_deref() {
            Some(b"format text") => Notation::Escaped,
            Some(b"format hex") => Notation::Hex,
            _ => return Err(this.wrong("the second line does not name a format")),
        };
        this.format = Format::Text { notation, line: 2 };
        Ok(this)
    }

    /// How many bytes were read.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The CRC-32C of the bytes that were read.
    pub(crate) fn checksum(&self) -> u32 {
        self.checksum
    }

    /// A failure because of the dump's content.
    fn wrong(&self, what: &str) -> Failure {
        let place = match self.format {
            Format::Text { line, .. } => format!("line {line}"),
            Format::Binary { .. } => format!("byte {}", self.offset),
        };
        Failure::new(Kind::Corrupt, format!("{}: {place}: {what}", self.name))
    }

    fn failed(&self, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.wrong("the dump is incomplete"),
            _ => Failure::of_file(&self.name, error),
        }
    }

    fn cover(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        self.checksum = crc32c::crc32c_append(self.checksum, bytes);
    }

    fn exact<const LEN: usize>(&mut self) -> Outcome<[u8; LEN]> {
        let mut bytes = [0; LEN];
        (self.input.read_exact(&mut bytes)).map_err(|error| self.failed(&error))?;
        self.cover(&bytes);
        Ok(bytes)
    }

    /// Reads so many bytes. A wrong length does not allocate more than there is.
    fn bytes(&mut self, len: u64) -> Outcome<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.input.by_ref().take(len).read_to_end(&mut bytes);
        read.map_err(|error| self.failed(&error))?;
        if bytes.len() as u64 != len {
            return Err(self.wrong("the dump is incomplete"));
        }
        self.cover(&bytes);
        Ok(bytes)
    }

    /// Reads a line; returns it without its end, or `None` at the end of the input.
    fn line(&mut self) -> Outcome<Option<Vec<u8>>> {
        let mut line = Vec::new();
        (self.input.read_until(b'\n', &mut line)).map_err(|error| self.failed(&error))?;
        self.cover(&line);
        if let Format::Text { line, .. } = &mut self.format {
            *line += 1;
        }
        match line.pop() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(line)),
            Some(_) => Err(self.wrong("the dump is incomplete")),
        }
    }

    /// Reads the next piece.
    pub(crate) fn next(&mut self) -> Outcome<Item> {
        match self.format {
            Format::Text { notation, .. } => self.next_text(notation),
            Format::Binary { entries } => self.next_binary(entries),
        }
    }

    fn next_text(&mut self, notation: Notation) -> Outcome<Item> {
        // Ends: each turn reads a line, and the input is finite.
        loop {
            let Some(line) = self.line()? else {
                return Err(self.wrong("the dump is incomplete: there is no line `end`"));
            };
            if let Some(entry) = line.strip_prefix(b" ") {
                return self.text_entry(entry, notation);
            }
            if let Some(name) = line.strip_prefix(b"tree ") {
                let name = Notation::Escaped
                    .read(name)
                    .map_err(|what| self.wrong(what))?;
                return self.tree(name);
            }
            if line == b"end" {
                return self.end();
            }
            // Says where the dump comes from; the store that is loaded has numbers of its own.
            if !line.starts_with(b"commit ") {
                return Err(self.wrong("this is no line of a dump"));
            }
        }
    }

    fn text_entry(&self, entry: &[u8], notation: Notation) -> Outcome<Item> {
        let tab = (entry.iter().position(|&byte| byte == b'\t'))
            .ok_or_else(|| self.wrong("there is no tab behind the key"))?;
        let read = |text| notation.read(text).map_err(|what| self.wrong(what));
        let (key, value) = (read(&entry[..tab])?, read(&entry[tab + 1..])?);
        Ok(Item::Entry { key, value })
    }

    fn next_binary(&mut self, entries: u64) -> Outcome<Item> {
        let [kind] = self.exact()?;
        match kind {
            TREE => {
                let len = u32::from_le_bytes(self.exact()?);
                let name = self.bytes(len.into())?;
                self.tree(name)
            }
            ENTRY => {
                let key_len = u32::from_le_bytes(self.exact()?);
                let value_len = u64::from_le_bytes(self.exact()?);
                let key = self.bytes(key_len.into())?;
                let value = self.bytes(value_len)?;
                let entries = entries + 1;
                self.format = Format::Binary { entries };
                Ok(Item::Entry { key, value })
            }
            END => {
                let counted = u64::from_le_bytes(self.exact()?);
                let checksum = self.checksum;
                if (counted, checksum) != (entries, u32::from_le_bytes(self.exact()?)) {
                    return Err(self.wrong("the checksum of the dump is wrong"));
                }
                self.end()
            }
            _ => Err(self.wrong("this is no record of a dump")),
        }
    }

    fn tree(&self, name: Vec<u8>) -> Outcome<Item> {
        let name = CString::new(name).map_err(|_| self.wrong("a zero byte in a tree's name"))?;
        Ok(Item::Tree(name))
    }

    /// Nothing follows the end.
    fn end(&mut self) -> Outcome<Item> {
        let rest = self.input.fill_buf().map(<[u8]>::is_empty);
        match rest.map_err(|error| self.failed(&error))? {
            true => Ok(Item::End),
            false => Err(self.wrong("the dump goes on behind its end")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Encoder, binary, text};
    use super::*;

    fn encoded(encoder: &mut dyn Encoder) -> Vec<u8> {
        let mut dump = Vec::new();
        encoder.begin(7, &mut dump);
        encoder.tree(b"one", &mut dump);
        encoder.entry(b"", b"", &mut dump);
        encoder.entry(b"k\n\xff", b"\\\t", &mut dump);
        encoder.tree(b"", &mut dump);
        encoder.end(&mut dump);
        dump
    }

    fn read(dump: &[u8]) -> Outcome<Vec<String>> {
        let mut reader = DumpReader::new(dump, "dump".into())?;
        let mut items = Vec::new();
        // Ends: each turn reads a piece of the dump.
        loop {
            let item = reader.next()?;
            items.push(format!("{item:?}"));
            if matches!(item, Item::End) {
                assert_eq!(reader.offset(), dump.len() as u64);
                assert_eq!(reader.checksum(), crc32c::crc32c(dump));
                return Ok(items);
            }
        }
    }

    /// Put back: the end is not demanded; or a length that is too large is not noticed.
    #[test]
    fn a_dump_is_read_whole_or_refused() {
        let text = encoded(&mut text::Encoder(Notation::Escaped));
        let hex = encoded(&mut text::Encoder(Notation::Hex));
        let binary = encoded(&mut binary::Encoder::default());
        let items = read(&text).expect("the dump is whole");
        assert_eq!(items.len(), 5);
        for dump in [text, hex, binary] {
            assert_eq!(read(&dump).expect("the dump is whole"), items);
            for len in 0..dump.len() {
                let failure = read(&dump[..len]).expect_err("the end is missing");
                assert!(matches!(failure.kind, Kind::Corrupt | Kind::Usage), "{len}");
            }
        }
    }

    /// Put back: the checksum is not compared.
    #[test]
    fn each_changed_byte_of_a_binary_dump_is_noticed() {
        let binary = encoded(&mut binary::Encoder::default());
        for at in 0..binary.len() {
            for bit in 0..8 {
                let mut wrong = binary.clone();
                wrong[at] ^= 1 << bit;
                assert!(read(&wrong).is_err(), "byte {at}, bit {bit}");
            }
        }
    }
}
