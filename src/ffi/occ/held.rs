//! # Held leaves
//!
//! Holding a leaf locked, to change a key in two steps.

use std::ffi::c_void;

use super::held_begin::{hold_under, hold_unguarded};
use super::held_content::{Content, Place, holding_seal_of};
use super::held_finish::{
    finish_at_once, finish_keeping, finish_removing, finish_setting, finish_short,
};
use crate::ffi::boundary::{status_of, tree_of};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::index::update::{
    MASSTREE_ACTION_KEEP, MASSTREE_ACTION_REMOVE, MASSTREE_ACTION_SET,
};
use crate::ffi::status::*;
use crate::index::reclaim::pin_of;
use crate::index::tree::Decision;

/// Flag of masstree_hold: make room for the key if it is absent, so that it can be inserted.
pub const MASSTREE_HOLD_INSERT: u32 = 1;
/// Flag of masstree_hold: return MASSTREE_BUSY instead of waiting, allocating, or changing a leaf.
pub const MASSTREE_HOLD_TRY: u32 = 2;

/// Flag of masstree_hold: keep in the masstree_held_t what is changed, for masstree_held_delta.
pub const MASSTREE_HOLD_DELTA: u32 = 4;

/// A key whose leaf this thread holds locked: see masstree_hold. The caller provides the
/// memory, on the stack for example; do not access, copy or move it while the leaf is held, nor
/// after that as long as the library is asked about it.
#[repr(C)]
pub struct HeldLeaf {
    /// For the library's use only.
    pub opaque: [u64; 96],
}

/// Finds the leaf of a key and locks it until masstree_held_finish.
///
/// For programs that must read a key, do something else, and then change the key, without any
/// other change in between. masstree_update does the same with a callback, and a program cannot
/// forget to finish it.
///
/// **Which calls wait.** A leaf contains up to 15 adjacent keys. While one is held, other
/// threads wait for masstree_held_finish
///
/// - in any write of a key that the leaf contains or would contain, on its own or in a batch,
///   even if the write then changes nothing; and in masstree_hold of such a key. (Only
///   masstree_get_or_insert_with, without a delta, does not wait if the key exists.)
/// - in a write elsewhere that must lock this leaf: a remove, or the masstree_held_finish of
///   another leaf, that empties the leaf to the right of this one, or this leaf's only
///   neighbour; a write that creates a layer in a leaf next to this one, if both are sparse;
///   and, in a layer below this leaf (of keys that share 8 more bytes), an insert or a hold
///   that splits the layer's root, and a remove that leaves the layer empty or its root with
///   one child;
/// - in masstree_remove_range, masstree_pop_first and masstree_pop_last, when they reach this leaf,
///   even if none of its keys is in their range; and when they empty the leaf to the right of it;
/// - in masstree_maintain, when it reaches this leaf or the one to the right and they are
///   sparse, or this leaf keeps memory of removed suffixes, or when it merges the last two
///   leaves of such a layer;
/// - in masstree_validate of an observation of this leaf, unless the calling thread holds a
///   leaf itself: then it gets MASSTREE_MISMATCH at once;
/// - in masstree_clear, if the leaf is the whole tree; in masstree_bulk_load,
///   masstree_bulk_load_from and masstree_loader_finish, if the leaf is the whole tree and is
///   empty;
/// - in masstree_barrier, until the guard is left, if there is one. masstree_destroy must not be
///   called.
///
/// A thread that waits in one of these calls may itself have locked a leaf for which other
/// threads wait. No other call waits. Gets, scans, counts and cursors, observed or not, read
/// the leaf as masstree_hold left it. Writes of other leaves, inserts that split them, and
/// inserts and removes in a layer below this leaf proceed, and so do masstree_clear and bulk
/// loads of a larger tree, masstree_held_observation and masstree_held_next of other leaves, masstree_stats, masstree_dump, masstree_pivots, masstree_len, masstree_flush
/// and masstree_retire. masstree_check does not wait but reports the lock as a violation: call
/// it when no leaf is held. The holding thread itself waits in masstree_hold for other holders
/// of the same leaf, as an insert would. It waits in masstree_held_finish only if the action
/// empties the leaf, for the holder of the left neighbour or of the leaf above its layer; or if
/// masstree_hold made room by creating a layer, for the holders of the neighbours.
///
/// **Clearing.** masstree_clear does not wait for a leaf below the tree's root. If the tree is
/// cleared between masstree_hold and masstree_held_finish, the held leaf belongs to the removed
/// tree: masstree_held_finish changes nothing, whatever the action, and returns
/// MASSTREE_CLEARED; and masstree_validate under the hold returns MASSTREE_MISMATCH from then
/// on. Meanwhile another thread may hold the same key in the new tree. So a transaction that
/// validated under its hold and then got MASSTREE_CLEARED may count as committed before the
/// clearing, which removed what it wrote; or as aborted.
///
/// The leaf is locked after MASSTREE_OK and after MASSTREE_NOT_FOUND: call masstree_held_finish
/// in both cases. Until then this thread must not write to the tree (it would wait for itself,
/// for ever), hold another leaf of any tree, wait for another thread, clear, load or maintain
/// the tree, refresh or leave the guard, or exit; nor do anything that takes long. It may read
/// and validate. It may write to another tree, provided that no thread that holds a leaf of
/// that tree writes to this one. It should read under the guard: otherwise value destructors
/// and free functions of retired objects may run while the leaf is locked. Under the guard
/// too, a scan or a cursor may call the tree's allocator. If a thread never calls
/// masstree_held_finish, writers of the leaf wait for ever; a library with debug assertions
/// aborts, also if the bytes of the key have changed.
///
/// If the key is absent and flags contain MASSTREE_HOLD_INSERT, this call makes room for the
/// key, so that masstree_held_finish cannot run out of memory. That may split the leaf, which
/// stays split even if the key is not inserted. With MASSTREE_HOLD_DELTA, masstree_held_delta says
/// later what was changed: *held has room for ten created leaves.
///
/// **Without waiting.** With MASSTREE_HOLD_TRY, the key is held only if that takes no waiting, no
/// memory, and no change of a leaf, and otherwise the call returns MASSTREE_BUSY. It may return that
/// without such a reason, too: always for keys of more than eight bytes and under a guard that
/// records. So call it again without the flag where the key must be held.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree. If it records to a delta (masstree_guard_record), the
///                 delta contains the changes that made room, and after masstree_held_finish all
///                 changes: apply it once, then. If NULL, nothing is pinned but the held leaf
///                 and, unless the tree is cleared meanwhile, the key's value: other values
///                 that are read under the hold may be destroyed.
/// @param key      key_len bytes, which must stay unchanged until masstree_held_finish; NULL
///                 only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param flags    0, or any of MASSTREE_HOLD_INSERT, MASSTREE_HOLD_TRY, MASSTREE_HOLD_DELTA.
/// @param held     Memory for the held leaf; needs no initialiser. Not NULL.
/// @param value    Receives the key's value, only with MASSTREE_OK. May be NULL.
///
/// @retval MASSTREE_OK            The key exists, with the value *value; its leaf is locked.
/// @retval MASSTREE_NOT_FOUND     The key is absent; the leaf that would contain it is locked.
/// @retval MASSTREE_BUSY          With MASSTREE_HOLD_TRY only: nothing is locked or changed.
/// @retval MASSTREE_INVALID       tree or held is NULL, key is NULL and key_len is not 0, a flag is
///                                unknown, or this thread holds a leaf already; or flags contain
///                                MASSTREE_HOLD_DELTA, and the guard records.
/// @retval MASSTREE_NOMEM         Out of memory to make room; nothing is locked, and the tree
///                                is unchanged.
/// @retval MASSTREE_TOO_SMALL     With MASSTREE_HOLD_DELTA only: to make room would create so many
///                                leaves that *held has no room for the delta; nothing is locked, and
///                                the tree is unchanged. Never for keys of at most 80 bytes. Hold the
///                                key without the flag, under a guard that records
///                                (masstree_guard_record).
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings, whose keys cannot be held.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: any thread; the same thread must call masstree_held_finish. Since 0.1.
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
    // Jumps to a function with the same arguments, so that each is compiled for itself.
    // SAFETY: as this function's contract.
    unsafe {
        match guard.is_null() {
            true => hold_unguarded(tree, guard, key, key_len, flags, held, value),
            false => hold_under(tree, guard, key, key_len, flags, held, value),
        }
    }
}

/// Carries out an action on a held key and unlocks its leaf.
///
/// @param held    The held leaf; no longer held after MASSTREE_OK and MASSTREE_CLEARED.
/// @param action  MASSTREE_ACTION_KEEP: change nothing. MASSTREE_ACTION_SET: store the value
///                under the key, whether or not the key exists. MASSTREE_ACTION_REMOVE: remove
///                the key, if it exists.
/// @param value   The value for MASSTREE_ACTION_SET; with MASSTREE_OK the tree owns it, if the
///                tree has a value destructor. Ignored with other actions.
/// @param old     Receives the displaced or removed value, only if such a value exists; the
///                caller then owns it, as in masstree_exchange. If NULL, the value destructor
///                is called for it once no reader can still use it.
///
/// @retval MASSTREE_OK       The action was carried out, before any masstree_clear that ends
///                           later, and the leaf is unlocked.
/// @retval MASSTREE_CLEARED  The tree was cleared after the key was held: nothing was changed,
///                           and the leaf is unlocked. The caller still owns the value, *old is
///                           not written, and the key is as the clearing and later writes left
///                           it.
/// @retval MASSTREE_INVALID  This thread holds no leaf in *held. Or action is unknown, or it is
///                           MASSTREE_ACTION_SET for an absent key that was held without
///                           MASSTREE_HOLD_INSERT: then the leaf is still held.
/// @retval MASSTREE_FORKED   The parent process held the leaf, before a fork.
///
/// Storing the value that the key already has displaces nothing: the tree keeps it, and *old is
/// not written.
///
/// Thread safety: only the thread that holds the leaf. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_held_finish(
    held: *mut HeldLeaf,
    action: i32,
    value: u64,
    old: *mut u64,
) -> i32 {
    // SAFETY: as this function's contract.
    status_of(|| unsafe {
        let content = held.cast::<Content>();
        if held.is_null() || (*content).seal != holding_seal_of(held) {
            return Err(MASSTREE_INVALID);
        }
        let holder = (*content).holder.as_ref();
        // Fails in a forked child: the leaf belongs to the parent process. The child's thread may hold
        // another one.
        let tree = tree_of((*content).tree.as_ptr())?;
        debug_assert!(holder.holds_in(held.cast()));
        // The actions are compiled apart, and the most frequent cases inlined.
        if let Place::Short(place, _) = &(*content).place
            && let Some(slot) = (*content).slot
        {
            let pin = pin_of(slot);
            match action {
                MASSTREE_ACTION_SET if place.can_set() => {
                    let decision = Decision::Set(value);
                    return Ok(finish_short(holder, tree, pin, held, place, decision, old));
                }
                MASSTREE_ACTION_REMOVE if place.is_present() => {
                    let decision = Decision::Remove;
                    return Ok(finish_short(holder, tree, pin, held, place, decision, old));
                }
                _ => {}
            }
        }
        if let Place::Short(place, _) = &(*content).place
            && (*content).is_unguarded()
        {
            let finished = match action {
                MASSTREE_ACTION_SET if place.can_set() => {
                    let decision = Decision::Set(value);
                    finish_at_once(holder, tree, held, place, decision, old)
                }
                MASSTREE_ACTION_REMOVE if place.is_present() => {
                    finish_at_once(holder, tree, held, place, Decision::Remove, old)
                }
                _ => None,
            };
            if let Some(status) = finished {
                return Ok(status);
            }
        }
        match action {
            MASSTREE_ACTION_SET if !(*content).place.admits_set() => Err(MASSTREE_INVALID),
            MASSTREE_ACTION_SET => finish_setting(holder, tree, held, value, old),
            MASSTREE_ACTION_REMOVE => finish_removing(holder, tree, held, old),
            MASSTREE_ACTION_KEEP => finish_keeping(holder, tree, held),
            _ => Err(MASSTREE_INVALID),
        }
    })
}

#[cfg(all(test, debug_assertions, not(any(loom, shuttle))))]
mod tests {
    use std::env;
    use std::ptr::{null, null_mut};
    use std::thread;

    use super::*;
    use crate::ffi::index::guard::{
        masstree_guard_enter, masstree_guard_leave, masstree_guard_refresh,
    };
    use crate::ffi::index::point::masstree_put;
    use crate::ffi::index::tree::{masstree_create, masstree_destroy};
    use crate::testing::this_program;

    /// The environment variable that tells the test's child process what to do instead of
    /// masstree_held_finish, or before it.
    const INSTEAD: &str = "MASSTREE_TEST_INSTEAD";

    fn hold_and(instead: &str) {
        let bytes = Box::leak(Box::new(*b"key")).as_mut_ptr();
        let key = bytes.cast();
        let held: *mut HeldLeaf = Box::leak(Box::new(HeldLeaf { opaque: [0; 96] }));
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
    fn forgetting_to_finish_or_changing_the_key_aborts() {
        if let Ok(instead) = env::var(INSTEAD) {
            return thread::spawn(move || hold_and(&instead)).join().unwrap();
        }
        let run = |instead: &str| {
            let name = "ffi::occ::held::tests::forgetting_to_finish_or_changing_the_key_aborts";
            let mut child = this_program();
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
