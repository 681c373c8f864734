//! Ranges of keys, and the cuts that bound them.

use crate::index::key::{Kind, LAYER, SLICE_LEN, SUFFIX, kind_of, rank, slice_of};

/// One end of a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound<'k> {
    /// No bound.
    Open,
    /// The range includes the bound.
    Included(&'k [u8]),
    /// The range excludes the bound.
    Excluded(&'k [u8]),
}

impl<'k> Bound<'k> {
    fn bytes(self) -> Option<&'k [u8]> {
        match self {
            Self::Open => None,
            Self::Included(bytes) | Self::Excluded(bytes) => Some(bytes),
        }
    }
}

/// The keys that a scan visits, and the direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range<'k> {
    /// The lower end.
    pub lower: Bound<'k>,
    /// The upper end.
    pub upper: Bound<'k>,
    /// Visits only keys with this prefix.
    pub prefix: &'k [u8],
    /// Visits at most this many keys.
    pub limit: usize,
    /// Visits from the upper end to the lower.
    pub reverse: bool,
    /// Passes an empty key to the visitor, which saves assembling keys.
    pub values_only: bool,
}

impl<'k> Range<'k> {
    /// Every key, in ascending order.
    pub fn all() -> Self {
        Self {
            lower: Bound::Open,
            upper: Bound::Open,
            prefix: &[],
            limit: usize::MAX,
            reverse: false,
            values_only: false,
        }
    }

    /// Whether the lower bound is above the upper.
    pub fn is_reversed(&self) -> bool {
        match (self.lower.bytes(), self.upper.bytes()) {
            (Some(lower), Some(upper)) => lower > upper,
            _ => false,
        }
    }

    /// The cut below which no key is visited.
    pub(in crate::index::tree) fn lower_cut(&self) -> Option<Cut<'k>> {
        let of_prefix = (!self.prefix.is_empty()).then_some(Cut::Before(self.prefix));
        match self.lower {
            Bound::Open => of_prefix,
            Bound::Included(bytes) if bytes >= self.prefix => Some(Cut::Before(bytes)),
            Bound::Excluded(bytes) if bytes >= self.prefix => Some(Cut::After(bytes)),
            _ => of_prefix,
        }
    }

    /// The cut above which no key is visited.
    pub(in crate::index::tree) fn upper_cut(&self) -> Option<Cut<'k>> {
        let of_prefix = (!self.prefix.is_empty()).then_some(Cut::AfterAll(self.prefix));
        // A bound that begins with the prefix, or is below it, is tighter than the prefix.
        let tighter = |bytes: &[u8]| bytes.starts_with(self.prefix) || bytes < self.prefix;
        match self.upper {
            Bound::Open => of_prefix,
            Bound::Included(bytes) if tighter(bytes) => Some(Cut::After(bytes)),
            Bound::Excluded(bytes) if tighter(bytes) => Some(Cut::Before(bytes)),
            _ => of_prefix,
        }
    }
}

/// A position between keys, at which a range begins or ends. A cut may run *through* a layer: then
/// some of the layer's keys are below the cut, and others above.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::index::tree) enum Cut<'k> {
    /// Just before these bytes.
    Before(&'k [u8]),
    /// Just after these bytes, before any longer key that begins with them.
    After(&'k [u8]),
    /// After every key that begins with these bytes.
    AfterAll(&'k [u8]),
}

/// On which side of a cut an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::index::tree) enum Side {
    Below,
    Above,
    /// The cut runs through the layer that the entry links to.
    Through,
}

impl<'k> Cut<'k> {
    fn bytes(self) -> &'k [u8] {
        match self {
            Self::Before(bytes) | Self::After(bytes) | Self::AfterAll(bytes) => bytes,
        }
    }

    /// The cut without its first `depth` bytes, for the layer that begins after `depth` bytes of
    /// key. The cut runs through that layer.
    pub(in crate::index::tree) fn below(self, depth: usize) -> Self {
        let rest = &self.bytes()[depth..];
        match self {
            Self::Before(_) => Self::Before(rest),
            Self::After(_) => Self::After(rest),
            Self::AfterAll(_) => Self::AfterAll(rest),
        }
    }

    /// The smallest slice that entries above the cut may have.
    pub(in crate::index::tree) fn first_slice(self) -> u64 {
        slice_of(self.bytes())
    }

    /// The greatest slice that entries below the cut may have.
    pub(in crate::index::tree) fn last_slice(self) -> u64 {
        match self {
            Self::AfterAll(bytes) => slice_of(bytes) | !mask_of(bytes),
            _ => slice_of(self.bytes()),
        }
    }

    /// On which side of the cut an entry of the layer is.
    pub(in crate::index::tree) fn side(self, slice: u64, kind: Kind, suffix: &[u8]) -> Side {
        let bytes = self.bytes();
        if let Self::AfterAll(bytes) = self
            && bytes.len() <= SLICE_LEN
        {
            let mask = mask_of(bytes);
            return if slice & mask <= slice_of(bytes) {
                Side::Below
            } else {
                Side::Above
            };
        }
        let order = slice
            .cmp(&slice_of(bytes))
            .then(rank(kind).cmp(&kind_of(bytes)));
        if order.is_lt() {
            return Side::Below;
        }
        if order.is_gt() {
            return Side::Above;
        }
        if kind == LAYER {
            return Side::Through;
        }
        let (rest, suffix) = if kind == SUFFIX {
            (&bytes[SLICE_LEN..], suffix)
        } else {
            (&[][..], &[][..])
        };
        let below = match self {
            Self::Before(_) => suffix < rest,
            Self::After(_) => suffix <= rest,
            Self::AfterAll(_) => suffix < rest || suffix.starts_with(rest),
        };
        if below { Side::Below } else { Side::Above }
    }
}

/// The bits of a slice that the given bytes, at most eight of them, determine.
fn mask_of(bytes: &[u8]) -> u64 {
    match bytes.len() {
        0 => 0,
        len => u64::MAX << (64 - 8 * len.min(SLICE_LEN) as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::key::Key;
    use proptest::prelude::*;

    fn is_below(cut: Cut<'_>, key: &[u8]) -> bool {
        match cut {
            Cut::Before(bytes) => key < bytes,
            Cut::After(bytes) => key <= bytes,
            Cut::AfterAll(bytes) => key < bytes || key.starts_with(bytes),
        }
    }

    fn small_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255)], 0..14)
    }

    proptest! {
        #[test]
        fn sides_agree_with_byte_order(key in small_bytes(), bytes in small_bytes(), long in any::<bool>()) {
            let mut bytes = bytes;
            if long { bytes.splice(0..0, key.iter().copied().take(9)); }
            for cut in [Cut::Before(&bytes), Cut::After(&bytes), Cut::AfterAll(&bytes)] {
                let entry = Key::new(&key);
                let side = cut.side(entry.slice(), entry.kind(), entry.suffix());
                prop_assert_eq!(side, if is_below(cut, &key) { Side::Below } else { Side::Above });
                if side == Side::Below {
                    prop_assert!(entry.slice() <= cut.last_slice());
                } else {
                    prop_assert!(entry.slice() >= cut.first_slice());
                }
                if entry.has_suffix() {
                    match cut.side(entry.slice(), LAYER, &[]) {
                        Side::Through => {
                            let lower = cut.below(SLICE_LEN);
                            prop_assert_eq!(is_below(lower, entry.suffix()), is_below(cut, &key));
                        }
                        whole => prop_assert_eq!(whole, side),
                    }
                }
            }
        }

        #[test]
        fn cuts_agree_with_the_range(key in small_bytes(), lower in small_bytes(), upper in small_bytes(),
                              prefix in prop::collection::vec(0u8..2, 0..3), kinds in (0..3, 0..3)) {
            let bound = |kind, bytes| match kind { 0 => Bound::Open, 1 => Bound::Included(bytes), _ => Bound::Excluded(bytes) };
            let range = Range { lower: bound(kinds.0, &lower), upper: bound(kinds.1, &upper), prefix: &prefix, ..Range::all() };
            let above = match range.lower { Bound::Open => true, Bound::Included(b) => key.as_slice() >= b, Bound::Excluded(b) => key.as_slice() > b };
            let below = match range.upper { Bound::Open => true, Bound::Included(b) => key.as_slice() <= b, Bound::Excluded(b) => key.as_slice() < b };
            let inside = above && below && key.starts_with(&prefix);
            let by_cuts = range.lower_cut().is_none_or(|cut| !is_below(cut, &key))
                && range.upper_cut().is_none_or(|cut| is_below(cut, &key));
            prop_assert_eq!(by_cuts, inside);
        }
    }
}
