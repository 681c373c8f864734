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
use super::nodes::Content;
use crate::annotate;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Count, Era};
use crate::index::node::{AnyNode, Entry, Leaf, Lockable, Locked, NodeRef};
use crate::index::reclaim::{Domain, Pinned};
use crate::index::tree::Tree;
use crate::index::tree::read::observe::Clears;
use crate::index::tree::write::engine::Decision;
use crate::index::tree::write::merge::Sweep;
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
    /// Bytes that have waited with it since.
    bytes: usize,
}

impl Tree {
    /// Removes every key at once. Values go where those of removed keys go.
    pub fn clear(&self, pin: Pinned<'_>) -> Result<(), OutOfMemory> {
        self.admit(pin, &[]);
        self.must_not_hold();
        let memory = &pin.domain().memory;
        let mut reserve = Self::leaves(pin, 2)?;
        let layout = Layout::new::<Detached>();
        let note = memory.allocate(layout, Count::RetiredObjectBytes);
        let note = note.ok_or(OutOfMemory)?.cast::<Detached>();

        let (root, tomb) = (reserve.leaf(Era::FIRST), reserve.leaf(Era::FIRST));
        let (new, buried) = (root.node(), tomb.node());
        self.bury(pin, root, tomb);
        memory.tally().begin_era(new.era());
        let in_limbo = memory.tally().sum(Count::LimboBytes);
        let bytes = memory.in_use().saturating_sub(in_limbo) as usize;
        // SAFETY: freshly allocated; nobody who begins from here on finds the way to
        // the tomb, and only this call retires it.
        unsafe {
            note.write(Detached {
                tomb: NonNull::from(buried),
                bytes,
            });
            pin.retire(note.as_ptr(), free_detached, bytes);
        }
        pin.flush();
        Ok(())
    }

    /// So many leaves, in case they are needed.
    fn leaves<'g>(pin: Pinned<'g>, leaves: usize) -> Result<Reserve<'g>, OutOfMemory> {
        let mut reserve = Reserve::new(&pin.domain().memory);
        reserve.fill(&Needs {
            leaves,
            ..Needs::default()
        })?;
        Ok(reserve)
    }

    /// Puts an empty root in the place of the present one, which goes under the tomb.
    fn bury<'g>(&self, pin: Pinned<'g>, mut new: Locked<'g, Leaf>, mut tomb: Locked<'g, Leaf>) {
        new.set_root(true, std::ptr::null_mut());
        tomb.set_root(true, std::ptr::null_mut());
        // Let go before anybody can see it: whoever does need not wait.
        let root = new.node();
        drop(new);
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
        if !self.is_root(old) && Line::ClearedIsTheRoot.is_enabled() {
            return false;
        }
        root.set_era(Era::after(self.clears.begun() + 1));
        tomb.insert(0, &Entry::link(0, old.node().any()));
        if Line::ClearedGoesUnderTomb.is_enabled() {
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
        pin: Pinned<'_>,
        len: usize,
        key: impl Fn(usize, &mut dyn FnMut(&[u8])),
        value: impl FnMut(usize) -> Result<u64, OutOfMemory>,
    ) -> Result<Loaded, OutOfMemory> {
        self.admit(pin, &[]);
        self.must_not_hold();
        let Some(era) = self.era_if_empty(pin) else {
            return Ok(Loaded::NotEmpty);
        };
        let mut root = Self::leaves(pin, 1)?.leaf(era);
        root.set_root(true, std::ptr::null_mut());
        // Not to be dropped: it shares its domain with this tree.
        let aside = ManuallyDrop::new(Self {
            root: AtomicPtr::new(NodeRef::from(root.node()).as_ptr()),
            isa: self.isa,
            clears: Clears::none(),
            sweep: Sweep::new(self.source()),
            domain: self.domain,
        });
        drop(root);
        let filled = aside.fill(pin.unreported(), len, key, value);
        let filled = filled.and_then(|()| Ok(len == 0 || self.take_place(pin, &aside, era)?));
        if filled == Ok(true) {
            if len == 0 {
                aside.give_back(pin);
            }
            return Ok(Loaded::Done);
        }
        aside.give_back(pin);
        filled.map(|_| Loaded::NotEmpty)
    }

    fn fill(
        &self,
        pin: Pinned<'_>,
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

    /// The era of the tree, if it has no keys at this moment.
    fn era_if_empty(&self, pin: Pinned<'_>) -> Option<Era> {
        match self.root(pin).kind() {
            AnyNode::Leaf(leaf) => leaf.permutation().is_empty().then(|| leaf.era()),
            AnyNode::Internode(_) => None,
        }
    }

    /// Gives this empty tree the root of another, of an era. Says no if it is not empty.
    fn take_place(&self, pin: Pinned<'_>, aside: &Self, mut era: Era) -> Result<bool, OutOfMemory> {
        // Ends: each time around, a writer has replaced the root.
        loop {
            let AnyNode::Leaf(leaf) = self.root(pin).kind() else {
                return Ok(false);
            };
            let mut old = Locked::lock(leaf);
            if !self.is_root(&old) && Line::DisplacedIsTheRoot.is_enabled() {
                continue;
            }
            if !leaf.permutation().is_empty() && Line::DisplacedIsEmpty.is_enabled() {
                return Ok(false);
            }
            if leaf.era() != era {
                // The tree was cleared meanwhile.
                drop(old);
                era = leaf.era();
                aside.move_to_era(pin, era)?;
                continue;
            }
            old.mark_dirty();
            self.set_root(aside.root(pin));
            if Line::DisplacedIsDeleted.is_enabled() {
                old.delete();
            }
            // SAFETY: the root word leads elsewhere, and the leaf is deleted.
            unsafe { pin.retire_leaf(leaf) };
            return Ok(true);
        }
    }

    /// Makes a tree that nobody has seen one of another era, in which its keys are counted.
    fn move_to_era(&self, pin: Pinned<'_>, era: Era) -> Result<(), OutOfMemory> {
        self.visit_nodes(pin, &mut |node| {
            if let Content::Leaf(leaf, entries) = node.content {
                let keys = entries.iter().filter(|entry| entry.layer().is_none());
                let keys = keys.count() as i64;
                pin.count_keys(leaf, -keys);
                leaf.set_era(era);
                pin.count_keys(leaf, keys);
            }
        })
    }

    /// Frees a tree that nobody has seen, but not the words in it.
    fn give_back(&self, pin: Pinned<'_>) {
        let domain = pin.domain();
        // SAFETY: nobody else knows of these nodes; byte strings were made for them.
        unsafe {
            free_all(
                domain,
                self.root(pin),
                domain.holds_bytes(),
                &mut |leaf, keys| {
                    pin.count_keys(leaf, -(keys as i64));
                },
            );
        }
    }
}

/// # Safety
/// The tree was retired in this collector, and no guard protects it any more.
unsafe fn free_detached(note: *mut Detached, collector: &Collector) {
    // SAFETY: by contract; a collector calls this while its domain lives.
    unsafe {
        let domain = Domain::of(collector);
        let _freeing = annotate::Freeing::begin(domain);
        let Detached { tomb, bytes } = note.read();
        let (note, layout) = (NonNull::new_unchecked(note), Layout::new::<Detached>());
        domain
            .memory
            .free(note.cast(), layout, Count::RetiredObjectBytes);
        domain.leave_limbo(bytes);
        free_all(domain, NodeRef::from(tomb.as_ref()), true, &mut |_, _| ());
    }
}
