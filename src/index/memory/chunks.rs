//! Chunks: the large allocations from which pools carve nodes and blocks (*pieces*). A pool frees
//! its chunks when it is dropped.
//!
//! Chunks start small and grow. A pool that has [`HUGE_FROM`] bytes of them takes whole huge
//! pages, as [`HugePages`] says: from the kernel (see `pages`), or chunks of the size and the
//! alignment of a huge page from the user's allocator.
//!
//! Whatever lies in chunks is freed with them. So a tree whose content has no other memory is
//! destroyed without a visit to its nodes (see `Memory::holds_only_chunks`).

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

/// Where a pool takes huge pages from, once it is large.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HugePages {
    /// It takes none.
    Never,
    /// From the kernel. Ignored if the user configures the allocator or the size of chunks.
    FromKernel,
    /// From the user's allocator, one at a time; suffixes and values of the tree are then in
    /// chunks, too.
    FromAllocator,
}

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
    /// Allocates a chunk with `size` bytes for pieces; or one of huge pages, if the pool has at least
    /// [`HUGE_FROM`] bytes already.
    pub(super) fn new(
        source: Source,
        size: usize,
        huge_pages: HugePages,
        pool_bytes: u64,
    ) -> Option<Self> {
        let is_large = pool_bytes >= HUGE_FROM;
        if is_large && huge_pages == HugePages::FromAllocator {
            return Self::allocate(source, Layout::from_size_align(HUGE_PAGE, HUGE_PAGE).ok()?);
        }
        if is_large && huge_pages == HugePages::FromKernel {
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
        Self::allocate(
            source,
            Layout::from_size_align(ALIGN.checked_add(size)?, ALIGN).ok()?,
        )
    }

    fn allocate(source: Source, layout: Layout) -> Option<Self> {
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
