//! Removes files of checkpoints that do not count.

use super::format::{PartHeader, parse_part_name};
use super::manifest::{Manifest, NEW_NAME};
use crate::durable::io::{Io, IoError, Path};

/// Removes the files that belong to no checkpoint that counts: parts that the manifest does not
/// name, and a manifest that was not published. Not durably: they are removed again.
pub(crate) fn remove_leftovers(
    io: &Io,
    directory: &Path,
    manifest: Option<&Manifest>,
) -> Result<(), IoError> {
    let counts =
        |(number, part)| manifest.is_some_and(|of| number == of.number() && part < of.part_count());
    let mut leftovers = Vec::new();
    io.list(directory, &mut |name| {
        let is_left = name == NEW_NAME || parse_part_name(name).is_some_and(|part| !counts(part));
        if is_left {
            (leftovers.try_reserve(1)).map_err(|_| IoError::no_memory())?;
            leftovers.push(directory.join(name)?);
        }
        Ok(())
    })?;
    leftovers
        .iter()
        .try_for_each(|path| io.unlink_if_there(path))
}

/// Removes the parts of a checkpoint that was abandoned. What cannot be removed stays, as a leftover.
pub(crate) fn remove_parts(io: &Io, directory: &Path, header: &PartHeader, parts: u32) {
    for part in 0..parts {
        let header = PartHeader { part, ..*header };
        // A leftover does no harm.
        let _ = directory
            .join(&header.name())
            .and_then(|path| io.unlink_if_there(&path));
    }
}
