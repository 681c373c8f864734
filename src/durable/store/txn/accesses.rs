//! The keys that a transaction has read or written, in the order of trees and keys.
//!
//! They are in blocks of at most [`MOST`], so that an insert moves few of them. No block is empty.

use std::cmp::Ordering;

use super::arena::Kept;
use crate::durable::store::StoreTree;
use crate::index::memory::{OutOfMemory, Source, Vector};

/// The most accesses of a block.
const MOST: usize = if cfg!(test) { 4 } else { 64 };

/// What a transaction has made of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// As it was at the snapshot.
    Before,
    Value(Kept),
    Absent,
}

/// A key that a transaction has read or written. The arena keeps its bytes.
#[derive(Clone, Copy)]
pub(super) struct Access<'s> {
    pub(super) tree: &'s StoreTree,
    pub(super) key: Kept,
    /// The commit depends on what it is.
    pub(super) is_read: bool,
    pub(super) state: State,
}

/// The memory of an access.
pub(super) const SIZE: usize = size_of::<Access<'static>>();

impl Access<'_> {
    /// # Safety
    /// The transaction that owns the access does not end during `'k`.
    pub(super) unsafe fn key<'k>(&self) -> &'k [u8] {
        // SAFETY: by contract.
        unsafe { self.key.get() }
    }

    pub(super) fn is_written(&self) -> bool {
        self.state != State::Before
    }

    fn compare(&self, tree: &StoreTree, key: &[u8]) -> Ordering {
        // SAFETY: accesses are cleared before their arena.
        let own = unsafe { self.key() };
        (self.tree.number(), own).cmp(&(tree.number(), key))
    }
}

/// Where an access is, or is to be inserted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Position {
    block: usize,
    index: usize,
}

pub(super) struct Accesses<'s> {
    source: Source,
    blocks: Vector<Vector<Access<'s>>>,
}

impl<'s> Accesses<'s> {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            blocks: Vector::new_in(source),
        }
    }

    pub(super) fn clear(&mut self) {
        self.blocks.clear();
    }

    /// Finds the access of a key, or where it is to be inserted.
    pub(super) fn find(&self, tree: &StoreTree, key: &[u8]) -> Result<Position, Position> {
        let is_before = |of: &Vector<Access<'_>>| of[0].compare(tree, key).is_le();
        let block = self.blocks.partition_point(is_before).saturating_sub(1);
        let Some(of) = self.blocks.get(block) else {
            return Err(Position { block, index: 0 });
        };
        match of.binary_search_by(|access| access.compare(tree, key)) {
            Ok(index) => Ok(Position { block, index }),
            Err(index) => Err(Position { block, index }),
        }
    }

    /// Inserts an access that neither reads nor writes its key, at a position that `find` has returned for it;
    /// returns where it is.
    pub(super) fn insert(
        &mut self,
        at: Position,
        tree: &'s StoreTree,
        key: Kept,
    ) -> Result<Position, OutOfMemory> {
        let at = self.make_room(at)?;
        let access = Access {
            tree,
            key,
            is_read: false,
            state: State::Before,
        };
        self.blocks[at.block].insert(at.index, access);
        Ok(at)
    }

    /// Makes room for an access at a position; returns where that is afterwards.
    fn make_room(&mut self, at: Position) -> Result<Position, OutOfMemory> {
        let Some(block) = self.blocks.get_mut(at.block) else {
            let new = self.new_block()?;
            self.blocks.push(new);
            return Ok(at);
        };
        if block.len() < MOST {
            block.try_reserve(1).map_err(|_| OutOfMemory)?;
            return Ok(at);
        }
        // Keys that come in ascending order fill their blocks.
        let is_last = at.block + 1 == self.blocks.len() && at.index == MOST;
        let kept = if is_last { MOST - 1 } else { MOST / 2 };
        let mut new = self.new_block()?;
        new.extend(self.blocks[at.block].drain(kept..));
        self.blocks.insert(at.block + 1, new);
        Ok(match at.index > kept {
            true => Position {
                block: at.block + 1,
                index: at.index - kept,
            },
            false => at,
        })
    }

    /// Returns an empty block, and reserves room in the list of blocks.
    fn new_block(&mut self) -> Result<Vector<Access<'s>>, OutOfMemory> {
        self.blocks.try_reserve(1).map_err(|_| OutOfMemory)?;
        let mut new = Vector::new_in(self.source);
        new.try_reserve_exact(MOST).map_err(|_| OutOfMemory)?;
        Ok(new)
    }

    pub(super) fn get(&self, at: Position) -> &Access<'s> {
        &self.blocks[at.block][at.index]
    }

    pub(super) fn get_mut(&mut self, at: Position) -> &mut Access<'s> {
        &mut self.blocks[at.block][at.index]
    }

    /// The position of the first access for which `is_before` is false; it is true for all those before.
    pub(super) fn partition_point(&self, is_before: impl Fn(&Access<'s>) -> bool) -> Position {
        let blocks = self.blocks.partition_point(|block| is_before(&block[0]));
        let block = blocks.saturating_sub(1);
        let index = (self.blocks.get(block)).map_or(0, |of| of.partition_point(is_before));
        Position { block, index }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Access<'s>> {
        self.blocks.iter().flatten()
    }

    /// The accesses from a position on, in ascending order.
    pub(super) fn from(&self, at: Position) -> impl Iterator<Item = &Access<'s>> {
        let blocks = self.blocks.get(at.block..).unwrap_or_default();
        blocks.iter().flatten().skip(at.index)
    }

    /// The accesses before a position, in descending order.
    pub(super) fn before(&self, at: Position) -> impl Iterator<Item = &Access<'s>> {
        let own = self
            .blocks
            .get(at.block)
            .map_or(&[][..], |of| &of[..at.index]);
        let blocks = self.blocks.get(..at.block).unwrap_or_default();
        (own.iter().rev()).chain(blocks.iter().rev().flat_map(|block| block.iter().rev()))
    }
}
