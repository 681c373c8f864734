//! Descends for many short keys at once, in the order of the keys.
//!
//! **The pipeline.** A key passes through stages: the upper internodes; each of the two lowest
//! levels of internodes; its leaf. At the end of a stage the descent prefetches the node of the
//! next one, and the key waits until [`DISTANCE`] further blocks of keys have passed the same stage.
//! So the loads of as many keys as there are in all stages overlap, without a branch that depends on
//! where one of them is: all leaves of a layer are at the same depth, which the level of its root
//! says. The keys reach their leaves in their order.
//!
//! **Protocol.** That of `descend`, with other keys between its steps: take the stable version of
//! the current node; then validate the node above it, from which it was reached
//! (`PipelineParentIsValidated`); then search the current node. A root is loaded, with its
//! version, for each [`BLOCK`] of keys: it must be living (`PipelineRootIsLiving`), and the same
//! as for the keys before; otherwise the keys under way end, and the next keys begin at the new
//! root, whose level may be another. If a node has changed, the descent is given up: its key
//! arrives nowhere, in its turn, and the caller looks it up by itself.
//!
//! The version of a node is loaded when its stage begins, so a key that arrives has reached its
//! leaf at a version that was current a moment ago. Writes that the caller makes as earlier keys
//! arrive make a later descent fail only if they change an internode on its path: by splitting or
//! deleting a leaf, or by changing internodes above.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::descend::Reached;
use crate::index::key::{Key, Kind, SLICE_LEN};
use crate::index::node::{AnyNode, Internode, Lockable, NodeRef, Search, Version};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::protocol::Line;
use crate::sync::perturb;

/// Keys that pass a stage one directly after the other. In a batch of 64, a key takes 264 instructions
/// with blocks of 16, 281 with 8, 326 with 4. Models have small blocks, so that few keys suffice.
const BLOCK: usize = if cfg!(shuttle) { 4 } else { 16 };
/// How many blocks wait in each stage: 32 keys.
const DISTANCE: usize = 32 / BLOCK;
/// The stages of the lowest levels of internodes.
const LOW_STAGES: usize = 2;
/// The blocks for which there is room: one in the first stage, and those that wait.
const BLOCKS: usize = ((LOW_STAGES + 1) * DISTANCE + 1).next_power_of_two();

/// A key that ends within its first slice.
#[derive(Clone, Copy)]
pub(crate) struct ShortKey {
    slice: u64,
    kind: Kind,
}

impl ShortKey {
    /// The eight-byte key that encodes `number`, most significant byte first.
    #[inline]
    pub(crate) fn of_integer(number: u64) -> Self {
        Self {
            slice: number,
            kind: SLICE_LEN as Kind,
        }
    }

    /// A key of at most eight bytes.
    #[inline]
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        let key = Key::new(bytes);
        debug_assert!(!key.has_suffix());
        Self {
            slice: key.slice(),
            kind: key.kind(),
        }
    }

    #[inline]
    pub(in crate::index::tree) fn key(self) -> Key<'static> {
        // SAFETY: the kind of a key that ends within its slice.
        unsafe { std::hint::assert_unchecked(usize::from(self.kind) <= SLICE_LEN) };
        Key::short(self.slice, self.kind)
    }

    /// Calls `with` with the bytes of the key.
    #[inline]
    pub(in crate::index::tree) fn with_bytes<R>(self, with: impl FnOnce(&[u8]) -> R) -> R {
        let bytes = self.slice.to_be_bytes();
        with(&bytes[..usize::from(self.kind).min(SLICE_LEN)])
    }
}

/// Where a key has arrived.
#[derive(Clone, Copy)]
pub(in crate::index::tree) struct Arrival<'g> {
    pub(in crate::index::tree) key: ShortKey,
    /// The root from which the leaf was reached.
    pub(in crate::index::tree) root: NodeRef<'g>,
    /// The leaf; `None` if the descent was given up.
    pub(in crate::index::tree) reached: Option<Reached<'g>>,
}

/// A descent under way.
struct Lane<'g> {
    key: ShortKey,
    /// The internode from which `node` was reached, and its version at that time; [`Version::NONE`],
    /// which never validates, once the descent is given up.
    above: &'g Internode,
    version: Version,
    /// The node to search next; its lines are prefetched.
    node: NodeRef<'g>,
}

impl<'g> Lane<'g> {
    /// Loads the version of the current node, and then validates the node above it.
    #[inline]
    fn enter(&self) -> Option<Version> {
        let version = self.node.version().stable();
        perturb();
        let is_valid = self.above.version().validate(self.version)
            || !Line::PipelineParentIsValidated.is_enabled();
        is_valid.then_some(version)
    }

    /// Descends by one level of internodes, or gives the descent up.
    ///
    /// # Safety
    /// If `above` still has `version`, the node is an internode.
    #[inline]
    unsafe fn step<S: Search>(&mut self) {
        let Some(version) = self.enter() else {
            self.version = Version::NONE;
            return;
        };
        // SAFETY: by contract, since `above` was validated.
        let internode = unsafe { self.node.internode() };
        self.above = internode;
        self.version = version;
        self.node = internode.child_for::<S>(self.key.slice);
    }

    /// Reaches the leaf.
    ///
    /// # Safety
    /// If `above` still has `version`, the node is a leaf.
    #[inline]
    unsafe fn reach(&self) -> Option<Reached<'g>> {
        let version = self.enter()?;
        Some(Reached {
            // SAFETY: by contract, since `above` was validated.
            leaf: unsafe { self.node.leaf() },
            version,
            parent: Some(self.above),
        })
    }

    #[inline]
    fn prefetch<const WRITE: bool>(&self, is_leaf: bool) {
        if WRITE && is_leaf {
            self.node.prefetch_for_write();
        } else {
            self.node.prefetch();
        }
    }
}

/// Begins a block of keys: searches the root and the internodes above the last [`LOW_STAGES`] levels,
/// and prefetches the next node of each key. `below`: the levels of internodes below the root.
///
/// # Safety
/// `below` is the root's level.
#[inline]
unsafe fn begin<'g, S: Search, const WRITE: bool>(
    lanes: &mut [MaybeUninit<Lane<'g>>; BLOCK],
    indices: Range<usize>,
    key_at: &impl Fn(usize) -> ShortKey,
    root: Root<'g>,
    below: usize,
) {
    for (lane, index) in lanes.iter_mut().zip(indices) {
        let key = key_at(index);
        let lane = lane.write(Lane {
            key,
            above: root.internode,
            version: root.version,
            node: root.internode.child_for::<S>(key.slice),
        });
        for _ in LOW_STAGES..below {
            // SAFETY: by contract.
            unsafe { lane.step::<S>() };
        }
        lane.prefetch::<WRITE>(below == 0);
    }
}

/// Passes a block of keys through a stage of internodes. `is_lowest`: their children are leaves. A
/// function of its own, so that the loop has all registers.
///
/// # Safety
/// The nodes of the lanes are internodes, if the nodes above them are unchanged.
#[inline(never)]
unsafe fn pass<S: Search, const WRITE: bool>(lanes: &mut [Lane<'_>], is_lowest: bool) {
    for lane in lanes {
        // SAFETY: by contract.
        unsafe { lane.step::<S>() };
        lane.prefetch::<WRITE>(is_lowest);
    }
}

/// The keys in all stages.
struct Lanes<'g>([[MaybeUninit<Lane<'g>>; BLOCK]; BLOCKS]);

impl<'g> Lanes<'g> {
    /// The lanes of a block.
    #[inline]
    fn of(&mut self, block: usize) -> &mut [MaybeUninit<Lane<'g>>; BLOCK] {
        &mut self.0[block % BLOCKS]
    }

    /// The lanes of the first `len` keys of a block.
    ///
    /// # Safety
    /// These keys have begun.
    #[inline]
    unsafe fn begun(&mut self, block: usize, len: usize) -> &mut [Lane<'g>] {
        let lanes = self.of(block);
        debug_assert!(len <= BLOCK);
        // SAFETY: a lane is initialized when its key begins.
        unsafe { std::slice::from_raw_parts_mut(lanes.as_mut_ptr().cast(), len) }
    }
}

/// The root from which keys begin.
#[derive(Clone, Copy)]
struct Root<'g> {
    internode: &'g Internode,
    version: Version,
}

impl Tree {
    /// Calls `arrive` for each of `count` keys, in order, with its index and the leaf that holds its
    /// slice, or `None`. `skip` is called for the first key of each block: if it returns true, that key
    /// arrives without a leaf, and the next block begins with the key after it.
    ///
    /// With `WRITE`, prefetches all lines of a leaf, for writing.
    #[inline]
    pub(in crate::index::tree) fn descend_short<'g, S: Search, const WRITE: bool>(
        &self,
        pin: Pinned<'g>,
        count: usize,
        key_at: &impl Fn(usize) -> ShortKey,
        skip: &impl Fn(NodeRef<'g>, u64) -> bool,
        mut arrive: impl FnMut(usize, Arrival<'g>),
    ) {
        let mut next = 0;
        // Ends: each round, at least one key arrives.
        while next < count {
            let root = self.root(pin);
            let key = key_at(next);
            let version = root.version().stable();
            let is_living = version.is_living_root() || !Line::PipelineRootIsLiving.is_enabled();
            let reached = match root.kind_at(version) {
                _ if skip(root, key.slice) || !is_living => None,
                AnyNode::Leaf(leaf) => Some(Reached {
                    leaf,
                    version,
                    parent: None,
                }),
                AnyNode::Internode(internode) => {
                    let root = Root { internode, version };
                    next = self.pipeline::<S, WRITE>(
                        pin,
                        root,
                        next..count,
                        key_at,
                        skip,
                        &mut arrive,
                    );
                    continue;
                }
            };
            arrive(next, Arrival { key, root, reached });
            next += 1;
        }
    }

    /// Returns the version of the root, if it is still this node.
    #[inline]
    fn version_of_root(&self, pin: Pinned<'_>, root: &Internode) -> Option<Version> {
        let node = NodeRef::from(root);
        if self.root(pin) != node {
            return None;
        }
        let version = node.version().stable();
        let is_living = version.is_living_root() || !Line::PipelineRootIsLiving.is_enabled();
        is_living.then_some(version)
    }

    /// Passes keys through the stages, until the tree has another root, or a block begins with a
    /// key to skip. Returns the index of the first key that has not begun. Longer than 60 lines, since
    /// all stages use the same counters.
    #[inline]
    fn pipeline<'g, S: Search, const WRITE: bool>(
        &self,
        pin: Pinned<'g>,
        root: Root<'g>,
        keys: Range<usize>,
        key_at: &impl Fn(usize) -> ShortKey,
        skip: &impl Fn(NodeRef<'g>, u64) -> bool,
        arrive: &mut impl FnMut(usize, Arrival<'g>),
    ) -> usize {
        let Root { internode, version } = root;
        let root = NodeRef::from(internode);
        // The levels of internodes below the root.
        let below = usize::from(internode.level());
        let low = below.min(LOW_STAGES);
        let distance = keys.len().div_ceil(BLOCK).min(DISTANCE);
        let mut end = keys.end;
        let mut lanes = Lanes([const { [const { MaybeUninit::uninit() }; BLOCK] }; BLOCKS]);
        let mut version = Some(version);
        let mut turn = 0;
        // Ends: after the last block has begun, each round brings another block to its leaves.
        loop {
            let start = keys.start + turn * BLOCK;
            if start < end {
                if turn != 0 {
                    version = self.version_of_root(pin, internode);
                    if skip(root, key_at(start).slice) {
                        version = None;
                    }
                }
                match version {
                    None => end = start,
                    Some(version) => {
                        let indices = start..end.min(start + BLOCK);
                        let root = Root { internode, version };
                        // SAFETY: loaded from this root, whose level never changes.
                        unsafe {
                            begin::<S, WRITE>(lanes.of(turn), indices, key_at, root, below);
                        }
                    }
                }
            }
            // The number of keys of a block.
            let len = |block: usize| end.saturating_sub(keys.start + block * BLOCK).min(BLOCK);
            for stage in 1..=low {
                if let Some(block) = turn.checked_sub(stage * distance) {
                    // SAFETY: the block began that many turns ago, its lanes are not reused before
                    // `BLOCKS` turns, and it has passed all stages before this one.
                    unsafe {
                        pass::<S, WRITE>(lanes.begun(block, len(block)), stage == low);
                    }
                }
            }
            if let Some(block) = turn.checked_sub((low + 1) * distance) {
                let len = len(block);
                let mut index = keys.start + block * BLOCK;
                // SAFETY: as above.
                for lane in unsafe { lanes.begun(block, len) } {
                    let arrival = Arrival {
                        key: lane.key,
                        root,
                        // SAFETY: the key has passed all levels of internodes.
                        reached: unsafe { lane.reach() },
                    };
                    arrive(index, arrival);
                    index += 1;
                }
                if index >= end {
                    return end;
                }
            }
            turn += 1;
        }
    }
}
