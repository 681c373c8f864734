//! Free pieces of memory of one size, as pools keep them.

use std::ptr::NonNull;

/// A free piece: what it holds while it is free.
struct Piece {
    next: Option<NonNull<Piece>>,
}

/// Bytes that every piece has at least, and what they are aligned to.
pub(super) const SMALLEST: usize = size_of::<Piece>();

/// Free pieces, the one freed last first.
#[derive(Clone, Copy)]
pub(super) struct List {
    head: Option<NonNull<Piece>>,
    len: usize,
}

// SAFETY: the list leads to free pieces, which belong to who holds it.
unsafe impl Send for List {}

impl List {
    pub(super) const EMPTY: Self = Self { head: None, len: 0 };

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// # Safety
    /// The piece is free, nobody else's, of the list's size, and aligned to [`SMALLEST`].
    pub(super) unsafe fn push(&mut self, place: NonNull<u8>) {
        let piece = place.cast::<Piece>();
        // SAFETY: by contract.
        unsafe { piece.write(Piece { next: self.head }) };
        self.head = Some(piece);
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> Option<NonNull<u8>> {
        let piece = self.head?;
        // SAFETY: what is in the list is free and ours.
        self.head = unsafe { piece.as_ref() }.next;
        self.len -= 1;
        Some(piece.cast())
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
