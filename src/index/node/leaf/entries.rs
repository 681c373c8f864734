//! A snapshot of a leaf: a validated copy, which walks read while writers change the leaf.
//!
//! A snapshot copies the whole leaf, line by line, and decodes entries only on demand. The contents
//! of slots that are not live in the permutation have no meaning; the permutation is loaded before
//! the rest (see `leaf`). Tails are copied, too. Suffixes in a bag are not, but the offsets of their
//! records are: a record never changes, but a slot may get another record later.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use super::references::referred;
use super::tails::marks_tail;
use super::{Entry, Leaf, Suffix, kind_in, value_of};
use crate::index::key::{Kind, LAYER, SUFFIX};
use crate::index::node::permutation::{Permutation, WIDTH};
use crate::index::node::search::Search;
use crate::index::node::suffix::{Bag, BagRef, Offsets};
use crate::index::node::version::Version;
use crate::sync::{Ordering, perturb};

/// A copy of a leaf's words, in the order of the leaf.
#[repr(C)]
pub(crate) struct Image {
    version: u64,
    slices: [u64; WIDTH],
    permutation: u64,
    marks: [u8; WIDTH + 1],
    words: [*mut (); WIDTH],
    bag: *mut Bag,
    next: *mut Leaf,
    prev: *mut Leaf,
    rest: [u64; 3],
}

#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(size_of::<Image>() == size_of::<Leaf>());

/// Copies a leaf word by word, with atomic loads. Words that readers do not use stay zero.
pub(crate) fn copy_portably(leaf: &Leaf, to: &mut MaybeUninit<Image>) {
    to.write(Image {
        version: 0,
        slices: std::array::from_fn(|i| leaf.head.words[i].load(Ordering::Relaxed)),
        permutation: 0,
        marks: std::array::from_fn(|i| leaf.marks[i].load(Ordering::Relaxed)),
        words: std::array::from_fn(|i| leaf.word(i)),
        bag: leaf.bag.load(Ordering::SeqCst),
        next: leaf.next.load(Ordering::SeqCst),
        prev: leaf.prev.load(Ordering::SeqCst),
        rest: [0; 3],
    });
}

/// The entries of a leaf at one moment, in key order.
pub(crate) struct Entries<'g> {
    /// If this permutation is not empty, `image` is initialized.
    permutation: Permutation,
    image: MaybeUninit<Image>,
    /// Whether the leaf has tails; then, if the permutation is not empty, `tails` is initialized.
    tailed: bool,
    /// Whether its tails are references.
    referring: bool,
    tails: MaybeUninit<[u64; WIDTH]>,
    offsets: Offsets,
    pinned: PhantomData<&'g Leaf>,
}

/// The next and the previous leaf of a leaf at one moment.
pub(crate) struct Neighbours<'g> {
    pub(crate) next: Option<&'g Leaf>,
    pub(crate) prev: Option<&'g Leaf>,
}

impl Neighbours<'_> {
    pub(crate) const NONE: Self = Self {
        next: None,
        prev: None,
    };
}

impl<'g> Entries<'g> {
    pub(crate) fn new() -> Self {
        Self {
            permutation: Permutation::EMPTY,
            image: MaybeUninit::uninit(),
            tailed: false,
            referring: false,
            tails: MaybeUninit::uninit(),
            offsets: Offsets::NONE,
            pinned: PhantomData,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.permutation = Permutation::EMPTY;
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.permutation.len()
    }

    /// The slot of the entry at a position, and the image.
    #[inline]
    fn at(&self, position: usize) -> (usize, &Image) {
        debug_assert!(position < self.len());
        let slot = self.permutation.slot(position);
        // SAFETY: the snapshot has entries, so `snapshot` has initialized the image. A
        // permutation names slots below WIDTH.
        unsafe {
            std::hint::assert_unchecked(slot < WIDTH);
            (slot, self.image.assume_init_ref())
        }
    }

    #[inline]
    pub(crate) fn slice(&self, position: usize) -> u64 {
        let (slot, image) = self.at(position);
        image.slices[slot]
    }

    #[inline]
    pub(crate) fn kind(&self, position: usize) -> Kind {
        let (slot, image) = self.at(position);
        kind_in(image.marks[slot])
    }

    /// The slot of an entry.
    pub(crate) fn slot(&self, position: usize) -> usize {
        self.permutation.slot(position)
    }

    /// The value of an entry that is not a link.
    #[inline]
    pub(crate) fn value(&self, position: usize) -> u64 {
        let (slot, image) = self.at(position);
        debug_assert_ne!(kind_in(image.marks[slot]), LAYER);
        value_of(image.words[slot])
    }

    /// The suffix of an entry of kind `SUFFIX`.
    #[inline]
    pub(crate) fn suffix(&self, position: usize) -> Suffix<'g> {
        let (slot, image) = self.at(position);
        let mark = image.marks[slot];
        debug_assert_eq!(kind_in(mark), SUFFIX);
        if self.tailed && marks_tail(mark) {
            // SAFETY: the leaf has tails, so `snapshot` has copied them.
            let tail = unsafe { self.tails.assume_init_ref() }[slot];
            return match self.referring {
                // SAFETY: a reference of the leaf; the fence that follows the load is that of the
                // validation in `snapshot`.
                true => Suffix::Bytes(unsafe { referred(tail) }),
                false => Suffix::of_tail(mark, tail),
            };
        }
        // SAFETY: the leaf's bag and offsets at one moment, under the guard for 'g.
        let bag = unsafe { BagRef::at(image.bag) };
        let record = bag.and_then(|bag| bag.suffix_at(&self.offsets, slot));
        Suffix::Bytes(record.unwrap_or(&[]))
    }

    pub(crate) fn get(&self, position: usize) -> Option<Entry<'g>> {
        if position >= self.len() {
            return None;
        }
        let (slot, image) = self.at(position);
        let kind = kind_in(image.marks[slot]);
        Some(Entry {
            slice: image.slices[slot],
            kind,
            suffix: if kind == SUFFIX {
                self.suffix(position)
            } else {
                Suffix::NONE
            },
            word: image.words[slot],
        })
    }

    pub(crate) fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = Entry<'g>> + ExactSizeIterator + Clone {
        (0..self.len()).map(|position| match self.get(position) {
            Some(entry) => entry,
            None => unreachable!("a position below the length"),
        })
    }
}

impl Leaf {
    /// Copies the leaf to `entries`; returns `None`, and leaves `entries` empty, if the leaf
    /// changed since `version`.
    #[inline]
    pub(crate) fn snapshot<'g, S: Search>(
        &'g self,
        version: Version,
        entries: &mut Entries<'g>,
    ) -> Option<Neighbours<'g>> {
        entries.clear();
        let permutation = self.permutation();
        perturb();
        S::copy(self, &mut entries.image);
        entries.tailed = self.has_tails();
        if entries.tailed {
            entries.referring = self.is_referring();
            self.copy_tails(&mut entries.tails);
        }
        // SAFETY: copied just now.
        let image = unsafe { entries.image.assume_init_ref() };
        // SAFETY: null, or a bag to which a word of the leaf pointed: it is retired like a node,
        // and may be followed before validation.
        if let Some(bag) = unsafe { BagRef::at(image.bag) } {
            perturb();
            entries.offsets = bag.offsets();
        }
        if !self.head.version.validate(version) && self.needs_validation() {
            return None;
        }
        entries.permutation = permutation;
        // SAFETY: null or leaves that may be read as long as this one; see the rules in `node`.
        unsafe {
            Some(Neighbours {
                next: image.next.as_ref(),
                prev: image.prev.as_ref(),
            })
        }
    }
}
