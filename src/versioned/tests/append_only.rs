//! Append-only trees.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::*;
use crate::index::memory::Allocator;
use crate::index::tree::Seek;

const KEYS: u64 = if cfg!(debug_assertions) {
    2_000
} else {
    20_000
};

unsafe extern "C" fn allocate(size: usize, align: usize, _: *mut c_void) -> *mut c_void {
    // SAFETY: the tree asks for sound layouts of a size that is not 0.
    unsafe { alloc(Layout::from_size_align(size, align).unwrap()).cast() }
}

/// Overwrites what it frees.
unsafe extern "C" fn spoil(memory: *mut c_void, size: usize, align: usize, _: *mut c_void) {
    // SAFETY: it came from `allocate`, and the tree uses it no more.
    unsafe {
        memory.cast::<u8>().write_bytes(0xa5, size);
        dealloc(memory.cast(), Layout::from_size_align(size, align).unwrap());
    }
}

/// An append-only tree whose freed memory is overwritten.
fn subject() -> Subject {
    let mut tree = Tree::with_options(&TreeOptions {
        values: values(),
        // SAFETY: any thread may call the functions.
        allocator: Some(unsafe { Allocator::new(allocate, spoil, std::ptr::null_mut()) }),
        keeps_everything: true,
        ..TreeOptions::default()
    })
    .unwrap();
    attach(&mut tree, Freeing::Never, None).unwrap();
    Subject { tree }
}

/// A key whose bytes beyond the slice are in a bag, or in a layer.
fn key(number: u64) -> Vec<u8> {
    format!("{:04} and {} more", number % 100, number).into_bytes()
}

/// Put back: in `retire`, do not ask whether the domain keeps everything.
#[test]
fn readers_without_guards_beside_writers_read_nothing_that_was_freed() {
    let subject = subject();
    let stored = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..=KEYS {
                let key = key(number);
                subject.put(&key, number, Kind::Value, &key).unwrap();
                if number % 50 == 0 {
                    let guard = subject.guard();
                    (subject.of())
                        .remove_range(guard.pin(), b"~", &key, number)
                        .unwrap();
                    (subject.of())
                        .remove_range(guard.pin(), b"~", b"~~", number)
                        .unwrap();
                    guard.pin().flush();
                }
                stored.store(number, Ordering::Release);
            }
        });
        for seed in 0..2 {
            let (subject, stored) = (&subject, &stored);
            scope.spawn(move || {
                let of = subject.of();
                let unguarded = of.unguarded().unwrap();
                let pin = unguarded.pin();
                let mut random = Random(seed);
                let mut kept = Vec::new();
                loop {
                    let last = stored.load(Ordering::Acquire);
                    if last == 0 {
                        continue;
                    }
                    let number = 1 + random.below(last);
                    let key = key(number);
                    let Found::Version(version) = of.get(pin, &key, LATEST) else {
                        panic!("version {number} is lost");
                    };
                    assert_eq!(version.bytes(), &key);
                    kept.push((number, version));
                    let mut cursor = VersionCursor::over_versions(of, of.index().allocator(), 0);
                    assert!(cursor.seek(of, pin, Seek::AtLeast(&key), None).unwrap());
                    assert!(cursor.version(of, pin) == Some(version));
                    if last == KEYS {
                        break;
                    }
                }
                for (number, version) in kept {
                    assert_eq!(version.bytes(), &key(number), "it changed");
                }
            });
        }
    });
    let counters = subject.tree.counters();
    assert!(counters.limbo_objects > KEYS / 50);
    assert!(counters.limbo_bytes > 0);
    subject.assert_sound();
}

/// Put back: in `trim`, do not refuse append-only trees.
#[test]
fn only_append_only_trees_are_read_without_guards() {
    let append_only = subject();
    append_only.put(b"key", 1, Kind::Value, b"").unwrap();
    append_only.put(b"key", 2, Kind::Value, b"").unwrap();
    let guard = append_only.guard();
    let refused = append_only.of().trim(guard.pin(), LATEST, 100);
    assert_eq!(refused, Err(Refused::AppendOnly));
    assert!(append_only.of().unguarded().is_some());
    assert!(Subject::new().of().unguarded().is_none());
}
