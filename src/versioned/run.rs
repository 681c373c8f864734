//! An immutable set of range tombstones that answers which of them cover a key.
//!
//! The bounds of all tombstones cut the keys into parts. A segment tree over the parts (of any
//! number of leaves, stored as an array in which node `i` has the children `2i` and `2i + 1`) has,
//! at each node, the numbers of the tombstones that cover the whole node and not its parent. So a
//! tombstone is stored at O(log n) nodes, however many others it overlaps, and a look-up reads the
//! nodes above one part, with a binary search in each.

use std::alloc::Layout;
use std::ptr::NonNull;

use crate::index::memory::{OutOfMemory, Source, Vector};
use crate::index::reclaim::{Domain, Retire};

/// A range tombstone: deletes what is older than `number` from `lower` to before `upper`. The two
/// bounds follow the header.
pub(super) struct RangeTombstone {
    number: u64,
    lower: usize,
    upper: usize,
}

/// A reference to a range tombstone.
#[derive(Clone, Copy)]
pub(super) struct TombstoneRef<'g>(&'g RangeTombstone);

fn layout(lower: usize, upper: usize) -> Option<Layout> {
    let size = size_of::<RangeTombstone>().checked_add(lower)?;
    let size = size.checked_add(upper)?;
    Layout::from_size_align(size, align_of::<RangeTombstone>()).ok()
}

impl<'g> TombstoneRef<'g> {
    pub(super) fn make(
        source: Source,
        lower: &[u8],
        upper: &[u8],
        number: u64,
    ) -> Result<Self, OutOfMemory> {
        let layout = layout(lower.len(), upper.len()).ok_or(OutOfMemory)?;
        let place = source.allocate(layout).ok_or(OutOfMemory)?;
        let place = place.cast::<RangeTombstone>();
        // SAFETY: freshly allocated with room for the header and both bounds.
        unsafe {
            place.write(RangeTombstone {
                number,
                lower: lower.len(),
                upper: upper.len(),
            });
            let bytes = place.add(1).cast::<u8>();
            bytes.copy_from_nonoverlapping(NonNull::from(lower).cast(), lower.len());
            let bytes = bytes.add(lower.len());
            bytes.copy_from_nonoverlapping(NonNull::from(upper).cast(), upper.len());
            Ok(Self(place.as_ref()))
        }
    }

    /// # Safety
    /// The tombstone came from `make` with this source, and nothing uses it any more.
    pub(super) unsafe fn free(self, source: Source) {
        let layout = layout(self.0.lower, self.0.upper).expect("it was allocated like this");
        // SAFETY: by contract.
        unsafe { source.free(NonNull::from(self.0).cast(), layout) }
    }

    pub(super) fn as_ptr(self) -> *mut RangeTombstone {
        std::ptr::from_ref(self.0).cast_mut()
    }

    pub(super) fn number(self) -> u64 {
        self.0.number
    }

    fn bytes(self, start: usize, len: usize) -> &'g [u8] {
        // SAFETY: the bounds follow the header, and never change.
        unsafe {
            let bytes = std::ptr::from_ref(self.0).add(1).cast::<u8>();
            std::slice::from_raw_parts(bytes.add(start), len)
        }
    }

    pub(super) fn lower(self) -> &'g [u8] {
        self.bytes(0, self.0.lower)
    }

    pub(super) fn upper(self) -> &'g [u8] {
        self.bytes(self.0.lower, self.0.upper)
    }
}

/// A set of range tombstones, which are valid as long as the set, so also for `'g`.
pub(super) struct Run<'g> {
    /// In ascending order of their numbers.
    tombstones: Vector<TombstoneRef<'g>>,
    /// The bounds, in ascending order, each once. Part `i` is from point `i` to before `i + 1`.
    points: Vector<&'g [u8]>,
    /// Where the numbers of each node of the segment tree begin, and where the last ones end.
    starts: Vector<u32>,
    /// The numbers of each node, in ascending order.
    numbers: Vector<u64>,
}

fn vector<T>(source: Source, capacity: usize) -> Result<Vector<T>, OutOfMemory> {
    let mut vector = Vector::new_in(source);
    vector
        .try_reserve_exact(capacity)
        .map_err(|_| OutOfMemory)?;
    Ok(vector)
}

impl<'g> Run<'g> {
    /// Makes a set of at least one tombstone.
    pub(super) fn make(
        source: Source,
        tombstones: impl Iterator<Item = TombstoneRef<'g>> + Clone,
    ) -> Result<NonNull<Self>, OutOfMemory> {
        let count = tombstones.clone().count();
        let mut run = Self {
            tombstones: vector(source, count)?,
            points: vector(source, 2 * count)?,
            starts: Vector::new_in(source),
            numbers: Vector::new_in(source),
        };
        for tombstone in tombstones {
            run.tombstones.push(tombstone);
            run.points.push(tombstone.lower());
            run.points.push(tombstone.upper());
        }
        run.tombstones
            .sort_unstable_by_key(|tombstone| tombstone.number());
        run.points.sort_unstable();
        run.points.dedup();
        run.fill(source)?;
        source.make(run)
    }

    fn parts(&self) -> usize {
        self.points.len() - 1
    }

    /// Calls `visit` with the nodes at which a tombstone is stored.
    fn nodes_of(&self, tombstone: TombstoneRef<'_>, mut visit: impl FnMut(usize)) {
        let part = |bound| self.parts() + self.points.partition_point(|point| *point < bound);
        let (mut low, mut high) = (part(tombstone.lower()), part(tombstone.upper()));
        // Ends: both are halved.
        while low < high {
            if low % 2 == 1 {
                visit(low);
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                visit(high);
            }
            (low, high) = (low / 2, high / 2);
        }
    }

    /// Fills the segment tree: counts the numbers of each node, then stores them.
    fn fill(&mut self, source: Source) -> Result<(), OutOfMemory> {
        let nodes = 2 * self.parts();
        let mut starts = vector(source, nodes + 1)?;
        starts.resize(nodes + 1, 0_u32);
        let mut total = 0_usize;
        for tombstone in &self.tombstones {
            self.nodes_of(*tombstone, |node| {
                starts[node] += 1;
                total += 1;
            });
        }
        if u32::try_from(total).is_err() {
            return Err(OutOfMemory);
        }
        // Each becomes the end of its node's numbers; filled from behind, it ends as their start.
        let mut end = 0;
        for start in starts.iter_mut() {
            end += *start;
            *start = end;
        }
        let mut numbers = vector(source, total)?;
        numbers.resize(total, 0);
        for tombstone in self.tombstones.iter().rev() {
            self.nodes_of(*tombstone, |node| {
                starts[node] -= 1;
                numbers[starts[node] as usize] = tombstone.number();
            });
        }
        (self.starts, self.numbers) = (starts, numbers);
        Ok(())
    }

    pub(super) fn tombstones(&self) -> &[TombstoneRef<'g>] {
        &self.tombstones
    }

    /// Returns the greatest number, of at most `number`, of the tombstones that cover a key; 0 if
    /// there is none.
    pub(super) fn cover(&self, key: &[u8], number: u64) -> u64 {
        let part = self.points.partition_point(|point| *point <= key);
        if part == 0 || part > self.parts() {
            return 0;
        }
        let mut node = self.parts() + part - 1;
        let mut cover = 0;
        while node > 0 {
            let (start, end) = (self.starts[node] as usize, self.starts[node + 1] as usize);
            let numbers = &self.numbers[start..end];
            let older = numbers.partition_point(|&of| of <= number);
            if older > 0 {
                cover = cover.max(numbers[older - 1]);
            }
            node /= 2;
        }
        cover
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.tombstones.capacity() * size_of::<TombstoneRef<'_>>()
            + self.points.capacity() * size_of::<&[u8]>()
            + self.starts.capacity() * size_of::<u32>()
            + self.numbers.capacity() * size_of::<u64>()
    }
}

impl Retire for RangeTombstone {
    unsafe fn bytes(tombstone: *mut Self, _: &Domain) -> usize {
        // SAFETY: by contract.
        let tombstone = unsafe { &*tombstone };
        size_of::<Self>() + tombstone.lower + tombstone.upper
    }

    unsafe fn free(tombstone: *mut Self, domain: &Domain) {
        // SAFETY: by contract; `make` made it from this source.
        unsafe {
            (domain.memory).note(-(Self::bytes(tombstone, domain) as i64));
            TombstoneRef(&*tombstone).free(domain.memory.allocator());
        }
    }
}

impl Retire for Run<'_> {
    unsafe fn bytes(run: *mut Self, _: &Domain) -> usize {
        // SAFETY: by contract.
        unsafe { (*run).bytes() }
    }

    unsafe fn free(run: *mut Self, domain: &Domain) {
        // SAFETY: by contract; `make` made it.
        unsafe {
            domain.memory.note(-((*run).bytes() as i64));
            let run = NonNull::new_unchecked(run);
            domain.memory.allocator().drop_and_free(run);
        }
    }
}
