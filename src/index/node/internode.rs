//! Internodes: up to 15 keys (separators) and one more child.
//!
//! ```text
//! byte   0   version
//!        8   15 keys, ascending, each stored as a separator (see `separator_of`)
//!      128   16 children; unused ones repeat the last
//!      256   number of keys
//!      264   parent
//!      272   level: the number of levels of internodes below this one; never changes
//!      273   levels below: the height of the layers below (see `tree::write::levels`)
//! ```
//!
//! Child `i` holds the slices that are at least key `i-1` and less than key `i`. Unused keys are
//! greater than any slice, and unused child words repeat the last child. So a search counts, among
//! all fifteen keys, those that are at most its slice, and need not read how many keys are in use;
//! and no word of a reachable internode points to a retired child.
//!
//! **Separators.** The only order comparison of 64-bit words in AVX2 is "greater than", on signed
//! integers. A search therefore compares the slice with its highest bit inverted (`word_of`), and a
//! key `k` is stored as the word of the slice `k - 1`: that word is less than the word of a slice
//! if and only if the slice is at least `k`. No key is 0, since the child before a key holds at
//! least one slice. (With keys stored as they are, AVX2 takes 11 instructions more for each
//! internode.)
//!
//! Every change is made under DIRTY. An internode is filled before it becomes a node's parent:
//! walks follow parent words without a lock, and read the internode (see `ahead`).

mod fill;
#[cfg(all(test, loom))]
mod models;

use std::ops::Range;

use super::link::{Node, NodeRef};
use super::permutation::WIDTH;
use super::racing;
use super::search::{Head, Search};
use super::version::{Version, VersionWord};
use super::{Lockable, Locked};
use crate::protocol::Line;
use crate::sync::{AtomicPtr, AtomicU8, AtomicU64, Ordering};

/// Children of a full internode.
const FANOUT: usize = WIDTH + 1;

/// Keys of a full internode. In builds that look for races, internodes are narrow, so that
/// trees are high and every level often splits and disappears.
const CAPACITY: usize = if cfg!(any(masstree_perturb, shuttle)) {
    3
} else {
    WIDTH
};

/// The word of a slice: as signed integers, words are in the order of their slices.
#[inline]
const fn word_of(slice: u64) -> u64 {
    slice ^ 1 << 63
}

/// The word that is stored for a key: less than the words of exactly those slices that are at least
/// the key.
const fn separator_of(key: u64) -> u64 {
    debug_assert!(key > 0);
    word_of(key - 1)
}

/// The separator of unused keys: no word is greater.
const UNUSED: u64 = word_of(u64::MAX);

#[repr(C, align(64))]
pub(crate) struct Internode {
    head: Head,
    children: [AtomicPtr<Node>; FANOUT],
    len: AtomicU64,
    parent: AtomicPtr<Node>,
    level: AtomicU8,
    below: AtomicU8,
    /// No byte of a node is padding: `alloc` copies nodes word by word.
    spare: [AtomicU8; 46],
}

#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(size_of::<Internode>() == 320);
#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(std::mem::offset_of!(Internode, spare) + 46 == size_of::<Internode>());

impl Internode {
    /// Returns a locked internode without children, for the caller to fill.
    pub(crate) fn new() -> Self {
        Self {
            head: Head::new(Self::NEW, UNUSED),
            children: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            len: AtomicU64::new(0),
            parent: AtomicPtr::new(std::ptr::null_mut()),
            level: AtomicU8::new(0),
            below: AtomicU8::new(0),
            spare: std::array::from_fn(|_| AtomicU8::new(0)),
        }
    }

    /// The child that holds a slice.
    #[inline]
    pub(crate) fn child_for<S: Search>(&self, slice: u64) -> NodeRef<'_> {
        self.child(self.child_index::<S>(slice))
    }

    /// The index of the child that holds a slice.
    #[inline]
    pub(crate) fn child_index<S: Search>(&self, slice: u64) -> usize {
        let index = S::count_less(&self.head, word_of(slice));
        // SAFETY: a count of at most fifteen words.
        unsafe { std::hint::assert_unchecked(index < FANOUT) };
        index
    }

    /// The child at an index; the last child for indexes of unused children.
    #[inline]
    pub(crate) fn child(&self, index: usize) -> NodeRef<'_> {
        debug_assert!(index < FANOUT);
        // SAFETY: a published internode has at least one child and repeats the last one in unused
        // words, so the word is not null; see the rules in `node`.
        unsafe { NodeRef::load(&self.children[index]).unwrap_unchecked() }
    }

    /// The word of the child that holds a slice, for readers without a guard. Unlike
    /// [`Internode::child_for`], returns no reference: the internode may be freed, and its memory
    /// reused for another node.
    #[inline]
    pub(crate) fn child_word<S: Search>(&self, slice: u64) -> *mut Node {
        racing::pointer(&self.children[self.child_index::<S>(slice)])
    }

    /// The number of keys; the number of children is greater by one. Exact under the lock.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed) as usize
    }

    /// How many levels of internodes are below this one.
    pub(crate) fn level(&self) -> u8 {
        self.level.load(Ordering::Relaxed)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() == CAPACITY
    }

    /// The key at an index; 0 for indexes of unused keys.
    pub(crate) fn key(&self, index: usize) -> u64 {
        word_of(self.separator(index)).wrapping_add(1)
    }

    /// Stores null over the children, as whatever reuses the memory of a freed internode might.
    #[cfg(all(test, loom))]
    pub(crate) fn spoil_children(&self) {
        for child in &self.children {
            child.store(std::ptr::null_mut(), Ordering::Relaxed);
        }
    }

    fn separator(&self, index: usize) -> u64 {
        self.head.words[index].load(Ordering::Relaxed)
    }

    /// Whether the unused words are as the module's comment says, for `check`.
    pub(crate) fn padding_is_intact(&self) -> bool {
        let len = self.len();
        (len..WIDTH).all(|i| self.separator(i) == UNUSED)
            && (len..FANOUT).all(|i| self.child(i) == self.child(len))
    }
}

impl Lockable for Internode {
    const NEW: Version = Version::NEW_INTERNODE;

    #[inline(always)]
    fn renew_zeroed(&self) {
        for word in &self.head.words {
            word.store(UNUSED, Ordering::Relaxed);
        }
    }

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

    fn below_word(&self) -> &AtomicU8 {
        &self.below
    }
}

/// All children of a full internode and one more, with the keys between them, for a split to
/// distribute.
struct Overfull<'g> {
    keys: [u64; CAPACITY + 1],
    children: [NodeRef<'g>; CAPACITY + 2],
}

impl<'g> Locked<'g, Internode> {
    /// The index of one of this internode's children.
    pub(crate) fn index_of(&self, child: NodeRef<'_>) -> usize {
        (0..=self.len())
            .find(|&index| self.child(index) == child)
            .expect("a node is among its parent's children")
    }

    fn set_key(&self, index: usize, key: u64) {
        self.set_separator(index, separator_of(key));
    }

    fn set_separator(&self, index: usize, separator: u64) {
        self.head.words[index].store(separator, Ordering::Relaxed);
    }

    fn set_child(&self, index: usize, child: NodeRef<'_>) {
        self.children[index].store(child.as_ptr(), Ordering::Release);
    }

    fn set_len(&self, len: usize) {
        self.len.store(len as u64, Ordering::Relaxed);
    }

    /// Fills the unused words as the module's comment says.
    fn pad(&self) {
        let len = self.len();
        let last = self.child(len);
        for index in len..WIDTH {
            self.set_separator(index, UNUSED);
            self.set_child(index + 1, last);
        }
    }

    /// Sets the level and the levels below of an internode that is not published.
    pub(crate) fn set_levels(&self, level: u8, below: u8) {
        self.level.store(level, Ordering::Relaxed);
        self.below.store(below, Ordering::Relaxed);
    }

    /// Sets the levels below to the maximum of these children's levels below. The caller has called
    /// [`Locked::levels_to_copy`] before.
    fn take_levels(&self, children: &[NodeRef<'_>]) {
        let below = children.iter().map(|child| child.levels_below()).max();
        let below = below.unwrap_or(0);
        self.below.store(below, Ordering::Relaxed);
    }

    /// Fills an internode that is not published.
    pub(crate) fn fill(&mut self, keys: &[u64], children: &[NodeRef<'_>]) {
        debug_assert_eq!(keys.len() + 1, children.len());
        self.set_lowest(children[0].version().load().is_leaf());
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

    /// Inserts `right` after the child at `index`, with `key` between them. The internode is dirty
    /// and not full.
    pub(crate) fn insert(&self, index: usize, key: u64, right: NodeRef<'_>) {
        let len = self.len();
        debug_assert!(len < CAPACITY && index <= len);
        for i in (index..len).rev() {
            self.set_separator(i + 1, self.separator(i));
            self.set_child(i + 2, self.child(i + 1));
        }
        self.set_key(index, key);
        self.set_child(index + 1, right);
        right.set_parent(NodeRef::from(self.node()));
        self.set_len(len + 1);
        if index == len {
            // `right` is the last child now, which unused words repeat.
            self.pad();
        }
    }

    /// Splits a full internode to insert `right` as `insert` does: the upper part moves to `empty`,
    /// which is not published. Returns the key between the two. When keys arrive in order
    /// (`append`), this internode stays full.
    pub(crate) fn split_insert(
        &self,
        empty: &mut Locked<'g, Internode>,
        index: usize,
        key: u64,
        right: NodeRef<'g>,
        append: bool,
    ) -> u64 {
        let below = self.levels_to_copy();
        empty.set_levels(self.level(), 0);
        let all = self.overfull_with(index, key, right);
        let kept = if append && index == CAPACITY {
            CAPACITY
        } else {
            CAPACITY.div_ceil(2)
        };
        // Before `empty` becomes the parent of a node: from then on, other threads may raise its
        // levels below.
        if below > 0 {
            empty.take_levels(&all.children[kept + 1..]);
        }
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
        if below > 0 {
            self.take_levels(&all.children[..=kept]);
        }
        all.keys[kept]
    }

    /// Returns the keys and children of a full internode after an insert as by `insert`.
    fn overfull_with(&self, index: usize, key: u64, right: NodeRef<'g>) -> Overfull<'g> {
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

    /// Removes the child at `index`. Its range goes to the child before it or, if the child is the
    /// first, to the node before this internode. The internode is dirty and has at least two
    /// children.
    pub(crate) fn remove(&self, index: usize) {
        let len = self.len();
        debug_assert!(index <= len && len > 0);
        for i in index.max(1)..len {
            self.set_separator(i - 1, self.separator(i));
        }
        for i in index..len {
            self.set_child(i, self.child(i + 1));
        }
        self.set_len(len - 1);
        self.pad();
    }

    /// Removes the children at these indexes, none of which is the first. Their range goes to the child
    /// before them. The internode is dirty.
    pub(crate) fn remove_many(&self, children: Range<usize>) {
        let len = self.len();
        debug_assert!(0 < children.start && children.end <= len + 1);
        let removed = children.len();
        for i in children.end..=len {
            self.set_separator(i - 1 - removed, self.separator(i - 1));
            self.set_child(i - removed, self.child(i));
        }
        self.set_len(len - removed);
        self.pad();
    }

    /// Replaces the key before the child at `index`. The internode is dirty.
    pub(crate) fn replace_key(&self, index: usize, key: u64) {
        debug_assert!(0 < index && index <= self.len());
        self.set_key(index - 1, key);
    }
}
