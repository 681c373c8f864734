//! Old records of a log: how far it reaches back, following, and cutting.

use super::follower::{FollowFault, Follower};
use super::frame::segment_name;
use super::{Level, Log};
use crate::durable::io::IoError;

impl Log {
    /// Whether there are files, to write or to read.
    pub(crate) fn has_directory(&self) -> bool {
        !self.shared.directory.bytes().is_empty()
    }

    /// The number from which on the log hands out numbers.
    pub(crate) fn opened_at(&self) -> u64 {
        self.shared.opened_at
    }

    /// From this number on, the log has all records that were written.
    pub(crate) fn reach(&self) -> u64 {
        self.shared.kept.reach()
    }

    /// Bytes of the records from `number` on, as far as they are written.
    pub(crate) fn bytes_since(&self, number: u64) -> u64 {
        (self.shared.kept).bytes_since(number, self.shared.current())
    }

    /// Begins to read the records behind the one with a number, of those that have reached a level. Their segments are
    /// kept meanwhile, up to `most` bytes of the log.
    pub(crate) fn follow(
        &self,
        number: u64,
        level: Level,
        most: u64,
    ) -> Result<Follower, FollowFault> {
        if number > self.taken() {
            return Err(FollowFault::Lost);
        }
        Follower::new(self.shared.clone(), number, level, most)
    }

    /// Removes the segments that lie wholly below `number`, the oldest first, but the last one of the log; and as far
    /// as none is held or retained (see `kept`). Returns how many. A checkpoint that contains everything below
    /// `number` is durable.
    pub(crate) fn cut_before(&self, number: u64) -> Result<usize, IoError> {
        let shared = &self.shared;
        let mut removed = 0;
        // Ends: each turn removes a segment, or finds that another thread has.
        while let Some(oldest) = shared.kept.give_up_below(number, shared.current()) {
            let path = shared.directory.join(&segment_name(oldest.base))?;
            match shared.io.unlink(&path) {
                Ok(()) => removed += 1,
                // A call beside this one has removed it, or one before that failed later.
                Err(error) if error.errno == libc::ENOENT => {}
                Err(error) => return Err(error),
            }
            shared.kept.forget(oldest);
        }
        if removed > 0 {
            shared.io.sync_dir(&shared.directory)?;
        }
        Ok(removed)
    }
}
