//! References: suffixes that a leaf does not keep, but finds in its values.
//!
//! In a tree whose values contain their keys (see `key_source`), a new leaf that gets several
//! suffixes is a *referring* leaf. It is as long as a tailed one, and each of its tails is a word that
//! has the address of the slot's suffix in the lower 48 bits, and its length in the upper 16. The mark
//! has the suffix's tag, as for one in a bag, so a search reads another key's suffix rarely. Longer
//! suffixes are in the leaf's bag. So a suffix takes 8 bytes, not its length and a part of a bag, and an
//! insert copies none of it.
//!
//! **Protocol.** A reference is stored and read like a tail: to a free slot, before the permutation is
//! stored. What it refers to never changes, and is not freed before the tree is, so a reader may follow
//! any reference that it loads before it has validated the version: a reference of another key, since
//! the slot was reused, is rejected later. But that key's bytes may have been written after the
//! permutation that the reader has loaded. So a reference is stored with release, and loaded with
//! acquire. A word of a referring leaf is never a tail's bytes: which of the two a leaf has is decided
//! when it is made, and a leaf whose memory is reused is first made empty of both, while no reader can
//! reach it.

use std::ptr::NonNull;

use super::{Leaf, TAILED};
use crate::index::key::{KIND_BITS, SUFFIX, tag};
use crate::index::key_source::KeySource;
use crate::sync::Ordering;

/// The bit of the live slots' word that says whether the tails of a tailed leaf are references.
pub(super) const REFERRING: u32 = 1 << 30;

const ADDRESS_BITS: u32 = 48;

/// The longest suffix that a reference refers to.
pub(super) const MAX_REFERRED: usize = (1 << (u64::BITS - ADDRESS_BITS)) - 1;

/// Returns the mark of a reference to a suffix.
#[inline]
pub(super) fn mark_of_reference(suffix: &[u8]) -> u8 {
    SUFFIX | tag(suffix) << KIND_BITS
}

/// Returns the reference to a suffix, which is not longer than [`MAX_REFERRED`].
fn refer_to(suffix: NonNull<[u8]>) -> u64 {
    let address = suffix.cast::<u8>().as_ptr().expose_provenance() as u64;
    assert!(
        address >> ADDRESS_BITS == 0,
        "values that contain their keys have addresses below 2^48"
    );
    address | (suffix.len() as u64) << ADDRESS_BITS
}

/// The length of the suffix to which a reference refers.
#[inline]
pub(super) fn referred_len(reference: u64) -> usize {
    (reference >> ADDRESS_BITS) as usize
}

/// The suffix to which a reference refers.
///
/// # Safety
/// Zero, or a word that a referring leaf had while the guard for `'g` was held; loaded with acquire, or
/// before an acquire fence.
#[inline]
pub(super) unsafe fn referred<'g>(reference: u64) -> &'g [u8] {
    let len = referred_len(reference);
    if len == 0 {
        return &[];
    }
    let address = reference & ((1 << ADDRESS_BITS) - 1);
    let bytes = std::ptr::with_exposed_provenance(address as usize);
    // SAFETY: by contract, `refer_to` made it, and the bytes live as long as the tree.
    unsafe { std::slice::from_raw_parts(bytes, len) }
}

impl Leaf {
    /// Makes a new tailed leaf, which no other thread can reach yet, a referring one.
    pub(crate) fn make_referring(&self) {
        self.live.store(TAILED | REFERRING, Ordering::Relaxed);
    }

    /// Whether the leaf's tails are references.
    #[inline]
    pub(super) fn is_referring(&self) -> bool {
        // Relaxed: as `has_tails`.
        self.live() & REFERRING != 0
    }

    /// The suffix to which a slot of a referring leaf refers.
    #[inline]
    pub(super) fn referred(&self, slot: usize) -> &[u8] {
        // SAFETY: a referring leaf, and its word is loaded with acquire.
        unsafe { referred(self.reference(slot)) }
    }

    /// Stores the reference of a free slot to the suffix, which the value with this word contains. The
    /// caller owns the lock.
    pub(super) fn refer(&self, slot: usize, word: u64, suffix: &[u8], keys: &KeySource) {
        // SAFETY: the value that is stored in the slot.
        let suffix = unsafe { keys.suffix(word, suffix) };
        self.set_reference(slot, refer_to(suffix));
    }
}
