//! Lists of free pieces of memory of one size, for the pools.

use std::ptr::NonNull;

/// The link that the list stores in a free piece: the next piece.
type Link = Option<NonNull<u8>>;

/// The size of a link, and its alignment, in bytes.
pub(super) const SMALLEST: usize = size_of::<Link>();

/// Free pieces, the one freed last first. The list stores its link at byte `AT` of a piece, a
/// multiple of [`SMALLEST`], and does not access the other bytes.
#[derive(Clone, Copy)]
pub(super) struct List<const AT: usize> {
    head: Link,
    len: usize,
}

// SAFETY: the list points to free pieces, which the owner of the list owns.
unsafe impl<const AT: usize> Send for List<AT> {}

impl<const AT: usize> List<AT> {
    pub(super) const EMPTY: Self = Self { head: None, len: 0 };

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// # Safety
    /// The piece is free, owned by the caller, of the list's size, and aligned to [`SMALLEST`].
    pub(super) unsafe fn push(&mut self, piece: NonNull<u8>) {
        // SAFETY: by contract.
        unsafe { piece.add(AT).cast::<Link>().write(self.head) };
        self.head = Some(piece);
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> Option<NonNull<u8>> {
        let piece = self.head?;
        // SAFETY: pieces in the list are free and owned by it.
        self.head = unsafe { piece.add(AT).cast::<Link>().read() };
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
