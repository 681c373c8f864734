//! Kinds of values. The 64-bit word under a key is a word of the user, a pointer to a byte string
//! that the tree owns, or whatever a layer above the index defines. A [`Values`] describes one
//! kind; the rest of the index uses words only by its functions.

use std::alloc::Layout;
use std::ffi::c_void;
use std::fmt::{self, Write};
use std::ptr::NonNull;

use crate::errno;
use crate::index::key::Shown;
use crate::index::key_source::{KeyFunction, KeySource};
use crate::index::memory::Memory;

/// Identifies a kind of values; the number is the `value_kind` of the C options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KindId(pub u32);

impl KindId {
    /// [`Values::words`].
    pub const WORDS: Self = Self(0);
    /// [`Values::BYTES`].
    pub const BYTES: Self = Self(1);
}

/// The kind of a tree's values, each a 64-bit word; chosen when the tree is created.
///
/// Another layer adds a kind by making a `Values` with an identifier of its own. Operations on
/// words and on byte strings refuse its trees; all others accept them. Any thread may call the
/// functions as long as the tree lives.
#[derive(Clone, Copy)]
pub struct Values {
    pub(crate) id: KindId,
    /// Destroys what a word refers to, once, after the word has left the tree and the last guard
    /// that may protect it has ended. Runs with no lock held. `None`: there is nothing to destroy.
    pub(crate) destroy: Option<unsafe fn(&Self, &Memory, u64)>,
    /// Bytes of the tree's memory that a word refers to; limbo counts them. A word that has left
    /// the tree keeps its size.
    pub(crate) size: unsafe fn(u64) -> usize,
    /// Bytes of what a reader finds under a word, for estimates; the word was read under a guard.
    pub(crate) content: unsafe fn(u64) -> usize,
    /// Writes a word as text, for dumps.
    pub(crate) show: unsafe fn(u64, &mut dyn Write) -> fmt::Result,
    /// Whether the layer that writes allocates what a word refers to, from the tree's memory. If
    /// so, a word that could not be inserted is destroyed; if not, the caller still owns it.
    pub(crate) owns_memory: bool,
    /// Whether that memory is from `Memory::allocate_value`, and `destroy` only frees it: it need not run
    /// if the memory is freed otherwise.
    pub(crate) is_only_memory: bool,
    /// For `destroy`: the kind's context, or that of the user's destructor of words.
    pub(crate) ctx: *mut c_void,
    /// The user's destructor of words; `None` for other kinds.
    pub(crate) destructor: Option<WordFunction>,
    /// Where a value contains its key, if it does.
    pub(crate) keys: KeySource,
}

// SAFETY: a layer that makes one allows any thread to use it, as its documentation says.
unsafe impl Send for Values {}
// SAFETY: as for `Send`.
unsafe impl Sync for Values {}

impl Values {
    /// Pointers to byte strings in the tree's memory.
    pub const BYTES: Self = Self {
        id: KindId::BYTES,
        destroy: Some(free_bytes),
        size: ByteString::size,
        content: ByteString::content,
        show: show_bytes,
        owns_memory: true,
        is_only_memory: true,
        ctx: std::ptr::null_mut(),
        destructor: None,
        keys: KeySource::NONE,
    };

    /// The user's words. A word that leaves the tree without being returned to the caller is
    /// passed to the destructor, if there is one.
    pub const fn words(destructor: Option<Destructor>) -> Self {
        let (destroy, destructor, ctx) = match destructor {
            Some(Destructor { function, ctx }) => (Some(destroy_word as _), Some(function), ctx),
            None => (None, None, std::ptr::null_mut()),
        };
        Self {
            id: KindId::WORDS,
            destroy,
            size: no_bytes,
            content: word_size,
            show: show_word,
            owns_memory: false,
            is_only_memory: false,
            ctx,
            destructor,
            keys: KeySource::NONE,
        }
    }
}

impl Values {
    /// The user's words, each of which refers to a value that contains its key, which the function
    /// finds.
    ///
    /// # Safety
    /// As for [`KeySource::new`]; the function gets a word that was stored, as a pointer, and length 0.
    pub(crate) unsafe fn words_with_keys(function: KeyFunction, ctx: *mut c_void) -> Self {
        Self {
            // SAFETY: by contract.
            keys: unsafe { KeySource::of_words(function, ctx) },
            ..Self::words(None)
        }
    }
}

/// # Safety
/// The contract of `Values::destroy`.
unsafe fn destroy_word(values: &Values, _: &Memory, word: u64) {
    if let Some(function) = values.destructor {
        // SAFETY: by contract, and that of `Destructor::new`.
        errno::preserve(|| unsafe { function(word, values.ctx) })
    }
}

fn word_size(_: u64) -> usize {
    size_of::<u64>()
}

fn no_bytes(_: u64) -> usize {
    0
}

fn show_word(word: u64, to: &mut dyn Write) -> fmt::Result {
    write!(to, "{word}")
}

/// # Safety
/// The contract of [`ByteString::free`].
unsafe fn free_bytes(_: &Values, memory: &Memory, word: u64) {
    // SAFETY: by contract.
    unsafe { ByteString::free(memory, word) }
}

/// # Safety
/// The contract of [`ByteString::bytes`], for this call.
unsafe fn show_bytes(word: u64, to: &mut dyn Write) -> fmt::Result {
    // SAFETY: by contract.
    write!(to, "{}", Shown(unsafe { ByteString::bytes(word) }))
}

pub(crate) type WordFunction = unsafe extern "C" fn(u64, *mut c_void);

/// The user's destructor of values, with its context.
///
/// It runs once for every value that leaves the tree without being returned to the caller,
/// after the last guard that may protect the value was refreshed or left; on the thread that
/// then frees retired objects, with no lock held.
#[derive(Clone, Copy)]
pub struct Destructor {
    function: WordFunction,
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
    pub unsafe fn new(function: WordFunction, ctx: *mut c_void) -> Self {
        Self { function, ctx }
    }
}

/// The length of several parts together; `None` if it overflows.
#[inline]
fn total_len(parts: &[&[u8]]) -> Option<usize> {
    let mut lens = parts.iter().map(|part| part.len());
    lens.try_fold(0, usize::checked_add)
}

/// Copies several parts, one after the other.
///
/// # Safety
/// There is room for all of them, and none of them overlaps it.
#[inline]
unsafe fn copy_parts<const N: usize>(mut to: NonNull<u8>, parts: [&[u8]; N]) {
    for part in parts {
        // SAFETY: by contract.
        unsafe {
            to.copy_from_nonoverlapping(NonNull::from(part).cast(), part.len());
            to = to.add(part.len());
        }
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
        Self::make_of(memory, [bytes])
    }

    /// [`Self::make`] of several parts, one after the other.
    #[inline]
    pub(crate) fn make_of<const N: usize>(memory: &Memory, parts: [&[u8]; N]) -> Option<u64> {
        let len = total_len(&parts)?;
        let string = memory.allocate_value(Self::layout(len)?)?.cast::<Self>();
        // SAFETY: freshly allocated with room for the header and the bytes.
        unsafe {
            string.write(Self { len });
            copy_parts(string.add(1).cast(), parts);
        }
        Some(string.as_ptr().expose_provenance() as u64)
    }

    /// Replaces the content of a string, if the new one has the same length. Returns whether it has.
    ///
    /// # Safety
    /// `word` came from `make`, and no other thread has a pointer to the string.
    pub(crate) unsafe fn refill<const N: usize>(word: u64, parts: [&[u8]; N]) -> bool {
        let string = Self::at(word);
        // SAFETY: by contract; the string has as many bytes.
        unsafe {
            let is_same = total_len(&parts) == Some((*string).len);
            if is_same {
                copy_parts(NonNull::new_unchecked(string.add(1).cast()), parts);
            }
            is_same
        }
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

    /// The length in bytes.
    ///
    /// # Safety
    /// The contract of `bytes`.
    unsafe fn content(word: u64) -> usize {
        // SAFETY: by contract.
        unsafe { (*Self::at(word)).len }
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
            memory.free_value(ptr, layout);
        }
    }
}
