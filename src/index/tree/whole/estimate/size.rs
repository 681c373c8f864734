//! Numbers of keys, and of their bytes.

use super::{Counted, MORE_OF_BYTES};
use crate::index::key::{SLICE_LEN, SUFFIX};
use crate::index::node::Entry;

/// A number of keys and of bytes, or the variances of the two.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Size {
    pub(super) keys: f64,
    pub(super) bytes: f64,
}

impl Size {
    pub(super) fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Self {
            keys: change(self.keys),
            bytes: change(self.bytes),
        }
    }

    pub(super) fn with(self, other: Self, join: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            keys: join(self.keys, other.keys),
            bytes: join(self.bytes, other.bytes),
        }
    }

    /// The variances, if this one is that of keys relative to the square of their number.
    pub(super) fn variance(self, relative: f64) -> Self {
        Self {
            keys: relative * self.keys * self.keys,
            bytes: MORE_OF_BYTES * relative * self.bytes * self.bytes,
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        *self = self.with(other, |a, b| a + b);
    }
}

/// How the bytes of keys and values are counted.
pub(super) struct Content {
    counted: Counted,
    /// Returns the bytes of a value.
    of_value: unsafe fn(u64) -> usize,
}

impl Content {
    /// `of_value` is that of the kind of values of the entries whose size will be asked for.
    pub(super) fn new(counted: Counted, of_value: unsafe fn(u64) -> usize) -> Self {
        Self { counted, of_value }
    }

    /// The size of a key with its value; the key continues after `depth` bytes.
    pub(super) fn size(&self, entry: &Entry<'_>, depth: usize) -> Size {
        let key = match entry.kind {
            SUFFIX => depth + SLICE_LEN + entry.suffix.len(),
            kind => depth + usize::from(kind),
        };
        let key = if self.counted.keys { key } else { 0 };
        let value = match self.counted.values {
            // SAFETY: the value was in the tree under the guard of the entry.
            true => unsafe { (self.of_value)(entry.value()) },
            false => 0,
        };
        Size {
            keys: 1.0,
            bytes: (key + value) as f64,
        }
    }
}
