//! Objects that another layer retires.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::index::memory::{Allocator, Count};
use crate::index::reclaim::{Domain, Guard, Retire};
use crate::index::tree::{Tree, TreeOptions};

/// An allocator that fails from some moment on, and how many objects were freed.
#[derive(Default)]
struct World {
    fails: AtomicBool,
    refusals: AtomicUsize,
    freed: AtomicUsize,
}

unsafe extern "C" fn allocate(size: usize, align: usize, world: *mut c_void) -> *mut c_void {
    // SAFETY: the world outlives the tree; no allocation is empty.
    unsafe {
        let world = &*world.cast::<World>();
        if world.fails.load(Ordering::Relaxed) {
            world.refusals.fetch_add(1, Ordering::Relaxed);
            return null_mut();
        }
        alloc(Layout::from_size_align(size, align).unwrap()).cast()
    }
}

unsafe extern "C" fn free(place: *mut c_void, size: usize, align: usize, _: *mut c_void) {
    // SAFETY: allocated above with this layout.
    unsafe { dealloc(place.cast(), Layout::from_size_align(size, align).unwrap()) };
}

/// An object of the layer's, in the tree's memory.
struct Object<'w> {
    world: &'w World,
    number: u64,
}

impl Retire for Object<'_> {
    unsafe fn bytes(_: *mut Self, _: &Domain) -> usize {
        size_of::<Self>()
    }

    unsafe fn free(object: *mut Self, domain: &Domain) {
        // SAFETY: the object came from `World::object`.
        unsafe {
            let world = (*object).world;
            (*object).number = 0;
            let (object, layout) = (NonNull::new_unchecked(object), Layout::new::<Self>());
            domain.memory.free(object.cast(), layout, Count::ValueBytes);
            world.freed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl World {
    fn tree(&self) -> Tree {
        let ctx = std::ptr::from_ref(self).cast_mut().cast();
        Tree::with_options(&TreeOptions {
            // SAFETY: the functions may be called from any thread, and the world outlives the tree.
            allocator: Some(unsafe { Allocator::new(allocate, free, ctx) }),
            ..TreeOptions::default()
        })
        .unwrap()
    }

    fn object<'w>(&'w self, guard: &Guard<'_>) -> *mut Object<'w> {
        let memory = &guard.pin().domain().memory;
        let place = memory.allocate(Layout::new::<Object<'_>>(), Count::ValueBytes);
        let object = place.unwrap().cast::<Object<'_>>();
        // SAFETY: freshly allocated for an object.
        unsafe {
            object.write(Object {
                world: self,
                number: 7,
            })
        };
        object.as_ptr()
    }

    fn freed(&self) -> usize {
        self.freed.load(Ordering::Relaxed)
    }
}

/// Put back: in `retire`, allocate a record as `retire_object` does.
#[test]
fn retiring_an_object_of_another_layer_takes_no_memory() {
    let world = World::default();
    let tree = world.tree();
    let before = tree.memory_in_use();
    let guard = tree.guard().unwrap();
    let objects: Vec<_> = (0..1000).map(|_| world.object(&guard)).collect();
    world.fails.store(true, Ordering::Relaxed);
    for object in objects {
        // SAFETY: no other thread knows the object.
        unsafe { guard.pin().retire(object) };
    }
    let counters = tree.counters();
    assert_eq!(counters.limbo_objects, 1000);
    assert_eq!(
        counters.limbo_bytes as usize,
        1000 * size_of::<Object<'_>>()
    );
    guard.pin().flush();
    assert_eq!(world.freed(), 0);
    drop(guard);
    assert_eq!(world.freed(), 1000);
    assert_eq!(world.refusals.load(Ordering::Relaxed), 0);
    let counters = tree.counters();
    assert_eq!((counters.limbo_objects, counters.limbo_bytes), (0, 0));
    assert_eq!(tree.memory_in_use(), before);
}

/// Put back: free the object at once in `retire`.
#[test]
fn an_object_of_another_layer_is_freed_after_the_guards_that_may_hold_it() {
    let world = World::default();
    let tree = world.tree();
    let [reader, writer] = [(); 2].map(|()| tree.guard().unwrap());
    let object = world.object(&writer);
    // SAFETY: the reader's guard protects the object.
    let read = || unsafe { (*object).number };
    // SAFETY: no thread finds the object from now on.
    unsafe { writer.pin().retire(object) };
    writer.pin().flush();
    let later = tree.guard().unwrap();
    drop(writer);
    assert_eq!((world.freed(), read()), (0, 7));
    drop(reader);
    assert_eq!(
        world.freed(),
        1,
        "a guard entered later does not protect it"
    );
    drop(later);
}
