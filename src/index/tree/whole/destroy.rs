//! Frees a tree.

use std::ptr::NonNull;

use crate::index::node::{AnyNode, Chain, Entries, Leaf, NodeRef, Portable};
use crate::index::reclaim::Domain;
use crate::index::tree::Tree;

impl Drop for Tree {
    /// Frees every retired object, then every node from the root down, and calls the
    /// destructor for every value in the tree.
    fn drop(&mut self) {
        let domain = self.domain;
        // SAFETY: no other thread uses the tree: guards borrow the tree, and a C caller guarantees
        // that every guard was left.
        unsafe {
            domain.as_ref().reclaim_all();
            let root = NodeRef::load(&self.root).expect("a tree has a root");
            free_all(domain.as_ref(), root, true, &mut |_, _| ());
            Domain::destroy(domain);
        }
    }
}

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
        match node.kind() {
            AnyNode::Internode(internode) => {
                for index in 0..=internode.len() {
                    chain.push(internode.child(index));
                }
                // SAFETY: by contract.
                unsafe { domain.memory.free_internode(NonNull::from(internode)) }
            }
            // SAFETY: by contract.
            AnyNode::Leaf(leaf) => unsafe { free_leaf(domain, &mut chain, leaf, values, count) },
        }
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
