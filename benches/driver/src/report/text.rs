//! Everything, for a terminal.

use std::fmt::Write;

use super::{label, method, or_dash, short, shown};
use crate::peers::Subject;
use crate::results::Results;
use crate::suite::Row;

/// The machine, the ratios, every map's figures, and latencies.
pub(crate) fn report(results: &Results) -> String {
    let mut text = format!("{}\n{}\n", results.machine.text(), method(results));
    for &threads in &results.threads {
        if !results.samples.is_empty() {
            let _ = write!(text, "\n{threads} thread(s)\n{}", figures(results, threads));
        }
    }
    if results.threads.contains(&1) && results.threads.contains(&2) && !results.samples.is_empty() {
        let _ = write!(text, "\n2 threads against 1\n{}", scaling(results));
    }
    text.push_str(&latencies(results));
    let lacks = lacking(results);
    if !lacks.is_empty() {
        let _ = write!(text, "\nNot measured: {}.\n", lacks.join("; "));
    }
    text.push_str(&super::disturbance(results));
    for failure in &results.failures {
        let _ = writeln!(text, "FAILED: {failure}");
    }
    text
}

/// Columns as wide as their widest cell, the first to the left and the others to the right.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(text, "{cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}

/// Figures of every subject, after the ratios of ours to the crate's and to the best
/// peer's; for a second library, its ratio to the first.
fn figures(results: &Results, threads: usize) -> String {
    let ours = results.ours();
    let builds: Vec<&Subject> = results.other_libraries().collect();
    let mut head = vec![String::new(), "× crate".into(), "× best".into()];
    head.extend(
        builds
            .iter()
            .map(|build| format!("{} × {}", build.name(), ours.name())),
    );
    head.extend(
        results
            .subjects
            .iter()
            .map(|subject| subject.name().to_string()),
    );
    let mut lines = vec![head];
    for row in results.rows() {
        let ratio = |over: &Subject, under: Option<&Subject>| {
            let ratio = under.and_then(|under| results.ratio(over, under, &row, threads));
            or_dash(ratio.map(short))
        };
        let mut line = vec![label(&row)];
        line.push(ratio(ours, results.masstree_crate()));
        line.push(ratio(ours, results.best_peer(&row, threads)));
        line.extend(builds.iter().map(|build| ratio(build, Some(ours))));
        line.extend(
            results
                .subjects
                .iter()
                .map(|subject| cell(results, subject, &row, threads)),
        );
        lines.push(line);
    }
    aligned(&lines)
}

fn cell(results: &Results, subject: &Subject, row: &Row, threads: usize) -> String {
    let figure = results.figure(subject, row, threads);
    or_dash(figure.map(|figure| shown(row, figure)))
}

fn scaling(results: &Results) -> String {
    let mut head = vec![String::new()];
    head.extend(
        results
            .subjects
            .iter()
            .map(|subject| subject.name().to_string()),
    );
    let mut lines = vec![head];
    for row in results.rows() {
        let scaling = |subject| or_dash(results.scaling(subject, &row).map(short));
        let mut line = vec![row.label()];
        line.extend(results.subjects.iter().map(scaling));
        lines.push(line);
    }
    aligned(&lines)
}

fn latencies(results: &Results) -> String {
    if results.latencies.is_empty() {
        return String::new();
    }
    let mut lines = vec![["", "p50", "p99", "p99.9"].map(String::from).to_vec()];
    for &threads in &results.threads {
        for operation in ["get", "put", "the clock"] {
            for subject in &results.subjects {
                if let Some(times) = results.latency(subject, operation, threads) {
                    let name = subject.name();
                    let mut line = vec![format!("{operation}, {threads} thread(s), {name}")];
                    line.extend(times.map(|time| format!("{time:.0}")));
                    lines.push(line);
                }
            }
        }
    }
    format!(
        "\nNanoseconds of single operations, the clock included\n{}",
        aligned(&lines)
    )
}

/// Why there are dashes.
fn lacking(results: &Results) -> Vec<&'static str> {
    let mut reasons = Vec::new();
    for row in results.rows() {
        for subject in &results.subjects {
            if let Some(reason) = subject.lacks(row.suite.keys, row.phase)
                && !reasons.contains(&reason)
            {
                reasons.push(reason);
            }
        }
    }
    reasons
}
