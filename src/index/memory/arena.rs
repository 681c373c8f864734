//! Memory that a caller lends to one object, such as a cursor: an allocator in front of the tree's.
//!
//! The memory is divided into at most 64 *granules* of equal size, and a word has a bit for each free
//! granule. An allocation takes the first run of free granules that is long enough. Without such a
//! run, or with an alignment that granules do not have, it comes from the tree's allocator. So does
//! everything beyond the lent memory, and an address tells where to free it.
//!
//! An arena has one user at a time: the thread that uses the object to which the memory was lent. All
//! allocations of the object, and all copies of [`Arena::source`], end before the arena does.

use std::alloc::Layout;
use std::cell::Cell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::source::{Allocator, Source};

/// The alignment of lent memory, and of all granules.
pub(crate) const ARENA_ALIGN: usize = 16;
/// Sizes of granules are multiples of this.
const STEP: usize = 64;
/// One bit for each.
const MOST_GRANULES: usize = u64::BITS as usize;

/// Memory on the stack for an object that lives for one call.
const ON_STACK: usize = 4 << 10;

/// The state of lent memory. It does not move while its source is used.
pub(crate) struct Arena {
    /// The tree's allocator.
    beyond: Source,
    start: NonNull<u8>,
    granule: usize,
    count: usize,
    /// A bit for each free granule.
    free: Cell<u64>,
}

impl Arena {
    /// Makes an arena of `size` bytes at `start`.
    ///
    /// # Safety
    /// `start` is aligned to [`ARENA_ALIGN`], and nothing else uses the `size` bytes there as long as
    /// the arena is used.
    pub(crate) unsafe fn new(beyond: Source, start: NonNull<u8>, size: usize) -> Self {
        let granule = (size / MOST_GRANULES).next_multiple_of(STEP).max(STEP);
        let count = (size / granule).min(MOST_GRANULES);
        Self {
            beyond,
            start,
            granule,
            count,
            free: Cell::new(ones(count)),
        }
    }

    /// Returns the allocator that takes from this arena.
    ///
    /// # Safety
    /// The arena does not move, and one thread at a time uses the result and its copies, all of which
    /// end before the arena.
    pub(crate) unsafe fn source(&self) -> Source {
        let ctx = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        // SAFETY: the two functions match. They may not be called by any thread at any time, as a
        // tree's allocator may; the contract of this function takes the place of that.
        Source::new(Some(unsafe { Allocator::new(allocate, free, ctx) }))
    }

    fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        let granules = layout.size().div_ceil(self.granule);
        match self.take(granules, layout.align()) {
            Some(ptr) => Some(ptr),
            None => self.beyond.allocate(layout),
        }
    }

    /// Takes a run of free granules.
    fn take(&self, granules: usize, align: usize) -> Option<NonNull<u8>> {
        if granules > self.count || align > ARENA_ALIGN {
            return None;
        }
        let mut runs = self.free.get();
        let mut len = 1;
        // A bit of `runs` is set if a run of `len` free granules begins there. Ends: `len` grows.
        while len < granules {
            let more = len.min(granules - len);
            runs &= runs >> more;
            len += more;
        }
        if runs == 0 {
            return None;
        }
        let first = runs.trailing_zeros() as usize;
        self.free.set(self.free.get() & !(ones(granules) << first));
        // SAFETY: the granules are within the lent memory.
        Some(unsafe { self.start.add(first * self.granule) })
    }

    /// # Safety
    /// `ptr` came from `allocate` with this layout, and is not used any more.
    unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
        let offset = ptr.addr().get().wrapping_sub(self.start.addr().get());
        if offset >= self.count * self.granule {
            // SAFETY: by contract; it is not in the lent memory.
            return unsafe { self.beyond.free(ptr, layout) };
        }
        let granules = layout.size().div_ceil(self.granule);
        let taken = ones(granules) << (offset / self.granule);
        debug_assert_eq!(self.free.get() & taken, 0, "freed twice");
        self.free.set(self.free.get() | taken);
    }
}

/// A word whose lowest `count` bits are set.
fn ones(count: usize) -> u64 {
    match MOST_GRANULES - count {
        MOST_GRANULES => 0,
        unset => u64::MAX >> unset,
    }
}

unsafe extern "C" fn allocate(size: usize, align: usize, arena: *mut c_void) -> *mut c_void {
    // SAFETY: `Source` passes a valid layout, and the context is an arena that has not ended.
    unsafe {
        let layout = Layout::from_size_align_unchecked(size, align);
        let ptr = (*arena.cast::<Arena>()).allocate(layout);
        ptr.map_or(std::ptr::null_mut(), |ptr| ptr.as_ptr().cast())
    }
}

unsafe extern "C" fn free(ptr: *mut c_void, size: usize, align: usize, arena: *mut c_void) {
    // SAFETY: as in `allocate`; `Source` passes what it got from there.
    unsafe {
        let layout = Layout::from_size_align_unchecked(size, align);
        (*arena.cast::<Arena>()).free(NonNull::new_unchecked(ptr.cast()), layout);
    }
}

#[repr(C, align(16))]
struct OnStack([u8; ON_STACK]);

const _: () = assert!(align_of::<OnStack>() == ARENA_ALIGN);

/// Calls `body` with an allocator that takes from 4 KiB of the stack, and from `beyond` when these are
/// used up.
///
/// # Safety
/// Nothing that `body` returns, or stores elsewhere, uses the allocator; nor does another thread.
pub(crate) unsafe fn with_stack<R>(beyond: Source, body: impl FnOnce(Source) -> R) -> R {
    let mut memory = MaybeUninit::<OnStack>::uninit();
    // SAFETY: the memory is used by the arena only; the rest by contract.
    unsafe {
        let start = NonNull::from(&mut memory).cast();
        let arena = Arena::new(beyond, start, ON_STACK);
        body(arena.source())
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    fn is_within(ptr: NonNull<u8>, memory: &[u128]) -> bool {
        memory
            .as_ptr_range()
            .contains(&ptr.as_ptr().cast_const().cast())
    }

    /// Put back: in `take`, shift by one more; or, in `free`, free one granule less.
    #[test]
    fn pieces_do_not_overlap_and_all_granules_are_used_again() {
        for size in [0, 16, 63, 64, 640, 4000, 4096, 4097, 9000] {
            let mut memory = vec![0_u128; (size / 16_usize).max(1)];
            let start = NonNull::from(&mut memory[..]).cast();
            // SAFETY: `memory` is not used otherwise, and the arena stays where it is.
            let arena = unsafe { Arena::new(Source::new(None), start, size) };
            // SAFETY: this thread is its only user, and the arena ends last.
            let source = unsafe { arena.source() };
            assert!(arena.count * arena.granule <= size && arena.count <= MOST_GRANULES);
            let mut seed = 1_usize;
            for _ in 0..200 {
                let mut taken = Vec::new();
                for _ in 0..20 {
                    seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                    let size = 1 + (seed >> 33) % 700;
                    let ptr = source.allocate(layout(size)).unwrap();
                    // SAFETY: that large.
                    unsafe { ptr.write_bytes(taken.len() as u8, size) };
                    taken.push((ptr, size));
                    if seed >> 40 & 1 == 1 {
                        let (ptr, size) = taken.swap_remove((seed >> 41) % taken.len());
                        // SAFETY: taken above.
                        unsafe { source.free(ptr, layout(size)) };
                    }
                }
                let mut ranges: Vec<_> = (taken.iter())
                    .map(|(ptr, size)| (ptr.addr().get(), ptr.addr().get() + size))
                    .collect();
                ranges.sort_unstable();
                assert!(ranges.is_sorted_by(|a, b| a.1 <= b.0), "{ranges:x?}");
                for (ptr, size) in taken {
                    // SAFETY: taken above, and freed once.
                    unsafe { source.free(ptr, layout(size)) };
                }
                assert_eq!(arena.free.get(), ones(arena.count));
            }
        }
    }

    /// Put back: in `allocate`, return `None` without a run; or, in `take`, ignore the alignment.
    #[test]
    fn what_does_not_fit_comes_from_the_tree() {
        let mut memory = vec![0_u128; 40];
        let start = NonNull::from(&mut memory[..]).cast();
        // SAFETY: as in the test above.
        let arena = unsafe { Arena::new(Source::new(None), start, 640) };
        // SAFETY: as in the test above.
        let source = unsafe { arena.source() };
        let all = source.allocate(layout(640)).unwrap();
        assert!(is_within(all, &memory));
        let one = source.allocate(layout(1)).unwrap();
        assert!(!is_within(one, &memory));
        // SAFETY: taken above.
        unsafe { source.free(all, layout(640)) };
        let large = source.allocate(layout(641)).unwrap();
        let aligned = Layout::from_size_align(64, 64).unwrap();
        let ptr = source.allocate(aligned).unwrap();
        assert!(!is_within(large, &memory) && !is_within(ptr, &memory));
        // SAFETY: taken above.
        unsafe {
            source.free(one, layout(1));
            source.free(large, layout(641));
            source.free(ptr, aligned);
        }
    }
}
