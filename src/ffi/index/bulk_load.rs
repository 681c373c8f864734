//! Filling an empty tree.

use std::ffi::c_void;
use std::ops::Range;

use super::batch::Keys;
use super::bytes::Slice;
use crate::ffi::boundary::{ValueKind, on_tree, status_of, value_bytes, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::key::Key;
use crate::index::tree::{Builder, LoadOutcome, Refused, Tree};

impl From<Refused> for i32 {
    fn from(refused: Refused) -> i32 {
        match refused {
            Refused::Unsorted => MASSTREE_UNSORTED,
            Refused::OutOfMemory => MASSTREE_NOMEM,
        }
    }
}

/// The values to load.
#[derive(Clone, Copy)]
pub(in crate::ffi) enum Values {
    Words(*const u64),
    Bytes(*const Slice),
}

impl Values {
    pub(in crate::ffi) fn kind(self) -> ValueKind {
        match self {
            Self::Words(_) => ValueKind::Words,
            Self::Bytes(_) => ValueKind::Bytes,
        }
    }

    pub(in crate::ffi) fn is_null(self) -> bool {
        match self {
            Self::Words(words) => words.is_null(),
            Self::Bytes(strings) => strings.is_null(),
        }
    }

    /// Destroys words that no tree got: no reader can have seen them.
    ///
    /// # Safety
    /// There are values at these indexes, which the library owns.
    pub(in crate::ffi) unsafe fn destroy(self, tree: &Tree, indexes: Range<usize>) {
        if let Self::Words(words) = self {
            for index in indexes {
                // SAFETY: by contract.
                unsafe { tree.destroy_unpublished(words.add(index).read()) };
            }
        }
    }

    /// Checks the value at an index.
    ///
    /// # Safety
    /// There is a value at this index.
    unsafe fn check(self, index: usize) -> Result<(), i32> {
        if let Self::Bytes(strings) = self {
            // SAFETY: by contract.
            unsafe {
                let Slice { data, len } = strings.add(index).read();
                value_bytes(data, len)?;
            }
        }
        Ok(())
    }
}

/// Adds a key and its value to a builder.
///
/// # Safety
/// There is a value at this index.
#[inline]
unsafe fn add(
    tree: &Tree,
    builder: &mut Builder<'_>,
    key: Key<'_>,
    values: Values,
    index: usize,
) -> Result<(), i32> {
    match values {
        // SAFETY: by contract.
        Values::Words(words) => Ok(builder.add(key, unsafe { words.add(index).read() })?),
        Values::Bytes(strings) => {
            let position = builder.position_of(key).ok_or(MASSTREE_UNSORTED)?;
            // SAFETY: by contract.
            let Slice { data, len } = unsafe { strings.add(index).read() };
            // SAFETY: as above.
            let word = tree.make_bytes(unsafe { value_bytes(data, len) }?)?;
            Ok(builder.insert(position, word)?)
        }
    }
}

/// Adds keys and their values to a builder. The error says which key or value was refused.
///
/// # Safety
/// There are `count` keys and values, as `masstree_bulk_load` requires.
#[inline]
pub(in crate::ffi) unsafe fn add_all(
    tree: &Tree,
    builder: &mut Builder<'_>,
    keys: Keys,
    values: Values,
    count: usize,
) -> Result<(), (usize, i32)> {
    for index in 0..count {
        // SAFETY: by contract.
        let added =
            unsafe { (keys.key(index)).and_then(|key| add(tree, builder, key, values, index)) };
        added.map_err(|status| (index, status))?;
    }
    Ok(())
}

/// Checks all keys and values of a load that does nothing, since the tree is not empty.
///
/// # Safety
/// As `add_all`.
unsafe fn check_all(keys: Keys, values: Values, count: usize) -> Result<(), (usize, i32)> {
    for index in 0..count {
        // SAFETY: by contract.
        let checked = unsafe {
            keys.at(index).and_then(|key| {
                if index > 0 && keys.at(index - 1)?.bytes() >= key.bytes() {
                    return Err(MASSTREE_UNSORTED);
                }
                values.check(index)
            })
        };
        checked.map_err(|status| (index, status))?;
    }
    Ok(())
}

/// Returns the status of a refused key or value; writes its index, unless memory ran out.
///
/// # Safety
/// `offender` is NULL or writable.
pub(in crate::ffi) unsafe fn report_offender(
    (index, status): (usize, i32),
    offender: *mut usize,
) -> i32 {
    if status != MASSTREE_NOMEM {
        // SAFETY: by contract.
        unsafe { write_output(offender, index) };
    }
    status
}

/// Returns the status of a load.
pub(in crate::ffi) fn loaded_status(loaded: LoadOutcome) -> i32 {
    match loaded {
        LoadOutcome::Done => MASSTREE_OK,
        LoadOutcome::NotEmpty => MASSTREE_EXISTS,
    }
}

/// `masstree_bulk_load` for any keys and values.
///
/// # Safety
/// As `masstree_bulk_load`.
#[inline]
unsafe fn load(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: Keys,
    values: Values,
    count: usize,
    offender: *mut usize,
) -> i32 {
    status_of(|| {
        if values.is_null() && count != 0 {
            return Err(MASSTREE_INVALID);
        }
        let keys = keys.checked(count)?;
        // SAFETY: by contract.
        unsafe {
            on_tree(tree, guard, values.kind(), |tree, pin| {
                let refuse = |refused| report_offender(refused, offender);
                if !tree.is_loadable(pin) {
                    check_all(keys, values, count).map_err(refuse)?;
                    return Ok(MASSTREE_EXISTS);
                }
                let mut builder = tree.builder(pin)?;
                add_all(tree, &mut builder, keys, values, count).map_err(refuse)?;
                Ok(loaded_status(tree.load(pin, &mut builder)?))
            })
        }
    })
}

/// Fills an empty tree with sorted keys, faster than one by one, with full nodes. All
/// keys appear at once; until then, and if the call fails, the tree stays empty. For keys that
/// are not in memory all at once, see masstree_bulk_load_from; to load with several threads,
/// masstree_loader_t.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      count keys in ascending order, no two equal; NULL only if count is 0.
/// @param values    count values; NULL only if count is 0. The tree owns them only after
///                  MASSTREE_OK.
/// @param count     Number of keys.
/// @param offender  Receives the index of the offending key: with MASSTREE_UNSORTED, of the
///                  first key that is not above its predecessor; with MASSTREE_KEY_TOO_LONG,
///                  and with MASSTREE_INVALID because of a key, of that key. May be NULL.
///
/// @retval MASSTREE_OK            Every key is in the tree.
/// @retval MASSTREE_EXISTS        The tree was not empty at the start or at the end of the call;
///                                nothing was changed. (A key that is out of order or malformed is
///                                reported rather than this.)
/// @retval MASSTREE_INVALID       tree is NULL, keys or values is NULL and count is not 0, or a
///                                key is NULL and its length is not 0; nothing was changed.
/// @retval MASSTREE_NOMEM         Out of memory; nothing was changed.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; nothing was changed.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_UNSORTED      The keys are not in ascending order, first at *offender;
///                                nothing was changed.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_bulk_load(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: *const Slice,
    values: *const u64,
    count: usize,
    offender: *mut usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        load(
            tree,
            guard,
            Keys::Slices(keys),
            Values::Words(values),
            count,
            offender,
        )
    }
}

/// Like masstree_bulk_load, for integer keys (see masstree_get_u64).
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      As in masstree_get_many_u64; ascending, no two equal.
/// @param stride    As in masstree_get_many_u64.
/// @param values    As in masstree_bulk_load.
/// @param count     Number of keys.
/// @param offender  As in masstree_bulk_load.
///
/// @retval MASSTREE_OK          Every key is in the tree.
/// @retval MASSTREE_EXISTS      The tree is not empty, or another thread inserted a key during
///                              the call; nothing was changed.
/// @retval MASSTREE_INVALID     tree is NULL, keys or values is NULL and count is not 0, or
///                              stride is below 8; nothing was changed.
/// @retval MASSTREE_NOMEM       Out of memory; nothing was changed.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
/// @retval MASSTREE_UNSORTED    The keys are not in ascending order, first at *offender;
///                              nothing was changed.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_bulk_load_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: *const c_void,
    stride: usize,
    values: *const u64,
    count: usize,
    offender: *mut usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        load(
            tree,
            guard,
            Keys::Integers(keys.cast(), stride),
            Values::Words(values),
            count,
            offender,
        )
    }
}

/// Like masstree_bulk_load, for a tree of byte strings.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      As in masstree_bulk_load.
/// @param values    count values, which the tree copies; NULL only if count is 0.
/// @param count     Number of keys.
/// @param offender  As in masstree_bulk_load; also the index of an invalid value.
///
/// @retval MASSTREE_OK            Every key is in the tree.
/// @retval MASSTREE_EXISTS        The tree was not empty at the start or at the end of the call;
///                                nothing was changed. (A key that is out of order or malformed is
///                                reported rather than this.)
/// @retval MASSTREE_INVALID       As in masstree_bulk_load; or a value is NULL and its length
///                                is not 0, or its length exceeds SIZE_MAX / 2.
/// @retval MASSTREE_NOMEM         Out of memory; nothing was changed.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; nothing was changed.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_UNSORTED      The keys are not in ascending order, first at *offender;
///                                nothing was changed.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_bulk_load_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: *const Slice,
    values: *const Slice,
    count: usize,
    offender: *mut usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        load(
            tree,
            guard,
            Keys::Slices(keys),
            Values::Bytes(values),
            count,
            offender,
        )
    }
}
