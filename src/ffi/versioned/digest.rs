//! # Digests
//!
//! A version may have a digest, which its caller has computed, perhaps long before: it protects key,
//! number, kind and value from there on.

use std::ffi::c_void;

use super::write::{decode, status};
use crate::ffi::boundary::{
    key_bytes, on_versioned, on_versioned_read, status_of, value_bytes, write_output,
};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::index::scan::{Ending, control_flow};
use crate::ffi::status::*;
use crate::versioned::{CRC32C, Digest, Fault, crc32c_of};

/// Algorithm of a digest: the CRC-32C of the length of the key and the sequence number, 8 bytes
/// each, and the kind, 4 bytes, all little-endian; then the key; then the value.
pub const MASSTREE_DIGEST_CRC32C: u32 = 1;

/// What masstree_verify_digests reports: the digest is not that of this key, number, kind and value.
pub const MASSTREE_FAULT_DIGEST: u32 = 1;
/// What masstree_verify_digests reports: the version's algorithm does not exist.
pub const MASSTREE_FAULT_ALGORITHM: u32 = 2;
/// What masstree_verify_digests reports: the version's kind does not exist.
pub const MASSTREE_FAULT_KIND: u32 = 3;

const _: () = assert!(MASSTREE_DIGEST_CRC32C == CRC32C);

/// Computes the digest of a version, for masstree_put_digested_at.
///
/// @param algorithm  MASSTREE_DIGEST_CRC32C.
/// @param key        key_len bytes; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param seqno      The version's number.
/// @param kind       The version's kind.
/// @param value      value_len bytes; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
/// @param digest     Receives the digest. May be NULL.
///
/// @retval MASSTREE_OK            *digest is the digest.
/// @retval MASSTREE_INVALID       key or value is NULL and its length is not 0, or algorithm is
///                                unknown.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_digest_version(
    algorithm: u32,
    key: *const c_void,
    key_len: usize,
    seqno: u64,
    kind: u32,
    value: *const c_void,
    value_len: usize,
    digest: *mut u32,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let (key, bytes) = (key_bytes(key, key_len)?, value_bytes(value, value_len)?);
            if algorithm != CRC32C {
                return Err(MASSTREE_INVALID);
            }
            write_output(digest, crc32c_of(key, seqno, kind, bytes));
        }
        Ok(MASSTREE_OK)
    })
}

/// Like masstree_put_at, but with a digest, which is stored as it is: masstree_verify_digests
/// verifies it. It takes 8 bytes.
///
/// @param tree       The tree.
/// @param guard      A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key        key_len bytes; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param seqno      As in masstree_put_at.
/// @param kind       As in masstree_put_at.
/// @param value      As in masstree_put_at.
/// @param value_len  Length of the value in bytes.
/// @param algorithm  MASSTREE_DIGEST_CRC32C.
/// @param digest     The digest, as masstree_digest_version computes it.
///
/// @retval MASSTREE_OK            The version is in the tree.
/// @retval MASSTREE_EXISTS        The key has a version with this number; nothing was changed.
/// @retval MASSTREE_INVALID       As in masstree_put_at, or algorithm is unknown.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree is not versioned.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_READ_ONLY     The tree is sealed, or a store's.
/// @retval MASSTREE_TOO_OLD       As in masstree_put_at.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_put_digested_at(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    seqno: u64,
    kind: u32,
    value: *const c_void,
    value_len: usize,
    algorithm: u32,
    digest: u32,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let key = key_bytes(key, key_len)?;
            let mut put = decode(seqno, kind, value, value_len)?;
            if algorithm != CRC32C {
                return Err(MASSTREE_INVALID);
            }
            put.digest = Some(Digest {
                algorithm,
                value: digest,
            });
            on_versioned(tree, guard, |tree, pin| {
                Ok(status(tree.put(pin, key, &put, false)))
            })
        }
    })
}

/// Called for each faulty version.
///
/// @param key      The key's bytes; valid during this call only. Never NULL.
/// @param key_len  Their length in bytes.
/// @param seqno    The version's number.
/// @param fault    MASSTREE_FAULT_DIGEST, MASSTREE_FAULT_ALGORITHM or MASSTREE_FAULT_KIND.
/// @param ctx      The ctx that was passed to masstree_verify_digests.
///
/// @return As masstree_visitor_t, whose rules apply.
pub type FaultVisitor = Option<
    unsafe extern "C" fn(
        key: *const c_void,
        key_len: usize,
        seqno: u64,
        fault: u32,
        ctx: *mut c_void,
    ) -> i32,
>;

/// Verifies the digest of every version that has one, and the kind of every version.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param visit     Called for each faulty version. May be NULL.
/// @param ctx       Passed to visit.
/// @param verified  Receives the number of digests that are right. May be NULL.
///
/// @retval MASSTREE_OK          No fault was found.
/// @retval MASSTREE_CORRUPT     A fault was found; the visitor may have ended the call at it.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory for the key's buffer.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree is not versioned.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
/// @return The negative number that the visitor returned.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_verify_digests(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    visit: FaultVisitor,
    ctx: *mut c_void,
    verified: *mut u64,
) -> i32 {
    status_of(|| {
        let ending = Ending::in_status();
        // SAFETY: as this function's contract; the visitor is called as its type says.
        unsafe {
            on_versioned_read(tree, guard, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.index().count_call());
                let (mut count, mut faults) = (0, 0_u64);
                let outcome = tree.verify_digests(pin, &mut count, |key, number, fault| {
                    faults += 1;
                    let fault = match fault {
                        Fault::Mismatch => MASSTREE_FAULT_DIGEST,
                        Fault::Algorithm => MASSTREE_FAULT_ALGORITHM,
                        Fault::Kind => MASSTREE_FAULT_KIND,
                    };
                    let result = visit.map_or(0, |visit| {
                        visit(key.as_ptr().cast(), key.len(), number, fault, ctx)
                    });
                    control_flow(result, &ending)
                });
                write_output(verified, count);
                outcome?;
                Ok(match (ending.status(), faults) {
                    (MASSTREE_OK, 0) => MASSTREE_OK,
                    (MASSTREE_OK, _) => MASSTREE_CORRUPT,
                    (stopped, _) => stopped,
                })
            })
        }
    })
}
