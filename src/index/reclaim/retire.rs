//! Retires each kind of object, and says for each which threads may still hold it.

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

impl Pinned<'_> {
    /// Retires a leaf and its suffix bag. Readers that found the leaf before it left the tree may
    /// still hold it, during a descent or as a neighbour in a scan. They find the leaf's version
    /// deleted.
    ///
    /// # Safety
    /// No pointer in the tree refers to the leaf any more, it is retired only once, and if it is
    /// locked, this thread unlocks it before it releases its guard.
    pub(crate) unsafe fn retire_leaf(self, leaf: &Leaf) {
        let bytes = leaf_size(leaf);
        // SAFETY: by contract.
        unsafe { self.retire(std::ptr::from_ref(leaf).cast_mut(), free_leaf, bytes) }
    }

    /// Retires an internode. Readers and writers that descend or ascend may still hold it. They find
    /// the internode's version deleted.
    ///
    /// # Safety
    /// The contract of `retire_leaf`.
    pub(crate) unsafe fn retire_internode(self, internode: &Internode) {
        let ptr = std::ptr::from_ref(internode).cast_mut();
        // SAFETY: by contract.
        unsafe { self.retire(ptr, free_internode, size_of::<Internode>()) }
    }

    /// Retires a suffix bag that its leaf has replaced. Readers that loaded the leaf's bag pointer
    /// before may still compare or copy suffixes in it.
    ///
    /// # Safety
    /// No leaf points to the bag any more, and it is retired only once.
    pub(crate) unsafe fn retire_bag(self, bag: BagRef<'_>) {
        // SAFETY: by contract.
        unsafe { self.retire(bag.as_ptr(), free_bag, bag.size()) }
    }

    /// Retires a value that left the tree: once no guard protects it any more, the value
    /// destructor runs for it, if there is one, or its bytes are freed.
    pub(crate) fn retire_value(self, value: u64) {
        let values = self.domain.values();
        if values.destroy.is_none() {
            return;
        }
        // SAFETY: the caller displaced the value, and is pinned.
        let bytes = unsafe { (values.size)(value) };
        let word = std::ptr::without_provenance_mut::<ValueWord>(value as usize);
        // SAFETY: only `destroy_value` gets the word, once, and the caller displaced the
        // value.
        unsafe { self.retire(word, destroy_value, bytes) }
    }

    /// Retires an object of the user's.
    ///
    /// # Safety
    /// `retired.free` may run on any thread once no guard protects the object any more; until
    /// then nothing else frees it.
    pub(crate) unsafe fn retire_object(self, retired: RetiredObject) -> Result<(), OutOfMemory> {
        let memory = &self.domain.memory;
        let layout = Layout::new::<RetiredObject>();
        let ptr = memory.allocate(layout, Count::RetiredObjectBytes);
        let ptr = ptr.ok_or(OutOfMemory)?.cast::<RetiredObject>();
        // SAFETY: freshly allocated; the rest by contract.
        unsafe {
            ptr.write(retired);
            self.retire(ptr.as_ptr(), free_object, retired.limbo());
        }
        Ok(())
    }

    /// Retires an object of `bytes` bytes: it is freed once every guard held now has been
    /// refreshed or left.
    ///
    /// # Safety
    /// The contract of the function for the object's kind. `free` frees the object, and calls
    /// `leave_limbo` with the same bytes.
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

    /// `retire` without counting the object in limbo.
    ///
    /// # Safety
    /// The contract of `retire`, except for `leave_limbo`.
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
    /// Uncounts an object of `bytes` bytes that `retire` counted in limbo.
    pub(crate) fn leave_limbo(&self, bytes: usize) {
        let (tally, stripe) = (self.memory.tally(), own_stripe());
        tally.add(stripe, Count::LimboBytes, -(bytes as i64));
        tally.add(stripe, Count::LimboObjects, -1);
    }
}

/// A retired object of the user's, and how it is freed.
#[derive(Clone, Copy)]
pub struct RetiredObject {
    object: *mut c_void,
    bytes: usize,
    free: unsafe extern "C" fn(*mut c_void, usize, *mut c_void),
    ctx: *mut c_void,
}

impl RetiredObject {
    /// An object of `bytes` bytes, which `free(object, bytes, ctx)` frees.
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

    /// Bytes that are counted in limbo for it.
    fn limbo(&self) -> usize {
        self.bytes.saturating_add(size_of::<Self>())
    }
}

/// The pointee type under which seize gets a value word as a pointer.
struct ValueWord;

fn leaf_size(leaf: &Leaf) -> usize {
    size_of::<Leaf>() + leaf.bag().map_or(0, BagRef::size)
}

/// # Safety
/// `collector` calls it for a leaf retired there, which no guard protects any more.
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
/// The contract of `free_leaf`, for its kind of object.
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
/// The contract of `free_leaf`, for its kind of object.
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
/// `collector` calls it for a value retired there, which no guard protects any more.
unsafe fn destroy_value(value: *mut ValueWord, collector: &Collector) {
    let value = value.addr() as u64;
    // SAFETY: by contract.
    unsafe {
        let domain = Domain::of(collector);
        let _freeing = annotate::Freeing::begin(domain);
        domain.leave_limbo((domain.values.size)(value));
        domain.destroy_value(value);
    }
}

/// # Safety
/// The contract of `free_leaf`, for its kind of object.
unsafe fn free_object(ptr: *mut RetiredObject, collector: &Collector) {
    // SAFETY: by this function's contract and that of `retire_object`.
    unsafe {
        let domain = Domain::of(collector);
        let _freeing = annotate::Freeing::begin(domain);
        let retired = ptr.read();
        let ptr = NonNull::new_unchecked(ptr).cast();
        let layout = Layout::new::<RetiredObject>();
        domain.memory.free(ptr, layout, Count::RetiredObjectBytes);
        domain.leave_limbo(retired.limbo());
        errno::preserve(|| (retired.free)(retired.object, retired.bytes, retired.ctx));
    }
}
