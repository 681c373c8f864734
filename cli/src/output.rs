//! What commands print on standard output.

use std::io::{self, BufWriter, StdoutLock, Write};

use serde_json::{Map, Value, json};

use crate::failure::{Failure, Outcome};
use crate::scan::Entry;
use crate::text::Notation;

/// Standard output, with a buffer.
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub(crate) fn new() -> Self {
        Self(BufWriter::with_capacity(1 << 16, io::stdout().lock()))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.0
            .write_all(bytes)
            .map_err(|error| Failure::of_output(&error))
    }

    pub(crate) fn line(&mut self, text: &str) -> Outcome<()> {
        self.write(text.as_bytes())?;
        self.write(b"\n")
    }

    pub(crate) fn json(&mut self, value: &Value) -> Outcome<()> {
        self.line(&value.to_string())
    }

    /// Writes what is left in the buffer. A failure would be lost otherwise.
    pub(crate) fn finish(mut self) -> Outcome<()> {
        self.flush()
    }

    pub(crate) fn flush(&mut self) -> Outcome<()> {
        self.0.flush().map_err(|error| Failure::of_output(&error))
    }
}

/// How entries are printed.
pub(crate) struct Rows {
    pub(crate) notation: Notation,
    pub(crate) json: bool,
    pub(crate) keys_only: bool,
}

impl Rows {
    /// Prints a key, a tab and the value; or a common prefix alone.
    pub(crate) fn print(&self, entry: Entry<'_>, output: &mut Output) -> Outcome<()> {
        if self.json {
            return output.json(&self.object(entry));
        }
        let mut line = Vec::new();
        match entry {
            Entry::CommonPrefix(prefix) => self.notation.write(prefix, &mut line),
            Entry::Key { key, value, .. } => {
                self.notation.write(key, &mut line);
                if !self.keys_only {
                    line.push(b'\t');
                    self.notation.write(value, &mut line);
                }
            }
        }
        line.push(b'\n');
        output.write(&line)
    }

    fn object(&self, entry: Entry<'_>) -> Value {
        let show = |bytes| self.notation.show(bytes);
        let (key, value, number) = match entry {
            Entry::CommonPrefix(prefix) => return json!({ "prefix": show(prefix) }),
            Entry::Key { key, value, number } => (key, value, number),
        };
        let mut object = Map::new();
        object.insert("key".into(), show(key).into());
        if !self.keys_only {
            object.insert("value".into(), show(value).into());
        }
        object.insert("commit".into(), number.into());
        object.into()
    }
}
