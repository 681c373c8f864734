//! Pointers to nodes of either kind.
//!
//! Loads of pointers that `reclaim` protects are `SeqCst`: together with the fence or the
//! `membarrier` inside seize they form the total order on which its guards rest. Such a load is a
//! plain load on x86-64, and `ldar` on Arm.
//!
//! Stores of such pointers are release stores, whether they publish a node, move a pointer, or
//! unlink a node: seize executes the fence or the `membarrier` between the last store that unlinks
//! an object and its look at the guards. If a reader's load precedes that store in the order of the
//! pointer's changes, then it precedes the fence in the total order, and so does the entering of
//! the reader's guard, which seize therefore sees. A link to a layer is also removed by a release
//! store of the leaf's permutation, which readers load with acquire. With `membarrier`, which Linux
//! has, the ordering of the loads does not matter. Without it, entering a guard is a `SeqCst` store;
//! the first load after it is that of the tree's root (`ldar` on Arm, which waits for that store),
//! and the acquire load of the permutation follows the load of the root.

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::Lockable;
use super::alloc::layout_of_leaf;
use super::internode::Internode;
use super::leaf::Leaf;
use super::version::{Version, VersionWord};
use crate::sync::{AtomicPtr, Ordering};

/// The common beginning of leaves and internodes.
#[repr(C)]
pub(crate) struct Node {
    version: VersionWord,
}

/// A node of unknown kind that may be read for `'g`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeRef<'g> {
    ptr: NonNull<Node>,
    pinned: PhantomData<&'g Node>,
}

/// A node of known kind.
#[derive(Clone, Copy)]
pub(crate) enum AnyNode<'g> {
    Leaf(&'g Leaf),
    Internode(&'g Internode),
}

impl<'g> NodeRef<'g> {
    /// # Safety
    /// The pointer refers to a `Leaf` or an `Internode` that may be read for `'g` (see the rules in
    /// `node`).
    #[inline]
    pub(crate) unsafe fn new(ptr: NonNull<Node>) -> Self {
        Self {
            ptr,
            pinned: PhantomData,
        }
    }

    /// Loads the pointer in `word`; `None` if it is null.
    ///
    /// # Safety
    /// The word holds null, or a pointer that meets the contract of `new`.
    #[inline]
    pub(crate) unsafe fn load(word: &AtomicPtr<Node>) -> Option<Self> {
        // SAFETY: as this function's contract.
        NonNull::new(word.load(Ordering::SeqCst)).map(|ptr| unsafe { Self::new(ptr) })
    }

    pub(super) fn as_non_null(self) -> NonNull<Node> {
        self.ptr
    }

    #[inline]
    pub(crate) fn as_ptr(self) -> *mut Node {
        self.ptr.as_ptr()
    }

    #[inline]
    pub(crate) fn version(self) -> &'g VersionWord {
        // SAFETY: both kinds of node begin with the version word, and the node
        // may be read for 'g.
        unsafe { &(*self.ptr.as_ptr()).version }
    }

    /// Prefetches the four cache lines that a search reads. (With the fifth line too, gets in a
    /// tree of 5,000,000 keys were slower by 5 %; with only three, by 15 %.)
    #[inline]
    pub(crate) fn prefetch(self) {
        prefetch::<4>(self.ptr.as_ptr().cast());
    }

    /// Prefetches the third and the fourth line, which a search reads last.
    #[inline]
    pub(crate) fn prefetch_tail(self) {
        prefetch::<2>(self.ptr.as_ptr().cast::<u8>().wrapping_add(128));
    }

    /// Prefetches all five lines of the node.
    #[inline]
    pub(crate) fn prefetch_all(self) {
        prefetch::<{ size_of::<Leaf>() / 64 }>(self.ptr.as_ptr().cast());
    }

    /// Prefetches the lines of a leaf that are used to remove all its entries: every second one.
    #[inline]
    pub(crate) fn prefetch_to_empty(self) {
        for line in (0..size_of::<Leaf>() / 64).step_by(2) {
            prefetch::<1>(self.ptr.as_ptr().cast::<u8>().wrapping_add(64 * line));
        }
    }

    /// Prefetches all lines of a leaf, for writing: so that no other processor need be asked again
    /// when the leaf is locked.
    #[inline]
    pub(crate) fn prefetch_for_write(self) {
        prefetch_for_write::<{ size_of::<Leaf>() / 64 }>(self.ptr.as_ptr().cast());
    }

    /// Prefetches the lines that a tailed leaf has and other leaves don't.
    #[inline]
    pub(crate) fn prefetch_tails(self) {
        const MORE: usize = (layout_of_leaf(true).size() - size_of::<Leaf>()) / 64;
        prefetch::<MORE>(self.ptr.as_ptr().cast::<Leaf>().wrapping_add(1).cast());
    }

    /// The node, as a leaf or an internode.
    #[inline]
    pub(crate) fn kind(self) -> AnyNode<'g> {
        self.kind_at(self.version().load())
    }

    /// The node, as a leaf or an internode, given a version that was loaded from it.
    #[inline]
    pub(crate) fn kind_at(self, version: Version) -> AnyNode<'g> {
        // SAFETY: the LEAF bit says which kind the node is, and never changes.
        unsafe {
            if version.is_leaf() {
                AnyNode::Leaf(&*self.ptr.as_ptr().cast())
            } else {
                AnyNode::Internode(&*self.ptr.as_ptr().cast())
            }
        }
    }

    /// The node, as a leaf.
    ///
    /// # Safety
    /// The node is a leaf.
    #[inline]
    pub(crate) unsafe fn leaf(self) -> &'g Leaf {
        debug_assert!(self.version().load().is_leaf());
        // SAFETY: by contract.
        unsafe { &*self.ptr.as_ptr().cast() }
    }

    /// The node, as an internode.
    ///
    /// # Safety
    /// The node is an internode.
    #[inline]
    pub(crate) unsafe fn internode(self) -> &'g Internode {
        debug_assert!(!self.version().load().is_leaf());
        // SAFETY: by contract.
        unsafe { &*self.ptr.as_ptr().cast() }
    }

    /// Stores the node's parent. The caller owns the lock of the previous parent and, if the new
    /// parent is another node, that node's lock too.
    pub(crate) fn set_parent(self, parent: NodeRef<'_>) {
        self.parent_word().store(parent.as_ptr(), Ordering::Release);
    }

    /// The number of levels of internodes from this node down to the leaves of its layer, its own
    /// level included; 0 for a leaf.
    pub(crate) fn height(self) -> u8 {
        match self.kind() {
            AnyNode::Leaf(_) => 0,
            AnyNode::Internode(internode) => internode.level() + 1,
        }
    }

    /// [`Lockable::is_as_raised`].
    pub(crate) fn is_as_raised(self, version: Version) -> bool {
        match self.kind() {
            AnyNode::Leaf(leaf) => leaf.is_as_raised(version),
            AnyNode::Internode(internode) => internode.is_as_raised(version),
        }
    }

    /// [`Lockable::levels_below`].
    pub(crate) fn levels_below(self) -> u8 {
        match self.kind() {
            AnyNode::Leaf(leaf) => leaf.levels_below(),
            AnyNode::Internode(internode) => internode.levels_below(),
        }
    }

    pub(crate) fn parent_word(self) -> &'g AtomicPtr<Node> {
        match self.kind() {
            AnyNode::Leaf(leaf) => leaf.parent_word(),
            AnyNode::Internode(internode) => internode.parent_word(),
        }
    }
}

/// Prefetches `LINES` cache lines, beginning with the one at an address.
#[inline]
pub(super) fn prefetch<const LINES: usize>(from: *const u8) {
    for line in 0..LINES {
        let address = from.wrapping_add(64 * line);
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a prefetch is a hint, and may have any address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: a prefetch is a hint, and may have any address.
        unsafe {
            std::arch::asm!(
                "prfm pldl1keep, [{}]",
                in(reg) address,
                options(nostack, readonly, preserves_flags)
            );
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let _ = address;
    }
}

/// `prefetch`, of lines that this thread is about to write.
#[inline]
pub(super) fn prefetch_for_write<const LINES: usize>(from: *const u8) {
    for line in 0..LINES {
        let address = from.wrapping_add(64 * line);
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch is a hint, and may have any address; processors without PREFETCHW
        // ignore it.
        unsafe {
            std::arch::asm!(
                "prefetchw byte ptr [{}]",
                in(reg) address,
                options(nostack, readonly, preserves_flags)
            );
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: a prefetch is a hint, and may have any address.
        unsafe {
            std::arch::asm!(
                "prfm pstl1keep, [{}]",
                in(reg) address,
                options(nostack, readonly, preserves_flags)
            );
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let _ = address;
    }
}

impl<'g> From<&'g Leaf> for NodeRef<'g> {
    fn from(leaf: &'g Leaf) -> Self {
        Self {
            ptr: NonNull::from(leaf).cast(),
            pinned: PhantomData,
        }
    }
}

impl<'g> From<&'g Internode> for NodeRef<'g> {
    fn from(internode: &'g Internode) -> Self {
        Self {
            ptr: NonNull::from(internode).cast(),
            pinned: PhantomData,
        }
    }
}

/// A list of nodes that no thread reaches through the tree, linked through their parent words. It
/// holds any number of nodes without memory of its own.
pub(crate) struct Chain<'g> {
    head: Option<NodeRef<'g>>,
}

impl<'g> Chain<'g> {
    pub(crate) const EMPTY: Self = Self { head: None };

    /// The chain that [`Chain::into_first`] has taken apart.
    ///
    /// # Safety
    /// `first` is from `into_first`. The nodes are not freed for `'g`, unless by the caller.
    pub(crate) unsafe fn from_first(first: NonNull<Node>) -> Self {
        Self {
            // SAFETY: `push` has added the node; otherwise by contract.
            head: Some(unsafe { NodeRef::new(first) }),
        }
    }

    /// The node added last, from which [`Chain::from_first`] makes the chain again.
    pub(crate) fn into_first(self) -> Option<NonNull<Node>> {
        self.head.map(NodeRef::as_non_null)
    }

    /// Adds a node, whose parent word no thread uses any more.
    pub(crate) fn push(&mut self, node: NodeRef<'g>) {
        let below = self.head.map_or(std::ptr::null_mut(), NodeRef::as_ptr);
        node.parent_word().store(below, Ordering::Release);
        self.head = Some(node);
    }

    /// Removes and returns the node added last.
    pub(crate) fn pop(&mut self) -> Option<NodeRef<'g>> {
        let node = self.head?;
        // SAFETY: `push` stored null or a node that is still in the chain.
        self.head = unsafe { NodeRef::load(node.parent_word()) };
        Some(node)
    }
}

/// A [`Chain`] that threads share.
pub(crate) struct SharedChain {
    head: AtomicPtr<Node>,
}

impl SharedChain {
    pub(crate) fn new() -> Self {
        Self {
            head: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// Adds a node, whose parent word no thread uses any more.
    pub(crate) fn push(&self, node: NodeRef<'_>) {
        let mut head = self.head.load(Ordering::Relaxed);
        // Ends: each round, another thread has added a node or taken all.
        loop {
            node.parent_word().store(head, Ordering::Relaxed);
            // Release: pairs with `take`.
            let pushed = self.head.compare_exchange_weak(
                head,
                node.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            );
            match pushed {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Whether the chain has no node at this moment.
    pub(crate) fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Removes and returns all nodes.
    ///
    /// # Safety
    /// The nodes are not freed for `'g`, unless by the caller.
    pub(crate) unsafe fn take<'g>(&self) -> Chain<'g> {
        let head = self.head.swap(std::ptr::null_mut(), Ordering::Acquire);
        Chain {
            // SAFETY: null or a node that `push` has added; otherwise by contract.
            head: NonNull::new(head).map(|node| unsafe { NodeRef::new(node) }),
        }
    }
}
