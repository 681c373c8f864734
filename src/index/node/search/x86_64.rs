//! Searches with the vectors of x86-64: AVX2 and AVX-512.

use std::arch::asm;
use std::mem::MaybeUninit;

use super::{Head, Image, Leaf, Search};

/// The number of bits set, by the instruction POPCNT. In `asm!`, since the compiler may not
/// emit POPCNT by itself: not every x86-64 processor has it.
#[inline]
fn popcnt(mask: u32) -> usize {
    let count: usize;
    // SAFETY: trees search with vectors only on processors with POPCNT.
    unsafe {
        asm!(
            "popcnt {count}, {mask}",
            mask = in(reg) u64::from(mask),
            count = out(reg) count,
            options(pure, nomem, nostack),
        );
    }
    count
}

/// 512-bit vectors: two loads. Uses only registers that SSE code cannot access, so that no
/// SSE code waits for upper halves to be cleared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512;

impl Search for Avx512 {
    #[inline]
    fn equal_mask(head: &Head, slice: u64) -> u32 {
        let mask: u32;
        // SAFETY: reads the 128 bytes of the head, which is aligned to 64; a tree uses this
        // only on a processor with AVX-512F.
        unsafe {
            asm!(
                "vpbroadcastq zmm16, {slice}",
                "vpcmpeqq k1, zmm16, zmmword ptr [{head}]",
                "vpcmpeqq k2, zmm16, zmmword ptr [{head} + 64]",
                "kunpckbw k1, k2, k1",
                "kmovw {mask:e}, k1",
                head = in(reg) std::ptr::from_ref(head),
                slice = in(reg) slice,
                mask = out(reg) mask,
                out("zmm16") _, out("k1") _, out("k2") _,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        // The first lane is the version.
        mask >> 1
    }

    #[inline]
    fn less_mask(head: &Head, slice: u64) -> u32 {
        let mask: u32;
        // SAFETY: as in `equal_mask`.
        unsafe {
            asm!(
                "vpbroadcastq zmm16, {slice}",
                // 6: the slice is greater than the word, unsigned.
                "vpcmpuq k1, zmm16, zmmword ptr [{head}], 6",
                "vpcmpuq k2, zmm16, zmmword ptr [{head} + 64], 6",
                "kunpckbw k1, k2, k1",
                "kmovw {mask:e}, k1",
                head = in(reg) std::ptr::from_ref(head),
                slice = in(reg) slice,
                mask = out(reg) mask,
                out("zmm16") _, out("k1") _, out("k2") _,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        mask >> 1
    }

    #[inline]
    fn count_less(head: &Head, word: u64) -> usize {
        let count: usize;
        // SAFETY: as in `equal_mask`. The first lane, the version, is not counted.
        unsafe {
            asm!(
                "vpbroadcastq zmm16, {word}",
                "vpcmpgtq k1, zmm16, zmmword ptr [{head}]",
                "vpcmpgtq k2, zmm16, zmmword ptr [{head} + 64]",
                "kunpckbw k1, k2, k1",
                "kmovw {count:e}, k1",
                "and {count:e}, -2",
                "popcnt {count:e}, {count:e}",
                head = in(reg) std::ptr::from_ref(head),
                word = in(reg) word,
                count = out(reg) count,
                out("zmm16") _, out("k1") _, out("k2") _,
                options(pure, readonly, nostack),
            );
        }
        count
    }

    #[inline]
    fn copy(leaf: &Leaf, to: &mut MaybeUninit<Image>) {
        // SAFETY: reads the five cache lines of the leaf, which is aligned to 64, and writes as
        // many bytes. A tree uses this only on a processor with AVX-512F.
        unsafe {
            asm!(
                "vmovdqa64 zmm16, zmmword ptr [{from}]",
                "vmovdqa64 zmm17, zmmword ptr [{from} + 64]",
                "vmovdqa64 zmm18, zmmword ptr [{from} + 128]",
                "vmovdqa64 zmm19, zmmword ptr [{from} + 192]",
                "vmovdqa64 zmm20, zmmword ptr [{from} + 256]",
                "vmovdqu64 zmmword ptr [{to}], zmm16",
                "vmovdqu64 zmmword ptr [{to} + 64], zmm17",
                "vmovdqu64 zmmword ptr [{to} + 128], zmm18",
                "vmovdqu64 zmmword ptr [{to} + 192], zmm19",
                "vmovdqu64 zmmword ptr [{to} + 256], zmm20",
                from = in(reg) std::ptr::from_ref(leaf),
                to = in(reg) to.as_mut_ptr(),
                out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _, out("zmm20") _,
                options(nostack, preserves_flags),
            );
        }
    }

    #[inline]
    fn ones(mask: u32) -> usize {
        popcnt(mask)
    }
}

/// 256-bit vectors: four loads. AVX2 only compares signed integers: `less_mask` inverts the highest bit
/// of both operands, and `count_less` gets words that are stored so (see `internode`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2;

impl Search for Avx2 {
    #[inline]
    fn equal_mask(head: &Head, slice: u64) -> u32 {
        let mask: u32;
        // SAFETY: reads the 128 bytes of the head, which is aligned to 64; a tree uses this
        // only on a processor with AVX2.
        unsafe {
            asm!(
                "vmovq xmm0, {slice}",
                "vpbroadcastq ymm0, xmm0",
                "vpcmpeqq ymm1, ymm0, ymmword ptr [{head}]",
                "vpcmpeqq ymm2, ymm0, ymmword ptr [{head} + 32]",
                "vpcmpeqq ymm3, ymm0, ymmword ptr [{head} + 64]",
                "vpcmpeqq ymm4, ymm0, ymmword ptr [{head} + 96]",
                "vmovmskpd {mask:e}, ymm1",
                "vmovmskpd {more:e}, ymm2",
                "shl {more:e}, 4",
                "or {mask:e}, {more:e}",
                "vmovmskpd {more:e}, ymm3",
                "shl {more:e}, 8",
                "or {mask:e}, {more:e}",
                "vmovmskpd {more:e}, ymm4",
                "shl {more:e}, 12",
                "or {mask:e}, {more:e}",
                "vzeroupper",
                head = in(reg) std::ptr::from_ref(head),
                slice = in(reg) slice,
                mask = out(reg) mask,
                more = out(reg) _,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _,
                options(pure, readonly, nostack),
            );
        }
        // The first lane is the version.
        mask >> 1
    }

    #[inline]
    fn less_mask(head: &Head, slice: u64) -> u32 {
        let mask: u32;
        // SAFETY: as in `equal_mask`.
        unsafe {
            asm!(
                "vmovq xmm0, {slice}",
                "vmovq xmm5, {top}",
                "vpbroadcastq ymm0, xmm0",
                "vpbroadcastq ymm5, xmm5",
                "vpxor ymm1, ymm5, ymmword ptr [{head}]",
                "vpxor ymm2, ymm5, ymmword ptr [{head} + 32]",
                "vpxor ymm3, ymm5, ymmword ptr [{head} + 64]",
                "vpxor ymm4, ymm5, ymmword ptr [{head} + 96]",
                "vpcmpgtq ymm1, ymm0, ymm1",
                "vpcmpgtq ymm2, ymm0, ymm2",
                "vpcmpgtq ymm3, ymm0, ymm3",
                "vpcmpgtq ymm4, ymm0, ymm4",
                "vmovmskpd {mask:e}, ymm1",
                "vmovmskpd {more:e}, ymm2",
                "shl {more:e}, 4",
                "or {mask:e}, {more:e}",
                "vmovmskpd {more:e}, ymm3",
                "shl {more:e}, 8",
                "or {mask:e}, {more:e}",
                "vmovmskpd {more:e}, ymm4",
                "shl {more:e}, 12",
                "or {mask:e}, {more:e}",
                "vzeroupper",
                head = in(reg) std::ptr::from_ref(head),
                slice = in(reg) slice ^ 1 << 63,
                top = in(reg) 1_u64 << 63,
                mask = out(reg) mask,
                more = out(reg) _,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _,
                out("xmm5") _,
                options(pure, readonly, nostack),
            );
        }
        mask >> 1
    }

    #[inline]
    fn count_less(head: &Head, word: u64) -> usize {
        let twice: usize;
        // SAFETY: as in `equal_mask`. The mask has two bits for each lane. Packing changes the
        // order of the lanes, but the version stays the first, which is not counted.
        unsafe {
            asm!(
                "vmovq xmm0, {word}",
                "vpbroadcastq ymm0, xmm0",
                "vpcmpgtq ymm1, ymm0, ymmword ptr [{head}]",
                "vpcmpgtq ymm2, ymm0, ymmword ptr [{head} + 32]",
                "vpcmpgtq ymm3, ymm0, ymmword ptr [{head} + 64]",
                "vpcmpgtq ymm4, ymm0, ymmword ptr [{head} + 96]",
                "vpackssdw ymm1, ymm1, ymm2",
                "vpackssdw ymm3, ymm3, ymm4",
                "vpacksswb ymm1, ymm1, ymm3",
                "vpmovmskb {twice:e}, ymm1",
                "and {twice:e}, -4",
                "popcnt {twice:e}, {twice:e}",
                "vzeroupper",
                head = in(reg) std::ptr::from_ref(head),
                word = in(reg) word,
                twice = out(reg) twice,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _,
                options(pure, readonly, nostack),
            );
            std::hint::assert_unchecked(twice.is_multiple_of(2));
        }
        twice / 2
    }

    #[inline]
    fn copy(leaf: &Leaf, to: &mut MaybeUninit<Image>) {
        // SAFETY: as for AVX-512, on a processor with AVX2.
        unsafe {
            asm!(
                "vmovdqa ymm0, ymmword ptr [{from} + 0]",
                "vmovdqu ymmword ptr [{to} + 0], ymm0",
                "vmovdqa ymm1, ymmword ptr [{from} + 32]",
                "vmovdqu ymmword ptr [{to} + 32], ymm1",
                "vmovdqa ymm2, ymmword ptr [{from} + 64]",
                "vmovdqu ymmword ptr [{to} + 64], ymm2",
                "vmovdqa ymm3, ymmword ptr [{from} + 96]",
                "vmovdqu ymmword ptr [{to} + 96], ymm3",
                "vmovdqa ymm0, ymmword ptr [{from} + 128]",
                "vmovdqu ymmword ptr [{to} + 128], ymm0",
                "vmovdqa ymm1, ymmword ptr [{from} + 160]",
                "vmovdqu ymmword ptr [{to} + 160], ymm1",
                "vmovdqa ymm2, ymmword ptr [{from} + 192]",
                "vmovdqu ymmword ptr [{to} + 192], ymm2",
                "vmovdqa ymm3, ymmword ptr [{from} + 224]",
                "vmovdqu ymmword ptr [{to} + 224], ymm3",
                "vmovdqa ymm0, ymmword ptr [{from} + 256]",
                "vmovdqu ymmword ptr [{to} + 256], ymm0",
                "vmovdqa ymm1, ymmword ptr [{from} + 288]",
                "vmovdqu ymmword ptr [{to} + 288], ymm1",
                "vzeroupper",
                from = in(reg) std::ptr::from_ref(leaf),
                to = in(reg) to.as_mut_ptr(),
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                options(nostack, preserves_flags),
            );
        }
    }

    #[inline]
    fn ones(mask: u32) -> usize {
        popcnt(mask)
    }
}
