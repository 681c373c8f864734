//! Changes: a replica that is built from them is the store, at each commit.

mod cuts;
mod faults;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use super::crash::{History, State, extend, state};
use super::*;
use crate::durable::io::memory::Random;

const DURABLE: ChangesOptions = ChangesOptions {
    level: Level::Durable,
    held_bytes: 0,
};
const WRITTEN: ChangesOptions = ChangesOptions {
    level: Level::Written,
    held_bytes: 0,
};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// What changes have made of nothing.
#[derive(Clone, Default)]
struct Replica {
    /// By number: the name, and the content.
    trees: BTreeMap<u32, (String, Rows)>,
    /// The last whole commit.
    number: u64,
    /// The commit of which only some changes have come.
    open: Option<u64>,
}

impl Replica {
    fn apply(&mut self, change: &Change<'_>) {
        assert!(change.commit > self.number);
        assert!(self.open.is_none_or(|open| open == change.commit));
        let name = change.name.to_str().unwrap();
        if change.changed == Changed::TreeMade {
            assert!(self.trees.values().all(|(of, _)| of != name));
            let new = (name.to_owned(), Rows::new());
            assert!(self.trees.insert(change.tree, new).is_none());
        }
        let (of, rows) = self.trees.get_mut(&change.tree).unwrap();
        assert_eq!(of, name);
        match change.changed {
            Changed::Put { key, value } => _ = rows.insert(key.to_vec(), value.to_vec()),
            Changed::Removed { key } => _ = rows.remove(key),
            Changed::TreeDropped => _ = self.trees.remove(&change.tree),
            Changed::TreeMade => {}
        }
        self.open = (!change.is_last).then_some(change.commit);
        if change.is_last {
            self.number = change.commit;
        }
    }

    /// Applies what there is now. Calls `each` after each commit.
    fn follow(&mut self, changes: &mut Changes<'_>, mut each: impl FnMut(&Self)) {
        while let Some(change) = changes.next().unwrap() {
            self.apply(&change);
            if self.open.is_none() {
                each(self);
            }
        }
        assert_eq!(self.open, None);
    }

    /// As `state` of a store.
    fn state(&self) -> State {
        let mut state = State::default();
        for (name, rows) in self.trees.values() {
            state[usize::from(name == "two")].clone_from(rows);
        }
        state
    }
}

fn new_history() -> History {
    History {
        states: vec![State::default()],
        durable: Vec::new(),
    }
}

/// Put back: pass on the record before the first wanted one; say of each change that it is the last of its commit;
/// in `open_record`, let void records count; begin a segment at the end of the one before.
#[test]
fn a_replica_is_the_store_after_each_commit() {
    for seed in 0..6 {
        let disk = Disk::default();
        let (mut random, mut history) = (Random(seed), new_history());
        let mut replica = Replica::default();
        // Replicas that begin later.
        let mut later: Vec<Replica> = Vec::new();
        let mut seen = 0;
        for _ in 0..4 {
            let options = StoreOptions {
                retained_log_bytes: u64::MAX,
                ..on(&disk)
            };
            let store = Store::open(options).unwrap();
            let mut changes = store.changes(replica.number, &DURABLE).unwrap();
            for _ in 0..5 {
                extend(&mut history, &disk, &store, 20, &mut random);
                store.sync().unwrap();
                replica.follow(&mut changes, |replica| {
                    // Commits are seen in their order. Some change nothing: two states may be the same.
                    let state = replica.state();
                    let at = (seen..history.states.len()).find(|&at| history.states[at] == state);
                    seen = at.unwrap_or_else(|| panic!("no state after {seen}: {state:?}"));
                });
                assert_eq!(replica.state(), state(&store));
                later.push(replica.clone());
            }
            assert!(changes.next().unwrap().is_none());
        }
        let store = Store::open(on(&disk)).unwrap();
        for mut replica in later {
            let mut changes = store.changes(replica.number, &WRITTEN).unwrap();
            replica.follow(&mut changes, |_| {});
            assert_eq!(replica.state(), state(&store), "seed {seed}");
        }
    }
}

/// Put back: in `reached`, return what is taken.
#[test]
fn a_replica_follows_writers_and_sees_whole_commits() {
    let disk = Disk::default();
    let store = Store::open(StoreOptions {
        sync_interval: Some(Duration::from_micros(200)),
        ..on(&disk)
    })
    .unwrap();
    let trees = [tree_named(&store, "one"), tree_named(&store, "two")];
    let begun = store.changes(0, &DURABLE).unwrap();
    let last = store.changes(0, &WRITTEN).unwrap();
    let mut replicas = thread::scope(|scope| {
        for writer in 0..3u8 {
            let store = &store;
            scope.spawn(move || {
                let mut random = Random(writer.into());
                for round in 0..200u32 {
                    // Both trees have the same content after each commit.
                    let mut batch = Batch::new(store.source());
                    for _ in 0..1 + random.below(3) {
                        let key = [random.below(30) as u8];
                        let value = [&round.to_le_bytes()[..], &[writer; 20]].concat();
                        for tree in trees {
                            let action = match round % 5 {
                                0 => Action::Remove,
                                _ => Action::Put { value: &value },
                            };
                            add(&mut batch, tree, &key, action);
                        }
                    }
                    store.commit(&batch).unwrap();
                    if writer == 0 && round % 20 == 0 {
                        let name = format!("other {round}");
                        put(store, tree_named(store, &name), b"key", b"value");
                        store.drop_tree(&name).unwrap();
                    }
                }
                put(store, tree_named(store, "ends"), &[writer], b"");
            });
        }
        scope.spawn(|| {
            for _ in 0..10 {
                store.checkpoint().unwrap();
            }
        });
        let follow = |mut changes: Changes<'_>| {
            let mut replica = Replica::default();
            // Ends: when the three writers have.
            loop {
                replica.follow(&mut changes, |replica| {
                    let [one, two] = replica.state_of(["one", "two"]);
                    assert_eq!(one, two, "at {}", replica.number);
                });
                if replica.state_of(["ends"])[0].len() == 3 {
                    return replica;
                }
                changes.wait(None);
            }
        };
        let other = scope.spawn(move || follow(last));
        [follow(begun), other.join().unwrap()]
    });
    store.sync().unwrap();
    for replica in &mut replicas {
        let mut changes = store.changes(replica.number, &DURABLE).unwrap();
        replica.follow(&mut changes, |_| {});
        for tree in trees {
            let rows = content(tree).into_iter().collect::<Rows>();
            assert_eq!(replica.state_of([tree.name()]), [rows]);
        }
    }
}

impl Replica {
    fn state_of<const COUNT: usize>(&self, names: [&str; COUNT]) -> [Rows; COUNT] {
        names.map(|name| {
            let mut trees = self.trees.values();
            let found = trees.find(|(of, _)| of == name);
            found.map(|(_, rows)| rows.clone()).unwrap_or_default()
        })
    }
}

/// Put back: in `find_dropped`, search nothing; end at the first frame.
#[test]
fn dropped_trees_have_their_names_after_the_store_was_opened_again() {
    let disk = Disk::default();
    let open = || {
        Store::open(StoreOptions {
            retained_log_bytes: u64::MAX,
            ..on(&disk)
        })
    };
    let mut since = Vec::new();
    for round in 0..3u8 {
        let store = open().unwrap();
        for name in ["a", "b"] {
            let tree = tree_named(&store, name);
            since.push(put(&store, tree, &[round], &[round; 300]));
            since.push(put(&store, tree, b"key", &[round; 300]));
        }
        store.drop_tree("a").unwrap();
        since.push(store.drop_tree("b").unwrap().unwrap());
        if round == 1 {
            store.checkpoint().unwrap();
        }
    }
    let store = open().unwrap();
    for from in since {
        let mut changes = store.changes(from, &DURABLE).unwrap();
        let mut names = BTreeMap::new();
        while let Some(change) = changes.next().unwrap() {
            let name = change.name.to_str().unwrap().to_owned();
            assert_eq!(name, ["b", "a"][change.tree as usize % 2]);
            names.insert(change.tree, name);
        }
    }
}

/// Put back: let a store without a directory begin; in `wait`, take no notice of the time.
#[test]
fn changes_are_waited_for() {
    assert!(matches!(
        in_memory().changes(0, &DURABLE),
        Err(ChangesFault::NoDirectory)
    ));
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    let tree = tree_named(&store, "t");
    let mut durable = store.changes(0, &DURABLE).unwrap();
    let mut written = store.changes(0, &WRITTEN).unwrap();
    let first = put(&store, tree, b"key", b"value");
    store.wait(first, Level::Written).unwrap();
    assert!(written.wait(None));
    assert!(!durable.wait(Some(Instant::now())));
    assert!(!durable.wait(Some(Instant::now() + Duration::from_millis(1))));
    assert!(durable.next().unwrap().is_none());
    assert_eq!(
        written.next().unwrap().map(|change| change.changed),
        Some(Changed::TreeMade)
    );
    // The rest of the frame.
    assert!(written.wait(Some(Instant::now())));
    store.sync().unwrap();
    assert!(durable.wait(None));
    let mut replicas = [Replica::default(), Replica::default()];
    replicas[0].follow(&mut durable, |_| {});
    assert_eq!(replicas[0].number, first);
    assert!(!durable.wait(Some(Instant::now())));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| durable.wait(None));
        put(&store, tree, b"key", b"value");
        store.sync().unwrap();
        assert!(waiting.join().unwrap());
    });
    replicas[0].follow(&mut durable, |_| {});
    assert!(replicas[0].number > first);
}

/// Put back: in `Log::open`, give a log that is only read no directory.
#[test]
fn a_store_that_is_only_read_has_changes() {
    let disk = Disk::default();
    let mut history = new_history();
    let store = Store::open(on(&disk)).unwrap();
    extend(&mut history, &disk, &store, 60, &mut Random(5));
    let mut replica = Replica::default();
    let number = put(&store, tree_named(&store, "one"), b"key", b"value");
    store.close().unwrap();
    drop(store);
    let files = disk.files();
    let reading = StoreOptions {
        is_read_only: true,
        must_exist: true,
        ..on(&disk)
    };
    let store = Store::open(reading).unwrap();
    let from = store.recovery().checkpoint_number;
    let mut changes = store.changes(from, &DURABLE).unwrap();
    let mut last = 0;
    while let Some(change) = changes.next().unwrap() {
        last = change.commit;
    }
    assert_eq!(last, number);
    assert!(!changes.wait(Some(Instant::now())));
    if from == 0 {
        replica.follow(&mut store.changes(0, &DURABLE).unwrap(), |_| {});
        assert_eq!(replica.state(), state(&store));
    }
    assert!(disk.files() == files);
}
