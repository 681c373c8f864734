//! Opens a store: locks its directory, reads its log, and goes on with it.
//!
//! The lock is one of the operating system's, on a file of its own (`LOCK`), so it ends with the process.
//! A store that writes holds it exclusively, one that only reads shares it. The file is never removed:
//! a process that opened it before would hold the lock of a file that others no longer find.
//!
//! `recover` builds the trees from the log.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::catalog::{Catalog, NewTree, StoreTree};
use super::checkpointer::CheckpointOptions;
use super::failure::Failure;
use super::record::RecordKind;
use super::recover::{OnProgress, Recovery};
use super::restore::follow;
use super::txn::TransactionCounts;
use super::{LogCell, Store};
use crate::durable::checkpoint::Manifest;
use crate::durable::io::{File, Io, IoError, OPEN_CREATE, OPEN_WRITE, Path};
use crate::durable::log::{Alarm, Level, Log, LogEnd, LogError, LogFault, LogOptions, Report};
use crate::index::memory::{Allocator, OutOfMemory, Source};
use crate::index::reclaim::{generation, watch_forks};
use crate::index::tree::TreeOptions;
use crate::versioned::{self, Clock, Freeing, NumberSource, attach};

/// The name of the file that is locked.
const LOCK: &[u8] = b"lock";

/// How a store is opened.
pub(crate) struct StoreOptions {
    /// `None`: in memory only.
    pub(crate) directory: Option<Path>,
    pub(crate) io: Io,
    pub(crate) is_read_only: bool,
    /// Opening fails if the directory has no store.
    pub(crate) must_exist: bool,
    /// A corrupt log is read up to the fault.
    pub(crate) salvages: bool,
    /// What writing functions wait for.
    pub(crate) level: Level,
    /// 0: the default.
    pub(crate) log_buffer_bytes: usize,
    /// 0: the default.
    pub(crate) log_segment_bytes: u64,
    /// The bytes of the log that checkpoints leave, of those that they make unnecessary.
    pub(crate) retained_log_bytes: u64,
    pub(crate) sync_interval: Option<Duration>,
    pub(crate) checkpoints: CheckpointOptions,
    /// The allocator of trees.
    pub(crate) allocator: Option<Allocator>,
    /// Threads that apply the log; 0: the default.
    pub(crate) recovery_threads: usize,
    /// Is told how far the opening is, and may stop it.
    pub(crate) progress: Option<OnProgress>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            directory: None,
            io: Io::real(),
            is_read_only: false,
            must_exist: false,
            salvages: false,
            level: Level::Memory,
            log_buffer_bytes: 0,
            log_segment_bytes: 0,
            retained_log_bytes: 0,
            sync_interval: None,
            checkpoints: CheckpointOptions::default(),
            allocator: None,
            recovery_threads: 0,
            progress: None,
        }
    }
}

/// Why a store was not opened.
#[derive(Debug)]
pub(crate) enum OpenFault {
    OutOfMemory,
    /// There is no store in the directory.
    NotFound,
    /// Another store has the directory open.
    Locked,
    /// The disk is full.
    Full(Failure),
    /// A file operation has failed.
    Io(Failure),
    /// A file has a wrong content.
    Corrupt(Failure),
    /// The function for progress has stopped it.
    Stopped,
}

impl OpenFault {
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::OutOfMemory | Self::NotFound | Self::Locked | Self::Stopped => None,
            Self::Full(failure) | Self::Io(failure) | Self::Corrupt(failure) => Some(failure),
        }
    }
}

impl From<OutOfMemory> for OpenFault {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl From<IoError> for OpenFault {
    fn from(error: IoError) -> Self {
        if error.is_no_memory() {
            return Self::OutOfMemory;
        }
        match error.is_full() {
            true => Self::Full(Failure::of_io(&error)),
            false => Self::Io(Failure::of_io(&error)),
        }
    }
}

impl From<LogError> for OpenFault {
    fn from(error: LogError) -> Self {
        match error {
            LogError::NoMemory => Self::OutOfMemory,
            LogError::Stopped => Self::Stopped,
            LogError::Io(error) => error.into(),
            LogError::Corrupt(corruption) => Self::Corrupt(Failure::of_corruption(&corruption)),
        }
    }
}

/// The options of a store's trees.
pub(super) fn tree_options(allocator: Option<Allocator>) -> TreeOptions {
    TreeOptions {
        values: versioned::values(),
        allocator,
        ..TreeOptions::default()
    }
}

impl Store {
    /// A store without trees, and without a log.
    pub(super) fn empty(options: &StoreOptions) -> Result<Self, OutOfMemory> {
        watch_forks();
        let source = Source::new(options.allocator);
        let log: LogCell = Arc::new(OnceLock::new());
        // SAFETY: the store keeps the cell for as long as the clock.
        let numbers = unsafe { NumberSource::new(Arc::as_ptr(&log).cast(), taken, installed) };
        let clock = Clock::of_store(source, numbers)?;
        Ok(Self {
            source,
            allocator: options.allocator,
            catalog: Arc::new(Catalog::new()),
            checkpointer: None,
            clock,
            transaction_counts: TransactionCounts::new(),
            log,
            io: options.io.clone(),
            is_read_only: options.is_read_only,
            level: options.level,
            report: Report::default(),
            recovery: Recovery::default(),
            lock: None,
            generation: generation(),
        })
    }

    pub(crate) fn open(options: StoreOptions) -> Result<Self, OpenFault> {
        let mut store = Self::empty(&options)?;
        let mut end = LogEnd::new();
        let mut manifest = None;
        if let Some(directory) = &options.directory {
            store.lock = Some(lock(&options, directory)?);
            (manifest, end) = store.read(&options, directory)?;
            store.checkpointer = store.checkpointer_of(&options, manifest.as_ref())?;
        }
        store.report = std::mem::take(&mut end.report);
        if let Some(checkpointer) = &store.checkpointer {
            checkpointer.keep(manifest.as_ref())?;
        }
        // What salvage has kept of the log; a log that a checkpoint needs must not be missing.
        let is_log_lost = options.salvages && manifest.is_some() && end.is_empty();
        let begins_log = is_log_lost && !options.is_read_only;
        let alarm = store.checkpointer.as_ref().map(|of| of.alarm.clone());
        let opened = Log::open(log_options(options, alarm)?, end)?;
        let is_new = store.log.set(opened).is_ok();
        debug_assert!(is_new, "the cell was empty");
        if begins_log {
            store.begin_log()?;
        }
        if let Some(checkpointer) = &store.checkpointer {
            checkpointer.remove_leftovers(manifest.as_ref())?;
            checkpointer.start()?;
        }
        Ok(store)
    }

    /// Reads the checkpoint that counts, and the log behind it. With salvage, and if the checkpoint is corrupt,
    /// reads the whole log instead, if it is there.
    fn read(
        &mut self,
        options: &StoreOptions,
        directory: &Path,
    ) -> Result<(Option<Manifest>, LogEnd), OpenFault> {
        let salvages = options.salvages;
        let mut lost = None;
        let begun = Instant::now();
        let manifest = match self.restore(options, directory) {
            Err(LogError::Corrupt(corruption)) if salvages => {
                // SAFETY: no other thread has the store yet.
                unsafe { self.catalog.free() };
                lost = Some(corruption);
                None
            }
            restored => restored?,
        };
        let from = manifest
            .as_ref()
            .map_or(0, |manifest| manifest.number() + 1);
        let checkpoint = begun.elapsed();
        let (mut end, recovery) = self.replay_log(options, directory, from)?;
        self.recovery = Recovery {
            checkpoint,
            checkpoint_number: manifest.as_ref().map_or(0, Manifest::number),
            ..recovery
        };
        if let Some(corruption) = lost
            && end.report.segments == 0
        {
            return Err(LogError::Corrupt(corruption).into());
        }
        match &manifest {
            Some(manifest) => follow(manifest, &mut end, directory, salvages)?,
            None if end.store_id.is_none() && options.must_exist => {
                return Err(OpenFault::NotFound);
            }
            None => {}
        }
        Ok((manifest, end))
    }

    /// Begins the log behind a checkpoint, if salvage has given all of it up: with a record that changes nothing.
    /// Otherwise the next opening would miss the log. A crash before that leaves the store to be salvaged again.
    fn begin_log(&self) -> Result<(), OpenFault> {
        let log = self.log();
        let begun = log.reserve(0).and_then(|room| {
            room.take().fill(RecordKind::Void as u8, |_| {});
            log.sync()
        });
        begun.map_err(|fault| match (fault, log.failure()) {
            (LogFault::NoMemory, _) => OpenFault::OutOfMemory,
            (_, Some(error)) => OpenFault::Io(Failure::of_io(error)),
            (_, None) => OpenFault::Full(Failure {
                errno: libc::ENOSPC,
                operation: "preallocate",
                reason: "",
                file: Path::empty(),
                offset: 0,
            }),
        })
    }

    /// Makes a tree of this store that is not in its catalog.
    pub(super) fn make_tree(&self, name: &str) -> Result<NewTree, OutOfMemory> {
        let options = tree_options(self.allocator);
        StoreTree::make(&options, name, |tree| {
            attach(tree, Freeing::WhenOverwritten, Some(&self.clock))
        })
    }
}

/// Makes the directory if there is none, and locks it.
pub(super) fn lock(options: &StoreOptions, directory: &Path) -> Result<File, OpenFault> {
    let io = &options.io;
    let may_create = !options.is_read_only && !options.must_exist;
    if may_create {
        match io.mkdir(directory) {
            // The store's files are found after a crash only if the directory is.
            Ok(()) => io.sync_dir(&directory.parent()?)?,
            Err(error) if error.errno == libc::EEXIST => {}
            Err(error) => return Err(error.into()),
        }
    }
    let flags = match (options.is_read_only, may_create) {
        (true, _) => 0,
        (false, false) => OPEN_WRITE,
        (false, true) => OPEN_WRITE | OPEN_CREATE,
    };
    let file = match io.open(&directory.join(LOCK)?, flags) {
        Ok(file) => file,
        Err(error) if error.errno == libc::ENOENT => return Err(OpenFault::NotFound),
        Err(error) => return Err(error.into()),
    };
    match file.lock(!options.is_read_only)? {
        true => Ok(file),
        false => Err(OpenFault::Locked),
    }
}

fn log_options(options: StoreOptions, alarm: Option<Arc<Alarm>>) -> Result<LogOptions, OpenFault> {
    let mut log = LogOptions::new(options.io, options.directory, random());
    log.is_read_only = options.is_read_only;
    log.retained_bytes = options.retained_log_bytes;
    if options.log_buffer_bytes != 0 {
        log.buffer_bytes = options.log_buffer_bytes;
    }
    if options.log_segment_bytes != 0 {
        log.segment_bytes = options.log_segment_bytes;
        log.step_bytes = log.step_bytes.min(options.log_segment_bytes);
    }
    log.sync_interval = options.sync_interval;
    log.alarm = alarm;
    Ok(log)
}

/// Returns a number that identifies a new store.
pub(super) fn random() -> u64 {
    // The keys of a `RandomState` come from the operating system's random numbers.
    RandomState::new().build_hasher().finish()
}

/// # Safety
/// `ctx` is a store's [`LogCell`].
unsafe fn taken(ctx: *const std::ffi::c_void) -> u64 {
    // SAFETY: by contract.
    unsafe { &*ctx.cast::<OnceLock<Log>>() }
        .get()
        .map_or(0, Log::taken)
}

/// # Safety
/// `ctx` is a store's [`LogCell`].
unsafe fn installed(ctx: *const std::ffi::c_void) -> u64 {
    // SAFETY: by contract.
    unsafe { &*ctx.cast::<OnceLock<Log>>() }
        .get()
        .map_or(0, Log::installed)
}
