//! Records which leaf a thread holds locked for its user. `write::held` sets the record, and
//! `read::observe` reads it.

use std::cell::Cell;
use std::ptr::NonNull;

use super::Tree;
#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
use crate::errno;
use crate::index::node::Leaf;
use crate::index::reclaim::generation;
#[cfg(any(debug_assertions, not(masstree_own_tls)))]
use crate::sync::thread_local;

/// The leaf that a thread holds.
#[derive(Clone, Copy)]
struct Holding {
    tree: NonNull<Tree>,
    leaf: *const Leaf,
    /// The number of times that the tree had been cleared when the hold began.
    incarnation: u64,
    /// The generation of the process: a leaf held before a fork is held by the parent process only.
    generation: u32,
    /// The address at which a layer above keeps the hold; null if none does.
    place: *const (),
}

/// The record of the leaf that a thread holds. It is a thread-local, and accesses to that are not
/// free: a function that needs the record several times calls [`with_holder`] once.
pub(crate) struct Holder(Cell<Option<Holding>>);

#[cfg(not(masstree_own_tls))]
thread_local! {
    static HOLDER: Holder = const { Holder(Cell::new(None)) };
}

/// Calls `work` with this thread's holder.
#[cfg(not(masstree_own_tls))]
#[inline]
pub(crate) fn with_holder<R>(work: impl FnOnce(&Holder) -> R) -> R {
    HOLDER.with(work)
}

// Rust's `thread_local!` has no TLS model: in a shared library each access calls `__tls_get_addr`,
// and the caller saves its registers for that. This variable has the model initial-exec: it lies at
// an offset from the thread pointer that is fixed when the library is loaded. glibc keeps room for
// such variables of libraries that are loaded by dlopen; see Drepper, ELF Handling For Thread-Local
// Storage, 2013, section 4.4.
#[cfg(masstree_own_tls)]
std::arch::global_asm!(
    ".pushsection .tbss.libmasstree_holder, \"awT\", @nobits",
    ".globl libmasstree_holder",
    ".hidden libmasstree_holder",
    ".type libmasstree_holder, @tls_object",
    ".size libmasstree_holder, {size}",
    ".p2align 3",
    "libmasstree_holder:",
    ".zero {size}",
    ".popsection",
    size = const size_of::<Holder>(),
);

/// Calls `work` with this thread's holder.
#[cfg(masstree_own_tls)]
#[inline(always)]
pub(crate) fn with_holder<R>(work: impl FnOnce(&Holder) -> R) -> R {
    // Zero bytes are `None`: no tree is at the null pointer.
    const {
        assert!(align_of::<Holder>() <= 8 && size_of::<Holder>() == size_of::<Holding>());
    }
    let holder: *const Holder;
    // SAFETY: the variable's offset from the thread pointer, which the first word at that pointer
    // contains (System V ABI, x86-64).
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "mov {holder}, qword ptr [rip + libmasstree_holder@GOTTPOFF]",
            "add {holder}, qword ptr fs:[0]",
            holder = out(reg) holder,
            options(pure, readonly, nostack),
        );
    }
    // SAFETY: as above; here, a register has the thread pointer (ELF for the Arm 64-bit Architecture).
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!(
            "adrp {holder}, :gottprel:libmasstree_holder",
            "ldr {holder}, [{holder}, :gottprel_lo12:libmasstree_holder]",
            "mrs {thread}, tpidr_el0",
            "add {holder}, {holder}, {thread}",
            holder = out(reg) holder,
            thread = out(reg) _,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    // SAFETY: only this thread accesses the variable, which is aligned and valid: it was zero, and
    // lives until the thread has ended.
    work(unsafe { &*holder })
}

impl Holder {
    #[inline]
    fn holding(&self) -> Option<Holding> {
        self.0
            .get()
            .filter(|holding| holding.generation == generation())
    }

    /// Whether the thread holds a leaf.
    #[inline]
    pub(crate) fn is_holding(&self) -> bool {
        self.holding().is_some()
    }

    /// Whether the thread holds a leaf, and a layer above keeps this hold at the address `place`.
    /// Also true in a forked child, if the thread held the leaf in the parent process.
    #[inline]
    pub(crate) fn holds_in(&self, place: *const ()) -> bool {
        self.0.get().is_some_and(|holding| holding.place == place)
    }

    /// Records that the thread holds a leaf of a tree.
    #[inline]
    pub(super) fn begin(&self, tree: &Tree, leaf: &Leaf, incarnation: u64, place: *const ()) {
        #[cfg(all(debug_assertions, not(any(loom, shuttle))))]
        // `try_with` registers the destructor that checks, for which the C library allocates. It
        // fails after that destructor has run, while the thread ends: then nothing checks.
        let _watched = errno::preserve(|| THREAD_END_CHECK.try_with(|_| ()));
        self.0.set(Some(Holding {
            tree: NonNull::from(tree),
            leaf,
            incarnation,
            generation: generation(),
            place,
        }));
    }

    /// Records that the thread holds no leaf.
    #[inline]
    pub(super) fn end(&self) {
        self.0.set(None);
    }
}

fn holding() -> Option<Holding> {
    with_holder(Holder::holding)
}

/// Whether this thread holds a leaf.
pub(super) fn is_holding() -> bool {
    holding().is_some()
}

/// Whether this thread holds the leaf with this id.
pub(in crate::index::tree) fn holds(leaf_id: u64) -> bool {
    holding().is_some_and(|holding| holding.leaf.expose_provenance() as u64 == leaf_id)
}

/// In builds with debug assertions, aborts if a thread ends while it holds a leaf.
#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
struct ThreadEndCheck;

#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
thread_local! {
    static THREAD_END_CHECK: ThreadEndCheck = const { ThreadEndCheck };
}

#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
impl Drop for ThreadEndCheck {
    fn drop(&mut self) {
        assert!(!is_holding(), "a thread must finish before it ends");
    }
}

impl Tree {
    /// Panics, in builds with debug assertions, if this thread holds a leaf of this tree. Called
    /// before this thread waits for locks.
    #[inline]
    pub(in crate::index::tree) fn must_not_hold(&self) {
        #[cfg(debug_assertions)]
        assert!(
            !holding().is_some_and(|holding| std::ptr::eq(holding.tree.as_ptr(), self)),
            "a thread that holds a leaf must not write to the tree"
        );
    }

    /// Whether this thread holds a leaf of this tree, and the tree has been cleared since the hold
    /// began.
    pub(in crate::index::tree) fn holds_cleared(&self) -> bool {
        holding().is_some_and(|holding| {
            std::ptr::eq(holding.tree.as_ptr(), self)
                && !self.clears.none_since(holding.incarnation)
        })
    }
}
