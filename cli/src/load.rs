//! Loads a dump into a store.
//!
//! # Protocol
//!
//! Entries are committed in batches, in the order of the dump. From time to time the store is synced; only then
//! the progress is recorded: how many bytes of the dump were read up to there, and their checksum. A record
//! replaces the one before it by a rename. So whatever ends a load, the entries before the recorded offset
//! are in the store. The next load reads the dump from its beginning, checks that the bytes up to the
//! offset are those that the record tells of, and stores what follows. Entries behind the offset may be in the
//! store already; storing them again changes nothing. When the dump is loaded, the record is removed.
//!
//! A record that a loss of power has damaged counts as none: then everything is stored again.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::args::LoadArgs;
use crate::batch::Batch;
use crate::dump::{DumpReader, Item};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::progress::bytes_bar;
use crate::store::{Opening, Store, Tree};

/// The file in the store's directory that records the progress.
const PROGRESS: &str = "load-progress";
/// What the record is written to before it gets its name.
const NEW_PROGRESS: &str = "load-progress.new";

/// Bytes of keys and values that are committed at once, about.
const BATCH_BYTES: u64 = 1 << 18;
/// Bytes of the dump between two records of the progress, about.
const STEP_BYTES: u64 = 4 << 20;

/// Up to where a dump is in the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Progress {
    offset: u64,
    checksum: u32,
    entries: u64,
}

impl Progress {
    fn read(directory: &Path) -> Outcome<Option<Self>> {
        let path = directory.join(PROGRESS);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::of_file(path.display(), &error)),
        };
        Ok(Self::parse(&text))
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(text).ok()?;
        Some(Self {
            offset: value["offset"].as_u64()?,
            checksum: value["checksum"].as_u64()?.try_into().ok()?,
            entries: value["entries"].as_u64()?,
        })
    }

    fn json(self) -> Value {
        let Self {
            offset,
            checksum,
            entries,
        } = self;
        json!({ "offset": offset, "checksum": checksum, "entries": entries })
    }

    fn write(self, directory: &Path) -> Outcome<()> {
        let (new, path) = (directory.join(NEW_PROGRESS), directory.join(PROGRESS));
        File::create(&new)
            .and_then(|mut file| writeln!(file, "{}", self.json()))
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|error| Failure::of_file(path.display(), &error))
    }
}

fn remove_progress(directory: &Path) -> Outcome<()> {
    let path = directory.join(PROGRESS);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::of_file(path.display(), &error))
        }
        _ => Ok(()),
    }
}

/// Opens the dump; returns it, its name, and its length if it is a file.
fn open_input(path: Option<&PathBuf>) -> Outcome<(Box<dyn Read>, String, Option<u64>)> {
    let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
        return Ok((Box::new(io::stdin()), "standard input".into(), None));
    };
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Failure::of_file(&name, &error))?;
    let len = file
        .metadata()
        .ok()
        .filter(fs::Metadata::is_file)
        .map(|of| of.len());
    Ok((Box::new(file), name, len))
}

/// A load that is under way.
struct Load<'s, 'i> {
    store: &'s Store,
    reader: DumpReader<'i>,
    batch: Batch<'s>,
    /// Bytes in the batch.
    bytes: u64,
    /// What the dump had up to the piece that was read last.
    reached: Progress,
    /// What is in the store.
    recorded: Progress,
    prints: bool,
    bar: ProgressBar,
}

impl<'s> Load<'s, '_> {
    /// Reads the next piece.
    fn next(&mut self) -> Outcome<Item> {
        let item = self.reader.next()?;
        self.reached.offset = self.reader.offset();
        self.reached.checksum = self.reader.checksum();
        self.reached.entries += u64::from(matches!(item, Item::Entry { .. }));
        self.bar.set_position(self.reached.offset);
        Ok(item)
    }

    /// Reads what an earlier load has stored; returns the tree that it had come to.
    fn skip(&mut self, stored: Progress) -> Outcome<Option<Tree<'s>>> {
        let mut tree = None;
        // Ends: each turn reads a piece of the dump, whose end is none of those that are recorded.
        while self.reached.offset < stored.offset {
            match self.next()? {
                Item::Tree(name) => tree = Some(self.store.make_tree(&name)?),
                Item::Entry { .. } => {}
                Item::End => break,
            }
        }
        if self.reached != stored {
            return Err(Failure::usage(
                "an earlier load of another dump did not end: finish it, or use --restart",
            ));
        }
        self.recorded = stored;
        Ok(tree)
    }

    /// Stores everything that follows.
    fn store(&mut self, mut tree: Option<Tree<'s>>) -> Outcome<()> {
        // Ends: each turn reads a piece of the dump.
        loop {
            match self.next()? {
                Item::Tree(name) => tree = Some(self.store.make_tree(&name)?),
                Item::Entry { key, value } => {
                    let tree = tree.ok_or_else(|| Failure::usage("an entry before any tree"))?;
                    self.push(tree, &key, &value)?;
                }
                Item::End => return self.batch.commit(),
            }
        }
    }

    fn push(&mut self, tree: Tree<'s>, key: &[u8], value: &[u8]) -> Outcome<()> {
        self.batch.put(tree, key, value)?;
        self.bytes += (key.len() + value.len()) as u64 + 64;
        if self.bytes >= BATCH_BYTES {
            self.batch.commit()?;
            self.bytes = 0;
            if self.reached.offset - self.recorded.offset >= STEP_BYTES {
                self.record()?;
            }
        }
        Ok(())
    }

    /// Records the progress, when all up to there is durable.
    fn record(&mut self) -> Outcome<()> {
        self.store.sync()?;
        self.reached.write(self.store.directory())?;
        self.recorded = self.reached;
        if !self.prints {
            return Ok(());
        }
        let mut output = Output::new();
        output.json(&self.reached.json())?;
        output.finish()
    }
}

pub(crate) fn load(args: &LoadArgs) -> Outcome<()> {
    let (input, name, len) = open_input(args.input.as_ref())?;
    let reader = DumpReader::new(BufReader::with_capacity(1 << 16, input), name)?;
    let opening = Opening {
        log_buffer_bytes: args.buffer.log_buffer,
        makes_checkpoints: true,
        ..Opening::default()
    };
    let store = Store::open(&args.store.directory, opening)?;
    if args.restart {
        remove_progress(store.directory())?;
    }
    let stored = Progress::read(store.directory())?;
    let nothing = Progress {
        offset: 0,
        checksum: 0,
        entries: 0,
    };
    let mut load = Load {
        store: &store,
        reader,
        batch: Batch::new(&store)?,
        bytes: 0,
        reached: nothing,
        recorded: nothing,
        prints: args.json,
        bar: bytes_bar("loading", len),
    };
    let tree = stored.map_or(Ok(None), |stored| load.skip(stored))?;
    load.store(tree)?;
    load.bar.finish_and_clear();
    let entries = load.reached.entries;
    drop(load);
    store.sync()?;
    remove_progress(store.directory())?;
    store.close()?;
    let mut output = Output::new();
    match args.json {
        true => output.json(&json!({ "loaded": entries }))?,
        false => output.line(&format!("loaded {entries} entries"))?,
    }
    output.finish()
}
