//! Free pieces of memory of one size, as pools keep them.

use std::ptr::NonNull;

/// What the list keeps in a free piece: the way to the next.
type Link = Option<NonNull<u8>>;

/// Bytes that the list needs of a piece, and what they are aligned to.
pub(super) const SMALLEST: usize = size_of::<Link>();

/// Free pieces, the one freed last first. `AT` is the byte of a piece, a multiple of
/// [`SMALLEST`], at which the list keeps what it needs; it leaves the others alone.
#[derive(Clone, Copy)]
pub(super) struct List<const AT: usize> {
    head: Link,
    len: usize,
}

// SAFETY: the list leads to free pieces, which belong to who holds it.
unsafe impl<const AT: usize> Send for List<AT> {}

impl<const AT: usize> List<AT> {
    pub(super) const EMPTY: Self = Self { head: None, len: 0 };

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// # Safety
    /// The piece is free, nobody else's, of the list's size, and aligned to [`SMALLEST`].
    pub(super) unsafe fn push(&mut self, piece: NonNull<u8>) {
        // SAFETY: by contract.
        unsafe { piece.add(AT).cast::<Link>().write(self.head) };
        self.head = Some(piece);
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> Option<NonNull<u8>> {
        let piece = self.head?;
        // SAFETY: what is in the list is free and ours.
        self.head = unsafe { piece.add(AT).cast::<Link>().read() };
        self.len -= 1;
        Some(piece)
    }

    /// Moves so many pieces, or all, to another list of the same size.
    pub(super) fn move_to(&mut self, other: &mut Self, count: usize) {
        for _ in 0..count {
            let Some(piece) = self.pop() else { return };
            // SAFETY: it was free and in this list.
            unsafe { other.push(piece) };
        }
    }
}
