//! The sets of keys, and orders to use them in.
//!
//! Key number `i` of a set is a function of `i` (and of how many keys there are), so that
//! nothing is stored but what a phase reads: the keys of that phase one after the other,
//! in the order in which it uses them. Reading them costs no cache miss that the
//! processor does not see coming.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A set of keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ValueEnum)]
pub(crate) enum KeySet {
    /// 8 bytes: permuted 64-bit integers, most significant byte first.
    Random,
    /// 8 bytes: 0, 1, 2, …, most significant byte first.
    Sequential,
    /// 24 bytes: `user` and a permuted 64-bit integer in 20 decimal digits.
    User,
    /// About 70 bytes: a page in a directory of a host.
    ///
    /// `https://www.HOST.com/SECTION/DIRECTORY/PAGE.html`. A host has 300 directories, a
    /// directory 3 pages on average, for each key chooses its directory at random. Keys of
    /// a directory share their first 50 bytes or so. Hosts differ in length, so that what
    /// distinguishes keys lies anywhere in a slice of 8 bytes. Key number `i` carries a
    /// permutation of `i` in its page's name, so keys are distinct.
    ///
    /// The length of directories' names decides how many nodes a trie needs for each. It is
    /// chosen so that the masstree crate takes 380 bytes for each of 5,000,000 keys, as it
    /// does (373) for the URLs in whose stead these are.
    Url,
}

const DIRECTORIES_OF_HOST: u64 = 300;
const KEYS_OF_DIRECTORY: usize = 3;
const SECTIONS: [&[u8]; 8] = [
    b"articles",
    b"archives",
    b"products",
    b"projects",
    b"pictures",
    b"podcasts",
    b"profiles",
    b"partners",
];

/// A permutation of the 64-bit integers.
pub(crate) fn permute(n: u64) -> u64 {
    let mut x = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^= x >> 32;
    x = x.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    x ^ x >> 32
}

/// The value that belongs to a key: its last eight bytes.
#[inline]
pub(crate) fn value_of(key: &[u8]) -> u64 {
    let (_, last) = key.split_last_chunk().expect("a key has 8 bytes or more");
    u64::from_le_bytes(*last).rotate_left(7)
}

/// Whether a value is the key's, or what an update made of it.
#[inline]
pub(crate) fn is_value_of(value: u64, key: &[u8]) -> bool {
    value.wrapping_sub(value_of(key)) <= 1
}

/// What an update makes of the key's value.
#[inline]
pub(crate) fn updated_value_of(key: &[u8]) -> u64 {
    value_of(key).wrapping_add(1)
}

impl KeySet {
    fn write(self, number: u64, count: usize, out: &mut Vec<u8>) {
        match self {
            KeySet::Random => out.extend(permute(number).to_be_bytes()),
            KeySet::Sequential => out.extend(number.to_be_bytes()),
            KeySet::User => {
                out.extend(b"user");
                write_digits(permute(number), 10, 20, out);
            }
            KeySet::Url => write_url(number, count, out),
        }
    }

    /// Whether ascending numbers have ascending keys.
    pub(crate) fn are_in_order(self) -> bool {
        self == KeySet::Sequential
    }

    /// The keys with these numbers, out of a set of `count`.
    pub(crate) fn keys(self, count: usize, numbers: impl Iterator<Item = u64>) -> Keys {
        let stride = match self {
            KeySet::Random | KeySet::Sequential => Some(8),
            KeySet::User => Some(24),
            KeySet::Url => None,
        };
        let mut keys = Keys {
            bytes: Vec::new(),
            stride,
            ends: vec![0],
        };
        keys.bytes
            .reserve_exact(stride.unwrap_or(80) * numbers.size_hint().0);
        for number in numbers {
            self.write(number, count, &mut keys.bytes);
            if stride.is_none() {
                keys.ends.push(keys.bytes.len());
            }
        }
        keys
    }
}

fn write_url(number: u64, count: usize, out: &mut Vec<u8>) {
    let directories = count.div_ceil(KEYS_OF_DIRECTORY) as u64;
    let directory = permute(!number) % directories;
    let host = permute(!(directory / DIRECTORIES_OF_HOST));
    let section = SECTIONS[(directory % SECTIONS.len() as u64) as usize];
    let host_digits = 12 + (host >> 32) as usize % 8;
    out.extend(b"https://www.");
    write_digits(host, 36, host_digits, out);
    out.extend(b".com/");
    out.extend(section);
    out.push(b'/');
    let name = permute(directory);
    write_digits(name, 36, 6 + (name >> 40) as usize % 2, out);
    out.push(b'/');
    write_digits(permute(number), 36, 13, out);
    write_digits(number, 36, 3, out);
    out.extend(b".html");
}

/// The last `digits` digits of `n`, with leading zeros.
fn write_digits(mut n: u64, base: u64, digits: usize, out: &mut Vec<u8>) {
    let end = out.len() + digits;
    out.resize(end, b'0');
    for digit in out[end - digits..].iter_mut().rev() {
        *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(n % base) as usize];
        n /= base;
    }
}

/// Keys, one after the other in the order of their use.
pub(crate) struct Keys {
    bytes: Vec<u8>,
    /// The length of each key, if all are as long.
    stride: Option<usize>,
    /// Otherwise: where each key ends, after a 0.
    ends: Vec<usize>,
}

impl Keys {
    pub(crate) fn len(&self) -> usize {
        match self.stride {
            Some(stride) => self.bytes.len() / stride,
            None => self.ends.len() - 1,
        }
    }

    #[inline]
    pub(crate) fn get(&self, place: usize) -> &[u8] {
        match self.stride {
            Some(stride) => &self.bytes[place * stride..][..stride],
            None => &self.bytes[self.ends[place]..self.ends[place + 1]],
        }
    }

    #[inline]
    pub(crate) fn iter(&self, places: std::ops::Range<usize>) -> impl Iterator<Item = &[u8]> {
        places.map(|place| self.get(place))
    }
}

/// The first `wanted` numbers of a random order of 0..`count`.
pub(crate) fn random_order(count: usize, wanted: usize, seed: u64) -> Vec<u64> {
    let mut order: Vec<u64> = (0..count as u64).collect();
    for place in 0..wanted.min(count) {
        let random = permute(place as u64 ^ seed.rotate_right(8));
        order.swap(place, place + (random % (count - place) as u64) as usize);
    }
    order.truncate(wanted);
    order
}
