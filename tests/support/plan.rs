//! The plan that a history's number determines: its keys, the calling threads, and the number
//! of calls.

use std::fmt;

use masstree::Tree;

use super::{Random, encoded};

/// A kind of keys.
struct Shape {
    name: &'static str,
    /// Keys whose calls are logged.
    hot: usize,
    /// Keys between them that belong to each thread alone.
    own: usize,
    key: fn(usize) -> Vec<u8>,
}

/// Greatest number of hot keys of a shape.
pub(crate) const MOST_HOT: usize = 6;

const SHAPES: [Shape; 8] = [
    Shape {
        name: "a lone leaf",
        hot: 3,
        own: 0,
        key: |n| (n as u64).to_be_bytes().to_vec(),
    },
    Shape {
        name: "leaves that split and empty",
        hot: 4,
        own: 12,
        key: |n| (n as u64).to_be_bytes().to_vec(),
    },
    Shape {
        name: "a high tree",
        hot: 4,
        own: 150,
        key: |n| (n as u64).to_be_bytes().to_vec(),
    },
    Shape {
        name: "a group that becomes a layer",
        hot: 4,
        own: 4,
        key: |n| [b"one slicand a suffix", &[n as u8][..]].concat(),
    },
    Shape {
        name: "groups beside each other",
        hot: 4,
        own: 12,
        key: |n| {
            [
                &(n as u64 / 9).to_be_bytes()[..],
                b"and a suffix",
                &[n as u8],
            ]
            .concat()
        },
    },
    Shape {
        name: "layers in layers",
        hot: 3,
        own: 6,
        key: |n| {
            let shared = &b"the first the secondthe third"[..[8, 16, 24][n % 3]];
            [shared, &[n as u8 / 3], b"and a suffix"].concat()
        },
    },
    Shape {
        name: "a layer of many leaves",
        hot: 4,
        own: 20,
        key: |n| [&b"one slic"[..], &(n as u32).to_be_bytes()].concat(),
    },
    Shape {
        name: "keys that begin with one another",
        hot: 6,
        own: 2,
        key: |n| vec![b'a'; n + n / 3],
    },
];

/// The plan of a history.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    shape: &'static Shape,
    pub(crate) threads: usize,
    pub(crate) calls: usize,
    pub(crate) bytes: bool,
    pub(crate) own_clocks: bool,
    /// Whether calls read several keys at one moment, or keys one by one.
    pub(crate) whole: bool,
    /// Whether a thread clears the tree and loads it again.
    pub(crate) clears: bool,
}

impl Plan {
    pub(crate) fn new(number: usize) -> Self {
        let seed = Random(number as u64).next();
        let mut random = Random(seed);
        let whole = random.below(3) == 0;
        Self {
            seed: number as u64,
            shape: &SHAPES[random.below(SHAPES.len())],
            threads: 2 + random.below(3) * random.below(2),
            calls: 20 + random.below(40),
            bytes: random.below(4) == 0,
            // Stores that are not yet published when a call ends may be reordered with stores
            // to other keys: only the shared clock has fences.
            own_clocks: !whole && random.below(2) == 0,
            whole,
            clears: random.below(6) == 0,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SEED={} ({}, {} threads, {} values{}{})",
            self.seed,
            self.shape.name,
            self.threads,
            if self.bytes { "byte-string" } else { "word" },
            if self.clears { ", cleared" } else { "" },
            if self.whole { ", as a whole" } else { "" },
        )
    }
}

/// The tree and its keys.
pub(crate) struct Field<'t> {
    pub(crate) plan: &'t Plan,
    pub(crate) tree: &'t Tree,
    /// The keys whose calls are logged, in order.
    pub(crate) hot: Vec<Vec<u8>>,
    /// The keys of each thread.
    pub(crate) own: Vec<Vec<Vec<u8>>>,
}

impl<'t> Field<'t> {
    pub(crate) fn new(plan: &'t Plan, tree: &'t Tree) -> Self {
        let Shape { hot, own, key, .. } = *plan.shape;
        let all = hot + own * plan.threads;
        // The hot keys are as far apart as possible.
        let is_hot = |n: usize| (n * hot) % all < hot;
        let mut others = (0..all).filter(|n| !is_hot(*n)).map(key);
        let mut owned = vec![Vec::new(); plan.threads + 1];
        for place in 0..own * plan.threads {
            owned[place % plan.threads].extend(others.next());
        }
        let mut hot: Vec<_> = (0..all).filter(|n| is_hot(*n)).map(key).collect();
        hot.sort();
        Self {
            plan,
            tree,
            hot,
            own: owned,
        }
    }

    /// Puts some of the hot keys; returns the value of each hot key.
    pub(crate) fn fill(&self) -> Vec<Option<u64>> {
        let mut random = Random(self.plan.seed ^ 0x0F11);
        let guard = self.tree.guard().expect("memory for a guard");
        let values = (1..).zip(&self.hot).map(|(value, key)| {
            if random.below(2) == 0 {
                return None;
            }
            match self.plan.bytes {
                true => _ = self.tree.put_bytes(guard.pin(), key, &encoded(value)),
                false => _ = self.tree.put(guard.pin(), key, value),
            }
            Some(value)
        });
        values.collect()
    }
}
