//! The trees of a store, by name and by number.
//!
//! A tree is made by a record of the log, and is never destroyed before the store is closed, so
//! references to it need no guard. A mutex protects the catalog. It is held for the search of a
//! name, and while the record of a tree that is made or dropped is placed in the log; memory is allocated, and room in the
//! log waited for, before. A tree is used by commits only after its record was placed, so a log that has a
//! change of a tree has the tree before it.
//!
//! A tree that is dropped (see `life`) has no name any more, and keeps its place among the numbers: a checkpoint at a
//! lower number has it. Numbers of trees are never used again.

use std::ffi::CStr;
use std::ops::ControlFlow;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard};

use super::life::Life;
use crate::errno;
use crate::index::memory::{OutOfMemory, Source, Vector, append};
use crate::index::reclaim::Pinned;
use crate::index::tree::{Tree, TreeOptions};
use crate::sync::AtomicU64;
use crate::versioned::{self, Found, LATEST, Version, VersionedTree};

/// The most bytes of a tree's name.
const MAX_NAME: usize = 255;

/// Returns `None` for a name that no tree can have.
pub(super) fn check_name(name: &str) -> Option<()> {
    (name.len() <= MAX_NAME && !name.contains('\0')).then_some(())
}

/// The most trees of a store.
pub(super) const MAX_TREES: usize = 65_535;

/// The highest number of a tree.
pub(super) const MAX_NUMBER: u32 = u32::MAX - 1;

/// A tree of a store. Its address is that of the tree, by which C knows it.
#[repr(C)]
pub(crate) struct StoreTree {
    tree: Tree,
    number: u32,
    /// The number of the commit that made the tree.
    made: u64,
    pub(super) life: Life,
    /// Tombstones that the last trim in the background has left.
    pub(super) kept_tombstones: AtomicU64,
    /// UTF-8, and a zero byte.
    name: Vector<u8>,
}

impl StoreTree {
    /// Makes a tree that no store has yet. `attach` makes it a versioned one.
    pub(super) fn make(
        options: &TreeOptions,
        name: &str,
        attach: impl FnOnce(&mut Tree) -> Result<(), OutOfMemory>,
    ) -> Result<NewTree, OutOfMemory> {
        let tree = Tree::with_options(options)?;
        let source = tree.allocator();
        let mut copy = Vector::new_in(source);
        copy.try_reserve(name.len() + 1).map_err(|_| OutOfMemory)?;
        append(&mut copy, name.as_bytes());
        copy.push(0);
        let made = source.make(Self {
            tree,
            number: 0,
            made: 0,
            life: Life::new(),
            kept_tombstones: AtomicU64::new(0),
            name: copy,
        })?;
        let mut new = NewTree { tree: made, source };
        // Last: only a `NewTree` frees what is attached. SAFETY: no other thread has it.
        attach(unsafe { &mut new.tree.as_mut().tree })?;
        Ok(new)
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// The number of the commit that made the tree.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    pub(crate) fn c_name(&self) -> &CStr {
        CStr::from_bytes_with_nul(&self.name).expect("its name was checked")
    }

    pub(crate) fn name(&self) -> &str {
        self.c_name().to_str().expect("it was made from a string")
    }

    /// Returns the tree with this index.
    ///
    /// # Safety
    /// The index is that of a `StoreTree`.
    pub(super) unsafe fn of_index(index: &Tree) -> &Self {
        // SAFETY: by contract; the index is the first field.
        unsafe { &*std::ptr::from_ref(index).cast::<Self>() }
    }

    pub(crate) fn index(&self) -> &Tree {
        &self.tree
    }

    pub(crate) fn versioned(&self) -> VersionedTree<'_> {
        VersionedTree::of(&self.tree).expect("a store's trees are versioned")
    }

    /// Returns the newest version of a key, if it is a value.
    pub(super) fn newest<'g>(&self, pin: Pinned<'g>, key: &[u8]) -> Option<Version<'g>> {
        match self.versioned().get(pin, key, LATEST) {
            Found::Version(version) => Some(version),
            Found::Nothing | Found::Tombstone(_) | Found::Covered(_) => None,
        }
    }
}

/// A tree that is in no catalog yet; freed on drop.
pub(super) struct NewTree {
    tree: NonNull<StoreTree>,
    source: Source,
}

impl Drop for NewTree {
    fn drop(&mut self) {
        // SAFETY: no other thread has it.
        unsafe { free(self.tree, self.source) }
    }
}

/// # Safety
/// No other thread uses the tree, and no guard of it is held.
unsafe fn free(tree: NonNull<StoreTree>, source: Source) {
    // SAFETY: by contract.
    unsafe {
        versioned::detach(&tree.as_ref().tree);
        source.drop_and_free(tree);
    }
}

/// All trees of a store. The vectors are the process's, not the user's allocator's, which must not run
/// under a lock.
pub(super) struct Catalog {
    trees: Mutex<Trees>,
}

/// The trees in the order of their numbers, also those that are dropped; and the indexes of the others in the
/// order of their names.
#[derive(Default)]
struct Trees {
    by_number: Vec<NonNull<StoreTree>>,
    by_name: Vec<usize>,
    /// The highest number that a tree has had.
    highest: u32,
}

// SAFETY: the trees are allocations that any thread may use.
unsafe impl Send for Trees {}

/// Why a tree cannot be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NotAdded {
    OutOfMemory,
    /// The store has as many trees as it may have.
    TooMany,
}

impl Catalog {
    pub(super) fn new() -> Self {
        Self {
            trees: Mutex::new(Trees::default()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Trees> {
        errno::lock(&self.trees)
    }

    /// Returns the tree with a name.
    pub(super) fn named(&self, name: &str) -> Option<&StoreTree> {
        let trees = self.lock();
        let at = trees.search(name).ok()?;
        Some(trees.at(trees.by_name[at]))
    }

    /// The number of trees that are not dropped.
    pub(super) fn count(&self) -> usize {
        self.lock().by_name.len()
    }

    /// Returns the tree with a number, also one that is dropped.
    pub(super) fn numbered(&self, number: u32) -> Option<&StoreTree> {
        let trees = self.lock();
        let at = trees.behind(number.checked_sub(1)?);
        (trees.get(at)).filter(|tree| tree.number == number)
    }

    /// Returns some tree, which may be dropped.
    pub(super) fn any(&self) -> Option<&StoreTree> {
        self.lock().get(0)
    }

    /// The number of the next tree after the commit with this number. That is installed.
    pub(super) fn next_at(&self, commit: u64) -> u32 {
        let trees = self.lock();
        let later = (trees.by_number).partition_point(|tree| {
            // SAFETY: a tree lives until `Catalog::free`.
            unsafe { tree.as_ref() }.made <= commit
        });
        trees
            .get(later)
            .map_or(trees.highest + 1, |tree| tree.number)
    }

    /// Calls `visit` with every tree that is not dropped, in the order of numbers, until it breaks off. Trees that
    /// are made or dropped meanwhile may be left out. No lock is held during the calls.
    pub(super) fn each<'c>(&'c self, visit: impl FnMut(&'c StoreTree) -> ControlFlow<()>) {
        self.each_where(|tree| !tree.life.is_over(), visit);
    }

    /// Calls `visit` with every tree that there is after a commit, in the order of numbers, until it breaks
    /// off. The commit is installed.
    pub(super) fn each_at<'c>(
        &'c self,
        commit: u64,
        visit: impl FnMut(&'c StoreTree) -> ControlFlow<()>,
    ) {
        let is_there = |tree: &StoreTree| tree.made <= commit && tree.life.allows(commit);
        self.each_where(is_there, visit);
    }

    /// Calls `visit` with every tree that is dropped, in the order of numbers. No lock is held during the calls.
    pub(super) fn each_dropped<'c>(&'c self, mut visit: impl FnMut(&'c StoreTree)) {
        self.each_where(
            |tree| tree.life.is_over(),
            |tree| {
                visit(tree);
                ControlFlow::Continue(())
            },
        );
    }

    fn each_where<'c>(
        &'c self,
        is_wanted: impl Fn(&StoreTree) -> bool,
        mut visit: impl FnMut(&'c StoreTree) -> ControlFlow<()>,
    ) {
        let mut last = 0;
        // Ends: each turn moves on to a higher number.
        while let Some(tree) = self.first_behind(last) {
            if is_wanted(tree) && visit(tree).is_break() {
                break;
            }
            last = tree.number;
        }
    }

    fn first_behind(&self, number: u32) -> Option<&StoreTree> {
        let trees = self.lock();
        trees.get(trees.behind(number))
    }

    /// The highest number that a tree has had.
    pub(super) fn highest(&self) -> u32 {
        self.lock().highest
    }

    /// Numbers of trees up to this one are not given out any more.
    pub(super) fn skip_to(&self, highest: u32) {
        let mut trees = self.lock();
        trees.highest = trees.highest.max(highest);
    }

    /// Drops the tree with a name; returns it, or `None` if there is none. Calls `record` with it, before another thread
    /// can make a tree with the name; that ends the tree's life.
    pub(super) fn remove(&self, name: &str, record: impl FnOnce(&StoreTree)) -> Option<&StoreTree> {
        let mut trees = self.lock();
        let at = trees.search(name).ok()?;
        let tree = trees.at(trees.by_name[at]);
        record(tree);
        trees.by_name.remove(at);
        Some(tree)
    }

    /// Frees the trees that are dropped.
    ///
    /// # Safety
    /// No other thread uses a tree of the store. References to trees that are dropped are not used afterwards.
    pub(super) unsafe fn free_dropped(&self) {
        // Freed after the lock: that runs the user's allocator.
        let mut dropped = Vec::new();
        let mut trees = self.lock();
        trees.by_number.retain(|&tree| {
            // SAFETY: a tree lives until `Catalog::free`.
            let is_dropped = unsafe { tree.as_ref() }.life.is_over();
            // Without memory for the list, the tree stays until the store is closed.
            let is_freed = is_dropped && dropped.try_reserve(1).is_ok();
            if is_freed {
                dropped.push(tree);
            }
            !is_freed
        });
        trees.sort_names();
        drop(trees);
        for tree in dropped {
            // SAFETY: by contract.
            unsafe { free(tree, tree.as_ref().tree.allocator()) }
        }
    }

    /// Adds a tree under its name, unless there is one with this name, and returns the one that
    /// there is. Calls `record` with the number of an added tree, before another thread can find it; it
    /// returns the number of the commit.
    pub(super) fn add(
        &self,
        new: NewTree,
        record: impl FnOnce(u32) -> u64,
    ) -> Result<&StoreTree, NotAdded> {
        // Dropped after the lock: freeing a tree runs the user's allocator.
        let mut new = new;
        let mut trees = self.lock();
        // SAFETY: no other thread has it.
        let tree = unsafe { new.tree.as_mut() };
        let at = match trees.search(tree.name()) {
            Ok(at) => return Ok(trees.at(trees.by_name[at])),
            Err(at) => at,
        };
        let index = trees.by_number.len();
        if trees.by_name.len() == MAX_TREES || trees.highest == MAX_NUMBER {
            return Err(NotAdded::TooMany);
        }
        let trees = &mut *trees;
        (trees.by_number.try_reserve(1)).map_err(|_| NotAdded::OutOfMemory)?;
        (trees.by_name.try_reserve(1)).map_err(|_| NotAdded::OutOfMemory)?;
        tree.number = trees.highest + 1;
        trees.highest = tree.number;
        tree.made = record(tree.number);
        trees.by_number.push(new.tree);
        trees.by_name.insert(at, index);
        std::mem::forget(new);
        Ok(trees.at(index))
    }

    /// Frees all trees: the catalog is empty afterwards.
    ///
    /// # Safety
    /// No other thread uses a tree of the store, and no guard of one is held. References to trees are not used
    /// afterwards.
    pub(super) unsafe fn free(&self) {
        let trees = std::mem::take(&mut *self.lock());
        for tree in trees.by_number {
            // SAFETY: by contract.
            unsafe { free(tree, tree.as_ref().tree.allocator()) }
        }
    }
}

impl Trees {
    fn search(&self, name: &str) -> Result<usize, usize> {
        self.by_name
            .binary_search_by(|&index| self.at(index).name().cmp(name))
    }

    /// The index of the first tree with a higher number.
    fn behind(&self, number: u32) -> usize {
        self.by_number.partition_point(|tree| {
            // SAFETY: a tree lives until `Catalog::free`.
            unsafe { tree.as_ref() }.number <= number
        })
    }

    fn get<'c>(&self, index: usize) -> Option<&'c StoreTree> {
        (index < self.by_number.len()).then(|| self.at(index))
    }

    fn at<'c>(&self, index: usize) -> &'c StoreTree {
        // SAFETY: a tree lives until `Catalog::free`.
        unsafe { self.by_number[index].as_ref() }
    }

    /// Finds the indexes anew, after trees without a name were taken out.
    fn sort_names(&mut self) {
        self.by_name.clear();
        // No more than there were before.
        for index in 0..self.by_number.len() {
            if !self.at(index).life.is_over() {
                self.by_name.push(index);
            }
        }
        let mut by_name = std::mem::take(&mut self.by_name);
        by_name.sort_unstable_by(|&a, &b| self.at(a).name().cmp(self.at(b).name()));
        self.by_name = by_name;
    }
}
