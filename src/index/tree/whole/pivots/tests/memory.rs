//! Tests of the memory that computing pivots allocates.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::index::memory::Allocator;
use crate::index::tree::TreeOptions;

/// The number of bytes that are allocated now, and its maximum so far.
#[derive(Default)]
struct Meter {
    now: AtomicUsize,
    peak: AtomicUsize,
}

unsafe extern "C" fn allocate(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
    // SAFETY: the test's meter; the size is not zero, and the alignment one.
    unsafe {
        let meter = &*ctx.cast::<Meter>();
        let now = meter.now.fetch_add(size, Ordering::Relaxed) + size;
        meter.peak.fetch_max(now, Ordering::Relaxed);
        alloc(Layout::from_size_align_unchecked(size, align)).cast()
    }
}

unsafe extern "C" fn free(place: *mut c_void, size: usize, align: usize, ctx: *mut c_void) {
    // SAFETY: as above; the place is from there.
    unsafe {
        let meter = &*ctx.cast::<Meter>();
        meter.now.fetch_sub(size, Ordering::Relaxed);
        dealloc(place.cast(), Layout::from_size_align_unchecked(size, align));
    }
}

/// Found in review: 500 MB for a tree of 6 MB. Put back: in `longer`, copy the prefix for each
/// link.
#[test]
fn a_chain_with_a_second_link_in_each_layer_takes_a_constant_for_each() {
    const LAYERS: usize = 2000;
    let meter = Meter::default();
    let ctx = (&raw const meter).cast_mut().cast();
    // SAFETY: the global allocator, and a meter that outlives the tree.
    let counting = unsafe { Allocator::new(allocate, free, ctx) };
    let tree = Tree::with_options(&TreeOptions {
        allocator: Some(counting),
        ..TreeOptions::default()
    });
    let tree = tree.unwrap();
    let guard = tree.guard().unwrap();
    let pin = guard.pin();
    let mut keys = Vec::new();
    for layer in 0..LAYERS {
        for last in [0, 1] {
            let chain = b"a slice.".repeat(layer);
            keys.push([&chain, &b"another."[..], &[last]].concat());
        }
    }
    keys.sort();
    for key in &keys {
        tree.put(pin, key, 0).unwrap();
    }
    for cuts in [1, 7, 1000] {
        let before = meter.now.load(Ordering::Relaxed);
        meter.peak.store(before, Ordering::Relaxed);
        let mut last = Vec::new();
        let mut count = |cut: &[u8]| {
            assert!(cut > &last[..] && cut <= &keys[keys.len() - 1][..]);
            last = cut.to_vec();
            true
        };
        tree.pivots(pin, cuts, &mut count).unwrap();
        assert!(!last.is_empty());
        let taken = meter.peak.load(Ordering::Relaxed) - before;
        show(&format!("chain of {LAYERS} layers, {cuts}: {taken} bytes"));
        assert!(taken < 1000 * LAYERS, "{cuts}: {taken} bytes");
    }
    drop(guard);
    drop(tree);
}
