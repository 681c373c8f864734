//! Statistics of a tree.

use std::ffi::c_void;
use std::fmt::Write;

use super::inspect::{TextSink, WriteText};
use crate::ffi::boundary::{ValueKind, on_tree, sized_output, status_of};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::reclaim::Pinned;
use crate::index::tree::{Counters, SURVEYED_LAYERS, Survey, Tree};

/// Flag of masstree_stats and masstree_stats_json: visit every node (about 10 ms for a million
/// keys that are in the cache), and also fill the fields from `nodes_visited` on.
pub const MASSTREE_STATS_NODES: u32 = 1;

/// Number of layer depths that the statistics distinguish; deeper layers count for the last.
pub const MASSTREE_STATS_LAYERS: usize = 8;

const _: () = assert!(MASSTREE_STATS_LAYERS == SURVEYED_LAYERS);

/// Statistics of a tree. Start from MASSTREE_STATS_INIT; struct_size works as in
/// masstree_options_t, and a library older than the header sets fields that it does not know to
/// 0.
///
/// All numbers are exact when no thread is writing, and recent approximations otherwise.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Stats {
    /// sizeof(masstree_stats_t); MASSTREE_STATS_INIT sets it.
    pub struct_size: usize,
    /// Input: 0, or MASSTREE_STATS_NODES.
    pub flags: u32,
    /// Must be 0.
    pub reserved: u32,

    /// Number of keys.
    pub keys: u64,
    /// Bytes of nodes, including those that wait for guards.
    pub node_bytes: u64,
    /// Bytes of suffixes: the remaining bytes of keys beyond their slices, stored outside of
    /// the leaves.
    pub suffix_bytes: u64,
    /// Bytes of values that are byte strings.
    pub value_bytes: u64,
    /// Bytes that the pools of nodes and suffixes have obtained from the allocator or the
    /// kernel; node_bytes and most of suffix_bytes of them are in use.
    pub pool_bytes: u64,
    /// Bytes in limbo: unlinked from the tree, or retired by the caller, but not yet freed,
    /// because a guard may protect them or because their batch is not full (see
    /// masstree_flush).
    pub limbo_bytes: u64,
    /// Objects in limbo. A cleared tree counts as one object, and so do the leaves that
    /// masstree_remove_range has deleted together, with their values.
    pub limbo_objects: u64,
    /// Guards held, and running scans without a guard. Other running calls without a guard also
    /// keep memory in limbo but are not counted, such as an update whose callback waits. If
    /// limbo stays large and this is 0, such a call does not return.
    pub guards: u64,
    /// Milliseconds since the oldest of these guards and scans was entered or refreshed: large
    /// and growing if the program has forgotten to leave a guard.
    pub oldest_guard_ms: u64,
    /// Splits of leaves since the tree was created.
    pub splits: u64,
    /// Times that an operation started over because a writer had moved the key that it was
    /// looking for.
    pub restarts: u64,
    /// Layers created, for keys that share 8 more bytes, since the tree was created.
    pub layers_created: u64,
    /// Layers removed with their last key since the tree was created.
    pub layers_collapsed: u64,
    /// Leaves removed with their last key since the tree was created, except for those that
    /// were the only node of a layer.
    pub leaves_unlinked: u64,
    /// Leaves that masstree_maintain and masstree_compact have merged with their left neighbour
    /// since the tree was created: the sum of what their calls stored in *merged. (Writes that move keys into a
    /// layer may merge leaves, too; these are not counted.)
    pub leaves_merged: u64,

    /// Nodes that were visited: leaves and internodes. Without MASSTREE_STATS_NODES, this and
    /// all following fields are 0.
    pub nodes_visited: u64,
    /// Leaves: nodes of up to 15 entries.
    pub leaves: u64,
    /// Entries of leaves: keys, and links to layers.
    pub leaf_entries: u64,
    /// Internodes: nodes of up to 16 children.
    pub internodes: u64,
    /// Children of all internodes.
    pub internode_children: u64,
    /// Layers, including the first.
    pub layers: u64,
    /// Depth of the deepest layer; the first layer has depth 0.
    pub deepest_layer: u64,
    /// Levels of nodes in the tallest layer.
    pub levels: u64,
    /// Leaves that masstree_maintain would merge with their left neighbour. (Empty leaves are
    /// freed by the remove that empties them: no other work is ever pending.)
    pub sparse_leaves: u64,
    /// Layers, by depth; the first layer has depth 0.
    pub layers_at: [u64; MASSTREE_STATS_LAYERS],
    /// Leaves, by the depth of their layer.
    pub leaves_at: [u64; MASSTREE_STATS_LAYERS],
    /// Internodes, by the depth of their layer.
    pub internodes_at: [u64; MASSTREE_STATS_LAYERS],
    /// Keys, by the depth of the layer in which they end.
    pub keys_at: [u64; MASSTREE_STATS_LAYERS],
}

impl Stats {
    fn collect(tree: &Tree, pin: Pinned<'_>, flags: u32) -> Result<Self, i32> {
        let mut stats = Self {
            flags,
            ..Self::default()
        };
        stats.set_counters(&tree.counters());
        if flags & MASSTREE_STATS_NODES != 0 {
            let _counted = tree.count_call();
            stats.set_survey(&tree.survey(pin)?);
        }
        Ok(stats)
    }
}

/// Defines how statistics are filled in and written as JSON, by name. rustc reports a field of
/// the structs that is missing in the list below.
macro_rules! statistics {
    (
        counters: $($counter:ident)*;
        surveyed: $($visited:ident)*;
        by_layer: $($by_layer:ident = $of_layer:ident)*;
    ) => {
        impl Stats {
            fn set_counters(&mut self, &Counters { $($counter),* }: &Counters) {
                $(self.$counter = $counter;)*
            }

            fn set_survey(&mut self, &Survey { by_layer, $($visited),* }: &Survey) {
                $(self.$visited = $visited;)*
                self.nodes_visited = self.leaves + self.internodes;
                $(self.$by_layer = by_layer.map(|layer| layer.$of_layer);)*
            }

            fn write_json(&self, to: &mut dyn Write) -> std::fmt::Result {
                let &Self {
                    struct_size: _, flags, reserved: _, nodes_visited,
                    $($counter,)* $($visited,)* $($by_layer,)*
                } = self;
                let mut separator = "{";
                $(
                    write!(to, "{separator}\"{}\":{}", stringify!($counter), $counter)?;
                    separator = ",";
                )*
                if flags & MASSTREE_STATS_NODES != 0 {
                    write!(to, "{separator}\"nodes_visited\":{nodes_visited}")?;
                    $(write!(to, ",\"{}\":{}", stringify!($visited), $visited)?;)*
                    $(
                        write!(to, ",\"{}\":", stringify!($by_layer))?;
                        write_array(to, &$by_layer)?;
                    )*
                }
                to.write_str("}\n")
            }
        }
    };
}

statistics! {
    counters: keys node_bytes suffix_bytes value_bytes pool_bytes limbo_bytes limbo_objects guards
        oldest_guard_ms splits restarts layers_created layers_collapsed leaves_unlinked
        leaves_merged;
    surveyed: leaves leaf_entries internodes internode_children layers deepest_layer levels
        sparse_leaves;
    by_layer: layers_at = layers leaves_at = leaves internodes_at = internodes keys_at = keys;
}

pub(in crate::ffi) fn write_array(to: &mut dyn Write, numbers: &[u64]) -> std::fmt::Result {
    let mut separator = "[";
    for number in numbers {
        write!(to, "{separator}{number}")?;
        separator = ",";
    }
    to.write_str("]")
}

fn checked_flags(flags: u32) -> Result<u32, i32> {
    if flags & !MASSTREE_STATS_NODES == 0 {
        Ok(flags)
    } else {
        Err(MASSTREE_INVALID)
    }
}

/// Collects the statistics of a tree.
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
/// @param stats  A struct that was initialised with MASSTREE_STATS_INIT; set flags before the
///               call. Receives the statistics.
///
/// @retval MASSTREE_OK          *stats is filled in.
/// @retval MASSTREE_INVALID     tree or stats is NULL, a flag is unknown, or struct_size
///                              is smaller than any version of the struct.
/// @retval MASSTREE_NOMEM       Out of memory for the walk; *stats is unchanged.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_stats(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    stats: *mut Stats,
) -> i32 {
    status_of(|| {
        if stats.is_null() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract; not NULL.
        unsafe {
            let output = sized_output(stats)?;
            let flags = checked_flags((*stats).flags)?;
            if (*stats).reserved != 0 {
                return Err(MASSTREE_INVALID);
            }
            let collected = on_tree(tree, guard, ValueKind::Any, |tree, pin| {
                Stats::collect(tree, pin, flags)
            })?;
            let struct_size = output.size();
            output.write(Stats {
                struct_size,
                ..collected
            });
        }
        Ok(MASSTREE_OK)
    })
}

/// Writes the statistics of a tree as a JSON object with the names of the fields of
/// masstree_stats_t, all of them numbers or arrays of numbers, on one line that ends with a
/// newline.
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
/// @param flags  0, or MASSTREE_STATS_NODES.
/// @param write  Called with the text, in pieces.
/// @param ctx    Passed to write.
///
/// @retval MASSTREE_OK          Everything was written.
/// @retval MASSTREE_INVALID     tree or write is NULL, or a flag is unknown.
/// @retval MASSTREE_NOMEM       Out of memory for the walk; nothing was written.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_stats_json(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    flags: u32,
    write: WriteText,
    ctx: *mut c_void,
) -> i32 {
    status_of(|| {
        let write = write.ok_or(MASSTREE_INVALID)?;
        let flags = checked_flags(flags)?;
        // SAFETY: as this function's contract.
        let stats = unsafe {
            on_tree(tree, guard, ValueKind::Any, |tree, pin| {
                Stats::collect(tree, pin, flags)
            })
        }?;
        // SAFETY: the callback is called as its type says.
        let mut sink = unsafe { TextSink::new(write, ctx) };
        // Writing to a sink cannot fail.
        let _ = stats.write_json(&mut sink);
        Ok(MASSTREE_OK)
    })
}
