//! The measurements: suites of phases over one set of keys, each run in its own process.

use serde::{Deserialize, Serialize};

use crate::keys::KeySet;
use crate::peers::Subject;

/// A phase of a run, which yields a figure. They are in execution order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Resident bytes that the load adds, for each key.
    Memory,
    Load,
    PutMany,
    Get,
    GetMany,
    Update,
    /// Of ten operations on existing keys, nine are a get and one is a put.
    Mixed,
    Scan,
    ScanReverse,
    Remove,
    /// Nanoseconds of single operations.
    Latency,
}

/// Phases over one set of keys, in a fresh process.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) keys: KeySet,
    pub(crate) phases: &'static [Phase],
    /// The maximum number of keys, whatever was requested.
    pub(crate) keys_at_most: usize,
    /// For batches, with which peers are not measured: the suite with their single
    /// operations.
    pub(crate) singles: Option<&'static str>,
}

use Phase::*;

const NO_LIMIT: usize = usize::MAX;

pub(crate) const SUITES: [Suite; 9] = [
    Suite {
        name: "8-byte keys",
        keys: KeySet::Random,
        phases: &[Load, Get, Update, Mixed, Scan, ScanReverse, Remove, Memory],
        keys_at_most: NO_LIMIT,
        singles: None,
    },
    Suite {
        name: "8-byte keys in batches",
        keys: KeySet::Random,
        phases: &[PutMany, GetMany],
        keys_at_most: NO_LIMIT,
        singles: Some("8-byte keys"),
    },
    Suite {
        name: "200,000 8-byte keys, cached",
        keys: KeySet::Random,
        phases: &[Get],
        keys_at_most: 200_000,
        singles: None,
    },
    Suite {
        name: "sequential 8-byte keys",
        keys: KeySet::Sequential,
        phases: &[Load, Update, Remove],
        keys_at_most: NO_LIMIT,
        singles: None,
    },
    Suite {
        name: "user keys",
        keys: KeySet::User,
        phases: &[Load, Get, Update, Scan, Remove, Memory],
        keys_at_most: NO_LIMIT,
        singles: None,
    },
    Suite {
        name: "user keys in batches",
        keys: KeySet::User,
        phases: &[PutMany, GetMany],
        keys_at_most: NO_LIMIT,
        singles: Some("user keys"),
    },
    Suite {
        name: "URLs",
        keys: KeySet::Url,
        phases: &[Load, Get, Update, Scan, Memory],
        keys_at_most: NO_LIMIT,
        singles: None,
    },
    Suite {
        name: "URLs in batches",
        keys: KeySet::Url,
        phases: &[PutMany, GetMany],
        keys_at_most: NO_LIMIT,
        singles: Some("URLs"),
    },
    Suite {
        name: "single operations on 8-byte keys",
        keys: KeySet::Random,
        phases: &[Latency],
        keys_at_most: NO_LIMIT,
        singles: None,
    },
];

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Memory => "resident bytes a key",
            Load => "load by put",
            PutMany => "load by put_many",
            Get => "get",
            GetMany => "get_many",
            Update => "update",
            Mixed => "90 % get, 10 % update",
            Scan => "scan of 100",
            ScanReverse => "scan of 100 in reverse",
            Remove => "remove",
            Latency => "latency",
        }
    }

    /// The phase of single operations with which a phase of batches is compared.
    pub(crate) fn single(self) -> Phase {
        match self {
            PutMany => Load,
            GetMany => Get,
            other => other,
        }
    }

    /// Whether the phase only reads.
    pub(crate) fn reads(self) -> bool {
        matches!(self, Get | GetMany | Scan | ScanReverse)
    }

    /// Whether the lower figure is the better one.
    pub(crate) fn less_is_better(self) -> bool {
        self == Memory
    }
}

/// One line of the table.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) suite: &'static Suite,
    pub(crate) phase: Phase,
}

impl Row {
    pub(crate) fn label(&self) -> String {
        format!("{}, {}", self.phase.name(), self.suite.name)
    }

    /// Whether the label contains one of these texts, ignoring case, or no text is given.
    pub(crate) fn is_wanted(&self, only: &[String]) -> bool {
        let label = self.label().to_lowercase();
        only.is_empty() || only.iter().any(|text| label.contains(&text.to_lowercase()))
    }

    /// Whether the subject has its own figure here.
    pub(crate) fn is_measured(&self, subject: &Subject) -> bool {
        let peers_too = self.suite.singles.is_none();
        (peers_too || matches!(subject, Subject::Library { .. }))
            && subject.lacks(self.suite.keys, self.phase).is_none()
    }
}

/// The rows whose label contains one of these texts; all if no text is given.
pub(crate) fn rows(only: &[String]) -> Vec<Row> {
    SUITES
        .iter()
        .flat_map(|suite| suite.phases.iter().map(move |&phase| Row { suite, phase }))
        .filter(|row| row.is_wanted(only))
        .collect()
}
