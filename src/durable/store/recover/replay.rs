//! The thread that reads the log: checks frames, makes trees, hands changes on.

use super::apply::{Applier, Batch};
use super::lane::Lane;
use super::progress::{Meter, Phase, Progress};
use crate::durable::log::{Frame, Record, Refusal};
use crate::durable::store::Store;
use crate::durable::store::catalog::{MAX_TREES, check_name};
use crate::durable::store::record::{
    Change, Malformed, RecordKind, checked_changes, decode_commit, decode_tree,
};
use crate::index::memory::OutOfMemory;
use crate::versioned::MAX_COMMIT;

/// A log that is replayed.
pub(super) struct Replay<'s> {
    store: &'s Store,
    /// The number of trees that were made.
    trees: u32,
    writers: Writers<'s>,
    meter: &'s mut Meter,
    progress: Progress,
}

/// The threads that apply changes, and the batches that are filled for them.
enum Writers<'s> {
    /// This thread applies them.
    Own(Applier<'s>, Batch),
    Lanes(&'s [Lane], Vec<Batch>),
}

impl<'s> Replay<'s> {
    /// Replays a log with the threads of these lanes; with this thread if there is none.
    pub(super) fn new(
        store: &'s Store,
        meter: &'s mut Meter,
        lanes: &'s [Lane],
    ) -> Result<Self, OutOfMemory> {
        let writers = match lanes {
            [] => Writers::Own(Applier::new(&store.catalog), Batch::default()),
            _ => {
                let mut filled = Vec::new();
                filled.try_reserve(lanes.len()).map_err(|_| OutOfMemory)?;
                for lane in lanes {
                    filled.push(lane.empty()?);
                }
                Writers::Lanes(lanes, filled)
            }
        };
        Ok(Self {
            store,
            trees: store.catalog.count() as u32,
            writers,
            meter,
            progress: Progress::new(Phase::Log),
        })
    }

    /// Replays the records of a frame; none if one of them makes no sense.
    pub(super) fn visit(&mut self, frame: &Frame<'_>) -> Result<(), Refusal> {
        self.check(frame)?;
        for record in frame.records() {
            self.take(&record)
                .map_err(|OutOfMemory| Refusal::NoMemory)?;
            self.progress.records += 1;
        }
        (self.progress.bytes, self.progress.total) = (frame.read, frame.total);
        match self.meter.note(&self.progress).is_break() {
            true => Err(Refusal::Stopped),
            false => Ok(()),
        }
    }

    /// Hands on the last changes. Call it when all was read.
    pub(super) fn end(self) -> Result<Progress, OutOfMemory> {
        match self.writers {
            Writers::Own(mut applier, batch) => applier.apply(&batch)?,
            Writers::Lanes(lanes, filled) => {
                for (lane, batch) in lanes.iter().zip(filled) {
                    lane.hand_on(batch);
                    lane.end();
                }
            }
        }
        Ok(self.progress)
    }

    /// Checks the records of a frame, and changes nothing.
    fn check(&self, frame: &Frame<'_>) -> Result<(), Refusal> {
        // Of the trees that the frame makes.
        let mut names = Vec::new();
        for record in frame.records() {
            let trees = self.trees + names.len() as u32;
            let checked = match RecordKind::of(record.kind) {
                _ if !(1..=MAX_COMMIT).contains(&record.number) => {
                    Err(Malformed("a number is out of range"))
                }
                Some(RecordKind::Commit) => check_commit(record.body, trees),
                Some(RecordKind::Tree) => {
                    names.try_reserve(1).map_err(|_| Refusal::NoMemory)?;
                    let checked = self.check_tree(record.body, trees, &names);
                    checked.map(|name| names.push(name))
                }
                Some(RecordKind::Void) => Ok(()),
                None => Err(Malformed("a record has an unknown kind")),
            };
            checked.map_err(|Malformed(why)| Refusal::Corrupt {
                record: record.number,
                why,
            })?;
        }
        Ok(())
    }

    /// Checks the record of a tree, before which there are `trees` others; `names` are those of its frame.
    fn check_tree<'b>(
        &self,
        body: &'b [u8],
        trees: u32,
        names: &[&str],
    ) -> Result<&'b str, Malformed> {
        let (number, name) = decode_tree(body)?;
        check_name(name).ok_or(Malformed("the name of a tree is too long"))?;
        let is_new = !names.contains(&name) && self.store.catalog.named(name).is_none();
        if number != trees + 1 || !is_new {
            return Err(Malformed("a tree has the number or name of another one"));
        }
        match trees as usize >= MAX_TREES {
            true => Err(Malformed("there are too many trees")),
            false => Ok(name),
        }
    }

    /// Does what a record says that was checked.
    fn take(&mut self, record: &Record<'_>) -> Result<(), OutOfMemory> {
        match RecordKind::of(record.kind) {
            Some(RecordKind::Commit) => checked_changes(record.body)
                .try_for_each(|change| self.writers.take(record.number, &change)),
            Some(RecordKind::Tree) => match decode_tree(record.body) {
                Ok((_, name)) => self.make_tree(record.number, name),
                Err(_) => unreachable!("it was checked"),
            },
            Some(RecordKind::Void) | None => Ok(()),
        }
    }

    /// Makes the tree of the record with this number.
    fn make_tree(&mut self, record: u64, name: &str) -> Result<(), OutOfMemory> {
        let new = self.store.make_tree(name)?;
        self.store
            .catalog
            .add(new, |_| record)
            .map_err(|_| OutOfMemory)?;
        self.trees += 1;
        Ok(())
    }
}

fn check_commit(body: &[u8], trees: u32) -> Result<(), Malformed> {
    decode_commit(body, |change| match (1..=trees).contains(&change.tree) {
        true => Ok(()),
        false => Err(Malformed("a change is of a tree that was not made")),
    })
}

impl Writers<'_> {
    /// Adds a change to the batch of its key, and hands that on if it is full.
    fn take(&mut self, number: u64, change: &Change<'_>) -> Result<(), OutOfMemory> {
        match self {
            Self::Own(applier, batch) => {
                batch.push(number, change)?;
                if batch.is_full() {
                    applier.apply(batch)?;
                    batch.clear();
                }
            }
            Self::Lanes(lanes, filled) => {
                let index = lane_of(change, lanes.len());
                let (lane, batch) = (&lanes[index], &mut filled[index]);
                batch.push(number, change)?;
                if batch.is_full() {
                    lane.hand_on(std::mem::take(batch));
                    *batch = lane.empty()?;
                }
            }
        }
        Ok(())
    }
}

/// Returns the lane of a key: always the same, so that its changes are applied in order.
fn lane_of(change: &Change<'_>, lanes: usize) -> usize {
    let hash = crc32c::crc32c_append(change.tree, change.key);
    ((u64::from(hash) * lanes as u64) >> 32) as usize
}
