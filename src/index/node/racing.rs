//! Loads of readers without a guard (see `tree::read::unguarded`).
//!
//! While such a reader reads a node, the node's memory may be freed, and become a node of the other
//! kind. Other threads then store to the same bytes by atomics of another size, which Rust does not
//! define. So these loads are in `asm!`, as those of vectors are (see `search`): a load of one byte,
//! or of an aligned word, reads it whole on every processor. The reader validates the node's version
//! before it uses the result.
//!
//! Models, and other processors, load by atomics.

use crate::sync::{AtomicPtr, AtomicU8, Ordering};

const ATOMIC: bool = cfg!(any(loom, shuttle, feature = "annotate"));

#[inline(always)]
pub(super) fn byte(from: &AtomicU8) -> u8 {
    if ATOMIC {
        return from.load(Ordering::Relaxed);
    }
    let byte: u32;
    // SAFETY: reads the byte that is referred to.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "movzx {byte:e}, byte ptr [{from}]",
            from = in(reg) std::ptr::from_ref(from),
            byte = out(reg) byte,
            options(readonly, nostack, preserves_flags),
        );
    }
    // SAFETY: as on x86-64.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!(
            "ldrb {byte:w}, [{from}]",
            from = in(reg) std::ptr::from_ref(from),
            byte = out(reg) byte,
            options(readonly, nostack, preserves_flags),
        );
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        byte = u32::from(from.load(Ordering::Relaxed));
    }
    byte as u8
}

#[inline(always)]
pub(super) fn pointer<T>(from: &AtomicPtr<T>) -> *mut T {
    if ATOMIC {
        return from.load(Ordering::Relaxed);
    }
    let pointer: *mut T;
    // SAFETY: reads the word that is referred to.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "mov {pointer}, qword ptr [{from}]",
            from = in(reg) std::ptr::from_ref(from),
            pointer = out(reg) pointer,
            options(readonly, nostack, preserves_flags),
        );
    }
    // SAFETY: as on x86-64.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!(
            "ldr {pointer}, [{from}]",
            from = in(reg) std::ptr::from_ref(from),
            pointer = out(reg) pointer,
            options(readonly, nostack, preserves_flags),
        );
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        pointer = from.load(Ordering::Relaxed);
    }
    pointer
}
