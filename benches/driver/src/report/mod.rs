//! What is shown of the results.

pub(crate) mod chart;
pub(crate) mod markdown;
pub(crate) mod text;

use crate::peers::Subject;
use crate::results::Results;
use crate::suite::{Phase, Row};

/// A figure as it is shown: millions per second, or bytes.
fn shown(row: &Row, figure: f64) -> String {
    match row.phase {
        Phase::Memory => format!("{figure:.1}"),
        _ => short(figure / 1e6),
    }
}

/// Three digits.
fn short(figure: f64) -> String {
    match figure {
        figure if figure >= 99.95 => format!("{figure:.0}"),
        figure if figure >= 9.995 => format!("{figure:.1}"),
        figure => format!("{figure:.2}"),
    }
}

/// A figure, or a dash.
fn or_dash(figure: Option<String>) -> String {
    figure.unwrap_or_else(|| "–".to_string())
}

/// The row's label with the unit.
fn label(row: &Row) -> String {
    let unit = match row.phase {
        Phase::Memory => return row.label(),
        Phase::Scan | Phase::ScanReverse => "M items/s",
        _ => "Mops/s",
    };
    format!("{}, {unit}", row.label())
}

/// What was done, in a line.
fn method(results: &Results) -> String {
    let search = match results.ours() {
        Subject::Library { search, .. } => format!("nodes searched with {}; ", search.name()),
        Subject::Peer(_) => String::new(),
    };
    format!(
        "{search}{} keys, {} operations a thread in phases that read or update, medians of {} round(s)",
        grouped(results.keys),
        grouped(results.operations),
        results.rounds
    )
}

/// A sentence about other processes that took part of the machine, if there were any.
fn disturbance(results: &Results) -> String {
    match results.disturbed() {
        (_, 0) => String::new(),
        (all, disturbed) => format!(
            "\nThe machine had other work: of {disturbed} of {all} figures a thread waited for a \
             processor\nfor more than 5 % of the time. Those of 2 threads suffer most.\n"
        ),
    }
}

/// With commas between the thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
