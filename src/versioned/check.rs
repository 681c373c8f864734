//! Verifies a versioned tree while no thread writes. A store trims its trees in the background, so a check
//! pauses trims: what one has half done would be reported as a violation.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use arrayvec::ArrayString;

use super::VersionedTree;
use super::list::List;
use crate::index::key::Shown;
use crate::index::memory::OutOfMemory;
use crate::index::reclaim::Pinned;
use crate::index::tree::Range;

impl VersionedTree<'_> {
    /// Checks the index, the list of every key, and that the counters are right; `report` receives a line for
    /// each violated invariant. Returns whether there was none. Waits for a trim that is under way, for some time, and
    /// pauses trims meanwhile.
    pub(crate) fn check(
        self,
        pin: Pinned<'_>,
        report: &mut dyn FnMut(&str),
    ) -> Result<bool, OutOfMemory> {
        let _paused = self.versions.trim.pause();
        // Not the lists of a broken index: they may be out of reach.
        Ok(self.tree.check(pin, report)? && self.check_lists(pin, report)?)
    }

    /// Not inlined: its frame need not be on the stack beside that of the index's check.
    #[inline(never)]
    fn check_lists(
        self,
        pin: Pinned<'_>,
        report: &mut dyn FnMut(&str),
    ) -> Result<bool, OutOfMemory> {
        let (mut versions, mut tombstones, mut bytes) = (0, 0, 0);
        let mut is_sound = true;
        let mut fault = |what: std::fmt::Arguments<'_>| {
            is_sound = false;
            // A line that did not fit would be truncated.
            let mut line = ArrayString::<400>::new();
            let _ = writeln!(line, "versions: {what}");
            report(&line);
        };
        self.tree.scan(pin, &Range::all(), &mut |key, word| {
            // SAFETY: the word was found under this pin.
            let list = unsafe { List::new(word) };
            if let Some(what) = list.check() {
                fault(format_args!("key {}: {what}", Shown(key)));
            }
            let mut version = list.newest();
            while let Some(this) = version {
                versions += 1;
                tombstones += u64::from(this.is_tombstone());
                bytes += this.bytes().len() as u64;
                version = this.older();
            }
            ControlFlow::Continue(())
        })?;
        let counts = self.counts(pin);
        let found = [versions, tombstones, bytes];
        let counted = [counts.versions, counts.tombstones, counts.value_bytes];
        if found != counted {
            fault(format_args!(
                "{found:?} versions, tombstones and bytes were found, {counted:?} were counted"
            ));
        }
        Ok(is_sound)
    }
}
