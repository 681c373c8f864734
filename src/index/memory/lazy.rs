//! Arrays that a tree allocates at their first use, so that small trees need no memory for them.
//!
//! **Protocol.** The pointer is null until a complete array exists, and never changes after
//! that. A compare-and-exchange stores it and releases the elements; loads acquire them. Two
//! threads may make an array at once; the second to store it frees its own. No lock is held
//! during the allocation, which may run the user's functions.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::source::Source;

/// An array that is made at its first use, and freed when this is dropped.
pub(super) struct Lazy<T, const N: usize> {
    ptr: AtomicPtr<[T; N]>,
    source: Source,
}

impl<T, const N: usize> Lazy<T, N> {
    pub(super) fn new(source: Source) -> Self {
        Self {
            ptr: AtomicPtr::new(std::ptr::null_mut()),
            source,
        }
    }

    /// The array, if it has been made.
    #[inline]
    pub(super) fn get(&self) -> Option<&[T; N]> {
        // Acquire: pairs with the store in `get_or_make`.
        // SAFETY: null, or an array that lives as long as this.
        unsafe { self.ptr.load(Ordering::Acquire).as_ref() }
    }

    /// Returns the array; makes it of `element()` if it does not exist. `None` when out of
    /// memory.
    #[inline]
    pub(super) fn get_or_make(&self, element: impl Fn() -> T) -> Option<&[T; N]> {
        self.get().or_else(|| self.make(element))
    }

    #[cold]
    fn make(&self, element: impl Fn() -> T) -> Option<&[T; N]> {
        let new = self.source.allocate_array(element)?;
        // Release: a thread that loads the pointer sees the elements. Acquire: if another
        // thread was first, this one sees its elements.
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        let none = std::ptr::null_mut();
        match (self.ptr).compare_exchange(none, new.as_ptr(), success, failure) {
            // SAFETY: it lives as long as this.
            Ok(_) => Some(unsafe { new.as_ref() }),
            Err(other) => {
                // SAFETY: made above, and seen by no other thread.
                unsafe { self.source.drop_and_free(new) };
                // SAFETY: not null, and lives as long as this.
                Some(unsafe { &*other })
            }
        }
    }
}

impl<T, const N: usize> Drop for Lazy<T, N> {
    fn drop(&mut self) {
        if let Some(ptr) = NonNull::new(*self.ptr.get_mut()) {
            // SAFETY: `make` allocated it from this source, and no reference outlives this.
            unsafe { self.source.drop_and_free(ptr) };
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::alloc::{Layout, alloc, dealloc};
    use std::ffi::c_void;
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::index::memory::Allocator;

    static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
    static FREES: AtomicUsize = AtomicUsize::new(0);
    static LAZY: OnceLock<Lazy<u64, 4>> = OnceLock::new();

    /// At the first allocation, another thread makes the array first.
    unsafe extern "C" fn overtaken(size: usize, align: usize, _: *mut c_void) -> *mut c_void {
        if ALLOCATIONS.fetch_add(1, Ordering::Relaxed) == 0 {
            let other = || LAZY.get().unwrap().get_or_make(|| 2).is_some();
            std::thread::scope(|scope| assert!(scope.spawn(other).join().unwrap()));
        }
        // SAFETY: an array is not empty.
        unsafe { alloc(Layout::from_size_align(size, align).unwrap()).cast() }
    }

    unsafe extern "C" fn count_free(ptr: *mut c_void, size: usize, align: usize, _: *mut c_void) {
        FREES.fetch_add(1, Ordering::Relaxed);
        // SAFETY: allocated above with this layout.
        unsafe { dealloc(ptr.cast(), Layout::from_size_align(size, align).unwrap()) };
    }

    /// Put back: store the new array without comparing.
    #[test]
    fn an_array_that_comes_second_is_freed() {
        // SAFETY: the functions match, and need no context.
        let user = unsafe { Allocator::new(overtaken, count_free, std::ptr::null_mut()) };
        let lazy = LAZY.get_or_init(|| Lazy::new(Source::new(Some(user))));
        assert!(lazy.get().is_none());
        assert_eq!(lazy.get_or_make(|| 1), Some(&[2; 4]));
        assert_eq!(lazy.get(), Some(&[2; 4]));
        let counts = [&ALLOCATIONS, &FREES].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counts, [2, 1]);
    }
}
