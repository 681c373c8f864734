//! Chunks: the large allocations from which pools carve nodes and blocks (*pieces*). A pool frees
//! its chunks when it is dropped.
//!
//! Chunks start small and grow. A pool that has [`HUGE_FROM`] bytes of them takes whole huge
//! pages from the kernel (see `pages`), unless its memory comes from the user's allocator or
//! the user disables them.

use std::alloc::Layout;
use std::ptr::NonNull;

use super::pages::{self, HUGE_PAGE};
use super::source::Source;

/// The alignment of chunks, and the size of their header, in bytes.
pub(super) const ALIGN: usize = 64;

/// Bytes of the largest chunk from the source.
pub(super) const LARGEST_CHUNK: usize = 2 << 20;
/// A pool with at least this many bytes of chunks takes huge pages: compared with its size, the
/// unused part of the last huge page is small.
const HUGE_FROM: u64 = 4 << 20;
/// Bytes of the largest chunk of huge pages. Larger pools take larger chunks, so that a process
/// may have terabytes of them: the kernel limits the number of mappings.
const LARGEST_HUGE_CHUNK: usize = 64 << 20;

/// The header of a chunk.
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

/// A chunk that is not part of a pool yet.
pub(super) struct Chunk {
    ptr: NonNull<u8>,
    layout: Layout,
    origin: Origin,
}

impl Chunk {
    /// Allocates a chunk with `size` bytes for pieces; or a larger one of huge pages, if
    /// `huge_pages` is set and the pool has at least [`HUGE_FROM`] bytes already.
    pub(super) fn new(
        source: Source,
        size: usize,
        huge_pages: bool,
        pool_bytes: u64,
    ) -> Option<Self> {
        if huge_pages && pool_bytes >= HUGE_FROM {
            let share = usize::try_from(pool_bytes / 16).unwrap_or(LARGEST_HUGE_CHUNK);
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

    /// The size of the chunk in bytes, the header included.
    pub(super) fn size(&self) -> usize {
        self.layout.size()
    }

    /// Frees a chunk that no thread uses.
    pub(super) fn free(self, source: Source) {
        // SAFETY: it was allocated there with this layout.
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

// SAFETY: the pool owns its chunks, on whichever thread it is.
unsafe impl Send for Chunks {}

impl Chunks {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            newest: None,
        }
    }

    /// Adds a chunk; returns the address and the size of its memory after the header.
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
            // SAFETY: `adopt` wrote it, and no thread uses the pool's pieces any more.
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
