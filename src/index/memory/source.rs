//! The underlying allocator: the user's, or the global one.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::ptr::NonNull;

use allocator_api2::alloc::AllocError;

use crate::errno;
use crate::index::memory::OutOfMemory;

/// The user's allocator: two functions and their context.
#[derive(Clone, Copy)]
pub struct Allocator {
    alloc: unsafe extern "C" fn(usize, usize, *mut c_void) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void, usize, usize, *mut c_void),
    ctx: *mut c_void,
}

// SAFETY: the contract of `Allocator::new` is that it may be used from any thread.
unsafe impl Send for Allocator {}
// SAFETY: as for `Send`.
unsafe impl Sync for Allocator {}

impl Allocator {
    /// Makes an allocator that calls `alloc(size, align, ctx)` and
    /// `free(place, size, align, ctx)`.
    ///
    /// # Safety
    /// `alloc` returns null, or `size` bytes (never 0) aligned to `align` (a power of two) that
    /// nothing else uses until they are passed to `free` with the same size and alignment. Any
    /// thread may call both for as long as the tree lives.
    pub unsafe fn new(
        alloc: unsafe extern "C" fn(usize, usize, *mut c_void) -> *mut c_void,
        free: unsafe extern "C" fn(*mut c_void, usize, usize, *mut c_void),
        ctx: *mut c_void,
    ) -> Self {
        Self { alloc, free, ctx }
    }
}

/// The allocator of a tree's memory.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    user: Option<Allocator>,
}

impl Source {
    pub(crate) fn new(user: Option<Allocator>) -> Self {
        Self { user }
    }

    /// Whether it is the user's allocator.
    pub(crate) fn is_the_users(&self) -> bool {
        self.user.is_some()
    }

    /// Allocates memory for a layout of non-zero size.
    pub(crate) fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        debug_assert!(layout.size() != 0);
        // SAFETY: the size is not zero.
        let ptr = unsafe {
            match self.user {
                None => alloc(layout),
                Some(user) => {
                    errno::preserve(|| (user.alloc)(layout.size(), layout.align(), user.ctx)).cast()
                }
            }
        };
        debug_assert!(ptr.addr().is_multiple_of(layout.align()));
        NonNull::new(ptr)
    }

    /// # Safety
    /// `ptr` came from `allocate` of this source with this layout, and no thread uses it any
    /// more.
    pub(crate) unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: by contract.
        unsafe {
            match self.user {
                None => dealloc(ptr.as_ptr(), layout),
                Some(user) => errno::preserve(|| {
                    let ptr = ptr.as_ptr().cast();
                    (user.free)(ptr, layout.size(), layout.align(), user.ctx);
                }),
            }
        }
    }

    /// Moves a value to an allocation of its own.
    pub(crate) fn make<T>(&self, value: T) -> Result<NonNull<T>, OutOfMemory> {
        const { assert!(size_of::<T>() != 0) };
        let ptr = self.allocate(Layout::new::<T>()).ok_or(OutOfMemory)?.cast();
        // SAFETY: freshly allocated for a `T`.
        unsafe { ptr.write(value) };
        Ok(ptr)
    }

    /// Allocates an array and initializes it element by element: it may be too large for a stack.
    pub(crate) fn allocate_array<T, const N: usize>(
        &self,
        element: impl Fn() -> T,
    ) -> Option<NonNull<[T; N]>> {
        const { assert!(size_of::<[T; N]>() != 0) };
        let ptr = self.allocate(Layout::new::<[T; N]>())?.cast::<[T; N]>();
        for i in 0..N {
            // SAFETY: freshly allocated for as many elements.
            unsafe { ptr.cast::<T>().add(i).write(element()) };
        }
        Some(ptr)
    }

    /// Drops a value and frees its memory.
    ///
    /// # Safety
    /// `ptr` came from `make::<T>`, or from `allocate_array` with `T` the array, of this source,
    /// and no thread uses it any more.
    pub(crate) unsafe fn drop_and_free<T>(&self, ptr: NonNull<T>) {
        // The source may be part of the value.
        let source = *self;
        // SAFETY: by contract.
        unsafe {
            ptr.drop_in_place();
            source.free(ptr.cast(), Layout::new::<T>());
        }
    }
}

// SAFETY: memory stays valid until it is freed, wherever the source is moved, and
// every copy of the source uses the same allocator.
unsafe impl allocator_api2::alloc::Allocator for Source {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            let dangling = NonNull::new(std::ptr::without_provenance_mut(layout.align()));
            return Ok(NonNull::slice_from_raw_parts(
                dangling.ok_or(AllocError)?,
                0,
            ));
        }
        let ptr = Source::allocate(self, layout).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(ptr, layout.size()))
    }

    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            // SAFETY: by the trait's contract.
            unsafe { self.free(ptr, layout) }
        }
    }
}
