//! Checkpoints: files with the content of a store's trees at one number, so that the log before it is no
//! longer needed.
//!
//! # Protocol
//!
//! A checkpoint at number S is a set of *parts*, files that are written side by side, and the *manifest*,
//! which names them. The manifest is the only file that is replaced; it decides which checkpoint counts.
//! A checkpoint is made in this order, each step after the one before has succeeded:
//!
//! 1. Every part is written (`writer`) and synced ([`Line::PartsAreSynced`]); then the log is durable up to S
//!    ([`Line::LogReachesCheckpoint`]): so what the log has behind a checkpoint follows what it has before, for those
//!    that read it as a whole.
//! 2. The new manifest is written to `manifest.new`, and synced ([`Line::ManifestIsSynced`]).
//! 3. The directory is synced: the parts have their names ([`Line::PartsAreNamed`]).
//! 4. `manifest.new` is renamed to `manifest`. A crash from here on leaves the old manifest or the new one,
//!    and everything that either of them names.
//! 5. The directory is synced: the new manifest counts ([`Line::ManifestCounts`]).
//! 6. Only now the log up to S, and the parts of other checkpoints, are removed
//!    ([`Line::CutAfterManifest`]).
//!
//! Before step 4 an error, or a crash, leaves the old checkpoint as it was; new files are *leftovers*. An
//! error of step 4 or 5 leaves both checkpoints' files, since either manifest may count.
//!
//! A part has a chain of checksums as the log has: each header contains the checksum of the header
//! before it, so a block counts only at its place in its file. What a crash, or an error of the disk, has done
//! to a file of a manifest that counts is a corruption: everything was synced before it counted.
//!
//! Opening finds a manifest whose name an earlier process may not have synced. Before the log goes on, and
//! anything is removed, the directory is synced ([`Line::FoundManifestIsSynced`]): else a crash could leave the
//! manifest from before, and parts or segments that it needs might be gone.
//!
//! A salvage that has read the whole log instead of a corrupt checkpoint removes its manifest before it removes
//! leftovers, and before the log goes on: otherwise the next opening would find the same corruption, or, if the
//! error is gone by then, a checkpoint that later commits do not follow. No sync is needed: the log goes on in
//! a new segment, and no frame is written to that before the directory is synced. A crash earlier leaves the store
//! as it was, to be salvaged again.
//!
//! Leftovers are removed when a store is opened to write, and after each checkpoint: all parts that
//! the manifest does not name, and `manifest.new`.

mod format;
mod leftovers;
mod manifest;
mod reader;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
mod writer;

pub(crate) use format::{MAX_PARTS, PartHeader, PartRecord};
pub(crate) use leftovers::{remove_leftovers, remove_parts};
pub(crate) use manifest::{
    MANIFEST, Manifest, ManifestHead, TreeRecord, Unpublished, corrupt_manifest, publish,
    read_manifest, remove_manifest,
};
pub(crate) use reader::{Entry, read_part};
pub(crate) use writer::PartWriter;

#[cfg(doc)]
use crate::protocol::Line;
