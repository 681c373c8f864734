//! A model check (`make check-models`) of the order that `reclaim` asks of its users, with a
//! stand-in for seize: a collector of one guard, which frees at once what it protects from
//! nobody.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::flush::Census;
use super::slots::Slot;
use crate::index::key::Key;
use crate::index::node::{Entry, Found, Leaf, Locked, NodeRef, Portable};
use crate::protocol::Line;
use crate::protocol::models::check;
use crate::sync::{AtomicU64, Ordering, fence};

/// What seize does for one guard. Its fence when a guard is entered is a `membarrier` of who
/// retires, where the kernel has that: to the model they are the same.
struct Collector {
    held: AtomicU64,
    /// The memory of what is retired; freeing it is writing to it.
    memory: UnsafeCell<u64>,
}

// SAFETY: that is what the model checks.
unsafe impl Sync for Collector {}
// SAFETY: as above.
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
            // SAFETY: loom notices who else uses it.
            self.memory.with_mut(|memory| unsafe { *memory = 0 });
        }
    }
}

const KEY: &[u8] = b"goes on in a layer";

/// Whether a leaf leads to a layer.
fn leads_on(leaf: &Leaf) -> bool {
    // Ends: the writer changes the leaf once.
    loop {
        let version = NodeRef::from(leaf).version().stable();
        match leaf.search::<Portable>(version, &Key::new(KEY)) {
            Some(found) => return matches!(found, Found::Layer(_)),
            None => thread::yield_now(),
        }
    }
}

/// A link goes with a store of its leaf's permutation, and what it led to is retired after:
/// nobody who finds the link under a guard finds that memory freed.
#[test]
fn what_a_guard_leads_to_is_not_freed() {
    let lines = [Line::UnlinkedBeforeRetired, Line::GuardBeforePointer];
    check(&lines, || {
        loom::model(|| {
            let (leaf, below) = (Arc::new(Leaf::new()), Arc::new(Leaf::new()));
            let root = NodeRef::from(&*below);
            Locked::private(&*leaf).insert(0, &Entry::link(Key::new(KEY).slice(), root));
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
            let early = (!Line::GuardBeforePointer.is_enabled()).then(|| leads_on(&leaf));
            collector.enter();
            if early.unwrap_or_else(|| leads_on(&leaf)) {
                // SAFETY: loom notices who else uses it.
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

    /// A guard comes, and stays or goes.
    fn enter(&self, guard: usize, and_leave: bool) {
        assert!(self.slots[guard].become_taken(2));
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

    /// What seize meets in a hand-over.
    fn active(&self) -> u64 {
        let active = self.active.iter().map(|head| head.load(Ordering::Relaxed));
        active.sum()
    }
}

/// A hand-over never meets more reservations than it has counted. Where it counts too few, a batch
/// that is too short is taken for one that was handed over.
#[test]
fn a_hand_over_counts_whatever_it_meets() {
    let lines = [
        Line::GuardCountedBeforeActive,
        Line::BegunCountedBeforeLiving,
        Line::ArrivalsCount,
    ];
    check(&lines, || {
        loom::model(|| {
            let reservations = Arc::new(Reservations::new());
            let hands_over = {
                let reservations = reservations.clone();
                thread::spawn(move || {
                    let before = reservations.census();
                    let met = reservations.active();
                    fence(Ordering::Acquire);
                    let most = before.most_until(reservations.census());
                    assert!(met <= most, "met {met}, counted {most}");
                })
            };
            let leaves = {
                let reservations = reservations.clone();
                thread::spawn(move || reservations.enter(1, true))
            };
            reservations.enter(0, false);
            leaves.join().unwrap();
            hands_over.join().unwrap();
        });
    });
}
