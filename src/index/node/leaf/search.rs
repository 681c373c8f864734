//! Searches of leaves that are not locked. Each loads the permutation first, and validates the version
//! last; see the protocol in `leaf`.

use super::references::mark_of_reference;
use super::tails::mark_of_tail;
use super::{Found, FoundSlot, Leaf, kind_in, layer_at, mark_of, take_lowest, value_of};
use crate::index::key::{Key, Kind, LAYER, SUFFIX, slice_of};
use crate::index::node::permutation::Permutation;
use crate::index::node::racing;
use crate::index::node::search::Search;
use crate::index::node::version::Version;
use crate::sync::{AtomicU8, Ordering, perturb};

impl Leaf {
    /// Searches for a key; `None` if the leaf changed since `version`.
    // inline(always): measured together with `Tree::find`.
    #[inline(always)]
    pub(crate) fn search<S: Search>(&self, version: Version, key: &Key<'_>) -> Option<Found<'_>> {
        if key.has_suffix() {
            self.search_long::<S>(version, key)
        } else {
            let value = self.search_short::<S>(version, key)?;
            Some(value.map_or(Found::Absent, Found::Value))
        }
    }

    /// `search` for a key that ends within its slice: returns its value if the key exists.
    #[inline(always)]
    pub(crate) fn search_short<S: Search>(
        &self,
        version: Version,
        key: &Key<'_>,
    ) -> Option<Option<u64>> {
        self.search_short_by::<S>(version, key, |mark| mark.load(Ordering::Relaxed))
    }

    /// [`Self::search_short`] for readers without a guard: the leaf may be freed, and its memory
    /// reused for another node.
    #[inline(always)]
    pub(crate) fn search_short_unguarded<S: Search>(
        &self,
        version: Version,
        key: &Key<'_>,
    ) -> Option<Option<u64>> {
        self.search_short_by::<S>(version, key, racing::byte)
    }

    #[inline(always)]
    fn search_short_by<S: Search>(
        &self,
        version: Version,
        key: &Key<'_>,
        load_mark: impl Fn(&AtomicU8) -> u8,
    ) -> Option<Option<u64>> {
        debug_assert!(!key.has_suffix());
        let permutation = self.permutation();
        perturb();
        let mut slots = S::equal_mask(&self.head, key.slice());
        let mut value = None;
        while let Some(slot) = take_lowest(&mut slots) {
            if load_mark(&self.marks[slot]) == key.kind() && permutation.is_live(slot) {
                value = Some(value_of(self.word(slot)));
                break;
            }
        }
        self.head.version.validate(version).then_some(value)
    }

    /// `search` for a key with a suffix.
    ///
    /// Nearly always, the entries with the slice are a single one or a group. Most often it is a
    /// link, since a key's path contains a link in every layer but the last.
    #[inline(always)]
    pub(crate) fn search_long<S: Search>(
        &self,
        version: Version,
        key: &Key<'_>,
    ) -> Option<Found<'_>> {
        Some(
            match self.find_long::<S, _>(version, key, |kind, _, word| (kind, word))? {
                None => Found::Absent,
                // SAFETY: the version is unchanged, so kind and word belong together.
                Some((LAYER, root)) => Found::Layer(unsafe { layer_at(root) }),
                Some((_, word)) => Found::Value(value_of(word)),
            },
        )
    }

    /// [`Self::search_long`] for a write that will lock the leaf: also returns the slot of a value.
    #[inline(always)]
    pub(crate) fn search_long_slot<S: Search>(
        &self,
        version: Version,
        key: &Key<'_>,
    ) -> Option<FoundSlot<'_>> {
        Some(
            match self.find_long::<S, _>(version, key, |kind, slot, word| (kind, slot, word))? {
                None => FoundSlot::Absent,
                // SAFETY: as in `search_long`.
                Some((LAYER, _, root)) => FoundSlot::Layer(unsafe { layer_at(root) }),
                Some((_, slot, _)) => FoundSlot::Value(slot),
            },
        )
    }

    /// Returns what `pick` makes of kind, slot and word of a key's own entry, or of a link, if the leaf
    /// has one of them; `None` if the leaf changed since `version`. So a get carries no slot along.
    #[inline(always)]
    fn find_long<S: Search, R>(
        &self,
        version: Version,
        key: &Key<'_>,
        pick: impl Fn(Kind, usize, *mut ()) -> R,
    ) -> Option<Option<R>> {
        debug_assert!(key.has_suffix());
        let permutation = self.permutation();
        perturb();
        let mut slots = S::equal_mask(&self.head, key.slice());
        let mut found = None;
        while let Some(slot) = take_lowest(&mut slots) {
            let mark = self.mark(slot);
            if mark == LAYER && permutation.is_live(slot) {
                found = Some(pick(LAYER, slot, self.word(slot)));
                break;
            }
            if kind_in(mark) == SUFFIX {
                found = self.search_group_unvalidated(slot, slots, permutation, key, pick);
                break;
            }
        }
        if !self.head.version.validate(version) && self.needs_validation() {
            return None;
        }
        Some(found)
    }

    /// Returns what `pick` makes of the key's own entry, or of a link, among the slots with the
    /// key's slice: `first`, whose mark is that of a suffix, and `others`. Kind, slot and word belong
    /// together only if the caller validates the version afterwards.
    #[inline(always)]
    fn search_group_unvalidated<R>(
        &self,
        first: usize,
        others: u32,
        permutation: Permutation,
        key: &Key<'_>,
        pick: impl Fn(Kind, usize, *mut ()) -> R,
    ) -> Option<R> {
        let suffix = key.suffix();
        if self.keeps_as_tail(suffix.len()) {
            if self.is_referring() {
                let wanted = mark_of_reference(suffix);
                let is_own = |mark, slot| mark == wanted && self.referred(slot) == suffix;
                return self.search_group_by(first, others, permutation, is_own, pick);
            }
            let (wanted, tail) = (mark_of_tail(suffix.len()), slice_of(suffix));
            let is_own = |mark, slot| mark == wanted && self.tail(slot) == tail;
            return self.search_group_by(first, others, permutation, is_own, pick);
        }
        let wanted = mark_of(SUFFIX, suffix);
        let is_own = |mark, slot| mark == wanted && self.record(slot) == suffix;
        self.search_group_by(first, others, permutation, is_own, pick)
    }

    /// `search_group_unvalidated`, where `is_own` says of a mark and a live slot whether the slot has the
    /// key's suffix.
    #[inline(always)]
    fn search_group_by<R>(
        &self,
        first: usize,
        mut others: u32,
        permutation: Permutation,
        is_own: impl Fn(u8, usize) -> bool,
        pick: impl Fn(Kind, usize, *mut ()) -> R,
    ) -> Option<R> {
        let mut slot = first;
        loop {
            let mark = self.mark(slot);
            if permutation.is_live(slot) {
                if is_own(mark, slot) {
                    return Some(pick(SUFFIX, slot, self.word(slot)));
                }
                // A slot keeps the mark of a suffix after its entry was removed, so one of the other
                // slots may be a link.
                if mark == LAYER {
                    return Some(pick(LAYER, slot, self.word(slot)));
                }
            }
            slot = take_lowest(&mut others)?;
        }
    }
}
