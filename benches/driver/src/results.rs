//! The results of all runs, and derived figures.

use serde::{Deserialize, Serialize};

use crate::child::DISTURBED;
use crate::latency::Latency;
use crate::machine::Machine;
use crate::peers::{Peer, Subject};
use crate::suite::{Phase, Row, SUITES};

/// One figure of one run.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) subject: String,
    pub(crate) suite: String,
    pub(crate) phase: Phase,
    pub(crate) threads: usize,
    pub(crate) round: usize,
    /// Operations or items per second, or bytes.
    pub(crate) figure: f64,
    /// The part of the time for which a thread waited for a processor.
    pub(crate) waited: f64,
}

/// Latencies of one run.
#[derive(Serialize, Deserialize)]
pub(crate) struct TimedOperation {
    pub(crate) subject: String,
    pub(crate) threads: usize,
    pub(crate) round: usize,
    pub(crate) latency: Latency,
}

/// All results.
#[derive(Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) keys: usize,
    pub(crate) operations: usize,
    pub(crate) rounds: usize,
    pub(crate) threads: Vec<usize>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) latencies: Vec<TimedOperation>,
    /// Errors.
    pub(crate) failures: Vec<String>,
}

impl Results {
    /// Adds the results of another run.
    pub(crate) fn add(&mut self, other: Results) -> Result<(), String> {
        if (self.keys, self.operations, self.rounds) != (other.keys, other.operations, other.rounds)
        {
            return Err("the runs differ in keys, operations or rounds".to_string());
        }
        for subject in other.subjects {
            if !self.subjects.contains(&subject) {
                self.subjects.push(subject);
            }
        }
        for threads in other.threads {
            if !self.threads.contains(&threads) {
                self.threads.push(threads);
            }
        }
        self.samples.extend(other.samples);
        self.latencies.extend(other.latencies);
        self.failures.extend(other.failures);
        Ok(())
    }

    /// Rows that have a figure.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let all = SUITES
            .iter()
            .flat_map(|suite| suite.phases.iter().map(move |&phase| Row { suite, phase }));
        all.filter(|row| {
            let fits =
                |sample: &Sample| sample.suite == row.suite.name && sample.phase == row.phase;
            self.samples.iter().any(fits)
        })
        .collect()
    }

    /// The number of figures, and how many of them were disturbed by other work of the
    /// machine.
    pub(crate) fn disturbed(&self) -> (usize, usize) {
        let disturbed = self
            .samples
            .iter()
            .filter(|sample| sample.waited > DISTURBED);
        (self.samples.len(), disturbed.count())
    }

    /// The library with which the others are compared.
    pub(crate) fn ours(&self) -> &Subject {
        &self.subjects[0]
    }

    /// The other libraries: other builds, and other ways to search nodes.
    pub(crate) fn other_libraries(&self) -> impl Iterator<Item = &Subject> {
        let is_library = |subject: &&Subject| matches!(subject, Subject::Library { .. });
        self.subjects[1..].iter().filter(is_library)
    }

    /// The subject's figure in each round that has one. For a row of batches, which peers
    /// do not have, that of the single operations.
    fn figures(&self, subject: &Subject, row: &Row, threads: usize) -> Vec<(usize, f64)> {
        let peer = matches!(subject, Subject::Peer(_));
        let (suite, phase) = match row.suite.singles {
            Some(singles) if peer => (singles, row.phase.single()),
            _ => (row.suite.name, row.phase),
        };
        let fits = |sample: &&Sample| {
            sample.subject == subject.name()
                && sample.suite == suite
                && sample.phase == phase
                && sample.threads == threads
        };
        let samples = self.samples.iter().filter(fits);
        samples
            .map(|sample| (sample.round, sample.figure))
            .collect()
    }

    /// The subject's median figure.
    pub(crate) fn figure(&self, subject: &Subject, row: &Row, threads: usize) -> Option<f64> {
        let figures = self.figures(subject, row, threads);
        median(figures.into_iter().map(|(_, figure)| figure))
    }

    /// The ratio of the subject's figure to that of `other`: the median over the rounds.
    pub(crate) fn ratio(
        &self,
        subject: &Subject,
        other: &Subject,
        row: &Row,
        threads: usize,
    ) -> Option<f64> {
        quotient(
            &self.figures(subject, row, threads),
            &self.figures(other, row, threads),
        )
    }

    /// The ratio of two threads to one.
    pub(crate) fn scaling(&self, subject: &Subject, row: &Row) -> Option<f64> {
        quotient(
            &self.figures(subject, row, 2),
            &self.figures(subject, row, 1),
        )
    }

    /// The peer with the best median.
    pub(crate) fn best_peer(&self, row: &Row, threads: usize) -> Option<&Subject> {
        let figure = |subject: &&Subject| {
            let figure = self.figure(subject, row, threads).unwrap_or(f64::NAN);
            if row.phase.less_is_better() {
                -figure
            } else {
                figure
            }
        };
        self.subjects
            .iter()
            .filter(|subject| matches!(subject, Subject::Peer(_)))
            .filter(|subject| self.figure(subject, row, threads).is_some())
            .max_by(|a, b| figure(a).total_cmp(&figure(b)))
    }

    /// The masstree crate, if it was measured.
    pub(crate) fn masstree_crate(&self) -> Option<&Subject> {
        let is_it = |subject: &&Subject| **subject == Subject::Peer(Peer::Masstree);
        self.subjects.iter().find(is_it)
    }

    /// Medians over the rounds of an operation's p50, p99 and p99.9.
    pub(crate) fn latency(
        &self,
        subject: &Subject,
        operation: &str,
        threads: usize,
    ) -> Option<[f64; 3]> {
        let of = |pick: fn(&Latency) -> u64| {
            let fits = self.latencies.iter().filter(|timed| {
                timed.subject == subject.name()
                    && timed.threads == threads
                    && timed.latency.operation == operation
            });
            median(fits.map(|timed| pick(&timed.latency) as f64))
        };
        Some([of(|all| all.p50)?, of(|all| all.p99)?, of(|all| all.p999)?])
    }
}

/// The median of the rounds' quotients.
fn quotient(over: &[(usize, f64)], under: &[(usize, f64)]) -> Option<f64> {
    let quotients = over.iter().filter_map(|(round, figure)| {
        let (_, other) = under.iter().find(|(other, _)| other == round)?;
        Some(figure / other)
    });
    median(quotients)
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = *figures.get(middle)?;
    match figures.len() % 2 {
        0 => Some((figures[middle - 1] + upper) / 2.0),
        _ => Some(upper),
    }
}
