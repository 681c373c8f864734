//! The end of a tree.

use std::ptr::NonNull;

use super::Tree;
use crate::node::{AnyNode, Chain, Entries, Leaf, NodeRef};
use crate::reclaim::Domain;

impl Drop for Tree {
    /// Frees what was retired, then every node from the root down, and runs the
    /// value destructor for every value still present.
    ///
    /// Nodes to be freed are chained through their parent words, which nobody
    /// needs any more: no recursion, no allocation, however many layers there
    /// are.
    fn drop(&mut self) {
        let domain = self.domain;
        // SAFETY: the tree is ours alone: guards borrow it, and C callers promise
        // to have left theirs.
        unsafe {
            domain.as_ref().reclaim_all();
            let mut chain = Chain::EMPTY;
            chain.push(NodeRef::load(&self.root).expect("a tree has a root"));
            while let Some(node) = chain.pop() {
                free(domain.as_ref(), &mut chain, node);
            }
            Domain::destroy(domain);
        }
    }
}

/// Frees a node and its values, after chaining what it leads to.
///
/// # Safety
/// Nobody else uses the tree, and nothing else leads to the node.
unsafe fn free<'t>(domain: &Domain, chain: &mut Chain<'t>, node: NodeRef<'t>) {
    match node.kind() {
        AnyNode::Internode(internode) => {
            for place in 0..=internode.len() {
                chain.push(internode.child(place));
            }
            // SAFETY: by contract.
            unsafe { domain.memory.free_internode(NonNull::from(internode)) }
        }
        // SAFETY: by contract.
        AnyNode::Leaf(leaf) => unsafe { free_leaf(domain, chain, leaf) },
    }
}

/// # Safety
/// As `free`.
unsafe fn free_leaf<'t>(domain: &Domain, chain: &mut Chain<'t>, leaf: &'t Leaf) {
    let version = NodeRef::from(leaf).version().stable();
    let mut entries = Entries::new();
    leaf.snapshot(version, &mut entries)
        .expect("nobody else writes");
    for entry in &entries {
        match entry.layer() {
            Some(root) => chain.push(root),
            // SAFETY: the value leaves the tree here, and nobody reads it.
            None => unsafe { domain.destroy_value(entry.value()) },
        }
    }
    // SAFETY: by contract.
    unsafe {
        if let Some(bag) = leaf.bag() {
            bag.free(&domain.memory);
        }
        domain.memory.free_leaf(NonNull::from(leaf));
    }
}
