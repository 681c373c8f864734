//! # Held leaves
//!
//! Held leaves: changing a key in two steps.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::observe::LeafObservation;
use crate::ffi::boundary::{For, entry, give, hand_over, key_bytes, tree_of, under_guard};
use crate::ffi::handle::TreeHandle;
use crate::ffi::handle::{self, GuardHandle};
use crate::ffi::index::update::{
    MASSTREE_ACTION_KEEP, MASSTREE_ACTION_REMOVE, MASSTREE_ACTION_SET,
};
use crate::ffi::status::*;
use crate::index::reclaim::{Slot, pin_of};
use crate::index::tree::{Decision, Held, is_holding};

/// Flag of masstree_hold: an absent key may be inserted.
pub const MASSTREE_HOLD_INSERT: u32 = 1;

/// The place of a key, with its leaf locked: see masstree_hold. The memory is yours, on the
/// stack for instance; do not look into it, copy it, or move it while it is held.
#[repr(C)]
pub struct HeldLeaf {
    /// The library's.
    pub opaque: [u64; 32],
}

/// What a held leaf's memory has.
struct Content {
    tree: NonNull<TreeHandle>,
    slot: NonNull<Slot>,
    held: Held<'static, 'static>,
}

const _: () = assert!(size_of::<Content>() <= size_of::<HeldLeaf>());
const _: () = assert!(align_of::<Content>() <= align_of::<HeldLeaf>());

thread_local! {
    /// The memory of the leaf that this thread holds.
    static HELD: Cell<*const HeldLeaf> = const { Cell::new(std::ptr::null()) };
}

/// Whether this thread holds a leaf under a guard.
#[cfg(debug_assertions)]
pub(in crate::ffi) fn is_held_under(slot: NonNull<Slot>) -> bool {
    let held = HELD.get();
    // SAFETY: this thread has put it there, and the memory must not be touched meanwhile.
    !held.is_null() && unsafe { (*held.cast::<Content>()).slot } == slot
}

/// What this thread holds there.
///
/// # Safety
/// The memory has not been touched since `masstree_hold`.
unsafe fn content<'c>(held: *const HeldLeaf) -> Result<&'c Content, i32> {
    if held.is_null() || HELD.get() != held {
        return Err(MASSTREE_INVALID);
    }
    // SAFETY: this thread has put it there; by contract, its tree lives.
    unsafe {
        let content = &*held.cast::<Content>();
        // After a fork it is the parent's, and left alone.
        tree_of(content.tree.as_ptr())?;
        Ok(content)
    }
}

/// What is to be done, from C; the value is not that of a key.
fn decision_of(action: i32, value: u64) -> Result<Decision, i32> {
    match action {
        MASSTREE_ACTION_KEEP => Ok(Decision::Keep),
        MASSTREE_ACTION_SET => Ok(Decision::Set(value)),
        MASSTREE_ACTION_REMOVE => Ok(Decision::Remove),
        _ => Err(MASSTREE_INVALID),
    }
}

/// Whether a key can be set, if that was decided: room must have been made for an absent one.
fn is_possible(place: &Held<'_, '_>, decision: Decision) -> bool {
    !matches!(decision, Decision::Set(_)) || place.value().is_some() || place.has_room()
}

/// Finds a key's place and locks its leaf, until masstree_held_finish.
///
/// For programs that must look at a key, do something else, and then change it, with nothing
/// in between; masstree_update does the same with a callback, and cannot be forgotten.
///
/// **Who waits for whom.** A leaf holds up to 15 keys that are next to each other. While one
/// is held, other threads wait for masstree_held_finish
///
/// - in any write of a key that is in the leaf or would be, on its own or in a batch, even if
///   it changes nothing then; and in masstree_hold of such a key. (Only
///   masstree_get_or_insert_with, without a delta, does not wait if the key is there.)
/// - in a write elsewhere that must lock the leaf on the way: a remove, or the
///   masstree_held_finish of another leaf, that leaves the leaf behind this one empty, or its
///   only neighbour; one that makes a layer in a leaf beside this one, if both are sparse; and,
///   in a layer that hangs in this leaf (of keys that share 8 bytes more), an insert or a hold
///   that makes the layer's root split, and a remove that leaves the layer empty or its root
///   with one child;
/// - in masstree_maintain, when it comes to this leaf or the one behind and they are sparse, or
///   this one has room for suffixes that are gone, or when it merges the last two leaves of such
///   a layer;
/// - in masstree_validate of this leaf, unless that thread holds a leaf itself: then it gets
///   MASSTREE_MISMATCH at once;
/// - in masstree_clear, if the leaf is the whole tree; in masstree_bulk_load, if it is, and is
///   empty;
/// - in masstree_barrier, until the guard is left; masstree_destroy must not be called.
///
/// Who waits in one of these ways may itself have a leaf locked, for which others wait. Nobody
/// waits in any other call: gets, scans, counts, cursors, whether observed or not, read the
/// leaf as it was left; writes of other leaves, inserts that split them, inserts and removes
/// in a layer that hangs in this leaf, go on, and so do masstree_clear and
/// masstree_bulk_load of a larger tree, masstree_held_observation and masstree_held_next of other
/// leaves, masstree_stats, masstree_dump, masstree_pivots, masstree_len, masstree_flush and
/// masstree_retire. masstree_check does not wait, and takes the lock for damage: call it when
/// no leaf is held. The holder itself waits in masstree_hold for holders of the same leaf, as
/// an insert would; and in masstree_held_finish only if that leaves the leaf empty, for the
/// holder of the leaf before or of the one that its layer hangs in, or if room was made by a
/// layer, for the holders of the leaves beside.
///
/// **Clearing.** masstree_clear does not wait for a leaf below the tree's root. A leaf that was
/// held before and is finished after is in the tree that was cleared away: finishing changes
/// nothing, whatever the action, and answers MASSTREE_CLEARED; from the clearing on,
/// masstree_validate under the hold answers MASSTREE_MISMATCH. Another thread may hold the same
/// key in the new tree meanwhile. So a transaction that has validated under its hold, and is
/// then told MASSTREE_CLEARED, may count as done before the clearing, which removed what it
/// wrote; or as not done.
///
/// The leaf stays locked after MASSTREE_OK and after MASSTREE_NOT_FOUND: finish in both cases.
/// Until then this thread must not write to the tree (it would wait for itself, for ever),
/// hold another leaf, of any tree, wait for another thread, clear, load or maintain the tree,
/// refresh or leave the guard, or exit; and do nothing that takes long. It may read and
/// validate, and write to another tree, provided that no thread that holds a leaf of that one
/// writes to this one. It should read under the guard: else value destructors and objects'
/// free functions may run while the leaf is locked. Under the guard too, a scan or a cursor
/// may call the tree's allocator. If a thread forgets to finish, writers to
/// the leaf wait for ever; builds of the library with debug assertions abort, also where the
/// key's bytes have changed.
///
/// If the key is absent, and flags say that it may be inserted, room is made for it here,
/// which may split the leaf, and then stays split even if the key is not set; so finishing
/// cannot run out of memory.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree; not NULL. If it has a delta
///                 (masstree_guard_record), that says what was done to make room, and, after
///                 finishing, what was done in all: apply it once, then.
/// @param key      key_len bytes, which must stay as they are until finishing; NULL only if
///                 key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param flags    0 or MASSTREE_HOLD_INSERT.
/// @param held     Where the place is kept; needs no initializer. Not NULL.
/// @param value    Where the key's value is stored if the key is there; NULL: not wanted.
///
/// @retval MASSTREE_OK            The key is there, with *value; its leaf is locked.
/// @retval MASSTREE_NOT_FOUND     The key is absent; the leaf with its place is locked.
/// @retval MASSTREE_INVALID       tree, guard or held is NULL, key is NULL with a length, a
///                                flag is unknown, or this thread holds a leaf already.
/// @retval MASSTREE_NOMEM         Out of memory for room; nothing is locked, and the tree is
///                                unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings, whose keys cannot be held.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// Thread safety: any thread; the same one finishes. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_hold(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    flags: u32,
    held: *mut HeldLeaf,
    value: *mut u64,
) -> i32 {
    entry(|| {
        let slot = handle::slot(guard).ok_or(MASSTREE_INVALID)?;
        if held.is_null() || flags & !MASSTREE_HOLD_INSERT != 0 || is_holding() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract.
        unsafe {
            let key = key_bytes(key, key_len)?;
            let (inner, pin) = under_guard(tree, slot, For::Words)?;
            let place = inner.hold(pin, key, flags & MASSTREE_HOLD_INSERT != 0)?;
            let present = place.value();
            held.cast::<Content>().write(Content {
                tree: NonNull::new_unchecked(tree),
                slot,
                held: place,
            });
            HELD.set(held);
            let Some(present) = present else {
                return Ok(MASSTREE_NOT_FOUND);
            };
            give(value, present);
            Ok(MASSTREE_OK)
        }
    })
}

/// What the leaf is that this thread holds.
///
/// @param held      The place.
/// @param original  Where the leaf is stored that the key's place was found in, as it was
///                  before room was made; NULL: not wanted.
/// @param now       Where the leaf is stored that is locked, as readers see it at present:
///                  the same one, unless room was made and the key goes to a new one. NULL:
///                  not wanted.
///
/// @retval MASSTREE_OK       What was wanted is stored.
/// @retval MASSTREE_INVALID  This thread holds no leaf there.
/// @retval MASSTREE_FORKED   The leaf was held before a fork, by the parent process.
///
/// Thread safety: the thread that holds. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_held_observation(
    held: *const HeldLeaf,
    original: *mut LeafObservation,
    now: *mut LeafObservation,
) -> i32 {
    entry(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let place = &content(held)?.held;
            give(original, LeafObservation::of(&place.original()));
            give(now, LeafObservation::of(&place.now()));
        }
        Ok(MASSTREE_OK)
    })
}

/// What the leaf that this thread holds will be when it has finished.
///
/// @param held    The place.
/// @param action  What it will finish with, as in masstree_held_finish.
/// @param next    Where the leaf is stored as it will be then; not NULL. If the action leaves
///                the leaf empty, the leaf goes, and *next never holds; nor does it if the
///                tree is cleared before.
///
/// @retval MASSTREE_OK       *next is stored.
/// @retval MASSTREE_INVALID  This thread holds no leaf there, action is unknown, next is
///                           NULL, or action is MASSTREE_ACTION_SET for an absent key that
///                           was held without MASSTREE_HOLD_INSERT.
/// @retval MASSTREE_FORKED   The leaf was held before a fork, by the parent process.
///
/// Thread safety: the thread that holds. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_held_next(
    held: *const HeldLeaf,
    action: i32,
    next: *mut LeafObservation,
) -> i32 {
    entry(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let place = &content(held)?.held;
            let decision = decision_of(action, 0)?;
            if next.is_null() || !is_possible(place, decision) {
                return Err(MASSTREE_INVALID);
            }
            next.write(LeafObservation::of(&place.next(decision)));
        }
        Ok(MASSTREE_OK)
    })
}

/// Does with a held key what was decided, and unlocks its leaf.
///
/// @param held    The place; empty after MASSTREE_OK and MASSTREE_CLEARED.
/// @param action  MASSTREE_ACTION_KEEP: nothing. MASSTREE_ACTION_SET: the key gets the value,
///                whether it was there or not. MASSTREE_ACTION_REMOVE: it goes, if it was
///                there.
/// @param value   The value for MASSTREE_ACTION_SET, the tree's after MASSTREE_OK if it has a
///                value destructor; else it does not matter.
/// @param old     Where a value that was displaced or removed is stored, the caller's then as
///                in masstree_exchange; written only if there was one. NULL: not wanted, and
///                the value destructor is run for it once no reader can hold it.
///
/// @retval MASSTREE_OK       Done, and unlocked; before any masstree_clear that ends later.
/// @retval MASSTREE_CLEARED  The tree was cleared after the key was held: nothing was changed,
///                           and the leaf is unlocked. The value stays the caller's, *old is
///                           not written, and the key is as the clearing and later writes left
///                           it.
/// @retval MASSTREE_INVALID  This thread holds no leaf there, or has finished already. Or
///                           action is unknown, or it is MASSTREE_ACTION_SET for an absent
///                           key that was held without MASSTREE_HOLD_INSERT: then the leaf is
///                           still held.
/// @retval MASSTREE_FORKED   The leaf was held before a fork, by the parent process.
///
/// A value that is stored where it is already is not displaced: it stays the tree's, and
/// *old is not written.
///
/// Thread safety: the thread that holds. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_held_finish(
    held: *mut HeldLeaf,
    action: i32,
    value: u64,
    old: *mut u64,
) -> i32 {
    entry(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let place = &content(held)?.held;
            let decision = decision_of(action, value)?;
            if !is_possible(place, decision) {
                return Err(MASSTREE_INVALID);
            }
            let is_set = matches!(decision, Decision::Set(_));
            HELD.set(std::ptr::null());
            let Content {
                tree,
                slot,
                held: place,
            } = held.cast::<Content>().read();
            held.cast::<MaybeUninit<HeldLeaf>>()
                .write(MaybeUninit::zeroed());
            let (tree, pin) = (tree_of(tree.as_ptr())?, pin_of(slot));
            let Ok(before) = tree.finish(pin, place, decision) else {
                return Ok(MASSTREE_CLEARED);
            };
            if decision != Decision::Keep {
                hand_over(tree, pin, before, is_set.then_some(value), old);
            }
        }
        Ok(MASSTREE_OK)
    })
}

#[cfg(all(test, debug_assertions, not(any(loom, shuttle))))]
mod tests {
    use std::env;
    use std::process::Command;
    use std::ptr::{null, null_mut};
    use std::thread;

    use super::*;
    use crate::ffi::index::guard::{
        masstree_guard_enter, masstree_guard_leave, masstree_guard_refresh,
    };
    use crate::ffi::index::point::masstree_put;
    use crate::ffi::index::tree::{masstree_create, masstree_destroy};

    /// What the test's child process does instead of finishing, or before that.
    const INSTEAD: &str = "MASSTREE_TEST_INSTEAD";

    fn hold_and(instead: &str) {
        let bytes = Box::leak(Box::new(*b"key")).as_mut_ptr();
        let key = bytes.cast();
        let held: *mut HeldLeaf = Box::leak(Box::new(HeldLeaf { opaque: [0; 32] }));
        let (mut tree, mut guard) = (null_mut(), null_mut());
        // SAFETY: the tree lives as long as it is used, and so does what is held.
        unsafe {
            assert_eq!(masstree_create(null(), &raw mut tree), MASSTREE_OK);
            assert_eq!(masstree_guard_enter(tree, &raw mut guard), MASSTREE_OK);
            let flags = MASSTREE_HOLD_INSERT;
            let found = masstree_hold(tree, guard, key, 3, flags, held, null_mut());
            assert_eq!(found, MASSTREE_NOT_FOUND);
            match instead {
                "write" => _ = masstree_put(tree, guard, key, 3, 1),
                "leave" => masstree_guard_leave(guard),
                "refresh" => masstree_guard_refresh(guard),
                "end" => (),
                _ => {
                    if instead == "change" {
                        bytes.write(b'K');
                    }
                    let action = MASSTREE_ACTION_SET;
                    assert_eq!(
                        masstree_held_finish(held, action, 1, null_mut()),
                        MASSTREE_OK
                    );
                    masstree_guard_leave(guard);
                    masstree_destroy(tree);
                }
            }
        }
    }

    /// Put back: leave one of the assertions out.
    #[test]
    fn who_forgets_to_finish_or_the_key_is_aborted() {
        if let Ok(instead) = env::var(INSTEAD) {
            return thread::spawn(move || hold_and(&instead)).join().unwrap();
        }
        let run = |instead: &str| {
            let this = env::current_exe().expect("the tests have a path");
            let name = "ffi::occ::held::tests::who_forgets_to_finish_or_the_key_is_aborted";
            let mut child = Command::new(this);
            child.args(["--exact", name, "--nocapture"]);
            let output = child.env(INSTEAD, instead).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.success(), said)
        };
        for (instead, complaint) in [
            ("write", "must not write to the tree"),
            ("leave", "has not been called"),
            ("refresh", "has not been called"),
            ("end", "must finish before it ends"),
            ("change", "must stay as it is"),
        ] {
            let (succeeds, said) = run(instead);
            assert!(!succeeds && said.contains(complaint), "{instead}: {said}");
        }
        let (succeeds, said) = run("finish");
        assert!(succeeds, "{said}");
    }
}
