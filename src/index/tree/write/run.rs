//! Removes a run: leaves that follow each other under one parent, and whose keys all lie in a range
//! that `remove_range` removes.
//!
//! **Protocol.** A collapse of one leaf after the other would lock and change their parent for each of
//! them. A run changes it once:
//!
//! - The writer finds the last leaf of the run from the parent of the leaf at which the range continues
//!   (the *start*), without locks. It then locks that last leaf, and each leaf before it, up to the
//!   start: the order in which any writer locks leaves. Only leaves that it has locked so, each the
//!   predecessor of the next, are part of the run, whatever has changed since it read the parent. It waits
//!   for none of them but the last: a thread may hold a leaf for long, and writers to the leaves that are
//!   locked already would wait, too. If it would have to wait, it gives the run up.
//! - It shortens the run to the leaves that lie wholly in the range and contain no link, and locks their
//!   parent. If the start and the run are not children of that one internode, in this order, a writer
//!   has split it: then the writer goes on with the start alone.
//! - It marks each leaf of the run dirty: the linearization points. From then on, until the leaf is
//!   deleted, no thread inserts into it or finds a key in it, not even one that has read the leaf while it
//!   was locked. Otherwise a scan could pass from the start to the leaf behind the run, and a cursor of the
//!   same thread then return a key of the run.
//! - It marks the parent dirty, removes the run's children from it, unlinks the run from the list of
//!   leaves, and deletes the leaves. The start takes over their range, as in `collapse`: a thread that
//!   finds one of these leaves deleted starts over, and waits for the parent.
//! - No boundary above the parent moves, since the start stays its child, and no ancestor becomes empty.
//!   If the start is empty, `collapse` deletes it after the parent is unlocked, as any leaf.

use arrayvec::ArrayVec;

use super::lock::{Parent, lock_parent, try_lock_prev};
use super::remove_range::{MOST_LEAVES, Rest, Round, Start, Values, first_above};
use crate::index::memory::Count;
use crate::index::node::{AnyNode, Chain, Internode, Leaf, Lockable, Locked, NodeRef};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::walk::ahead::sibling;
use crate::index::tree::walk::range::Cut;
use crate::protocol::Line;

/// Locked leaves that follow each other, the last one first.
type Run<'g> = ArrayVec<Locked<'g, Leaf>, MOST_LEAVES>;

impl Tree {
    /// Removes the rest of the start, and the run that follows it up to at most `last`. If no leaf can be
    /// deleted with the start, changes nothing and returns the start, or nothing if it is not locked any
    /// more.
    pub(super) fn remove_run<'g, 'p, 'k>(
        &self,
        pin: Pinned<'g>,
        start: Start<'g, 'p, 'k>,
        candidates: Candidates<'g>,
    ) -> Result<Round, Option<Start<'g, 'p, 'k>>> {
        let Some((start, mut run)) = lock_run(start, candidates.last) else {
            return Err(None);
        };
        candidates.prefetch_next(start.upper);
        let (of_start, rest) = start.in_range(&start.leaf);
        if rest != Rest::NextLeaf {
            return Err(Some(start));
        }
        let is_inside = run.first().is_some_and(|last| start.holds_all_of(last));
        let is_whole = |leaf: &Locked<'_, Leaf>| {
            if is_inside {
                return !leaf.has_links();
            }
            let (positions, rest) = start.in_range(leaf);
            rest == Rest::NextLeaf && positions.len() == leaf.permutation().len()
        };
        let whole = run.iter().rev().take_while(|leaf| is_whole(leaf)).count();
        run.drain(..run.len() - whole);
        let Some(last) = run.first() else {
            return Err(Some(start));
        };
        let Parent::Internode(mut parent) = lock_parent(last) else {
            unreachable!("a leaf with a previous one is under an internode");
        };
        let index = parent.index_of(NodeRef::from(last.node()));
        if index < whole && Line::RunHasOneParent.is_enabled() {
            return Err(Some(start));
        }
        let next_low = last.node().next().map(Leaf::low);
        let (mut values, mut removed) = (Values::new(), 0);
        let mut leaf = start.leaf;
        removed += self.take_entries(&mut leaf, of_start, &mut values);
        for leaf in run.iter_mut().rev() {
            if Line::RunIsDirty.is_enabled() {
                leaf.mark_dirty();
            }
            removed += leaf.permutation().len();
            if self.values_are_memory() {
                // Retiring a value reads its size.
                leaf.node().prefetch_values();
            }
        }
        if !Line::RunStaysLocked.is_enabled() {
            let nodes: ArrayVec<&Leaf, MOST_LEAVES> =
                run.drain(..).map(|leaf| leaf.node()).collect();
            run.extend(nodes.into_iter().map(Locked::lock));
        }
        pin.count(Count::LeavesUnlinked, whole as i64);
        let mut dead = Chain::EMPTY;
        let lone_root = unlink_run(&leaf, run, &mut parent, index, &mut dead);
        drop(parent);
        self.end_round(pin, leaf, removed, values);
        // SAFETY: no word of the tree points to these leaves any more, which have no links.
        let retired = unsafe { pin.retire_leaves(dead) };
        if let Some(root) = lone_root {
            self.shrink(pin, root);
        }
        Ok(Round {
            removed,
            rest: Rest::NextLeaf,
            next_low,
            retired,
        })
    }
}

impl<'g> Start<'g, '_, '_> {
    /// The leaves after the start that have the same parent and may have keys in the range. Reads the
    /// parent without its lock, so another writer may have changed it.
    pub(super) fn candidates(&self) -> Option<Candidates<'g>> {
        // SAFETY: the word is null or points to the leaf's parent, which is not retired as long as it
        // has this child, whose lock this thread owns.
        let parent = unsafe { NodeRef::load(self.leaf.node().parent_word()) }?;
        let AnyNode::Internode(parent) = parent.kind() else {
            return None;
        };
        let len = parent.len();
        let this = NodeRef::from(self.leaf.node());
        let index = (0..len).find(|&index| parent.child(index) == this)?;
        let last = prefetch_children(parent, index, len, self.upper)?;
        let AnyNode::Leaf(last) = parent.child(last).kind() else {
            unreachable!("leaves have leaves as siblings");
        };
        let next = sibling(parent, false);
        if let Some(next) = next {
            NodeRef::from(next).prefetch_all();
        }
        Some(Candidates { last, next })
    }
}

/// The leaves of which a run may consist.
pub(super) struct Candidates<'g> {
    last: &'g Leaf,
    /// The internode after their parent, under the same internode, already prefetched: a hint.
    next: Option<&'g Internode>,
}

impl Candidates<'_> {
    /// Prefetches the leaves of the next run.
    fn prefetch_next(&self, upper: Option<Cut<'_>>) {
        let Some(next) = self.next else { return };
        next.child(0).prefetch_to_empty();
        prefetch_children(next, 0, next.len(), upper);
    }
}

/// Prefetches those children of an internode from `index + 1` up to `len` whose ranges begin in the range
/// that is removed; returns the index of the last one.
fn prefetch_children(
    parent: &Internode,
    index: usize,
    len: usize,
    upper: Option<Cut<'_>>,
) -> Option<usize> {
    let is_inside = |&child: &usize| {
        let low = parent.key(child - 1);
        upper.is_none_or(|cut| low <= cut.last_slice())
    };
    let inside = (index + 1..=len).take_while(is_inside);
    inside
        .inspect(|&child| parent.child(child).prefetch_to_empty())
        .last()
}

/// Unlocks the start, and locks the leaves from `last` to the one that contains the position by then,
/// which is the start now. Returns `None`, with all leaves unlocked, if `last` does not follow a start at
/// most [`MOST_LEAVES`] before it, or if another thread has locked a leaf between.
///
/// Ends: each round adds a leaf to the run.
fn lock_run<'g, 'p, 'k>(
    start: Start<'g, 'p, 'k>,
    last: &'g Leaf,
) -> Option<(Start<'g, 'p, 'k>, Run<'g>)> {
    let Start {
        leaf, lower, upper, ..
    } = start;
    let slice = lower.first_slice();
    drop(leaf);
    let last = Locked::lock(last);
    if last.is_deleted() && Line::RunEndIsAlive.is_enabled() || last.low() <= slice {
        return None;
    }
    let mut run = Run::new();
    let mut leaf = last;
    loop {
        let prev = try_lock_prev(&leaf)?;
        run.try_push(leaf).ok()?;
        leaf = prev;
        if leaf.low() <= slice || leaf.node().prev().is_none() {
            let from = first_above(&leaf, lower);
            let start = Start {
                leaf,
                from,
                lower,
                upper,
            };
            return Some((start, run));
        }
    }
}

/// Removes a run from its parent and from the list of leaves, and deletes its leaves. Returns the parent
/// if it is a root with a single child left.
fn unlink_run<'g>(
    start: &Locked<'g, Leaf>,
    run: Run<'g>,
    parent: &mut Locked<'g, Internode>,
    index: usize,
    dead: &mut Chain<'g>,
) -> Option<&'g Internode> {
    if Line::RunParentIsDirty.is_enabled() {
        parent.mark_dirty();
    }
    parent.remove_many(index + 1 - run.len()..index + 1);
    if let Some(last) = run.first() {
        last.unlink(Some(start));
    }
    for leaf in run {
        let node = NodeRef::from(leaf.node());
        leaf.delete();
        dead.push(node);
    }
    (parent.is_root() && parent.len() == 0).then(|| parent.node())
}
