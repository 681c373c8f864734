//! Model checks (`make check-models`) of the order that `reclaim` requires of its users, with a
//! substitute for seize: a collector of one guard, which frees an object at once if that guard
//! is not held.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::flush::Census;
use super::slots::Slot;
use crate::index::key::Key;
use crate::index::key_source::KeySource;
use crate::index::node::{Entry, Found, Leaf, Locked, NodeRef, Portable};
use crate::protocol::Line;
use crate::protocol::models::check;
use crate::sync::{AtomicU64, Ordering, fence};

/// Seize's protocol for one guard. Where the kernel has `membarrier`, the retiring thread issues
/// one instead of the guard's fence; the model does not distinguish the two.
struct Collector {
    held: AtomicU64,
    /// The memory of the retired object; freeing it is modelled by a store to it.
    memory: UnsafeCell<u64>,
}

// SAFETY: the model checks exactly that.
unsafe impl Sync for Collector {}
// SAFETY: as for `Sync`.
unsafe impl Send for Collector {}

impl Collector {
    fn enter(&self) {
        self.held.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    fn leave(&self) {
        self.held.store(0, Ordering::Release);
    }

    fn retire(&self) {
        fence(Ordering::SeqCst);
        if self.held.load(Ordering::Acquire) == 0 {
            // SAFETY: loom reports concurrent accesses.
            self.memory.with_mut(|memory| unsafe { *memory = 0 });
        }
    }
}

const KEY: &[u8] = b"goes on in a layer";

/// Whether a leaf links to a layer.
fn has_link(leaf: &Leaf) -> bool {
    // Ends: the writer changes the leaf once.
    loop {
        let version = NodeRef::from(leaf).version().stable();
        match leaf.search::<Portable>(version, &Key::new(KEY)) {
            Some(found) => return matches!(found, Found::Layer(_)),
            None => thread::yield_now(),
        }
    }
}

/// A writer removes a link by a store of the leaf's permutation, and then retires the node to which
/// the link points. A thread that finds the link under a guard never finds that node freed.
#[test]
fn an_object_found_under_a_guard_is_not_freed() {
    let lines = [Line::UnlinkedBeforeRetired, Line::GuardBeforePointer];
    check(&lines, || {
        loom::model(|| {
            let (leaf, below) = (Arc::new(Leaf::new()), Arc::new(Leaf::new()));
            let root = NodeRef::from(&*below);
            Locked::private(&*leaf).insert(
                0,
                &Entry::link(Key::new(KEY).slice(), root),
                &KeySource::NONE,
            );
            let collector = Arc::new(Collector {
                held: AtomicU64::new(0),
                memory: UnsafeCell::new(1),
            });
            let writer = {
                let (leaf, below, collector) = (leaf.clone(), below.clone(), collector.clone());
                thread::spawn(move || {
                    if !Line::UnlinkedBeforeRetired.is_enabled() {
                        collector.retire();
                    }
                    Locked::lock(&*leaf).remove_link(NodeRef::from(&*below));
                    if Line::UnlinkedBeforeRetired.is_enabled() {
                        collector.retire();
                    }
                })
            };
            let early = (!Line::GuardBeforePointer.is_enabled()).then(|| has_link(&leaf));
            collector.enter();
            if early.unwrap_or_else(|| has_link(&leaf)) {
                // SAFETY: loom reports concurrent accesses.
                let memory = collector.memory.with(|memory| unsafe { *memory });
                assert_eq!(memory, 1, "freed");
            }
            collector.leave();
            writer.join().unwrap();
        });
    });
}

/// Slots of two guards, and their reservations in seize.
struct Reservations {
    slots: [Slot; 2],
    active: [AtomicU64; 2],
}

impl Reservations {
    fn new() -> Self {
        Self {
            slots: [Slot::free(), Slot::free()],
            active: [AtomicU64::new(0), AtomicU64::new(0)],
        }
    }

    /// Enters a guard, and leaves it again if `and_leave`.
    fn enter(&self, guard: usize, and_leave: bool) {
        assert!(self.slots[guard].try_claim(2));
        self.slots[guard].count_guard();
        self.active[guard].store(1, Ordering::Relaxed);
        if and_leave {
            self.active[guard].store(0, Ordering::Release);
            self.slots[guard].vacate();
        }
    }

    fn census(&self) -> Census {
        self.slots[0].census() + self.slots[1].census()
    }

    /// How many active reservations seize finds in a flush.
    fn active(&self) -> u64 {
        let active = self.active.iter().map(|head| head.load(Ordering::Relaxed));
        active.sum()
    }
}

/// A flush never finds more active reservations than it has counted. If it counted too few, it
/// could report a batch as flushed that seize has kept because the batch was too short.
#[test]
fn a_flush_counts_every_reservation_it_finds() {
    let lines = [
        Line::GuardCountedBeforeActive,
        Line::BegunCountedBeforeLiving,
        Line::NewReservationsCount,
    ];
    check(&lines, || {
        loom::model(|| {
            let reservations = Arc::new(Reservations::new());
            let flushes = {
                let reservations = reservations.clone();
                thread::spawn(move || {
                    let before = reservations.census();
                    let found = reservations.active();
                    fence(Ordering::Acquire);
                    let most = before.most_until(reservations.census());
                    assert!(found <= most, "found {found}, counted {most}");
                })
            };
            let leaves = {
                let reservations = reservations.clone();
                thread::spawn(move || reservations.enter(1, true))
            };
            reservations.enter(0, false);
            leaves.join().unwrap();
            flushes.join().unwrap();
        });
    });
}
