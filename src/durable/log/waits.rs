//! How threads wait until records are written, or durable.

use super::callbacks::Callback;
use super::lead::lead;
use super::{Level, Log, LogFault};
use crate::sync::Ordering;

impl Log {
    /// Waits until the record `number`, and all before it, are at `level`. A number that was not
    /// given out yet stands for the last that was. Returns at once in a log without a directory.
    pub(crate) fn wait(&self, number: u64, level: Level) -> Result<(), LogFault> {
        let shared = &self.shared;
        if !self.has_files || level == Level::Memory {
            return Ok(());
        }
        let end = number.saturating_add(1).min(shared.ring.taken());
        let (reached, signal) = match level {
            Level::Durable => (&shared.durable, &shared.synced),
            _ => (&shared.written, &shared.progress),
        };
        let has_reached = || reached.load(Ordering::Acquire) >= end;
        if has_reached() {
            return Ok(());
        }
        let wanted = match level {
            Level::Durable => &shared.sync_wanted,
            _ => &shared.write_wanted,
        };
        wanted.fetch_max(end, Ordering::Release);
        let others = shared.waiters.fetch_add(1, Ordering::Relaxed);
        if others == 0 {
            lead(shared);
        }
        if !has_reached() {
            shared.idle.call();
            signal.sleep_until(|| has_reached() || shared.has_failed());
        }
        shared.waiters.fetch_sub(1, Ordering::Relaxed);
        if has_reached() {
            Ok(())
        } else {
            Err(LogFault::Failed)
        }
    }

    /// Makes every record that was taken before the call durable.
    pub(crate) fn sync(&self) -> Result<(), LogFault> {
        self.wait(self.taken(), Level::Durable)
    }

    /// The number up to which every record is durable; in a log without a directory, installed.
    pub(crate) fn durable(&self) -> u64 {
        if self.has_files {
            self.shared.durable.load(Ordering::Acquire) - 1
        } else {
            self.installed()
        }
    }

    /// Asks for the record `number` to become durable; then, or when the log fails, the flusher's
    /// thread calls `callback`. In a log without a directory, this thread calls it.
    pub(crate) fn on_durable(&self, number: u64, callback: Callback) -> Result<(), LogFault> {
        if !self.has_files {
            callback.call(number, true);
            return Ok(());
        }
        let number = number.min(self.taken());
        if !self.shared.callbacks.add(number, callback) {
            return Err(LogFault::NoMemory);
        }
        self.shared
            .sync_wanted
            .fetch_max(number + 1, Ordering::Release);
        self.shared.idle.call();
        Ok(())
    }
}
