//! Operations on one key, checked against the model.

use std::ffi::c_void;

use masstree::ffi::index::bytes::*;
use masstree::ffi::index::longest_prefix::*;
use masstree::ffi::index::memory::masstree_retire;
use masstree::ffi::index::update::*;
use masstree::ffi::index::update_bytes::masstree_update_bytes;
use masstree::ffi::status::*;

use crate::op::{Action, Point};
use crate::session::{Given, Session};
use crate::values::{bytes_of, decoded, encoded, slice_of};

/// The status with which the fuzzer's own callbacks end calls.
const OWN_STATUS: i32 = -1000;

impl Session<'_> {
    pub(crate) fn point(&mut self, point: &Point) {
        let key = point.key.resolve(&self.families, &self.model, self.tag);
        // Byte strings are returned under a guard only.
        let want = point.want && !(self.holds_bytes() && self.guard.is_null());
        self.calls += 1;
        match point.action {
            Action::Get => self.get_checked(&key, point.twist),
            Action::Contains => {
                let present = self.model.contains_key(&key);
                let expected = if present {
                    MASSTREE_OK
                } else {
                    MASSTREE_NOT_FOUND
                };
                assert_eq!(self.call_contains(&key), expected);
            }
            Action::Put | Action::Exchange | Action::Insert | Action::Replace => {
                self.store(point.action, &key, want, point.twist);
            }
            Action::Remove => {
                let expected = self.expected(&key, want, MASSTREE_OK, MASSTREE_NOT_FOUND);
                let given = self.call_remove(&key, want);
                assert_eq!(given, expected, "remove {key:?}");
                self.removed(&key, want);
            }
            Action::CompareExchange | Action::RemoveIfEqual => {
                self.compare(point.action, &key, want, point.twist);
            }
            Action::Update
                if twist_holds(point.twist) && !self.holds_bytes() && !self.guard.is_null() =>
            {
                self.hold(&key, want, point.twist);
            }
            Action::Update => self.update(&key, want, point.twist),
            Action::GetOrInsertWith if point.twist & 4 != 0 => match self.holds_bytes() {
                true => self.append(&key, point.twist),
                false => self.add(&key, want, point.twist),
            },
            Action::GetOrInsertWith => self.get_or_insert(&key, want, point.twist),
            Action::Retire => self.retire(),
        }
    }

    /// The result of a call whose output is the present value, if it is wanted.
    fn expected(&self, key: &[u8], want: bool, there: i32, absent: i32) -> Given {
        match self.model.get(key) {
            Some(&value) => Given {
                status: there,
                value: want.then_some(value),
            },
            None => Given {
                status: absent,
                value: None,
            },
        }
    }

    pub(crate) fn get_checked(&mut self, key: &[u8], twist: u8) {
        if let (Some(tag), true) = (self.tag, twist & 1 != 0) {
            // Another session's key: its value must be intact, no more is known.
            let mut key = key.to_vec();
            *key.last_mut().expect("keys end with a tag") = tag ^ 1;
            self.call_get(&key);
            return;
        }
        let expected = self.expected(key, true, MASSTREE_OK, MASSTREE_NOT_FOUND);
        assert_eq!(self.call_get(key), expected, "get {key:?}");
        self.look_observed(key, expected);
        if twist & 2 != 0 && self.is_alone() {
            self.longest_prefix(key);
        }
    }

    /// Looks up the longest prefix of a key.
    fn longest_prefix(&mut self, key: &[u8]) {
        let lens = (0..=key.len()).rev();
        let expected = lens
            .filter_map(|len| Some((len, *self.model.get(&key[..len])?)))
            .next();
        let (k, mut len, mut word) = (slice_of(key), 0, 0);
        let (tree, guard) = (self.tree(), self.guard);
        let none = std::ptr::null_mut();
        // SAFETY: a living tree, this session's guard, a sound key.
        let status = unsafe {
            match self.holds_bytes() {
                true => masstree_longest_prefix_bytes(tree, guard, k.data, k.len, &mut len, none),
                false => masstree_longest_prefix(tree, guard, k.data, k.len, &mut len, &mut word),
            }
        };
        if self.refused(status) {
            return;
        }
        let Some((expected_len, value)) = expected else {
            return assert_eq!(status, MASSTREE_NOT_FOUND);
        };
        assert_eq!((status, len), (MASSTREE_OK, expected_len), "{key:?}");
        assert!(self.holds_bytes() || word == value, "{key:?}");
    }

    /// Puts, exchanges, inserts, replaces.
    fn store(&mut self, action: Action, key: &[u8], want: bool, twist: u8) {
        let present = self.model.get(key).copied();
        let value = match (twist % 16, present) {
            (0, _) => 0,
            // The present value.
            (1, Some(present)) if !want || !self.holds_bytes() => present,
            _ => self.fresh(),
        };
        // Storing the present value again displaces nothing.
        let stays = !self.holds_bytes() && present == Some(value);
        let same = Given {
            status: MASSTREE_EXISTS,
            value: None,
        };
        let (expected, given) = match action {
            Action::Put => {
                let answer = |status| Given {
                    status,
                    value: None,
                };
                (answer(MASSTREE_OK), answer(self.call_put(key, value)))
            }
            Action::Exchange => (
                match stays {
                    true => same,
                    false => self.expected(key, want, MASSTREE_OK, MASSTREE_NOT_FOUND),
                },
                self.call_exchange(key, value, want),
            ),
            Action::Insert => (
                self.expected(key, want, MASSTREE_EXISTS, MASSTREE_OK),
                self.call_insert(key, value, want),
            ),
            _ => (
                match stays {
                    true => same,
                    false => self.expected(key, want, MASSTREE_OK, MASSTREE_NOT_FOUND),
                },
                self.call_replace(key, value, want),
            ),
        };
        if self.refused(given.status) {
            return;
        }
        assert_eq!(given, expected, "{action:?} {key:?} {value}");
        let stores = match action {
            Action::Insert => present.is_none(),
            Action::Replace => present.is_some(),
            _ => true,
        };
        if stores && !stays {
            // A put has no output.
            self.stored(key, value, want && !matches!(action, Action::Put));
        }
    }

    fn compare(&mut self, action: Action, key: &[u8], want: bool, twist: u8) {
        let present = self.model.get(key).copied();
        let compared = match present {
            Some(present) if !twist.is_multiple_of(4) => present,
            _ => self.fresh(),
        };
        let equal = present == Some(compared);
        // Only unequal values are returned.
        let want_actual = want && !equal;
        let there = if equal {
            MASSTREE_OK
        } else {
            MASSTREE_MISMATCH
        };
        let expected = self.expected(key, want_actual, there, MASSTREE_NOT_FOUND);
        if matches!(action, Action::RemoveIfEqual) {
            let given = self.call_remove_if_equal(key, compared, want);
            assert_eq!(given, expected, "remove_if_equal {key:?} {compared}");
            if equal {
                self.removed(key, false);
            }
        } else {
            let desired = match twist % 16 {
                1 => 0,
                2 => compared,
                _ => self.fresh(),
            };
            let stays = equal && !self.holds_bytes() && desired == compared;
            let given = self.call_compare_exchange(key, compared, desired, want);
            if self.refused(given.status) {
                return;
            }
            assert_eq!(given, expected, "compare_exchange {key:?} {compared}");
            if equal && !stays {
                self.stored(key, desired, false);
            }
        }
    }

    fn update(&mut self, key: &[u8], want: bool, twist: u8) {
        let present = self.model.get(key).copied();
        let value = self.fresh();
        let answer = match twist % 8 {
            0 => MASSTREE_ACTION_KEEP,
            1..=3 => MASSTREE_ACTION_SET,
            4 | 5 => MASSTREE_ACTION_REMOVE,
            6 => OWN_STATUS,
            _ => 77,
        };
        let mut asked = Asked {
            answer,
            value,
            seen: None,
        };
        let mut given = self.call_update(key, &mut asked, want);
        if self.refused(given.status) {
            assert_eq!(asked.seen, None, "it was called, and memory lacks");
            return;
        }
        if self.holds_bytes() {
            assert_eq!((given.status, asked.seen), (MASSTREE_WRONG_KIND, None));
            given = self.call_update_bytes(key, &mut asked, want);
            if self.refused(given.status) {
                return;
            }
        }
        assert_eq!(asked.seen, Some(present), "update {key:?}");
        let changes = matches!(answer, MASSTREE_ACTION_SET | MASSTREE_ACTION_REMOVE);
        let expected = Given {
            status: match answer {
                OWN_STATUS => OWN_STATUS,
                77 => MASSTREE_INVALID,
                _ => MASSTREE_OK,
            },
            value: present.filter(|_| want && changes),
        };
        assert_eq!(given, expected, "update {key:?} {answer}");
        match answer {
            MASSTREE_ACTION_SET => self.stored(key, value, want),
            MASSTREE_ACTION_REMOVE => self.removed(key, want),
            _ => {}
        }
    }

    fn call_update_bytes(&mut self, key: &[u8], asked: &mut Asked, want: bool) -> Given {
        let bytes = encoded(asked.value);
        let mut asking = (asked, slice_of(&bytes));
        let (k, mut old) = (slice_of(key), slice_of(&[]));
        let out = if want {
            &raw mut old
        } else {
            std::ptr::null_mut()
        };
        let ctx = (&raw mut asking).cast();
        let (tree, guard) = (self.tree(), self.guard);
        // SAFETY: the key is readable; `decide_bytes` gets what it expects.
        let status = unsafe {
            masstree_update_bytes(tree, guard, k.data, k.len, Some(decide_bytes), ctx, out)
        };
        // SAFETY: the value is readable while the guard is held, which is so if it was wanted.
        let value = (!old.data.is_null()).then(|| decoded(unsafe { bytes_of(old) }));
        Given { status, value }
    }

    fn get_or_insert(&mut self, key: &[u8], want: bool, twist: u8) {
        let present = self.model.get(key).copied();
        let value = self.fresh();
        let answer = [MASSTREE_OK, MASSTREE_OK, OWN_STATUS, 77][usize::from(twist % 4)];
        let mut asked = Asked {
            answer,
            value,
            seen: None,
        };
        let given = self.call_get_or_insert_with(key, &mut asked, want);
        if self.refused(given.status) {
            assert_eq!(asked.seen, None, "it was called, and memory lacks");
            return;
        }
        if self.holds_bytes() {
            assert_eq!((given.status, asked.seen), (MASSTREE_WRONG_KIND, None));
            return;
        }
        let absent = match answer {
            77 => MASSTREE_INVALID,
            other => other,
        };
        let mut expected = self.expected(key, want, MASSTREE_EXISTS, absent);
        if present.is_none() && absent == MASSTREE_OK {
            expected.value = want.then_some(value);
        }
        assert_eq!(given, expected, "get_or_insert_with {key:?} {answer}");
        assert_eq!(asked.seen.is_some(), present.is_none());
        if present.is_none() && absent == MASSTREE_OK {
            self.stored(key, value, false);
        }
    }

    /// Retires a block: AddressSanitizer detects leaks and double frees.
    fn retire(&mut self) {
        unsafe extern "C" fn free(object: *mut c_void, bytes: usize, _: *mut c_void) {
            assert_eq!(bytes, size_of::<u64>());
            // SAFETY: made below.
            drop(unsafe { Box::from_raw(object.cast::<u64>()) });
        }
        let object = Box::into_raw(Box::new(7u64));
        // SAFETY: a living tree, this session's guard, and an object that nothing else uses.
        let status = unsafe {
            masstree_retire(
                self.tree(),
                self.guard,
                object.cast(),
                size_of::<u64>(),
                Some(free),
                std::ptr::null_mut(),
            )
        };
        if self.refused(status) {
            // SAFETY: this session still owns it.
            drop(unsafe { Box::from_raw(object) });
            return;
        }
        assert_eq!(status, MASSTREE_OK);
    }
}

/// Whether an update is done in two steps.
fn twist_holds(twist: u8) -> bool {
    twist & 0x20 != 0
}

/// The result of a callback, and its arguments.
pub(crate) struct Asked {
    answer: i32,
    value: u64,
    /// Whether it was called, and the present value.
    seen: Option<Option<u64>>,
}

/// # Safety
/// As the library promises; `ctx` is an [`Asked`], and the bytes of its value.
unsafe extern "C" fn decide_bytes(
    present: *const Slice,
    value: *mut Slice,
    ctx: *mut c_void,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        let (asked, bytes) = &mut *ctx.cast::<(&mut Asked, Slice)>();
        asked.seen = Some(present.as_ref().map(|present| decoded(bytes_of(*present))));
        value.write(*bytes);
        asked.answer
    }
}

/// # Safety
/// As the library promises; `ctx` is an [`Asked`].
pub(crate) unsafe extern "C" fn decide(
    present: *const u64,
    value: *mut u64,
    ctx: *mut c_void,
) -> i32 {
    // SAFETY: by contract.
    let (asked, present) = unsafe { (&mut *ctx.cast::<Asked>(), present.as_ref()) };
    assert!(asked.seen.is_none(), "called twice");
    asked.seen = Some(present.copied());
    // SAFETY: by contract.
    unsafe { value.write(asked.value) };
    asked.answer
}

/// # Safety
/// As the library promises; `ctx` is an [`Asked`].
pub(crate) unsafe extern "C" fn make(value: *mut u64, ctx: *mut c_void) -> i32 {
    // SAFETY: the key has no value.
    unsafe { decide(std::ptr::null(), value, ctx) }
}

/// Distinguishes outputs that were written from those that were not.
pub(crate) fn untouched() -> Slice {
    Slice {
        data: std::ptr::null(),
        len: usize::MAX,
    }
}
