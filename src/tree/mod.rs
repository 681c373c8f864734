//! The tree: a trie of B+trees over nodes from `node`.
//!
//! One file an operation: `descend` finds a leaf, `put` stores, `split` makes
//! room, `layer` goes one slice deeper, `remove` takes out, `collapse` gives back
//! what became empty, `scan` visits a range, `check` verifies. `lock` says in
//! which order locks are taken, `reserve` has memory ready before they are.

mod check;
mod collapse;
mod descend;
mod destroy;
mod layer;
mod lock;
mod put;
mod range;
mod remove;
mod reserve;
mod scan;
mod split;

use std::ptr::NonNull;

pub use put::Inserted;
pub use range::{Bound, Range};

use crate::OutOfMemory;
use crate::key::MAX_KEY_LEN;
use crate::node::{Locked, Node, NodeRef};
use crate::reclaim::{Domain, Guard, LocalGuard, Pin};
use crate::sync::{AtomicPtr, Ordering};
use crate::value::Destructor;

/// A concurrent ordered map from byte strings to 64-bit words.
///
/// Operations take a [`Pin`] of one of the tree's guards; they panic on one of
/// another tree, and on a key longer than [`MAX_KEY_LEN`].
pub struct Tree {
    /// The root of the first layer, never null. Owned by that root's lock.
    root: AtomicPtr<Node>,
    domain: NonNull<Domain>,
}

// SAFETY: nodes are shared by the protocols of `node` and `tree`, the domain by
// atomics and by seize; values are plain words.
unsafe impl Send for Tree {}
// SAFETY: as above.
unsafe impl Sync for Tree {}

impl Tree {
    /// An empty tree. Values that leave it unclaimed go to the destructor.
    pub fn new(destructor: Option<Destructor>) -> Result<Self, OutOfMemory> {
        let domain = Domain::create(destructor)?;
        // SAFETY: just created.
        let Some(leaf) = (unsafe { domain.as_ref() }).memory.new_leaf() else {
            // SAFETY: nobody has seen the domain.
            unsafe { Domain::destroy(domain) };
            return Err(OutOfMemory);
        };
        let mut root = Locked::private(leaf);
        root.set_root(true, std::ptr::null_mut());
        Ok(Self {
            root: AtomicPtr::new(NodeRef::from(root.node()).as_ptr()),
            domain,
        })
    }

    /// A guard that may move between threads.
    pub fn guard(&self) -> Guard<'_> {
        self.domain().enter()
    }

    /// A guard of this thread, for a short time.
    #[inline]
    pub fn local_guard(&self) -> LocalGuard<'_> {
        self.domain().enter_local()
    }

    /// Whether a pin is of one of this tree's guards.
    #[inline]
    pub fn owns(&self, pin: Pin<'_>) -> bool {
        std::ptr::eq(pin.domain(), self.domain.as_ptr())
    }

    /// The value of a key.
    #[inline]
    pub fn get(&self, pin: Pin<'_>, key: &[u8]) -> Option<u64> {
        self.admit(pin, key);
        self.find(pin, key)
    }

    /// Hands a value that left the tree to the destructor, once no reader can
    /// hold it.
    pub fn discard(&self, pin: Pin<'_>, value: u64) {
        self.admit(pin, &[]);
        pin.retire_value(value);
    }

    /// Number of keys, for statistics: exact when no thread is writing.
    pub fn key_count(&self) -> u64 {
        self.domain().keys()
    }

    /// Bytes of nodes and suffixes, those included that wait for guards; exact
    /// when no thread is writing.
    pub fn memory_in_use(&self) -> usize {
        self.domain().memory.in_use()
    }

    #[inline]
    fn domain(&self) -> &Domain {
        // SAFETY: the domain lives until the tree is dropped.
        unsafe { self.domain.as_ref() }
    }

    /// The root of the first layer.
    #[inline]
    fn root<'g>(&self, _pin: Pin<'g>) -> NodeRef<'g> {
        // SAFETY: never null, and what it led to is protected by the pin.
        unsafe { NodeRef::load(&self.root).unwrap_unchecked() }
    }

    /// Makes another node the root of the first layer. The caller owns the lock
    /// of the present one.
    fn set_root(&self, root: NodeRef<'_>) {
        self.root.store(root.as_ptr(), Ordering::SeqCst);
    }

    #[inline]
    fn admit(&self, pin: Pin<'_>, key: &[u8]) {
        assert!(self.owns(pin), "a guard of another tree");
        assert!(key.len() <= MAX_KEY_LEN, "a key longer than 2^32 - 1 bytes");
    }
}
