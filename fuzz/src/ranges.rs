//! Removes of ranges, and of the first or last key of a range.

use masstree::ffi::index::pop::*;
use masstree::ffi::index::remove_range::masstree_remove_range;
use masstree::ffi::index::scan::{MASSTREE_SCAN_REVERSE, ScanRange};
use masstree::ffi::status::*;

use crate::calls::wanted;
use crate::points::untouched;
use crate::scans::Spec;
use crate::session::{Given, Session};
use crate::values::UNTOUCHED;

/// Too small for some keys.
const ROOM: usize = 24;

impl Session<'_> {
    pub(crate) fn remove_range(&mut self, spec: &Spec) {
        let (range, mut removed) = (spec.to_c(), usize::MAX);
        self.calls += 1;
        // SAFETY: a living tree, this session's guard, a sound range.
        let status =
            unsafe { masstree_remove_range(self.tree(), self.guard, &range, &mut removed) };
        if spec.is_reversed() || spec.has(MASSTREE_SCAN_REVERSE) {
            return assert_eq!(
                (status, removed),
                (MASSTREE_INVALID, usize::MAX),
                "{spec:?}"
            );
        }
        let keys = self.in_model(spec);
        match self.refused(status) {
            true => assert!(removed <= keys.len(), "{removed}: {spec:?}"),
            false => assert_eq!((status, removed), (MASSTREE_OK, keys.len()), "{spec:?}"),
        }
        for (key, _) in &keys[..removed] {
            self.removed(key, false);
        }
    }

    pub(crate) fn pop(&mut self, spec: &Spec, last: bool) {
        self.calls += 1;
        let expected = self.in_model(&spec.whole(last)).into_iter().next();
        let want = !self.holds_bytes() || !self.guard.is_null();
        let (mut buffer, mut len) = ([0_u8; ROOM], usize::MAX);
        let given = self.call_pop(&spec.to_c(), last, &mut buffer, &mut len, want);
        if self.refused(given.status) {
            return;
        }
        let nothing = |status| Given {
            status,
            value: None,
        };
        let Some((key, value)) = expected.filter(|_| !spec.is_reversed()) else {
            let status = match spec.is_reversed() {
                true => MASSTREE_INVALID,
                false => MASSTREE_NOT_FOUND,
            };
            assert_eq!((given, len), (nothing(status), usize::MAX), "{spec:?}");
            return;
        };
        assert_eq!(len, key.len(), "{spec:?}");
        if key.len() > ROOM {
            return assert_eq!(given, nothing(MASSTREE_TOO_SMALL), "{spec:?}");
        }
        let value = want.then_some(value);
        let status = MASSTREE_OK;
        assert_eq!(given, Given { status, value }, "{spec:?}");
        assert_eq!(&buffer[..len], &key[..], "{spec:?}");
        self.removed(&key, want);
    }

    fn call_pop(
        &mut self,
        range: &ScanRange,
        last: bool,
        buffer: &mut [u8; ROOM],
        len: &mut usize,
        want: bool,
    ) -> Given {
        let (tree, guard, room) = (self.tree(), self.guard, buffer.as_mut_ptr().cast());
        if self.holds_bytes() {
            let mut old = untouched();
            let out = wanted(&mut old, want);
            let pop = match last {
                true => masstree_pop_last_bytes,
                false => masstree_pop_first_bytes,
            };
            // SAFETY: a living tree, this session's guard, a sound range, room of this size.
            let status = unsafe { pop(tree, guard, range, room, ROOM, len, out) };
            return self.slice(status, old);
        }
        let mut old = UNTOUCHED;
        let out = wanted(&mut old, want);
        let pop = match last {
            true => masstree_pop_last,
            false => masstree_pop_first,
        };
        // SAFETY: as above.
        let status = unsafe { pop(tree, guard, range, room, ROOM, len, out) };
        Self::word(status, old)
    }
}
