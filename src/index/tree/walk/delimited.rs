//! Scans that roll keys up by a delimiter, as the listings of object stores do.
//!
//! A key of the range is *rolled up* if the delimiter occurs in it after the range's prefix. Its *common
//! prefix* is the key up to the end of the first such occurrence. A scan visits, in the order of their
//! bytes, the keys that are not rolled up, and each common prefix once instead of all keys below it.
//! These are its *entries*. No key that is not rolled up begins with a common prefix: the delimiter would
//! occur in it. So the keys below a common prefix are neighbours, and stand where it stands.
//!
//! **Protocol.** The scan is a walk, and its guarantees rest on those of `walk` alone:
//!
//! - An entry is visited because of one key, which was in the tree when the walk read its leaf, during the
//!   call.
//! - After a common prefix, the scan passes over the keys that begin with it: first the rest of the leaf
//!   that it has read, then, by one descent, all others. It descends to a cut at which the keys below the
//!   common prefix end (forward, just before the smallest string above all of them; in reverse, just
//!   before the common prefix itself). A walk that descends to a cut meets every key beyond it that is
//!   there throughout. So a key that is in the tree during the whole call is met, or it begins with a
//!   common prefix that was visited: no such key is hidden.
//! - Everything met after that is beyond the cut. So entries come in strict order, none twice, whatever
//!   is written meanwhile; an entry whose keys come and go is visited at most once.
//!
//! No check of this module depends on what other threads do: it has no line in `protocol`.
//!
//! **Where the scan begins.** An exclusive bound there that is itself a common prefix, as the last entry of
//! a page is, excludes all keys below it, too; any other bound excludes keys only. In reverse this needs no
//! rule: the keys below a common prefix are not less than it.
//!
//! **Cost.** At most one descent, and one leaf in each layer on its path, for each entry: nothing depends on
//! the number of keys below a common prefix. Where `see` hides keys, each hidden key costs a step of the
//! walk, since the prefix that it begins with may have others.
//!
//! Ends: each descent is to a cut beyond the one before it, and an entry lies between the two.

use std::ops::ControlFlow;

use super::Walk;
use super::range::{Bound, Cut, Range};
use crate::index::memory::{OutOfMemory, Vector, append};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;

/// What a scan visits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Delimited<'k> {
    /// The keys. Its limit is of entries.
    pub(crate) range: Range<'k>,
    /// The delimiter. If it is empty, no key is rolled up.
    pub(crate) delimiter: &'k [u8],
}

/// What a scan shows to its visitor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entry<'k, S> {
    /// A key, and what was seen under it.
    Key(&'k [u8], S),
    /// The bytes with which keys begin that are not shown.
    CommonPrefix(&'k [u8]),
}

impl<'k> Delimited<'k> {
    /// Returns the length of the common prefix to which a key of the range is rolled up, if it is.
    fn common_prefix_len(&self, key: &[u8]) -> Option<usize> {
        let rest = key.get(self.range.prefix.len()..)?;
        let at = match self.delimiter {
            [] => None,
            [byte] => rest.iter().position(|of| of == byte),
            bytes => (rest.windows(bytes.len())).position(|window| window == bytes),
        };
        Some(self.range.prefix.len() + at? + self.delimiter.len())
    }

    /// Returns the bound at which the scan begins, if that is a common prefix and excluded.
    fn last_common_prefix(&self) -> Option<&'k [u8]> {
        match self.range.lower {
            Bound::Excluded(bytes)
                if !self.range.reverse
                    && bytes.starts_with(self.range.prefix)
                    && self.common_prefix_len(bytes) == Some(bytes.len()) =>
            {
                Some(bytes)
            }
            _ => None,
        }
    }
}

/// Replaces bytes by the smallest string that is greater than every string which begins with them. Returns
/// false if there is none.
fn advance_past(bytes: &mut Vector<u8>) -> bool {
    let Some(last) = bytes.iter().rposition(|&byte| byte != u8::MAX) else {
        return false;
    };
    bytes.truncate(last + 1);
    bytes[last] += 1;
    true
}

/// A scan under way.
struct Listing<'k, 'v> {
    of: Delimited<'k>,
    /// The common prefix visited last. It is also where the next descent's cut is made.
    passed: Vector<u8>,
    /// Whether the walk is among the keys that begin with `passed`.
    is_within: bool,
    visited: &'v mut usize,
}

impl Listing<'_, '_> {
    /// Visits a key that the walk has met, or its common prefix, or neither.
    fn meet<S>(
        &mut self,
        key: &[u8],
        word: u64,
        see: &mut impl FnMut(&[u8], u64) -> Option<S>,
        visit: &mut impl FnMut(Entry<'_, S>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, OutOfMemory> {
        if self.is_within && key.starts_with(&self.passed) {
            return Ok(ControlFlow::Continue(()));
        }
        self.is_within = false;
        let Some(seen) = see(key, word) else {
            return Ok(ControlFlow::Continue(()));
        };
        let entry = match self.of.common_prefix_len(key) {
            Some(len) => {
                self.pass(&key[..len])?;
                Entry::CommonPrefix(&self.passed)
            }
            None => Entry::Key(key, seen),
        };
        *self.visited += 1;
        let flow = visit(entry);
        if *self.visited >= self.of.range.limit {
            return Ok(ControlFlow::Break(()));
        }
        Ok(flow)
    }

    /// Notes that the keys which begin with these bytes are to be passed over.
    fn pass(&mut self, bytes: &[u8]) -> Result<(), OutOfMemory> {
        self.passed.clear();
        (self.passed.try_reserve(bytes.len())).map_err(|_| OutOfMemory)?;
        append(&mut self.passed, bytes);
        self.is_within = true;
        Ok(())
    }

    /// Returns the cut behind the keys that begin with `passed`; `None` if there is no key beyond. The cut may
    /// be beyond the range's end; then the walk finds nothing there.
    fn cut_behind(&mut self) -> Option<Cut<'_>> {
        self.is_within = false;
        let has_more = self.of.range.reverse || advance_past(&mut self.passed);
        has_more.then_some(Cut::Before(&self.passed))
    }

    /// Descends to the first key behind those that begin with `passed`. Returns whether one is in the range.
    fn jump<'g>(
        &mut self,
        tree: &Tree,
        walk: &mut Walk<'g>,
        pin: Pinned<'g>,
        end: Option<Cut<'_>>,
    ) -> Result<bool, OutOfMemory> {
        let reverse = self.of.range.reverse;
        match self.cut_behind() {
            None => Ok(false),
            cut => walk.seek(tree, pin, cut, end, reverse),
        }
    }
}

impl Tree {
    /// Visits the entries of a range in order until `visit` returns `Break`; see the module's comment. `see`
    /// returns what is seen under a key, from its word, or `None` for a key that is not there for the
    /// caller. Adds the number of entries visited to `visited`, even when memory runs out.
    pub(crate) fn scan_delimited<S>(
        &self,
        pin: Pinned<'_>,
        of: &Delimited<'_>,
        visited: &mut usize,
        see: impl FnMut(&[u8], u64) -> Option<S>,
        visit: impl FnMut(Entry<'_, S>) -> ControlFlow<()>,
    ) -> Result<(), OutOfMemory> {
        let mut walk = Walk::new(self, false, of.range.limit);
        self.scan_delimited_by(&mut walk, pin, of, visited, see, visit)
    }

    /// `scan_delimited` by a walk.
    fn scan_delimited_by<'g, S>(
        &self,
        walk: &mut Walk<'g>,
        pin: Pinned<'g>,
        of: &Delimited<'_>,
        visited: &mut usize,
        mut see: impl FnMut(&[u8], u64) -> Option<S>,
        mut visit: impl FnMut(Entry<'_, S>) -> ControlFlow<()>,
    ) -> Result<(), OutOfMemory> {
        self.admit(pin, of.range.prefix);
        if of.range.limit == 0 {
            return Ok(());
        }
        let reverse = of.range.reverse;
        let (lower, upper) = (of.range.lower_cut(), of.range.upper_cut());
        let (start, end) = if reverse {
            (upper, lower)
        } else {
            (lower, upper)
        };
        let mut listing = Listing {
            of: *of,
            passed: Vector::new_in(self.allocator()),
            is_within: false,
            visited,
        };
        let mut found = match of.last_common_prefix() {
            None => walk.seek(self, pin, start, end, reverse)?,
            Some(bytes) => {
                listing.pass(bytes)?;
                listing.jump(self, walk, pin, end)?
            }
        };
        // Ends: see the module's comment.
        while found {
            let mut failed = Ok(());
            let flow = walk.visit_leaf(false, reverse, usize::MAX, &mut 0, |key, word| {
                let met = listing.meet(key, word, &mut see, &mut visit);
                met.unwrap_or_else(|error| {
                    failed = Err(error);
                    ControlFlow::Break(())
                })
            })?;
            failed?;
            if flow.is_break() {
                break;
            }
            found = match listing.is_within {
                true => listing.jump(self, walk, pin, end)?,
                false => walk.find_or_resume(self, pin, end, reverse)?,
            };
        }
        Ok(())
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
