//! Changing everything at once: emptying a tree, and filling an empty one.
//!
//! **Clearing.** An empty leaf takes the place of the tree's root, and the tree that
//! was becomes a layer under a *tomb*: a leaf of its own, which nothing leads to, that
//! links to the old root. Both happen under the lock of the old root, which owns the
//! tree's root word. The store to that word is the linearization point.
//!
//! Whoever has begun before may go on in the old tree, and even change it: that counts
//! as done before the clearing. It finds a tree as sound as any, whose root happens to
//! lie in a layer: should that root split or vanish, the tomb's link follows. Nobody
//! who begins after finds the way there. So when every guard of the moment has been let
//! go, nobody is in the old tree, and it is freed as a tree is that is destroyed. Cursors,
//! which stay where they are between two calls, notice that the root is another.
//!
//! **Bulk loading.** A second tree is filled that nobody knows of, and then takes the
//! place of the empty leaf that is the whole of the first, under that leaf's lock; the
//! leaf is deleted, so that who waits for it starts over.

use std::alloc::Layout;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use seize::Collector;

use super::destroy::free_all;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Count, own_stripe};
use crate::index::node::{AnyNode, Entry, Leaf, Lockable, Locked, NodeRef};
use crate::index::reclaim::{Domain, Pin};
use crate::index::tree::Tree;
use crate::index::tree::read::observe::Clears;
use crate::index::tree::write::put::Decision;
use crate::index::tree::write::reserve::{Needs, Reserve};
use crate::protocol::Line;
use crate::sync::AtomicPtr;

/// What [`Tree::bulk_load`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loaded {
    /// Everything is in the tree.
    Done,
    /// The tree was not empty; nothing was changed.
    NotEmpty,
}

/// A tree that was cleared away.
struct Detached {
    tomb: NonNull<Leaf>,
    /// Keys that were counted in it then.
    keys: u64,
    /// Bytes that have waited with it since.
    bytes: usize,
}

impl Tree {
    /// Removes every key at once. Values go where those of removed keys go.
    pub fn clear(&self, pin: Pin<'_>) -> Result<(), OutOfMemory> {
        self.admit(pin, &[]);
        self.must_not_hold();
        let memory = &pin.domain().memory;
        let mut reserve = Self::leaves(pin, 2)?;
        let layout = Layout::new::<Detached>();
        let note = memory.allocate(layout, Count::NoteBytes);
        let note = note.ok_or(OutOfMemory)?.cast::<Detached>();

        let (root, tomb) = (reserve.leaf(), reserve.leaf());
        let buried = tomb.node();
        pin.count(Count::Detached, 1);
        self.bury(pin, root, tomb);
        let keys = self.key_count();
        let in_limbo = memory.tally().sum(Count::LimboBytes);
        let bytes = memory.in_use().saturating_sub(in_limbo) as usize;
        pin.count(Count::Keys, -(keys as i64));
        // SAFETY: freshly allocated; nobody who begins from here on finds the way to
        // the tomb, and only this call retires it.
        unsafe {
            note.write(Detached {
                tomb: NonNull::from(buried),
                keys,
                bytes,
            });
            pin.retire(note.as_ptr(), free_detached, bytes);
        }
        pin.flush();
        Ok(())
    }

    /// So many leaves, in case they are needed.
    fn leaves<'g>(pin: Pin<'g>, leaves: usize) -> Result<Reserve<'g>, OutOfMemory> {
        let mut reserve = Reserve::new(&pin.domain().memory);
        reserve.fill(&Needs {
            leaves,
            ..Needs::default()
        })?;
        Ok(reserve)
    }

    /// Puts an empty root in the place of the present one, which goes under the tomb.
    fn bury<'g>(&self, pin: Pin<'g>, mut new: Locked<'g, Leaf>, mut tomb: Locked<'g, Leaf>) {
        new.set_root(true, std::ptr::null_mut());
        // Let go before anybody can see it: whoever does need not wait.
        let root = new.node();
        drop(new);
        tomb.set_root(true, std::ptr::null_mut());
        // Ends: each time around, a writer has replaced the root.
        loop {
            let lowered = match self.root(pin).kind() {
                AnyNode::Leaf(leaf) => self.lower(&Locked::lock(leaf), root, &mut tomb),
                AnyNode::Internode(node) => self.lower(&Locked::lock(node), root, &mut tomb),
            };
            if lowered {
                return;
            }
        }
    }

    /// Whether a locked node is the root of the tree, and so stays it. It is not deleted then:
    /// a root is replaced, under its lock, before it is deleted.
    pub(in crate::index::tree) fn is_root<N: Lockable>(&self, node: &Locked<'_, N>) -> bool {
        // SAFETY: never null, and only compared.
        let root = unsafe { NodeRef::load(&self.root) };
        root == Some(node.node().any())
    }

    /// `bury` for one that may be the root; says whether it is.
    fn lower<'g, N: Lockable>(
        &self,
        old: &Locked<'g, N>,
        root: &'g Leaf,
        tomb: &mut Locked<'g, Leaf>,
    ) -> bool {
        if !self.is_root(old) && Line::ClearedIsTheRoot.is_kept() {
            return false;
        }
        tomb.insert(0, &Entry::link(0, old.node().any()));
        if Line::ClearedGoesUnderTomb.is_kept() {
            old.set_parent(NodeRef::from(tomb.node()).as_ptr());
        }
        self.clears.count(|| self.set_root(NodeRef::from(root)));
        true
    }

    /// Fills an empty tree with so many keys, which must come in ascending order and
    /// differ. Values are asked for once each, in order. Everything appears at once;
    /// or, if the tree is not empty or memory runs out, nothing is changed, and words
    /// stay the caller's.
    ///
    /// `key` hands the key at a place on.
    pub fn bulk_load(
        &self,
        pin: Pin<'_>,
        len: usize,
        key: impl Fn(usize, &mut dyn FnMut(&[u8])),
        value: impl FnMut(usize) -> Result<u64, OutOfMemory>,
    ) -> Result<Loaded, OutOfMemory> {
        self.admit(pin, &[]);
        self.must_not_hold();
        if !self.is_empty(pin) {
            return Ok(Loaded::NotEmpty);
        }
        let mut root = Self::leaves(pin, 1)?.leaf();
        root.set_root(true, std::ptr::null_mut());
        // Not to be dropped: it shares its domain with this tree.
        let aside = ManuallyDrop::new(Self {
            root: AtomicPtr::new(NodeRef::from(root.node()).as_ptr()),
            isa: self.isa,
            clears: Clears::none(),
            domain: self.domain,
        });
        drop(root);
        let filled = aside.fill(pin.unreported(), len, key, value);
        if filled.is_ok() && (len == 0 || self.take_place(pin, &aside)) {
            if len == 0 {
                aside.give_back(pin);
            }
            return Ok(Loaded::Done);
        }
        aside.give_back(pin);
        filled.map(|()| Loaded::NotEmpty)
    }

    fn fill(
        &self,
        pin: Pin<'_>,
        len: usize,
        key: impl Fn(usize, &mut dyn FnMut(&[u8])),
        mut value: impl FnMut(usize) -> Result<u64, OutOfMemory>,
    ) -> Result<(), OutOfMemory> {
        for place in 0..len {
            let word = value(place)?;
            let mut written = Ok(None);
            key(place, &mut |key| {
                written = self.write(pin, key, |_| Decision::Set(word));
            });
            if written.is_err() && pin.domain().holds_bytes() {
                pin.retire_value(word);
            }
            written?;
        }
        Ok(())
    }

    /// Whether the tree has no keys at this moment.
    fn is_empty(&self, pin: Pin<'_>) -> bool {
        match self.root(pin).kind() {
            AnyNode::Leaf(leaf) => leaf.permutation().is_empty(),
            AnyNode::Internode(_) => false,
        }
    }

    /// Gives this empty tree the root of another. Fails if it is not empty.
    fn take_place(&self, pin: Pin<'_>, aside: &Self) -> bool {
        // Ends: each time around, a writer has replaced the root.
        loop {
            let AnyNode::Leaf(leaf) = self.root(pin).kind() else {
                return false;
            };
            let mut old = Locked::lock(leaf);
            if !self.is_root(&old) && Line::DisplacedIsTheRoot.is_kept() {
                continue;
            }
            if !leaf.permutation().is_empty() && Line::DisplacedIsEmpty.is_kept() {
                return false;
            }
            old.mark_dirty();
            self.set_root(aside.root(pin));
            if Line::DisplacedIsDeleted.is_kept() {
                old.delete();
            }
            // SAFETY: the root word leads elsewhere, and the leaf is deleted.
            unsafe { pin.retire_leaf(leaf) };
            return true;
        }
    }

    /// Frees a tree that nobody has seen, but not the words in it.
    fn give_back(&self, pin: Pin<'_>) {
        let domain = pin.domain();
        // SAFETY: nobody else knows of these nodes; byte strings were made for them.
        let keys = unsafe { free_all(domain, self.root(pin), domain.holds_bytes()) };
        pin.count(Count::Keys, -(keys as i64));
    }
}

/// # Safety
/// The tree was retired in this collector, and no guard protects it any more.
unsafe fn free_detached(note: *mut Detached, collector: &Collector) {
    // SAFETY: by contract; a collector calls this while its domain lives.
    unsafe {
        let domain = Domain::of(collector);
        let Detached { tomb, keys, bytes } = note.read();
        let (note, layout) = (NonNull::new_unchecked(note), Layout::new::<Detached>());
        domain.memory.free(note.cast(), layout, Count::NoteBytes);
        domain.leave_limbo(bytes);
        // What those who were in it still changed was not in the count then.
        let left = free_all(domain, NodeRef::from(tomb.as_ref()), true);
        domain.count_keys(keys as i64 - left as i64);
        (domain.memory.tally()).add(own_stripe(), Count::Detached, -1);
    }
}
