//! A layer to which keys are still added, and the suffixes of its last leaf.

use std::cmp::Ordering;
use std::ops::Range;

use arrayvec::ArrayVec;

use super::spine;
use crate::index::key::{Key, Kind, LAYER, SUFFIX, rank};
use crate::index::key_source::KeySource;
use crate::index::memory::{Vector, append};
use crate::index::node::{Form, GROUP_MAX, Leaf, Locked, NodeRef, OwnedBag, Shape, WIDTH};

/// Bytes of the length in front of a suffix.
const PREFIX: usize = size_of::<u32>();

/// Where a key goes that comes after all others.
pub(super) enum Location {
    /// Into this layer, at the end.
    Here,
    /// Into the layer below, to which the last entry links.
    Below,
    /// Nowhere: it is not above the last key.
    Refused,
}

/// A layer to which keys are still added.
pub(super) struct OpenLayer<'t> {
    /// The layer's last leaf. Entry `i` is in slot `i`; no slot is live before the leaf is complete.
    pub(super) leaf: Locked<'t, Leaf>,
    /// The slice and kind of the last entry, if there is one.
    pub(super) slice: u64,
    pub(super) kind: Kind,
    /// The number of entries.
    pub(super) len: u8,
    /// The position of the first entry with `slice`.
    first_with_slice: u8,
    /// The number of entries with `slice` that have suffixes: the last ones.
    group: u8,
    /// The number of links.
    links: u8,
    /// Where the suffixes of this leaf begin.
    pub(super) suffixes: usize,
    /// Where the last of them begins.
    last_suffix: usize,
}

/// How a full leaf is completed when the next leaf begins.
pub(super) struct LeafEnd {
    /// The number of entries that stay.
    pub(super) kept: usize,
    /// Where the suffixes of the entries that move begin.
    pub(super) suffixes: usize,
    /// The smallest slice of the next leaf.
    pub(super) low: u64,
}

impl<'t> OpenLayer<'t> {
    pub(super) fn new(leaf: Locked<'t, Leaf>, suffixes: usize) -> Self {
        Self {
            leaf,
            slice: 0,
            kind: 0,
            len: 0,
            first_with_slice: 0,
            group: 0,
            links: 0,
            suffixes,
            last_suffix: suffixes,
        }
    }

    /// Returns the place of a key. `suffixes` are those of all leaves up to this one; if another
    /// layer is open below, they are not read.
    #[inline]
    pub(super) fn locate(&self, key: &Key<'_>, suffixes: &[u8]) -> Location {
        if self.len == 0 {
            return Location::Here;
        }
        let by_rank = || rank(key.kind()).cmp(&rank(self.kind));
        match key.slice().cmp(&self.slice).then_with(by_rank) {
            Ordering::Greater => Location::Here,
            Ordering::Less => Location::Refused,
            Ordering::Equal if self.kind == LAYER => Location::Below,
            Ordering::Equal if self.kind == SUFFIX && key.suffix() > self.last_suffix(suffixes) => {
                Location::Here
            }
            Ordering::Equal => Location::Refused,
        }
    }

    /// Whether a key would be one more than a group may have.
    pub(super) fn is_crowded(&self, key: &Key<'_>) -> bool {
        usize::from(self.group) == GROUP_MAX && self.has_group_of(key)
    }

    /// Whether the last entries have suffixes and this key's slice.
    pub(super) fn has_group_of(&self, key: &Key<'_>) -> bool {
        self.len > 0 && self.group > 0 && key.has_suffix() && key.slice() == self.slice
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        usize::from(self.len) == WIDTH
    }

    /// Whether the leaf has more than one link.
    pub(super) fn has_second_link(&self) -> bool {
        self.links > 1
    }

    /// Adds an entry whose key ends within its slice; the leaf is not full.
    #[inline]
    pub(super) fn push_short(&mut self, slice: u64, kind: Kind, value: u64) {
        self.leaf
            .fill_short(usize::from(self.len), slice, kind, value);
        self.note(slice, kind);
    }

    /// Adds an entry with a suffix, which the caller adds to the suffixes at `record`; the leaf is
    /// not full.
    pub(super) fn push_long(&mut self, slice: u64, record: usize, value: u64) {
        self.leaf.fill_long(usize::from(self.len), slice, value);
        self.note(slice, SUFFIX);
        self.group += 1;
        self.last_suffix = record;
    }

    /// Adds a link; the leaf is not full.
    pub(super) fn push_link(&mut self, slice: u64) {
        self.leaf.fill_link(usize::from(self.len), slice);
        self.note(slice, LAYER);
        self.links += 1;
    }

    #[inline]
    fn note(&mut self, slice: u64, kind: Kind) {
        if slice != self.slice || self.len == 0 {
            (self.slice, self.first_with_slice, self.group) = (slice, self.len, 0);
        }
        self.kind = kind;
        self.len += 1;
    }

    /// Replaces the group by a link; returns its values. The caller removes its suffixes.
    pub(super) fn replace_group(&mut self) -> ArrayVec<u64, GROUP_MAX> {
        let first = self.len - self.group;
        let slots = usize::from(first)..usize::from(self.len);
        let values = slots.map(|slot| self.leaf.value_filled(slot)).collect();
        (self.len, self.group) = (first, 0);
        self.push_link(self.slice);
        values
    }

    /// Returns how to cut the full leaf for an entry with `slice`: equal slices stay in one leaf.
    pub(super) fn cut(&self, slice: u64, suffixes: &[u8]) -> LeafEnd {
        if slice != self.slice {
            return LeafEnd {
                kept: usize::from(self.len),
                suffixes: suffixes.len(),
                low: slice,
            };
        }
        debug_assert!(
            self.first_with_slice > 0,
            "a link replaces a full group before fifteen entries have one slice"
        );
        LeafEnd {
            kept: usize::from(self.first_with_slice),
            suffixes: self.start_of_group(suffixes),
            low: slice,
        }
    }

    /// Goes on with the next leaf, to which the entries after the cut were moved. Returns the leaf
    /// before.
    pub(super) fn continue_in(
        &mut self,
        next: Locked<'t, Leaf>,
        cut: &LeafEnd,
    ) -> Locked<'t, Leaf> {
        (self.len, self.first_with_slice, self.links) = (self.len - cut.kept as u8, 0, 0);
        if self.len == 0 {
            self.group = 0;
        }
        // The caller drops the suffixes before the cut.
        self.last_suffix = (self.last_suffix + self.suffixes).saturating_sub(cut.suffixes);
        std::mem::replace(&mut self.leaf, next)
    }

    /// Where the suffixes of the group begin.
    pub(super) fn start_of_group(&self, suffixes: &[u8]) -> usize {
        let records = || SuffixRanges::new(suffixes, self.suffixes);
        let before = records().count() - usize::from(self.group);
        let before = records().take(before).last();
        before.map_or(self.suffixes, |record| record.end)
    }

    /// The suffix of the last entry, which is one of a group.
    fn last_suffix<'s>(&self, suffixes: &'s [u8]) -> &'s [u8] {
        let last = SuffixRanges::new(suffixes, self.last_suffix).next();
        last.map_or(&[], |record| &suffixes[record])
    }

    /// The shape of a bag for the suffixes up to an offset; `None` if the leaf needs no bag.
    pub(super) fn shape_until(&self, suffixes: &[u8], end: usize) -> Option<Shape> {
        if self.suffixes == end {
            return None;
        }
        let lens = SuffixRanges::new(&suffixes[..end], self.suffixes).map(|record| record.len());
        let mut lens = lens.filter(|&len| !self.leaf.keeps_as_tail(len)).peekable();
        lens.peek()?;
        Some(Shape::for_records(lens))
    }

    /// The form of the leaf after this one: one for suffixes such as this one's.
    pub(super) fn form_of_next(&self, suffixes: &[u8], keys: &KeySource) -> Form {
        if self.suffixes == suffixes.len() {
            return Form::Plain;
        }
        let records = SuffixRanges::new(suffixes, self.suffixes);
        Form::of_new(keys, records.map(|record| record.len()))
    }
}

/// The ranges of suffixes, in order.
#[derive(Clone)]
pub(super) struct SuffixRanges<'s> {
    suffixes: &'s [u8],
    at: usize,
}

impl<'s> SuffixRanges<'s> {
    pub(super) fn new(suffixes: &'s [u8], from: usize) -> Self {
        Self { suffixes, at: from }
    }
}

impl Iterator for SuffixRanges<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let len = self.suffixes.get(self.at..)?.first_chunk::<PREFIX>()?;
        let start = self.at + PREFIX;
        self.at = start + u32::from_ne_bytes(*len) as usize;
        Some(start..self.at)
    }
}

/// Bytes that a suffix takes.
pub(super) fn size_of_record(suffix: &[u8]) -> usize {
    PREFIX + suffix.len()
}

/// Adds a suffix; the caller has reserved room.
pub(super) fn push_record(suffixes: &mut Vector<u8>, suffix: &[u8]) {
    append(suffixes, &(suffix.len() as u32).to_ne_bytes());
    append(suffixes, suffix);
}

/// Moves the bytes `from` to a record at `to`, before them; returns the record's end.
pub(super) fn move_record(suffixes: &mut [u8], from: Range<usize>, to: usize) -> usize {
    debug_assert!(to + PREFIX <= from.start);
    let len = from.len();
    suffixes[to..to + PREFIX].copy_from_slice(&(len as u32).to_ne_bytes());
    suffixes.copy_within(from, to + PREFIX);
    to + PREFIX + len
}

/// Makes the entries of a layer's last leaf before the cut live, and copies their suffixes to the leaf
/// or to `bag`. The bag may be missing only if the leaf needs none, or if the tree is about to be
/// freed; its suffixes are lost then.
pub(super) fn complete_leaf(
    layer: &OpenLayer<'_>,
    suffixes: &[u8],
    cut: &LeafEnd,
    bag: Option<OwnedBag<'_>>,
    keys: &KeySource,
) {
    if layer.suffixes < cut.suffixes {
        let mut records = SuffixRanges::new(&suffixes[..cut.suffixes], layer.suffixes);
        for slot in 0..cut.kept {
            if layer.leaf.kind_filled(slot) == SUFFIX {
                let record = records.next().expect("an entry has its suffix");
                (layer.leaf).fill_suffix(slot, &suffixes[record], bag.as_ref(), keys);
            }
        }
    }
    layer.leaf.complete(cut.kept, bag);
}

/// Sets the layer of the last entry, a link, and raises the levels below of the nodes above. `has_second_link`
/// says whether the layer's root is a leaf with more than one link.
pub(super) fn set_layer<'t>(above: &OpenLayer<'t>, root: NodeRef<'t>, has_second_link: bool) {
    debug_assert_eq!(above.kind, LAYER);
    above.leaf.fill_layer(usize::from(above.len) - 1, root);
    let own = root.height().max(u8::from(has_second_link));
    let levels = root.levels_below().saturating_add(own);
    spine::raise(NodeRef::from(above.leaf.node()), levels);
}
