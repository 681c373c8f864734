//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::peers::{Peer, Subject, VectorSearch};

/// Measures libmasstree's shared library beside other ordered maps, in one run.
///
/// Prints the machine, a table of libmasstree against its peers, all figures of all maps,
/// and latencies of single operations. Each map runs through each suite in a process of its
/// own; processes of different maps alternate, and ratios are medians of the rounds' ratios.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Args {
    /// The shared library, or NAME=PATH; given twice or more, builds are compared with the
    /// first, and with each other round by round [default: target/release/libmasstree.so]
    #[arg(long = "library", value_name = "[NAME=]PATH", value_parser = library)]
    pub(crate) libraries: Vec<(String, PathBuf)>,

    /// How libraries search nodes; the first is compared with the peers, and the others with
    /// both [default: what the processor has, and avx2 after avx512]
    #[arg(long, value_delimiter = ',', value_name = "SEARCH,…", value_enum)]
    pub(crate) search: Vec<VectorSearch>,

    /// Maps to compare with; `--peers=` for none [default: all]
    #[arg(long, value_delimiter = ',', value_name = "PEER,…", value_parser = peer)]
    pub(crate) peers: Option<Vec<Option<Peer>>>,

    /// Measure only rows whose label contains this text, case aside; may be given more than
    /// once (`--list` shows the labels)
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Vec<String>,

    /// How many keys a map gets
    #[arg(long, default_value_t = 5_000_000, value_parser = at_least_one)]
    pub(crate) keys: usize,

    /// How many operations each thread does in a phase that reads or updates
    #[arg(long, default_value_t = 2_000_000, value_parser = at_least_one)]
    pub(crate) operations: usize,

    /// How many times everything is measured
    #[arg(long, default_value_t = 3, value_parser = at_least_one)]
    pub(crate) rounds: usize,

    /// How often to repeat a run of which a thread waited for a processor for more than 5 % of
    /// the time, because the machine has other work; the least disturbed one counts
    #[arg(long, default_value_t = 0)]
    pub(crate) retries: usize,

    /// Numbers of threads
    #[arg(long, value_delimiter = ',', default_value = "1,2", value_parser = at_least_one)]
    pub(crate) threads: Vec<usize>,

    /// Write everything that was measured to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Draw a chart into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,

    /// Write the README's table to this file, or to the output if it is `-`
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) markdown: Option<PathBuf>,

    /// Only list the labels of the rows
    #[arg(long)]
    pub(crate) list: bool,

    /// Only make the report of a run that was written by --json; given twice or more, of runs
    /// with the same keys, operations and rounds; --only chooses rows of the chart
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Vec<PathBuf>,

    /// How the driver starts itself for one run
    #[arg(long, hide = true)]
    pub(crate) child: Option<String>,
}

impl Args {
    /// What is measured: the libraries, and then the peers.
    pub(crate) fn subjects(&self) -> Result<Vec<Subject>, String> {
        let mut libraries = self.libraries.clone();
        if libraries.is_empty() {
            let path = "target/release/libmasstree.so";
            libraries.push(library(path).map_err(|error| format!("{path}: {error}"))?);
        }
        let mut searches = self.search.clone();
        if searches.is_empty() {
            searches = VectorSearch::of_this_processor();
        }
        let mut subjects: Vec<Subject> = Vec::new();
        for &search in &searches {
            subjects.extend(libraries.iter().map(|(name, path)| Subject::Library {
                name: match search == searches[0] {
                    true => name.clone(),
                    false => format!("{name}, {}", search.name()),
                },
                path: path.clone(),
                search,
            }));
        }
        match &self.peers {
            None => subjects.extend(Peer::value_variants().iter().copied().map(Subject::Peer)),
            Some(peers) => subjects.extend(peers.iter().flatten().copied().map(Subject::Peer)),
        }
        Ok(subjects)
    }
}

fn library(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').unwrap_or(("libmasstree", text));
    let path = PathBuf::from(path);
    match path.canonicalize() {
        Ok(path) => Ok((name.to_string(), path)),
        Err(error) => Err(error.to_string()),
    }
}

fn peer(text: &str) -> Result<Option<Peer>, String> {
    match text {
        "" => Ok(None),
        name => Peer::from_str(name, true).map(Some).map_err(|_| {
            let names: Vec<String> = Peer::value_variants()
                .iter()
                .filter_map(|peer| peer.to_possible_value())
                .map(|value| value.get_name().to_string())
                .collect();
            format!("peers are {}", names.join(", "))
        }),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let digits = text.replace('_', "");
    match digits.parse() {
        Ok(0) => Err("must be at least 1".to_string()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}
