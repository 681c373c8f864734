//! Lists of free pieces of memory of one size, for the pools.

use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

/// The link that the list stores in a free piece: the next piece, or null. An atomic, since readers
/// without a guard may load from a free node (see `tree::read::unguarded`).
type Link = AtomicPtr<u8>;

/// The size of a link, and its alignment, in bytes.
pub(super) const SMALLEST: usize = size_of::<Link>();

/// Free pieces, the one freed last first. The list stores its link at byte `AT` of a piece, a
/// multiple of [`SMALLEST`], and does not access the other bytes.
#[derive(Clone, Copy)]
pub(super) struct List<const AT: usize> {
    head: Option<NonNull<u8>>,
    len: usize,
}

// SAFETY: the list points to free pieces, which the owner of the list owns.
unsafe impl<const AT: usize> Send for List<AT> {}

impl<const AT: usize> List<AT> {
    pub(super) const EMPTY: Self = Self { head: None, len: 0 };

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The link in a piece.
    ///
    /// # Safety
    /// The piece is free, of the list's size, and aligned to [`SMALLEST`].
    unsafe fn link<'p>(piece: NonNull<u8>) -> &'p Link {
        // SAFETY: by contract; any bytes make an atomic.
        unsafe { piece.add(AT).cast::<Link>().as_ref() }
    }

    /// # Safety
    /// The piece is free, owned by the caller, of the list's size, and aligned to [`SMALLEST`].
    pub(super) unsafe fn push(&mut self, piece: NonNull<u8>) {
        let next = self.head.map_or(null_mut(), NonNull::as_ptr);
        // SAFETY: by contract.
        unsafe { Self::link(piece) }.store(next, Ordering::Relaxed);
        self.head = Some(piece);
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> Option<NonNull<u8>> {
        let piece = self.head?;
        // SAFETY: pieces in the list are free and owned by it.
        let link = unsafe { Self::link(piece) };
        self.head = NonNull::new(link.load(Ordering::Relaxed));
        self.len -= 1;
        Some(piece)
    }

    /// Moves `count` pieces, or all if fewer, to another list of the same size.
    pub(super) fn move_to(&mut self, other: &mut Self, count: usize) {
        for _ in 0..count {
            let Some(piece) = self.pop() else { return };
            // SAFETY: it was free and in this list.
            unsafe { other.push(piece) };
        }
    }
}
