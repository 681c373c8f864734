//! Retires objects, and documents for each kind which threads may still use a retired object.
//!
//! Each kind of object, also one of a layer above the index, implements [`Retire`], which defines
//! how many bytes the object counts in limbo, and how it is freed. Retiring allocates nothing from
//! the domain's memory, and cannot fail, because a write retires what it displaced after its last
//! change. (Seize's lists of retired objects come from the global allocator.) The exception is an
//! object of the user: its size and its free function need a record, for which
//! [`Pinned::retire_object`] allocates memory, and so may fail.

use std::alloc::Layout;
use std::ffi::c_void;
use std::ptr::NonNull;

use seize::{Collector, Guard as _};

use super::{Domain, Pinned};
use crate::annotate;
use crate::errno;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Count, own_stripe};
use crate::index::node::{Bag, BagRef, Internode, Leaf, layout_of_leaf};

/// An object that is freed once no guard protects it any more.
pub(crate) trait Retire: Sized {
    /// Bytes that limbo counts for the object. The result is the same when the object is retired
    /// and when it is freed.
    ///
    /// # Safety
    /// The object is retired or about to be, and not freed yet.
    unsafe fn bytes(object: *mut Self, domain: &Domain) -> usize;

    /// Frees the object. Runs once, on any thread, with no lock held; must not use the tree.
    ///
    /// # Safety
    /// The object was retired in this domain, and no guard protects it any more.
    unsafe fn free(object: *mut Self, domain: &Domain);
}

impl Pinned<'_> {
    /// Retires a leaf and its suffix bag. Readers that found the leaf before it left the tree may
    /// still hold it, during a descent or as a neighbour in a scan. They find the leaf's version
    /// deleted.
    ///
    /// # Safety
    /// No pointer in the tree refers to the leaf any more, it is retired only once, and if it is
    /// locked, this thread unlocks it before it releases its guard.
    pub(crate) unsafe fn retire_leaf(self, leaf: &Leaf) {
        // SAFETY: by contract.
        unsafe { self.retire(std::ptr::from_ref(leaf).cast_mut()) };
    }

    /// Retires an internode. Readers and writers that descend or ascend may still hold it. They
    /// find the internode's version deleted.
    ///
    /// # Safety
    /// The contract of `retire_leaf`.
    pub(crate) unsafe fn retire_internode(self, internode: &Internode) {
        // SAFETY: by contract.
        unsafe { self.retire(std::ptr::from_ref(internode).cast_mut()) };
    }

    /// Retires a suffix bag that its leaf has replaced. Readers that loaded the leaf's bag pointer
    /// before may still compare or copy suffixes in it.
    ///
    /// # Safety
    /// No leaf points to the bag any more, and it is retired only once.
    pub(crate) unsafe fn retire_bag(self, bag: BagRef<'_>) {
        // SAFETY: by contract.
        unsafe { self.retire(bag.as_ptr()) };
    }

    /// Retires a value that left the tree: once no guard protects it any more, it is destroyed
    /// according to its kind.
    #[inline]
    pub(crate) fn retire_value(self, value: u64) {
        if self.domain().values.destroy.is_none() {
            return;
        }
        let word = std::ptr::without_provenance_mut::<ValueWord>(value as usize);
        // SAFETY: seize passes the word only to `ValueWord::free`, once, and the caller displaced
        // the value.
        unsafe { self.retire(word) };
    }

    /// Retires an object of the user.
    ///
    /// # Safety
    /// `retired.free` may run on any thread once no guard protects the object any more; until
    /// then nothing else frees it.
    pub(crate) unsafe fn retire_object(self, retired: RetiredObject) -> Result<(), OutOfMemory> {
        let memory = &self.domain().memory;
        let layout = Layout::new::<RetiredObject>();
        let ptr = memory.allocate(layout, Count::RetiredObjectBytes);
        let ptr = ptr.ok_or(OutOfMemory)?.cast::<RetiredObject>();
        // SAFETY: freshly allocated; the rest by contract.
        unsafe {
            ptr.write(retired);
            self.retire(ptr.as_ptr());
        }
        Ok(())
    }

    /// Retires an object: it is freed once every guard held now has been refreshed or left; in a domain
    /// that keeps everything, when the domain ends. Returns the bytes that limbo counts for it.
    ///
    /// # Safety
    /// The object belongs to this domain. Threads that enter a guard from now on cannot reach it;
    /// those that hold one may read it. It is retired only once.
    pub(crate) unsafe fn retire<T: Retire>(self, object: *mut T) -> usize {
        // SAFETY: by contract.
        unsafe {
            let bytes = T::bytes(object, self.domain());
            self.count(Count::LimboBytes, bytes as i64);
            self.count(Count::LimboObjects, 1);
            match self.domain().keeps() {
                true => self.keep(object.cast(), reclaim_kept::<T>),
                false => self.retire_uncounted(object, reclaim::<T>),
            }
            bytes
        }
    }

    /// `retire` without counting the object in limbo.
    ///
    /// # Safety
    /// The contract of `retire`. `free` frees the object.
    pub(super) unsafe fn retire_uncounted<T>(
        self,
        object: *mut T,
        free: unsafe fn(*mut T, &Collector),
    ) {
        annotate::release(self.domain());
        let _ignored = annotate::IgnoredAccesses::begin();
        // SAFETY: by contract.
        unsafe {
            self.on_guard(
                |guard| guard.defer_retire(object, free),
                |guard| guard.defer_retire(object, free),
            );
        }
    }
}

impl Domain {
    /// Subtracts an object of `bytes` bytes, which `retire` counted, from limbo.
    fn leave_limbo(&self, bytes: usize) {
        let (tally, stripe) = (self.memory.tally(), own_stripe());
        tally.add(stripe, Count::LimboBytes, -(bytes as i64));
        tally.add(stripe, Count::LimboObjects, -1);
    }
}

/// An object of the user to retire, and the function that frees it.
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

    /// Bytes that limbo counts for the object and this record.
    fn limbo(&self) -> usize {
        self.bytes.saturating_add(size_of::<Self>())
    }
}

/// The type to which a value word points when it is passed to seize as a pointer.
struct ValueWord;

/// # Safety
/// `collector` calls it for an object retired there, which no guard protects any more.
unsafe fn reclaim<T: Retire>(object: *mut T, collector: &Collector) {
    // SAFETY: by contract; a collector calls this while its domain lives.
    unsafe {
        let domain = Domain::of(collector);
        let _freeing = annotate::Freeing::begin(domain);
        domain.leave_limbo(T::bytes(object, domain));
        T::free(object, domain);
    }
}

/// # Safety
/// As `reclaim`; `object` is a `T`.
unsafe fn reclaim_kept<T: Retire>(object: *mut (), collector: &Collector) {
    // SAFETY: by contract.
    unsafe { reclaim::<T>(object.cast(), collector) }
}

impl Retire for Leaf {
    unsafe fn bytes(leaf: *mut Self, _: &Domain) -> usize {
        // SAFETY: by contract.
        let leaf = unsafe { &*leaf };
        layout_of_leaf(leaf.has_tails()).size() + leaf.bag().map_or(0, BagRef::size)
    }

    unsafe fn free(leaf: *mut Self, domain: &Domain) {
        // SAFETY: by contract.
        unsafe {
            if let Some(bag) = (*leaf).bag() {
                bag.free(&domain.memory);
            }
            domain.memory.free_leaf(NonNull::new_unchecked(leaf));
        }
    }
}

impl Retire for Internode {
    unsafe fn bytes(_: *mut Self, _: &Domain) -> usize {
        size_of::<Self>()
    }

    unsafe fn free(internode: *mut Self, domain: &Domain) {
        // SAFETY: by contract.
        unsafe {
            domain
                .memory
                .free_internode(NonNull::new_unchecked(internode));
        }
    }
}

impl Retire for Bag {
    unsafe fn bytes(bag: *mut Self, _: &Domain) -> usize {
        // SAFETY: by contract.
        unsafe { BagRef::new(NonNull::new_unchecked(bag)).size() }
    }

    unsafe fn free(bag: *mut Self, domain: &Domain) {
        // SAFETY: by contract.
        unsafe { BagRef::new(NonNull::new_unchecked(bag)).free(&domain.memory) }
    }
}

impl Retire for ValueWord {
    unsafe fn bytes(value: *mut Self, domain: &Domain) -> usize {
        // SAFETY: by contract.
        unsafe { (domain.values.size)(value.addr() as u64) }
    }

    unsafe fn free(value: *mut Self, domain: &Domain) {
        // SAFETY: by contract.
        unsafe { domain.destroy_value(value.addr() as u64) }
    }
}

impl Retire for RetiredObject {
    unsafe fn bytes(ptr: *mut Self, _: &Domain) -> usize {
        // SAFETY: by contract.
        unsafe { (*ptr).limbo() }
    }

    unsafe fn free(ptr: *mut Self, domain: &Domain) {
        // SAFETY: by this function's contract and that of `retire_object`.
        unsafe {
            let retired = ptr.read();
            let ptr = NonNull::new_unchecked(ptr).cast();
            let layout = Layout::new::<Self>();
            domain.memory.free(ptr, layout, Count::RetiredObjectBytes);
            errno::preserve(|| (retired.free)(retired.object, retired.bytes, retired.ctx));
        }
    }
}
