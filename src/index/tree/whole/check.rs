//! Verifies every invariant of a tree while no thread writes.

use std::fmt::Write as _;

use arrayvec::{ArrayString, ArrayVec};

use crate::index::key::{LAYER, SUFFIX, order};
use crate::index::memory::OutOfMemory;
use crate::index::memory::Vector;
use crate::index::node::{
    AnyNode, Entries, Entry, GROUP_MAX, Internode, Leaf, NodeRef, Portable, WIDTH,
};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::write::levels::own_levels;
use crate::index::tree::write::lock::MAX_HEIGHT;

impl Tree {
    /// Checks the whole tree; `report` receives a line for each violated invariant. Returns
    /// whether there was none.
    ///
    /// Not while another thread writes: an incomplete change looks like corruption.
    pub fn check(
        &self,
        pin: Pinned<'_>,
        report: &mut dyn FnMut(&str),
    ) -> Result<bool, OutOfMemory> {
        self.admit(pin, &[]);
        let mut check = Check {
            report,
            faults: 0,
            keys: 0,
            layers: Vector::new_in(self.allocator()),
            seen: Vector::new_in(self.allocator()),
        };
        check.push_layer(LayerTask {
            root: self.root(pin),
            link: None,
            depth: 0,
            number: None,
        })?;
        while let Some(task) = check.layers.pop() {
            check.layer(&task)?;
        }
        check.levels();
        if check.keys != self.key_count() {
            let (found, counted) = (check.keys, self.key_count());
            check.fault(
                0,
                format_args!("{found} keys were found, {counted} were counted"),
            );
        }
        Ok(check.faults == 0)
    }
}

/// A layer to check.
struct LayerTask<'g> {
    root: NodeRef<'g>,
    /// The leaf that links to it, if any.
    link: Option<&'g Leaf>,
    /// How many layers are above it.
    depth: usize,
    /// Its index in `Check::seen`; `None` for the first layer.
    number: Option<usize>,
}

/// A layer that the check has reached, other than the first.
struct Seen<'g> {
    /// The leaf that links to it.
    link: &'g Leaf,
    /// The index, in `Check::seen`, of the layer that contains this leaf; `None` for the first
    /// layer.
    above: Option<usize>,
    /// Its levels, without those of the layers below it (see `levels`).
    levels: u32,
    /// The most levels of any layer below it.
    below: u32,
}

/// A node to check, with the bounds that its parent implies.
struct NodeTask<'g> {
    node: NodeRef<'g>,
    parent: Option<NodeRef<'g>>,
    low: u64,
    /// The smallest slice above its range; `None` for the last node.
    high: Option<u64>,
    depth_in_layer: usize,
}

struct Check<'r, 'g> {
    report: &'r mut dyn FnMut(&str),
    faults: u64,
    keys: u64,
    layers: Vector<LayerTask<'g>>,
    /// All layers but the first, each after the one above it.
    seen: Vector<Seen<'g>>,
}

/// The leaves of a layer that were checked so far, with which the next one must agree.
#[derive(Default)]
struct Leaves<'g> {
    last: Option<&'g Leaf>,
    level: Option<usize>,
}

impl<'g> Check<'_, 'g> {
    #[cold]
    fn fault(&mut self, depth: usize, what: std::fmt::Arguments<'_>) {
        self.faults += 1;
        // Longer than any line; a line that did not fit would be truncated.
        let mut line = ArrayString::<200>::new();
        let _ = writeln!(line, "layer {depth}: {what}");
        (self.report)(&line);
    }

    fn expect(&mut self, depth: usize, holds: bool, what: &str) {
        if !holds {
            self.fault(depth, format_args!("{what}"));
        }
    }

    fn push_layer(&mut self, task: LayerTask<'g>) -> Result<(), OutOfMemory> {
        self.layers.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.layers.push(task);
        Ok(())
    }

    fn layer(&mut self, task: &LayerTask<'g>) -> Result<(), OutOfMemory> {
        let mut leaves = Leaves::default();
        let mut nodes = Vector::new_in(*self.layers.allocator());
        nodes.try_reserve(1).map_err(|_| OutOfMemory)?;
        nodes.push(NodeTask {
            node: task.root,
            parent: task.link.map(NodeRef::from),
            low: 0,
            high: None,
            depth_in_layer: 0,
        });
        while let Some(node) = nodes.pop() {
            self.header(task, &node);
            match node.node.kind() {
                AnyNode::Leaf(leaf) => self.leaf(task, &node, leaf, &mut leaves)?,
                AnyNode::Internode(internode) => {
                    nodes
                        .try_reserve(internode.len() + 1)
                        .map_err(|_| OutOfMemory)?;
                    self.internode(task, &node, internode, &mut nodes);
                }
            }
        }
        let after = leaves.last.and_then(Leaf::next);
        self.expect(task.depth, after.is_none(), "the last leaf has a next one");
        Ok(())
    }

    fn header(&mut self, task: &LayerTask<'g>, node: &NodeTask<'g>) {
        let depth = task.depth;
        let word = node.node.version();
        let version = word.load();
        self.expect(depth, !word.is_locked(), "a node is locked");
        self.expect(depth, version.is_clean(), "a node is dirty");
        self.expect(
            depth,
            !version.is_deleted(),
            "a deleted node can be reached",
        );
        let is_root = node.node == task.root;
        self.expect(
            depth,
            version.is_root() == is_root,
            "a root's mark is wrong",
        );
        // SAFETY: the word is null or refers to the parent of a reachable node.
        let parent = unsafe { NodeRef::load(node.node.parent_word()) };
        self.expect(depth, parent == node.parent, "a node's parent is wrong");
    }

    fn internode(
        &mut self,
        task: &LayerTask<'g>,
        node: &NodeTask<'g>,
        internode: &'g Internode,
        nodes: &mut Vector<NodeTask<'g>>,
    ) {
        let depth = task.depth;
        let len = internode.len();
        self.expect(
            depth,
            internode.padding_is_intact(),
            "unused words of an internode are wrong",
        );
        self.expect(
            depth,
            len > 0 || node.node != task.root,
            "the root of a layer has a single child",
        );
        let is_above = internode.child(0).height() == internode.level();
        self.expect(depth, is_above, "an internode's level is wrong");
        for index in (0..=len).rev() {
            let low = if index == 0 {
                node.low
            } else {
                internode.key(index - 1)
            };
            let high = if index == len {
                node.high
            } else {
                Some(internode.key(index))
            };
            let ordered = high.is_none_or(|high| low < high) && low >= node.low;
            self.expect(
                depth,
                ordered,
                "the keys of an internode are out of order or bounds",
            );
            nodes.push(NodeTask {
                node: internode.child(index),
                parent: Some(NodeRef::from(internode)),
                low,
                high,
                depth_in_layer: node.depth_in_layer + 1,
            });
        }
    }

    fn leaf(
        &mut self,
        task: &LayerTask<'g>,
        node: &NodeTask<'g>,
        leaf: &'g Leaf,
        leaves: &mut Leaves<'g>,
    ) -> Result<(), OutOfMemory> {
        let depth = task.depth;
        let level = *leaves.level.get_or_insert(node.depth_in_layer);
        self.expect(
            depth,
            node.depth_in_layer == level,
            "leaves are on different levels",
        );
        let same = |a: Option<&Leaf>, b: Option<&Leaf>| {
            a.map(std::ptr::from_ref) == b.map(std::ptr::from_ref)
        };
        self.expect(
            depth,
            same(leaf.prev(), leaves.last),
            "a leaf's previous one is wrong",
        );
        if let Some(last) = leaves.last {
            self.expect(
                depth,
                same(last.next(), Some(leaf)),
                "a leaf's next one is wrong",
            );
            self.expect(
                depth,
                leaf.low() == node.low,
                "a leaf's low is not its parent's boundary",
            );
        }
        leaves.last = Some(leaf);
        self.entries(task, node, leaf)
    }

    fn entries(
        &mut self,
        task: &LayerTask<'g>,
        node: &NodeTask<'g>,
        leaf: &'g Leaf,
    ) -> Result<(), OutOfMemory> {
        let depth = task.depth;
        self.permutation(depth, leaf, depth == 0 && node.node == task.root);
        let mut entries = Entries::new();
        let version = node.node.version().load();
        // The words of a dirty leaf may not belong together, so none of them is dereferenced.
        let Some(_) = (version.is_clean())
            .then(|| leaf.snapshot::<Portable>(version, &mut entries))
            .flatten()
        else {
            self.fault(depth, format_args!("a leaf changed during the check"));
            return Ok(());
        };
        self.order(depth, &entries.iter().collect::<ArrayVec<_, WIDTH>>());
        for (position, entry) in entries.iter().enumerate() {
            let inside = entry.slice >= node.low && node.high.is_none_or(|high| entry.slice < high);
            self.expect(depth, inside, "an entry is outside its leaf's bounds");
            self.expect(depth, entry.kind <= LAYER, "an entry has no valid kind");
            let padded = entry.kind >= 8 || entry.slice << (8 * u32::from(entry.kind)) == 0;
            self.expect(
                depth,
                padded,
                "a short key's slice is not padded with zeros",
            );
            let has_suffix = entry.kind != SUFFIX || !entry.suffix.is_empty();
            self.expect(depth, has_suffix, "a suffix is missing");
            self.expect(
                depth,
                leaf.is_marked(entries.slot(position), &entry),
                "an entry's mark is wrong",
            );
            match entry.layer() {
                Some(root) => {
                    self.seen.try_reserve(1).map_err(|_| OutOfMemory)?;
                    self.seen.push(Seen {
                        link: leaf,
                        above: task.number,
                        levels: own_levels(root).unwrap_or(0),
                        below: 0,
                    });
                    self.push_layer(LayerTask {
                        root,
                        link: Some(leaf),
                        depth: depth + 1,
                        number: Some(self.seen.len() - 1),
                    })?;
                }
                None => self.keys += 1,
            }
        }
        Ok(())
    }

    /// Checks that the levels below of every node are at least the height of each layer below it.
    fn levels(&mut self) {
        while let Some(layer) = self.seen.pop() {
            let levels = layer.levels + layer.below;
            if let Some(above) = layer.above {
                let above = &mut self.seen[above];
                above.below = above.below.max(levels);
            }
            let mut node = NodeRef::from(layer.link);
            // Ends: each round goes up one level, at most `MAX_HEIGHT` times, even if parents are
            // wrong.
            for _ in 0..=MAX_HEIGHT {
                let says = u32::from(node.levels_below());
                if says < levels.min(u8::MAX.into()) {
                    let (height, seen) = (node.height(), says);
                    self.fault(
                        0,
                        format_args!(
                            "a node of height {height} says {seen} levels are below, not {levels}"
                        ),
                    );
                }
                if node.version().load().is_root() {
                    break;
                }
                // SAFETY: null, or the node's parent.
                let Some(parent) = (unsafe { NodeRef::load(node.parent_word()) }) else {
                    break;
                };
                node = parent;
            }
        }
    }

    fn permutation(&mut self, depth: usize, leaf: &Leaf, may_be_empty: bool) {
        let permutation = leaf.permutation();
        self.expect(
            depth,
            permutation.is_valid(),
            "a permutation names a slot twice",
        );
        self.expect(
            depth,
            leaf.live_slots() == permutation.live_mask(),
            "a leaf's live slots are not those of its permutation",
        );
        self.expect(
            depth,
            may_be_empty || !permutation.is_empty(),
            "a leaf is empty",
        );
    }

    fn order(&mut self, depth: usize, entries: &[Entry<'g>]) {
        let sorted = entries.is_sorted_by(|a, b| key_of(a) < key_of(b));
        self.expect(depth, sorted, "the entries of a leaf are out of order");
        for same in entries.chunk_by(|a, b| a.slice == b.slice) {
            let group = same.iter().filter(|entry| entry.kind == SUFFIX).count();
            let links = same.iter().filter(|entry| entry.kind == LAYER).count();
            self.expect(depth, group <= GROUP_MAX, "too many keys share a slice");
            self.expect(
                depth,
                links == 0 || links == 1 && group == 0,
                "keys go on beside a layer that they belong to",
            );
        }
    }
}

/// The sort key of an entry.
fn key_of<'e>(entry: &'e Entry<'_>) -> (u64, u8, &'e [u8]) {
    order(entry.slice, entry.kind, &entry.suffix)
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::index::node::{Lockable, Locked};
    use crate::sync::Ordering;

    fn faults(tree: &Tree, pin: Pinned<'_>) -> String {
        let mut faults = String::new();
        let sound = tree.check(pin, &mut |line| faults.push_str(line));
        assert_eq!(sound, Ok(faults.is_empty()));
        faults
    }

    /// Put back: in `check`, do not compare the number found with the number counted.
    #[test]
    fn a_wrong_number_of_keys_is_a_fault() {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        tree.put(pin, b"key", 1).unwrap();
        assert_eq!(faults(&tree, pin), "");
        let AnyNode::Leaf(leaf) = tree.root(pin).kind() else {
            panic!("one leaf holds one key");
        };
        pin.count_keys(leaf, 2);
        let expected = "layer 0: 1 keys were found, 3 were counted\n";
        assert_eq!(faults(&tree, pin), expected);
        pin.count_keys(leaf, -2);
        assert_eq!(faults(&tree, pin), "");
    }

    /// A writer that never ended. Put back: read a leaf that is dirty.
    #[test]
    fn a_leaf_that_stays_dirty_is_a_fault_and_is_not_read() {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        let AnyNode::Leaf(leaf) = tree.root(pin).kind() else {
            panic!("an empty tree is a leaf");
        };
        let mut locked = Locked::lock(leaf);
        locked.mark_dirty();
        let faults_meanwhile = faults(&tree, pin);
        drop(locked);
        let expected = "layer 0: a node is locked\n\
                        layer 0: a node is dirty\n\
                        layer 0: a leaf changed during the check\n";
        assert_eq!(faults_meanwhile, expected);
        assert_eq!(faults(&tree, pin), "");
    }
    /// Put back: do not compare the levels below of nodes with the height of the layers below them.
    #[test]
    fn levels_that_a_node_hides_are_a_fault() {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        for n in 0..100_u64 {
            tree.put(pin, &n.to_be_bytes(), 0).unwrap();
            tree.put(pin, &[[0; 8], n.to_be_bytes()].concat(), 0)
                .unwrap();
        }
        assert_eq!(faults(&tree, pin), "");
        let mut node = tree.root(pin);
        let mut words = Vec::new();
        while let AnyNode::Internode(internode) = node.kind() {
            words.push(internode.below_word());
            node = internode.child(0);
        }
        let AnyNode::Leaf(leaf) = node.kind() else {
            unreachable!("the lowest node")
        };
        words.push(leaf.below_word());
        for (n, word) in words.iter().enumerate() {
            let levels = word.swap(0, Ordering::Relaxed);
            assert!(levels > 0);
            let height = words.len() - 1 - n;
            let line = format!("layer 0: a node of height {height} says 0 levels are below, not ");
            assert!(faults(&tree, pin).starts_with(&line));
            word.store(levels, Ordering::Relaxed);
        }
    }
}
