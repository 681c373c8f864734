//! What a tree consists of, in numbers.

use std::ffi::c_void;
use std::fmt::Write;

use super::inspect::{TextSink, WriteText};
use crate::ffi::boundary::{For, entry, on_tree, sized_output};
use crate::ffi::handle::GuardHandle;
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;
use crate::index::reclaim::Pinned;
use crate::index::tree::{Counters, SURVEYED_LAYERS, Survey, Tree};

/// Flag of masstree_stats and masstree_stats_json: visit every node (about 10 ms for a
/// million keys that are in the cache), and fill the fields below `nodes_visited` too.
pub const MASSTREE_STATS_NODES: u32 = 1;

/// How many depths of layers the statistics tell apart; what is deeper counts with the
/// last.
pub const MASSTREE_STATS_LAYERS: usize = 8;

const _: () = assert!(MASSTREE_STATS_LAYERS == SURVEYED_LAYERS);

/// What a tree consists of. Start from MASSTREE_STATS_INIT; struct_size works as in
/// masstree_options_t, and a library older than the header leaves fields that it does
/// not know 0.
///
/// All numbers are exact when no thread is writing, and recent approximations otherwise.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Stats {
    /// sizeof(masstree_stats_t); MASSTREE_STATS_INIT sets it.
    pub struct_size: usize,
    /// To be set by the caller: 0, or MASSTREE_STATS_NODES.
    pub flags: u32,
    /// Must be 0.
    pub reserved: u32,

    /// Keys.
    pub keys: u64,
    /// Bytes of nodes, those included that wait for guards.
    pub node_bytes: u64,
    /// Bytes of what keys have beyond their slices, kept beside the leaves.
    pub suffix_bytes: u64,
    /// Bytes of values that are byte strings.
    pub value_bytes: u64,
    /// Bytes that the pools of nodes and suffixes have from the allocator or the kernel;
    /// node_bytes and most of suffix_bytes of them are in use.
    pub pool_bytes: u64,
    /// Bytes in limbo: taken out of the tree, or retired by the caller, and not freed yet
    /// because a guard may protect them, or because they wait for company (see
    /// masstree_flush).
    pub limbo_bytes: u64,
    /// Objects in limbo. A tree that was cleared is one.
    pub limbo_objects: u64,
    /// Guards held, and scans under way without one. Other calls without a guard hold
    /// memory as well while they are under way, but are not counted: an update whose callback
    /// waits, say. If limbo stays large and this is 0, one of them does not return.
    pub guards: u64,
    /// Milliseconds since the oldest of them was entered or refreshed: large, and growing,
    /// if a guard was forgotten.
    pub oldest_guard_ms: u64,
    /// Leaves that were split, ever.
    pub splits: u64,
    /// Times an operation started over because a writer had moved what it looked for.
    pub restarts: u64,
    /// Layers made for keys that share 8 bytes more, ever.
    pub layers_made: u64,
    /// Layers that went with their last key, ever.
    pub layers_collapsed: u64,
    /// Leaves that went with their last key, ever, but for those that were all of a layer.
    pub leaves_unlinked: u64,
    /// Leaves that masstree_maintain merged with the one before, ever: what all its calls
    /// stored in *merged. (Writes that move keys into a layer may merge leaves, too; these
    /// are not counted.)
    pub leaves_merged: u64,

    /// Nodes that were visited: leaves and internodes. 0 without MASSTREE_STATS_NODES, and
    /// then all that follows is 0 too.
    pub nodes_visited: u64,
    /// Leaves: nodes of up to 15 entries.
    pub leaves: u64,
    /// Entries of leaves: keys, and links to layers.
    pub leaf_entries: u64,
    /// Internodes: nodes of up to 16 children.
    pub internodes: u64,
    /// Their children.
    pub internode_children: u64,
    /// Layers, the first included.
    pub layers: u64,
    /// Layers above the deepest.
    pub deepest_layer: u64,
    /// Levels of nodes in the highest layer.
    pub levels: u64,
    /// Leaves that masstree_maintain would merge with the one before; what it has to do.
    /// (What removes leave empty goes at once: nothing else is ever pending.)
    pub sparse_leaves: u64,
    /// Layers, by their depth: the first layer is at 0.
    pub layers_at: [u64; MASSTREE_STATS_LAYERS],
    /// Leaves, by the depth of their layer.
    pub leaves_at: [u64; MASSTREE_STATS_LAYERS],
    /// Internodes, by the depth of their layer.
    pub internodes_at: [u64; MASSTREE_STATS_LAYERS],
    /// Keys, by the depth of the layer they end in.
    pub keys_at: [u64; MASSTREE_STATS_LAYERS],
}

impl Stats {
    fn take(tree: &Tree, pin: Pinned<'_>, flags: u32) -> Result<Self, i32> {
        let mut stats = Self {
            flags,
            ..Self::default()
        };
        stats.count(&tree.counters());
        if flags & MASSTREE_STATS_NODES != 0 {
            let _counted = tree.count_call();
            stats.survey(&tree.survey(pin)?);
        }
        Ok(stats)
    }
}

/// Fills the statistics in and writes them as JSON, by name. rustc names a field that is in a
/// struct and not in the list below.
macro_rules! statistics {
    (
        counters: $($counter:ident)*;
        of_a_visit: $($visited:ident)*;
        by_layer: $($by_layer:ident = $of_layer:ident)*;
    ) => {
        impl Stats {
            fn count(&mut self, &Counters { $($counter),* }: &Counters) {
                $(self.$counter = $counter;)*
            }

            fn survey(&mut self, &Survey { by_layer, $($visited),* }: &Survey) {
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
        oldest_guard_ms splits restarts layers_made layers_collapsed leaves_unlinked leaves_merged;
    of_a_visit: leaves leaf_entries internodes internode_children layers deepest_layer levels
        sparse_leaves;
    by_layer: layers_at = layers leaves_at = leaves internodes_at = internodes keys_at = keys;
}

fn write_array(to: &mut dyn Write, numbers: &[u64]) -> std::fmt::Result {
    let mut separator = "[";
    for number in numbers {
        write!(to, "{separator}{number}")?;
        separator = ",";
    }
    to.write_str("]")
}

fn known(flags: u32) -> Result<u32, i32> {
    if flags & !MASSTREE_STATS_NODES == 0 {
        Ok(flags)
    } else {
        Err(MASSTREE_INVALID)
    }
}

/// Stores what a tree consists of.
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL to be pinned for this call.
/// @param stats  A struct started from MASSTREE_STATS_INIT; flags say what is wanted, and
///               all the rest is stored.
///
/// @retval MASSTREE_OK          *stats is filled in.
/// @retval MASSTREE_INVALID     tree or stats is NULL, a flag is unknown, or struct_size
///                              is smaller than any version of the struct.
/// @retval MASSTREE_NOMEM       Out of memory for the visit; *stats is unchanged.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_stats(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    stats: *mut Stats,
) -> i32 {
    entry(|| {
        if stats.is_null() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract; not NULL.
        unsafe {
            let output = sized_output(stats)?;
            let flags = known((*stats).flags)?;
            if (*stats).reserved != 0 {
                return Err(MASSTREE_INVALID);
            }
            let taken = on_tree(tree, guard, For::Any, |tree, pin| {
                Stats::take(tree, pin, flags)
            })?;
            let struct_size = output.size();
            output.write(Stats {
                struct_size,
                ..taken
            });
        }
        Ok(MASSTREE_OK)
    })
}

/// Writes what a tree consists of as a JSON object with the names of masstree_stats_t, all
/// numbers or arrays of numbers, on one line that ends with a newline.
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL to be pinned for this call.
/// @param flags  0, or MASSTREE_STATS_NODES.
/// @param write  Receives the text, in pieces.
/// @param ctx    Handed to write.
///
/// @retval MASSTREE_OK          Everything was written.
/// @retval MASSTREE_INVALID     tree or write is NULL, or a flag is unknown.
/// @retval MASSTREE_NOMEM       Out of memory for the visit; nothing was written.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
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
    entry(|| {
        let write = write.ok_or(MASSTREE_INVALID)?;
        let flags = known(flags)?;
        // SAFETY: as this function's contract.
        let stats = unsafe {
            on_tree(tree, guard, For::Any, |tree, pin| {
                Stats::take(tree, pin, flags)
            })
        }?;
        // SAFETY: the callback is called as its type says.
        let mut sink = unsafe { TextSink::new(write, ctx) };
        // A sink takes everything.
        let _ = stats.write_json(&mut sink);
        Ok(MASSTREE_OK)
    })
}
