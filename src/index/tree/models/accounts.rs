//! Every key is accounted for: those that are in the tree in the end are those that were there at first or
//! were inserted, without those that a thread has removed or popped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use shuttle::rand::{Rng, thread_rng};

use super::harness::{Model, explore_more, number, numbers, scan};
use crate::index::reclaim::Pinned;
use crate::index::tree::{Bound, Inserted, Popped, Range, Tree};

/// Slices with a group each, which becomes a layer when keys are inserted.
const GROUPS: [u64; 3] = [60, 300, 440];

fn pick(below: u64) -> u64 {
    thread_rng().gen_range(0..below)
}

fn pick_group(from: u64) -> u64 {
    GROUPS[(from + pick(GROUPS.len() as u64 - from)) as usize]
}

/// A key of two slices; the first is that of a number.
fn below(slice: u64, n: u64) -> Vec<u8> {
    [number(slice), number(n)].concat()
}

/// The ends of a range.
#[derive(Clone)]
struct Ends {
    lower: Vec<u8>,
    upper: Vec<u8>,
}

impl Ends {
    /// Most often in a group.
    fn pick() -> Self {
        let lower = match pick(4) {
            0 => number(60 + 10 * pick(3)),
            1 => number(10 * pick(28)),
            _ => below(60, 3 + pick(2)),
        };
        let upper = match pick(4) {
            0 => number(600),
            1 => number(300 + 10 * pick(2)),
            _ => below(pick_group(1), 3 + pick(3)),
        };
        Self { lower, upper }
    }

    fn range(&self) -> Range<'_> {
        Range {
            lower: Bound::Included(&self.lower),
            upper: Bound::Excluded(&self.upper),
            ..Range::all()
        }
    }

    fn contain(&self, key: &[u8]) -> bool {
        *self.lower <= *key && *key < *self.upper
    }
}

/// What the threads have done.
#[derive(Default)]
struct Account {
    /// How many times more each key was inserted than removed.
    keys: BTreeMap<Vec<u8>, i64>,
    /// The keys that were removed by ranges.
    removed: usize,
    ranges: Vec<Ends>,
}

#[derive(Clone, Default)]
struct Accounts(Arc<Mutex<Account>>);

impl Accounts {
    fn get(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap()
    }

    fn add(&self, key: Vec<u8>, change: i64) {
        *self.get().keys.entry(key).or_default() += change;
    }

    fn remove_range(&self, tree: &Tree, pin: Pinned<'_>, ends: Ends) {
        let (removed, outcome) = tree.remove_range(pin, &ends.range());
        assert_eq!(outcome, Ok(()));
        self.get().removed += removed;
        self.get().ranges.push(ends);
    }

    fn insert(&self, tree: &Tree, pin: Pinned<'_>, key: Vec<u8>) {
        if tree.insert(pin, &key, 1) == Ok(Inserted::New) {
            self.add(key, 1);
        }
    }

    fn remove(&self, tree: &Tree, pin: Pinned<'_>, key: Vec<u8>) {
        if tree.remove(pin, &key).is_some() {
            self.add(key, -1);
        }
    }

    fn pop(&self, tree: &Tree, pin: Pinned<'_>, ends: &Ends, last: bool) {
        let mut key = Vec::new();
        let mut admit = |parts: [&[u8]; 3]| {
            key = parts.concat();
            true
        };
        let popped = match last {
            false => tree.pop_first(pin, &ends.range(), &mut admit),
            true => tree.pop_last(pin, &ends.range(), &mut admit),
        };
        if popped != Ok(Popped::Nothing) {
            assert!(ends.contain(&key), "{key:?}");
            self.add(key, -1);
        }
    }

    fn check(&self, initial: &BTreeSet<Vec<u8>>, left: &[Vec<u8>]) {
        let account = self.get();
        let sum = initial.len() as i64 + account.keys.values().sum::<i64>();
        assert_eq!(sum, (left.len() + account.removed) as i64);
        for key in initial.iter().chain(account.keys.keys()) {
            let change = account.keys.get(key).unwrap_or(&0);
            let count = i64::from(initial.contains(key)) + change;
            let is_in_range = account.ranges.iter().any(|ends| ends.contain(key));
            assert!(
                is_in_range || count == i64::from(left.contains(key)),
                "{key:?}"
            );
        }
    }
}

/// Adds a thread that inserts, removes or pops three keys.
fn add_thread(model: &mut Model, accounts: &Accounts) {
    let (accounts, ends, kind) = (accounts.clone(), Ends::pick(), pick(5));
    let keys = [(); 3].map(|()| match pick(3) {
        0 => number(pick_group(0) + 1 + pick(6)),
        _ => below(pick_group(0), 1 + pick(6)),
    });
    model.thread(move |tree, pin| {
        for (at, key) in keys.into_iter().enumerate() {
            match kind {
                0 | 1 => accounts.insert(tree, pin, key),
                2 if at == 1 => accounts.insert(tree, pin, key),
                2 => accounts.remove(tree, pin, key),
                _ => accounts.pop(tree, pin, &ends, kind == 4),
            }
        }
    });
}

/// Range removes, whose ends are in groups that become layers, beside pops, removes and inserts.
/// Put back: in `move_behind`, enter a layer through which the position passes already.
#[test]
fn keys_of_ranges_and_layers_are_accounted_for() {
    explore_more(2, || {
        let groups = GROUPS.map(|slice| [2, 5].map(|n| below(slice, n))).concat();
        let mut initial = BTreeSet::from_iter(numbers((0..60).map(|n| 10 * n)));
        initial.extend(groups);
        if pick(2) == 0 {
            let slice = pick_group(0);
            initial.extend((10..13).map(|n| below(slice, n)));
        }
        let mut model = Model::with(initial.iter().cloned());
        let accounts = Accounts::default();
        for _ in 0..=pick(2) {
            let (accounts, ends) = (accounts.clone(), Ends::pick());
            model.thread(move |tree, pin| accounts.remove_range(tree, pin, ends));
        }
        for _ in 0..=pick(2) {
            add_thread(&mut model, &accounts);
        }
        model.join();
        let guard = model.tree.guard().unwrap();
        let left = scan(&model.tree, guard.pin(), false);
        accounts.check(&initial, &left);
        assert_eq!(model.tree.key_count(), left.len() as u64);
        drop(guard);
        model.end(left);
    });
}
