//! Loading a tree by several threads.

use std::ffi::c_void;
use std::ptr::NonNull;

use super::batch::Keys;
use super::bulk_load::{Values, add_all, loaded_status};
use super::bytes::Slice;
use crate::ffi::boundary::{ValueKind, check_kind, on_tree, status_of, tree_of, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::tree::{Builder, LoadOutcome, Tree};

/// Collects sorted keys to load into an empty tree.
///
/// A loader owns the values that were added: masstree_loader_close passes the values that were not
/// loaded to the tree's value destructor.
///
/// To load with several threads, divide the keys into ascending ranges, and let each thread add one
/// range to a loader of its own; then one thread passes all loaders to masstree_loader_finish, which
/// takes a few microseconds for each loader, however many keys there are. (Only if the tree was
/// cleared since a loader was opened, or had keys then, may it visit every node.) masstree_pivots
/// divides the keys of another tree. Until the loaders are finished the keys are in no tree, but
/// their nodes take the tree's memory.
///
/// Created by masstree_loader_open, freed by masstree_loader_close, before its tree is destroyed.
/// Only one thread at a time may use a loader; different loaders of one tree may be used at the same
/// time, also while other threads use the tree.
pub struct LoaderHandle {
    builder: Builder<'static>,
    tree: NonNull<TreeHandle>,
}

impl LoaderHandle {
    fn tree<'t>(&self) -> Result<&'t Tree, i32> {
        // SAFETY: the tree outlives its loaders, by contract.
        unsafe { tree_of(self.tree.as_ptr()) }
    }
}

/// Opens a loader, which has no keys yet. The tree need not be empty before the loader is finished.
///
/// @param tree    The tree.
/// @param loader  Receives the loader, which the caller frees with masstree_loader_close.
///
/// @retval MASSTREE_OK       *loader is a new loader.
/// @retval MASSTREE_INVALID  tree or loader is NULL.
/// @retval MASSTREE_NOMEM    Out of memory.
/// @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_loader_open(
    tree: *mut TreeHandle,
    loader: *mut *mut LoaderHandle,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let tree_ref = unsafe { tree_of(tree) }?;
        if loader.is_null() {
            return Err(MASSTREE_INVALID);
        }
        let mut builder = tree_ref.builder(tree_ref.local_guard().pin())?;
        builder.destroy_words_on_drop();
        // SAFETY: not NULL, as seen above.
        let tree = unsafe { NonNull::new_unchecked(tree) };
        let created = tree_ref.allocator().make(LoaderHandle { builder, tree })?;
        // SAFETY: checked for NULL above; writable by contract.
        unsafe { loader.write(created.as_ptr()) };
        Ok(MASSTREE_OK)
    })
}

/// `masstree_loader_add_many` for any keys and values.
///
/// # Safety
/// As `masstree_loader_add_many`.
#[inline]
unsafe fn add(
    loader: *mut LoaderHandle,
    keys: Keys,
    values: Values,
    count: usize,
    added: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: by contract.
        let loader = unsafe { loader.as_mut() }.ok_or(MASSTREE_INVALID)?;
        let tree = loader.tree()?;
        check_kind(tree, values.kind())?;
        let keys = keys.checked(count)?;
        if values.is_null() && count != 0 {
            return Err(MASSTREE_INVALID);
        }
        let (taken, status) = if loader.builder.is_out_of_memory() {
            (0, MASSTREE_NOMEM)
        } else if !loader.builder.is_open() {
            return Err(MASSTREE_INVALID);
        } else {
            // SAFETY: by contract.
            let outcome = unsafe { add_all(tree, &mut loader.builder, keys, values, count) };
            outcome.err().unwrap_or((count, MASSTREE_OK))
        };
        // SAFETY: NULL or writable by contract.
        unsafe { write_output(added, taken) };
        Ok(status)
    })
}

/// Adds keys to a loader, each above all keys that it has.
///
/// @param loader    The loader.
/// @param keys      count keys in ascending order, no two equal; NULL only if count is 0.
/// @param values    count values; NULL only if count is 0.
/// @param count     Number of keys.
/// @param added     Receives how many of the keys the loader took: the first ones. With
///                  MASSTREE_UNSORTED, MASSTREE_KEY_TOO_LONG, and MASSTREE_INVALID because of a key
///                  or a value, this is the index of the offending key. The loader owns the values
///                  of the keys that it took, the caller the others. Also written with
///                  MASSTREE_NOMEM, but with no other error: then the loader took no key. May be
///                  NULL.
///
/// @retval MASSTREE_OK            The loader has the keys.
/// @retval MASSTREE_INVALID       loader is NULL, keys or values is NULL and count is not 0, or a
///                                key is NULL and its length is not 0; or the loader was finished.
/// @retval MASSTREE_NOMEM         Out of memory, in this call or an earlier one; the loader can only
///                                be closed.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_UNSORTED      A key is not above its predecessor.
///
/// Thread safety: only the thread that currently uses the loader. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_loader_add_many(
    loader: *mut LoaderHandle,
    keys: *const Slice,
    values: *const u64,
    count: usize,
    added: *mut usize,
) -> i32 {
    let (keys, values) = (Keys::Slices(keys), Values::Words(values));
    // SAFETY: as this function's contract.
    unsafe { add(loader, keys, values, count, added) }
}

/// Like masstree_loader_add_many, for integer keys (see masstree_get_u64).
///
/// @param loader    The loader.
/// @param keys      As in masstree_get_many_u64; ascending, no two equal.
/// @param stride    As in masstree_get_many_u64.
/// @param values    As in masstree_loader_add_many.
/// @param count     Number of keys.
/// @param added     As in masstree_loader_add_many.
///
/// @retval MASSTREE_OK          The loader has the keys.
/// @retval MASSTREE_INVALID     loader is NULL, keys or values is NULL and count is not 0, or
///                              stride is below 8; or the loader was finished.
/// @retval MASSTREE_NOMEM       Out of memory, now or before: all that is left is to close the
///                              loader.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
/// @retval MASSTREE_UNSORTED    A key is not above its predecessor.
///
/// Thread safety: only the thread that currently uses the loader. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_loader_add_many_u64(
    loader: *mut LoaderHandle,
    keys: *const c_void,
    stride: usize,
    values: *const u64,
    count: usize,
    added: *mut usize,
) -> i32 {
    let (keys, values) = (Keys::Integers(keys.cast(), stride), Values::Words(values));
    // SAFETY: as this function's contract.
    unsafe { add(loader, keys, values, count, added) }
}

/// Like masstree_loader_add_many, for a tree of byte strings.
///
/// @param loader    The loader.
/// @param keys      As in masstree_loader_add_many.
/// @param values    count values, which the loader copies; NULL only if count is 0.
/// @param count     Number of keys.
/// @param added     As in masstree_loader_add_many; also the index of an invalid value.
///
/// @retval MASSTREE_OK            The loader has the keys and values.
/// @retval MASSTREE_INVALID       As in masstree_loader_add_many; or a value is NULL and its length
///                                is not 0, or its length exceeds SIZE_MAX / 2.
/// @retval MASSTREE_NOMEM         Out of memory, in this call or an earlier one; the loader can only
///                                be closed.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_UNSORTED      A key is not above its predecessor.
///
/// Thread safety: only the thread that currently uses the loader. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_loader_add_many_bytes(
    loader: *mut LoaderHandle,
    keys: *const Slice,
    values: *const Slice,
    count: usize,
    added: *mut usize,
) -> i32 {
    let (keys, values) = (Keys::Slices(keys), Values::Bytes(values));
    // SAFETY: as this function's contract.
    unsafe { add(loader, keys, values, count, added) }
}

/// Moves the keys of several loaders into their tree, which must be empty. All keys appear at once.
///
/// @param tree      The tree for which the loaders were opened.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param loaders   count different loaders: each key of one is above all keys of those before it.
///                  NULL only if count is 0. They stay the caller's, who closes them.
/// @param count     Number of loaders.
/// @param offending_loader  Receives, with MASSTREE_UNSORTED, the index of the first loader with a
///                          key that is not above all keys of the loaders before it. May be NULL.
///
/// @retval MASSTREE_OK          Every key is in the tree, which owns the values now; the loaders
///                              have no keys, and take none any more.
/// @retval MASSTREE_EXISTS      The tree was not empty at the start or at the end of the call. It
///                              was not changed, and the call may be repeated with all of the same
///                              loaders: the first of them may have the keys of all now, and a call
///                              without it would load none of these keys. Do not add keys to the
///                              loaders any more.
/// @retval MASSTREE_INVALID     tree is NULL, a loader is NULL, or loaders is NULL and count is not
///                              0; or a loader with the keys of others, which an earlier call has
///                              joined, comes before another loader with keys.
/// @retval MASSTREE_NOMEM       Out of memory; the tree was not changed. All that is left is to
///                              close the loaders.
/// @retval MASSTREE_WRONG_TREE  The guard or a loader belongs to another tree.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
/// @retval MASSTREE_UNSORTED    The loaders are not in ascending order, first at
///                              *offending_loader; nothing was changed.
///
/// Thread safety: any thread, while no other thread uses the loaders. Every masstree_loader_add_many
/// on them must happen before this call (C11), as it does if their threads were joined. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_loader_finish(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    loaders: *const *mut LoaderHandle,
    count: usize,
    offending_loader: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            on_tree(tree, guard, ValueKind::Any, |tree_ref, pin| {
                if loaders.is_null() && count != 0 {
                    return Err(MASSTREE_INVALID);
                }
                check_loaders(tree, loaders, count, offending_loader)?;
                if !tree_ref.is_loadable(pin) {
                    return Ok(MASSTREE_EXISTS);
                }
                let loaded = match join_all(loaders, count)? {
                    Some(first) => tree_ref.load(pin, &mut (*first).builder)?,
                    None => LoadOutcome::Done,
                };
                if loaded == LoadOutcome::Done {
                    (0..count).for_each(|index| (**loaders.add(index)).builder.end());
                }
                Ok(loaded_status(loaded))
            })
        }
    })
}

/// Checks that loaders may be joined; changes nothing.
///
/// # Safety
/// As `masstree_loader_finish`.
unsafe fn check_loaders(
    tree: *mut TreeHandle,
    loaders: *const *mut LoaderHandle,
    count: usize,
    offending_loader: *mut usize,
) -> Result<(), i32> {
    let mut last: Option<&LoaderHandle> = None;
    for index in 0..count {
        // SAFETY: by contract.
        let at = |index| unsafe { *loaders.add(index) };
        // SAFETY: NULL or a live loader, by contract.
        let loader = unsafe { at(index).as_ref() }.ok_or(MASSTREE_INVALID)?;
        if loader.tree.as_ptr() != tree {
            return Err(MASSTREE_WRONG_TREE);
        }
        if loader.builder.is_out_of_memory() {
            return Err(MASSTREE_NOMEM);
        }
        if loader.builder.keys() == 0 {
            continue;
        }
        if let Some(last) = last {
            if !last.builder.is_open() {
                return Err(MASSTREE_INVALID);
            }
            if !last.builder.precedes(&loader.builder) {
                // SAFETY: NULL or writable by contract.
                unsafe { write_output(offending_loader, index) };
                return Err(MASSTREE_UNSORTED);
            }
        }
        last = Some(loader);
    }
    Ok(())
}

/// Joins all keys in the first loader that has keys, and returns it; `None` if none has keys.
///
/// # Safety
/// `check_loaders` has accepted the loaders.
unsafe fn join_all(
    loaders: *const *mut LoaderHandle,
    count: usize,
) -> Result<Option<*mut LoaderHandle>, i32> {
    let mut first: Option<*mut LoaderHandle> = None;
    // From the last to the first: only a loader that was never joined can get more keys.
    for index in (0..count).rev() {
        // SAFETY: by contract, a live loader, different from `first`.
        unsafe {
            let loader = *loaders.add(index);
            if (*loader).builder.keys() == 0 {
                continue;
            }
            if let Some(after) = first {
                (*loader).builder.join(&mut (*after).builder)?;
            }
            first = Some(loader);
        }
    }
    Ok(first)
}

/// Closes and frees a loader, with the keys that it has. Their values go to the value destructor.
/// NULL does nothing.
///
/// @param loader  The loader.
///
/// Thread safety: only the thread that currently uses the loader. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_loader_close(loader: *mut LoaderHandle) {
    // SAFETY: NULL or a live loader, which no other thread uses.
    unsafe {
        let Some(handle) = NonNull::new(loader) else {
            return;
        };
        // In a forked process the tree must not be touched.
        if let Ok(tree) = handle.as_ref().tree() {
            tree.allocator().drop_and_free(handle);
        }
    }
}
