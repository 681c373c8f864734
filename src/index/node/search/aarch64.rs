//! Searches with the vectors of AArch64: NEON, which every processor has that runs Linux.
//!
//! **Racing loads.** Writers store to the words meanwhile, as `search` says. All loads here are LD1 of elements
//! of 8 bytes, in nodes, which are aligned to 64. LD1 reads each element with one access of its size; the access
//! to an aligned element of 8 bytes is one single-copy atomic read. So each is what a relaxed atomic load of the
//! word is. This follows from the Arm Architecture Reference Manual, DDI 0487: "Requirements for single-copy
//! atomicity" (B2.2.1), and the pseudocode, where LD1 (multiple structures) reads an element by `Mem[]`, and
//! `Mem[]` an aligned one by a single `AArch64.MemSingle[]`. It does not take FEAT_LSE2, which is about larger
//! and unaligned accesses. Nothing here relies on the order in which one instruction reads its elements.
//!
//! **Order.** An LD1 acquires nothing. The searches need no more than that: the load of the permutation or
//! of the version before them is an acquire load, after which the processor executes them, and validation
//! executes an acquire fence after them (`version`), which orders them before the second load of the
//! version and before every use of what they found. Only the child at a counted index is followed before: any
//! index is that of a child, which `NodeRef::load` loads.
//!
//! A copy contains links that the portable copy loads with `SeqCst` (LDAR), and a reader may follow
//! the bag before it validates. A `SeqCst` load of a link promises three things:
//!
//! 1. *What the link points to was written before it is read.* The barrier DMB ISHLD at the end of the copy
//!    orders all its loads before all later accesses: with the release store of the link, each is
//!    then an acquire load.
//! 2. *A value comes with what its writer did before the put.* By the same barrier.
//! 3. *A reader that has entered a guard does not load a link that was removed before the guard was
//!    looked for* (`reclaim`). Where seize has `membarrier`, every thread executes a full barrier between the
//!    removal and the search for guards, so any load will do. Without it, entering is an STLR or an atomic
//!    exchange, and a later plain load may overtake an STLR; an LDAR does not. Each descent begins
//!    with such a load, that of the root or of a link to a layer (`NodeRef::load`), and all later loads stay
//!    behind an LDAR, LD1 among them. The writer has stored the removal and then executed DMB ISH before
//!    it loads the reservations. If it does not see the reader's reservation, the reader's LDAR comes after
//!    the removal, and so does each load after the LDAR: Arm's memory is multi-copy atomic.

use std::arch::asm;
use std::mem::MaybeUninit;

use super::{Head, Image, Leaf, Search};

/// 128-bit vectors: the head is two loads of four vectors each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neon;

/// A comparison of all words of a head with one, whose result is a mask. The lanes of v16 to v23 become
/// all ones or zero. Three rounds of shifting into a neighbour make two lanes of pairs of equal bits: the
/// low lane of v16 has the results of the even words, the high one those of the odd words. Merged by the
/// pattern 0x55, they are in order; the first is the version's.
macro_rules! mask_of {
    ($head:expr, $word:expr, $compare:literal) => {{
        let mask: u32;
        // SAFETY: reads the 128 bytes of the head, which is aligned to 64.
        unsafe {
            asm!(
                "dup v0.2d, {word}",
                "ld1 {{v16.2d, v17.2d, v18.2d, v19.2d}}, [{head}], #64",
                "ld1 {{v20.2d, v21.2d, v22.2d, v23.2d}}, [{head}]",
                concat!($compare, " v16.2d, v0.2d, v16.2d"),
                concat!($compare, " v17.2d, v0.2d, v17.2d"),
                concat!($compare, " v18.2d, v0.2d, v18.2d"),
                concat!($compare, " v19.2d, v0.2d, v19.2d"),
                concat!($compare, " v20.2d, v0.2d, v20.2d"),
                concat!($compare, " v21.2d, v0.2d, v21.2d"),
                concat!($compare, " v22.2d, v0.2d, v22.2d"),
                concat!($compare, " v23.2d, v0.2d, v23.2d"),
                "sli v16.2d, v17.2d, #2",
                "sli v18.2d, v19.2d, #2",
                "sli v20.2d, v21.2d, #2",
                "sli v22.2d, v23.2d, #2",
                "sli v16.2d, v18.2d, #4",
                "sli v20.2d, v22.2d, #4",
                "movi v0.8b, #0x55",
                "sli v16.2d, v20.2d, #8",
                "mov d17, v16.d[1]",
                "bif v16.8b, v17.8b, v0.8b",
                "fmov {mask:w}, s16",
                "ubfx {mask:w}, {mask:w}, #1, #15",
                head = inout(reg) std::ptr::from_ref::<Head>($head) => _,
                word = in(reg) $word,
                mask = lateout(reg) mask,
                out("v0") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        mask
    }};
}

impl Search for Neon {
    #[inline]
    fn equal_mask(head: &Head, slice: u64) -> u32 {
        mask_of!(head, slice, "cmeq")
    }

    #[inline]
    fn less_mask(head: &Head, slice: u64) -> u32 {
        // The slice is higher than the word, unsigned.
        mask_of!(head, slice, "cmhi")
    }

    #[inline]
    fn count_less(head: &Head, word: u64) -> usize {
        let negative: usize;
        // SAFETY: as in `mask_of`. Each lane is minus one or zero. The first, the version's, is left out:
        // only the high lane of v16 is kept.
        unsafe {
            asm!(
                "dup v0.2d, {word}",
                "ld1 {{v16.2d, v17.2d, v18.2d, v19.2d}}, [{head}], #64",
                "ld1 {{v20.2d, v21.2d, v22.2d, v23.2d}}, [{head}]",
                "cmgt v16.2d, v0.2d, v16.2d",
                "cmgt v17.2d, v0.2d, v17.2d",
                "cmgt v18.2d, v0.2d, v18.2d",
                "cmgt v19.2d, v0.2d, v19.2d",
                "cmgt v20.2d, v0.2d, v20.2d",
                "cmgt v21.2d, v0.2d, v21.2d",
                "cmgt v22.2d, v0.2d, v22.2d",
                "cmgt v23.2d, v0.2d, v23.2d",
                "mov d16, v16.d[1]",
                "add v17.2d, v17.2d, v18.2d",
                "add v19.2d, v19.2d, v20.2d",
                "add v21.2d, v21.2d, v22.2d",
                "add v16.2d, v16.2d, v23.2d",
                "add v17.2d, v17.2d, v19.2d",
                "add v16.2d, v16.2d, v21.2d",
                "add v16.2d, v16.2d, v17.2d",
                "addp d16, v16.2d",
                "fmov {negative}, d16",
                head = inout(reg) std::ptr::from_ref(head) => _,
                word = in(reg) word,
                negative = lateout(reg) negative,
                out("v0") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        negative.wrapping_neg()
    }

    #[inline]
    fn copy(leaf: &Leaf, to: &mut MaybeUninit<Image>) {
        // SAFETY: reads the five cache lines of the leaf, which is aligned to 64, and writes as many bytes.
        unsafe {
            asm!(
                "ld1 {{v16.2d, v17.2d, v18.2d, v19.2d}}, [{from}], #64",
                "ld1 {{v20.2d, v21.2d, v22.2d, v23.2d}}, [{from}], #64",
                "ld1 {{v24.2d, v25.2d, v26.2d, v27.2d}}, [{from}], #64",
                "ld1 {{v28.2d, v29.2d, v30.2d, v31.2d}}, [{from}], #64",
                "ld1 {{v0.2d, v1.2d, v2.2d, v3.2d}}, [{from}]",
                "st1 {{v16.2d, v17.2d, v18.2d, v19.2d}}, [{to}], #64",
                "st1 {{v20.2d, v21.2d, v22.2d, v23.2d}}, [{to}], #64",
                "st1 {{v24.2d, v25.2d, v26.2d, v27.2d}}, [{to}], #64",
                "st1 {{v28.2d, v29.2d, v30.2d, v31.2d}}, [{to}], #64",
                "st1 {{v0.2d, v1.2d, v2.2d, v3.2d}}, [{to}]",
                "dmb ishld",
                from = inout(reg) std::ptr::from_ref(leaf) => _,
                to = inout(reg) to.as_mut_ptr() => _,
                out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                out("v24") _, out("v25") _, out("v26") _, out("v27") _,
                out("v28") _, out("v29") _, out("v30") _, out("v31") _,
                options(nostack, preserves_flags),
            );
        }
    }
}
