//! Scans, of all kinds of ranges.

use std::ffi::c_void;

use masstree::ffi::index::estimate::{Estimate, masstree_estimate};
use masstree::ffi::index::scan::*;
use masstree::ffi::status::*;

use crate::op::{Limit, Scan};
use crate::session::Session;
use crate::values::{UNTOUCHED, decoded, slice_of};

/// A range, with its keys.
#[derive(Debug, Default)]
pub(crate) struct Spec {
    /// The bound, and whether it belongs to the range.
    lower: Option<(Vec<u8>, bool)>,
    upper: Option<(Vec<u8>, bool)>,
    prefix: Vec<u8>,
    limit: usize,
    flags: u32,
    stop_after: Option<usize>,
}

/// The keys and values that a visitor got.
pub(crate) struct Seen {
    pub(crate) pairs: Vec<(Vec<u8>, u64)>,
    stop_after: Option<usize>,
}

impl Seen {
    /// Of a visitor that stops after so many; 0: never.
    pub(crate) fn until(stop: usize) -> Self {
        Self {
            pairs: Vec::new(),
            stop_after: (stop > 0).then_some(stop),
        }
    }

    fn visit(&mut self, key: &[u8], value: u64) -> i32 {
        self.pairs.push((key.to_vec(), value));
        if Some(self.pairs.len()) == self.stop_after {
            MASSTREE_VISIT_STOP
        } else {
            MASSTREE_VISIT_CONTINUE
        }
    }
}

impl Spec {
    pub(crate) fn all(reverse: bool) -> Self {
        Self {
            flags: if reverse { MASSTREE_SCAN_REVERSE } else { 0 },
            ..Self::default()
        }
    }

    fn contains(&self, key: &[u8]) -> bool {
        let above = self
            .lower
            .as_ref()
            .is_none_or(|(lower, included)| key > &lower[..] || (*included && key == &lower[..]));
        let below = self
            .upper
            .as_ref()
            .is_none_or(|(upper, included)| key < &upper[..] || (*included && key == &upper[..]));
        above && below && key.starts_with(&self.prefix)
    }

    /// The same range as a whole, in this direction.
    pub(crate) fn whole(&self, reverse: bool) -> Self {
        Self {
            lower: self.lower.clone(),
            upper: self.upper.clone(),
            prefix: self.prefix.clone(),
            ..Self::all(reverse)
        }
    }

    pub(crate) fn is_reversed(&self) -> bool {
        matches!((&self.lower, &self.upper), (Some((lower, _)), Some((upper, _))) if lower > upper)
    }

    pub(crate) fn to_c(&self) -> ScanRange {
        let bound = |bound: &Option<(Vec<u8>, bool)>| match bound {
            None => (slice_of(&[]), MASSTREE_BOUND_OPEN),
            Some((key, true)) => (slice_of(key), MASSTREE_BOUND_INCLUSIVE),
            Some((key, false)) => (slice_of(key), MASSTREE_BOUND_EXCLUSIVE),
        };
        let (lower, lower_bound) = bound(&self.lower);
        let (upper, upper_bound) = bound(&self.upper);
        let prefix = slice_of(&self.prefix);
        ScanRange {
            struct_size: size_of::<ScanRange>(),
            lower: lower.data,
            lower_len: lower.len,
            upper: upper.data,
            upper_len: upper.len,
            prefix: prefix.data,
            prefix_len: prefix.len,
            limit: self.limit,
            lower_bound,
            upper_bound,
            flags: self.flags,
            reserved: 0,
            visitor_result: std::ptr::null_mut(),
        }
    }

    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

impl Session<'_> {
    pub(crate) fn scan(&mut self, scan: &Scan) {
        let key =
            |choice: &crate::keys::KeyChoice| choice.resolve(&self.families, &self.model, self.tag);
        let limit = |limit: &Limit| match limit {
            Limit::Open => None,
            Limit::At(choice, included) => Some((key(choice), *included)),
        };
        let prefix = scan.prefix.as_ref().map_or(Vec::new(), |(choice, len)| {
            let mut prefix = key(choice);
            prefix.truncate(usize::from(*len) % 40);
            prefix
        });
        let mut spec = Spec {
            lower: limit(&scan.lower),
            upper: limit(&scan.upper),
            prefix,
            limit: scan.limit.into(),
            flags: scan.flags.into(),
            stop_after: scan.stop_after.map(usize::from),
        };
        if spec.has(MASSTREE_SCAN_KEYS_ONLY) && spec.has(MASSTREE_SCAN_VALUES_ONLY) {
            spec.flags &= !MASSTREE_SCAN_VALUES_ONLY;
        }
        if !self.is_alone() {
            // The keys show which are this session's own; the number of the others is
            // unknown.
            spec.flags &= !MASSTREE_SCAN_VALUES_ONLY;
        }
        // Every fourth call changes the tree.
        if self.is_alone() && self.calls % 4 == 1 {
            match scan.count_only {
                true => self.remove_range(&spec),
                false => self.pop(&spec, self.calls % 8 == 1),
            }
        } else if scan.count_only {
            self.count_as(&spec);
        } else {
            self.scan_as(&spec);
        }
    }

    /// The pairs of the model in a range, in its order, up to its limit.
    pub(crate) fn in_model(&self, spec: &Spec) -> Vec<(Vec<u8>, u64)> {
        let mut pairs: Vec<_> = (self.model.iter())
            .filter(|(key, _)| spec.contains(key))
            .map(|(key, value)| (key.clone(), *value))
            .collect();
        if spec.has(MASSTREE_SCAN_REVERSE) {
            pairs.reverse();
        }
        if spec.limit != 0 {
            pairs.truncate(spec.limit);
        }
        pairs
    }

    fn count_as(&mut self, spec: &Spec) {
        self.calls += 1;
        let (range, mut count) = (spec.to_c(), usize::MAX);
        // SAFETY: a living tree, this session's guard, a sound range.
        let status = unsafe { masstree_count(self.tree(), self.guard, &range, &mut count) };
        if self.refused(status) {
            return;
        }
        if spec.is_reversed() {
            return assert_eq!((status, count), (MASSTREE_INVALID, usize::MAX), "{spec:?}");
        }
        let expected = self.in_model(spec).len();
        assert_eq!(status, MASSTREE_OK);
        if self.is_alone() {
            assert_eq!(count, expected, "{spec:?}");
        } else {
            assert!(count >= expected, "{count} of {expected}: {spec:?}");
        }
        self.estimate_as(&range, expected as u64);
    }

    /// Estimates a range of `expected` keys from a few nodes and from all.
    fn estimate_as(&mut self, range: &ScanRange, expected: u64) {
        for most_nodes in [1, u64::MAX] {
            self.calls += 1;
            let mut estimate = Estimate {
                struct_size: size_of::<Estimate>(),
                most_nodes,
                ..Estimate::default()
            };
            // SAFETY: as in `count_as`.
            let status =
                unsafe { masstree_estimate(self.tree(), self.guard, range, &mut estimate) };
            if self.refused(status) {
                return;
            }
            assert_eq!(status, MASSTREE_OK);
            if self.is_alone() && (most_nodes == u64::MAX || estimate.keys_error == 0) {
                assert_eq!((estimate.keys, estimate.keys_error), (expected, 0));
            }
        }
    }

    pub(crate) fn scan_as(&mut self, spec: &Spec) {
        self.calls += 1;
        let mut seen = Seen {
            pairs: Vec::new(),
            stop_after: spec.stop_after,
        };
        let (status, visited) = self.call_scan(spec, &mut seen);
        if spec.is_reversed() {
            assert_eq!(
                (status, visited),
                (MASSTREE_INVALID, usize::MAX),
                "{spec:?}"
            );
            return;
        }
        let refused = self.refused(status);
        assert!(refused || status == MASSTREE_OK, "{status}: {spec:?}");
        assert_eq!(visited, seen.pairs.len(), "{spec:?}");
        let expected = self.expected_of(spec);
        if !self.is_alone() {
            return self.assert_own_seen(spec, &expected, &seen);
        }
        // After running out of memory, it may have visited some.
        let count = if refused { visited } else { expected.len() };
        assert!(count <= expected.len(), "{spec:?}");
        assert_eq!(seen.pairs, expected[..count], "{spec:?}");
    }

    /// The pairs of the model as a visitor gets them.
    fn expected_of(&self, spec: &Spec) -> Vec<(Vec<u8>, u64)> {
        let mut expected = self.in_model(spec);
        if let Some(stop) = spec.stop_after.filter(|stop| *stop > 0) {
            expected.truncate(stop);
        }
        for (key, value) in &mut expected {
            if spec.has(MASSTREE_SCAN_KEYS_ONLY) {
                *value = 0;
            }
            if spec.has(MASSTREE_SCAN_VALUES_ONLY) {
                key.clear();
            }
        }
        expected
    }

    /// While other sessions write: keys ascend or descend, and this session's are complete, up
    /// to the end of the scan.
    fn assert_own_seen(&self, spec: &Spec, expected: &[(Vec<u8>, u64)], seen: &Seen) {
        for pair in seen.pairs.windows(2) {
            let rises = pair[0].0 < pair[1].0;
            let wanted = !spec.has(MASSTREE_SCAN_REVERSE);
            assert!(pair[0].0 != pair[1].0 && rises == wanted, "{pair:?}");
        }
        for (key, _) in &seen.pairs {
            assert!(spec.contains(key), "{key:?}: {spec:?}");
        }
        let own = seen.pairs.iter().filter(|(key, _)| self.is_own(key));
        let own: Vec<_> = own.cloned().collect();
        let ended_early = (spec.limit != 0 && seen.pairs.len() >= spec.limit)
            || Some(seen.pairs.len()) == spec.stop_after;
        let count = if ended_early {
            own.len()
        } else {
            expected.len()
        };
        assert!(count <= expected.len(), "{spec:?}");
        assert_eq!(own, expected[..count], "{spec:?}");
    }

    fn call_scan(&self, spec: &Spec, seen: &mut Seen) -> (i32, usize) {
        let (tree, guard, range) = (self.tree(), self.guard, spec.to_c());
        let ctx = std::ptr::from_mut(seen).cast();
        let mut visited = usize::MAX;
        // SAFETY: a living tree, this session's guard, a sound range and callbacks that
        // get what they expect.
        let status = unsafe {
            if self.holds_bytes() {
                let visit = if spec.has(MASSTREE_SCAN_KEYS_ONLY) {
                    visit_empty
                } else {
                    visit_bytes
                };
                masstree_scan_bytes(tree, guard, &range, Some(visit), ctx, &mut visited)
            } else {
                masstree_scan(tree, guard, &range, Some(visit_word), ctx, &mut visited)
            }
        };
        (status, visited)
    }
}

/// # Safety
/// As the library promises; `ctx` is a [`Seen`].
pub(crate) unsafe extern "C" fn visit_word(
    key: *const c_void,
    len: usize,
    value: u64,
    ctx: *mut c_void,
) -> i32 {
    assert!(!key.is_null() && value != UNTOUCHED);
    // SAFETY: by contract.
    let (key, seen) = unsafe {
        let key = std::slice::from_raw_parts(key.cast::<u8>(), len);
        (key, &mut *ctx.cast::<Seen>())
    };
    seen.visit(key, value)
}

/// # Safety
/// As `visit_word`.
pub(crate) unsafe extern "C" fn visit_bytes(
    key: *const c_void,
    len: usize,
    value: *const c_void,
    value_len: usize,
    ctx: *mut c_void,
) -> i32 {
    assert!(!value.is_null());
    // SAFETY: by contract.
    let number = decoded(unsafe { std::slice::from_raw_parts(value.cast(), value_len) });
    // SAFETY: by contract.
    unsafe { visit_word(key, len, number, ctx) }
}

/// For scans without values.
///
/// # Safety
/// As `visit_word`.
unsafe extern "C" fn visit_empty(
    key: *const c_void,
    len: usize,
    _: *const c_void,
    value_len: usize,
    ctx: *mut c_void,
) -> i32 {
    assert_eq!(value_len, 0);
    // SAFETY: by contract.
    unsafe { visit_word(key, len, 0, ctx) }
}
