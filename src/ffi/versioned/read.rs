//! # Reading at a number
//!
//! Look-ups in versioned trees.

use std::ffi::c_void;
use std::ops::ControlFlow;

use super::write::MASSTREE_VERSION_RANGE_TOMBSTONE;
use crate::ffi::boundary::{
    guard_for_values, key_bytes, on_versioned_read, status_of, write_output,
};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::index::batch::{Keys, item_ptr};
use crate::ffi::index::bytes::Slice;
use crate::ffi::index::cursor_move::decode_seek;
use crate::ffi::index::scan::{Ending, control_flow};
use crate::ffi::index::seek::KeyOutput;
use crate::ffi::status::*;
use crate::versioned::{self, Found};

/// A version of a key.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Version {
    /// Its number.
    pub seqno: u64,
    /// MASSTREE_VERSION_VALUE, _MERGE, _TOMBSTONE or _WEAK_TOMBSTONE.
    pub kind: u32,
    /// The algorithm of its digest; 0: it has none.
    pub algorithm: u32,
    /// Its value: value_len bytes of the tree's memory, readable and unchanged until the guard is
    /// refreshed or left, in an append-only tree until masstree_destroy. Never NULL.
    pub value: *const c_void,
    /// Length of the value in bytes.
    pub value_len: usize,
    /// Its digest, or 0: as it was stored, not verified.
    pub digest: u32,
    /// 0.
    pub reserved: u32,
}

impl Version {
    pub(in crate::ffi) fn of(version: versioned::Version<'_>) -> Self {
        let bytes = version.bytes();
        let (algorithm, digest) =
            (version.digest()).map_or((0, 0), |digest| (digest.algorithm, digest.value));
        Self {
            seqno: version.number(),
            kind: version.kind_number(),
            algorithm,
            value: bytes.as_ptr().cast(),
            value_len: bytes.len(),
            digest,
            reserved: 0,
        }
    }

    /// What a range tombstone with this number is to a reader of a key.
    fn of_range_tombstone(number: u64) -> Self {
        Self {
            seqno: number,
            kind: MASSTREE_VERSION_RANGE_TOMBSTONE,
            algorithm: 0,
            value: c"".as_ptr().cast(),
            value_len: 0,
            digest: 0,
            reserved: 0,
        }
    }
}

/// Called for each version of a scan, in order, or for each operand of a key.
///
/// @param key      The key's bytes; valid during this call only. Never NULL.
/// @param key_len  Their length in bytes.
/// @param version  The version; the struct is valid during this call only, the value's bytes as long
///                 as the guard that the call runs under is held, and without a guard during this
///                 call only. In an append-only tree they stay until masstree_destroy.
/// @param ctx      The ctx that was passed with the visitor.
///
/// @return As masstree_visitor_t, whose rules apply.
pub type VersionVisitor = Option<
    unsafe extern "C" fn(
        key: *const c_void,
        key_len: usize,
        version: *const Version,
        ctx: *mut c_void,
    ) -> i32,
>;

/// Adapts a visitor, whose number `ending` records if it ends the call.
///
/// # Safety
/// The visitor may be called with `ctx` as long as the result exists.
pub(super) unsafe fn adapt(
    visit: unsafe extern "C" fn(*const c_void, usize, *const Version, *mut c_void) -> i32,
    ctx: *mut c_void,
    ending: &Ending,
) -> impl FnMut(&[u8], versioned::Version<'_>) -> ControlFlow<()> {
    move |key: &[u8], version: versioned::Version<'_>| {
        let version = Version::of(version);
        // SAFETY: by contract.
        let result = unsafe { visit(key.as_ptr().cast(), key.len(), &raw const version, ctx) };
        control_flow(result, ending)
    }
}

/// Returns the status of a look-up, and what it found, if anything.
fn outcome(found: Found<'_>) -> (i32, Option<Version>) {
    match found {
        Found::Nothing => (MASSTREE_NOT_FOUND, None),
        Found::Version(version) => (MASSTREE_OK, Some(Version::of(version))),
        Found::Tombstone(version) => (MASSTREE_DELETED, Some(Version::of(version))),
        Found::Covered(number) => (MASSTREE_DELETED, Some(Version::of_range_tombstone(number))),
    }
}

/// Looks up a key as of a number.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree: the value stays readable only while the guard is held. NULL
///                 only if the tree is append-only.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param seqno    The number; 0 sees nothing, MASSTREE_SEQNO_LATEST everything published.
/// @param version  Receives the newest version with this number or a lower one; with
///                 MASSTREE_DELETED, the tombstone, or the range tombstone's number with the kind
///                 MASSTREE_VERSION_RANGE_TOMBSTONE. May be NULL.
///
/// @retval MASSTREE_OK            *version is a value, or the newest of some merge operands: see
///                                masstree_get_operands_at.
/// @retval MASSTREE_NOT_FOUND     The key has no version at this number.
/// @retval MASSTREE_DELETED       The key is deleted at this number; *version says by what. A range
///                                tombstone deletes keys that have no version, too.
/// @retval MASSTREE_INVALID       tree is NULL, guard is NULL and the tree is not append-only, or key
///                                is NULL and key_len is not 0.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree is not versioned.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_TOO_OLD       seqno is below the floor of a trim, and no snapshot is open at it.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_at(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    seqno: u64,
    version: *mut Version,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            guard_for_values(tree, guard)?;
            let key = key_bytes(key, key_len)?;
            on_versioned_read(tree, guard, |tree, pin| {
                let (status, found) = outcome(tree.get(pin, key, seqno));
                if !tree.was_readable(seqno) {
                    return Err(MASSTREE_TOO_OLD);
                }
                if let Some(found) = found {
                    write_output(version, found);
                }
                Ok(status)
            })
        }
    })
}

/// Looks up several keys as of one number, faster than one by one. At MASSTREE_SEQNO_LATEST, too,
/// all are read at the same number.
///
/// @param tree      The tree.
/// @param guard     As in masstree_get_at.
/// @param keys      count keys, as masstree_get_at takes them; NULL only if count is 0.
/// @param count     Number of keys.
/// @param seqno     As in masstree_get_at.
/// @param versions  Receives the versions, each at the index of its key, as masstree_get_at returns
///                  them; elements of other keys are undefined. May be NULL.
/// @param statuses  Receives, for each key, the status that masstree_get_at would return. May be
///                  NULL.
///
/// @retval MASSTREE_OK            Every key was looked up; the status of each says what was found.
/// @retval MASSTREE_INVALID       tree is NULL, guard is NULL and the tree is not append-only, or keys
///                                is NULL and count is not 0: nothing was done, and no status is
///                                stored. Or a key is NULL and its length is not 0; the other keys
///                                were looked up.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the other keys were looked up.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND    The tree is not versioned; nothing was done.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing was
///                                done.
/// @retval MASSTREE_TOO_OLD       As in masstree_get_at; the outputs are undefined.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_many_at(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    keys: *const Slice,
    count: usize,
    seqno: u64,
    versions: *mut Version,
    statuses: *mut i32,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            guard_for_values(tree, guard)?;
            let (slices, keys) = (keys, Keys::Slices(keys).checked(count)?);
            on_versioned_read(tree, guard, |tree, pin| {
                let report = |index, status| write_output(item_ptr(statuses, index), status);
                let mut first_error = MASSTREE_OK;
                for index in 0..count {
                    let Err(status) = keys.key(index) else {
                        continue;
                    };
                    report(index, status);
                    if first_error == MASSTREE_OK {
                        first_error = status;
                    }
                }
                let key_at = |index| {
                    let Slice { data, len } = slices.add(index).read();
                    key_bytes(data, len).ok()
                };
                tree.get_each(pin, count, key_at, seqno, |index, found| {
                    let (status, found) = outcome(found);
                    report(index, status);
                    if let Some(found) = found {
                        write_output(item_ptr(versions, index), found);
                    }
                });
                match tree.was_readable(seqno) {
                    true => Ok(first_error),
                    false => Err(MASSTREE_TOO_OLD),
                }
            })
        }
    })
}

/// Visits the versions of a key that a reader at a number merges: operands, the newest first, and
/// last the value or the tombstone on which they build, unless there is none.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param seqno    As in masstree_get_at.
/// @param visit    Called for each version.
/// @param ctx      Passed to visit.
/// @param visited  Receives the number of versions visited. May be NULL.
///
/// @retval MASSTREE_OK            The newest version is a value or a merge operand.
/// @retval MASSTREE_NOT_FOUND     The key has no version at this number; none was visited.
/// @retval MASSTREE_DELETED       The key is deleted at this number; its tombstone was visited, a
///                                range tombstone is not.
/// @retval MASSTREE_INVALID       tree or visit is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree is not versioned.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_TOO_OLD       As in masstree_get_at; the visitor may have been called.
/// @return The negative number that the visitor returned.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_operands_at(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    seqno: u64,
    visit: VersionVisitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    status_of(|| {
        let ending = Ending::in_status();
        // SAFETY: as this function's contract.
        unsafe {
            let mut visit = adapt(visit.ok_or(MASSTREE_INVALID)?, ctx, &ending);
            let key = key_bytes(key, key_len)?;
            on_versioned_read(tree, guard, |tree, pin| {
                let mut count = 0;
                let found = tree.get_operands(pin, key, seqno, |version| {
                    count += 1;
                    visit(key, version)
                });
                write_output(visited, count);
                if ending.status() < 0 {
                    return Err(ending.status());
                }
                match tree.was_readable(seqno) {
                    true => Ok(outcome(found).0),
                    false => Err(MASSTREE_TOO_OLD),
                }
            })
        }
    })
}

/// Finds the key nearest to a given one that a reader at a number sees, and its version: a value, or the
/// newest of some merge operands. Otherwise as masstree_seek.
///
/// @param tree      The tree.
/// @param guard     As in masstree_get_at.
/// @param key       key_len bytes; NULL only if key_len is 0.
/// @param key_len   Length of the key in bytes, at most 2^32 - 1.
/// @param seqno     As in masstree_get_at.
/// @param how       As in masstree_seek.
/// @param buffer    As in masstree_seek.
/// @param capacity  Size of the buffer in bytes.
/// @param len       As in masstree_seek.
/// @param version   Receives the version of the key that was found. May be NULL.
///
/// @retval MASSTREE_OK            Found.
/// @retval MASSTREE_END           No such key is visible.
/// @retval MASSTREE_INVALID       As in masstree_get_at, or how is unknown.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree is not versioned.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_TOO_SMALL     As in masstree_seek.
/// @retval MASSTREE_TOO_OLD       As in masstree_get_at.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_seek_at(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    seqno: u64,
    how: u32,
    buffer: *mut c_void,
    capacity: usize,
    len: *mut usize,
    version: *mut Version,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            guard_for_values(tree, guard)?;
            let seek = decode_seek(key_bytes(key, key_len)?, how)?;
            let output = KeyOutput {
                buffer,
                capacity,
                len,
            };
            on_versioned_read(tree, guard, |tree, pin| {
                let was_readable = || match tree.was_readable(seqno) {
                    true => Ok(()),
                    false => Err(MASSTREE_TOO_OLD),
                };
                let found = tree.seek(pin, seek, seqno, |key, found| {
                    was_readable()?;
                    output.write(key)?;
                    write_output(version, Version::of(found));
                    Ok(MASSTREE_OK)
                })?;
                found.unwrap_or_else(|| was_readable().map(|()| MASSTREE_END))
            })
        }
    })
}
