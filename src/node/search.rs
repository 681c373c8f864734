//! Search within a node: the one place that a vector version takes over.
//!
//! Both searches look at all fifteen words of a node and branch on none of
//! them, so that the processor runs ahead into the next node's misses. The words
//! race with writers; the loads are relaxed atomics, and the caller validates.

use super::permutation::WIDTH;
use crate::sync::{AtomicU64, Ordering};

/// Bit `i` is set iff word `i` equals `slice`.
#[inline]
pub(crate) fn equal_mask(words: &[AtomicU64; WIDTH], slice: u64) -> u32 {
    let mut mask = 0;
    for (i, word) in words.iter().enumerate() {
        mask |= u32::from(word.load(Ordering::Relaxed) == slice) << i;
    }
    mask
}

/// The number of words at most `slice`.
#[inline]
pub(crate) fn count_at_most(words: &[AtomicU64; WIDTH], slice: u64) -> usize {
    words
        .iter()
        .map(|word| usize::from(word.load(Ordering::Relaxed) <= slice))
        .sum()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn searches_agree_with_their_definition(words in prop::array::uniform15(0u64..20), slice in 0u64..20) {
            let atomics = words.map(AtomicU64::new);
            let mask = equal_mask(&atomics, slice);
            for (i, &word) in words.iter().enumerate() {
                prop_assert_eq!(mask >> i & 1 == 1, word == slice);
            }
            prop_assert_eq!(mask >> WIDTH, 0);
            prop_assert_eq!(count_at_most(&atomics, slice), words.iter().filter(|&&word| word <= slice).count());
        }
    }
}
