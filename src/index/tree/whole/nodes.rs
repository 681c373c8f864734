//! Visits every node of a tree: parents before children, smaller keys before greater ones, a
//! layer right after the leaf that links to it.
//!
//! Writers may be active. Each node is read as it was at some moment, and a node that is deleted
//! during the visit may be left out. An entry that moves from one node to another during the visit
//! may be read twice or not at all.

use arrayvec::ArrayVec;

use crate::index::memory::OutOfMemory;
use crate::index::memory::Vector;
use crate::index::node::{AnyNode, Entries, Internode, Leaf, NodeRef, Portable, WIDTH};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;

/// A visited node, as it was at one moment.
pub(in crate::index::tree) struct NodeView<'v, 'g> {
    /// Its number in the order of the visits, from 0.
    pub(in crate::index::tree) number: u64,
    /// The number of its parent; for a layer's root, of the leaf that links to it.
    pub(in crate::index::tree) parent: Option<u64>,
    /// How many layers are above it.
    pub(in crate::index::tree) layer: usize,
    /// How many levels are above it in its layer.
    pub(in crate::index::tree) depth_in_layer: usize,
    pub(in crate::index::tree) content: Content<'v, 'g>,
}

/// The content of a node.
pub(in crate::index::tree) enum Content<'v, 'g> {
    Internode(&'v [u64]),
    Leaf(&'g Leaf, &'v Entries<'g>),
}

/// A node to visit.
struct Task<'g> {
    node: NodeRef<'g>,
    parent: Option<u64>,
    layer: usize,
    depth_in_layer: usize,
}

type Children<'g> = ArrayVec<NodeRef<'g>, { WIDTH + 1 }>;

/// Reads the entries that a leaf held at one moment. Returns false, with no entries, if the
/// leaf is deleted.
pub(in crate::index::tree) fn entries_of<'g>(leaf: &'g Leaf, entries: &mut Entries<'g>) -> bool {
    // Ends: each round, a writer has changed the leaf.
    loop {
        let version = NodeRef::from(leaf).version().stable();
        if version.is_deleted() {
            entries.clear();
            return false;
        }
        if leaf.snapshot::<Portable>(version, entries).is_some() {
            return true;
        }
    }
}

/// Returns the keys and children of an internode at one moment; none if it is deleted.
pub(in crate::index::tree) fn children_of<'g>(
    internode: &'g Internode,
) -> (ArrayVec<u64, WIDTH>, Children<'g>) {
    // Ends: each round, a writer has changed the internode.
    loop {
        let version = NodeRef::from(internode).version().stable();
        if version.is_deleted() {
            return (ArrayVec::new(), ArrayVec::new());
        }
        let len = internode.len().min(WIDTH);
        let keys = (0..len).map(|index| internode.key(index)).collect();
        let children = (0..=len).map(|index| internode.child(index)).collect();
        if NodeRef::from(internode).version().validate(version) {
            return (keys, children);
        }
    }
}

impl Tree {
    /// Visits every node.
    pub(in crate::index::tree) fn visit_nodes<'g>(
        &self,
        pin: Pinned<'g>,
        visit: &mut dyn FnMut(NodeView<'_, 'g>),
    ) -> Result<(), OutOfMemory> {
        self.visit_from(self.root(pin), visit)
    }

    /// Visits every node of the tree with a root, which may not be published yet.
    pub(in crate::index::tree) fn visit_from<'g>(
        &self,
        root: NodeRef<'g>,
        visit: &mut dyn FnMut(NodeView<'_, 'g>),
    ) -> Result<(), OutOfMemory> {
        let mut tasks = Vector::new_in(self.allocator());
        let mut number = 0;
        tasks.try_reserve(1).map_err(|_| OutOfMemory)?;
        tasks.push(Task {
            node: root,
            parent: None,
            layer: 0,
            depth_in_layer: 0,
        });
        let mut entries = Entries::new();
        while let Some(task) = tasks.pop() {
            tasks.try_reserve(WIDTH + 1).map_err(|_| OutOfMemory)?;
            let below = |node, layer, depth_in_layer| Task {
                node,
                parent: Some(number),
                layer,
                depth_in_layer,
            };
            let (keys, children);
            let content = match task.node.kind() {
                AnyNode::Internode(internode) => {
                    (keys, children) = children_of(internode);
                    let tasks_below = children.iter().rev();
                    tasks.extend(
                        tasks_below.map(|&c| below(c, task.layer, task.depth_in_layer + 1)),
                    );
                    Content::Internode(&keys)
                }
                AnyNode::Leaf(leaf) => {
                    if !entries_of(leaf, &mut entries) {
                        continue;
                    }
                    let layers = entries.iter().rev().filter_map(|entry| entry.layer());
                    tasks.extend(layers.map(|root| below(root, task.layer + 1, 0)));
                    Content::Leaf(leaf, &entries)
                }
            };
            visit(NodeView {
                number,
                parent: task.parent,
                layer: task.layer,
                depth_in_layer: task.depth_in_layer,
                content,
            });
            number += 1;
        }
        Ok(())
    }
}
