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
    text.push_str(
        "| | libmasstree | × crate | × best other | best other \
         | 2 threads | × crate | × 1 thread |\n\
         | --- | ---: | ---: | ---: | --- | ---: | ---: | ---: |\n",
    );
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
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
        label(row),
        figure(1),
        to_crate(1),
        or_dash(to_best.map(short)),
        or_dash(best.map(|best| best.name().to_string())),
        figure(2),
        to_crate(2),
        or_dash(results.scaling(ours, row).map(short)),
    )
}
