//! Keys put together from what the layers above share and an entry of a leaf.

use crate::index::key::{SLICE_LEN, SUFFIX};
use crate::index::memory::OutOfMemory;
use crate::index::memory::Vector;
use crate::index::node::Entries;

/// Makes `key`, of which `depth` bytes are what the layers above share, the key of an entry.
#[inline]
pub(in crate::index::tree) fn assemble(
    key: &mut Vector<u8>,
    depth: usize,
    entries: &Entries<'_>,
    at: usize,
) -> Result<(), OutOfMemory> {
    let kind = entries.kind(at);
    key.truncate(depth);
    key.try_reserve(SLICE_LEN).map_err(|_| OutOfMemory)?;
    // Eight bytes always: their number is known when this is compiled.
    append(key, &entries.slice(at).to_be_bytes());
    if kind == SUFFIX {
        let suffix = entries.suffix(at);
        key.try_reserve(suffix.len()).map_err(|_| OutOfMemory)?;
        append(key, suffix);
    } else {
        key.truncate(depth + usize::from(kind));
    }
    Ok(())
}

/// Appends a key that ends in its slice: what the layers above share, and `kind` bytes of the
/// slice.
///
/// # Safety
/// There is room for what is shared and a whole slice more; `kind` is at most a slice.
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

/// Appends bytes for which there is room.
#[inline]
pub(in crate::index::tree) fn append(to: &mut Vector<u8>, bytes: &[u8]) {
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
