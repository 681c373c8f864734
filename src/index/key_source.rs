//! Where a tree finds keys besides its own copies of them: in its values, if each value contains the
//! key under which it is stored, as the entries of a memtable do.
//!
//! Then leaves refer to suffixes in the values, and copy none (see `node::leaf::references`). The
//! user's function runs under the lock of a leaf.

use std::ffi::c_void;
use std::ptr::NonNull;

use crate::errno;

/// The user's function that finds the key that a value contains.
pub(crate) type KeyFunction = unsafe extern "C" fn(
    ctx: *mut c_void,
    value: *const c_void,
    value_len: usize,
    key_len: *mut usize,
) -> *const c_void;

/// Finds the key that a value contains, if the tree's values contain their keys.
#[derive(Clone, Copy)]
pub(crate) struct KeySource {
    /// Returns the key that the value with this word contains.
    find: unsafe fn(&Self, u64) -> NonNull<[u8]>,
    function: Option<KeyFunction>,
    ctx: *mut c_void,
}

impl KeySource {
    /// Values do not contain their keys.
    pub(crate) const NONE: Self = Self {
        find: find_nothing,
        function: None,
        ctx: std::ptr::null_mut(),
    };

    /// `find` finds the key of a value by [`Self::call`] of the user's function.
    ///
    /// # Safety
    /// The function accepts `ctx`, and any thread may call it as long as the tree lives. It returns the
    /// key under which a value was stored, whose bytes neither change nor are freed as long as the
    /// tree lives. `find` passes values on that the function accepts.
    pub(crate) unsafe fn new(
        find: unsafe fn(&Self, u64) -> NonNull<[u8]>,
        function: KeyFunction,
        ctx: *mut c_void,
    ) -> Self {
        Self {
            find,
            function: Some(function),
            ctx,
        }
    }

    /// For values that are words, which the function gets as its argument `value`, with length 0.
    ///
    /// # Safety
    /// As for [`Self::new`].
    pub(crate) unsafe fn of_words(function: KeyFunction, ctx: *mut c_void) -> Self {
        // SAFETY: by contract.
        unsafe { Self::new(find_in_word, function, ctx) }
    }

    /// Whether values contain their keys.
    #[inline]
    pub(crate) fn exists(&self) -> bool {
        self.function.is_some()
    }

    /// Calls the user's function. There is one.
    ///
    /// # Safety
    /// A value that was stored, or is about to be.
    pub(crate) unsafe fn call(&self, value: *const c_void, len: usize) -> NonNull<[u8]> {
        let function = self.function.expect("values contain their keys");
        let mut key_len = 0;
        // SAFETY: by contract, and that of `new`.
        let key = errno::preserve(|| unsafe { function(self.ctx, value, len, &raw mut key_len) });
        let key = NonNull::new(key.cast_mut().cast::<u8>()).expect("a value contains its key");
        NonNull::slice_from_raw_parts(key, key_len)
    }

    /// [`Self::call`] for a value that is a byte string.
    ///
    /// # Safety
    /// As for [`Self::call`].
    pub(crate) unsafe fn in_bytes(&self, bytes: &[u8]) -> NonNull<[u8]> {
        // SAFETY: by contract.
        unsafe { self.call(bytes.as_ptr().cast(), bytes.len()) }
    }

    /// Returns where the value with this word has the last bytes of its key, which are `suffix`.
    /// Panics if they are not: a leaf would find another key than the one that was stored.
    ///
    /// # Safety
    /// As for [`Self::call`]; there is a function.
    pub(crate) unsafe fn suffix(&self, word: u64, suffix: &[u8]) -> NonNull<[u8]> {
        // SAFETY: by contract.
        let key = unsafe { (self.find)(self, word).as_ref() };
        assert!(
            key.ends_with(suffix),
            "a value does not contain the key under which it is stored"
        );
        NonNull::from(&key[key.len() - suffix.len()..])
    }
}

fn find_nothing(_: &KeySource, _: u64) -> NonNull<[u8]> {
    unreachable!("values do not contain their keys")
}

/// # Safety
/// The word is a value that was stored, or is about to be.
unsafe fn find_in_word(keys: &KeySource, word: u64) -> NonNull<[u8]> {
    // SAFETY: by contract.
    unsafe { keys.call(std::ptr::with_exposed_provenance(word as usize), 0) }
}
