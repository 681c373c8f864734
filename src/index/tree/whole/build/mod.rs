//! Builds a tree bottom-up from keys that come in ascending order.
//!
//! No other thread can reach the tree until `swap` publishes its root, so the builder takes no lock
//! and changes no version; its stores are relaxed, and the store of the root releases them. Each
//! key is appended to the last leaf of its layer, which is completely full before the next leaf
//! begins (but entries with equal slices stay in one leaf), and each leaf to the internode above.
//! So 8-byte keys take 22.8 bytes each. A fill of 14 entries would take 1.6 bytes more, and save a
//! leaf only its first split.
//!
//! **Open layers.** The last key's path leads through layers that may still get keys, from the first
//! layer down: the *open* layers (`layer`). The last entry of each is a link to the next one. The
//! link's word, and the root's parent, are set when the lower layer is complete, since its root may
//! change until then. A new key goes to the first open layer in which it is above the last entry;
//! the layers below are completed before. As in a put, keys with one slice form a group until there
//! are more than [`GROUP_MAX`]; then the group and the new key get layers of their own, as many as
//! they share slices. Nothing recurses, however many layers a key has.
//!
//! **Suffixes** of entries in leaves that are not complete are kept in one vector, those of lower
//! layers after those of upper ones. A complete leaf has a bag of exactly their size.
//!
//! **Running out of memory.** The builder reserves what it needs before it changes anything, but it
//! may complete some layers first. A builder that ran out of memory takes no more keys; dropping it
//! frees its nodes.
//!
//! **Joining** (`join`): the tree of one builder can be appended to that of another; both may
//! have been filled by different threads at the same time.

mod join;
mod layer;
mod spine;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;

use crate::index::key::{Key, SLICE_LEN, slice_of};
use crate::index::key_source::KeySource;
use crate::index::memory::{Count, Era, Memory, OutOfMemory, Vector, append, own_stripe};
use crate::index::node::{AnyNode, Form, Leaf, Locked, NodeRef, OwnedBag};
use crate::index::reclaim::Domain;
use crate::index::tree::Tree;
use crate::index::tree::freeing::free_all;
use crate::index::tree::write::layer::shared_slices;
use crate::index::tree::write::reserve::{Needs, Reserve};
use layer::{
    LeafEnd, Location, OpenLayer, SuffixRanges, complete_leaf, move_record, push_record, set_layer,
    size_of_record,
};

/// A tree under construction, to which keys are added in ascending order.
pub(crate) struct Builder<'t> {
    domain: &'t Domain,
    /// The era of the leaves.
    era: Era,
    /// Whether leaves of another era were joined.
    has_other_eras: bool,
    /// The open layers, from the first down; none once the tree is complete.
    layers: Vector<OpenLayer<'t>>,
    suffixes: Vector<u8>,
    reserve: Reserve<'t>,
    /// The first key.
    first_key: Vector<u8>,
    /// How many keys the builder has.
    key_count: u64,
    /// The number of layers below the first.
    layers_created: u64,
    out_of_memory: bool,
    /// Whether values of the user are destroyed together with the builder.
    owns_words: bool,
    /// The root, once the tree is complete.
    root: Option<NodeRef<'t>>,
}

// SAFETY: no other thread can reach the nodes of a builder, which are allocations that any thread may use
// and free; the domain may be used by any thread.
unsafe impl Send for Builder<'_> {}

/// Where the next key goes.
#[derive(Clone, Copy)]
pub(crate) struct KeyPath<'k> {
    /// The number of layers above.
    depth: usize,
    /// The key in that layer.
    key: Key<'k>,
}

/// Why a key was not added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// It is not above the last key.
    Unsorted,
    OutOfMemory,
}

impl From<OutOfMemory> for Refused {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl<'t> Builder<'t> {
    /// Returns a builder without keys for a tree, whose leaves have this era; if the tree has
    /// another when it is loaded, they get that one.
    pub(in crate::index::tree) fn new(tree: &'t Tree, era: Era) -> Result<Self, OutOfMemory> {
        let (domain, source) = (tree.domain(), tree.allocator());
        let mut builder = Self {
            domain,
            era,
            has_other_eras: false,
            layers: Vector::new_in(source),
            suffixes: Vector::new_in(source),
            reserve: Reserve::new(&domain.memory),
            first_key: Vector::new_in(source),
            key_count: 0,
            layers_created: 0,
            out_of_memory: false,
            owns_words: false,
            root: None,
        };
        builder.open_first()?;
        Ok(builder)
    }

    /// Opens the first layer, with an empty leaf.
    fn open_first(&mut self) -> Result<(), OutOfMemory> {
        self.layers.try_reserve(1).map_err(|_| OutOfMemory)?;
        let leaves = 1;
        self.reserve.fill(&Needs {
            leaves,
            ..Needs::default()
        })?;
        let leaf = self.reserve.leaf(self.era);
        self.layers.push(OpenLayer::new(leaf, 0));
        Ok(())
    }

    /// From now on the builder owns the words of the user: dropping it destroys those that it has.
    /// Values that the library allocated belong to every builder.
    pub(crate) fn destroy_words_on_drop(&mut self) {
        self.owns_words = true;
    }

    /// The memory of the tree.
    pub(crate) fn memory(&self) -> &'t Memory {
        &self.domain.memory
    }

    /// The number of keys.
    pub(crate) fn keys(&self) -> u64 {
        self.key_count
    }

    /// Whether all leaves have this era.
    pub(in crate::index::tree) fn has_era(&self, era: Era) -> bool {
        self.era == era && !self.has_other_eras
    }

    /// Notes that all leaves have this era now.
    pub(in crate::index::tree) fn set_era(&mut self, era: Era) {
        (self.era, self.has_other_eras) = (era, false);
    }

    /// Whether keys may be added: not after the tree was completed, nor after memory ran out.
    pub(crate) fn is_open(&self) -> bool {
        !self.layers.is_empty() && !self.out_of_memory
    }

    /// Whether the builder ran out of memory before.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        self.out_of_memory
    }

    /// Adds a key.
    #[inline]
    pub(crate) fn add(&mut self, key: Key<'_>, value: u64) -> Result<(), Refused> {
        if let [first] = self.layers.as_mut_slice()
            && first.slice < key.slice()
            && !key.has_suffix()
            && first.len > 0
            && !first.is_full()
        {
            first.push_short(key.slice(), key.kind(), value);
            self.key_count += 1;
            return Ok(());
        }
        self.add_to_any(key, value)
    }

    #[inline(never)]
    fn add_to_any(&mut self, key: Key<'_>, value: u64) -> Result<(), Refused> {
        let position = self.position_of(key).ok_or(Refused::Unsorted)?;
        Ok(self.insert(position, value)?)
    }

    /// Returns the position of a key; `None` if it is not above the last key.
    #[inline]
    pub(crate) fn position_of<'k>(&self, key: Key<'k>) -> Option<KeyPath<'k>> {
        self.position_from(0, key)
    }

    /// [`Self::position_of`] in the layer at a depth, given the rest of a key there.
    fn position_from<'k>(&self, mut depth: usize, mut key: Key<'k>) -> Option<KeyPath<'k>> {
        // Ends: each round descends a layer.
        loop {
            match self.layers.get(depth)?.locate(&key, &self.suffixes) {
                Location::Here => return Some(KeyPath { depth, key }),
                Location::Below => {
                    depth += 1;
                    key.shift();
                }
                Location::Refused => return None,
            }
        }
    }

    /// Adds a key at its position. If memory runs out, destroys a value that the library allocated.
    pub(crate) fn insert(&mut self, position: KeyPath<'_>, value: u64) -> Result<(), OutOfMemory> {
        if self.insert_at(position, value).is_ok() {
            self.key_count += 1;
            return Ok(());
        }
        self.out_of_memory = true;
        if self.domain.values().owns_memory {
            // SAFETY: the value is in no tree, and no thread has read it.
            unsafe { self.domain.destroy_value(value) };
        }
        Err(OutOfMemory)
    }

    fn insert_at(
        &mut self,
        KeyPath { depth, mut key }: KeyPath<'_>,
        value: u64,
    ) -> Result<(), OutOfMemory> {
        if self.key_count == 0 {
            self.note_first(&key)?;
        }
        self.complete_below(depth)?;
        // Ends: each round, the rest of the key is shorter.
        while self.top().is_crowded(&key) {
            key = self.open_layers_for(key)?;
        }
        if key.has_suffix() {
            let size = size_of_record(key.suffix());
            self.suffixes.try_reserve(size).map_err(|_| OutOfMemory)?;
        }
        if self.top().is_full() {
            self.begin_leaf(key.slice())?;
        }
        let top = self.layers.last_mut().expect("a layer is open");
        if key.has_suffix() {
            let record = self.suffixes.len();
            top.push_long(key.slice(), record, value);
            push_record(&mut self.suffixes, key.suffix());
        } else {
            top.push_short(key.slice(), key.kind(), value);
        }
        Ok(())
    }

    fn note_first(&mut self, key: &Key<'_>) -> Result<(), OutOfMemory> {
        let slice = key.slice().to_be_bytes();
        let len = usize::from(key.kind()).min(SLICE_LEN);
        self.first_key.clear();
        let size = SLICE_LEN + key.suffix().len();
        self.first_key.try_reserve(size).map_err(|_| OutOfMemory)?;
        append(&mut self.first_key, &slice[..len]);
        append(&mut self.first_key, key.suffix());
        Ok(())
    }

    fn key_source(&self) -> &'t KeySource {
        &self.domain.values().keys
    }

    #[inline]
    fn top(&self) -> &OpenLayer<'t> {
        self.layers.last().expect("a layer is open")
    }

    /// Completes all layers below the one at a depth.
    fn complete_below(&mut self, depth: usize) -> Result<(), OutOfMemory> {
        while self.layers.len() > depth + 1 {
            self.complete_layer(None)?;
        }
        Ok(())
    }

    /// Completes the full leaf of the lowest layer, and begins the next for an entry with `slice`.
    fn begin_leaf(&mut self, slice: u64) -> Result<(), OutOfMemory> {
        let keys = self.key_source();
        let top = self.layers.last_mut().expect("a layer is open");
        let cut = top.cut(slice, &self.suffixes);
        let last = NodeRef::from(top.leaf.node());
        let kept = top.shape_until(&self.suffixes, cut.suffixes);
        let has_bag = kept.is_some();
        let form = top.form_of_next(&self.suffixes, keys);
        self.reserve.fill(&Needs {
            internodes: spine::needed_above(last),
            kept,
            ..Needs::of_split(form)
        })?;
        let next = self.reserve.leaf_for(form, self.era);
        next.set_low(cut.low);
        top.leaf.move_filled(cut.kept..usize::from(top.len), &next);
        let bag = has_bag.then(|| self.reserve.kept_bag());
        complete_leaf(top, &self.suffixes, &cut, bag, keys);
        top.leaf.chain(next.node());
        let next_node = NodeRef::from(next.node());
        spine::append(last, next_node, cut.low, &mut self.reserve);
        drop(top.continue_in(next, &cut));
        self.suffixes.drain(top.suffixes..cut.suffixes);
        Ok(())
    }

    /// Replaces the group of the lowest layer by a link, and opens the layers that the group and
    /// one more key of it share: those that only link to the next one, and the lowest, which gets
    /// the group. Returns the rest of the key there.
    fn open_layers_for<'k>(&mut self, key: Key<'k>) -> Result<Key<'k>, OutOfMemory> {
        let top = self.top();
        let start = top.start_of_group(&self.suffixes);
        let least = SuffixRanges::new(&self.suffixes, start).next();
        let least = &self.suffixes[least.expect("a group has suffixes")];
        let shared = shared_slices(least, key.suffix());
        self.open_layers(start, shared, key.suffix())?;
        Ok(Key::new(&key.suffix()[shared * SLICE_LEN..]))
    }

    /// Replaces the group of the lowest layer, whose suffixes begin at `start`, by a link to new
    /// layers: `shared` layers with a link each, for the slices with which `rest` begins, and one
    /// for the group.
    fn open_layers(&mut self, start: usize, shared: usize, rest: &[u8]) -> Result<(), OutOfMemory> {
        (self.layers.try_reserve(shared + 1)).map_err(|_| OutOfMemory)?;
        // The lengths that the suffixes have in the lowest layer.
        let above = (shared + 1) * SLICE_LEN;
        let lens = SuffixRanges::new(&self.suffixes, start).map(|record| record.len());
        let lens = lens.chain([rest.len()]).filter(|&len| len > above);
        let form = Form::of_new(self.key_source(), lens.map(|len| len - above));
        self.reserve.fill(&Needs {
            leaves: shared + usize::from(!form.has_tails()),
            tailed: usize::from(form.has_tails()),
            ..Needs::default()
        })?;
        let top = self.layers.last_mut().expect("a layer is open");
        let values = top.replace_group();
        for layer in 0..shared {
            let mut above = OpenLayer::new(self.reserve.leaf(self.era), start);
            above.push_link(slice_of(&rest[layer * SLICE_LEN..]));
            self.layers.push(above);
        }
        let mut lowest = OpenLayer::new(self.reserve.leaf_for(form, self.era), start);
        let (mut from, mut to) = (start, start);
        for value in values {
            let record = SuffixRanges::new(&self.suffixes, from).next();
            let record = record.expect("a group has suffixes");
            from = record.end;
            let rest = record.start + shared * SLICE_LEN..record.end;
            let key = Key::new(&self.suffixes[rest.clone()]);
            if key.has_suffix() {
                lowest.push_long(key.slice(), to, value);
                to = move_record(&mut self.suffixes, rest.start + SLICE_LEN..rest.end, to);
            } else {
                lowest.push_short(key.slice(), key.kind(), value);
            }
        }
        self.suffixes.truncate(to);
        self.layers.push(lowest);
        Ok(())
    }

    /// Completes the lowest layer. With `tail`, a complete layer that another builder has filled
    /// with greater keys, first appends all nodes of that layer, except for its first leaf, which
    /// must be empty, and the internodes above that leaf: these it frees.
    fn complete_layer(&mut self, tail: Option<NodeRef<'t>>) -> Result<(), OutOfMemory> {
        let top = self.top();
        let last = NodeRef::from(top.leaf.node());
        let kept = top.shape_until(&self.suffixes, self.suffixes.len());
        self.reserve.fill(&Needs {
            internodes: tail.map_or(0, |tail| join::needed_above(last, tail)),
            kept,
            ..Needs::default()
        })?;
        let bag = kept.map(|_| self.reserve.kept_bag());
        self.close(bag, tail);
        Ok(())
    }

    /// Does what `complete_layer` does. The lowest layer's last leaf gets this bag.
    fn close(&mut self, bag: Option<OwnedBag<'t>>, tail: Option<NodeRef<'t>>) {
        let memory = self.memory();
        let mut top = self.layers.pop().expect("a layer is open");
        let cut = LeafEnd {
            kept: usize::from(top.len),
            suffixes: self.suffixes.len(),
            low: 0,
        };
        complete_leaf(&top, &self.suffixes, &cut, bag, self.key_source());
        self.suffixes.truncate(top.suffixes);
        let above = self.layers.last();
        let link = above.map(|above| above.leaf.node());
        let mut last = NodeRef::from(top.leaf.node());
        if let Some(tail) = tail {
            last = join::append_tail(memory, &mut self.reserve, &top.leaf, tail);
        }
        // Ends: each round climbs a level.
        while let Some(parent) = spine::complete_parent(last) {
            last = parent;
        }
        let mut has_second_link = false;
        match last.kind() {
            AnyNode::Internode(root) => spine::make_root(&mut Locked::lock(root), link),
            AnyNode::Leaf(_) => {
                has_second_link = top.has_second_link();
                spine::make_root(&mut top.leaf, link);
            }
        }
        drop(top);
        match above {
            Some(above) => {
                self.layers_created += 1;
                set_layer(above, last, has_second_link);
            }
            None => self.root = Some(last),
        }
    }

    /// Completes the tree; returns its root.
    pub(in crate::index::tree) fn complete(&mut self) -> Result<NodeRef<'t>, OutOfMemory> {
        while !self.layers.is_empty() {
            if self.out_of_memory {
                return Err(OutOfMemory);
            }
            (self.complete_layer(None)).inspect_err(|_| self.out_of_memory = true)?;
        }
        self.root.ok_or(OutOfMemory)
    }

    /// Ends a builder without keys: it takes no more.
    pub(crate) fn end(&mut self) {
        debug_assert_eq!(self.key_count, 0);
        while !self.layers.is_empty() {
            self.close(None, None);
        }
    }

    /// Releases the complete tree, which other threads can reach now: the builder has no keys any more.
    pub(in crate::index::tree) fn release_tree(&mut self) {
        let tally = self.memory().tally();
        let layers = self.layers_created as i64;
        tally.add(own_stripe(), Count::LayersCreated, layers);
        (self.root, self.key_count, self.layers_created) = (None, 0, 0);
    }
}

impl Drop for Builder<'_> {
    fn drop(&mut self) {
        while !self.layers.is_empty() {
            self.close(None, None);
        }
        if let Some(root) = self.root {
            let values = self.domain.values().owns_memory || self.owns_words;
            // SAFETY: no other thread can reach these nodes, nor values that were allocated for
            // them. Words of the user belong to the builder, or are not destroyed.
            unsafe { free_all(self.domain, root, values, &mut |_, _| ()) };
        }
    }
}

/// The first leaf of a complete layer.
pub(in crate::index::tree) fn first_leaf(root: NodeRef<'_>) -> &Leaf {
    let mut node = root;
    // Ends: each round descends a level.
    loop {
        match node.kind() {
            AnyNode::Internode(internode) => node = internode.child(0),
            AnyNode::Leaf(leaf) => return leaf,
        }
    }
}
