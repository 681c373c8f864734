//! What a write demands of the key as it is before.

use crate::versioned::Version;

/// A condition on the newest version of a key, which is a value, or on its absence.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Condition<'b> {
    None,
    Absent,
    Present,
    /// The key has a value that the commit with this number stored.
    Version(u64),
    /// The key has this value.
    Value(&'b [u8]),
}

impl Condition<'_> {
    /// Whether the condition holds; `present` is `None` for a key without a value.
    pub(super) fn holds(self, present: Option<Version<'_>>) -> bool {
        match (self, present) {
            (Self::None, _) => true,
            (Self::Absent, present) => present.is_none(),
            (Self::Present, present) => present.is_some(),
            (Self::Version(number), Some(version)) => version.number() == number,
            (Self::Value(value), Some(version)) => version.bytes() == value,
            (Self::Version(_) | Self::Value(_), None) => false,
        }
    }
}
