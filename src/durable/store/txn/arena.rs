//! Copies of bytes that stay where they are until all are freed.
//!
//! Blocks double in size, up to a limit; what is longer has a block of its own. A block is filled and never
//! grown, so its bytes do not move.

use std::ptr::NonNull;

use crate::index::memory::{OutOfMemory, Source, Vector, append};

const FIRST_BLOCK: usize = 256;
const LARGEST_BLOCK: usize = 64 << 10;

/// Bytes that stay where they are as long as what keeps them: an arena, or a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kept(NonNull<[u8]>);

impl Kept {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(NonNull::from(bytes))
    }

    /// # Safety
    /// What keeps the bytes does so for `'k`.
    pub(super) unsafe fn get<'k>(self) -> &'k [u8] {
        // SAFETY: by contract; the bytes do not change.
        unsafe { self.0.as_ref() }
    }
}

/// Blocks of bytes.
pub(super) struct Arena {
    source: Source,
    blocks: Vector<Vector<u8>>,
    /// The capacity of all blocks.
    bytes: usize,
}

impl Arena {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            blocks: Vector::new_in(source),
            bytes: 0,
        }
    }

    /// The memory of all blocks.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Frees all copies, and keeps the memory of a small first block.
    pub(super) fn clear(&mut self) {
        self.blocks.truncate(1);
        if (self.blocks.first()).is_some_and(|block| block.capacity() > LARGEST_BLOCK) {
            self.blocks.clear();
        }
        if let Some(block) = self.blocks.first_mut() {
            block.clear();
        }
        self.bytes = self.blocks.first().map_or(0, Vector::capacity);
    }

    pub(super) fn copy(&mut self, bytes: &[u8]) -> Result<Kept, OutOfMemory> {
        let has_room =
            (self.blocks.last()).is_some_and(|block| block.capacity() - block.len() >= bytes.len());
        if !has_room {
            self.add_block(bytes.len())?;
        }
        let block = self.blocks.last_mut().expect("it was added");
        let begin = block.len();
        append(block, bytes);
        Ok(Kept::of(&block[begin..]))
    }

    fn add_block(&mut self, least: usize) -> Result<(), OutOfMemory> {
        let usual = self.bytes.clamp(FIRST_BLOCK, LARGEST_BLOCK);
        let mut block = Vector::new_in(self.source);
        self.blocks.try_reserve(1).map_err(|_| OutOfMemory)?;
        (block.try_reserve_exact(usual.max(least))).map_err(|_| OutOfMemory)?;
        self.bytes += block.capacity();
        self.blocks.push(block);
        Ok(())
    }
}
