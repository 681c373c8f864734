//! Numbers: which are visible, which groups are pending, which snapshots are open, and to which
//! floor the tree was trimmed. The protocol is in the comment of `versioned`.

use std::cell::UnsafeCell;
use std::ops::Deref;
use std::ptr::NonNull;

use arrayvec::ArrayVec;

use super::LATEST;
use super::entry::MAX_NUMBER;
use crate::index::memory::{OutOfMemory, Vector};
use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering, Wait};

/// The most groups that may be pending at a time.
const MOST_PENDING: usize = 64;

/// The numbers of a tree.
pub(super) struct Numbers {
    /// 1 while a thread owns `state`.
    lock: AtomicU64,
    state: UnsafeCell<State>,
    /// The greatest number below every pending group; [`LATEST`] as long as no number was taken
    /// from the tree. Stored under the lock.
    visible: AtomicU64,
    /// The number below which readers without a snapshot may miss versions: the highest floor of
    /// a trim, or of an overwrite that freed versions. Stored under the lock.
    floor: AtomicU64,
    /// The number up to which nothing may be stored any more: the highest floor of a trim. Stored
    /// under the lock.
    write_floor: AtomicU64,
}

// SAFETY: only the lock's owner accesses `state`.
unsafe impl Sync for Numbers {}
// SAFETY: snapshots are allocations that any thread may access.
unsafe impl Send for Numbers {}

struct State {
    /// The next number to hand out; 0 as long as none was taken.
    next: u64,
    /// First and last number of each pending group, in ascending order.
    pending: ArrayVec<(u64, u64), MOST_PENDING>,
    /// The last snapshot that was opened.
    snapshots: Option<NonNull<Registered>>,
}

/// A snapshot in the list of all.
pub(super) struct Registered {
    pub(super) number: u64,
    before: Option<NonNull<Registered>>,
    after: Option<NonNull<Registered>>,
}

impl Registered {
    /// A snapshot that is in no list yet.
    pub(super) fn new() -> Self {
        Self {
            number: 0,
            before: None,
            after: None,
        }
    }
}

/// What a group could not be taken or published for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GroupFault {
    /// Too many groups are pending.
    Busy,
    /// No group begins at the number; or it would be longer than numbers are left.
    Invalid,
}

/// The most snapshots that an overwrite looks at; beside more, it leaves the work to trims.
const MOST_SNAPSHOTS: usize = 16;

/// The numbers at which readers may read when a trim or an overwrite begins to free versions.
pub(super) struct ReadPoints<S> {
    pub(super) floor: u64,
    /// The numbers of snapshots below the floor, in descending order.
    pub(super) snapshots: S,
    /// Whether nothing at or below the floor may be stored any more.
    pub(super) floor_is_closed: bool,
}

/// The points of an overwrite.
pub(super) type FewPoints = ReadPoints<ArrayVec<u64, MOST_SNAPSHOTS>>;

impl<S: Deref<Target = [u64]>> ReadPoints<S> {
    /// Returns the lowest number of at least `number`, which is at most the floor, at which readers may
    /// read.
    pub(super) fn at_least(&self, number: u64) -> u64 {
        let after = self.snapshots.partition_point(|&at| at >= number);
        match after.checked_sub(1) {
            Some(lowest) => self.snapshots[lowest],
            None => self.floor,
        }
    }

    /// Returns the greatest snapshot below `number`.
    pub(super) fn below(&self, number: u64) -> Option<u64> {
        let at = self.snapshots.partition_point(|&at| at >= number);
        self.snapshots.get(at).copied()
    }
}

impl Numbers {
    pub(super) fn new() -> Self {
        Self {
            lock: AtomicU64::new(0),
            state: UnsafeCell::new(State {
                next: 0,
                pending: ArrayVec::new(),
                snapshots: None,
            }),
            visible: AtomicU64::new(LATEST),
            floor: AtomicU64::new(0),
            write_floor: AtomicU64::new(0),
        }
    }

    /// Calls `body` with the state under the lock. `body` allocates nothing, and calls nothing of
    /// the user's.
    fn locked<R>(&self, body: impl FnOnce(&mut State) -> R) -> R {
        let wait = Wait::new();
        // Acquire: pairs with the store below. Ends: the owner runs a few instructions.
        while (self.lock)
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            wait.wait();
        }
        // SAFETY: this thread owns the lock.
        let result = body(unsafe { &mut *self.state.get() });
        self.lock.store(0, Ordering::Release);
        result
    }

    /// The number at which readers at [`LATEST`] read: [`LATEST`] if no number was taken.
    #[inline]
    pub(super) fn visible(&self) -> u64 {
        // Acquire: pairs with the store in `publish`. A reader at this number sees every write
        // that was made before its group was published.
        self.visible.load(Line::VisibleIsAcquired.acquire())
    }

    /// The number below which readers without a snapshot may miss versions. After a load of a link
    /// over versions that a trim or an overwrite has removed, this is its floor or a higher one: it
    /// stored the floor before the link.
    #[inline]
    pub(super) fn floor(&self) -> u64 {
        self.floor.load(Ordering::Acquire)
    }

    /// Whether a caller may store a version with this number: it is above the floor and, once
    /// numbers were taken from the tree, above the visible number, so that no reader at
    /// [`LATEST`] has read at it. It need not be of a pending group.
    #[inline]
    pub(super) fn admits(&self, number: u64) -> bool {
        let visible = self.visible.load(Ordering::Relaxed);
        // SeqCst: see `quiet`.
        let floor = self.write_floor.load(Ordering::SeqCst);
        number > floor && (visible == LATEST || number > visible)
    }

    /// Hands out `count` consecutive numbers, as a pending group. `highest`: the highest number in
    /// the tree, above which the first group begins.
    pub(super) fn take(&self, count: u64, highest: u64) -> Result<u64, GroupFault> {
        self.locked(|state| {
            let first = state.next.max(highest + 1);
            if count == 0 || count > MAX_NUMBER || first > MAX_NUMBER - count + 1 {
                return Err(GroupFault::Invalid);
            }
            if state.pending.is_full() {
                return Err(GroupFault::Busy);
            }
            state.next = first + count;
            state.pending.push((first, first + count - 1));
            if state.pending.len() == 1 {
                // What was stored before is published.
                self.visible.store(first - 1, Ordering::Release);
            }
            Ok(first)
        })
    }

    /// Publishes the group that begins at `first`. Returns the visible number.
    pub(super) fn publish(&self, first: u64) -> Result<u64, GroupFault> {
        self.locked(|state| {
            let group = state.pending.iter().position(|group| group.0 == first);
            state.pending.remove(group.ok_or(GroupFault::Invalid)?);
            let visible = match state.pending.first() {
                Some(&(lowest, _)) if Line::VisibleIsBelowPending.is_enabled() => lowest - 1,
                _ => state.next - 1,
            };
            // Release: pairs with `visible`. Writers of the groups below made their writes before
            // they published, under this lock.
            self.visible
                .store(visible, Line::VisibleIsReleased.release());
            Ok(visible)
        })
    }

    /// Adds a snapshot at the visible number to the list, or at `highest()` if no number was taken.
    ///
    /// # Safety
    /// The snapshot does not move, and is live until `remove`.
    pub(super) unsafe fn add(&self, snapshot: NonNull<Registered>, highest: impl Fn() -> u64) {
        self.locked(|state| {
            let number = self.latest(&highest);
            // SAFETY: all snapshots in the list are live, and only the lock's owner accesses them.
            unsafe {
                snapshot.write(Registered {
                    number,
                    before: state.snapshots,
                    after: None,
                });
                // Field by field: owners read their snapshots' numbers meanwhile.
                if let Some(before) = state.snapshots {
                    (*before.as_ptr()).after = Some(snapshot);
                }
            }
            state.snapshots = Some(snapshot);
        });
    }

    /// Removes a snapshot from the list.
    ///
    /// # Safety
    /// `add` added it, and it is removed once.
    pub(super) unsafe fn remove(&self, snapshot: NonNull<Registered>) {
        self.locked(|state| {
            // SAFETY: as in `add`.
            unsafe {
                let Registered { before, after, .. } = *snapshot.as_ref();
                if let Some(before) = before {
                    (*before.as_ptr()).after = after;
                }
                match after {
                    Some(after) => (*after.as_ptr()).before = before,
                    None => state.snapshots = before,
                }
            }
        });
    }

    /// Begins a trim: raises the floor to `floor`, or to the greatest number that is visible, and
    /// collects the numbers at which readers may read. `snapshots` is empty.
    pub(super) fn begin_trim(
        &self,
        floor: u64,
        highest: impl Fn() -> u64,
        mut snapshots: Vector<u64>,
    ) -> Result<ReadPoints<Vector<u64>>, OutOfMemory> {
        // Ends: the vector grows to the number of snapshots, and another round is needed only if
        // more were opened meanwhile.
        loop {
            let collected = self.locked(|state| {
                let most = self.latest(&highest);
                let floor = match Line::FloorIsVisible.is_enabled() {
                    true => floor.min(most),
                    false => floor,
                };
                let mut count = 0;
                for number in state.snapshots().filter(|&number| number < floor) {
                    count += 1;
                    if snapshots.len() < snapshots.capacity() {
                        snapshots.push(number);
                    }
                }
                if count > snapshots.len() {
                    return Err(count);
                }
                raise(&self.write_floor, floor);
                raise(&self.floor, floor);
                Ok(floor)
            });
            match collected {
                Ok(floor) => {
                    snapshots.sort_unstable_by(|a, b| b.cmp(a));
                    return Ok(ReadPoints {
                        floor,
                        snapshots,
                        floor_is_closed: true,
                    });
                }
                Err(count) => {
                    snapshots.clear();
                    (snapshots.try_reserve(count + count / 2)).map_err(|_| OutOfMemory)?;
                }
            }
        }
    }

    /// Begins to free what an overwrite has made unreadable: raises the floor of readers to the
    /// greatest number that is visible, and collects the numbers at which readers may read. Writes
    /// below it stay possible. `None` if too many snapshots are open. Allocates nothing.
    pub(super) fn begin_overwrite(&self, highest: impl Fn() -> u64) -> Option<FewPoints> {
        self.locked(|state| {
            let floor = self.latest(&highest);
            let mut snapshots = ArrayVec::new();
            for number in state.snapshots().filter(|&number| number < floor) {
                snapshots.try_push(number).ok()?;
            }
            raise(&self.floor, floor);
            snapshots.sort_unstable_by(|a, b| b.cmp(a));
            Some(ReadPoints {
                floor,
                snapshots,
                floor_is_closed: false,
            })
        })
    }

    /// The number at which a snapshot reads that is opened now. Under the lock.
    fn latest(&self, highest: &impl Fn() -> u64) -> u64 {
        match self.visible.load(Ordering::Relaxed) {
            LATEST => highest(),
            visible => visible,
        }
    }

    /// Whether a read at this number that has just ended found all that was visible at it: no trim
    /// has gone beyond the number, or a snapshot has kept it readable.
    #[inline]
    pub(super) fn was_readable(&self, number: u64) -> bool {
        number >= self.floor() || self.has_snapshot(number)
    }

    #[cold]
    fn has_snapshot(&self, number: u64) -> bool {
        self.locked(|state| state.snapshots().any(|of| of == number))
    }

    /// The number of snapshots, and the number of the oldest, for statistics.
    pub(super) fn open_snapshots(&self) -> (u64, Option<u64>) {
        self.locked(|state| (state.snapshots().count() as u64, state.snapshots().min()))
    }
}

/// Raises a floor before versions are removed. Under the lock.
fn raise(floor: &AtomicU64, to: u64) {
    if Line::FloorBeforeUnlinking.is_enabled() && floor.load(Ordering::Relaxed) < to {
        // SeqCst, as the stores that unlink, which follow; and see `quiet`.
        floor.store(to, Ordering::SeqCst);
    }
}

impl State {
    fn snapshots(&self) -> impl Iterator<Item = u64> {
        let mut next = self.snapshots;
        std::iter::from_fn(move || {
            // SAFETY: all snapshots in the list are live, and the lock is held.
            let snapshot = unsafe { next?.as_ref() };
            next = snapshot.before;
            Some(snapshot.number)
        })
    }
}
