//! Model checks of trees in a store (`make check-models`), with shuttle: see the models of the index.

use std::sync::Arc;

use shuttle::thread;

use super::positions::Positions;
use super::*;
use crate::index::memory::Source;
use crate::index::tree::TreeOptions;
use crate::index::tree::models::harness::{explore, explore_more};
use crate::protocol::Line;
use crate::protocol::models::check;

const KEYS: [&[u8]; 2] = [b"a", b"b"];

/// A store with one tree.
struct Store {
    tree: Tree,
    clock: Clock,
    positions: Box<Positions>,
}

impl Store {
    fn new() -> Arc<Self> {
        let positions = Box::new(Positions::new(64));
        let clock = positions.clock(Source::new(None));
        let mut tree = Tree::with_options(&TreeOptions {
            values: values(),
            ..TreeOptions::default()
        })
        .unwrap();
        attach(&mut tree, Freeing::WhenOverwritten, Some(&clock)).unwrap();
        Arc::new(Self {
            tree,
            clock,
            positions,
        })
    }

    fn of(&self) -> VersionedTree<'_> {
        VersionedTree::of(&self.tree).unwrap()
    }

    fn commit(&self, key: &[u8], kind: Kind) -> u64 {
        let guard = self.tree.guard().unwrap();
        let new = self.of().prepare(guard.pin(), kind, b"").unwrap();
        let number = || Ok(self.positions.take(1));
        let committed = (self.of()).commit(guard.pin(), key, new, |_| Ok::<_, ()>(()), number);
        let committed = committed.ok().unwrap();
        self.positions.fill(committed.number, 1);
        committed.number
    }

    /// A batch of both keys, which is committed or aborted; on the second one with this mark.
    fn batch(&self, second: Mark<'_>, commits: bool) -> Option<u64> {
        let guard = self.tree.guard().unwrap();
        let record = self.clock.record().unwrap();
        let marks = [Mark::Write(Kind::Value, b""), second];
        let marked = [0, 1].map(|at| {
            let judge = |_: Option<Version<'_>>| Ok::<_, ()>(());
            let marked = (self.of()).mark(guard.pin(), KEYS[at], &record, marks[at], judge);
            marked.ok().unwrap()
        });
        let number = commits.then(|| self.positions.take(1));
        match number {
            None => record.abort(),
            Some(number) => {
                record.decide(number);
                self.positions.fill(number, 1);
            }
        }
        for mark in marked {
            self.of().resolve(guard.pin(), mark);
        }
        number
    }

    /// Returns the number of the value that a reader sees.
    fn seen(&self, key: &[u8], number: u64) -> Option<u64> {
        let guard = self.tree.guard().unwrap();
        match self.of().get(guard.pin(), key, number) {
            Found::Version(version) => Some(version.number()),
            _ => None,
        }
    }

    fn seen_both(&self, number: u64) -> [Option<u64>; 2] {
        KEYS.map(|key| self.seen(key, number))
    }

    fn trim(&self) {
        let guard = self.tree.guard().unwrap();
        _ = self.of().trim(guard.pin(), LATEST, 100).unwrap();
    }

    fn check(&self) {
        let guard = self.tree.guard().unwrap();
        let sound = self.of().check(guard.pin(), &mut |line| panic!("{line}"));
        assert_eq!(sound, Ok(true));
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: all threads have ended.
        unsafe { detach(&self.tree) }
    }
}

const WRITE: Mark<'_> = Mark::Write(Kind::Value, b"");

fn spawn(of: &Arc<Store>, work: impl FnOnce(&Store) + Send + 'static) -> thread::JoinHandle<()> {
    let store = Arc::clone(of);
    thread::spawn(move || work(&store))
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A batch is committed while a reader opens a snapshot.
#[test]
fn a_snapshot_of_a_store_sees_a_batch_whole_and_does_not_change() {
    check(&[Line::SnapshotIsInstalled], || {
        explore(|| {
            let store = Store::new();
            let writer = spawn(&store, |store| _ = store.batch(WRITE, true));
            let reader = spawn(&store, |store| {
                let snapshot = store.of().snapshot().unwrap();
                let [first, second] = store.seen_both(snapshot.number());
                assert_eq!(first, second);
                assert_eq!(store.seen_both(snapshot.number()), [first, second]);
            });
            join([writer, reader]);
            store.check();
        });
    });
}

/// A batch is committed while readers look up both keys at once, and one after the other.
#[test]
fn readers_at_the_latest_number_see_a_batch_whole() {
    check(&[Line::SeveralAtSnapshot], || {
        explore(|| {
            let store = Store::new();
            let writer = spawn(&store, |store| _ = store.batch(WRITE, true));
            let at_once = spawn(&store, |store| {
                let guard = store.tree.guard().unwrap();
                let mut seen = [false; 2];
                let key_at = |index: usize| KEYS.get(index).copied();
                store
                    .of()
                    .get_each(guard.pin(), 2, key_at, LATEST, |index, found| {
                        seen[index] = matches!(found, Found::Version(_));
                    });
                assert_eq!(seen[0], seen[1]);
            });
            let in_order = spawn(&store, |store| {
                for [first, second] in [[0, 1], [1, 0]] {
                    if store.seen(KEYS[first], LATEST).is_some() {
                        assert!(store.seen(KEYS[second], LATEST).is_some());
                    }
                }
            });
            join([writer, at_once, in_order]);
            store.check();
        });
    });
}

/// Single commits to the keys of a batch, which is committed, or aborted and holds an absent key.
#[test]
fn a_writer_waits_for_a_mark_and_goes_on() {
    let lines = [Line::WriterWaitsForMark, Line::PendingIsLookedAtAgain];
    check(&lines, || {
        for (second, commits) in [(WRITE, true), (Mark::Hold, true), (Mark::Hold, false)] {
            explore_more(32, move || {
                let store = Store::new();
                let batch = spawn(&store, move |store| _ = store.batch(second, commits));
                let others = KEYS.map(|key| {
                    spawn(&store, move |store| {
                        let number = store.commit(key, Kind::Value);
                        let seen = store.seen(key, LATEST);
                        assert!(seen >= Some(number), "{seen:?} of {number}");
                    })
                });
                join(others.into_iter().chain([batch]));
                for key in KEYS {
                    store.commit(key, Kind::Value);
                }
                store.check();
            });
        }
    });
}

/// Two batches of the same keys, a commit, a trim, and a snapshot; overwrites free what they hide.
#[test]
fn nothing_that_a_reader_needs_is_freed_beside_a_pending_version() {
    check(&[], || {
        explore(|| {
            let store = Store::new();
            for key in KEYS {
                store.commit(key, Kind::Value);
            }
            let batch = spawn(&store, |store| _ = store.batch(WRITE, true));
            let aborted = spawn(&store, |store| {
                store.batch(WRITE, false);
                store.trim();
            });
            let single = spawn(&store, |store| {
                _ = store.commit(KEYS[0], Kind::Value);
            });
            let holder = spawn(&store, |store| {
                let snapshot = store.of().snapshot().unwrap();
                let first = store.seen_both(snapshot.number());
                assert!(first.iter().all(Option::is_some));
                assert!(store.seen_both(LATEST).iter().all(Option::is_some));
                assert_eq!(store.seen_both(snapshot.number()), first);
            });
            join([batch, aborted, single, holder]);
            store.check();
            let guard = store.tree.guard().unwrap();
            for key in KEYS {
                store.commit(key, Kind::Value);
            }
            assert_eq!(store.of().counts(guard.pin()).versions, 2);
        });
    });
}
