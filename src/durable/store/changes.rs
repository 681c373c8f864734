//! What commits have changed since a number, in their order: for replicas, and to capture changes.
//!
//! # Protocol
//!
//! A cursor reads the records of the log (`log::follower`), which are in the order of commits. It passes on the changes
//! of a record one by one, and marks the last: then all of the commit was passed on. The record lies in one frame,
//! which is in memory before the first of its changes is passed on, so nothing fails in between. A record is
//! checked as a whole before.
//!
//! A number is all that a cursor needs to go on: a later one, of this process or another, that begins with the number
//! of the last whole commit passes on what follows. A number that the store has never given to a commit, or whose commit a
//! crash has lost, is refused, since what was made of it differs from the store.
//!
//! **Names of trees.** A record has the number of a tree. The catalog has the trees that there are, and those that
//! were dropped since the store was opened. A tree that was dropped before has its name in the record of its drop, which
//! is ahead in the log: the first time that such a tree is met, the log up to where it was opened is searched for all of
//! these (`dropped_before`).
//!
//! **Memory.** A window of the log, of a frame or 256 KiB, and names.

use std::ffi::{CStr, CString};
use std::time::Instant;

use super::Store;
use super::failure::Failure;
use super::record::{
    Change as RecordedChange, Malformed, RecordKind, decode_change, decode_commit, decode_tree,
};
use crate::durable::log::{FollowFault, Follower, Level, LogError};
use crate::index::memory::OutOfMemory;
use crate::versioned::Kind;

/// How much of the log a cursor may keep, by default.
const DEFAULT_HELD: u64 = 1 << 30;

/// How changes are read.
#[derive(Clone, Copy)]
pub(crate) struct ChangesOptions {
    /// What the commits have reached: written, or durable.
    pub(crate) level: Level,
    /// So many bytes of the log are kept for the cursor, at most; 0: the default.
    pub(crate) held_bytes: u64,
}

/// Why there are no changes.
#[derive(Debug)]
pub(crate) enum ChangesFault {
    /// The log no longer reaches back to the number.
    TooOld,
    /// The store has no commit with the number.
    Lost,
    /// The store is in memory only.
    NoDirectory,
    OutOfMemory,
    /// A file operation has failed.
    Io(Failure),
    /// A file has a wrong content.
    Corrupt(Failure),
}

impl From<FollowFault> for ChangesFault {
    fn from(fault: FollowFault) -> Self {
        match fault {
            FollowFault::TooOld => Self::TooOld,
            FollowFault::Lost => Self::Lost,
            FollowFault::Log(LogError::NoMemory) => Self::OutOfMemory,
            FollowFault::Log(LogError::Io(error)) => Self::Io(Failure::of_io(&error)),
            FollowFault::Log(LogError::Corrupt(at)) => Self::Corrupt(Failure::of_corruption(&at)),
            FollowFault::Log(LogError::Stopped) => unreachable!("nothing stops it"),
        }
    }
}

impl From<OutOfMemory> for ChangesFault {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl ChangesFault {
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Io(failure) | Self::Corrupt(failure) => Some(failure),
            Self::TooOld | Self::Lost | Self::NoDirectory | Self::OutOfMemory => None,
        }
    }
}

/// What a commit does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Changed<'c> {
    Put { key: &'c [u8], value: &'c [u8] },
    Removed { key: &'c [u8] },
    TreeMade,
    TreeDropped,
}

/// A change of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Change<'c> {
    /// The number of the commit.
    pub(crate) commit: u64,
    /// Whether the commit has no further change.
    pub(crate) is_last: bool,
    /// The number of the tree.
    pub(crate) tree: u32,
    pub(crate) name: &'c CStr,
    pub(crate) changed: Changed<'c>,
}

/// A record of which changes are passed on.
#[derive(Clone, Copy)]
struct Open {
    number: u64,
    kind: RecordKind,
    /// What was not passed on yet, in the frame.
    begin: usize,
    end: usize,
}

/// Reads changes.
pub(crate) struct Changes<'s> {
    store: &'s Store,
    follower: Follower,
    since: u64,
    /// Where the next record is in the frame.
    next: usize,
    open: Option<Open>,
    names: DroppedNames,
}

/// The names of trees that were dropped before the store was opened.
#[derive(Default)]
struct DroppedNames {
    all: Vec<(u32, CString)>,
    were_searched: bool,
}

impl Store {
    /// Begins to read the changes of commits with numbers above `since`.
    pub(crate) fn changes(
        &self,
        since: u64,
        options: &ChangesOptions,
    ) -> Result<Changes<'_>, ChangesFault> {
        if !self.log().has_directory() {
            return Err(ChangesFault::NoDirectory);
        }
        let most = match options.held_bytes {
            0 => DEFAULT_HELD,
            bytes => bytes,
        };
        Ok(Changes {
            store: self,
            follower: self.log().follow(since, options.level, most)?,
            since,
            next: 0,
            open: None,
            names: DroppedNames::default(),
        })
    }

    /// The least number since which there are changes.
    pub(crate) fn changes_since(&self) -> u64 {
        self.log().reach() - 1
    }
}

impl Changes<'_> {
    /// Returns the next change; `None` if there is none now.
    pub(crate) fn next(&mut self) -> Result<Option<Change<'_>>, ChangesFault> {
        // Ends: each turn takes a record, or a frame, up to the end.
        while self.open.is_none_or(|open| open.begin == open.end) {
            if !self.open_record()? && !self.next_frame()? {
                return Ok(None);
            }
        }
        let open = self.open.expect("a record is open");
        let (tree, end) = self.tree_at(&open)?;
        let is_known = self.store.catalog.numbered(tree).is_some() || self.names.has(tree);
        if !is_known && !self.names.were_searched {
            self.find_dropped(open.number - 1)?;
        }
        self.open = Some(Open { begin: end, ..open });
        Ok(Some(self.change(&open, end)?))
    }

    /// Whether some of what was read was not passed on.
    fn has_more(&self) -> bool {
        self.open.is_some_and(|open| open.begin < open.end)
            || self.follower.record(self.next).is_some()
    }

    /// Waits until there may be a change, until a time, or until the log has failed. Returns whether there may be one.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        self.has_more() || self.follower.wait(deadline)
    }

    fn next_frame(&mut self) -> Result<bool, ChangesFault> {
        (self.next, self.open) = (0, None);
        Ok(self.follower.advance()?)
    }

    /// Opens the next record of the frame that has changes; returns false if there is none.
    fn open_record(&mut self) -> Result<bool, ChangesFault> {
        // Ends: each turn moves over a record.
        while let Some(placed) = self.follower.record(self.next) {
            let record = placed.record;
            let end = placed.body + record.body.len();
            let kind = check(record.kind, record.body)
                .map_err(|Malformed(why)| self.follower.corruption(record.number, why))?;
            let open = Open {
                number: record.number,
                kind,
                begin: placed.body,
                end,
            };
            self.next = placed.next;
            if open.number > self.since && kind != RecordKind::Void && open.begin < end {
                self.open = Some(open);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The tree of the next change of a record, and where the change ends.
    fn tree_at(&self, open: &Open) -> Result<(u32, usize), ChangesFault> {
        let body = &self.follower.body()[open.begin..open.end];
        let of_record = match open.kind {
            RecordKind::Commit => {
                decode_change(body).map(|(change, rest)| (change.tree, open.end - rest.len()))
            }
            _ => decode_tree(body).map(|(number, _)| (number, open.end)),
        };
        Ok(of_record.map_err(|Malformed(why)| self.follower.corruption(open.number, why))?)
    }

    /// Returns the change at the beginning of what is left of a record, which ends at `end`.
    fn change(&self, open: &Open, end: usize) -> Result<Change<'_>, ChangesFault> {
        let corrupt = |why| ChangesFault::from(self.follower.corruption(open.number, why));
        let body = &self.follower.body()[open.begin..end];
        let (tree, changed) = match open.kind {
            RecordKind::Commit => {
                let (change, _) = decode_change(body).map_err(|Malformed(why)| corrupt(why))?;
                (change.tree, Changed::of(&change))
            }
            kind => {
                let (tree, _) = decode_tree(body).map_err(|Malformed(why)| corrupt(why))?;
                let is_made = kind == RecordKind::Tree;
                let changed = match is_made {
                    true => Changed::TreeMade,
                    false => Changed::TreeDropped,
                };
                (tree, changed)
            }
        };
        let in_catalog = self.store.catalog.numbered(tree);
        let name = (in_catalog.map(|tree| tree.c_name())).or_else(|| self.names.get(tree));
        Ok(Change {
            commit: open.number,
            is_last: end == open.end,
            tree,
            name: name.ok_or_else(|| corrupt("a change is of a tree that there is not"))?,
            changed,
        })
    }

    /// Finds the names of trees that were dropped by commits above a number, and before the store was opened.
    fn find_dropped(&mut self, after: u64) -> Result<(), ChangesFault> {
        let end = self.store.log().opened_at();
        let level = Level::Written;
        let mut ahead = self.store.log().follow(after, level, u64::MAX)?;
        // Ends: at the end of what was there at the opening, or of the log.
        'frames: while ahead.advance()? {
            let mut offset = 0;
            // Ends: each turn moves over a record.
            while let Some(placed) = ahead.record(offset) {
                if placed.record.number >= end {
                    break 'frames;
                }
                if RecordKind::of(placed.record.kind) == Some(RecordKind::Dropped)
                    && let Ok((number, name)) = decode_tree(placed.record.body)
                {
                    self.names.add(number, name)?;
                }
                offset = placed.next;
            }
        }
        self.names.were_searched = true;
        Ok(())
    }
}

impl DroppedNames {
    fn get(&self, number: u32) -> Option<&CStr> {
        let found = self.all.iter().find(|(of, _)| *of == number);
        found.map(|(_, name)| name.as_c_str())
    }

    fn has(&self, number: u32) -> bool {
        self.get(number).is_some()
    }

    fn add(&mut self, number: u32, name: &str) -> Result<(), OutOfMemory> {
        let mut bytes = Vec::new();
        (bytes.try_reserve_exact(name.len() + 1)).map_err(|_| OutOfMemory)?;
        bytes.extend_from_slice(name.as_bytes());
        self.all.try_reserve(1).map_err(|_| OutOfMemory)?;
        // A name with a zero byte makes no sense: it is left out, and not found.
        if let Ok(name) = CString::new(bytes) {
            self.all.push((number, name));
        }
        Ok(())
    }
}

impl<'c> Changed<'c> {
    fn of(change: &RecordedChange<'c>) -> Self {
        match change.kind {
            Kind::Tombstone => Self::Removed { key: change.key },
            _ => Self::Put {
                key: change.key,
                value: change.value,
            },
        }
    }
}

/// Checks all of a record; returns its kind.
fn check(kind: u8, body: &[u8]) -> Result<RecordKind, Malformed> {
    let kind = RecordKind::of(kind).ok_or(Malformed("a record has an unknown kind"))?;
    match kind {
        RecordKind::Commit => decode_commit(body, |_| Ok::<_, Malformed>(()))?,
        RecordKind::Tree | RecordKind::Dropped => drop(decode_tree(body)?),
        RecordKind::Void => {}
    }
    Ok(kind)
}
