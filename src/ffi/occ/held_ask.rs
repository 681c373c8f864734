//! Queries about a held leaf, before and after masstree_held_finish.

use super::delta::{LeafDelta, delta_at};
use super::held::{HeldLeaf, MASSTREE_HOLD_DELTA};
use super::held_content::{Left, Place, content, decision_of, seal_of};
use super::observe::LeafObservation;
use crate::ffi::boundary::{status_of, write_output};
use crate::ffi::status::*;
use crate::index::node::Observation;
use crate::index::tree::Decision;

/// Returns observations of the leaf that this thread holds. May be called after
/// masstree_held_finish, too, by any thread, until *held is used again or its memory ends: then it
/// returns what it would have returned before.
///
/// @param held      The held leaf.
/// @param original  Receives an observation of the leaf in which the key was looked for, as it
///                  was before room was made. May be NULL.
/// @param now       Receives an observation of the locked leaf, as readers see it now: the same
///                  leaf, unless room was made and the key belongs into a new leaf. May be
///                  NULL.
///
/// @retval MASSTREE_OK       The outputs are written.
/// @retval MASSTREE_INVALID  This thread holds no leaf in *held, and none was finished there.
/// @retval MASSTREE_FORKED   The parent process held the leaf, before a fork.
///
/// Thread safety: only the thread that holds the leaf; when it was finished, any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_held_observation(
    held: *const HeldLeaf,
    original: *mut LeafObservation,
    now: *mut LeafObservation,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let content = content(held)?;
            write_output(original, LeafObservation::of(&content.original()));
            write_output(now, LeafObservation::of(&content.place.now()));
        }
        Ok(MASSTREE_OK)
    })
}

/// Returns the observation of the held leaf as masstree_held_finish will leave it. After
/// masstree_held_finish, like masstree_held_observation, it returns how the leaf was left.
///
/// @param held    The held leaf.
/// @param action  The action that will be passed to masstree_held_finish. After that was called, any
///                action: it has no effect.
/// @param next    Receives the observation; not NULL. If the action empties the leaf, the leaf
///                is removed and *next is never valid; nor is it if the tree is cleared before.
///
/// @retval MASSTREE_OK       *next is written.
/// @retval MASSTREE_INVALID  This thread holds no leaf in *held, and none was finished there;
///                           action is unknown, next is NULL, or action is MASSTREE_ACTION_SET for
///                           an absent key that is held without MASSTREE_HOLD_INSERT.
/// @retval MASSTREE_FORKED   The parent process held the leaf, before a fork.
///
/// Thread safety: only the thread that holds the leaf; when it was finished, any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_held_next(
    held: *const HeldLeaf,
    action: i32,
    next: *mut LeafObservation,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let content = content(held)?;
            let place = &content.place;
            let decision = decision_of(action, 0)?;
            let is_set = matches!(decision, Decision::Set(_));
            let is_finished = content.seal == seal_of(held);
            if next.is_null() || !is_finished && is_set && !place.admits_set() {
                return Err(MASSTREE_INVALID);
            }
            next.write(LeafObservation::of(&match is_finished {
                true => Observation {
                    version: content.version_left(),
                    ..place.now()
                },
                false => place.next(decision),
            }));
        }
        Ok(MASSTREE_OK)
    })
}

/// Returns what masstree_hold and masstree_held_finish have changed so far for a key that was held
/// with MASSTREE_HOLD_DELTA, as they would have recorded it (masstree_guard_record).
///
/// May be called after masstree_held_finish, too, by any thread, until *held is used again. Apply
/// the delta (masstree_delta_apply) only then.
///
/// @param held   The held leaf.
/// @param delta  Receives the delta, and its array the leaves that masstree_hold created; not NULL,
///               and initialised as for masstree_guard_record. There are at most ten created
///               leaves: masstree_hold returns MASSTREE_TOO_SMALL otherwise.
///
/// @retval MASSTREE_OK       *delta is written.
/// @retval MASSTREE_INVALID  This thread holds no leaf in *held, and none was finished there; or it
///                           was held without MASSTREE_HOLD_DELTA. Or delta is NULL; or in *delta,
///                           struct_size is too small, created is NULL and created_capacity is not
///                           0, or reserved is not 0.
/// @retval MASSTREE_FORKED   The parent process holds the leaf, since before a fork.
///
/// Thread safety: only the thread that holds the leaf; when it was finished, any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_held_delta(held: *const HeldLeaf, delta: *mut LeafDelta) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let content = content(held)?;
            let mut to = delta_at(delta)?;
            if content.flags & MASSTREE_HOLD_DELTA == 0 {
                return Err(MASSTREE_INVALID);
            }
            let to = to.as_mut();
            let place = match &content.place {
                Place::Short(place, _) => place,
                Place::Ready(held) => held.place(),
                Place::Long(_) | Place::Past { .. } => {
                    let from = content.delta.assume_init_ref();
                    from.copy_to(to);
                    return Ok(MASSTREE_OK);
                }
            };
            let is_finished = content.seal == seal_of(held);
            let mut now = place.now();
            if is_finished {
                now.version = content.version_left();
            }
            to.before = content.original();
            match content.split() {
                None => (to.after, to.created_count) = (now, 0),
                Some(split) => {
                    let [original, created] = split.after(now);
                    (to.after, to.created_count) = (original, 1);
                    if to.created_capacity > 0 {
                        to.created.write(created);
                    }
                }
            }
            to.unlisted = u32::from(is_finished && content.left == Left::Emptied);
        }
        Ok(MASSTREE_OK)
    })
}
