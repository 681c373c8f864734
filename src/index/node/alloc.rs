//! Creates and frees nodes in a tree's memory.

use std::alloc::Layout;
use std::mem::{ManuallyDrop, needs_drop};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Lockable;
use super::internode::Internode;
use super::leaf::{Leaf, TailedLeaf};
use super::link::Chain;
use super::version::VersionWord;
use crate::index::memory::Memory;

/// Writes a new node, which `make` would return, to a slot. Other threads may load the slot's version
/// word meanwhile; its count continues from the slot's previous node. Readers without a guard may
/// load the rest, too, and reject what they have loaded (see `read::unguarded`).
///
/// # Safety
/// The slot is freshly allocated for an `N`; its first word is an initialized atomic, as
/// `memory::pool` promises.
#[inline(always)]
unsafe fn fill<N: Lockable>(slot: NonNull<N>, make: fn() -> N) {
    if cfg!(any(loom, shuttle)) {
        // Model builds do not reuse slots.
        // SAFETY: by contract.
        return unsafe { slot.write(make()) };
    }
    VersionWord::fence_of_reuse();
    // SAFETY: by contract. Other threads only load from the slot.
    unsafe {
        if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
            zero(slot.cast());
            slot.as_ref().renew_zeroed();
        } else {
            copy(&*ManuallyDrop::new(make()), slot);
        }
        slot.cast::<VersionWord>().as_ref().renew(N::NEW);
    }
}

/// Stores the words of a new node to a slot, except the first.
///
/// # Safety
/// As `fill`.
unsafe fn copy<N: Lockable>(node: &N, slot: NonNull<N>) {
    // SAFETY: both are nodes: words without padding. No word of a new node is a pointer other than
    // null.
    unsafe {
        let from = std::ptr::from_ref(node).cast::<u64>();
        let to = slot.cast::<AtomicU64>();
        for index in 1..WORDS {
            let word = from.add(index).read();
            to.add(index).as_ref().store(word, Ordering::Relaxed);
        }
    }
}

/// The number of words of a node, of either kind.
const WORDS: usize = 40;
#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(size_of::<Leaf>() == 8 * WORDS && size_of::<Internode>() == 8 * WORDS);

/// Stores zero to all words of a slot but the first, as relaxed atomic stores would: a store of a
/// vector stores each aligned word of 8 bytes whole, as a load reads it (see `search`). On x86-64, an
/// insert takes two instructions less than with a store for each word.
///
/// # Safety
/// As `fill`.
#[inline(always)]
unsafe fn zero(slot: NonNull<u8>) {
    // SAFETY: by contract; slots are aligned to 64 bytes, and have 320.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "pxor {zero}, {zero}",
            "mov qword ptr [{slot} + 8], 0",
            "movaps [{slot} + 16], {zero}",
            "movaps [{slot} + 32], {zero}",
            "movaps [{slot} + 48], {zero}",
            "movaps [{slot} + 64], {zero}",
            "movaps [{slot} + 80], {zero}",
            "movaps [{slot} + 96], {zero}",
            "movaps [{slot} + 112], {zero}",
            "movaps [{slot} + 128], {zero}",
            "movaps [{slot} + 144], {zero}",
            "movaps [{slot} + 160], {zero}",
            "movaps [{slot} + 176], {zero}",
            "movaps [{slot} + 192], {zero}",
            "movaps [{slot} + 208], {zero}",
            "movaps [{slot} + 224], {zero}",
            "movaps [{slot} + 240], {zero}",
            "movaps [{slot} + 256], {zero}",
            "movaps [{slot} + 272], {zero}",
            "movaps [{slot} + 288], {zero}",
            "movaps [{slot} + 304], {zero}",
            zero = out(xmm_reg) _,
            slot = in(reg) slot.as_ptr(),
            options(nostack, preserves_flags),
        );
    }
    // SAFETY: as above. The words from the second on, as elements of 8 bytes.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!(
            "movi v0.2d, #0",
            "movi v1.2d, #0",
            "movi v2.2d, #0",
            "movi v3.2d, #0",
            "str xzr, [{slot}], #8",
            "st1 {{v0.2d, v1.2d, v2.2d}}, [{slot}], #48",
            "st1 {{v0.2d, v1.2d, v2.2d, v3.2d}}, [{slot}], #64",
            "st1 {{v0.2d, v1.2d, v2.2d, v3.2d}}, [{slot}], #64",
            "st1 {{v0.2d, v1.2d, v2.2d, v3.2d}}, [{slot}], #64",
            "st1 {{v0.2d, v1.2d, v2.2d, v3.2d}}, [{slot}]",
            slot = inout(reg) slot.as_ptr().add(8) => _,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            options(nostack, preserves_flags),
        );
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    unreachable!("{slot:?} is filled by atomics")
}

/// Marks the version word as that of a freed node, before the node's memory is freed. Drops the
/// node's fields in model builds only: in others, other threads may still load the version word.
///
/// # Safety
/// `N` is the node's kind. No other thread uses the node, except for loads of its version word.
unsafe fn end<N>(node: NonNull<N>) {
    // SAFETY: by contract; a node begins with its version word.
    unsafe {
        node.cast::<VersionWord>().as_ref().end();
        if needs_drop::<N>() {
            node.drop_in_place();
        }
    }
}

/// [`end`] for a leaf, with or without tails.
///
/// # Safety
/// As `end`.
unsafe fn end_leaf(leaf: NonNull<Leaf>, tailed: bool) {
    // SAFETY: by contract; a leaf with tails is the beginning of a tailed leaf.
    unsafe {
        match tailed {
            true => end(leaf.cast::<TailedLeaf>()),
            false => end(leaf),
        }
    }
}

/// Writes a new node to a slot; returns a reference to it.
///
/// # Safety
/// The contract of `fill`.
#[inline]
unsafe fn place<'g, N: Lockable>(slot: NonNull<u8>, make: fn() -> N) -> &'g N {
    let slot = slot.cast();
    // SAFETY: by contract.
    unsafe {
        fill(slot, make);
        slot.as_ref()
    }
}

/// [`place`] for a leaf, with or without tails.
///
/// # Safety
/// The contract of `fill`.
#[inline]
unsafe fn place_leaf<'g>(slot: NonNull<u8>, tailed: bool) -> &'g Leaf {
    // SAFETY: by contract; a tailed leaf begins with a leaf.
    unsafe {
        if tailed && cfg!(any(loom, shuttle)) {
            slot.cast().write(TailedLeaf::new());
            return slot.cast().as_ref();
        }
        let leaf = place(slot, Leaf::new);
        if tailed {
            leaf.renew_tails();
        }
        leaf
    }
}

/// Returns the layout of a leaf, with or without tails.
pub(crate) const fn layout_of_leaf(tailed: bool) -> Layout {
    match tailed {
        true => Layout::new::<TailedLeaf>(),
        false => Layout::new::<Leaf>(),
    }
}

impl Memory {
    /// Returns a new leaf, with or without tails, locked and not published (see [`Leaf::new`]);
    /// `None` when out of memory.
    pub(crate) fn new_leaf<'g>(&self, tailed: bool) -> Option<&'g Leaf> {
        let slot = self.allocate_node(layout_of_leaf(tailed))?;
        // SAFETY: freshly allocated for such a leaf.
        Some(unsafe { place_leaf(slot, tailed) })
    }

    /// Returns a new internode, locked and not published (see [`Internode::new`]); `None` when out
    /// of memory.
    pub(crate) fn new_internode<'g>(&self) -> Option<&'g Internode> {
        let slot = self.allocate_node(Layout::new::<Internode>())?;
        // SAFETY: freshly allocated for an internode.
        Some(unsafe { place(slot, Internode::new) })
    }

    /// [`Self::new_leaf`] without waiting and without calling an allocator; `None` if the pool has
    /// no free slot for the stripe, or if another thread has locked that part of the pool.
    pub(crate) fn pooled_leaf<'g>(&self, tailed: bool, stripe: usize) -> Option<&'g Leaf> {
        let slot = self.pooled_node(layout_of_leaf(tailed), stripe)?;
        // SAFETY: freshly allocated for such a leaf.
        Some(unsafe { place_leaf(slot, tailed) })
    }

    /// [`Self::new_internode`] without waiting and without calling an allocator; `None` as in
    /// [`Self::pooled_leaf`].
    pub(crate) fn pooled_internode<'g>(&self, stripe: usize) -> Option<&'g Internode> {
        let slot = self.pooled_node(Layout::new::<Internode>(), stripe)?;
        // SAFETY: freshly allocated for an internode.
        Some(unsafe { place(slot, Internode::new) })
    }

    /// # Safety
    /// The leaf came from `new_leaf` of this memory, and no thread uses it any more. The caller
    /// frees its suffix bag.
    pub(crate) unsafe fn free_leaf(&self, leaf: NonNull<Leaf>) {
        // SAFETY: by contract.
        unsafe {
            let tailed = leaf.as_ref().has_tails();
            end_leaf(leaf, tailed);
            self.free_node(leaf.cast(), layout_of_leaf(tailed));
        }
    }

    /// [`Self::free_leaf`] of all leaves of a chain, which all have tails or all have none.
    ///
    /// # Safety
    /// As `free_leaf`, for each of them.
    pub(crate) unsafe fn free_leaves(&self, mut leaves: Chain<'_>, tailed: bool) {
        let ended = std::iter::from_fn(|| {
            let leaf = leaves.pop()?.as_non_null();
            // SAFETY: by contract.
            unsafe { end_leaf(leaf.cast(), tailed) };
            Some(leaf.cast())
        });
        // SAFETY: by contract.
        unsafe { self.free_nodes(ended, layout_of_leaf(tailed)) };
    }

    /// # Safety
    /// The internode came from `new_internode` of this memory, and no thread uses it any more.
    pub(crate) unsafe fn free_internode(&self, internode: NonNull<Internode>) {
        // SAFETY: by contract.
        unsafe {
            end(internode);
            self.free_node(internode.cast(), Layout::new::<Internode>());
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::index::node::Locked;

    #[repr(C, align(64))]
    struct Slot([AtomicU64; WORDS]);

    fn words<N>(node: NonNull<N>) -> Vec<u64> {
        // SAFETY: a node or a slot: words, which no other thread accesses.
        let words = unsafe { node.cast::<[u64; WORDS]>().read() };
        words[1..].to_vec()
    }

    fn is_new_in_a_used_slot<N: Lockable>(make: fn() -> N) {
        let slot = Slot(std::array::from_fn(|_| AtomicU64::new(u64::MAX >> 1)));
        let slot = NonNull::from(&slot);
        // SAFETY: a slot that no other thread accesses.
        let node: &N = unsafe { place(slot.cast(), make) };
        let new = make();
        assert_eq!(words(NonNull::from(node)), words(NonNull::from(&new)));
        let version = Locked::private(node).version_found();
        assert_eq!(
            version.number() & 0xFF,
            new.version().load().number() & 0xFF
        );
        // SAFETY: as above.
        unsafe { copy(&new, slot.cast()) };
        assert_eq!(words(slot), words(NonNull::from(&new)));
    }

    /// Put back: store to one word less in `zero`, or no era in `renew_zeroed`.
    #[test]
    fn a_node_in_a_used_slot_has_the_words_of_a_new_one() {
        is_new_in_a_used_slot(Leaf::new);
        is_new_in_a_used_slot(Internode::new);
    }
}
