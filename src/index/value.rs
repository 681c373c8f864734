//! Values: words of the user's, or byte strings that the tree owns; and what becomes
//! of those that leave the tree.

use std::alloc::Layout;
use std::ffi::c_void;
use std::ptr::NonNull;

use crate::errno;
use crate::index::memory::{Count, Memory};

/// What the 64-bit words under a tree's keys are.
#[derive(Clone, Copy)]
pub enum Values {
    /// The user's words, given to the destructor, if there is one, when they leave
    /// the tree unclaimed.
    Words(Option<Destructor>),
    /// Pointers to byte strings in the tree's memory.
    Bytes,
}

/// The user's destructor of values, with its context.
///
/// It runs once for every value that leaves the tree unclaimed, when no reader
/// can hold it any more; on whichever thread notices that, with no lock held.
#[derive(Clone, Copy)]
pub struct Destructor {
    function: unsafe extern "C" fn(u64, *mut c_void),
    ctx: *mut c_void,
}

// SAFETY: the contract of `Destructor::new` is that function and context may be
// used from any thread.
unsafe impl Send for Destructor {}
// SAFETY: as above.
unsafe impl Sync for Destructor {}

impl Destructor {
    /// A destructor that calls `function` with `ctx`.
    ///
    /// # Safety
    /// The two fit each other, and may be used from any thread for as long as the
    /// tree lives.
    pub unsafe fn new(function: unsafe extern "C" fn(u64, *mut c_void), ctx: *mut c_void) -> Self {
        Self { function, ctx }
    }

    /// # Safety
    /// `value` has left the tree, no reader can hold it, and nobody else
    /// destroys it.
    pub(crate) unsafe fn destroy(&self, value: u64) {
        // SAFETY: by contract of this function and of `new`.
        errno::keep(|| unsafe { (self.function)(value, self.ctx) })
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

    /// A copy of some bytes, as the word that leads to it; `None`: out of memory.
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

    /// The bytes that a word leads to.
    ///
    /// # Safety
    /// The word came from `make`, and its string is not freed during `'g`.
    pub(crate) unsafe fn bytes<'g>(word: u64) -> &'g [u8] {
        let string = Self::at(word);
        // SAFETY: by contract.
        unsafe { std::slice::from_raw_parts(string.add(1).cast(), (*string).len) }
    }

    /// Bytes of the allocation.
    ///
    /// # Safety
    /// As `bytes`.
    pub(crate) unsafe fn size(word: u64) -> usize {
        // SAFETY: by contract.
        size_of::<Self>() + unsafe { (*Self::at(word)).len }
    }

    /// # Safety
    /// The word came from `make` with this memory, nobody uses its string any more,
    /// and nobody else frees it.
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
