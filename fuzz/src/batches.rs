//! Operations on several keys, one after the other or in a batch.

use masstree::ffi::index::bytes::Slice;
use masstree::ffi::index::get_many::*;
use masstree::ffi::index::write_many::*;
use masstree::ffi::status::*;

use crate::keys::{FAMILIES, KeyChoice};
use crate::op::{Action, Many, Point, Run};
use crate::points::untouched;
use crate::session::{Given, Session};
use crate::values::{UNTOUCHED, encoded, slice_of};

/// The content of statuses before a call.
const NO_STATUS: i32 = -77;

impl Session<'_> {
    pub(crate) fn many(&mut self, run: &Run) {
        if run.batch {
            return self.batch(run);
        }
        for (family, number) in run.places() {
            self.point(&Point {
                action: match run.action {
                    Many::Get => Action::Get,
                    Many::Put => Action::Put,
                    Many::Insert => Action::Insert,
                    Many::Remove => Action::Remove,
                },
                key: KeyChoice::OfFamily(family, number),
                want: run.want,
                twist: 2,
            });
        }
    }

    pub(crate) fn keys_of(&self, run: &Run) -> Vec<Vec<u8>> {
        let key = |(family, number)| {
            let family = self.families[usize::from(family) % FAMILIES];
            let mut key = family.key(number);
            key.extend(self.tag);
            key
        };
        run.places().map(key).collect()
    }

    fn batch(&mut self, run: &Run) {
        let action = match run.action {
            // No such call exists for byte strings.
            Many::Insert if self.holds_bytes() => Many::Put,
            action => action,
        };
        let keys = self.keys_of(run);
        let values: Vec<_> = keys.iter().map(|_| self.fresh()).collect();
        // Removed byte strings are not returned, and found ones only under a guard.
        let is_get = matches!(action, Many::Get);
        if self.holds_bytes() && is_get && self.guard.is_null() {
            return;
        }
        let want = run.want && (!self.holds_bytes() || is_get);
        self.calls += keys.len() as u64;
        let mut batch = Batch::new(&keys, want);
        let status = match action {
            Many::Get => self.call_get_many(&mut batch),
            Many::Put => self.call_put_many(&mut batch, &values),
            Many::Insert => self.call_insert_many(&mut batch, &values),
            Many::Remove => self.call_remove_many(&mut batch),
        };
        let mut worst = MASSTREE_OK;
        for (place, (key, value)) in keys.iter().zip(values).enumerate() {
            let given = batch.given(self, place);
            if worst == MASSTREE_OK && given.status < 0 {
                worst = given.status;
            }
            self.batched(action, key, value, want, given);
        }
        assert_eq!(status, worst, "the first error of a batch");
    }

    /// One item of a batch.
    fn batched(&mut self, action: Many, key: &[u8], value: u64, want: bool, given: Given) {
        if self.refused(given.status) {
            return;
        }
        let present = self.model.get(key).copied();
        let (there, absent, shows) = match action {
            Many::Get | Many::Remove => (MASSTREE_OK, MASSTREE_NOT_FOUND, want),
            Many::Put => (MASSTREE_OK, MASSTREE_OK, false),
            Many::Insert => (MASSTREE_EXISTS, MASSTREE_OK, want),
        };
        let expected = Given {
            status: if present.is_some() { there } else { absent },
            value: present.filter(|_| shows),
        };
        assert_eq!(given, expected, "{action:?} {key:?} in a batch");
        match action {
            Many::Get => {}
            Many::Put => self.stored(key, value, false),
            Many::Insert if present.is_none() => self.stored(key, value, false),
            Many::Insert => {}
            Many::Remove => self.removed(key, want),
        }
    }

    fn call_get_many(&self, batch: &mut Batch<'_>) -> i32 {
        let (tree, guard, count) = (self.tree(), self.guard, batch.slices.len());
        let statuses = batch.statuses.as_mut_ptr();
        let keys = batch.slices.as_ptr();
        if self.holds_bytes() {
            let out = batch.slices_out();
            // SAFETY: as `call_put_many`.
            return unsafe { masstree_get_many_bytes(tree, guard, keys, count, out, statuses) };
        }
        let out = batch.words_out();
        // SAFETY: as `call_put_many`.
        unsafe {
            match batch.integers() {
                Some((keys, stride)) => {
                    masstree_get_many_u64(tree, guard, keys, stride, count, out, statuses)
                }
                None => masstree_get_many(tree, guard, keys, count, out, statuses),
            }
        }
    }

    fn call_put_many(&self, batch: &mut Batch<'_>, values: &[u64]) -> i32 {
        let (tree, guard, count) = (self.tree(), self.guard, batch.slices.len());
        let statuses = batch.statuses.as_mut_ptr();
        let keys = batch.slices.as_ptr();
        if self.holds_bytes() {
            let bytes: Vec<_> = values.iter().map(|value| encoded(*value)).collect();
            let values: Vec<_> = bytes.iter().map(|bytes| slice_of(bytes)).collect();
            let values = values.as_ptr();
            // SAFETY: a living tree, this session's guard, and arrays of `count`.
            return unsafe { masstree_put_many_bytes(tree, guard, keys, values, count, statuses) };
        }
        let values = values.as_ptr();
        // SAFETY: as above.
        unsafe {
            match batch.integers() {
                Some((keys, stride)) => {
                    masstree_put_many_u64(tree, guard, keys, stride, values, count, statuses)
                }
                None => masstree_put_many(tree, guard, keys, values, count, statuses),
            }
        }
    }

    fn call_insert_many(&self, batch: &mut Batch<'_>, values: &[u64]) -> i32 {
        let (tree, guard, count) = (self.tree(), self.guard, batch.slices.len());
        let (statuses, values) = (batch.statuses.as_mut_ptr(), values.as_ptr());
        let (keys, out) = (batch.slices.as_ptr(), batch.words_out());
        // SAFETY: as `call_put_many`.
        unsafe {
            match batch.integers() {
                Some((keys, stride)) => masstree_insert_many_u64(
                    tree, guard, keys, stride, values, count, out, statuses,
                ),
                None => masstree_insert_many(tree, guard, keys, values, count, out, statuses),
            }
        }
    }

    fn call_remove_many(&self, batch: &mut Batch<'_>) -> i32 {
        let (tree, guard, count) = (self.tree(), self.guard, batch.slices.len());
        let statuses = batch.statuses.as_mut_ptr();
        let (keys, out) = (batch.slices.as_ptr(), batch.words_out());
        // SAFETY: as `call_put_many`.
        unsafe {
            match batch.integers() {
                Some((keys, stride)) => {
                    masstree_remove_many_u64(tree, guard, keys, stride, count, out, statuses)
                }
                None => masstree_remove_many(tree, guard, keys, count, out, statuses),
            }
        }
    }
}

/// The arrays of a batch.
struct Batch<'k> {
    slices: Vec<Slice>,
    keys: &'k [Vec<u8>],
    want: bool,
    words: Vec<u64>,
    found: Vec<Slice>,
    statuses: Vec<i32>,
    /// The keys as integers, each beside other data.
    integers: Vec<(u64, u64)>,
}

impl<'k> Batch<'k> {
    fn new(keys: &'k [Vec<u8>], want: bool) -> Self {
        let integer = |key: &Vec<u8>| Some((u64::from_ne_bytes(key[..].try_into().ok()?), 0));
        Self {
            slices: keys.iter().map(|key| slice_of(key)).collect(),
            keys,
            want,
            words: vec![UNTOUCHED; keys.len()],
            found: vec![untouched(); keys.len()],
            statuses: vec![NO_STATUS; keys.len()],
            integers: keys.iter().map_while(integer).collect(),
        }
    }

    fn words_out(&mut self) -> *mut u64 {
        if self.want {
            self.words.as_mut_ptr()
        } else {
            std::ptr::null_mut()
        }
    }

    fn slices_out(&mut self) -> *mut Slice {
        if self.want {
            self.found.as_mut_ptr()
        } else {
            std::ptr::null_mut()
        }
    }

    /// The integer keys and their stride, if all keys are integers.
    fn integers(&mut self) -> Option<(*const std::ffi::c_void, usize)> {
        if self.integers.len() < self.keys.len() {
            return None;
        }
        // An integer key is the bytes of a number, most significant first.
        for (integer, _) in &mut self.integers {
            *integer = u64::from_be(*integer);
        }
        Some((self.integers.as_ptr().cast(), size_of::<(u64, u64)>()))
    }

    fn given(&self, session: &mut Session<'_>, place: usize) -> Given {
        let status = self.statuses[place];
        if self.found[place].len != usize::MAX {
            return session.slice(status, self.found[place]);
        }
        Session::word(status, self.words[place])
    }
}
