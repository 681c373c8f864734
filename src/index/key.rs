//! Keys as Masstree reads them: eight bytes at a time.
//!
//! A *slice* is eight bytes of a key, most significant first, padded with zero
//! bytes at the key's end; slices compare as the bytes do. Layer `n` of the
//! trie is indexed by a key's `n`-th slice. Because of the padding, keys of different lengths
//! may have equal slices: the [`Kind`] breaks the tie, and a key that ends earlier sorts
//! first. Longer keys with equal slices are ordered by their remaining bytes.

use std::fmt::{self, Write};

/// The longest key, in bytes.
pub const MAX_KEY_LEN: usize = u32::MAX as usize;

/// Bytes in a slice.
pub(crate) const SLICE_LEN: usize = 8;

/// How an entry's key continues, and the order of entries with equal slices. `0..=8`: the key
/// ends within the slice, after that many bytes. [`SUFFIX`]: more bytes follow, in the leaf's
/// suffix bag; several entries with one slice may be of this kind. [`LAYER`]: the entry links
/// to the layer below, which holds every longer key with this slice.
pub(crate) type Kind = u8;

pub(crate) const SUFFIX: Kind = 9;
pub(crate) const LAYER: Kind = 10;

/// The order of kinds under one slice. Under one slice a leaf has either entries with suffixes
/// or one link to a layer, never both, so these two share a rank.
#[inline]
pub(crate) fn rank(kind: Kind) -> u8 {
    kind.min(SUFFIX)
}

/// The sort key of a leaf's entries.
#[inline]
pub(crate) fn order(slice: u64, kind: Kind, suffix: &[u8]) -> (u64, u8, &[u8]) {
    (slice, rank(kind), suffix)
}

/// Bits of a kind.
pub(crate) const KIND_BITS: u32 = 4;

/// Bits of a [`tag`].
pub(crate) const TAG_BITS: u32 = 3;

/// A hash of a suffix's first and last bytes and its length. A leaf keeps it beside the kind:
/// it distinguishes most suffixes under a slice from the one searched for. A branch on a
/// comparison of suffixes, of which one in three to six matches, would be resolved only after
/// the suffix's bytes have come from memory.
#[inline]
pub(crate) fn tag(suffix: &[u8]) -> u8 {
    let ends = match (suffix.first_chunk(), suffix.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(23)
        }
        _ => slice_of(suffix),
    };
    let mixed = (ends ^ suffix.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> (u64::BITS - TAG_BITS)) as u8
}

/// Returns the slice with which `rest` begins.
#[inline]
pub(crate) fn slice_of(rest: &[u8]) -> u64 {
    if let Some(whole) = rest.first_chunk::<SLICE_LEN>() {
        return u64::from_be_bytes(*whole);
    }
    let mut padded = [0; SLICE_LEN];
    padded[..rest.len()].copy_from_slice(rest);
    u64::from_be_bytes(padded)
}

/// Returns the kind of an entry that holds `rest` itself: never [`LAYER`].
#[inline]
pub(crate) fn kind_of(rest: &[u8]) -> Kind {
    rest.len().min(SLICE_LEN + 1) as Kind
}

/// Returns the smallest key whose slice is `slice`: every key with that slice or a greater one
/// is at least as great, every other key is smaller.
pub(crate) fn shortest(slice: u64) -> ([u8; SLICE_LEN], usize) {
    let bytes = slice.to_be_bytes();
    let len = SLICE_LEN - slice.trailing_zeros() as usize / 8;
    (bytes, len)
}

/// A key during a descent: the part that the current layer and those below it index.
#[derive(Clone, Copy)]
pub(crate) struct Key<'k> {
    rest: &'k [u8],
    slice: u64,
}

impl<'k> Key<'k> {
    #[inline]
    pub(crate) fn new(bytes: &'k [u8]) -> Self {
        debug_assert!(bytes.len() <= MAX_KEY_LEN);
        Self {
            rest: bytes,
            slice: slice_of(bytes),
        }
    }

    /// Returns the eight-byte key that encodes `number`, most significant byte first.
    #[inline]
    pub(crate) fn of_integer(number: u64) -> Self {
        Self {
            // The bytes do not matter, only their number: all comparisons use the slice.
            rest: &[0; SLICE_LEN],
            slice: number,
        }
    }

    /// Returns a key that ends within its slice, from its slice and kind.
    #[inline]
    pub(crate) fn short(slice: u64, kind: Kind) -> Self {
        // As in `of_integer`.
        const ZEROS: &[u8] = &[0; SLICE_LEN];
        debug_assert!(usize::from(kind) <= SLICE_LEN);
        Self {
            rest: ZEROS.get(..usize::from(kind)).unwrap_or(&[]),
            slice,
        }
    }

    /// The slice in this layer.
    #[inline]
    pub(crate) fn slice(&self) -> u64 {
        self.slice
    }

    /// The kind of this key's own entry in this layer.
    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        kind_of(self.rest)
    }

    /// [`Key::kind`] of a key that ends within its slice.
    #[inline]
    pub(crate) fn short_kind(&self) -> Kind {
        debug_assert!(!self.has_suffix());
        self.rest.len() as Kind
    }

    /// The bytes after this layer's slice; empty if the key ends within it.
    #[inline]
    pub(crate) fn suffix(&self) -> &'k [u8] {
        self.rest.get(SLICE_LEN..).unwrap_or(&[])
    }

    /// Whether bytes follow this layer's slice.
    #[inline]
    pub(crate) fn has_suffix(&self) -> bool {
        self.rest.len() > SLICE_LEN
    }

    /// Whether the caller's bytes still match this layer's slice; if not, the caller has changed
    /// the key during the call.
    #[cfg(debug_assertions)]
    pub(crate) fn is_unchanged(&self) -> bool {
        slice_of(self.rest) == self.slice
    }

    /// How many layers are above this layer. `bytes`: the whole key.
    pub(crate) fn layers_above(&self, bytes: &[u8]) -> usize {
        (bytes.len() - self.rest.len()) / SLICE_LEN
    }

    /// Descends one layer: drops the slice.
    #[inline]
    pub(crate) fn shift(&mut self) {
        *self = Self::new(self.suffix());
    }
}

/// How many bytes of a key or value are written at most.
const SHOWN: usize = 48;

/// Writes bytes between quotes, those that are not printable ASCII in hexadecimal.
pub(crate) struct Shown<'b>(pub(crate) &'b [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        let shown = &self.0[..self.0.len().min(SHOWN)];
        write!(f, "{}", shown.escape_ascii())?;
        f.write_char('"')?;
        match self.0.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} bytes more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_slice_is_big_endian_and_padded_with_zeros() {
        assert_eq!(slice_of(b""), 0);
        assert_eq!(slice_of(b"a"), 0x61 << 56);
        assert_eq!(slice_of(b"abcdefgh"), 0x6162_6364_6566_6768);
        assert_eq!(slice_of(b"abcdefghi"), 0x6162_6364_6566_6768);
    }

    fn order_of(key: &[u8]) -> (u64, u8, &[u8]) {
        let key = Key::new(key);
        order(key.slice(), key.kind(), key.suffix())
    }

    #[test]
    fn length_breaks_the_tie_of_padded_slices() {
        assert!(order_of(b"a") < order_of(b"a\0"));
        assert!(order_of(b"a\0") < order_of(b"a\0\0"));
        assert!(order_of(b"a\0\0\0\0\0\0\0") < order_of(b"a\0\0\0\0\0\0\0\0"));
    }

    proptest! {
        #[test]
        fn entries_order_as_keys_do(a in prop::collection::vec(0u8..3, 0..14), shared in 0usize..14,
                                    b in prop::collection::vec(0u8..3, 0..14)) {
            let b = [&a[..shared.min(a.len())], &b[..]].concat();
            prop_assert_eq!(order_of(&a).cmp(&order_of(&b)), a.cmp(&b));
        }

        #[test]
        fn shifting_visits_every_byte(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut key = Key::new(&bytes);
            let mut seen = Vec::new();
            while key.has_suffix() {
                seen.extend(key.slice().to_be_bytes());
                key.shift();
            }
            seen.extend(&key.slice().to_be_bytes()[..key.kind() as usize]);
            prop_assert_eq!(seen, bytes);
        }

        #[test]
        fn shortest_splits_keys_by_slice(slice in any::<u64>().prop_map(|s| s << (s % 9 * 8).min(56)),
                                         key in prop::collection::vec(0u8..4, 0..12)) {
            let (bytes, len) = shortest(slice);
            prop_assert_eq!(slice_of(&bytes[..len]), slice);
            prop_assert_eq!(key.as_slice() >= &bytes[..len], slice_of(&key) >= slice);
        }
    }
}
