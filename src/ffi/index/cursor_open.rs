//! Opening cursors, in memory of the tree's allocator or in the caller's.
//!
//! In the caller's memory lie the handle, an [`Arena`], and what the arena hands out: the position of a
//! cursor over versions, its snapshot, the walk's frames, and keys. What does not fit comes from the
//! tree's allocator. The arena is the allocator of everything that the cursor owns, so closing a cursor is
//! the same for both.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::cursor::{CursorHandle, NEVER, VersionPosition};
use crate::ffi::boundary::{status_of, tree_of};
use crate::ffi::handle::{self, GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::memory::{ARENA_ALIGN, Arena, OutOfMemory, Source};
use crate::index::reclaim::{CountedPin, Guard, Slot, counted_pin_of, pin_of, refreshes_of};
use crate::index::tree::{Cursor, Tree};
use crate::versioned::{VersionCursor, VersionedTree};

/// The least memory for a cursor: enough to open it, and to walk through three layers of keys.
const CURSOR_SIZE: usize = 4 << 10;

/// The begin of the caller's memory.
#[repr(C)]
struct Header {
    /// At the address of the cursor.
    handle: MaybeUninit<CursorHandle>,
    arena: Arena,
}

const _: () = assert!(align_of::<Header>() <= ARENA_ALIGN && size_of::<Header>() < CURSOR_SIZE / 4);

/// The caller's memory: aligned, and large enough.
#[derive(Clone, Copy)]
pub(in crate::ffi) struct Place {
    start: NonNull<u8>,
    size: usize,
}

impl Place {
    /// Converts the caller's memory.
    pub(in crate::ffi) fn new(memory: *mut c_void, size: usize) -> Result<Self, i32> {
        let start = NonNull::new(memory.cast::<u8>()).ok_or(MASSTREE_INVALID)?;
        match size >= CURSOR_SIZE && start.addr().get().is_multiple_of(ARENA_ALIGN) {
            true => Ok(Self { start, size }),
            false => Err(MASSTREE_INVALID),
        }
    }

    /// Makes an arena of the memory after the header.
    ///
    /// # Safety
    /// Nothing but one cursor uses the memory, until the cursor is closed.
    unsafe fn lend(self, beyond: Source) -> Source {
        let used = const { size_of::<Header>().next_multiple_of(ARENA_ALIGN) };
        // SAFETY: the memory is aligned, and larger than the header; the cursor is of one thread at a
        // time, and the memory stays where it is.
        unsafe {
            let arena = &raw mut (*self.start.cast::<Header>().as_ptr()).arena;
            arena.write(Arena::new(beyond, self.start.add(used), self.size - used));
            (*arena).source()
        }
    }

    /// # Safety
    /// As `lend`.
    unsafe fn write(self, handle: CursorHandle) -> NonNull<CursorHandle> {
        let ptr = self.start.cast();
        // SAFETY: aligned, and large enough, as in `lend`.
        unsafe {
            ptr.write(CursorHandle {
                is_in_callers_memory: true,
                ..handle
            });
        }
        ptr
    }
}

/// What protects that which a cursor reads.
#[derive(Clone, Copy)]
pub(super) enum GuardUsed {
    /// The caller's.
    Lent,
    Own(NonNull<Slot>),
    /// The tree is append-only. The cursor owns its pin.
    Unneeded,
}

/// What a cursor moves over.
#[derive(Clone, Copy)]
pub(in crate::ffi) enum Over {
    Keys,
    /// What is visible at a number.
    Visible(u64),
    /// Versions with greater numbers.
    Versions(u64),
}

/// Returns how many bytes masstree_cursor_open_in needs at least.
///
/// @return 4096 in this version; a later one may need more.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn masstree_cursor_size() -> usize {
    CURSOR_SIZE
}

/// Opens a cursor in memory of the caller's, without allocating: on the stack, or in an object of the
/// program's that is opened and closed often. Otherwise as masstree_cursor_open.
///
/// The cursor keeps in that memory what fits: with masstree_cursor_size bytes, its position in three
/// layers (a layer for each 8 bytes that keys share with others), and keys of some hundred bytes. With
/// longer keys or more layers it allocates the rest. Without a guard, it may allocate memory for a
/// guard of its own, which the tree uses again later.
///
/// @param tree    The tree.
/// @param guard   As in masstree_cursor_open. With NULL, a cursor of an append-only tree has no guard.
/// @param memory  size bytes, aligned to 16, which belong to the cursor until masstree_cursor_close;
///                they may not be moved.
/// @param size    At least masstree_cursor_size().
/// @param cursor  Receives the cursor, at the address of memory. The caller closes it with
///                masstree_cursor_close, which frees what was allocated beyond, and then owns the
///                memory again.
///
/// @retval MASSTREE_OK          *cursor is a new cursor.
/// @retval MASSTREE_INVALID     tree, memory or cursor is NULL, memory is not aligned, or size is too
///                              small.
/// @retval MASSTREE_NOMEM       Out of memory for a guard.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_open_in(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    memory: *mut c_void,
    size: usize,
    cursor: *mut *mut CursorHandle,
) -> i32 {
    // SAFETY: as this function's contract.
    status_of(|| unsafe {
        let place = Place::new(memory, size);
        open(tree, guard, Some(place), Over::Keys, cursor)
    })
}

/// Opens a cursor, in the caller's memory if `place` is given.
///
/// # Safety
/// As `masstree_cursor_open` and `masstree_cursor_open_in`.
pub(in crate::ffi) unsafe fn open(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    place: Option<Result<Place, i32>>,
    over: Over,
    cursor: *mut *mut CursorHandle,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    let tree_ref = unsafe { tree_of(tree) }?;
    // SAFETY: not NULL, and live by contract.
    if !matches!(over, Over::Keys) && unsafe { (*tree).versioned() }.is_none() {
        return Err(MASSTREE_WRONG_KIND);
    }
    let place = place.transpose()?;
    if cursor.is_null() {
        return Err(MASSTREE_INVALID);
    }
    let borrowed = handle::slot(guard);
    // SAFETY: live by contract.
    if borrowed.is_some_and(|slot| !tree_ref.owns(unsafe { pin_of(slot) })) {
        return Err(MASSTREE_WRONG_TREE);
    }
    // SAFETY: as this function's contract.
    unsafe {
        let source = match place {
            Some(place) => place.lend(tree_ref.allocator()),
            None => tree_ref.allocator(),
        };
        let (pin, uses) = pin_for(tree_ref, source, borrowed)?;
        let handle = handle_of(tree, tree_ref, source, over, pin, uses);
        let opened = handle.and_then(|handle| match place {
            Some(place) => Ok(place.write(handle)),
            None => make(handle),
        });
        cursor.write(opened.inspect_err(|_| end(pin, uses, source))?.as_ptr());
    }
    Ok(MASSTREE_OK)
}

/// Makes the handle of a cursor that uses a pin; without its position, if memory runs out.
///
/// # Safety
/// `tree` is live, and the pin is its own.
unsafe fn handle_of(
    tree: *const TreeHandle,
    index: &Tree,
    source: Source,
    over: Over,
    pin: NonNull<CountedPin>,
    uses: GuardUsed,
) -> Result<CursorHandle, OutOfMemory> {
    // SAFETY: by contract.
    let (versioned, tree) =
        unsafe { ((*tree).versioned(), NonNull::new_unchecked(tree.cast_mut())) };
    let versions = position(versioned, source, over)?;
    Ok(CursorHandle {
        cursor: Cursor::new_in(index, source),
        tree,
        pin,
        uses,
        refreshes: match versions {
            Some(_) => NEVER,
            // SAFETY: by contract.
            None => unsafe { refreshes_of(pin) },
        },
        versions,
        source,
        is_in_callers_memory: false,
    })
}

/// Moves a handle to an allocation of its own.
fn make(handle: CursorHandle) -> Result<NonNull<CursorHandle>, OutOfMemory> {
    let CursorHandle {
        source, versions, ..
    } = handle;
    source.make(handle).inspect_err(|_| {
        // SAFETY: the handle was not shared.
        unsafe { free_position(versions, source) };
    })
}

/// Returns the pin that a cursor uses, with the caller's guard or, without one, a guard of its own or
/// none.
fn pin_for(
    tree: &Tree,
    source: Source,
    borrowed: Option<NonNull<Slot>>,
) -> Result<(NonNull<CountedPin>, GuardUsed), OutOfMemory> {
    // SAFETY: guards in use; they outlive the cursor, by contract or as its own.
    let of = |slot| unsafe { counted_pin_of(slot) };
    match (borrowed, tree.unguarded()) {
        (Some(slot), _) => Ok((of(slot), GuardUsed::Lent)),
        (None, Some(unguarded)) => Ok((source.make(unguarded.into())?, GuardUsed::Unneeded)),
        (None, None) => {
            let slot = tree.guard()?.into_raw();
            Ok((of(slot), GuardUsed::Own(slot)))
        }
    }
}

/// Returns a position over versions, for a cursor that moves over them; the tree is versioned then.
fn position(
    versioned: Option<VersionedTree<'static>>,
    source: Source,
    over: Over,
) -> Result<Option<NonNull<VersionPosition>>, OutOfMemory> {
    let Some(of) = versioned else {
        return Ok(None);
    };
    let cursor = match over {
        Over::Keys => return Ok(None),
        Over::Visible(number) => VersionCursor::at_number(of, source, number)?,
        Over::Versions(since) => VersionCursor::over_versions(of, source, since),
    };
    let refreshes = NEVER;
    Ok(Some(source.make(VersionPosition {
        cursor,
        of,
        refreshes,
    })?))
}

/// # Safety
/// `position` made it, and nothing uses it any more.
pub(super) unsafe fn free_position(versions: Option<NonNull<VersionPosition>>, source: Source) {
    if let Some(versions) = versions {
        // SAFETY: by contract.
        unsafe { source.drop_and_free(versions) };
    }
}

/// Ends the use of a guard.
///
/// # Safety
/// `pin_for` returned the two, and nothing uses the pin any more.
pub(super) unsafe fn end(pin: NonNull<CountedPin>, uses: GuardUsed, source: Source) {
    // SAFETY: by contract.
    unsafe {
        match uses {
            GuardUsed::Lent => {}
            GuardUsed::Own(slot) => drop(Guard::from_raw(slot)),
            GuardUsed::Unneeded => source.drop_and_free(pin),
        }
    }
}
