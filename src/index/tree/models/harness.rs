//! Runs models of a tree. Schedules are drawn from `MASSTREE_MODEL_SEED`;
//! `MASSTREE_MODEL_FACTOR` multiplies their number.

use std::ops::ControlFlow;
use std::sync::Arc;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, MaxSteps, Runner, thread};

use crate::index::reclaim::Pinned;
use crate::index::tree::{Range, Tree};

const SCHEDULES: usize = 500;
/// Greatest number of thread switches that a schedule chooses at random.
const DEPTH: usize = 4;
/// A schedule with this many steps is assumed not to end.
const MOST_STEPS: usize = 3_000_000;

fn setting(name: &str, usual: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(usual, |text| text.parse().expect("a number"))
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    config.max_steps = MaxSteps::FailAfter(MOST_STEPS);
    config.silence_warnings = true;
    config
}

/// Runs a model in many interleavings.
pub(crate) fn explore(model: impl Fn() + Send + Sync + Copy + 'static) {
    explore_more(1, model);
}

/// Runs a model in `times` as many interleavings, if only few of them show that a line is missing.
pub(crate) fn explore_more(times: usize, model: impl Fn() + Send + Sync + Copy + 'static) {
    let seed = setting("MASSTREE_MODEL_SEED", 1);
    let schedules = times * SCHEDULES * setting("MASSTREE_MODEL_FACTOR", 1) as usize;
    let few_changes = PctScheduler::new_from_seed(seed, DEPTH, schedules);
    Runner::new(few_changes, config()).run(model);
    let many_changes = RandomScheduler::new_from_seed(seed, schedules);
    Runner::new(many_changes, config()).run(model);
}

/// A tree and the threads that a model runs on it.
pub(super) struct Model {
    pub(super) tree: Arc<Tree>,
    pub(super) threads: Vec<thread::JoinHandle<()>>,
}

impl Model {
    /// A tree with these keys; each key's value is its index.
    pub(super) fn with(keys: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        for (value, key) in keys.into_iter().enumerate() {
            tree.put(guard.pin(), &key, value as u64).unwrap();
        }
        drop(guard);
        Self::of(tree)
    }

    pub(super) fn of(tree: Tree) -> Self {
        Self {
            tree: Arc::new(tree),
            threads: Vec::new(),
        }
    }

    pub(super) fn thread(&mut self, work: impl FnOnce(&Tree, Pinned<'_>) + Send + 'static) {
        let tree = Arc::clone(&self.tree);
        self.threads.push(thread::spawn(move || {
            let guard = tree.guard().unwrap();
            work(&tree, guard.pin());
        }));
    }

    /// `thread` without a guard of the user's.
    pub(super) fn thread_unguarded(
        &mut self,
        work: impl FnOnce(&Tree, Pinned<'_>) + Send + 'static,
    ) {
        let tree = Arc::clone(&self.tree);
        self.threads.push(thread::spawn(move || {
            let local = tree.local_guard();
            work(&tree, local.pin());
        }));
    }

    /// Waits for the threads.
    pub(super) fn join(&mut self) {
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }

    /// Waits for the threads; the tree must be sound, with exactly these keys.
    pub(super) fn end(mut self, mut expected: Vec<Vec<u8>>) {
        self.join();
        let guard = self.tree.guard().unwrap();
        let sound = self.tree.check(guard.pin(), &mut |line| panic!("{line}"));
        assert_eq!(sound, Ok(true));
        expected.sort_unstable();
        assert_eq!(scan(&self.tree, guard.pin(), false), expected);
    }
}

/// Returns all keys in ascending order; asserts that the scan visits them in order.
pub(super) fn scan(tree: &Tree, pin: Pinned<'_>, reverse: bool) -> Vec<Vec<u8>> {
    let range = Range {
        reverse,
        ..Range::all()
    };
    let mut keys = Vec::new();
    tree.scan(pin, &range, &mut |key, _| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    })
    .unwrap();
    if reverse {
        keys.reverse();
    }
    assert!(keys.is_sorted_by(|a, b| a < b), "out of order: {keys:?}");
    keys
}

/// Asserts that a scan visits all of `keys`.
pub(super) fn assert_scanned(tree: &Tree, pin: Pinned<'_>, reverse: bool, keys: &[Vec<u8>]) {
    let scanned = scan(tree, pin, reverse);
    for key in keys {
        assert!(scanned.contains(key), "not scanned: {key:?}");
    }
}

pub(super) fn number(n: u64) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

pub(super) fn numbers(range: impl IntoIterator<Item = u64>) -> Vec<Vec<u8>> {
    range.into_iter().map(number).collect()
}

/// A key longer than one slice.
pub(super) fn tail(n: u64) -> Vec<u8> {
    [&b"a slice "[..], &[b'a' + n as u8], &b" and a tail"[..]].concat()
}
