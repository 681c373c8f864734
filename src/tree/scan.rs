//! Visiting a range of keys, in either direction.
//!
//! **Protocol.** A scan reads one leaf at a time as a validated snapshot, then
//! hands its entries out from the copy, holding no lock; suffixes are read in
//! place, since the guard keeps the bags. It walks each layer from leaf to leaf
//! and keeps what is left of the leaf above while it is in a layer below.
//!
//! Between leaves it remembers a *boundary slice*: forward, the low of the next
//! leaf; in reverse, the low of the leaf just read; and never one that is behind
//! the boundary it had. It accepts only entries on the far side of the boundary,
//! whatever else the next leaf holds by then:
//!
//! - Forward, the next leaf holds everything from its low on, or, if it has become
//!   the first of its layer and was split below its low since, leaves further on
//!   do: the way there leads through leaves with lows behind the boundary.
//! - In reverse, the previous leaf may have split since, so the scan walks right
//!   until the next leaf's low is not below the boundary. Then the leaf's snapshot
//!   holds every key below the boundary down to its own low.
//! - If the leaf was deleted, or the root of a layer below has been replaced, the
//!   scan goes down again from the top of the tree to the cut it has come to.
//!
//! So keys come strictly in order, a key present throughout is visited once, and
//! each way round ends: steps from leaf to leaf go one way, and going down again takes a writer that deleted or replaced something.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::Tree;
use super::descend::{Reached, Stale, reach, settle};
use super::range::{Cut, Range, Side};
use crate::OutOfMemory;
use crate::key::{SLICE_LEN, SUFFIX, shortest};
use crate::node::{Entries, Entry, Leaf, Neighbours, NodeRef, WIDTH};
use crate::reclaim::Pin;
use crate::sync::perturb;

impl Tree {
    /// Visits the keys of a range in order until `visit` breaks off; see
    /// `masstree_scan` in the C header for what is promised. Gives the number of
    /// keys visited.
    pub fn scan<V>(
        &self,
        pin: Pin<'_>,
        range: &Range<'_>,
        visit: &mut V,
    ) -> Result<usize, OutOfMemory>
    where
        V: FnMut(&[u8], u64) -> ControlFlow<()>,
    {
        self.admit(pin, range.prefix);
        if range.limit == 0 {
            return Ok(0);
        }
        let mut scan = Scan::new(self, pin, range);
        // Ends: see the module's comment.
        loop {
            scan.layers.clear();
            scan.items.clear();
            scan.key.clear();
            match scan.run(visit) {
                Ok(()) => return Ok(range.limit - scan.remaining),
                Err(Interrupt::OutOfMemory) => return Err(OutOfMemory),
                Err(Interrupt::Resume(start)) => scan.start = Some(start),
            }
        }
    }
}

/// The cut a scan starts or resumes from.
enum Start<'k> {
    Before(Cow<'k, [u8]>),
    After(Cow<'k, [u8]>),
    AfterAll(Cow<'k, [u8]>),
}

impl<'k> Start<'k> {
    fn borrowed(cut: Cut<'k>) -> Self {
        match cut {
            Cut::Before(bytes) => Self::Before(Cow::Borrowed(bytes)),
            Cut::After(bytes) => Self::After(Cow::Borrowed(bytes)),
            Cut::AfterAll(bytes) => Self::AfterAll(Cow::Borrowed(bytes)),
        }
    }

    fn cut(&self) -> Cut<'_> {
        match self {
            Self::Before(bytes) => Cut::Before(bytes),
            Self::After(bytes) => Cut::After(bytes),
            Self::AfterAll(bytes) => Cut::AfterAll(bytes),
        }
    }
}

/// Why a scan left off.
enum Interrupt<'k> {
    OutOfMemory,
    /// What it was about to read is gone; go down again to this cut.
    Resume(Start<'k>),
}

impl From<std::collections::TryReserveError> for Interrupt<'_> {
    fn from(_: std::collections::TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

/// Which cuts run through a layer.
#[derive(Clone, Copy)]
struct Cuts {
    /// The cut the scan starts from.
    start: bool,
    /// The cut it ends at.
    end: bool,
}

/// An entry still to be visited.
struct Item<'g> {
    entry: Entry<'g>,
    /// For a link: which cuts run through the layer below.
    cuts: Cuts,
}

/// A layer the scan is in.
struct Layer<'g> {
    /// Bytes of key above this layer.
    depth: usize,
    /// Items of upper layers.
    base: usize,
    /// Where the layer goes on after these items.
    ahead: Option<Ahead<'g>>,
    /// Whether the cut the scan ends at runs through this layer.
    end: bool,
}

/// The leaf to look at next, and the boundary slice: forward, entries from it on
/// are accepted, in reverse, entries below it.
#[derive(Clone, Copy)]
struct Ahead<'g> {
    leaf: &'g Leaf,
    boundary: u64,
}

/// A scan under way.
struct Scan<'s, 'g> {
    tree: &'s Tree,
    pin: Pin<'g>,
    reverse: bool,
    start: Option<Start<'s>>,
    end: Option<Cut<'s>>,
    remaining: usize,
    /// The key at hand: what the layers above share, then the entry's own bytes.
    key: Vec<u8>,
    layers: Vec<Layer<'g>>,
    /// Entries still to be visited, of all layers the scan is in, the next one
    /// last.
    items: Vec<Item<'g>>,
    /// What the leaf at hand held when it was read.
    read: Entries<'g>,
}

impl<'s, 'g> Scan<'s, 'g> {
    fn new(tree: &'s Tree, pin: Pin<'g>, range: &Range<'s>) -> Self {
        let (lower, upper) = (range.lower_cut(), range.upper_cut());
        let (start, end) = if range.reverse {
            (upper, lower)
        } else {
            (lower, upper)
        };
        Self {
            tree,
            pin,
            reverse: range.reverse,
            start: start.map(Start::borrowed),
            end,
            remaining: range.limit,
            key: Vec::new(),
            layers: Vec::new(),
            items: Vec::new(),
            read: Entries::new(),
        }
    }

    /// From the top of the tree to the end of the range.
    fn run<V>(&mut self, visit: &mut V) -> Result<(), Interrupt<'s>>
    where
        V: FnMut(&[u8], u64) -> ControlFlow<()>,
    {
        // Ends: the root of the first layer is stale only while it is replaced.
        let cuts = Cuts {
            start: self.start.is_some(),
            end: self.end.is_some(),
        };
        while self.enter_layer(self.tree.root(self.pin), cuts)?.is_err() {}
        while let Some(layer) = self.layers.last_mut() {
            let depth = layer.depth;
            if self.items.len() == layer.base {
                match layer.ahead.take() {
                    Some(ahead) => self.advance(ahead)?,
                    None => {
                        self.layers.pop();
                    }
                }
                continue;
            }
            let Some(item) = self.items.pop() else {
                unreachable!("items reach above the base")
            };
            self.key.truncate(depth);
            match item.entry.layer() {
                Some(root) => self.go_down(root, &item)?,
                None => {
                    self.assemble(&item.entry)?;
                    self.remaining -= 1;
                    if visit(&self.key, item.entry.value()).is_break() || self.remaining == 0 {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Appends what an entry adds to the key.
    #[inline]
    fn assemble(&mut self, entry: &Entry<'g>) -> Result<(), Interrupt<'s>> {
        self.key.try_reserve(SLICE_LEN + entry.suffix.len())?;
        // Eight bytes always: their number is known when this is compiled.
        self.key.extend_from_slice(&entry.slice.to_be_bytes());
        if entry.kind == SUFFIX {
            self.key.extend_from_slice(entry.suffix);
        } else {
            let padding = SLICE_LEN - usize::from(entry.kind);
            self.key.truncate(self.key.len() - padding);
        }
        Ok(())
    }

    /// Goes into the layer that an item links to.
    fn go_down(&mut self, root: NodeRef<'g>, item: &Item<'g>) -> Result<(), Interrupt<'s>> {
        self.key.try_reserve(SLICE_LEN)?;
        self.key.extend_from_slice(&item.entry.slice.to_be_bytes());
        if self.enter_layer(root, item.cuts)?.is_ok() {
            return Ok(());
        }
        // What the scan starts from runs through the layer: nothing was visited
        // yet since it came down here.
        if item.cuts.start
            && let Some(start) = self.start.take()
        {
            return Err(Interrupt::Resume(start));
        }
        let bytes = copy(&self.key, &[])?;
        Err(Interrupt::Resume(match self.reverse {
            false => Start::After(bytes),
            true => Start::AfterAll(bytes),
        }))
    }

    /// Reads the first leaf of a layer that the key at hand leads to.
    fn enter_layer(
        &mut self,
        root: NodeRef<'g>,
        cuts: Cuts,
    ) -> Result<Result<(), Stale>, Interrupt<'s>> {
        let depth = self.key.len();
        let start = self.start.as_ref().filter(|_| cuts.start);
        let slice = match (start, self.reverse) {
            (None, false) => u64::MIN,
            (None, true) => u64::MAX,
            (Some(start), false) => start.cut().below(depth).first_slice(),
            (Some(start), true) => start.cut().below(depth).last_slice(),
        };
        let Ok((leaf, beside)) = read_leaf(root, slice, &mut self.read) else {
            return Ok(Err(Stale));
        };
        self.layers.try_reserve(1)?;
        self.layers.push(Layer {
            depth,
            base: self.items.len(),
            ahead: None,
            end: cuts.end,
        });
        self.take_over(leaf, &beside, cuts.start, None)?;
        Ok(Ok(()))
    }

    /// Reads the next leaf of the layer at hand.
    fn advance(&mut self, ahead: Ahead<'g>) -> Result<(), Interrupt<'s>> {
        perturb();
        let Ahead { mut leaf, boundary } = ahead;
        // Ends: a step to the right goes to a greater low below the boundary; a
        // failed snapshot means that a writer has changed the leaf.
        loop {
            let version = NodeRef::from(leaf).version().stable();
            if version.is_deleted() {
                let (bytes, len) = shortest(boundary);
                let depth = self.layers.last().map_or(0, |layer| layer.depth);
                let bytes = copy(&self.key[..depth], &bytes[..len])?;
                return Err(Interrupt::Resume(Start::Before(bytes)));
            }
            self.prefetch_beside(leaf);
            let Some(beside) = leaf.snapshot(version, &mut self.read) else {
                continue;
            };
            match beside.next {
                Some(next) if self.reverse && next.low() < boundary => leaf = next,
                _ => return self.take_over(leaf, &beside, false, Some(boundary)),
            }
        }
    }

    /// Asks for the leaf that the scan will most likely go to after this one, while
    /// this one is read and visited.
    fn prefetch_beside(&self, leaf: &Leaf) {
        let beside = if self.reverse {
            leaf.prev()
        } else {
            leaf.next()
        };
        if let Some(beside) = beside {
            NodeRef::from(beside).prefetch();
        }
    }

    /// Makes what was read of a leaf, as far as it is in the range, the items of
    /// the layer at hand.
    fn take_over(
        &mut self,
        leaf: &'g Leaf,
        beside: &Neighbours<'g>,
        start: bool,
        boundary: Option<u64>,
    ) -> Result<(), Interrupt<'s>> {
        self.items.try_reserve(WIDTH)?;
        let Some(layer) = self.layers.last_mut() else {
            unreachable!("a leaf is in a layer")
        };
        layer.ahead = match self.reverse {
            false => beside.next.map(|next| Ahead {
                leaf: next,
                boundary: boundary.unwrap_or(u64::MIN).max(next.low()),
            }),
            true => beside.prev.map(|prev| Ahead {
                leaf: prev,
                boundary: boundary.unwrap_or(u64::MAX).min(leaf.low()),
            }),
        };
        let mut filter = Filter {
            reverse: self.reverse,
            boundary,
            start: (self.start.as_ref())
                .filter(|_| start)
                .map(|start| start.cut().below(layer.depth)),
            end: (self.end)
                .filter(|_| layer.end)
                .map(|end| end.below(layer.depth)),
            at_end: false,
        };
        let accepted = |entry: &Entry<'g>| {
            let cuts = filter.admit(entry)?;
            Some(Item {
                entry: *entry,
                cuts,
            })
        };
        // The next to be visited comes last.
        if self.reverse {
            self.items.extend(self.read.iter().filter_map(accepted));
        } else {
            self.items
                .extend(self.read.iter().rev().filter_map(accepted));
        }
        if filter.at_end {
            layer.ahead = None;
        }
        Ok(())
    }
}

/// What of a leaf belongs to the range and was not visited yet.
struct Filter<'c> {
    reverse: bool,
    boundary: Option<u64>,
    /// The cuts the scan starts from and ends at, where they run through the
    /// layer, as the layer sees them.
    start: Option<Cut<'c>>,
    end: Option<Cut<'c>>,
    /// Set when an entry was beyond the end.
    at_end: bool,
}

impl Filter<'_> {
    /// Which cuts run through an entry; `None` if it is not to be visited.
    #[inline]
    fn admit(&mut self, entry: &Entry<'_>) -> Option<Cuts> {
        if let Some(boundary) = self.boundary
            && (entry.slice < boundary) != self.reverse
        {
            return None;
        }
        let (before, beyond) = match self.reverse {
            false => (Side::Below, Side::Above),
            true => (Side::Above, Side::Below),
        };
        let side = |cut: Cut<'_>| cut.side(entry.slice, entry.kind, entry.suffix);
        let (start, end) = (self.start.map(side), self.end.map(side));
        if end == Some(beyond) {
            self.at_end = true;
            return None;
        }
        (start != Some(before)).then(|| Cuts {
            start: start == Some(Side::Through),
            end: end == Some(Side::Through),
        })
    }
}

/// The leaf of a layer that holds a slice, and a snapshot of it.
fn read_leaf<'g>(
    root: NodeRef<'g>,
    slice: u64,
    entries: &mut Entries<'g>,
) -> Result<(&'g Leaf, Neighbours<'g>), Stale> {
    let mut reached: Reached<'g> = reach(root, slice)?;
    // Ends: each time around, a writer has changed the leaf.
    loop {
        if let Some(neighbours) = reached.leaf.snapshot(reached.version, entries) {
            return Ok((reached.leaf, neighbours));
        }
        reached = settle(reached.leaf, slice)?;
    }
}

/// Two pieces of a key in memory of their own.
fn copy<'k>(head: &[u8], tail: &[u8]) -> Result<Cow<'k, [u8]>, Interrupt<'k>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(head.len() + tail.len())?;
    bytes.extend_from_slice(head);
    bytes.extend_from_slice(tail);
    Ok(Cow::Owned(bytes))
}
