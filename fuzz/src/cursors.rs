//! Cursors, whose steps show the tree as it is at that moment.

use masstree::ffi::index::bytes::Slice;
use masstree::ffi::index::cursor::*;
use masstree::ffi::index::cursor_move::*;
use masstree::ffi::index::cursor_open::*;
use masstree::ffi::status::*;

use crate::keys::KeyChoice;
use crate::op::{CursorAction, CursorOp};
use crate::points::untouched;
use crate::session::Session;
use crate::values::{UNTOUCHED, bytes_of, decoded};

pub(crate) struct OpenCursor {
    handle: *mut CursorHandle,
    /// The memory in which it is; empty if that is the tree's.
    memory: Vec<u128>,
    own_guard: bool,
    at: Option<At>,
}

/// The position of a cursor.
struct At {
    key: Vec<u8>,
    value: Value,
}

/// The value of a cursor.
#[derive(Clone, Copy)]
enum Value {
    /// The one read when it reached the key, or when it was read again.
    Known(Option<u64>),
    /// The one at the time of the call.
    ToBeAsked,
}

/// The way that a cursor moves.
enum Way {
    Forward(Option<(Vec<u8>, bool)>),
    Back(Option<(Vec<u8>, bool)>),
}

impl Way {
    fn on(at: Option<&At>, back: bool) -> Self {
        let from = at.map(|at| (at.key.clone(), false));
        if back {
            Self::Back(from)
        } else {
            Self::Forward(from)
        }
    }
}

impl Session<'_> {
    pub(crate) fn cursor(&mut self, op: &CursorOp) {
        self.calls += 1;
        let which = usize::from(op.which & 1);
        let Some(mut cursor) = self.cursors[which].take() else {
            let own_guard = matches!(op.action, CursorAction::Open { own_guard: true });
            self.cursors[which] = self.open_cursor(own_guard);
            return;
        };
        match &op.action {
            CursorAction::Close => return self.close(cursor),
            CursorAction::Open { .. } => {}
            CursorAction::Refresh => self.refresh_cursor(&mut cursor),
            CursorAction::Seek(choice, how) => self.seek(&mut cursor, choice, *how),
            CursorAction::End { last } => {
                // SAFETY: an open cursor, here and below.
                let status = unsafe {
                    match last {
                        true => masstree_cursor_last(cursor.handle),
                        false => masstree_cursor_first(cursor.handle),
                    }
                };
                let way = if *last {
                    Way::Back(None)
                } else {
                    Way::Forward(None)
                };
                self.went(&mut cursor, status, &way);
            }
            CursorAction::Step { back } => {
                let way = Way::on(cursor.at.as_ref(), *back);
                // SAFETY: as above.
                let status = unsafe {
                    match back {
                        true => masstree_cursor_prev(cursor.handle),
                        false => masstree_cursor_next(cursor.handle),
                    }
                };
                self.went(&mut cursor, status, &way);
            }
            CursorAction::Many { back, capacity } => {
                self.step_many(&mut cursor, *back, usize::from(*capacity));
            }
            CursorAction::Value => self.assert_value(&mut cursor),
        }
        self.cursors[which] = Some(cursor);
    }

    fn open_cursor(&mut self, own_guard: bool) -> Option<OpenCursor> {
        let own_guard = own_guard || self.guard.is_null();
        let guard = if own_guard {
            std::ptr::null_mut()
        } else {
            self.guard
        };
        let mut handle = std::ptr::null_mut();
        let granules = masstree_cursor_size() / size_of::<u128>();
        let mut memory = match self.calls % 3 {
            0 => Vec::new(),
            more => vec![0_u128; granules * more as usize],
        };
        // SAFETY: a living tree, NULL or this session's guard, and memory that stays as long as the
        // cursor.
        let status = unsafe {
            match size_of_val(&memory[..]) {
                0 => masstree_cursor_open(self.tree(), guard, &mut handle),
                size => {
                    let start = memory.as_mut_ptr().cast();
                    masstree_cursor_open_in(self.tree(), guard, start, size, &mut handle)
                }
            }
        };
        if self.refused(status) {
            return None;
        }
        assert_eq!(status, MASSTREE_OK);
        Some(OpenCursor {
            handle,
            memory,
            own_guard,
            at: None,
        })
    }

    fn close(&self, cursor: OpenCursor) {
        self.assert_kept(&cursor);
        // SAFETY: an open cursor, which is not used any more.
        unsafe { masstree_cursor_close(cursor.handle) };
        drop(cursor.memory);
    }

    /// Closes the cursors under this session's guard, or `all`.
    pub(crate) fn close_cursors(&mut self, all: bool) {
        for which in 0..self.cursors.len() {
            if let Some(cursor) = self.cursors[which].take_if(|cursor| all || !cursor.own_guard) {
                self.close(cursor);
            }
        }
    }

    /// Called before this session's guard is refreshed.
    pub(crate) fn cursors_let_go(&mut self) {
        for cursor in self.cursors.iter_mut().flatten() {
            if let (false, Some(at)) = (cursor.own_guard, &mut cursor.at) {
                at.value = Value::ToBeAsked;
            }
        }
    }

    /// Checks that the cursor's value is not destroyed while its guard is held.
    fn assert_kept(&self, cursor: &OpenCursor) {
        if let Some(At {
            value: Value::Known(Some(value)),
            key,
        }) = &cursor.at
            && self.is_own(key)
        {
            let destroyed = self.place.ledger.destroyed(*value);
            assert!(*value == 0 || destroyed == 0, "{value}");
        }
    }

    fn refresh_cursor(&mut self, cursor: &mut OpenCursor) {
        self.assert_kept(cursor);
        // SAFETY: an open cursor.
        unsafe { masstree_cursor_refresh(cursor.handle) };
        if let (true, Some(at)) = (cursor.own_guard, &mut cursor.at) {
            at.value = Value::ToBeAsked;
        }
    }

    fn seek(&mut self, cursor: &mut OpenCursor, choice: &KeyChoice, how: u8) {
        let key = choice.resolve(&self.families, &self.model, self.tag);
        let how = u32::from(how);
        let k = crate::values::slice_of(&key);
        let integer: Option<[u8; 8]> = key[..].try_into().ok();
        // SAFETY: an open cursor, and a key that is readable.
        let status = unsafe {
            match integer {
                Some(bytes) if self.calls.is_multiple_of(2) => {
                    masstree_cursor_seek_u64(cursor.handle, u64::from_be_bytes(bytes), how)
                }
                _ => masstree_cursor_seek(cursor.handle, k.data, k.len, how),
            }
        };
        let way = match how {
            MASSTREE_SEEK_GE => Way::Forward(Some((key, true))),
            MASSTREE_SEEK_GT => Way::Forward(Some((key, false))),
            MASSTREE_SEEK_LE => Way::Back(Some((key, true))),
            _ => Way::Back(Some((key, false))),
        };
        self.went(cursor, status, &way);
    }

    /// This session's nearest key on the way.
    fn nearest(&self, way: &Way) -> Option<(&Vec<u8>, u64)> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let bound = |from: &Option<(Vec<u8>, bool)>| match from {
            None => Unbounded,
            Some((key, true)) => Included(key.clone()),
            Some((key, false)) => Excluded(key.clone()),
        };
        let nearest = match way {
            Way::Forward(from) => self.model.range((bound(from), Unbounded)).next(),
            Way::Back(from) => self.model.range((Unbounded, bound(from))).next_back(),
        };
        nearest.map(|(key, value)| (key, *value))
    }

    /// Checks that a cursor that moved reached the right key, or stayed.
    fn went(&mut self, cursor: &mut OpenCursor, status: i32, way: &Way) {
        if !self.refused(status) {
            assert!(status == MASSTREE_OK || status == MASSTREE_END, "{status}");
            if status == MASSTREE_END {
                assert_eq!(self.nearest(way), None, "there is a key on the way");
            } else {
                let key = self.key_of(cursor);
                let value = self.assert_arrival(way, &key);
                cursor.at = Some(At { key, value });
            }
        }
        self.assert_stands(cursor);
    }

    /// Checks that the key reached is the first on the way; other sessions' keys must only
    /// be on the way. Returns the value that the cursor then has.
    fn assert_arrival(&self, way: &Way, key: &[u8]) -> Value {
        let nearest = self.nearest(way);
        if self.is_own(key) {
            let (nearest, value) = nearest.expect("a key that was never put");
            assert_eq!(key, nearest, "not the nearest key");
            return Value::Known(Some(value));
        }
        let (on_the_way, before_own) = match way {
            Way::Forward(from) => (
                from.as_ref().is_none_or(|(from, _)| key > &from[..]),
                nearest.is_none_or(|(own, _)| key < &own[..]),
            ),
            Way::Back(from) => (
                from.as_ref().is_none_or(|(from, _)| key < &from[..]),
                nearest.is_none_or(|(own, _)| key > &own[..]),
            ),
        };
        assert!(on_the_way && before_own, "{key:?} is not on the way");
        Value::ToBeAsked
    }

    fn key_of(&self, cursor: &OpenCursor) -> Vec<u8> {
        let mut key = untouched();
        // SAFETY: an open cursor, whose key is readable until it moves.
        unsafe {
            assert_eq!(masstree_cursor_key(cursor.handle, &mut key), MASSTREE_OK);
            bytes_of(key).to_vec()
        }
    }

    fn assert_stands(&self, cursor: &OpenCursor) {
        match &cursor.at {
            Some(at) => assert_eq!(self.key_of(cursor), at.key),
            None => {
                // SAFETY: an open cursor.
                let status = unsafe { masstree_cursor_key(cursor.handle, std::ptr::null_mut()) };
                assert_eq!(status, MASSTREE_NOT_FOUND);
            }
        }
    }

    fn assert_value(&mut self, cursor: &mut OpenCursor) {
        let (status, value) = self.call_value(cursor);
        let Some(at) = &mut cursor.at else {
            assert_eq!((status, value), (MASSTREE_NOT_FOUND, None));
            return;
        };
        if !self.is_own(&at.key) {
            return;
        }
        let expected = match at.value {
            Value::Known(value) => value,
            Value::ToBeAsked => self.model.get(&at.key).copied(),
        };
        at.value = Value::Known(expected);
        assert_eq!(value, expected, "value of {:?}", at.key);
        let found = if expected.is_some() {
            MASSTREE_OK
        } else {
            MASSTREE_NOT_FOUND
        };
        assert_eq!(status, found);
    }

    fn call_value(&self, cursor: &OpenCursor) -> (i32, Option<u64>) {
        if self.holds_bytes() {
            let mut slice = untouched();
            // SAFETY: an open cursor, under a guard that keeps the slice readable.
            unsafe {
                let status = masstree_cursor_value_bytes(cursor.handle, &mut slice);
                let found = slice.len != usize::MAX;
                return (status, found.then(|| decoded(bytes_of(slice))));
            }
        }
        let mut word = UNTOUCHED;
        // SAFETY: an open cursor.
        let status = unsafe { masstree_cursor_value(cursor.handle, &mut word) };
        (status, (word != UNTOUCHED).then_some(word))
    }

    fn step_many(&mut self, cursor: &mut OpenCursor, back: bool, capacity: usize) {
        let mut keys = vec![untouched(); capacity];
        let (status, values) = self.call_many(cursor, back, &mut keys);
        if self.refused(status) {
            return self.assert_stands(cursor);
        }
        let failed = self.place.memory.failures() > 0;
        for (key, value) in keys.iter().zip(&values) {
            // SAFETY: readable until the cursor moves.
            let key = unsafe { bytes_of(*key) }.to_vec();
            let way = Way::on(cursor.at.as_ref(), back);
            let arrived = self.assert_arrival(&way, &key);
            if let Value::Known(known) = arrived {
                assert_eq!(Some(*value), known, "value of {key:?}");
            }
            cursor.at = Some(At {
                key,
                value: arrived,
            });
        }
        self.calls += values.len() as u64;
        assert_eq!(
            status,
            if values.is_empty() {
                MASSTREE_END
            } else {
                MASSTREE_OK
            }
        );
        assert!(values.len() <= capacity);
        if values.len() < capacity && !failed {
            let way = Way::on(cursor.at.as_ref(), back);
            assert_eq!(self.nearest(&way), None, "it stopped before a key");
        }
        self.assert_stands(cursor);
    }

    fn call_many(&self, cursor: &OpenCursor, back: bool, keys: &mut [Slice]) -> (i32, Vec<u64>) {
        let (handle, capacity) = (cursor.handle, keys.len());
        let keys = keys.as_mut_ptr();
        let mut count = usize::MAX;
        let mut words = vec![UNTOUCHED; capacity];
        let mut slices = vec![untouched(); capacity];
        let (w, s) = (words.as_mut_ptr(), slices.as_mut_ptr());
        // SAFETY: an open cursor, and arrays of `capacity`.
        let status = unsafe {
            match (self.holds_bytes(), back) {
                (false, false) => masstree_cursor_next_many(handle, keys, w, capacity, &mut count),
                (false, true) => masstree_cursor_prev_many(handle, keys, w, capacity, &mut count),
                (true, false) => {
                    masstree_cursor_next_many_bytes(handle, keys, s, capacity, &mut count)
                }
                (true, true) => {
                    masstree_cursor_prev_many_bytes(handle, keys, s, capacity, &mut count)
                }
            }
        };
        if status < 0 {
            return (status, Vec::new());
        }
        if self.holds_bytes() {
            // SAFETY: the first `count` were written, and the cursor's guard is held.
            let value = |slice: &Slice| decoded(unsafe { bytes_of(*slice) });
            words = slices[..count].iter().map(value).collect();
        }
        words.truncate(count);
        (status, words)
    }
}
