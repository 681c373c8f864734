//! Builds the trees of a store bottom-up, from versions in the order of their keys.
//!
//! **Protocol.** Each thread fills [`Part`]s of its own: a part is a tree of nodes, with lists of one
//! version each, that no other thread can reach. The keys of a part ascend, and those of the next part are
//! above them. [`install`] joins the parts, the last two first, and makes their root that of the tree, if that is
//! empty. The store of the root word is the linearization point of every key, and releases the versions
//! with the nodes (see `index::tree::whole::swap`): a reader that finds a list acquires it with the node.
//! Then the versions are counted.
//!
//! A part that is dropped frees its nodes and versions. So after a failure the tree is empty, as before.
//!
//! Until the tree is installed it must not be written to: versions are loaded with numbers that
//! were committed before the store was opened.

use super::VersionedTree;
use super::clock::MAX_COMMIT;
use super::counts::Loaded;
use super::entry::{Kind, NewVersion};
use super::list::word_of;
use crate::index::key::{Key, MAX_KEY_LEN};
use crate::index::memory::OutOfMemory;
use crate::index::reclaim::Pinned;
use crate::index::tree::{self, Builder, LoadOutcome};

/// Why a tree was not loaded. The tree is as before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LoadFault {
    OutOfMemory,
    /// A key is not above the one before it.
    Unsorted,
    /// A key is too long, or no commit has the number.
    Range,
    /// The tree was not empty.
    NotEmpty,
}

impl From<OutOfMemory> for LoadFault {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl From<tree::Refused> for LoadFault {
    fn from(refused: tree::Refused) -> Self {
        match refused {
            tree::Refused::Unsorted => Self::Unsorted,
            tree::Refused::OutOfMemory => Self::OutOfMemory,
        }
    }
}

/// Consecutive keys of a tree that is loaded, each with one value. One thread at a time uses a part.
pub(crate) struct Part<'t> {
    builder: Builder<'t>,
    loaded: Loaded,
}

impl<'t> Part<'t> {
    /// Returns a part without keys of a store's tree.
    pub(crate) fn new(tree: VersionedTree<'t>) -> Result<Self, OutOfMemory> {
        debug_assert!(tree.is_of_store());
        let guard = tree.index().local_guard();
        Ok(Self {
            builder: tree.index().builder(guard.pin())?,
            loaded: Loaded::default(),
        })
    }

    /// The number of keys.
    pub(crate) fn keys(&self) -> u64 {
        self.builder.keys()
    }

    /// Adds a key, which is above all before, with a value that was committed under a number. If a key is
    /// refused, the part stays as it is; but if memory runs out, it may take no more keys.
    pub(crate) fn push(&mut self, key: &[u8], number: u64, value: &[u8]) -> Result<(), LoadFault> {
        if !(1..=MAX_COMMIT).contains(&number) || key.len() > MAX_KEY_LEN {
            return Err(LoadFault::Range);
        }
        if !self.builder.is_open() {
            return Err(LoadFault::OutOfMemory);
        }
        let position = self.builder.position_of(Key::new(key));
        let position = position.ok_or(LoadFault::Unsorted)?;
        let new = NewVersion::make(self.builder.memory(), number, Kind::Value, None, value)?;
        let word = word_of(new.version().as_ptr());
        // The builder owns the list from here on, and frees it if it has no memory for the key.
        new.stored();
        self.builder.insert(position, word)?;
        self.loaded.add(number, value.len());
        Ok(())
    }
}

/// Makes the keys of all parts those of a tree, which has none. The keys of each part are above those of the
/// parts before it; a part may be empty.
///
/// On failure the tree is empty, and the parts are freed.
pub(crate) fn install<'t>(
    tree: VersionedTree<'t>,
    pin: Pinned<'_>,
    mut parts: Vec<Part<'t>>,
) -> Result<(), LoadFault> {
    let mut loaded = Loaded::default();
    let mut last: Option<&Part<'_>> = None;
    for part in &parts {
        if !part.builder.is_open() {
            return Err(LoadFault::OutOfMemory);
        }
        if part.keys() == 0 {
            continue;
        }
        if last.is_some_and(|last| !last.builder.precedes(&part.builder)) {
            return Err(LoadFault::Unsorted);
        }
        loaded.join(&part.loaded);
        last = Some(part);
    }
    let Some(mut all) = parts.pop() else {
        return Ok(());
    };
    // From the last to the first: a part that was joined takes no more keys.
    while let Some(mut part) = parts.pop() {
        part.builder.join(&mut all.builder)?;
        all = part;
    }
    match tree.index().load(pin, &mut all.builder)? {
        LoadOutcome::NotEmpty => Err(LoadFault::NotEmpty),
        LoadOutcome::Done => {
            tree.versions.counts.load(pin, &loaded);
            Ok(())
        }
    }
}
