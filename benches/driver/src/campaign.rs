//! All the runs that were asked for: for each round, suite and number of threads one
//! process for each map, one after the other, so that what disturbs the machine for a
//! while disturbs all of them.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::child::{DISTURBED, Findings, Task};
use crate::machine;
use crate::peers::Subject;
use crate::results::{Results, Sample, TimedOperation};
use crate::suite::{Phase, Row, SUITES, Suite, rows};

/// A run, and where its figures belong.
struct Run {
    task: Task,
    suite: &'static Suite,
    round: usize,
}

/// Measures.
pub(crate) fn run(args: &Args) -> Result<Results, String> {
    let subjects = args.subjects()?;
    let runs = plan(args, &subjects, &rows(&args.only));
    let mut results = Results {
        machine: machine::describe(),
        subjects,
        keys: args.keys,
        operations: args.operations,
        rounds: args.rounds,
        threads: args.threads.clone(),
        samples: Vec::new(),
        latencies: Vec::new(),
        failures: Vec::new(),
    };
    let start = Instant::now();
    for (done, run) in runs.iter().enumerate() {
        let name = run.task.subject.name();
        let threads = run.task.threads;
        let what = format!("{}, {name}, {threads} thread(s)", run.suite.name);
        match undisturbed(&run.task, args.retries) {
            Ok(findings) => {
                progress(done + 1, runs.len(), start, run.round, &what, &findings);
                take(&mut results, run, findings);
            }
            Err(error) => {
                eprintln!("bench: {what}: {error}");
                results.failures.push(format!("{what}: {error}"));
            }
        }
    }
    Ok(results)
}

fn plan(args: &Args, subjects: &[Subject], rows: &[Row]) -> Vec<Run> {
    let mut runs = Vec::new();
    for round in 1..=args.rounds {
        for suite in &SUITES {
            for &threads in &args.threads {
                // Another one begins in each round.
                let order = subjects.iter().cycle().skip(round - 1);
                let tasks = order
                    .take(subjects.len())
                    .map(|subject| Task {
                        subject: subject.clone(),
                        keys: suite.keys,
                        phases: phases(suite, subject, rows, threads),
                        threads,
                        count: args.keys.min(suite.keys_at_most),
                        operations: args.operations,
                    })
                    .filter(|task| !task.phases.is_empty());
                runs.extend(tasks.map(|task| Run { task, suite, round }));
            }
        }
    }
    runs
}

/// What the subject is to do in a suite. A peer also does the single operations that
/// batches are compared with.
fn phases(suite: &Suite, subject: &Subject, rows: &[Row], threads: usize) -> Vec<Phase> {
    let peer = matches!(subject, Subject::Peer(_));
    let is_wanted = |phase: Phase| {
        rows.iter().any(|row| {
            let itself = row.suite.name == suite.name && row.phase == phase;
            let batches = row.suite.singles == Some(suite.name) && row.phase.single() == phase;
            itself && row.is_measured(subject) || batches && peer
        })
    };
    let is_possible = |phase: Phase| {
        // Memory is that of a load by one thread.
        (phase != Phase::Memory || threads == 1) && subject.lacks(suite.keys, phase).is_none()
    };
    let phases = suite.phases.iter().copied();
    phases
        .filter(|&phase| is_wanted(phase) && is_possible(phase))
        .collect()
}

/// Does the task, again while it is disturbed and there are retries: the best attempt.
fn undisturbed(task: &Task, retries: usize) -> Result<Findings, String> {
    let mut best = in_child(task)?;
    for _ in 0..retries {
        if best.waited() <= DISTURBED {
            break;
        }
        let again = in_child(task)?;
        if again.waited() < best.waited() {
            best = again;
        }
    }
    Ok(best)
}

/// Has another process of this program do the task.
fn in_child(task: &Task) -> Result<Findings, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let text = serde_json::to_string(task).map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    if let Subject::Library { search, .. } = task.subject {
        command.env("MASSTREE_SEARCH", search.value());
    }
    let output = command
        .args(["--child", &text])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("the run failed ({})", output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

fn take(results: &mut Results, run: &Run, findings: Findings) {
    let subject = run.task.subject.name().to_string();
    let threads = run.task.threads;
    for figure in findings.figures {
        results.samples.push(Sample {
            subject: subject.clone(),
            suite: run.suite.name.to_string(),
            phase: figure.phase,
            threads,
            round: run.round,
            figure: figure.figure,
            waited: figure.waited,
        });
    }
    for latency in findings.latencies {
        results.latencies.push(TimedOperation {
            subject: subject.clone(),
            threads,
            round: run.round,
            latency,
        });
    }
}

fn progress(done: usize, all: usize, start: Instant, round: usize, what: &str, found: &Findings) {
    let left = start.elapsed().mul_f64((all - done) as f64 / done as f64);
    let left = Duration::from_secs(left.as_secs());
    let figures: Vec<String> = found
        .figures
        .iter()
        .map(|found| match found.phase {
            Phase::Memory => format!("{:.1} bytes a key", found.figure),
            phase => format!("{} {:.2}", phase.name(), found.figure / 1e6),
        })
        .collect();
    eprintln!(
        "[{done}/{all}, round {round}, {left:?} left] {what}: {}",
        figures.join(", ")
    );
}
