//! Keys that are difficult for a trie: a few bytes of the input select one, and most keys
//! of an input share slices, end within one, or differ by a zero byte.

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Result, Unstructured};

/// The number of families of keys of an input.
pub(crate) const FAMILIES: usize = 4;
const PREFIXES: [usize; 12] = [0, 1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 64];
const FILLS: [u8; 4] = [0, 0xFF, b'a', 0x80];

/// Keys with a common prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    prefix: usize,
    fill: u8,
    tail: Tail,
}

/// How the keys of a family differ.
#[derive(Clone, Copy, Debug)]
enum Tail {
    Byte,
    /// The numbers are far apart, so that nodes between them split.
    Spread,
    /// Only the length: all are prefixes of the longest.
    Length,
    Integer,
    /// In the first byte of a slice and again in the next one.
    TwoSlices,
    Long,
}

impl<'a> Arbitrary<'a> for Family {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            prefix: *u.choose(&PREFIXES)?,
            fill: *u.choose(&FILLS)?,
            tail: *u.choose(&[
                Tail::Byte,
                Tail::Spread,
                Tail::Length,
                Tail::Integer,
                Tail::TwoSlices,
                Tail::Long,
            ])?,
        })
    }
}

impl Family {
    pub(crate) fn key(self, number: u8) -> Vec<u8> {
        let mut key = vec![self.fill; self.prefix];
        match self.tail {
            Tail::Byte => key.push(number),
            Tail::Spread => key.extend((u16::from(number) << 7).to_be_bytes()),
            Tail::Length => key.resize(self.prefix + usize::from(number % 48), self.fill),
            Tail::Integer => key.extend(u64::from(number).to_be_bytes()),
            Tail::TwoSlices => {
                key.push(number >> 3);
                key.extend([0; 7]);
                key.push(number);
            }
            Tail::Long => {
                key.push(number);
                key.resize(key.len() + usize::from(number) * 5, number);
            }
        }
        key
    }
}

/// A key, as an input selects it.
#[derive(Clone, Debug)]
pub(crate) enum KeyChoice {
    OfFamily(u8, u8),
    /// One that is in the tree.
    Present(u16),
    /// One beside it.
    Near(u16, Change),
    Raw(Vec<u8>),
    Long(u8, u8),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Shorter,
    Zero,
    Last,
    Up,
    Down,
}

impl<'a> Arbitrary<'a> for KeyChoice {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=15u8)? {
            0..=6 => Self::OfFamily(u.arbitrary()?, u.arbitrary()?),
            7..=11 => Self::Present(u.arbitrary()?),
            12 | 13 => Self::Near(
                u.arbitrary()?,
                *u.choose(&[
                    Change::Shorter,
                    Change::Zero,
                    Change::Last,
                    Change::Up,
                    Change::Down,
                ])?,
            ),
            14 => {
                let len = u.int_in_range(0..=33usize)?.min(u.len());
                Self::Raw(u.bytes(len)?.to_vec())
            }
            _ => Self::Long(u.arbitrary()?, u.arbitrary()?),
        })
    }
}

impl KeyChoice {
    /// The key's bytes. `tag` is the end of keys that only one thread writes.
    pub(crate) fn resolve(
        &self,
        families: &[Family; FAMILIES],
        present: &BTreeMap<Vec<u8>, u64>,
        tag: Option<u8>,
    ) -> Vec<u8> {
        let pick = |n: u16| {
            let place = usize::from(n) % present.len().max(1);
            present.keys().nth(place).cloned().unwrap_or_default()
        };
        let mut key = match self {
            Self::OfFamily(family, number) => {
                families[usize::from(*family) % FAMILIES].key(*number)
            }
            Self::Present(n) if !present.is_empty() => return pick(*n),
            Self::Present(n) => families[0].key(*n as u8),
            Self::Near(n, change) => {
                let mut key = pick(*n);
                if tag.is_some() {
                    key.pop();
                }
                change.apply(&mut key);
                key
            }
            Self::Raw(bytes) => bytes.clone(),
            Self::Long(fill, len) => {
                let mut key = vec![FILLS[usize::from(*fill) % 4]; 250 + usize::from(*len) * 16];
                key.push(*fill);
                key
            }
        };
        key.extend(tag);
        key
    }
}

impl Change {
    fn apply(self, key: &mut Vec<u8>) {
        match (self, key.last_mut()) {
            (Self::Shorter, _) => {
                key.pop();
            }
            (Self::Zero, _) => key.push(0),
            (Self::Last, _) => key.push(0xFF),
            (Self::Up, Some(last)) => *last = last.wrapping_add(1),
            (Self::Down, Some(last)) => *last = last.wrapping_sub(1),
            (Self::Up | Self::Down, None) => {}
        }
    }
}
