//! Versions: layout, allocation, access.
//!
//! A version is a header, as many links as it is high, its digest if it has one, and its bytes. The
//! header's `tag` has the number, the height and the kind; the writer's count of versions is beside
//! the length. The tag of a mark has a commit record in place of the number, and changes once, when
//! the mark is resolved ([`verdict`]); no other tag changes.
//!
//! [`verdict`]: super::verdict

use std::alloc::Layout;
use std::marker::PhantomData;
use std::mem::needs_drop;
use std::ptr::NonNull;

use crate::index::memory::{Memory, OutOfMemory};
use crate::index::reclaim::{Domain, Retire};
use crate::protocol::Line;
use crate::sync::{AtomicPtr, AtomicU64, Ordering};

/// The greatest number of a version.
pub(crate) const MAX_NUMBER: u64 = (1 << 56) - 1;

/// The most links of a version: enough for 8^8 versions of a key.
pub(super) const MAX_HEIGHT: usize = 8;

/// What a version is; the number is the `kind` of the C interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Value = 0,
    /// To be merged with older versions, by the caller.
    Merge = 1,
    /// The key is deleted.
    Tombstone = 2,
    /// The key, which has been stored once, is deleted.
    WeakTombstone = 3,
}

impl Kind {
    pub(crate) fn of(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Value,
            1 => Self::Merge,
            2 => Self::Tombstone,
            3 => Self::WeakTombstone,
            _ => return None,
        })
    }
}

/// A link to a version.
pub(super) type Link = AtomicPtr<Entry>;

#[repr(C)]
pub(super) struct Entry {
    /// A [`Tag`].
    tag: AtomicU64,
    /// length << 8 | rank. The rank is one less than the number of versions in the short list whose
    /// head this version is, and read and written only under the leaf's lock. The length does not
    /// change, so any load of it is right.
    length_and_rank: AtomicU64,
}

/// What a version is: number << 8 | has a digest << 7 | height - 1 << 4 | kind. Everything but the
/// number stays as it was allocated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(pub(super) u64);

impl Tag {
    fn new(number: u64, has_digest: bool, height: usize, kind: Kind) -> Self {
        let flag = if has_digest { HAS_DIGEST } else { 0 };
        Self(number << 8 | flag | (height as u64 - 1) << 4 | kind as u64)
    }

    /// The number; of a mark, one that is greater than all that a reader in a store reads at.
    #[inline]
    pub(super) fn number(self) -> u64 {
        self.0 >> 8
    }

    fn kind_number(self) -> u32 {
        (self.0 & 0xf) as u32
    }

    /// Whether the kind is one of the two of tombstones.
    #[inline]
    pub(super) fn is_tombstone(self) -> bool {
        const { assert!(Kind::Tombstone as u64 == 2 && Kind::WeakTombstone as u64 == 3) };
        self.0 & 0xe == 2
    }

    fn has_digest(self) -> bool {
        self.0 & HAS_DIGEST != 0
    }

    #[inline]
    fn height(self) -> usize {
        1 + (self.0 >> 4 & 0x7) as usize
    }

    /// Where the bytes begin.
    fn start_of_bytes(self) -> usize {
        start_of_bytes(self.height(), self.has_digest())
    }
}

/// A digest of a version, computed by one of the algorithms of `digest`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Digest {
    pub(crate) algorithm: u32,
    pub(crate) value: u32,
}

/// The bit of a tag that says that a version has a digest.
const HAS_DIGEST: u64 = 1 << 7;

const LINKS: usize = size_of::<Entry>();
const _: () = assert!(LINKS.is_multiple_of(align_of::<Link>()));

/// Mixes the bits of a number (the finalizer of splitmix64), for heights.
fn mix(number: u64) -> u64 {
    let mut x = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Returns the height of a version: one in eight is higher than 1, one in 64 higher than 2.
pub(super) fn height_of(number: u64) -> usize {
    (1 + mix(number).trailing_zeros() as usize / 3).min(MAX_HEIGHT)
}

/// Returns where the bytes of a version begin.
fn start_of_bytes(height: usize, has_digest: bool) -> usize {
    LINKS + height * size_of::<Link>() + usize::from(has_digest) * size_of::<Digest>()
}

fn layout(height: usize, has_digest: bool, len: usize) -> Option<Layout> {
    let size = start_of_bytes(height, has_digest).checked_add(len)?;
    Layout::from_size_align(size, align_of::<Entry>().max(align_of::<Link>())).ok()
}

/// A version that the tree may contain. Its memory is valid for `'g`.
#[derive(Clone, Copy)]
pub(crate) struct Version<'g> {
    entry: NonNull<Entry>,
    lives: PhantomData<&'g Entry>,
}

impl PartialEq for Version<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.entry == other.entry
    }
}

impl<'g> Version<'g> {
    /// # Safety
    /// The entry came from [`NewVersion::make`], and is not freed during `'g`.
    pub(super) unsafe fn new(entry: NonNull<Entry>) -> Self {
        Self {
            entry,
            lives: PhantomData,
        }
    }

    /// Loads a link.
    ///
    /// # Safety
    /// The version to which the link points is not freed during `'g`.
    #[inline]
    pub(super) unsafe fn load(link: &Link) -> Option<Self> {
        #[cfg(all(test, not(any(loom, shuttle))))]
        super::tests::count_step();
        // SeqCst, as `reclaim` asks of loads of pointers that a guard protects. Acquire: pairs
        // with the stores of links in `change`.
        let entry = NonNull::new(link.load(Ordering::SeqCst))?;
        // SAFETY: by contract.
        Some(unsafe { Self::new(entry) })
    }

    pub(super) fn as_ptr(self) -> *mut Entry {
        self.entry.as_ptr()
    }

    #[inline]
    fn entry(self) -> &'g Entry {
        // SAFETY: valid for 'g.
        unsafe { self.entry.as_ref() }
    }

    /// The tag, to look at what never changes.
    #[inline]
    pub(super) fn tag(self) -> Tag {
        // Relaxed: written before the version was published.
        Tag(self.entry().tag.load(Ordering::Relaxed))
    }

    /// The tag, to look at the number.
    #[inline]
    pub(super) fn current_tag(self) -> Tag {
        // Acquire: pairs with `set_tag`. A reader that finds the number of a batch's version finds
        // all marks of that batch.
        let ordering = Line::NumberIsAcquired.acquire();
        Tag(self.entry().tag.load(ordering))
    }

    /// Gives the version another number, or another commit record.
    pub(super) fn set_tag(self, tag: Tag, ordering: Ordering) {
        self.entry().tag.store(tag.0, ordering);
    }

    #[inline]
    pub(crate) fn number(self) -> u64 {
        self.current_tag().number()
    }

    /// The number of the version's kind.
    pub(crate) fn kind_number(self) -> u32 {
        self.tag().kind_number()
    }

    /// The version's kind. A kind that memory errors have made impossible counts as a value:
    /// `digest` finds it.
    pub(crate) fn kind(self) -> Kind {
        Kind::of(self.kind_number()).unwrap_or(Kind::Value)
    }

    pub(crate) fn digest(self) -> Option<Digest> {
        let tag = self.tag();
        // SAFETY: the digest follows the links.
        tag.has_digest().then(|| unsafe {
            let start = start_of_bytes(tag.height(), false);
            self.entry
                .as_ptr()
                .cast::<u8>()
                .add(start)
                .cast::<Digest>()
                .read_unaligned()
        })
    }

    #[inline]
    pub(crate) fn is_tombstone(self) -> bool {
        self.tag().is_tombstone()
    }

    #[inline]
    pub(super) fn height(self) -> usize {
        self.tag().height()
    }

    #[inline]
    pub(super) fn link(self, level: usize) -> &'g Link {
        debug_assert!(level < self.height());
        // SAFETY: an entry has as many links as it is high.
        unsafe {
            let links = self.entry.as_ptr().cast::<u8>().add(LINKS).cast::<Link>();
            &*links.add(level)
        }
    }

    /// Returns the next older version.
    #[inline]
    pub(crate) fn older(self) -> Option<Self> {
        // SAFETY: what a version links to outlives the guards under which the version was found.
        unsafe { Self::load(self.link(0)) }
    }

    fn len(self) -> usize {
        // Relaxed: written before the version was published.
        (self.entry().length_and_rank.load(Ordering::Relaxed) >> 8) as usize
    }

    /// Returns the version's bytes.
    pub(crate) fn bytes(self) -> &'g [u8] {
        // SAFETY: the bytes follow the links, and never change.
        unsafe {
            let start = self.tag().start_of_bytes();
            let start = self.entry.as_ptr().cast::<u8>().add(start);
            std::slice::from_raw_parts(start, self.len())
        }
    }

    /// Returns the rank. Only under the leaf's lock.
    pub(super) fn rank(self) -> u64 {
        // Relaxed: the lock orders the accesses.
        self.entry().length_and_rank.load(Ordering::Relaxed) & 0xff
    }

    /// Only under the leaf's lock, or before the version is published.
    pub(super) fn set_rank(self, rank: u64) {
        debug_assert!(rank <= 0xff);
        let word = (self.len() as u64) << 8 | rank;
        // Relaxed: as `rank`.
        self.entry().length_and_rank.store(word, Ordering::Relaxed);
    }

    fn layout(self) -> Layout {
        let tag = self.tag();
        layout(tag.height(), tag.has_digest(), self.len())
            .expect("it was allocated with this layout")
    }

    pub(super) fn size(self) -> usize {
        self.layout().size()
    }

    /// # Safety
    /// No thread uses the version any more.
    pub(super) unsafe fn free(self, memory: &Memory) {
        let layout = self.layout();
        if needs_drop::<Entry>() || needs_drop::<Link>() {
            for level in 0..self.height() {
                // SAFETY: by contract; each is dropped once.
                unsafe {
                    std::ptr::from_ref(self.link(level))
                        .cast_mut()
                        .drop_in_place()
                };
            }
            // SAFETY: as above.
            unsafe { self.entry.drop_in_place() };
        }
        // SAFETY: by contract.
        unsafe { memory.free_value_accounted(self.entry.cast(), layout) };
    }
}

/// A version that is not in a list yet; freed on drop.
pub(crate) struct NewVersion<'m> {
    memory: &'m Memory,
    version: Version<'m>,
}

impl<'m> NewVersion<'m> {
    /// Copies a version's bytes to new memory.
    pub(super) fn make(
        memory: &'m Memory,
        number: u64,
        kind: Kind,
        digest: Option<Digest>,
        bytes: &[u8],
    ) -> Result<Self, OutOfMemory> {
        debug_assert!((1..=MAX_NUMBER).contains(&number));
        Self::allocate(memory, height_of(number), number, kind, digest, bytes)
    }

    /// [`Self::make`] for a version that gets its number later. `seed` chooses its height.
    pub(super) fn prepare(
        memory: &'m Memory,
        seed: u64,
        kind: Kind,
        bytes: &[u8],
    ) -> Result<Self, OutOfMemory> {
        Self::allocate(memory, height_of(seed), 0, kind, None, bytes)
    }

    fn allocate(
        memory: &'m Memory,
        height: usize,
        number: u64,
        kind: Kind,
        digest: Option<Digest>,
        bytes: &[u8],
    ) -> Result<Self, OutOfMemory> {
        let layout =
            layout(height, digest.is_some(), bytes.len()).filter(|_| bytes.len() < 1 << 48);
        let layout = layout.ok_or(OutOfMemory)?;
        let place = memory.allocate_value_accounted(layout);
        let entry = place.ok_or(OutOfMemory)?.cast::<Entry>();
        let tag = Tag::new(number, digest.is_some(), height, kind);
        // SAFETY: freshly allocated with room for the header, the links, the digest and the bytes.
        unsafe {
            entry.write(Entry {
                tag: AtomicU64::new(tag.0),
                length_and_rank: AtomicU64::new((bytes.len() as u64) << 8),
            });
            let links = entry.cast::<u8>().add(LINKS).cast::<Link>();
            for level in 0..height {
                links.add(level).write(Link::new(std::ptr::null_mut()));
            }
            if let Some(digest) = digest {
                links.add(height).cast::<Digest>().write_unaligned(digest);
            }
            let to = entry.cast::<u8>().add(tag.start_of_bytes());
            to.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
            let version = Version::new(entry);
            Ok(Self { memory, version })
        }
    }

    pub(super) fn version(&self) -> Version<'m> {
        self.version
    }

    /// Gives a prepared version its number, before it is published.
    pub(super) fn set_number(&self, number: u64) {
        let tag = self.version.tag().with_number(number);
        // Relaxed: the link to the version publishes it.
        self.version.set_tag(tag, Ordering::Relaxed);
    }

    /// The list owns the version now.
    pub(super) fn stored(self) {
        std::mem::forget(self);
    }
}

impl Drop for NewVersion<'_> {
    fn drop(&mut self) {
        // SAFETY: no other thread has a pointer to it.
        unsafe { self.version.free(self.memory) }
    }
}

/// The order of the store of a link to a new version.
#[inline]
pub(super) fn publishing() -> Ordering {
    // Release: pairs with `Version::load`. A reader that follows the link sees the version.
    Line::VersionIsReleased.release()
}

impl Retire for Entry {
    unsafe fn bytes(entry: *mut Self, _: &Domain) -> usize {
        // SAFETY: by contract.
        unsafe { Version::new(NonNull::new_unchecked(entry)).size() }
    }

    unsafe fn free(entry: *mut Self, domain: &Domain) {
        // SAFETY: by contract.
        unsafe { Version::new(NonNull::new_unchecked(entry)).free(&domain.memory) }
    }
}
