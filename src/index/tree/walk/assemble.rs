//! Assembles keys from the bytes that the layers above share and an entry of a leaf.

use crate::index::key::{SLICE_LEN, SUFFIX};
use crate::index::memory::OutOfMemory;
use crate::index::memory::Vector;
pub(in crate::index::tree) use crate::index::memory::append;
use crate::index::node::{Entries, Suffix};

/// Replaces everything after the first `depth` bytes of `key`, which the layers above share,
/// so that it becomes the whole key of an entry.
#[inline]
pub(in crate::index::tree) fn assemble(
    key: &mut Vector<u8>,
    depth: usize,
    entries: &Entries<'_>,
    at: usize,
) -> Result<(), OutOfMemory> {
    let kind = entries.kind(at);
    key.truncate(depth);
    key.try_reserve(2 * SLICE_LEN).map_err(|_| OutOfMemory)?;
    // Always eight bytes, here and below: a constant length compiles to one store.
    append(key, &entries.slice(at).to_be_bytes());
    if kind < SUFFIX {
        key.truncate(depth + usize::from(kind));
        return Ok(());
    }
    match entries.suffix(at) {
        Suffix::Tail(bytes, len) => {
            append(key, &bytes);
            key.truncate(depth + SLICE_LEN + usize::from(len));
        }
        Suffix::Bytes(bytes) => {
            key.try_reserve(bytes.len()).map_err(|_| OutOfMemory)?;
            append(key, bytes);
        }
    }
    Ok(())
}

/// Appends a key that ends in its slice: the bytes that the layers above share, then the
/// first `kind` bytes of the slice.
///
/// # Safety
/// `to` has room for the shared bytes and a whole slice; `kind` is at most a slice's length.
#[inline]
pub(in crate::index::tree) unsafe fn append_short(
    to: &mut Vector<u8>,
    shared: &[u8],
    slice: [u8; SLICE_LEN],
    kind: usize,
) {
    debug_assert!(to.capacity() - to.len() >= shared.len() + SLICE_LEN);
    let len = to.len() + shared.len() + kind;
    // SAFETY: by contract.
    unsafe {
        let end = to.as_mut_ptr().add(to.len());
        if !shared.is_empty() {
            end.copy_from_nonoverlapping(shared.as_ptr(), shared.len());
        }
        let end = end.add(shared.len());
        end.cast::<[u8; SLICE_LEN]>().write(slice);
        to.set_len(len);
    }
}
