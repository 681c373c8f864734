//! Values: words of the user's, or byte strings that the tree owns; and how they are destroyed
//! after they left the tree.

use std::alloc::Layout;
use std::ffi::c_void;
use std::ptr::NonNull;

use crate::errno;
use crate::index::memory::{Count, Memory};

/// The kind of a tree's values, each a 64-bit word.
#[derive(Clone, Copy)]
pub enum Values {
    /// The user's words. A word that leaves the tree without being returned to the caller is
    /// passed to the destructor, if there is one.
    Words(Option<Destructor>),
    /// Pointers to byte strings in the tree's memory.
    Bytes,
}

/// The user's destructor of values, with its context.
///
/// It runs once for every value that leaves the tree without being returned to the caller,
/// after the last guard that may protect the value was refreshed or left; on the thread that
/// then frees retired objects, with no lock held.
#[derive(Clone, Copy)]
pub struct Destructor {
    function: unsafe extern "C" fn(u64, *mut c_void),
    ctx: *mut c_void,
}

// SAFETY: the contract of `Destructor::new` is that function and context may be
// used from any thread.
unsafe impl Send for Destructor {}
// SAFETY: as for `Send`.
unsafe impl Sync for Destructor {}

impl Destructor {
    /// Makes a destructor that calls `function(value, ctx)`.
    ///
    /// # Safety
    /// `function` accepts `ctx`, and any thread may call it for as long as the tree lives.
    pub unsafe fn new(function: unsafe extern "C" fn(u64, *mut c_void), ctx: *mut c_void) -> Self {
        Self { function, ctx }
    }

    /// # Safety
    /// `value` has left the tree, no reader can hold it, and it is destroyed only once.
    pub(crate) unsafe fn destroy(&self, value: u64) {
        // SAFETY: by the contracts of this function and of `new`.
        errno::preserve(|| unsafe { (self.function)(value, self.ctx) })
    }
}

/// A byte string in a tree's memory: this header, then the bytes, which never change.
#[repr(C)]
pub(crate) struct ByteString {
    len: usize,
}

impl ByteString {
    fn layout(len: usize) -> Option<Layout> {
        let size = size_of::<Self>().checked_add(len)?;
        Layout::from_size_align(size, align_of::<Self>()).ok()
    }

    /// Copies `bytes`; returns the word that points to the copy, or `None` when out of memory.
    pub(crate) fn make(memory: &Memory, bytes: &[u8]) -> Option<u64> {
        let ptr = memory.allocate(Self::layout(bytes.len())?, Count::ValueBytes)?;
        let string = ptr.cast::<Self>();
        // SAFETY: freshly allocated with room for the header and the bytes.
        unsafe {
            string.write(Self { len: bytes.len() });
            (string.add(1).cast::<u8>())
                .copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
        }
        Some(string.as_ptr().expose_provenance() as u64)
    }

    fn at(word: u64) -> *mut Self {
        std::ptr::with_exposed_provenance_mut(word as usize)
    }

    /// The bytes to which `word` points.
    ///
    /// # Safety
    /// The word came from `make`, and its string is not freed during `'g`.
    pub(crate) unsafe fn bytes<'g>(word: u64) -> &'g [u8] {
        let string = Self::at(word);
        // SAFETY: by contract.
        unsafe { std::slice::from_raw_parts(string.add(1).cast(), (*string).len) }
    }

    /// The size of the allocation, in bytes.
    ///
    /// # Safety
    /// The contract of `bytes`.
    pub(crate) unsafe fn size(word: u64) -> usize {
        // SAFETY: by contract.
        size_of::<Self>() + unsafe { (*Self::at(word)).len }
    }

    /// # Safety
    /// `word` came from `make` with this memory, no thread uses its string any more, and it is
    /// freed only once.
    pub(crate) unsafe fn free(memory: &Memory, word: u64) {
        // SAFETY: by contract.
        unsafe {
            let len = (*Self::at(word)).len;
            let layout = Self::layout(len).expect("it was allocated with this layout");
            let ptr = NonNull::new_unchecked(Self::at(word).cast());
            memory.free(ptr, layout, Count::ValueBytes);
        }
    }
}
