//! The changes of a store, compared with what its commits have done.
//!
//! They are read to the end, from where they were read last, or from an earlier commit. A cursor may be kept in
//! between, over checkpoints; without one, a checkpoint may have removed the log that is needed, as the statistics
//! say.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr::null_mut;

use masstree::ffi::status::*;
use masstree::ffi::store::changes::*;
use masstree::ffi::store::handle::StoreHandle;
use masstree::ffi::store::stats::*;
use masstree::ffi::store::wait::*;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum What {
    Put(Vec<u8>),
    Removed,
    Made,
    Dropped,
}

/// A change that is in the log.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// The number of its commit, if that is known.
    pub(crate) commit: Option<u64>,
    /// The model's number of the tree, and its name.
    pub(crate) tree: usize,
    pub(crate) name: &'static CStr,
    pub(crate) key: Vec<u8>,
    pub(crate) what: What,
    /// Otherwise it may be left out: the key had no value.
    pub(crate) is_certain: bool,
}

/// A change that was read.
#[derive(Debug)]
struct Found {
    commit: u64,
    is_last: bool,
    tree: u32,
    name: Vec<u8>,
    key: Vec<u8>,
    what: What,
}

impl Expected {
    fn is(&self, found: &Found) -> bool {
        self.commit.is_none_or(|commit| commit == found.commit)
            && (self.name.to_bytes(), &self.key, &self.what)
                == (&found.name[..], &found.key, &found.what)
    }
}

#[derive(Default)]
pub(crate) struct Changes {
    /// All changes, in the order of their commits; those of a commit in the order of the names of trees and keys.
    history: Vec<Expected>,
    /// Not all of them are known.
    is_lost: bool,
    /// The last commit whose changes were read; 0: none.
    since: u64,
    cursor: Option<Cursor>,
    /// The model's numbers of trees, by the store's.
    numbers: BTreeMap<u32, usize>,
}

struct Cursor(*mut ChangesHandle);

impl Drop for Cursor {
    fn drop(&mut self) {
        // SAFETY: it is not used any more.
        unsafe { masstree_changes_destroy(self.0) };
    }
}

/// The statistics of a store.
pub(crate) fn stats(store: *mut StoreHandle) -> StoreStats {
    // SAFETY: all of the fields may be zero.
    let mut stats: StoreStats = unsafe { std::mem::zeroed() };
    stats.struct_size = size_of::<StoreStats>();
    // SAFETY: an open store.
    let status = unsafe { masstree_store_stats(store, &mut stats) };
    assert_eq!(status, MASSTREE_OK);
    stats
}

impl Cursor {
    fn open(store: *mut StoreHandle, since: u64, level: u32) -> Result<Self, i32> {
        let options = ChangesOptionsC {
            struct_size: size_of::<ChangesOptionsC>(),
            level,
            reserved: 0,
            held_log_bytes: 0,
        };
        let mut handle = null_mut();
        // SAFETY: an open store, and sound options.
        match unsafe { masstree_store_changes(store, since, &options, &mut handle) } {
            MASSTREE_OK => Ok(Self(handle)),
            status => Err(status),
        }
    }

    fn next(&self) -> Option<Found> {
        let mut change = MaybeUninit::<ChangeC>::uninit();
        // SAFETY: a cursor of this thread.
        match unsafe { masstree_changes_next(self.0, change.as_mut_ptr(), null_mut()) } {
            MASSTREE_OK => {}
            status => {
                assert_eq!(status, MASSTREE_NOT_FOUND);
                return None;
            }
        }
        // SAFETY: the call has stored a change, whose bytes are readable until the next.
        unsafe {
            let change = change.assume_init();
            let bytes = |at: *const std::ffi::c_void, len: usize| match len {
                0 => Vec::new(),
                _ => std::slice::from_raw_parts(at.cast::<u8>(), len).to_vec(),
            };
            Some(Found {
                commit: change.commit,
                is_last: change.is_last != 0,
                tree: change.tree_number,
                name: CStr::from_ptr(change.tree).to_bytes().to_vec(),
                key: bytes(change.key, change.key_len),
                what: match change.kind {
                    MASSTREE_CHANGE_PUT => What::Put(bytes(change.value, change.value_len)),
                    MASSTREE_CHANGE_REMOVE => What::Removed,
                    MASSTREE_CHANGE_TREE_MADE => What::Made,
                    kind => {
                        assert_eq!(kind, MASSTREE_CHANGE_TREE_DROPPED);
                        What::Dropped
                    }
                },
            })
        }
    }

    /// All changes that there are behind a commit.
    fn rest(&self, since: u64) -> Vec<Found> {
        let found: Vec<Found> = std::iter::from_fn(|| self.next()).collect();
        assert!(found.first().is_none_or(|first| first.commit > since));
        for (at, change) in found.iter().enumerate() {
            let next = found.get(at + 1);
            assert!(next.is_none_or(|next| next.commit >= change.commit));
            let ends = next.is_none_or(|next| next.commit > change.commit);
            assert_eq!(change.is_last, ends, "{found:?}");
        }
        // SAFETY: a cursor of this thread.
        let status = unsafe { masstree_changes_wait(self.0, 0) };
        assert_eq!(status, MASSTREE_NOT_FOUND);
        found
    }
}

impl Changes {
    /// Notes the changes of a commit, or of several that write one tree in the order of keys.
    pub(crate) fn note(&mut self, changes: impl IntoIterator<Item = Expected>) {
        let first = self.history.len();
        self.history.extend(changes);
        self.history[first..].sort_by(|a, b| (a.name, &a.key).cmp(&(b.name, &b.key)));
    }

    /// Notes that something has changed, and not all of what.
    pub(crate) fn lose(&mut self) {
        self.is_lost = true;
    }

    /// Gives up the cursor, if there is one.
    pub(crate) fn leave(&mut self) {
        self.cursor = None;
    }

    /// Opens a cursor; it is refused exactly if the statistics say so.
    fn open(&self, store: *mut StoreHandle, since: u64, level: u32) -> Option<Cursor> {
        let is_old = since < stats(store).changes_since;
        match Cursor::open(store, since, level) {
            Ok(cursor) => {
                assert!(!is_old);
                Some(cursor)
            }
            Err(status) => {
                assert!(is_old, "{status}");
                assert_eq!(status, MASSTREE_TOO_OLD);
                None
            }
        }
    }

    /// Reads what has changed since the last time.
    pub(crate) fn follow(&mut self, store: *mut StoreHandle, level: u32) {
        // SAFETY: an open store.
        assert_eq!(unsafe { masstree_store_sync(store) }, MASSTREE_OK);
        for unknown in [stats(store).last_commit + 100_000, u64::MAX] {
            let refused = Cursor::open(store, unknown, level).err();
            assert_eq!(refused, Some(MASSTREE_NOT_FOUND));
        }
        let cursor = match self.cursor.take() {
            Some(cursor) => cursor,
            None => match self.open(store, self.since, level) {
                Some(cursor) => cursor,
                // A replica would begin with an export.
                None => {
                    let stats = stats(store);
                    return self.begin_at(stats.last_commit.max(stats.changes_since));
                }
            },
        };
        let found = cursor.rest(self.since);
        match std::mem::take(&mut self.is_lost) {
            true => self.history.clear(),
            false => self.compare(self.since, &found),
        }
        self.since = found.last().map_or(self.since, |change| change.commit);
        self.cursor = Some(cursor);
    }

    fn begin_at(&mut self, number: u64) {
        self.history.clear();
        (self.since, self.is_lost) = (number, false);
    }

    /// Reads what has changed since one of the commits.
    pub(crate) fn read_since(&mut self, store: *mut StoreHandle, choice: u8) {
        let known = self.history.iter().filter(|of| of.is_certain);
        let commits: Vec<u64> = known.filter_map(|of| of.commit).collect();
        if commits.is_empty() || self.is_lost {
            return;
        }
        // SAFETY: an open store.
        assert_eq!(unsafe { masstree_store_sync(store) }, MASSTREE_OK);
        let since = commits[usize::from(choice) % commits.len()];
        if let Some(cursor) = self.open(store, since, MASSTREE_WRITTEN) {
            let found = cursor.rest(since);
            self.compare(since, &found);
        }
    }

    /// Compares the changes behind a commit.
    fn compare(&mut self, since: u64, found: &[Found]) {
        let first = self
            .history
            .iter()
            .rposition(|of| of.commit.is_some_and(|commit| commit <= since));
        let mut found: Vec<&Found> = found.iter().collect();
        found.sort_by(|a, b| (a.commit, &a.name, &a.key).cmp(&(b.commit, &b.name, &b.key)));
        let mut rest = self.history[first.map_or(0, |at| at + 1)..].iter_mut();
        for change in found {
            // Ends: each turn takes an expected change.
            loop {
                let expected = rest
                    .next()
                    .unwrap_or_else(|| panic!("there was no {change:?}"));
                if expected.is(change) {
                    expected.commit = Some(change.commit);
                    let number = *self.numbers.entry(change.tree).or_insert(expected.tree);
                    assert_eq!(number, expected.tree, "{change:?}");
                    break;
                }
                assert!(!expected.is_certain, "{expected:?}; {change:?}");
            }
        }
        for expected in rest {
            assert!(!expected.is_certain, "{expected:?} is left out");
        }
    }
}
