//! libmasstree: single operations take keys as bytes (`masstree_get`, …), under a guard
//! that is held and refreshed; batches of 8-byte keys are integers (`…_many_u64`), others
//! slices.

use std::ops::Range;
use std::path::Path;
use std::ptr::null_mut;

use masstree_bench::library::{Guard, Library, OK, Slice, Tree};

use crate::keys::{Keys, is_value_of, value_of};
use crate::map::{BATCH, Map, SCAN, Session, Turns, integer};

/// An empty tree of the library at `path`.
pub(crate) fn open(path: &Path) -> Tree {
    match Library::open(path) {
        Ok(library) => Tree::new(library),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// A session, with room for a batch.
pub(crate) struct Held<'t> {
    guard: Guard<'t>,
    turns: Turns,
    integers: [u64; BATCH],
    slices: [Slice; BATCH],
    values: [u64; BATCH],
}

impl Map for Tree {
    type Session<'m> = Held<'m>;

    fn session(&self) -> Held<'_> {
        Held {
            guard: self.guard(),
            turns: Turns::new(),
            integers: [0; BATCH],
            slices: [Slice::EMPTY; BATCH],
            values: [0; BATCH],
        }
    }
}

impl Held<'_> {
    #[inline]
    fn turn(&mut self) {
        if self.turns.is_over() {
            self.guard.refresh();
        }
    }

    /// Lays a batch out as a program would that uses integers, or strings; returns whether
    /// they are integers.
    fn lay_out(&mut self, keys: &Keys, places: Range<usize>) -> bool {
        let integers = keys.get(places.start).len() == 8;
        if integers {
            for (slot, key) in self.integers.iter_mut().zip(keys.iter(places)) {
                *slot = integer(key);
            }
        } else {
            for (slot, key) in self.slices.iter_mut().zip(keys.iter(places)) {
                *slot = Slice::of(key);
            }
        }
        integers
    }
}

impl Session for Held<'_> {
    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u64> {
        self.turn();
        self.guard.get(key)
    }

    #[inline]
    fn put(&mut self, key: &[u8], value: u64) {
        self.turn();
        self.guard.put(key, value);
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) -> bool {
        self.turn();
        self.guard.remove(key)
    }

    #[inline]
    fn scan(&mut self, from: &[u8], visit: impl FnMut(&[u8], u64)) {
        self.turn();
        self.guard.scan(from, SCAN, false, visit);
    }

    #[inline]
    fn scan_reverse(&mut self, from: &[u8], visit: impl FnMut(&[u8], u64)) {
        self.turn();
        self.guard.scan(from, SCAN, true, visit);
    }

    fn get_many(&mut self, keys: &Keys, places: Range<usize>) -> usize {
        let Guard {
            library,
            tree,
            handle,
            ..
        } = self.guard;
        let count = places.len();
        let values = self.values.as_mut_ptr();
        let integers = self.lay_out(keys, places.clone());
        // SAFETY: the tree and the guard are alive; the arrays have `count` items.
        let status = unsafe {
            if integers {
                let first = self.integers.as_ptr().cast();
                (library.get_many_u64)(tree, handle, first, 8, count, values, null_mut())
            } else {
                (library.get_many)(
                    tree,
                    handle,
                    self.slices.as_ptr(),
                    count,
                    values,
                    null_mut(),
                )
            }
        };
        assert_eq!(status, OK, "masstree_get_many");
        self.guard.refresh();
        keys.iter(places)
            .zip(&self.values)
            .filter(|(key, value)| is_value_of(**value, key))
            .count()
    }

    fn put_many(&mut self, keys: &Keys, places: Range<usize>) {
        let Guard {
            library,
            tree,
            handle,
            ..
        } = self.guard;
        let count = places.len();
        for (slot, key) in self.values.iter_mut().zip(keys.iter(places.clone())) {
            *slot = value_of(key);
        }
        let values = self.values.as_ptr();
        let integers = self.lay_out(keys, places);
        // SAFETY: as in get_many.
        let status = unsafe {
            if integers {
                let first = self.integers.as_ptr().cast();
                (library.put_many_u64)(tree, handle, first, 8, values, count, null_mut())
            } else {
                (library.put_many)(
                    tree,
                    handle,
                    self.slices.as_ptr(),
                    values,
                    count,
                    null_mut(),
                )
            }
        };
        assert_eq!(status, OK, "masstree_put_many");
        self.guard.refresh();
    }
}
