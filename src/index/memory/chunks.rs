//! Chunks: what pools carve their pieces from, and give back when they end.
//!
//! Chunks are small first and grow. Those of a pool that has [`HUGE_FROM`] bytes of them are
//! whole huge pages from the kernel (see `pages`), unless its memory comes from the user's
//! allocator or the user says no.

use std::alloc::Layout;
use std::ptr::NonNull;

use super::pages::{self, HUGE_PAGE};
use super::source::Source;

/// What chunks are aligned to, in bytes, and what their header takes.
pub(super) const ALIGN: usize = 64;

/// Bytes of the largest chunk that is no huge one.
pub(super) const LARGEST_CHUNK: usize = 2 << 20;
/// Bytes of chunks from which on a pool gets huge pages: what it does not use of the last one
/// is little beside that.
const HUGE_FROM: u64 = 4 << 20;
/// Bytes of the largest chunk of huge pages. Larger pools get larger chunks, so that a process
/// may have terabytes of them: the kernel maps it only so many pieces.
const LARGEST_HUGE_CHUNK: usize = 64 << 20;

/// What a chunk begins with.
struct Header {
    before: Option<NonNull<Header>>,
    layout: Layout,
    origin: Origin,
}

const _: () = assert!(size_of::<Header>() <= ALIGN);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Source,
    Kernel,
}

/// A chunk that no pool has yet.
pub(super) struct Chunk {
    ptr: NonNull<u8>,
    layout: Layout,
    origin: Origin,
}

impl Chunk {
    /// A chunk with `size` bytes for its pieces; or more, if it is time for huge pages: for a
    /// pool that may have them and has `held` bytes.
    pub(super) fn new(source: Source, size: usize, huge_pages: bool, held: u64) -> Option<Self> {
        if huge_pages && held >= HUGE_FROM {
            let share = usize::try_from(held / 16).unwrap_or(LARGEST_HUGE_CHUNK);
            let size = share.min(LARGEST_HUGE_CHUNK).next_multiple_of(HUGE_PAGE);
            let layout = Layout::from_size_align(size, HUGE_PAGE).ok()?;
            if let Some(ptr) = pages::map(size) {
                return Some(Self {
                    ptr,
                    layout,
                    origin: Origin::Kernel,
                });
            }
        }
        let layout = Layout::from_size_align(ALIGN.checked_add(size)?, ALIGN).ok()?;
        Some(Self {
            ptr: source.allocate(layout)?,
            layout,
            origin: Origin::Source,
        })
    }

    /// Its bytes, the header included.
    pub(super) fn size(&self) -> usize {
        self.layout.size()
    }

    /// Gives a chunk back that nobody has used.
    pub(super) fn free(self, source: Source) {
        // SAFETY: it came from there with this layout.
        unsafe {
            match self.origin {
                Origin::Source => source.free(self.ptr, self.layout),
                Origin::Kernel => pages::unmap(self.ptr, self.layout.size()),
            }
        }
    }
}

/// The chunks of a pool, freed with it.
pub(super) struct Chunks {
    source: Source,
    newest: Option<NonNull<Header>>,
}

// SAFETY: chunks belong to the pool, wherever it is.
unsafe impl Send for Chunks {}

impl Chunks {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            newest: None,
        }
    }

    /// Adds a chunk; gives its bytes for pieces.
    pub(super) fn adopt(&mut self, chunk: Chunk) -> (*mut u8, usize) {
        let header = chunk.ptr.cast::<Header>();
        // SAFETY: freshly allocated, with room for the header.
        unsafe {
            header.write(Header {
                before: self.newest,
                layout: chunk.layout,
                origin: chunk.origin,
            });
            self.newest = Some(header);
            (chunk.ptr.as_ptr().add(ALIGN), chunk.size() - ALIGN)
        }
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        while let Some(header) = self.newest {
            // SAFETY: `adopt` wrote it, and the pool's pieces are nobody's any more.
            let Header {
                before,
                layout,
                origin,
            } = unsafe { header.read() };
            self.newest = before;
            let ptr = header.cast();
            Chunk {
                ptr,
                layout,
                origin,
            }
            .free(self.source);
        }
    }
}
