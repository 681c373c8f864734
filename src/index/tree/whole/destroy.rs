//! Destroys a tree.

use crate::index::node::NodeRef;
use crate::index::reclaim::Domain;
use crate::index::tree::Tree;
use crate::index::tree::freeing::free_all;

impl Drop for Tree {
    /// Frees every retired object, then every node from the root down, and calls the
    /// destructor for every value in the tree.
    fn drop(&mut self) {
        let domain = self.domain;
        // SAFETY: no other thread uses the tree: guards borrow the tree, and a C caller guarantees
        // that every guard was left.
        unsafe {
            domain.as_ref().reclaim_all();
            let mut held_back = domain.as_ref().held_back.take();
            while let Some(leaf) = held_back.pop() {
                free_all(domain.as_ref(), leaf, true, &mut |_, _| ());
            }
            let root = NodeRef::load(&self.root).expect("a tree has a root");
            free_all(domain.as_ref(), root, true, &mut |_, _| ());
            Domain::destroy(domain);
        }
    }
}
