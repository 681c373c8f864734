//! Search within a node; a descent does it at every level.
//!
//! A node begins with a [`Head`]: its version and fifteen words (slices or keys), in exactly
//! two cache lines. Each search compares all fifteen and branches on none of them, so that the
//! processor can already fetch the next node; a mispredicted branch would prevent that.
//!
//! Writers may store to the words during a search. Portable code loads each as a relaxed atomic.
//! Vector code loads and compares in one `asm!` block, which the compiler treats as a read of
//! memory: on x86-64 a vector load reads each aligned word of 8 bytes whole, like an atomic
//! load of it (Intel SDM 3A, 9.1.1, for every processor with AVX: 16 bytes); for AArch64, see `aarch64`. The
//! caller validates the result in either case.
//!
//! **Measured.** `masstree_get_u64` under a guard, AVX-512, a hit in a tree of 1,000,000 keys
//! (five internodes and a leaf): 234 instructions, 24 of them for each internode; 30
//! conditional branches, three of them for each internode (is it dirty? a leaf? unchanged?), all
//! predicted; no locked instruction, no call. Counted by single-stepping; before the lookup was
//! compiled in one piece, it took 340 instructions. AVX2 takes 15 instructions more for each node.
//! The fewer instructions a lookup takes, the more cache misses of the next lookup the processor
//! can start before those of this lookup have ended.
//!
//! The instruction set is chosen once, when the first tree is created ([`Isa`]), and the whole descent
//! is compiled for each ([`Search`]), so that the search in a node needs no call and no test of the
//! instruction set.

use std::ffi::CStr;
use std::fmt::Debug;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

use super::leaf::{Image, Leaf, copy_portably};
use super::permutation::WIDTH;
use super::version::{Version, VersionWord};
use crate::sync::{AtomicU64, Ordering};

/// The first two cache lines of either kind of node.
#[repr(C, align(64))]
pub(crate) struct Head {
    pub(super) version: VersionWord,
    pub(super) words: [AtomicU64; WIDTH],
}

#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(size_of::<Head>() == 128);

impl Head {
    /// The head of a locked node whose words are all `word`.
    pub(super) fn new(version: Version, word: u64) -> Self {
        Self {
            version: VersionWord::new_locked(version),
            words: std::array::from_fn(|_| AtomicU64::new(word)),
        }
    }
}

/// The search primitives of one instruction set.
pub(crate) trait Search: Copy + Debug {
    /// Bit `i` is set iff word `i` equals `slice`.
    fn equal_mask(head: &Head, slice: u64) -> u32;

    /// Bit `i` is set iff word `i` is less than `slice`.
    fn less_mask(head: &Head, slice: u64) -> u32;

    /// The number of words less than `word`, both compared as signed integers.
    fn count_less(head: &Head, word: u64) -> usize;

    /// Copies a leaf. The words may be read at different moments.
    fn copy(leaf: &Leaf, to: &mut MaybeUninit<Image>);

    /// The number of bits set.
    #[inline]
    fn ones(mask: u32) -> usize {
        mask.count_ones() as usize
    }
}

/// The instruction set that searches use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Isa {
    Portable,
    #[cfg(masstree_avx)]
    Avx2,
    #[cfg(masstree_avx)]
    Avx512,
    #[cfg(masstree_neon)]
    Neon,
}

impl Isa {
    /// The instruction set for new trees: the best that this processor has, unless the environment
    /// variable `MASSTREE_SEARCH` named another when the process created its first tree.
    pub(crate) fn for_new_trees() -> Self {
        static CHOSEN: OnceLock<Isa> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            // SAFETY: a name that ends in a zero. As for every use of the environment, the program
            // must not change it at the same time.
            let wanted = unsafe { libc::getenv(c"MASSTREE_SEARCH".as_ptr()) };
            // SAFETY: null, or a string that ends in a zero and is not changed meanwhile.
            let wanted = (!wanted.is_null()).then(|| unsafe { CStr::from_ptr(wanted) });
            Self::chosen(wanted)
        })
    }

    /// The instruction set with this name, if this processor has it, otherwise the best one.
    fn chosen(name: Option<&CStr>) -> Self {
        let named = Self::of_this_processor().find(|isa| Some(isa.name()) == name);
        let best = Self::of_this_processor().next();
        named.or(best).unwrap_or(Self::Portable)
    }

    fn name(self) -> &'static CStr {
        match self {
            Self::Portable => c"portable",
            #[cfg(masstree_avx)]
            Self::Avx2 => c"avx2",
            #[cfg(masstree_avx)]
            Self::Avx512 => c"avx512",
            #[cfg(masstree_neon)]
            Self::Neon => c"neon",
        }
    }

    /// The instruction sets that this processor has, the best first. Builds that search for races
    /// have only the portable one, whose loads the tools see (see build.rs).
    fn of_this_processor() -> impl Iterator<Item = Self> {
        #[cfg(masstree_avx)]
        let vectors = {
            let counts = std::arch::is_x86_feature_detected!("popcnt");
            let avx512 = counts && std::arch::is_x86_feature_detected!("avx512f");
            let avx2 = counts && std::arch::is_x86_feature_detected!("avx2");
            let avx512 = avx512.then_some(Self::Avx512);
            avx512.into_iter().chain(avx2.then_some(Self::Avx2))
        };
        #[cfg(masstree_neon)]
        let vectors = [Self::Neon];
        #[cfg(not(any(masstree_avx, masstree_neon)))]
        let vectors = [];
        vectors.into_iter().chain([Self::Portable])
    }
}

/// Evaluates an expression that is generic over [`Search`] with the implementation for an [`Isa`].
macro_rules! with_search {
    ($isa:expr, $search:ident => $call:expr) => {
        match $isa {
            $crate::index::node::Isa::Portable => {
                type $search = $crate::index::node::Portable;
                $call
            }
            #[cfg(masstree_avx)]
            $crate::index::node::Isa::Avx2 => {
                type $search = $crate::index::node::Avx2;
                $call
            }
            #[cfg(masstree_avx)]
            $crate::index::node::Isa::Avx512 => {
                type $search = $crate::index::node::Avx512;
                $call
            }
            #[cfg(masstree_neon)]
            $crate::index::node::Isa::Neon => {
                type $search = $crate::index::node::Neon;
                $call
            }
        }
    };
}
pub(crate) use with_search;

/// Atomic loads, one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

impl Search for Portable {
    #[inline]
    fn equal_mask(head: &Head, slice: u64) -> u32 {
        let mut mask = 0;
        for (i, word) in head.words.iter().enumerate() {
            mask |= u32::from(word.load(Ordering::Relaxed) == slice) << i;
        }
        mask
    }

    #[inline]
    fn less_mask(head: &Head, slice: u64) -> u32 {
        let mut mask = 0;
        for (i, word) in head.words.iter().enumerate() {
            mask |= u32::from(word.load(Ordering::Relaxed) < slice) << i;
        }
        mask
    }

    #[inline]
    fn copy(leaf: &Leaf, to: &mut MaybeUninit<Image>) {
        copy_portably(leaf, to);
    }

    // Adds up, rather than counting the bits of a mask: that is faster without POPCNT, which not
    // every x86-64 processor has.
    #[inline]
    fn count_less(head: &Head, word: u64) -> usize {
        let is_less =
            |other: &AtomicU64| other.load(Ordering::Relaxed).cast_signed() < word.cast_signed();
        head.words
            .iter()
            .map(|other| usize::from(is_less(other)))
            .sum()
    }
}

#[cfg(masstree_neon)]
mod aarch64;
#[cfg(masstree_avx)]
mod x86_64;

#[cfg(masstree_neon)]
pub(crate) use aarch64::Neon;
#[cfg(masstree_avx)]
pub(crate) use x86_64::{Avx2, Avx512};

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agrees<S: Search>(head: &Head, slice: u64) {
        let words = head
            .words
            .each_ref()
            .map(|word| word.load(Ordering::Relaxed));
        let mask = S::equal_mask(head, slice);
        for (i, &word) in words.iter().enumerate() {
            assert_eq!(mask >> i & 1 == 1, word == slice, "{slice} in {words:?}");
        }
        assert_eq!(mask >> WIDTH, 0);
        let mask = S::less_mask(head, slice);
        for (i, &word) in words.iter().enumerate() {
            assert_eq!(mask >> i & 1 == 1, word < slice, "{slice} in {words:?}");
        }
        assert_eq!(mask >> WIDTH, 0);
        assert_eq!(S::ones(mask), mask.count_ones() as usize);
        let less = words
            .iter()
            .filter(|word| word.cast_signed() < slice.cast_signed());
        assert_eq!(
            S::count_less(head, slice),
            less.count(),
            "{slice} in {words:?}"
        );
    }

    /// Put back: ignore the name, or the processor's lack of an instruction set.
    #[test]
    fn a_name_chooses_among_the_instruction_sets_of_this_processor() {
        let all: Vec<_> = Isa::of_this_processor().collect();
        assert_eq!(all.last(), Some(&Isa::Portable));
        for &isa in &all {
            assert_eq!(Isa::chosen(Some(isa.name())), isa);
        }
        for name in [None, Some(c""), Some(c"AVX2"), Some(c"avx1024")] {
            assert_eq!(Isa::chosen(name), all[0]);
        }
        #[cfg(masstree_avx)]
        for (isa, is_there) in [
            (Isa::Avx2, std::arch::is_x86_feature_detected!("avx2")),
            (Isa::Avx512, std::arch::is_x86_feature_detected!("avx512f")),
        ] {
            assert_eq!(Isa::chosen(Some(isa.name())) == isa, is_there);
        }
        #[cfg(masstree_neon)]
        assert_eq!(all, [Isa::Neon, Isa::Portable]);
    }

    /// A copy has every word, even those that the portable one leaves out.
    fn copies<S: Search>(leaf: &Leaf) {
        let mut image = MaybeUninit::uninit();
        S::copy(leaf, &mut image);
        // SAFETY: an image and a leaf are as many words, all of which were copied; atomics
        // are laid out as their contents, and no thread writes.
        let (copy, original) = unsafe {
            let words = size_of::<Leaf>() / size_of::<u64>();
            let copy: *const u64 = image.as_ptr().cast();
            let original: *const u64 = std::ptr::from_ref(leaf).cast();
            (
                std::slice::from_raw_parts(copy, words),
                std::slice::from_raw_parts(original, words),
            )
        };
        assert_eq!(copy, original);
    }

    /// Put back: copy 64 bytes less.
    #[test]
    fn vectors_copy_whole_leaves() {
        // Neighbouring bytes all differ.
        let bytes: [u8; size_of::<Leaf>()] = std::array::from_fn(|i| (i * 7 + i / 64) as u8);
        // SAFETY: any bits make the atomics of a leaf; it is aligned by the copy.
        let leaf: Leaf = unsafe { std::mem::transmute(bytes) };
        for isa in Isa::of_this_processor().filter(|&isa| isa != Isa::Portable) {
            with_search!(isa, S => copies::<S>(&leaf));
        }
    }

    fn some_word() -> impl Strategy<Value = u64> {
        prop_oneof![
            0..20_u64,
            Just(u64::MAX),
            (0..20_u64).prop_map(|n| n | 1 << 63),
            any::<u64>()
        ]
    }

    proptest! {
        /// Tests every instruction set of this processor.
        #[test]
        fn searches_agree_with_their_definition(words in prop::array::uniform15(some_word()),
                                                slice in some_word(), at in 0..WIDTH) {
            let head = Head {
                version: VersionWord::new_locked(Version::NEW_LEAF),
                words: words.map(AtomicU64::new),
            };
            for slice in [slice, words[at], words[at].wrapping_add(1), words[at].wrapping_sub(1)] {
                for isa in Isa::of_this_processor() {
                    with_search!(isa, S => agrees::<S>(&head, slice));
                }
            }
        }
    }
}
