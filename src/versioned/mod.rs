//! Versioned trees: under each user key of an index, a list of versions, newest first.
//!
//! # Lists
//!
//! A version ([`entry`]) has a number from 1 to 2^56 - 1, a kind (value, merge operand, tombstone,
//! weak tombstone) and bytes. It never changes after it was published, except for its links. The
//! word under a key is one of two forms of list ([`list`]):
//!
//! - *short*: a pointer to the newest version. Each version links to the next older one.
//! - *long*, with more than eight versions: a pointer to a [`list::Long`], the head of a skip list
//!   over the same links. Every version has a height, drawn from its number when it is allocated,
//!   and as many links; in a short list only the lowest is used.
//!
//! A skip list, and not blocks with binary search, since versions may arrive in any order: an
//! insert in the middle of a block copies the block, and retires it. And not jump pointers to older
//! versions, which make an append and a search logarithmic, but not searches behind versions that
//! arrived in descending order. One version in eight has a second link, one in 64 a third: 1.1
//! bytes a version. A search of 10^6 versions visits about 50.
//!
//! **Who writes.** Only the owner of the lock of the key's leaf changes a list, or replaces the
//! word. So a list has one writer at a time, which sees everything that earlier writers did.
//!
//! **Insert.** The version, and the head of a long list, are allocated before the leaf is locked.
//! All links of the version are stored before any link to it ([`Line::LinksBeforePublishing`]). The
//! linearization point is the release store of the lowest link to it, or of the word under the key:
//! a reader that follows the link sees the whole version. Higher links follow; until then, searches
//! find the version by the lowest one.
//!
//! **Removal.** [`trim`] removes a run of consecutive versions by storing, at each level, the link
//! over the run. Links of removed versions do not change ([`Line::RemovedKeepLinks`]): a reader at
//! a removed version, or at the head of a list that has left the tree, continues to older versions.
//! It may pass versions that were removed later, but none is freed before its guard ends. The
//! versions are retired after the leaf is unlocked: freeing runs the user's allocator.
//!
//! **What a reader may assume.** A reader loads the word under the key and follows links, without a
//! lock and without a shared store. At number n it finds every version with a number of at most n
//! whose insert returned before the read began, unless a trim has removed that version. Writes that
//! run during the read may be missed: a number is safe to read at only after its writes, and those
//! of all lower numbers, have returned. [`numbers`] knows such numbers.
//!
//! # Numbers, publication, snapshots
//!
//! The caller gives the numbers, in any order, or takes them from the tree in groups. A group is
//! *pending* until its owner publishes it. The *visible number* is the greatest number below every
//! pending group ([`Line::VisibleIsBelowPending`]): a reader at [`LATEST`] reads at the visible
//! number, so it sees all writes of a group or none, and a snapshot's number is one whose writes
//! have all returned. A tree from which no number was taken has no pending groups: there,
//! [`LATEST`] means everything, and a snapshot has the highest number that was stored.
//!
//! One lock, of the tree's [`clock`], protects the groups and the list of snapshots; no callback and no
//! allocator runs under it. A snapshot reads its number and joins the list under the lock.
//!
//! # Trees of a store
//!
//! The trees of a store share a clock, and their numbers come from its log. They are written by commits
//! ([`commit`]) and by batches ([`mark`]), and an opening may build them ([`bulk`]); other writes are refused. At [`LATEST`], a reader of one key
//! finds its newest version that is decided ([`verdict`]); a reader of several keys, and a walk, read at a
//! snapshot ([`Line::SeveralAtSnapshot`]). A tree that frees what is overwritten is read at other numbers
//! only if they are those of snapshots.
//!
//! # Trimming
//!
//! A trim to a floor F keeps what readers at F or above, or at the number of a snapshot, can see.
//! Under the lock of [`numbers`] it lowers F to the visible number, raises the recorded floor to F,
//! and copies the numbers of the snapshots ([`Line::FloorIsVisible`]). A snapshot that is opened
//! later has a number of at least F. A reader at [`LATEST`] took the visible number without the
//! lock, and may find a list from which a trim to a higher floor has removed what it needed. So it
//! loads the recorded floor after the list ([`Line::LatestChecksFloor`]), and if that is higher,
//! reads again at a snapshot, which it opens for that time: nothing overtakes it there.
//!
//! A trim may remove a key whose only version is a tombstone at or below F. A version with a number
//! of at most F must not be stored later: the deleted key would come back. So a write loads the
//! recorded floor under the leaf's lock and is refused ([`Line::WritesAreAboveFloor`]). The trim
//! has stored F before it took that lock: a writer that locks the leaf later sees F; an earlier
//! one's version is in the list when the trim decides.
//!
//! # Overwrites
//!
//! A tree may free what an overwrite makes unreadable at once: readers then read at [`LATEST`] or at
//! a snapshot. The writer, under the lock of the leaf, first records its number as stored; then,
//! under the lock of [`numbers`], it raises the floor of readers to the number at which a snapshot
//! would be opened now, and copies the numbers of the snapshots, as a trim does; then it removes
//! some versions between those. A snapshot that is opened later has a number of at least that
//! floor. Readers are overtaken as by a trim. But the floor of *writes* stays: nothing is removed
//! but what a newer version, a value or a tombstone, hides from all readers, and a version that
//! arrives later is hidden by it as well. So obsolete tombstones are left to trims.
//!
//! Range tombstones ([`range_tombstones`]) are left to trims, too ([`trim_ranges`]): a version below
//! one may still be stored.
//!
//! # Memory
//!
//! The tree owns versions, heads, and range tombstones. A list is freed with its key (`destroy` of
//! [`values`]), removed versions and replaced heads after the guards that may hold them.
//!
//! An append-only tree ([`Freeing::Never`]) frees nothing before it is destroyed. It refuses trims, so
//! versions never leave a list, and its index keeps whatever else inserts displace: bags of suffixes,
//! nodes, sets of range tombstones (`reclaim::kept`). So its readers need no guard.

mod attach;
mod bulk;
mod change;
mod check;
mod clear;
mod clock;
mod commit;
mod counts;
mod cursor;
mod digest;
mod entry;
mod list;
mod mark;
#[cfg(all(test, shuttle))]
mod models;
mod numbers;
#[cfg(all(test, loom))]
mod ordering_models;
#[cfg(all(test, not(loom)))]
mod positions;
mod quiet;
mod range_tombstones;
mod read;
mod run;
mod scan;
mod snapshot;
#[cfg(all(test, shuttle))]
mod store_models;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
mod trim;
mod trim_ranges;
mod verdict;
#[cfg(all(test, loom))]
mod verdict_models;
mod write;

use std::ffi::c_void;
use std::fmt::{self, Write};
use std::ptr::NonNull;

pub(crate) use attach::{attach, detach};
pub(crate) use bulk::{LoadFault, Part, install};
pub(crate) use clock::{Clock, MAX_COMMIT, NumberSource};
pub(crate) use commit::Uncommitted;
pub(crate) use cursor::VersionCursor;
pub(crate) use digest::{CRC32C, Fault, crc32c_of};
pub(crate) use entry::{Digest, Kind, MAX_NUMBER, Version};
pub(crate) use mark::{Mark, Marked};
pub(crate) use numbers::GroupFault;
pub(crate) use read::Found;
pub(crate) use scan::{VersionBound, VersionRange};
pub(crate) use snapshot::{OpenSnapshot, Snapshot, StoreSnapshot};
pub(crate) use verdict::Record;
pub(crate) use write::{Put, Refused};

#[cfg(doc)]
use crate::protocol::Line;

use crate::index::key_source::{KeyFunction, KeySource};
use crate::index::memory::{Memory, OutOfMemory, Source};
use crate::index::reclaim::{Pinned, UnguardedPin};
use crate::index::tree::Tree;
use crate::index::value::{KindId, Values};
use crate::sync::{AtomicU64, Ordering};
use counts::Counts;
pub(crate) use counts::VersionCounts;
use list::List;
use numbers::Numbers;
use quiet::Quiet;
use range_tombstones::RangeTombstones;
use trim::TrimPosition;

/// The number that means: everything published.
pub(crate) const LATEST: u64 = u64::MAX;

/// The kind of values of a versioned tree.
pub(crate) const VERSIONS: KindId = KindId(2);

/// Returns the values of a versioned tree: words that are lists.
pub(crate) const fn values() -> Values {
    Values {
        id: VERSIONS,
        destroy: Some(destroy_list),
        size: list_size,
        content: newest_size,
        show: show_list,
        owns_memory: true,
        is_only_memory: true,
        ctx: std::ptr::null_mut(),
        destructor: None,
        keys: KeySource::NONE,
    }
}

/// [`values`], if the bytes of each version contain its key, which the function finds. The tree is
/// append-only.
///
/// # Safety
/// As for [`KeySource::new`]; the function gets the bytes of a version that was stored.
pub(crate) unsafe fn values_with_keys(function: KeyFunction, ctx: *mut c_void) -> Values {
    Values {
        // SAFETY: by contract.
        keys: unsafe { KeySource::new(find_in_newest, function, ctx) },
        ..values()
    }
}

/// Finds the key in the newest version.
///
/// # Safety
/// The word is a list, whose leaf is locked, or that is not in the tree yet.
unsafe fn find_in_newest(keys: &KeySource, word: u64) -> NonNull<[u8]> {
    // SAFETY: by contract.
    unsafe {
        let newest = List::new(word).newest();
        keys.in_bytes(newest.expect("a list has versions").bytes())
    }
}

/// # Safety
/// The contract of `Values::destroy`.
unsafe fn destroy_list(_: &Values, memory: &Memory, word: u64) {
    // SAFETY: by contract.
    unsafe { List::new(word).free(memory) }
}

/// # Safety
/// The contract of `Values::size`.
unsafe fn list_size(word: u64) -> usize {
    // SAFETY: by contract.
    unsafe { List::new(word).bytes() }
}

/// The bytes of the newest version.
///
/// # Safety
/// The contract of `Values::content`.
unsafe fn newest_size(word: u64) -> usize {
    // SAFETY: by contract.
    let newest = unsafe { List::new(word) }.newest();
    newest.map_or(0, |version| version.bytes().len())
}

/// # Safety
/// The contract of `Values::show`.
unsafe fn show_list(word: u64, to: &mut dyn Write) -> fmt::Result {
    // SAFETY: by contract.
    unsafe { List::new(word).show(to) }
}

/// When a tree frees versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Freeing {
    /// In trims.
    InTrims,
    /// Also when they are overwritten.
    WhenOverwritten,
    /// Never: the tree is append-only, and its index keeps everything.
    Never,
}

/// What a versioned tree has beside its index.
pub(crate) struct Versions {
    numbers: Numbers,
    ranges: RangeTombstones,
    counts: Counts,
    /// Not 0: no more writes.
    sealed: AtomicU64,
    freeing: Freeing,
    trim: TrimPosition,
    /// An allocation of its own, which does not move.
    quiet: NonNull<Quiet>,
}

// SAFETY: `quiet` is an allocation that any thread may access and free.
unsafe impl Send for Versions {}
// SAFETY: as for `Send`.
unsafe impl Sync for Versions {}

impl Versions {
    fn new(source: Source, freeing: Freeing) -> Result<Self, OutOfMemory> {
        Self::with(source, freeing, Numbers::new(Clock::of_tree(source)?))
    }

    /// What a tree of a store has. Only the functions of [`commit`] and of [`mark`] write to it.
    fn in_store(source: Source, freeing: Freeing, clock: Clock) -> Result<Self, OutOfMemory> {
        Self::with(source, freeing, Numbers::in_store(clock, freeing))
    }

    fn with(source: Source, freeing: Freeing, numbers: Numbers) -> Result<Self, OutOfMemory> {
        Ok(Self {
            numbers,
            ranges: RangeTombstones::new(),
            counts: Counts::new(),
            sealed: AtomicU64::new(0),
            freeing,
            trim: TrimPosition::new(source),
            quiet: source.make(Quiet::new())?,
        })
    }

    fn quiet(&self) -> &Quiet {
        // SAFETY: made by `new`; `free` is the last call.
        unsafe { self.quiet.as_ref() }
    }

    /// Frees the range tombstones, and everything that is retired. Call it before the tree is dropped, and
    /// nothing else afterwards.
    ///
    /// # Safety
    /// No other thread uses the tree, and no guard of it is held.
    pub(crate) unsafe fn free(&self, tree: &Tree) {
        let source = tree.allocator();
        // SAFETY: by contract. Afterwards no marker is left that calls `quiet` back.
        unsafe {
            tree.reclaim_all();
            self.ranges.free(source);
            source.drop_and_free(self.quiet);
        }
    }
}

/// A versioned tree: the index, whose values are [`values`], and what it has beside it.
#[derive(Clone, Copy)]
pub(crate) struct VersionedTree<'t> {
    tree: &'t Tree,
    versions: &'t Versions,
}

impl<'t> VersionedTree<'t> {
    /// The two belong together, and `tree` holds lists.
    pub(crate) fn new(tree: &'t Tree, versions: &'t Versions) -> Self {
        debug_assert!(tree.holds(VERSIONS));
        Self { tree, versions }
    }

    /// The index below.
    pub(crate) fn index(self) -> &'t Tree {
        self.tree
    }

    /// Refuses all writes from now on. A write that began before may still be done; a barrier of
    /// the tree waits for it.
    pub(crate) fn seal(self) {
        // SeqCst: see `quiet`.
        self.versions.sealed.store(1, Ordering::SeqCst);
    }

    /// Whether the tree is a store's, whose commits are the only writes.
    pub(crate) fn is_of_store(self) -> bool {
        self.versions.numbers.is_in_store()
    }

    /// Whether the tree shares this clock, which a store has.
    pub(crate) fn is_of_clock(self, clock: &Clock) -> bool {
        self.versions.numbers.has_clock(clock)
    }

    pub(crate) fn is_sealed(self) -> bool {
        self.versions.sealed.load(Ordering::SeqCst) != 0
    }

    /// Whether nothing is freed before the tree is destroyed.
    #[inline]
    pub(crate) fn is_append_only(self) -> bool {
        self.versions.freeing == Freeing::Never
    }

    /// Returns a pin for reads without a guard, if the tree is append-only.
    #[inline]
    pub(crate) fn unguarded(self) -> Option<UnguardedPin<'t>> {
        self.tree.unguarded()
    }

    /// Returns the list of a key.
    fn list<'g>(self, pin: Pinned<'g>, key: &[u8]) -> Option<List<'g>> {
        // SAFETY: the word is a list, which is not freed before the pin ends.
        (self.tree.get(pin, key)).map(|word| unsafe { List::new(word) })
    }
}
