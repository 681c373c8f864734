//! Frees the nodes of trees that were cleared, destroyed, or never published.

use std::ptr::NonNull;

use crate::index::node::{AnyNode, Chain, Entries, Leaf, Lockable, NodeRef, Portable, SharedChain};
use crate::index::reclaim::Domain;
use crate::protocol::Line;
use crate::sync::{Ordering, fence};

/// Frees a node and every node below it; if `values`, also destroys the values. Before it frees a
/// leaf, passes the leaf and its number of keys to `count`.
///
/// Chains the nodes to free through their parent words, which no thread reads any more: so it needs
/// no recursion and no allocation, however many layers there are.
///
/// # Safety
/// No other thread uses these nodes, and no other node or word refers to them.
pub(in crate::index::tree) unsafe fn free_all(
    domain: &Domain,
    root: NodeRef<'_>,
    values: bool,
    count: &mut dyn FnMut(&Leaf, u64),
) {
    let mut chain = Chain::EMPTY;
    chain.push(root);
    while let Some(node) = chain.pop() {
        // SAFETY: by contract.
        unsafe { free_node(domain, &mut chain, node, values, count) }
    }
}

/// Frees a tree that was cleared, with its values, and those leaves of other cleared trees that
/// [`free_unheld`] has held back.
///
/// # Safety
/// No thread that has a guard uses these nodes, and no other node or word refers to them.
pub(in crate::index::tree) unsafe fn free_cleared(domain: &Domain, root: NodeRef<'_>) {
    let mut chain = Chain::EMPTY;
    chain.push(root);
    free_unheld(&domain.held_back, chain, |chain, node| {
        // SAFETY: by contract; the lock of a leaf is taken.
        unsafe { free_node(domain, chain, node, true, &mut |_, _| ()) }
    });
}

/// Frees the leaves of cleared trees that were held back and that no thread holds any more. A thread
/// that finds that a clear has overtaken its hold without a guard calls this once it has unlocked the
/// leaf.
pub(in crate::index::tree) fn free_held_back(domain: &Domain) {
    free_found(&domain.held_back, |chain, node| {
        // SAFETY: the grace period of the leaf's tree has ended, so no thread that has a guard uses the
        // leaf or the layers below it; the lock of a leaf is taken.
        unsafe { free_node(domain, chain, node, true, &mut |_, _| ()) }
    });
}

/// [`free_held_back`], with `free` as in [`free_unheld`].
pub(in crate::index::tree) fn free_found<'g>(
    held_back: &SharedChain,
    free: impl FnMut(&mut Chain<'g>, NodeRef<'g>),
) {
    // Pairs with the fence in `free_unheld`.
    if Line::FenceAfterUnheld.is_enabled() {
        fence(Ordering::SeqCst);
    }
    if !held_back.is_empty() && Line::HeldBackIsFreed.is_enabled() {
        // SAFETY: only the thread that takes a node from the list frees it.
        let chain = unsafe { held_back.take() };
        free_unheld(held_back, chain, free);
    }
}

/// Calls `free` for each node, which may add nodes to the chain.
///
/// A thread may hold a leaf without a guard, and a thread that reads without one may be about to try:
/// see `write::held_unguarded`. So this takes the lock of each leaf before the leaf is freed, and if a
/// thread has that lock, holds the leaf back: adds it to a list. Either that thread finds the leaf in
/// the list after it has unlocked the leaf, or this finds the leaf unlocked after it was added.
pub(in crate::index::tree) fn free_unheld<'g>(
    held_back: &SharedChain,
    mut chain: Chain<'g>,
    mut free: impl FnMut(&mut Chain<'g>, NodeRef<'g>),
) {
    // Ends: each round, another thread has unlocked a leaf that was held back.
    loop {
        let mut is_unheld = false;
        while let Some(node) = chain.pop() {
            match node.kind() {
                AnyNode::Leaf(leaf) if !claim(leaf) => {
                    held_back.push(node);
                    // Pairs with the fence in `free_found`.
                    if Line::FenceAfterHeldBack.is_enabled() {
                        fence(Ordering::SeqCst);
                    }
                    is_unheld |= !leaf.version().is_locked();
                }
                _ => free(&mut chain, node),
            }
        }
        if !is_unheld {
            return;
        }
        // SAFETY: only the thread that takes a node from the list frees it.
        chain = unsafe { held_back.take() };
    }
}

/// Takes the lock of a leaf, unless another thread has it.
fn claim(leaf: &Leaf) -> bool {
    // Ends: each round, another thread has unlocked the leaf, or the exchange has failed spuriously.
    loop {
        let version = leaf.version();
        if version.is_locked() {
            return !Line::FreedLeafIsLocked.is_enabled();
        }
        if version.lock_unchanged(version.load()) {
            return true;
        }
    }
}

/// Frees a node; adds the nodes below it to the chain.
///
/// # Safety
/// The contract of `free_all`.
unsafe fn free_node<'t>(
    domain: &Domain,
    chain: &mut Chain<'t>,
    node: NodeRef<'t>,
    values: bool,
    count: &mut dyn FnMut(&Leaf, u64),
) {
    match node.kind() {
        AnyNode::Internode(internode) => {
            for index in 0..=internode.len() {
                chain.push(internode.child(index));
            }
            // SAFETY: by contract.
            unsafe { domain.memory.free_internode(NonNull::from(internode)) }
        }
        // SAFETY: by contract.
        AnyNode::Leaf(leaf) => unsafe { free_leaf(domain, chain, leaf, values, count) },
    }
}

/// # Safety
/// The contract of `free_all`.
unsafe fn free_leaf<'t>(
    domain: &Domain,
    chain: &mut Chain<'t>,
    leaf: &'t Leaf,
    values: bool,
    count: &mut dyn FnMut(&Leaf, u64),
) {
    let version = NodeRef::from(leaf).version().stable();
    let mut entries = Entries::new();
    leaf.snapshot::<Portable>(version, &mut entries)
        .expect("no other thread writes");
    let mut keys = 0;
    for entry in entries.iter() {
        match entry.layer() {
            Some(root) => chain.push(root),
            None => {
                keys += 1;
                if values {
                    // SAFETY: the value leaves the tree here, and no thread reads it.
                    unsafe { domain.destroy_value(entry.value()) }
                }
            }
        }
    }
    count(leaf, keys);
    // SAFETY: by contract.
    unsafe {
        if let Some(bag) = leaf.bag() {
            bag.free(&domain.memory);
        }
        domain.memory.free_leaf(NonNull::from(leaf));
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::index::node::Locked;
    use crate::protocol::models::check;
    use crate::sync::AtomicU64;

    /// A leaf of a cleared tree, and how many times it was freed.
    struct Held {
        leaf: Leaf,
        held_back: SharedChain,
        frees: AtomicU64,
    }

    impl Held {
        fn free(&self) {
            self.frees.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A leaf is freed beside the thread that holds it, and that looks for leaves that were held back once
    /// it has unlocked this one: one of the two frees the leaf.
    #[test]
    fn a_leaf_that_is_held_back_is_freed_by_one_of_two_threads() {
        check(&[Line::FenceAfterHeldBack, Line::FenceAfterUnheld], || {
            loom::model(|| {
                let held = Arc::new(Held {
                    leaf: Leaf::new(),
                    held_back: SharedChain::new(),
                    frees: AtomicU64::new(0),
                });
                let version = Locked::private(&held.leaf).suspend().1;
                let holder = {
                    let held = held.clone();
                    thread::spawn(move || {
                        // SAFETY: suspended above, by the thread that has started this one.
                        drop(unsafe { Locked::resume(&held.leaf, version) });
                        free_found(&held.held_back, |_, _| held.free());
                    })
                };
                let mut chain = Chain::EMPTY;
                chain.push(NodeRef::from(&held.leaf));
                free_unheld(&held.held_back, chain, |_, _| held.free());
                holder.join().unwrap();
                assert_eq!(held.frees.load(Ordering::Relaxed), 1);
            });
        });
    }
}
