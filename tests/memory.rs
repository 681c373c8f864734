//! Memory under a counting allocator that can be told to fail: known failures 12
//! (exactly-once destruction, nothing left) and 18 (an insert that fails half-way).

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

use masstree::{Destructor, Tree};
use support::{Random, assert_sound, collect};

/// Counts the bytes that this thread has of the tree's own kinds of object, and
/// fails the allocation that the thread asked to fail.
struct Counting;

thread_local! {
    static IN_USE: Cell<isize> = const { Cell::new(0) };
    /// Allocations that still succeed before one fails.
    static FUSE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Nodes have the alignment of a cache line and suffix bags that of a `u32`; what
/// seize allocates for its batches, which cannot fail, has neither.
fn is_ours(layout: Layout) -> bool {
    layout.align() == 64 || layout.align() == 4
}

// SAFETY: passes everything on to the system's allocator, or fails.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_ours(layout) {
            if let Some(left) = FUSE.get() {
                FUSE.set(left.checked_sub(1));
                if left == 0 {
                    return std::ptr::null_mut();
                }
            }
            IN_USE.set(IN_USE.get() + layout.size() as isize);
        }
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if is_ours(layout) {
            IN_USE.set(IN_USE.get() - layout.size() as isize);
        }
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A mixed workload's keys: several layers, long suffixes, splits.
fn workload_keys(count: usize) -> Vec<Vec<u8>> {
    let mut random = Random(18);
    (0..count)
        .map(|i| {
            let n = random.next();
            match i % 5 {
                0 => n.to_be_bytes().to_vec(),
                1 => [&b"prefix 8"[..], &n.to_le_bytes()[..3]].concat(),
                2 => [
                    &b"a prefix that is shared by 4 layers"[..],
                    &n.to_be_bytes(),
                ]
                .concat(),
                3 => [&n.to_be_bytes()[..2], &[b's'; 300][..n as usize % 300]].concat(),
                _ => (n % 64).to_be_bytes()[7..].to_vec(),
            }
        })
        .collect()
}

/// Row 18. Put back: in `Tree::split`, take the new leaf from the allocator
/// instead of the reserve after the leaf was made dirty, and give up on failure.
#[test]
fn a_put_that_runs_out_of_memory_changes_nothing() {
    let keys = workload_keys(600);
    let mut failures = 0;
    let mut nth = 0;
    loop {
        let tree = support::new_tree();
        let mut model = BTreeMap::new();
        FUSE.set(Some(nth));
        let mut failed = false;
        for (value, key) in keys.iter().enumerate() {
            let outcome = tree.put(tree.guard().unwrap().pin(), key, value as u64);
            if outcome.is_err() {
                // Exactly the armed allocation fails, and the same put then
                // succeeds.
                assert!(!failed && FUSE.get().is_none());
                failed = true;
                assert_eq!(support::get(&tree, key), model.get(key).copied());
                assert_sound(&tree);
                assert_eq!(
                    support::put(&tree, key, value as u64),
                    model.get(key).copied()
                );
            }
            model.insert(key.clone(), value as u64);
        }
        FUSE.set(None);
        assert_sound(&tree);
        let guard = tree.guard().unwrap();
        assert!(
            collect(&tree, guard.pin(), &masstree::Range::all())
                .into_iter()
                .eq(model)
        );
        if !failed {
            break;
        }
        failures += 1;
        nth += 1;
    }
    assert!(failures > 100, "{failures} allocations were made to fail");
}

#[test]
fn a_tree_that_cannot_be_made_leaves_nothing_behind() {
    let before = IN_USE.get();
    FUSE.set(Some(0));
    assert!(Tree::new(None).is_err());
    FUSE.set(None);
    assert_eq!(IN_USE.get(), before);
}

/// How often each value was destroyed.
struct Tally(Vec<AtomicUsize>);

impl Tally {
    fn destructor(&self) -> Destructor {
        unsafe extern "C" fn count(value: u64, ctx: *mut c_void) {
            // SAFETY: the tally outlives the tree, and is all atomics.
            let tally = unsafe { &*ctx.cast::<Tally>() };
            tally.0[value as usize].fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: function and context fit, and work on any thread.
        unsafe { Destructor::new(count, std::ptr::from_ref(self).cast_mut().cast()) }
    }
}

/// Row 12. Put back: in `destroy::free_leaf`, do not chain the roots of layers;
/// or, in `Drop for Tree`, do not reclaim first.
#[test]
fn every_value_is_destroyed_once_and_no_byte_is_left() {
    let keys = workload_keys(5000);
    let before = IN_USE.get();
    let tally = Tally((0..keys.len() * 2).map(|_| AtomicUsize::new(0)).collect());
    let mut taken = 0;
    {
        let tree = Tree::new(Some(tally.destructor())).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        for (value, key) in keys.iter().chain(&keys).enumerate() {
            if let Some(old) = tree.put(pin, key, value as u64).unwrap() {
                tree.discard(pin, old);
            }
        }
        for (i, key) in keys.iter().enumerate().step_by(3) {
            if let Some(old) = tree.remove(pin, key) {
                if i % 2 == 0 {
                    tree.discard(pin, old);
                } else {
                    // Taken: the destructor must not see it.
                    tally.0[old as usize].fetch_add(1, Ordering::Relaxed);
                    taken += 1;
                }
            }
        }
    }
    assert!(taken > 100);
    assert!(
        tally
            .0
            .iter()
            .all(|times| times.load(Ordering::Relaxed) == 1)
    );
    assert_eq!(IN_USE.get(), before, "bytes of nodes and bags left");
}
