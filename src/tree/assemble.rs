//! Keys put together from what the layers above share and an entry of a leaf.

use crate::OutOfMemory;
use crate::key::{SLICE_LEN, SUFFIX};
use crate::memory::Vector;
use crate::node::Entries;

/// Makes `key`, of which `depth` bytes are what the layers above share, the key of an entry.
#[inline]
pub(super) fn assemble(
    key: &mut Vector<u8>,
    depth: usize,
    entries: &Entries<'_>,
    at: usize,
) -> Result<(), OutOfMemory> {
    let kind = entries.kind(at);
    let suffix = if kind == SUFFIX {
        entries.suffix(at)
    } else {
        &[]
    };
    key.truncate(depth);
    let reserved = key.try_reserve(SLICE_LEN + suffix.len());
    reserved.map_err(|_| OutOfMemory)?;
    // Eight bytes always: their number is known when this is compiled.
    append(key, &entries.slice(at).to_be_bytes());
    if kind == SUFFIX {
        append(key, suffix);
    } else {
        key.truncate(depth + usize::from(kind));
    }
    Ok(())
}

/// Appends bytes for which there is room.
#[inline]
pub(super) fn append(to: &mut Vector<u8>, bytes: &[u8]) {
    assert!(
        to.capacity() - to.len() >= bytes.len(),
        "room was made before"
    );
    // SAFETY: there is room, and the bytes are initialised by the copy.
    unsafe {
        let end = to.as_mut_ptr().add(to.len());
        end.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        to.set_len(to.len() + bytes.len());
    }
}
