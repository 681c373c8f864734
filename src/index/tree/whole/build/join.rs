//! Appends the complete tree of one builder to that of another, whose keys are all smaller.
//!
//! The two trees may meet in several layers, the *seam*: the last key of the one and the first key
//! of the other share the slices of the upper ones. In each layer of the seam, the entries of the
//! other's first leaf are added to the open layer one by one: a value like a key, a link as it is;
//! but if the link's slice is that of the last entry, the two layers are joined first. Then the
//! other's first leaf is empty. It is freed, together with the internodes above it, and all other
//! children of these internodes are appended to the layer's spine, each on its level (`append_tail`).
//! So a join takes a few dozen steps for each layer of the seam, however large the trees are.
//!
//! An entry that was added is removed from the other tree at once: if memory runs out, each node
//! and each value belongs to exactly one of the two trees, and both are freed by their builders.

use std::ptr::NonNull;

use arrayvec::ArrayVec;

use super::{Builder, KeyPath, OpenLayer, first_leaf, spine};
use crate::index::key::{Key, SUFFIX};
use crate::index::memory::{Memory, OutOfMemory, Vector, append};
use crate::index::node::{AnyNode, Entry, Internode, Leaf, Locked, NodeRef};
use crate::index::tree::write::levels::own_levels;
use crate::index::tree::write::lock::MAX_HEIGHT;
use crate::index::tree::write::reserve::Reserve;

/// An upper bound for the internodes that [`append_tail`] takes from the reserve. A level gets at most
/// fifteen children of the tail, and one internode from a split below: together they fill the last
/// internode and at most one new one. Each level may also need a new root.
pub(super) fn needed_above(last: NodeRef<'_>, tail: NodeRef<'_>) -> usize {
    match tail.height() {
        0 => 0,
        height => 2 * (spine::height_above(last).max(height.into()) + 1),
    }
}

/// Appends the nodes of a complete layer to the layer whose last leaf is `leaf`, locked, except for the
/// first leaf, which is empty, and the internodes above that: these are freed. Returns the last
/// node of the highest level that got a node.
pub(super) fn append_tail<'t>(
    memory: &Memory,
    reserve: &mut Reserve<'t>,
    leaf: &Locked<'t, Leaf>,
    tail: NodeRef<'t>,
) -> NodeRef<'t> {
    let mut above_first = ArrayVec::<&Internode, MAX_HEIGHT>::new();
    let mut node = tail;
    while let AnyNode::Internode(internode) = node.kind() {
        above_first.push(internode);
        node = internode.child(0);
    }
    let first = first_leaf(tail);
    if let Some(next) = first.next() {
        leaf.chain(next);
    }
    let mut last = NodeRef::from(leaf.node());
    while let Some(internode) = above_first.pop() {
        for index in 1..=internode.len() {
            let child = internode.child(index);
            spine::append(last, child, internode.key(index - 1), reserve);
            last = child;
        }
        if !above_first.is_empty() {
            // The next level's children follow this level's last internode.
            last = spine::complete_parent(last).expect("it got at least one child");
        }
        // SAFETY: no other thread ever reached it. The internode above it is freed next, without
        // reading this child, and `join_tree` removes the link to the layer without following it.
        unsafe { memory.free_internode(NonNull::from(internode)) };
    }
    // SAFETY: as above; its entries were moved, and its right neighbour has another `prev`.
    unsafe {
        if let Some(bag) = first.bag() {
            bag.free(memory);
        }
        memory.free_leaf(NonNull::from(first));
    }
    last
}

impl<'t> Builder<'t> {
    /// Whether all keys of another builder are above those of this one, which is open.
    pub(crate) fn precedes(&self, other: &Self) -> bool {
        let first = Key::new(&other.first_key);
        self.key_count == 0 || other.key_count == 0 || self.position_of(first).is_some()
    }

    /// Appends the keys of another builder, all above those of this one, which is open. Afterwards
    /// this builder's tree is complete, so it takes no more keys; if it had no keys, it becomes the
    /// other builder instead. So join from the last builder to the first. If memory runs out, neither
    /// builder takes more keys.
    pub(crate) fn join(&mut self, other: &mut Builder<'t>) -> Result<(), OutOfMemory> {
        debug_assert!(self.precedes(other));
        if other.key_count == 0 {
            return Ok(());
        }
        if self.key_count == 0 {
            std::mem::swap(self, other);
            return Ok(());
        }
        self.has_other_eras |= !other.has_era(self.era);
        let joined = other
            .complete()
            .and_then(|root| self.join_tree(other, root));
        self.out_of_memory |= joined.is_err();
        other.out_of_memory |= joined.is_err();
        joined?;
        self.key_count += std::mem::take(&mut other.key_count);
        self.layers_created += std::mem::take(&mut other.layers_created);
        Ok(())
    }

    fn join_tree(&mut self, other: &mut Builder<'t>, root: NodeRef<'t>) -> Result<(), OutOfMemory> {
        let source = *self.layers.allocator();
        // The roots of the other tree's layers on the seam, from the first down.
        let mut seam = Vector::new_in(source);
        let mut rest = Vector::new_in(source);
        seam.try_reserve(1).map_err(|_| OutOfMemory)?;
        seam.push(root);
        // Ends: each round descends to a layer of the seam, or completes one.
        while let Some(&root) = seam.last() {
            let depth = seam.len() - 1;
            seam.try_reserve(1).map_err(|_| OutOfMemory)?;
            if let Some(below) = self.move_first_leaf(depth, first_leaf(root), &mut rest)? {
                seam.push(below);
                continue;
            }
            self.complete_below(depth)?;
            self.complete_layer(Some(root))?;
            seam.pop();
            match seam.last() {
                Some(&above) => {
                    Locked::lock(first_leaf(above)).remove(0);
                    // The two layers are one now.
                    other.layers_created -= 1;
                }
                None => other.root = None,
            }
        }
        Ok(())
    }

    /// Moves the entries of a leaf to the open layer at a depth, up to a link whose slice is that of
    /// the layer's last entry: then returns the root to which it links, with which the layer below
    /// is to be joined. `rest` is a buffer.
    fn move_first_leaf(
        &mut self,
        depth: usize,
        leaf: &'t Leaf,
        rest: &mut Vector<u8>,
    ) -> Result<Option<NodeRef<'t>>, OutOfMemory> {
        let mut leaf = Locked::lock(leaf);
        while let Some(entry) = leaf.first_entry() {
            match entry.layer() {
                Some(below) if self.meets(depth, &entry)? => return Ok(Some(below)),
                Some(below) => self.insert_link(depth, &entry, below)?,
                None => self.insert_entry(depth, &entry, rest)?,
            }
            leaf.remove(0);
        }
        Ok(None)
    }

    /// Whether the last entry of the open layer at a depth links to a layer for a link's slice, or
    /// is in a group with this slice: then opens a layer for the group.
    fn meets(&mut self, depth: usize, link: &Entry<'_>) -> Result<bool, OutOfMemory> {
        let layer = &self.layers[depth];
        if layer.len == 0 || layer.slice != link.slice {
            return Ok(false);
        }
        if layer.kind == SUFFIX {
            let start = layer.start_of_group(&self.suffixes);
            self.open_layers(start, 0, &[])?;
        }
        Ok(self.layers.len() > depth + 1)
    }

    /// Adds a link to a complete layer, after all entries of the open layer at a depth.
    fn insert_link(
        &mut self,
        depth: usize,
        link: &Entry<'_>,
        root: NodeRef<'t>,
    ) -> Result<(), OutOfMemory> {
        self.complete_below(depth)?;
        if self.top().is_full() {
            self.begin_leaf(link.slice)?;
        }
        let top: &mut OpenLayer<'t> = self.layers.last_mut().expect("a layer is open");
        top.push_link(link.slice);
        top.leaf.fill_layer(usize::from(top.len) - 1, root);
        let leaf = NodeRef::from(top.leaf.node());
        root.set_parent(leaf);
        let own = own_levels(root).map_or(u8::MAX, |own| own.min(u8::MAX.into()) as u8);
        spine::raise(leaf, root.levels_below().saturating_add(own));
        Ok(())
    }

    /// Adds an entry with a value, after all entries of the open layer at a depth.
    fn insert_entry(
        &mut self,
        depth: usize,
        entry: &Entry<'_>,
        rest: &mut Vector<u8>,
    ) -> Result<(), OutOfMemory> {
        let key = if entry.kind == SUFFIX {
            rest.clear();
            let slice = entry.slice.to_be_bytes();
            let size = slice.len() + entry.suffix.len();
            rest.try_reserve(size).map_err(|_| OutOfMemory)?;
            append(rest, &slice);
            append(rest, &entry.suffix);
            Key::new(rest)
        } else {
            Key::short(entry.slice, entry.kind)
        };
        let position = self.position_from(depth, key);
        let KeyPath { depth, key } = position.expect("the other's keys are above this one's");
        self.insert_at(KeyPath { depth, key }, entry.value())
    }
}
