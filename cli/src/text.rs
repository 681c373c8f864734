//! Bytes as text. Printable ASCII characters stand for themselves, but a backslash is written as `\\`, and any
//! other byte as a backslash and two hexadecimal digits. Or all bytes are written in hexadecimal.
//!
//! What was written is read back to the same bytes. When text is read, bytes outside of ASCII stand
//! for themselves, too: so UTF-8 can be typed.

/// How bytes are written as text, and read from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Notation {
    Escaped,
    Hex,
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn push_hex(byte: u8, text: &mut Vec<u8>) {
    text.push(DIGITS[usize::from(byte >> 4)]);
    text.push(DIGITS[usize::from(byte & 15)]);
}

fn digit(text: u8) -> Option<u8> {
    Some((text as char).to_digit(16)? as u8)
}

fn pair(text: &[u8]) -> Option<u8> {
    match text {
        &[high, low, ..] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    }
}

impl Notation {
    /// Appends bytes, as text.
    pub(crate) fn write(self, bytes: &[u8], text: &mut Vec<u8>) {
        for &byte in bytes {
            match (self, byte) {
                (Self::Hex, _) => push_hex(byte, text),
                (Self::Escaped, b'\\') => text.extend(b"\\\\"),
                (Self::Escaped, b' '..=b'~') => text.push(byte),
                (Self::Escaped, _) => {
                    text.push(b'\\');
                    push_hex(byte, text);
                }
            }
        }
    }

    /// Returns bytes as text.
    pub(crate) fn show(self, bytes: &[u8]) -> String {
        let mut text = Vec::new();
        self.write(bytes, &mut text);
        String::from_utf8(text).expect("the text is ASCII")
    }

    /// Returns the bytes that a text stands for, or what is wrong with it.
    pub(crate) fn read(self, text: &[u8]) -> Result<Vec<u8>, &'static str> {
        match self {
            Self::Escaped => unescape(text),
            Self::Hex if !text.len().is_multiple_of(2) => {
                Err("an odd number of hexadecimal digits")
            }
            Self::Hex => {
                (text.chunks(2).map(pair).collect::<Option<_>>()).ok_or("not a hexadecimal digit")
            }
        }
    }
}

fn unescape(mut text: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    while let Some((&first, rest)) = text.split_first() {
        text = rest;
        if first != b'\\' {
            bytes.push(first);
        } else if let Some(rest) = text.strip_prefix(b"\\") {
            bytes.push(b'\\');
            text = rest;
        } else {
            bytes.push(
                pair(text).ok_or("a backslash without \\ or two hexadecimal digits behind it")?,
            );
            text = &text[2..];
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Put back: the backslash is written as it is.
    #[test]
    fn every_pair_of_bytes_is_read_as_it_was_written() {
        for notation in [Notation::Escaped, Notation::Hex] {
            for first in 0..=255 {
                for second in 0..=255 {
                    let bytes = [first, second];
                    let text = notation.show(&bytes);
                    assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
                    assert_eq!(notation.read(text.as_bytes()).as_deref(), Ok(&bytes[..]));
                }
            }
        }
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in ["\\", "\\x0", "\\4", "\\4g", "a\\"] {
            assert!(Notation::Escaped.read(text.as_bytes()).is_err(), "{text}");
        }
        for text in ["4", "4g", "+4", " 4"] {
            assert!(Notation::Hex.read(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(Notation::Escaped.read("é".as_bytes()), Ok("é".into()));
    }
}
