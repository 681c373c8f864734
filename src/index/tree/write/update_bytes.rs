//! Updates of byte strings: a new value is computed from the one that a key has.
//!
//! A byte string in the tree never changes, since readers read it without a lock: every update stores a
//! new string, also one of the same length.
//!
//! **Protocol.** No lock is held while the new value is computed, and memory for it is allocated: this may
//! run code of the user's. The key's word is read before, and compared under the lock of its leaf
//! before the decision is carried out (`UpdateComparesAgain`). The pin keeps the string that was read
//! from being freed, so no other string has its address, and an equal word means that the key still
//! has that string. If it has another one, the update begins again. The moment of the update is that
//! of the comparison, also if the decision is to keep the value.

use super::bytes::NewString;
use super::engine::Decision;
use crate::index::key::Key;
use crate::index::memory::OutOfMemory;
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::protocol::Line;

/// What an update does with its key.
pub(crate) enum BytesDecision<'v> {
    Keep,
    /// Stores these parts, one after the other.
    Set([&'v [u8]; 2]),
    Remove,
}

/// Why an update has changed nothing.
pub(crate) enum BytesFailure<E> {
    OutOfMemory,
    /// The answer of the callback.
    Refused(E),
}

impl<E> From<OutOfMemory> for BytesFailure<E> {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl Tree {
    /// Calls `decide` with the value of a key, and carries its decision out if the key still has this
    /// value; otherwise calls it again. Returns the value that the key had.
    pub(crate) fn update_bytes<'g, 'v, E>(
        &self,
        pin: Pinned<'g>,
        key: &[u8],
        mut decide: impl FnMut(Option<&'g [u8]>) -> Result<BytesDecision<'v>, E>,
    ) -> Result<Option<&'g [u8]>, BytesFailure<E>>
    where
        'g: 'v,
    {
        self.admit_bytes(pin, key);
        let mut new: Option<NewString<'_>> = None;
        // Ends: each round, another thread has changed the key, or the user's own code that this one runs.
        // A string that could not be stored is used again if the next one has its length: so code of an
        // allocator that changes the key runs only once.
        loop {
            let before = self.find(pin, Key::new(key));
            let present = before.map(|word| self.bytes_of(pin, word));
            let decision = decide(present).map_err(BytesFailure::Refused)?;
            if let BytesDecision::Set(parts) = decision
                && !new.as_mut().is_some_and(|new| new.refill(parts))
            {
                new = Some(NewString::new(pin, parts)?);
            }
            let mut is_same = false;
            let found = self.write(pin, key, |found| {
                is_same = found == before || !Line::UpdateComparesAgain.is_enabled();
                match (&decision, &mut new) {
                    _ if !is_same => Decision::Keep,
                    (BytesDecision::Set(_), Some(new)) => new.store(),
                    (BytesDecision::Remove, _) => Decision::Remove,
                    _ => Decision::Keep,
                }
            })?;
            if !is_same {
                continue;
            }
            return Ok(found.map(|word| match decision {
                BytesDecision::Keep => self.bytes_of(pin, word),
                BytesDecision::Set(_) | BytesDecision::Remove => self.retire_string(pin, word),
            }));
        }
    }

    /// Appends bytes to the value of a key, or stores them if the key is absent. Returns the length of the
    /// new value.
    pub(crate) fn append_bytes(
        &self,
        pin: Pinned<'_>,
        key: &[u8],
        more: &[u8],
    ) -> Result<usize, OutOfMemory> {
        let mut len = 0;
        let outcome = self.update_bytes::<()>(pin, key, |present| {
            let present = present.unwrap_or(&[]);
            // A sum that overflows is refused as an allocation.
            len = present.len().saturating_add(more.len());
            Ok(BytesDecision::Set([present, more]))
        });
        match outcome {
            Ok(_) => Ok(len),
            Err(BytesFailure::OutOfMemory) => Err(OutOfMemory),
            Err(BytesFailure::Refused(())) => unreachable!("it refuses nothing"),
        }
    }

    /// Adds to the word under a key, modulo 2^64, or stores `more` if the key is absent. Returns the word
    /// that the key had.
    pub(crate) fn add_to(
        &self,
        pin: Pinned<'_>,
        key: &[u8],
        more: u64,
    ) -> Result<Option<u64>, OutOfMemory> {
        self.admit_words(pin, key);
        let present = self.write_present(pin, key, |word| Decision::Set(word.wrapping_add(more)));
        match present {
            Some(word) => Ok(Some(word)),
            None => self.write(pin, key, |present| {
                Decision::Set(present.unwrap_or(0).wrapping_add(more))
            }),
        }
    }
}
