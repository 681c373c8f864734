//! A key that is held, read, and then changed: an update in two steps.

use masstree::ffi::index::update::*;
use masstree::ffi::occ::held::*;
use masstree::ffi::status::*;

use crate::session::Session;
use crate::values::{UNTOUCHED, slice_of};

/// No action.
const UNKNOWN: i32 = 77;

impl Session<'_> {
    /// Returns the status and the value seen.
    ///
    /// # Safety
    /// The key stays until the leaf is finished; `place` is writable memory until then.
    unsafe fn call_hold(&self, key: &[u8], flags: u32, place: *mut HeldLeaf) -> (i32, u64) {
        let (mut seen, k) = (UNTOUCHED, slice_of(key));
        let (tree, guard) = (self.tree(), self.guard);
        // SAFETY: a living tree, this session's guard, a key that stays, writable outputs.
        let status = unsafe { masstree_hold(tree, guard, k.data, k.len, flags, place, &mut seen) };
        (status, seen)
    }

    /// Words only, under the session's guard.
    pub(crate) fn hold(&mut self, key: &[u8], want: bool, twist: u8) {
        let present = self.model.get(key).copied();
        let value = self.fresh();
        let flags = u32::from(twist & 0x10 == 0);
        let action = match twist % 8 {
            0 => MASSTREE_ACTION_KEEP,
            1..=3 => MASSTREE_ACTION_SET,
            4 | 5 => MASSTREE_ACTION_REMOVE,
            _ => UNKNOWN,
        };
        let mut held = HeldLeaf { opaque: [0; 96] };
        let place = &raw mut held;
        // SAFETY: the leaf is finished below, before the key and the memory end.
        let (status, seen) = unsafe { self.call_hold(key, flags, place) };
        if self.refused(status) {
            assert_eq!(seen, UNTOUCHED);
            return;
        }
        let found = (status == MASSTREE_OK).then_some(seen);
        assert!(matches!(status, MASSTREE_OK | MASSTREE_NOT_FOUND));
        assert_eq!(found, present, "hold {key:?}");
        self.get_checked(key, 0);
        let is_wrong =
            action == UNKNOWN || (action == MASSTREE_ACTION_SET && flags == 0 && present.is_none());
        let mut old = UNTOUCHED;
        let out = match want {
            true => &raw mut old,
            false => std::ptr::null_mut(),
        };
        // SAFETY: held by this thread, and not moved.
        let status = unsafe { masstree_held_finish(place, action, value, out) };
        if is_wrong {
            assert_eq!((status, old), (MASSTREE_INVALID, UNTOUCHED));
            let keep = MASSTREE_ACTION_KEEP;
            // SAFETY: still held.
            let status = unsafe { masstree_held_finish(place, keep, 0, out) };
            assert_eq!(status, MASSTREE_OK);
        }
        let changes = !is_wrong && action != MASSTREE_ACTION_KEEP;
        let expected = present.filter(|_| want && changes);
        assert_eq!(
            old,
            expected.unwrap_or(UNTOUCHED),
            "held_finish {key:?} {action}"
        );
        match action {
            _ if !changes => {}
            MASSTREE_ACTION_SET => self.stored(key, value, want),
            _ => self.removed(key, want),
        }
    }
}
