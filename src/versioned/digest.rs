//! Digests of versions: computed by the caller, stored with a version, verified on demand.

use std::ops::ControlFlow;

use super::VersionedTree;
use super::entry::{Kind, Version};
use super::list::List;
use crate::index::memory::OutOfMemory;
use crate::index::reclaim::Pinned;
use crate::index::tree::Range;

/// The algorithm CRC-32C.
pub(crate) const CRC32C: u32 = 1;

/// What is wrong with a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Key, number, kind or value are not those of which the digest was computed.
    Mismatch,
    /// No such algorithm exists.
    Algorithm,
    /// No such kind exists.
    Kind,
}

/// Returns the CRC-32C of, in this order: the length of the key and the number, as 8 bytes, and the
/// kind, as 4 bytes, all little-endian; the key; the bytes.
pub(crate) fn crc32c_of(key: &[u8], number: u64, kind: u32, bytes: &[u8]) -> u32 {
    let mut header = [0; 20];
    header[..8].copy_from_slice(&(key.len() as u64).to_le_bytes());
    header[8..16].copy_from_slice(&number.to_le_bytes());
    header[16..].copy_from_slice(&kind.to_le_bytes());
    let parts = [&header[..], key, bytes].into_iter();
    parts.fold(0, crc32c::crc32c_append)
}

/// Verifies a version of a key. Returns whether it has a digest.
fn verify(key: &[u8], version: Version<'_>) -> Result<bool, Fault> {
    let kind = version.kind_number();
    if Kind::of(kind).is_none() {
        return Err(Fault::Kind);
    }
    let Some(digest) = version.digest() else {
        return Ok(false);
    };
    if digest.algorithm != CRC32C {
        return Err(Fault::Algorithm);
    }
    match crc32c_of(key, version.number(), kind, version.bytes()) == digest.value {
        true => Ok(true),
        false => Err(Fault::Mismatch),
    }
}

impl VersionedTree<'_> {
    /// Verifies all versions that have a digest, and the kind of every version; `report` receives
    /// the key and the number of each faulty one. Returns how many digests were right in `verified`,
    /// also if memory runs out.
    pub(crate) fn verify_digests(
        self,
        pin: Pinned<'_>,
        verified: &mut u64,
        mut report: impl FnMut(&[u8], u64, Fault) -> ControlFlow<()>,
    ) -> Result<(), OutOfMemory> {
        self.tree.scan(pin, &Range::all(), &mut |key, word| {
            // SAFETY: the word was found under this pin.
            let mut next = unsafe { List::new(word) }.newest();
            // Ends: the numbers fall.
            while let Some(version) = next {
                match verify(key, version) {
                    Ok(has_digest) => *verified += u64::from(has_digest),
                    Err(fault) => report(key, version.number(), fault)?,
                }
                next = version.older();
            }
            ControlFlow::Continue(())
        })?;
        Ok(())
    }
}
