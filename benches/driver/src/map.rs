//! The operations of a map under measurement, and the Rust type of its keys.

use std::borrow::Borrow;
use std::ops::Range;

use crate::keys::{Keys, is_value_of, value_of};

/// The number of operations of a session between two refreshes of its guard, as in a program
/// that lets memory be freed regularly. Batches: as many keys in each.
pub(crate) const REFRESH: usize = 1000;

/// The number of keys of a batch.
pub(crate) const BATCH: usize = 1000;

/// The number of items that a scan visits.
pub(crate) const SCAN: usize = 100;

/// A map that several threads use.
pub(crate) trait Map: Sync {
    type Session<'m>: Session
    where
        Self: 'm;

    /// For the thread that calls it.
    fn session(&self) -> Self::Session<'_>;
}

/// The operations of one thread on a map, under a guard if the map has guards.
pub(crate) trait Session {
    /// Whether an ascending scan may omit the key from which it starts: a fault, which is
    /// tolerated in a peer.
    const MAY_SKIP_START: bool = false;
    /// Whether a look-up may miss a key while another thread overwrites its value: tolerated, too.
    const MAY_MISS_REPLACED: bool = false;

    fn get(&mut self, key: &[u8]) -> Option<u64>;

    fn put(&mut self, key: &[u8], value: u64);

    /// Returns whether the key existed.
    fn remove(&mut self, key: &[u8]) -> bool;

    /// Up to `SCAN` items from `from` (included) on.
    fn scan(&mut self, from: &[u8], visit: impl FnMut(&[u8], u64));

    /// Up to `SCAN` items from `from` (included), in descending order.
    fn scan_reverse(&mut self, from: &[u8], visit: impl FnMut(&[u8], u64));

    /// Looks up the keys with these indices, at most `BATCH`; returns how many have a value
    /// of theirs. A map without batches looks up one after the other.
    fn get_many(&mut self, keys: &Keys, places: Range<usize>) -> usize {
        let is_found = |key: &&[u8]| self.get(key).is_some_and(|value| is_value_of(value, key));
        keys.iter(places).filter(is_found).count()
    }

    /// Puts the keys with these indices, at most `BATCH`, with their values.
    fn put_many(&mut self, keys: &Keys, places: Range<usize>) {
        keys.iter(places)
            .for_each(|key| self.put(key, value_of(key)));
    }
}

/// Counts operations to the next refresh of a guard.
pub(crate) struct Turns(usize);

impl Turns {
    pub(crate) fn new() -> Self {
        Turns(REFRESH)
    }

    /// Whether a refresh is due.
    #[inline]
    pub(crate) fn is_over(&mut self) -> bool {
        self.0 -= 1;
        let over = self.0 == 0;
        if over {
            self.0 = REFRESH;
        }
        over
    }
}

/// The type of keys in maps that are generic over it: integers where the keys are 8-byte
/// integers, as a user would choose, boxed bytes otherwise.
pub(crate) trait Stored: Ord + Clone + Send + Sync + Borrow<Self::Lookup> + 'static {
    type Lookup: Ord + ?Sized;

    fn stored(key: &[u8]) -> Self;

    fn lookup<R>(key: &[u8], with: impl FnOnce(&Self::Lookup) -> R) -> R;

    fn bytes<R>(&self, with: impl FnOnce(&[u8]) -> R) -> R;
}

/// The integer that an 8-byte key encodes.
#[inline]
pub(crate) fn integer(key: &[u8]) -> u64 {
    u64::from_be_bytes(key.try_into().expect("an 8-byte key"))
}

impl Stored for u64 {
    type Lookup = u64;

    #[inline]
    fn stored(key: &[u8]) -> Self {
        integer(key)
    }

    #[inline]
    fn lookup<R>(key: &[u8], with: impl FnOnce(&u64) -> R) -> R {
        with(&integer(key))
    }

    #[inline]
    fn bytes<R>(&self, with: impl FnOnce(&[u8]) -> R) -> R {
        with(&self.to_be_bytes())
    }
}

impl Stored for Box<[u8]> {
    type Lookup = [u8];

    #[inline]
    fn stored(key: &[u8]) -> Self {
        key.into()
    }

    #[inline]
    fn lookup<R>(key: &[u8], with: impl FnOnce(&[u8]) -> R) -> R {
        with(key)
    }

    #[inline]
    fn bytes<R>(&self, with: impl FnOnce(&[u8]) -> R) -> R {
        with(self)
    }
}
