//! Values that are byte strings, which the tree owns. The word under a key points to a string,
//! whose bytes never change: a write that stores another value first creates a new string, and
//! retires the old one. So a string that was read stays readable while the reader's guard is held,
//! even after the string was displaced or removed.

use super::engine::Decision;
use crate::index::key::Key;
use crate::index::memory::OutOfMemory;
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::value::ByteString;

/// A string that was created for a write; freed on drop, unless the write has stored it.
pub(super) struct NewString<'g> {
    pin: Pinned<'g>,
    word: u64,
    stored: bool,
}

impl<'g> NewString<'g> {
    #[inline]
    pub(super) fn new<const N: usize>(
        pin: Pinned<'g>,
        parts: [&[u8]; N],
    ) -> Result<Self, OutOfMemory> {
        let word = ByteString::make_of(&pin.domain().memory, parts).ok_or(OutOfMemory)?;
        Ok(Self {
            pin,
            word,
            stored: false,
        })
    }

    /// Replaces the content of a string that is not stored. Returns `false` if that has another length.
    pub(super) fn refill<const N: usize>(&mut self, parts: [&[u8]; N]) -> bool {
        // SAFETY: the string is not stored, so only this thread has a pointer to it. What the parts
        // refer to is in the tree or the caller's.
        !self.stored && unsafe { ByteString::refill(self.word, parts) }
    }

    /// Returns the decision to store the string, and marks it as stored.
    pub(super) fn store(&mut self) -> Decision {
        self.stored = true;
        Decision::Set(self.word)
    }
}

impl Drop for NewString<'_> {
    fn drop(&mut self) {
        if !self.stored {
            // SAFETY: no other thread has a pointer to it.
            unsafe { ByteString::free(&self.pin.domain().memory, self.word) }
        }
    }
}

impl Tree {
    /// Panics on a guard of another tree, a key that is too long, and a tree of other values.
    pub(super) fn admit_bytes(&self, pin: Pinned<'_>, key: &[u8]) {
        self.admit(pin, key);
        assert!(self.holds_bytes(), "not a tree of byte strings");
    }

    /// Copies `bytes` to a new string; returns the word that points to it.
    pub(crate) fn make_bytes(&self, bytes: &[u8]) -> Result<u64, OutOfMemory> {
        ByteString::make(&self.domain().memory, bytes).ok_or(OutOfMemory)
    }

    /// Returns the string to which a word of this tree points.
    pub(crate) fn bytes_of<'g>(&self, pin: Pinned<'g>, word: u64) -> &'g [u8] {
        self.admit_bytes(pin, &[]);
        // SAFETY: `ByteString::make` returned every word of this tree, and a string that was found
        // under this pin is not freed before the pin ends.
        unsafe { ByteString::bytes(word) }
    }

    /// Retires the string to which a displaced word points, and returns it.
    pub(crate) fn retire_string<'g>(&self, pin: Pinned<'g>, word: u64) -> &'g [u8] {
        let bytes = self.bytes_of(pin, word);
        pin.retire_value(word);
        bytes
    }

    /// The value of a key.
    pub fn get_bytes<'g>(&self, pin: Pinned<'g>, key: &[u8]) -> Option<&'g [u8]> {
        self.admit_bytes(pin, key);
        let word = self.find(pin, Key::new(key))?;
        Some(self.bytes_of(pin, word))
    }

    /// Stores a copy of `value` under a key, whether or not it is present. Returns the displaced
    /// value.
    pub fn put_bytes<'g>(
        &self,
        pin: Pinned<'g>,
        key: &[u8],
        value: &[u8],
    ) -> Result<Option<&'g [u8]>, OutOfMemory> {
        self.admit_bytes(pin, key);
        let mut new = NewString::new(pin, [value])?;
        let displaced = self.write(pin, key, |_| new.store())?;
        Ok(displaced.map(|word| self.retire_string(pin, word)))
    }

    /// Stores a copy of `value` under a key if the key is absent. Returns the key's value
    /// otherwise.
    pub fn insert_bytes<'g>(
        &self,
        pin: Pinned<'g>,
        key: &[u8],
        value: &[u8],
    ) -> Result<Option<&'g [u8]>, OutOfMemory> {
        self.admit_bytes(pin, key);
        let mut new = NewString::new(pin, [value])?;
        let present = self.write(pin, key, |present| match present {
            None => new.store(),
            Some(_) => Decision::Keep,
        })?;
        Ok(present.map(|word| self.bytes_of(pin, word)))
    }

    /// Stores a copy of `value` under a key if the key is present. Returns the value that the
    /// key had.
    pub fn replace_bytes<'g>(
        &self,
        pin: Pinned<'g>,
        key: &[u8],
        value: &[u8],
    ) -> Result<Option<&'g [u8]>, OutOfMemory> {
        self.admit_bytes(pin, key);
        let mut new = NewString::new(pin, [value])?;
        let displaced = self.write_present(pin, key, |_| new.store());
        Ok(displaced.map(|word| self.retire_string(pin, word)))
    }

    /// Stores a copy of `desired` under a key if its value is `expected`, byte for byte. Returns
    /// the value that the key had, if it is present, and whether it was the expected one.
    pub fn compare_exchange_bytes<'g>(
        &self,
        pin: Pinned<'g>,
        key: &[u8],
        expected: &[u8],
        desired: &[u8],
    ) -> Result<Option<(bool, &'g [u8])>, OutOfMemory> {
        self.admit_bytes(pin, key);
        let mut new = NewString::new(pin, [desired])?;
        let present = self.write_present(pin, key, |present| {
            match self.bytes_of(pin, present) == expected {
                true => new.store(),
                false => Decision::Keep,
            }
        });
        Ok(present.map(|word| match new.stored {
            true => (true, self.retire_string(pin, word)),
            false => (false, self.bytes_of(pin, word)),
        }))
    }

    /// Removes a key. Returns the value that it had.
    pub fn remove_bytes<'g>(&self, pin: Pinned<'g>, key: &[u8]) -> Option<&'g [u8]> {
        self.admit_bytes(pin, key);
        let displaced = self.write_present(pin, key, |_| Decision::Remove)?;
        Some(self.retire_string(pin, displaced))
    }

    /// Removes a key if its value is `expected`, byte for byte. Returns the value that the key
    /// had, if it is present, and whether it was the expected one.
    pub fn remove_bytes_if_equal<'g>(
        &self,
        pin: Pinned<'g>,
        key: &[u8],
        expected: &[u8],
    ) -> Option<(bool, &'g [u8])> {
        self.admit_bytes(pin, key);
        let mut removed = false;
        let present = self.write_present(pin, key, |present| {
            removed = self.bytes_of(pin, present) == expected;
            match removed {
                true => Decision::Remove,
                false => Decision::Keep,
            }
        })?;
        Some(match removed {
            true => (true, self.retire_string(pin, present)),
            false => (false, self.bytes_of(pin, present)),
        })
    }
}
