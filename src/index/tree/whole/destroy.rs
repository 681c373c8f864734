//! Destroys a tree.
//!
//! Most trees are destroyed by chunk: their nodes, suffixes and values lie in chunks, which the pools free,
//! and no value has a destructor. Others are visited node by node: trees with a destructor of values, with
//! byte strings or versions from malloc, with suffixes or values too large for blocks, and trees in builds
//! without pools.

use crate::index::node::NodeRef;
use crate::index::reclaim::Domain;
use crate::index::tree::Tree;
use crate::index::tree::freeing::free_all;

impl Drop for Tree {
    /// Frees every retired object, then every node, and calls the destructor for every value in the
    /// tree.
    fn drop(&mut self) {
        let domain = self.domain;
        // SAFETY: no other thread uses the tree: guards borrow the tree, and a C caller guarantees
        // that every guard was left.
        unsafe {
            domain.as_ref().reclaim_all();
            if !domain.as_ref().frees_by_chunk() {
                let mut held_back = domain.as_ref().held_back.take();
                while let Some(leaf) = held_back.pop() {
                    free_all(domain.as_ref(), leaf, true, &mut |_, _| ());
                }
                let root = NodeRef::load(&self.root).expect("a tree has a root");
                free_all(domain.as_ref(), root, true, &mut |_, _| ());
            }
            Domain::destroy(domain);
        }
    }
}
