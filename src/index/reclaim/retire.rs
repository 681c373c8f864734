//! Retiring each kind of object, with the answer to "who may still hold it".

use std::alloc::Layout;
use std::ffi::c_void;
use std::ptr::NonNull;

use seize::{Collector, Guard as _};

use super::guard::Via;
use super::{Domain, Pinned};
use crate::annotate;
use crate::errno;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Count, own_stripe};
use crate::index::node::{Bag, BagRef, Internode, Leaf};
use crate::index::value::{ByteString, Values};

impl Pinned<'_> {
    /// Retires a leaf and its suffix bag. Readers that found the leaf before it
    /// left the tree may still hold it: on their way down, or as a neighbour in a
    /// scan. They find it deleted.
    ///
    /// # Safety
    /// No pointer in the tree leads to the leaf any more, nobody else retires it,
    /// and it is not locked for longer than this thread takes to let it go.
    pub(crate) unsafe fn retire_leaf(self, leaf: &Leaf) {
        let bytes = leaf_size(leaf);
        // SAFETY: by contract.
        unsafe { self.retire(std::ptr::from_ref(leaf).cast_mut(), free_leaf, bytes) }
    }

    /// Retires an internode. Readers and writers on their way down or up may
    /// still hold it; they find it deleted.
    ///
    /// # Safety
    /// As `retire_leaf`.
    pub(crate) unsafe fn retire_internode(self, internode: &Internode) {
        let ptr = std::ptr::from_ref(internode).cast_mut();
        // SAFETY: by contract.
        unsafe { self.retire(ptr, free_internode, size_of::<Internode>()) }
    }

    /// Retires a suffix bag that a leaf had before its present one. Readers that
    /// loaded the leaf's word before may still compare or copy suffixes in it.
    ///
    /// # Safety
    /// The leaf has another bag now, and nobody else retires this one.
    pub(crate) unsafe fn retire_bag(self, bag: BagRef<'_>) {
        // SAFETY: by contract.
        unsafe { self.retire(bag.as_ptr(), free_bag, bag.size()) }
    }

    /// Retires a value that left the tree: when nobody who read it is pinned any more,
    /// the value destructor runs for it, if there is one, or its bytes are freed.
    pub(crate) fn retire_value(self, value: u64) {
        let bytes = match self.domain.values {
            Values::Words(None) => return,
            Values::Words(Some(_)) => 0,
            // SAFETY: the value was displaced by the caller, who is pinned.
            Values::Bytes => unsafe { ByteString::size(value) },
        };
        let word = std::ptr::without_provenance_mut::<ValueWord>(value as usize);
        // SAFETY: the word is only handed to `destroy_value`, once, and was displaced
        // by the caller.
        unsafe { self.retire(word, destroy_value, bytes) }
    }

    /// Retires an object of the user's.
    ///
    /// # Safety
    /// `note` says how it is freed, from any thread, when nobody who may still hold
    /// it is pinned any more; until then nothing else frees it.
    pub(crate) unsafe fn retire_object(self, note: RetiredObject) -> Result<(), OutOfMemory> {
        let memory = &self.domain.memory;
        let layout = Layout::new::<RetiredObject>();
        let ptr = memory.allocate(layout, Count::RetiredObjectBytes);
        let ptr = ptr.ok_or(OutOfMemory)?.cast::<RetiredObject>();
        // SAFETY: freshly allocated; the rest by contract.
        unsafe {
            ptr.write(note);
            self.retire(ptr.as_ptr(), free_object, note.limbo());
        }
        Ok(())
    }

    /// Frees an object of so many bytes once no guard of this moment is held any
    /// more.
    ///
    /// # Safety
    /// As the functions above say for the object and its way of being freed, which
    /// takes the bytes out of limbo again.
    pub(crate) unsafe fn retire<T>(
        self,
        object: *mut T,
        free: unsafe fn(*mut T, &Collector),
        bytes: usize,
    ) {
        self.count(Count::LimboBytes, bytes as i64);
        self.count(Count::LimboObjects, 1);
        // SAFETY: by contract.
        unsafe { self.retire_uncounted(object, free) }
    }

    /// `retire` for what is not an object in limbo.
    ///
    /// # Safety
    /// As `retire`.
    pub(super) unsafe fn retire_uncounted<T>(
        self,
        object: *mut T,
        free: unsafe fn(*mut T, &Collector),
    ) {
        annotate::release(self.domain);
        let _ignored = annotate::IgnoredAccesses::begin();
        // SAFETY: by contract.
        unsafe {
            match self.via {
                Via::Local(guard) => guard.defer_retire(object, free),
                Via::Owned(guard) => guard.defer_retire(object, free),
            }
        }
    }
}

impl Domain {
    /// Counts an object of so many bytes as no longer waiting.
    pub(crate) fn leave_limbo(&self, bytes: usize) {
        let (tally, stripe) = (self.memory.tally(), own_stripe());
        tally.add(stripe, Count::LimboBytes, -(bytes as i64));
        tally.add(stripe, Count::LimboObjects, -1);
    }
}

/// An object of the user's, and how it is freed.
#[derive(Clone, Copy)]
pub struct RetiredObject {
    object: *mut c_void,
    bytes: usize,
    free: unsafe extern "C" fn(*mut c_void, usize, *mut c_void),
    ctx: *mut c_void,
}

impl RetiredObject {
    /// An object of so many bytes, which `free(object, bytes, ctx)` frees.
    pub fn new(
        object: *mut c_void,
        bytes: usize,
        free: unsafe extern "C" fn(*mut c_void, usize, *mut c_void),
        ctx: *mut c_void,
    ) -> Self {
        Self {
            object,
            bytes,
            free,
            ctx,
        }
    }

    /// Bytes that wait with it.
    fn limbo(&self) -> usize {
        self.bytes.saturating_add(size_of::<Self>())
    }
}

/// Stands for a value word where seize wants a pointer.
struct ValueWord;

fn leaf_size(leaf: &Leaf) -> usize {
    size_of::<Leaf>() + leaf.bag().map_or(0, BagRef::size)
}

/// # Safety
/// The leaf was retired in this collector, and no guard protects it any more.
unsafe fn free_leaf(leaf: *mut Leaf, collector: &Collector) {
    // SAFETY: by contract; a collector calls this while its domain lives.
    unsafe {
        let domain = Domain::of(collector);
        let _freeing = annotate::Freeing::begin(domain);
        domain.leave_limbo(leaf_size(&*leaf));
        if let Some(bag) = (*leaf).bag() {
            bag.free(&domain.memory);
        }
        domain.memory.free_leaf(NonNull::new_unchecked(leaf));
    }
}

/// # Safety
/// As `free_leaf`.
unsafe fn free_internode(internode: *mut Internode, collector: &Collector) {
    // SAFETY: by contract.
    unsafe {
        let domain = Domain::of(collector);
        let _freeing = annotate::Freeing::begin(domain);
        domain.leave_limbo(size_of::<Internode>());
        domain
            .memory
            .free_internode(NonNull::new_unchecked(internode));
    }
}

/// # Safety
/// As `free_leaf`.
unsafe fn free_bag(bag: *mut Bag, collector: &Collector) {
    // SAFETY: by contract.
    unsafe {
        let domain = Domain::of(collector);
        let _freeing = annotate::Freeing::begin(domain);
        let bag = BagRef::new(NonNull::new_unchecked(bag));
        domain.leave_limbo(bag.size());
        bag.free(&domain.memory);
    }
}

/// # Safety
/// The value was retired in this collector, and no guard protects it any more.
unsafe fn destroy_value(value: *mut ValueWord, collector: &Collector) {
    let value = value.addr() as u64;
    // SAFETY: by contract.
    unsafe {
        let domain = Domain::of(collector);
        let _freeing = annotate::Freeing::begin(domain);
        let bytes = match domain.values {
            Values::Words(_) => 0,
            Values::Bytes => ByteString::size(value),
        };
        domain.leave_limbo(bytes);
        domain.destroy_value(value);
    }
}

/// # Safety
/// As `free_leaf`.
unsafe fn free_object(ptr: *mut RetiredObject, collector: &Collector) {
    // SAFETY: by contract; the note's own says the rest.
    unsafe {
        let domain = Domain::of(collector);
        let _freeing = annotate::Freeing::begin(domain);
        let note = ptr.read();
        let ptr = NonNull::new_unchecked(ptr).cast();
        let layout = Layout::new::<RetiredObject>();
        domain.memory.free(ptr, layout, Count::RetiredObjectBytes);
        domain.leave_limbo(note.limbo());
        errno::keep(|| (note.free)(note.object, note.bytes, note.ctx));
    }
}
