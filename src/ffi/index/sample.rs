//! Keys drawn at random.

use std::ffi::c_void;

use super::scan::{BytesVisitor, Ending, Item, Visitor, bytes_visitor, control_flow, word_visitor};
use crate::ffi::boundary::{ValueKind, on_tree, status_of, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::tree::Random;

/// Draws keys of a tree of this kind.
///
/// # Safety
/// As `masstree_sample`.
unsafe fn sample(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    values: ValueKind,
    (state, count): (*mut u64, usize),
    visited: *mut usize,
    mut visit: impl FnMut(Item<'_>) -> i32,
) -> Result<i32, i32> {
    if state.is_null() {
        return Err(MASSTREE_INVALID);
    }
    // SAFETY: as this function's contract; the state is not NULL.
    unsafe {
        on_tree(tree, guard, values, |tree, pin| {
            let _counted = guard.is_null().then(|| tree.count_call());
            let ending = Ending::in_status();
            let mut random = Random(state.read());
            let mut drawn = 0;
            let mut each = |key: &[u8], value: u64| {
                let result = visit(Item {
                    key,
                    value,
                    bytes: match values {
                        ValueKind::Bytes => tree.bytes_of(pin, value),
                        _ => &[],
                    },
                });
                pin.check_thread();
                control_flow(result, &ending).is_continue()
            };
            let outcome = tree.sample(pin, &mut random, count, &mut each, &mut drawn);
            state.write(random.0);
            write_output(visited, drawn);
            outcome?;
            Ok(ending.status())
        })
    }
}

/// Draws keys at random, with their values: to look at a few keys of many, to evict some.
///
/// In a tree of which no thread writes and whose keys have at most eight bytes, or are not more than a few
/// with the same first eight bytes, each key is as likely as any other. Otherwise a key that shares its
/// first eight bytes with many others is less likely than a key that does not, unless most keys do. A key
/// may be drawn more than once. The cost of a key is that of about ten look-ups; of a hundred or more,
/// where keys share their first eight bytes with many others.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param state    The state of a sequence of random numbers, any number before the first call: the seed.
///                 The call advances it, so that the next call draws other keys. The same state draws the
///                 same keys of an unchanged tree. Not NULL.
/// @param count    How many keys to draw.
/// @param visit    Called for each key that was drawn: see masstree_visitor_t.
/// @param ctx      Passed to visit.
/// @param visited  Receives the number of keys visited, as in masstree_scan. Less than count if the
///                 visitor stopped, if the tree is empty, or if its nodes are so empty that drawing was
///                 given up. May be NULL.
///
/// @retval MASSTREE_OK          The keys were drawn, or the visitor stopped.
/// @retval MASSTREE_INVALID     tree, state or visit is NULL.
/// @retval MASSTREE_NOMEM       Out of memory for a key; *visited keys were visited.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings or versions.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
/// @return The negative number that the visitor returned.
///
/// Thread safety: any thread, each with a state of its own; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_sample(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    state: *mut u64,
    count: usize,
    visit: Visitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    // SAFETY: as this function's contract.
    status_of(|| unsafe {
        let visit = word_visitor(visit, ctx)?;
        sample(
            tree,
            guard,
            ValueKind::Words,
            (state, count),
            visited,
            visit,
        )
    })
}

/// Like masstree_sample, for a tree of byte strings.
///
/// @param tree     The tree.
/// @param guard    As in masstree_sample.
/// @param state    As in masstree_sample.
/// @param count    As in masstree_sample.
/// @param visit    Called for each key that was drawn: see masstree_bytes_visitor_t.
/// @param ctx      Passed to visit.
/// @param visited  As in masstree_sample.
///
/// @retval MASSTREE_OK          The keys were drawn, or the visitor stopped.
/// @retval MASSTREE_INVALID     As in masstree_sample.
/// @retval MASSTREE_NOMEM       As in masstree_sample.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree does not hold byte strings.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
/// @return The negative number that the visitor returned.
///
/// Thread safety: any thread, each with a state of its own; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_sample_bytes(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    state: *mut u64,
    count: usize,
    visit: BytesVisitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    // SAFETY: as this function's contract.
    status_of(|| unsafe {
        let visit = bytes_visitor(visit, ctx)?;
        sample(
            tree,
            guard,
            ValueKind::Bytes,
            (state, count),
            visited,
            visit,
        )
    })
}
