//! The maps that are measured.
//!
//! The crate `masstree` is built with its feature `mimalloc`, as its authors measure it.
//! That feature makes mimalloc the global allocator of the whole program: every peer
//! written in Rust gets it here. libmasstree does not: its shared library has a global
//! allocator of its own, which is libc's malloc. Nor does oneTBB: its containers use
//! tbbmalloc where that is installed, as it is with Debian's libtbb-dev.

mod btree;
mod congee;
mod masstree_crate;
mod ours;
mod scc;
mod skiplist;
#[cfg(feature = "tbb")]
mod tbb;

use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::keys::KeySet;
use crate::map::Map;
use crate::suite::Phase;

/// A map to compare with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ValueEnum)]
pub(crate) enum Peer {
    /// The masstree crate, 0.9.5, with mimalloc
    Masstree,
    /// crossbeam-skiplist's SkipMap
    Skiplist,
    /// scc's TreeIndex
    Scc,
    /// congee, an adaptive radix tree; 8-byte keys only
    Congee,
    /// std's BTreeMap in a RwLock
    Btree,
    /// oneTBB's concurrent_map, in C++
    #[cfg(feature = "tbb")]
    Tbb,
}

/// How the library searches nodes: the values of its environment variable `MASSTREE_SEARCH`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ValueEnum)]
pub(crate) enum VectorSearch {
    Avx512,
    Avx2,
    Portable,
}

impl VectorSearch {
    /// Those that are worth measuring on this processor: the one that the library chooses, and
    /// AVX2 where that is AVX-512.
    pub(crate) fn of_this_processor() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") {
                return vec![Self::Avx512, Self::Avx2];
            }
            if std::arch::is_x86_feature_detected!("avx2") {
                return vec![Self::Avx2];
            }
        }
        vec![Self::Portable]
    }

    /// The value of the environment variable.
    pub(crate) fn value(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2",
            Self::Portable => "no vectors",
        }
    }
}

/// The subject of a child process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Subject {
    Library {
        name: String,
        path: PathBuf,
        search: VectorSearch,
    },
    Peer(Peer),
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Masstree => "masstree 0.9.5",
            Peer::Skiplist => "crossbeam-skiplist",
            Peer::Scc => "scc TreeIndex",
            Peer::Congee => "congee",
            Peer::Btree => "RwLock<BTreeMap>",
            #[cfg(feature = "tbb")]
            Peer::Tbb => "TBB concurrent_map",
        }
    }

    /// Why this map is not measured with these keys or in this phase, if so.
    fn lacks(self, keys: KeySet, phase: Phase) -> Option<&'static str> {
        match (self, phase) {
            (Peer::Congee, _) if matches!(keys, KeySet::User | KeySet::Url) => {
                Some("congee has keys of 8 bytes only")
            }
            (Peer::Congee, Phase::ScanReverse) => Some("congee has no reverse scan"),
            #[cfg(feature = "tbb")]
            (Peer::Tbb, Phase::ScanReverse) => Some("concurrent_map has forward iterators only"),
            #[cfg(feature = "tbb")]
            (Peer::Tbb, Phase::Remove) => {
                Some("concurrent_map has no erase that is safe beside other operations")
            }
            _ => None,
        }
    }
}

impl Subject {
    pub(crate) fn name(&self) -> &str {
        match self {
            Subject::Library { name, .. } => name,
            Subject::Peer(peer) => peer.name(),
        }
    }

    pub(crate) fn lacks(&self, keys: KeySet, phase: Phase) -> Option<&'static str> {
        match self {
            Subject::Library { .. } => None,
            Subject::Peer(peer) => peer.lacks(keys, phase),
        }
    }
}

/// Work on a map of any type.
pub(crate) trait Work {
    type Outcome;

    fn on<M: Map>(self, map: &M) -> Self::Outcome;
}

/// Executes the work on a new, empty map for such keys.
pub(crate) fn with_map<W: Work>(subject: &Subject, keys: KeySet, work: W) -> W::Outcome {
    let peer = match subject {
        Subject::Library { path, .. } => return work.on(&ours::open(path)),
        Subject::Peer(peer) => peer,
    };
    let integers = matches!(keys, KeySet::Random | KeySet::Sequential);
    match (peer, integers) {
        (Peer::Masstree, _) => work.on(&masstree_crate::Crate::new()),
        (Peer::Skiplist, true) => work.on(&skiplist::Skiplist::<u64>::new()),
        (Peer::Skiplist, false) => work.on(&skiplist::Skiplist::<Box<[u8]>>::new()),
        (Peer::Scc, true) => work.on(&scc::Tree::<u64>::new()),
        (Peer::Scc, false) => work.on(&scc::Tree::<Box<[u8]>>::new()),
        (Peer::Congee, _) => work.on(&congee::Congee::new()),
        (Peer::Btree, true) => work.on(&btree::Locked::<u64>::new()),
        (Peer::Btree, false) => work.on(&btree::Locked::<Box<[u8]>>::new()),
        #[cfg(feature = "tbb")]
        (Peer::Tbb, true) => work.on(&tbb::integers()),
        #[cfg(feature = "tbb")]
        (Peer::Tbb, false) => work.on(&tbb::strings()),
    }
}
