//! Inner nodes: up to 15 keys and one more child.
//!
//! ```text
//! byte   0   version
//!        8   15 keys, ascending; unused ones hold the greatest slice
//!      128   16 children; unused ones repeat the last
//!      256   number of keys
//!      264   parent
//! ```
//!
//! Child `i` holds the slices from key `i-1` on, below key `i`. Because unused
//! keys are the greatest slice and unused children repeat the last, a search
//! counts the keys at most the slice it looks for among all fifteen, without
//! reading how many are in use, and no word of a reachable internode leads to a
//! retired child.
//!
//! Every change is made under DIRTY. A node gets an internode for its parent when that is
//! whole: walks go up without a lock, to read what they find (see `ahead`).

#[cfg(all(test, loom))]
mod models;

use super::link::{Node, NodeRef};
use super::permutation::WIDTH;
use super::search::{Head, Search};
use super::version::{Version, VersionWord};
use super::{Lockable, Locked};
use crate::protocol::Line;
use crate::sync::{AtomicPtr, AtomicU64, Ordering};

/// Children of a full internode.
const FANOUT: usize = WIDTH + 1;

/// Keys of a full internode. Where races are looked for, internodes are narrow, so
/// that trees are high and every level splits and vanishes often.
const CAPACITY: usize = if cfg!(any(masstree_perturb, shuttle)) {
    3
} else {
    WIDTH
};

/// Stands in unused keys.
const NO_KEY: u64 = u64::MAX;

#[repr(C, align(64))]
pub(crate) struct Internode {
    head: Head,
    children: [AtomicPtr<Node>; FANOUT],
    len: AtomicU64,
    parent: AtomicPtr<Node>,
    spare: [AtomicU64; 6],
}

#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(size_of::<Internode>() == 320);

impl Internode {
    /// A locked internode without children, for its maker to fill.
    pub(crate) fn new() -> Self {
        Self {
            head: Head::new(Version::NEW_INTERNODE, NO_KEY),
            children: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            len: AtomicU64::new(0),
            parent: AtomicPtr::new(std::ptr::null_mut()),
            spare: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// The child that holds a slice.
    #[inline]
    pub(crate) fn child_for<S: Search>(&self, slice: u64) -> NodeRef<'_> {
        self.child(self.child_index::<S>(slice))
    }

    /// Which child holds a slice.
    #[inline]
    pub(crate) fn child_index<S: Search>(&self, slice: u64) -> usize {
        let index = S::count_at_most(&self.head, slice);
        // SAFETY: a count of at most fifteen words.
        unsafe { std::hint::assert_unchecked(index < FANOUT) };
        index
    }

    /// The child at a place, or the last one for a place beyond.
    #[inline]
    pub(crate) fn child(&self, index: usize) -> NodeRef<'_> {
        debug_assert!(index < FANOUT);
        // SAFETY: a published internode has at least one child and repeats the
        // last in unused places; see the room's rules.
        unsafe { NodeRef::load(&self.children[index]).unwrap_unchecked() }
    }

    /// The number of keys; children are one more. Exact under the lock.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() == CAPACITY
    }

    pub(crate) fn key(&self, index: usize) -> u64 {
        self.head.words[index].load(Ordering::Relaxed)
    }

    /// The unused words, as `check` wants them.
    pub(crate) fn padding_is_intact(&self) -> bool {
        let len = self.len();
        (len..WIDTH).all(|i| self.key(i) == NO_KEY)
            && (len..FANOUT).all(|i| self.child(i) == self.child(len))
    }
}

impl Lockable for Internode {
    #[inline]
    fn any(&self) -> NodeRef<'_> {
        NodeRef::from(self)
    }

    #[inline]
    fn version(&self) -> &VersionWord {
        &self.head.version
    }

    #[inline]
    fn parent_word(&self) -> &AtomicPtr<Node> {
        &self.parent
    }
}

/// All children of an internode and one more, with the keys between them: what a
/// split distributes.
struct Overfull<'g> {
    keys: [u64; CAPACITY + 1],
    children: [NodeRef<'g>; CAPACITY + 2],
}

impl<'g> Locked<'g, Internode> {
    /// The place of a child that is under this internode.
    pub(crate) fn index_of(&self, child: NodeRef<'_>) -> usize {
        (0..=self.len())
            .find(|&index| self.child(index) == child)
            .expect("a node is among its parent's children")
    }

    fn set_key(&self, index: usize, key: u64) {
        self.head.words[index].store(key, Ordering::Relaxed);
    }

    fn set_child(&self, index: usize, child: NodeRef<'_>) {
        self.children[index].store(child.as_ptr(), Ordering::SeqCst);
    }

    fn set_len(&self, len: usize) {
        self.len.store(len as u64, Ordering::Relaxed);
    }

    /// Rewrites the unused words to what the module's comment says.
    fn pad(&self) {
        let len = self.len();
        let last = self.child(len);
        for index in len..WIDTH {
            self.set_key(index, NO_KEY);
            self.set_child(index + 1, last);
        }
    }

    /// Fills a private internode.
    pub(crate) fn fill(&self, keys: &[u64], children: &[NodeRef<'_>]) {
        debug_assert_eq!(keys.len() + 1, children.len());
        for (index, &key) in keys.iter().enumerate() {
            self.set_key(index, key);
        }
        for (index, &child) in children.iter().enumerate() {
            self.set_child(index, child);
            if !Line::FilledBeforeParent.is_enabled() {
                child.set_parent(NodeRef::from(self.node()));
            }
        }
        self.set_len(keys.len());
        self.pad();
        if Line::FilledBeforeParent.is_enabled() {
            let this = NodeRef::from(self.node());
            children.iter().for_each(|child| child.set_parent(this));
        }
    }

    /// Puts `right` after the child at `place`, `key` between them. Not for a
    /// full internode; it is dirty.
    pub(crate) fn insert(&self, index: usize, key: u64, right: NodeRef<'_>) {
        let len = self.len();
        debug_assert!(len < CAPACITY && index <= len);
        for i in (index..len).rev() {
            self.set_key(i + 1, self.key(i));
            self.set_child(i + 2, self.child(i + 1));
        }
        self.set_key(index, key);
        self.set_child(index + 1, right);
        right.set_parent(NodeRef::from(self.node()));
        self.set_len(len + 1);
        self.pad();
    }

    /// As `insert` for a full internode: the upper part moves to `empty`, a
    /// private one. Gives the key between the two. When keys arrive in order
    /// (`append`), this internode stays full.
    pub(crate) fn split_insert(
        &self,
        empty: &Locked<'g, Internode>,
        index: usize,
        key: u64,
        right: NodeRef<'g>,
        append: bool,
    ) -> u64 {
        let all = self.with(index, key, right);
        let kept = if append && index == CAPACITY {
            CAPACITY
        } else {
            CAPACITY.div_ceil(2)
        };
        empty.fill(&all.keys[kept + 1..], &all.children[kept + 1..]);
        for i in 0..kept {
            self.set_key(i, all.keys[i]);
        }
        for (i, child) in all.children[..=kept].iter().enumerate() {
            self.set_child(i, *child);
        }
        if index < kept {
            right.set_parent(NodeRef::from(self.node()));
        }
        self.set_len(kept);
        self.pad();
        all.keys[kept]
    }

    fn with(&self, index: usize, key: u64, right: NodeRef<'g>) -> Overfull<'g> {
        debug_assert!(self.is_full());
        let node = self.node();
        Overfull {
            keys: std::array::from_fn(|i| match i {
                i if i < index => node.key(i),
                i if i == index => key,
                i => node.key(i - 1),
            }),
            children: std::array::from_fn(|i| match i {
                i if i <= index => node.child(i),
                i if i == index + 1 => right,
                i => node.child(i - 1),
            }),
        }
    }

    /// Drops the child at `place`; what it held belongs to the child before it,
    /// or, for the first, to whatever is before this internode. It is dirty and
    /// has another child.
    pub(crate) fn remove(&self, index: usize) {
        let len = self.len();
        debug_assert!(index <= len && len > 0);
        for i in index.max(1)..len {
            self.set_key(i - 1, self.key(i));
        }
        for i in index..len {
            self.set_child(i, self.child(i + 1));
        }
        self.set_len(len - 1);
        self.pad();
    }

    /// Moves the boundary before the child at `place`. It is dirty.
    pub(crate) fn set_separator(&self, index: usize, key: u64) {
        debug_assert!(0 < index && index <= self.len());
        self.set_key(index - 1, key);
    }
}
