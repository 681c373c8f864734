//! The README's table: ratios first.

use super::{label, method, or_dash, short, shown};
use crate::results::Results;
use crate::suite::Row;

/// The machine, the method and the table.
pub(crate) fn table(results: &Results) -> String {
    let mut text = format!(
        "{}; {}:\n\n",
        results.machine.text().replace('\n', "; "),
        method(results)
    );
    let mut head = vec![String::new(), "libmasstree".into(), "× crate".into()];
    head.extend(["× best other", "best other"].map(String::from));
    for library in results.other_libraries() {
        head.extend([library.name().to_string(), "× best other".into()]);
    }
    head.extend(["2 threads", "× crate", "× 1 thread"].map(String::from));
    text.push_str(&cells(&head));
    let alignment = head.iter().map(|head| match head.as_str() {
        "" | "best other" => "---".to_string(),
        _ => "---:".to_string(),
    });
    text.push_str(&cells(&alignment.collect::<Vec<_>>()));
    for row in results.rows() {
        text.push_str(&line(results, &row));
    }
    text.push_str(&super::disturbance(results));
    text
}

fn line(results: &Results, row: &Row) -> String {
    let ours = results.ours();
    let figure = |threads| or_dash(results.figure(ours, row, threads).map(|f| shown(row, f)));
    let to_crate = |threads| {
        let ratio = results
            .masstree_crate()
            .and_then(|other| results.ratio(ours, other, row, threads));
        or_dash(ratio.map(short))
    };
    let best = results.best_peer(row, 1);
    let to_best = best.and_then(|other| results.ratio(ours, other, row, 1));
    let mut line = vec![
        label(row),
        figure(1),
        to_crate(1),
        or_dash(to_best.map(short)),
    ];
    line.push(or_dash(best.map(|best| best.name().to_string())));
    for library in results.other_libraries() {
        let ratio = best.and_then(|other| results.ratio(library, other, row, 1));
        line.push(or_dash(
            results.figure(library, row, 1).map(|f| shown(row, f)),
        ));
        line.push(or_dash(ratio.map(short)));
    }
    line.push(figure(2));
    line.push(to_crate(2));
    line.push(or_dash(results.scaling(ours, row).map(short)));
    cells(&line)
}

/// A line of a table.
fn cells(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
