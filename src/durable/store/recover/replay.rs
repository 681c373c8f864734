//! The thread that reads the log: checks frames, makes trees, hands changes on.

use super::apply::{Applier, Batch};
use super::lane::Lane;
use super::progress::{Meter, Phase, Progress};
use super::trees::{KnownTrees, Unfit};
use crate::durable::log::{Frame, Record, Refusal};
use crate::durable::store::Store;
use crate::durable::store::record::{Change, Malformed, RecordKind, checked_changes, decode_tree};
use crate::index::memory::OutOfMemory;
use crate::versioned::MAX_COMMIT;

/// A log that is replayed.
pub(super) struct Replay<'s> {
    store: &'s Store,
    trees: KnownTrees,
    writers: Writers<'s>,
    meter: &'s mut Meter,
    progress: Progress,
}

/// The threads that apply changes, and the batches that are filled for them.
enum Writers<'s> {
    /// This thread applies them.
    Own(Applier<'s>, Batch),
    Lanes(&'s [Lane], Vec<Batch>),
    /// No thread: the log is only verified.
    None,
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
            trees: KnownTrees::of(&store.catalog)?,
            writers,
            meter,
            progress: Progress::new(Phase::Log),
        })
    }

    /// Checks a log, and makes and drops its trees, which stay empty.
    pub(super) fn without_changes(
        store: &'s Store,
        meter: &'s mut Meter,
    ) -> Result<Self, OutOfMemory> {
        Ok(Self {
            store,
            trees: KnownTrees::of(&store.catalog)?,
            writers: Writers::None,
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
            Writers::None => {}
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
        let mut checking = self.trees.checking(&self.store.catalog);
        for record in frame.records() {
            let checked = match RecordKind::of(record.kind) {
                _ if !(1..=MAX_COMMIT).contains(&record.number) => {
                    Err(Malformed("a number is out of range").into())
                }
                Some(RecordKind::Commit) => checking.commit(record.body),
                Some(RecordKind::Tree) => checking.made(record.body),
                Some(RecordKind::Dropped) => checking.dropped(record.body),
                Some(RecordKind::Void) => Ok(()),
                None => Err(Malformed("a record has an unknown kind").into()),
            };
            checked.map_err(|unfit| match unfit {
                Unfit::NoMemory => Refusal::NoMemory,
                Unfit::Malformed(Malformed(why)) => Refusal::Corrupt {
                    record: record.number,
                    why,
                },
            })?;
        }
        Ok(())
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
            Some(RecordKind::Dropped) => {
                if let Ok((tree, _)) = decode_tree(record.body) {
                    self.drop_tree(record.number, tree);
                }
                Ok(())
            }
            Some(RecordKind::Void) | None => Ok(()),
        }
    }

    /// Makes the tree of the record with this number.
    fn make_tree(&mut self, record: u64, name: &str) -> Result<(), OutOfMemory> {
        let new = self.store.make_tree(name)?;
        let added = self.store.catalog.add(new, |_| record);
        self.trees.add(added.map_err(|_| OutOfMemory)?.number())
    }

    /// Drops the tree with this number, as the record does.
    fn drop_tree(&mut self, record: u64, number: u32) {
        let catalog = &self.store.catalog;
        let tree = catalog.numbered(number).expect("it was checked");
        catalog.remove(tree.name(), |tree| tree.life.end(|| record));
        self.trees.remove(number);
    }
}

impl Writers<'_> {
    /// Adds a change to the batch of its key, and hands that on if it is full.
    fn take(&mut self, number: u64, change: &Change<'_>) -> Result<(), OutOfMemory> {
        match self {
            Self::None => {}
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
