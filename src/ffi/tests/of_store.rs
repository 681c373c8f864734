//! A tree that a store makes, as C sees it: it can be read, and is written to by the store alone.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ffi::handle::TreeHandle;
use crate::ffi::index::bytes::Slice;
use crate::ffi::index::guard::{masstree_guard_enter, masstree_guard_leave};
use crate::ffi::index::point::masstree_remove;
use crate::ffi::index::tree::{masstree_clear, masstree_destroy};
use crate::ffi::status::*;
use crate::ffi::versioned::digest::masstree_put_digested_at;
use crate::ffi::versioned::keep::*;
use crate::ffi::versioned::numbers::{masstree_next_seqno, masstree_publish};
use crate::ffi::versioned::read::{Version, masstree_get_at};
use crate::ffi::versioned::write::*;
use crate::index::tree::{Tree, TreeOptions};
use crate::versioned::{
    self, CRC32C, Clock, Freeing, Kind, LATEST, NumberSource, VersionedTree, attach, detach,
};

fn counter(counter: *const c_void) -> u64 {
    // SAFETY: the test's counter.
    unsafe { (*counter.cast::<AtomicU64>()).load(Ordering::Acquire) }
}

/// A tree of a store with one key, which is committed with number 1.
fn tree_of_store(taken: &AtomicU64) -> Tree {
    let mut tree = Tree::with_options(&TreeOptions {
        values: versioned::values(),
        ..TreeOptions::default()
    })
    .unwrap();
    // SAFETY: the counter outlives the clock.
    let numbers = unsafe { NumberSource::new(std::ptr::from_ref(taken).cast(), counter, counter) };
    let clock = Clock::of_store(tree.allocator(), numbers).unwrap();
    attach(&mut tree, Freeing::WhenOverwritten, Some(&clock)).unwrap();
    let of = VersionedTree::of(&tree).unwrap();
    let guard = tree.guard().unwrap();
    let new = of.prepare(guard.pin(), Kind::Value, b"value").unwrap();
    let number = || Ok(taken.fetch_add(1, Ordering::AcqRel) + 1);
    let committed = of.commit(guard.pin(), b"key", new, |_| Ok::<_, ()>(()), number);
    assert_eq!(committed.ok().unwrap().number, 1);
    drop(guard);
    tree
}

/// # Safety
/// `tree` is a live tree of a store.
unsafe fn assert_refused(tree: *mut TreeHandle) {
    let slice = Slice::of(b"key");
    let (key, len, none) = (slice.data, slice.len, null());
    let (mut first, mut statuses) = (0, [MASSTREE_OK]);
    // SAFETY: by contract, and the arguments are valid.
    unsafe {
        let refused = [
            masstree_put_at(tree, null_mut(), key, len, 9, 0, none, 0),
            masstree_put_unless_newer_at(tree, null_mut(), key, len, 9, 0, none, 0, &raw mut first),
            masstree_put_digested_at(tree, null_mut(), key, len, 9, 0, none, 0, CRC32C, 0),
            masstree_remove_range_at(tree, null_mut(), none, 0, key, len, 9),
            masstree_next_seqno(tree, 1, &raw mut first),
            masstree_publish(tree, 1, null_mut()),
            masstree_seal(tree),
        ];
        assert_eq!(refused, [MASSTREE_READ_ONLY; 7]);
        let (number, kind) = (9_u64, 0_u32);
        masstree_put_many_at(
            tree,
            null_mut(),
            &raw const slice,
            &raw const number,
            &raw const kind,
            &raw const slice,
            1,
            statuses.as_mut_ptr(),
        );
        assert_eq!(statuses, [MASSTREE_READ_ONLY]);
        let refused = [
            masstree_clear(tree, null_mut()),
            masstree_remove(tree, null_mut(), key, len, null_mut()),
        ];
        assert_eq!(refused, [MASSTREE_WRONG_KIND; 2]);
    }
}

/// Put back: in `admit_write`, answer `Number` in stores, too; in `take_numbers`, `publish`, `masstree_seal` or
/// `masstree_destroy`, ask nothing of stores; in `Numbers::in_store`, begin with a floor of 0.
#[test]
fn functions_that_write_refuse_the_tree_of_a_store() {
    let taken = AtomicU64::new(0);
    let tree = tree_of_store(&taken);
    let handle = (&raw const tree).cast_mut().cast::<TreeHandle>();
    let slice = Slice::of(b"key");
    let mut found = MaybeUninit::<Version>::uninit();
    let (mut snapshot, mut guard) = (null_mut(), null_mut());
    // SAFETY: the tree lives, and the arguments are valid.
    unsafe {
        assert_refused(handle);
        masstree_destroy(handle);

        assert_eq!(
            masstree_snapshot_open(handle, &raw mut snapshot),
            MASSTREE_OK
        );
        assert_eq!(masstree_snapshot_seqno(snapshot), 1);
        masstree_snapshot_close(snapshot);
        assert_eq!(masstree_guard_enter(handle, &raw mut guard), MASSTREE_OK);
        for number in [LATEST, 1] {
            let status = masstree_get_at(
                handle,
                guard,
                slice.data,
                slice.len,
                number,
                found.as_mut_ptr(),
            );
            assert_eq!(
                status,
                if number == LATEST {
                    MASSTREE_OK
                } else {
                    MASSTREE_TOO_OLD
                }
            );
        }
        assert_eq!(found.assume_init().seqno, 1);
        masstree_guard_leave(guard);
        detach(&tree);
    }
}
