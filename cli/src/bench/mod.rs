//! Measures a store: rates, and percentiles of the time that an operation takes.
//!
//! A new store is filled with keys; then each workload runs for some seconds on all threads, on random keys. In a
//! directory, some run a second time beside checkpoints, which one thread more makes without a pause.
//! The store is removed afterwards. Figures depend on the machine, the disk, and what else they are busy
//! with: compare those of one run.

mod workload;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::json;

use crate::args::BenchArgs;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::store::{Opening, Store};
use workload::{Keys, Shared, Workload};

/// What a workload has done.
struct Measured {
    operations: u64,
    elapsed: Duration,
    /// Nanoseconds of an operation.
    times: Histogram<u64>,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    fn microseconds(&self, quantile: f64) -> f64 {
        self.times.value_at_quantile(quantile) as f64 / 1000.0
    }
}

/// Prints a row for each workload.
struct Report {
    output: Output,
    json: bool,
    threads: usize,
}

impl Report {
    fn head(&mut self) -> Outcome<()> {
        if self.json {
            return Ok(());
        }
        self.output.line(&format!(
            "{:<24} {:>7} {:>12} {:>12} {:>10} {:>10} {:>10} {:>10}",
            "workload",
            "threads",
            "operations",
            "per second",
            "p50 us",
            "p99 us",
            "p99.9 us",
            "max us"
        ))
    }

    fn row(&mut self, name: &str, measured: &Measured) -> Outcome<()> {
        let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|of| measured.microseconds(of));
        let (threads, operations, rate) = (self.threads, measured.operations, measured.rate());
        match self.json {
            true => self.output.json(&json!({
                "workload": name,
                "threads": threads,
                "operations": operations,
                "per_second": rate,
                "p50_us": p50,
                "p99_us": p99,
                "p999_us": p999,
                "max_us": max,
            }))?,
            false => self.output.line(&format!(
                "{name:<24} {threads:>7} {operations:>12} {rate:>12.0} {p50:>10.2} {p99:>10.2} \
                 {p999:>10.2} {max:>10.2}"
            ))?,
        }
        self.output.flush()
    }
}

/// Runs a workload on all threads, while another thread makes checkpoints.
fn measure_beside_checkpoints(
    shared: &Shared<'_>,
    workload: Workload,
    threads: usize,
) -> Outcome<Measured> {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let checkpoints = scope.spawn(|| {
            // Ends: with the workload, which is bounded.
            while !is_over.load(Ordering::Relaxed) {
                shared.tree.store.checkpoint()?;
            }
            Ok(())
        });
        let measured = measure(shared, workload, threads);
        is_over.store(true, Ordering::Relaxed);
        checkpoints.join().expect("a checkpoint does not panic")?;
        measured
    })
}

/// Runs a workload on all threads.
fn measure(shared: &Shared<'_>, workload: Workload, threads: usize) -> Outcome<Measured> {
    let begun = Instant::now();
    let parts: Vec<_> = std::thread::scope(|scope| {
        let run = |thread| scope.spawn(move || workload::run(shared, workload, thread, threads));
        let running: Vec<_> = (0..threads).map(run).collect();
        let joined = running
            .into_iter()
            .map(|of| of.join().expect("a workload does not panic"));
        joined.collect()
    });
    // What was only in memory counts when it is durable.
    if workload == Workload::Fill {
        shared.tree.store.sync()?;
    }
    let elapsed = begun.elapsed();
    let mut times = workload::histogram();
    for part in parts {
        times.add(part?).expect("the histograms are alike");
    }
    Ok(Measured {
        operations: times.len(),
        elapsed,
        times,
    })
}

/// Removes the store when it is dropped.
struct Removed<'p>(&'p Path);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        // What cannot be removed stays.
        let _ = fs::remove_dir_all(self.0);
    }
}

pub(crate) fn bench(args: &BenchArgs) -> Outcome<()> {
    let directory = args.directory.as_deref();
    if let Some(directory) = directory.filter(|directory| directory.exists()) {
        let message = format!(
            "{}: exists; the store must be a new one",
            directory.display()
        );
        return Err(Failure::usage(message));
    }
    let opening = Opening {
        makes_checkpoints: true,
        ..Opening::default()
    };
    let _removed = directory.map(Removed);
    let store = Store::open_or_memory(directory, opening)?;
    let shared = Shared {
        tree: store.make_tree(c"bench")?,
        keys: Keys::new(args.keys),
        value: vec![b'v'; args.value_bytes],
        time: Duration::from_secs_f64(args.seconds),
    };
    let mut report = Report {
        output: Output::new(),
        json: args.json.json,
        threads: args.threads,
    };
    report.head()?;
    for workload in [
        Workload::Fill,
        Workload::Get,
        Workload::Scan,
        Workload::Put,
        Workload::PutDurable,
    ] {
        report.row(workload.name(), &measure(&shared, workload, args.threads)?)?;
    }
    if directory.is_some() {
        for workload in [Workload::Get, Workload::Put, Workload::PutDurable] {
            let name = format!("{}, checkpoints", workload.name());
            let measured = measure_beside_checkpoints(&shared, workload, args.threads)?;
            report.row(&name, &measured)?;
        }
    }
    store.close()?;
    report.output.finish()
}
