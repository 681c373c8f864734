//! Counts the nodes, layers and entries of a tree.

use super::nodes::Content;
use crate::index::memory::Count;
use crate::index::memory::OutOfMemory;
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::write::merge::MOST_MERGED;

/// Number of layer depths that are counted separately; deeper layers count for the last of these.
pub const SURVEYED_LAYERS: usize = 8;

/// The counts of a visit to all nodes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Survey {
    /// Leaves.
    pub leaves: u64,
    /// Internodes.
    pub internodes: u64,
    /// Layers, the first included.
    pub layers: u64,
    /// Entries of leaves: keys and links to layers. A leaf has room for 15.
    pub leaf_entries: u64,
    /// Children of internodes. An internode has room for 16.
    pub internode_children: u64,
    /// Number of layers above the deepest.
    pub deepest_layer: u64,
    /// Levels of the highest layer, its leaves included.
    pub levels: u64,
    /// Leaves that `maintain` would merge with the leaf before.
    pub sparse_leaves: u64,
    /// Counts for each depth of layers.
    pub by_layer: [LayerCounts; SURVEYED_LAYERS],
}

/// The counts for all layers of one depth.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct LayerCounts {
    /// Layers.
    pub layers: u64,
    /// Internodes.
    pub internodes: u64,
    /// Leaves.
    pub leaves: u64,
    /// Keys whose entry is in these layers.
    pub keys: u64,
}

/// Counters that every operation updates, so that reading them needs no visit to the nodes. Exact
/// when no thread is writing.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counters {
    /// Keys.
    pub keys: u64,
    /// Bytes of nodes.
    pub node_bytes: u64,
    /// Bytes of suffixes.
    pub suffix_bytes: u64,
    /// Bytes of byte-string values.
    pub value_bytes: u64,
    /// Bytes that the node pool has taken from the allocator.
    pub pool_bytes: u64,
    /// Bytes in limbo: retired but not yet freed.
    pub limbo_bytes: u64,
    /// Objects in limbo.
    pub limbo_objects: u64,
    /// Guards held now.
    pub guards: u64,
    /// Milliseconds since the oldest guard was entered or refreshed.
    pub oldest_guard_ms: u64,
    /// Leaves that were split.
    pub splits: u64,
    /// Operations that started over.
    pub restarts: u64,
    /// Layers created.
    pub layers_created: u64,
    /// Layers removed with their last key.
    pub layers_collapsed: u64,
    /// Leaves unlinked with their last key.
    pub leaves_unlinked: u64,
    /// Leaves that sweeps merged.
    pub leaves_merged: u64,
}

impl Tree {
    /// Returns the tree's counters.
    pub fn counters(&self) -> Counters {
        let domain = self.domain();
        let sum = |count| domain.memory.tally().sum(count);
        let held = domain.held_guards();
        Counters {
            keys: domain.keys(),
            node_bytes: sum(Count::NodeBytes),
            suffix_bytes: sum(Count::SuffixBytes),
            value_bytes: sum(Count::ValueBytes),
            pool_bytes: domain.memory.pool_bytes(),
            limbo_bytes: sum(Count::LimboBytes),
            limbo_objects: sum(Count::LimboObjects),
            guards: held.guards,
            oldest_guard_ms: held.oldest_ms,
            splits: sum(Count::Splits),
            restarts: sum(Count::Restarts),
            layers_created: sum(Count::LayersCreated),
            layers_collapsed: sum(Count::LayersCollapsed),
            leaves_unlinked: sum(Count::LeavesUnlinked),
            leaves_merged: sum(Count::LeavesMerged),
        }
    }

    /// Counts all nodes; exact when no thread is writing.
    pub fn survey(&self, pin: Pinned<'_>) -> Result<Survey, OutOfMemory> {
        self.admit(pin, &[]);
        let mut survey = Survey::default();
        self.visit_nodes(pin, &mut |node| {
            let layer_counts = &mut survey.by_layer[node.layer.min(SURVEYED_LAYERS - 1)];
            if node.depth_in_layer == 0 {
                survey.layers += 1;
                layer_counts.layers += 1;
            }
            survey.deepest_layer = survey.deepest_layer.max(node.layer as u64);
            survey.levels = survey.levels.max(node.depth_in_layer as u64 + 1);
            match node.content {
                Content::Internode(keys) => {
                    survey.internodes += 1;
                    survey.internode_children += keys.len() as u64 + 1;
                    layer_counts.internodes += 1;
                }
                Content::Leaf(leaf, entries) => {
                    survey.leaves += 1;
                    survey.leaf_entries += entries.len() as u64;
                    layer_counts.leaves += 1;
                    let keys = entries.iter().filter(|entry| entry.layer().is_none());
                    layer_counts.keys += keys.count() as u64;
                    let before = leaf.prev().map(|prev| prev.permutation().len());
                    if before.is_some_and(|before| before + entries.len() <= MOST_MERGED) {
                        survey.sparse_leaves += 1;
                    }
                }
            }
        })?;
        Ok(survey)
    }
}

#[cfg(all(test, not(any(loom, shuttle, masstree_perturb))))]
mod tests {
    use super::*;

    /// Put back: in `visit_nodes`, do not visit the layers below a leaf.
    #[test]
    fn a_survey_counts_what_was_put() {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        for i in 0..1500_u64 {
            tree.put(pin, &i.to_be_bytes(), i).unwrap();
        }
        for i in 0..1500_u64 {
            let key = [&b"a layer!"[..], &i.to_be_bytes()].concat();
            tree.put(pin, &key, i).unwrap();
        }
        let survey = tree.survey(pin).unwrap();
        assert_eq!(survey.layers, 2);
        assert_eq!(survey.deepest_layer, 1);
        assert_eq!(survey.leaf_entries, 2 * 1500 + 1);
        let [first, second, ..] = survey.by_layer;
        assert_eq!((first.keys, second.keys), (1500, 1500));
        assert_eq!((first.layers, second.layers), (1, 1));
        assert_eq!(first.leaves + second.leaves, survey.leaves);
        assert_eq!(first.internodes + second.internodes, survey.internodes);
        assert_eq!(
            survey.internode_children + survey.layers,
            survey.leaves + survey.internodes
        );
        // Ascending keys produce full leaves.
        assert_eq!(second.leaves, 100);
        assert_eq!(survey.levels, 3);
        let counters = tree.counters();
        assert_eq!(counters.keys, 3000);
        assert_eq!(counters.layers_created, 1);
        assert_eq!(counters.guards, 1);
        assert!(counters.splits >= survey.leaves - 2);
        assert_eq!(
            counters.node_bytes,
            320 * (survey.leaves + survey.internodes)
        );
    }

    /// Put back: in `survey`, count a leaf as sparse by its own entries only.
    #[test]
    fn sparse_leaves_are_those_that_maintain_merges() {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        for i in 0..3000_u64 {
            tree.put(pin, &i.to_be_bytes(), i).unwrap();
        }
        assert_eq!(tree.survey(pin).unwrap().sparse_leaves, 0);
        for i in (0..3000_u64).filter(|i| i % 5 != 0) {
            tree.remove(pin, &i.to_be_bytes());
        }
        let before = tree.survey(pin).unwrap();
        assert!(before.sparse_leaves > 150, "{before:?}");
        let swept = tree.maintain(pin, usize::MAX).unwrap();
        assert!(swept.ended && swept.merged > 100, "{swept:?}");
        let after = tree.survey(pin).unwrap();
        assert_eq!(after.leaves + swept.merged as u64, before.leaves);
        assert_eq!(after.sparse_leaves, 0);
        assert_eq!(tree.check(pin, &mut |line| panic!("{line}")), Ok(true));
        for i in 0..3000_u64 {
            let expected = (i % 5 == 0).then_some(i);
            assert_eq!(tree.get(pin, &i.to_be_bytes()), expected);
        }
    }
}
