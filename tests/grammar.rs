//! Every function of the C interface obeys the grammar
//! `masstree_[object_]verb[_many][_kind][_u64][_at][_observed]`; a function without an object
//! works on the tree. Parameters come in this order: object, tree, guard, inputs, outputs.
#![cfg(not(any(loom, shuttle)))]

use std::path::Path;
use std::{env, fs};

/// The objects other than the tree.
const OBJECTS: [&str; 14] = [
    "guard",
    "cursor",
    "held",
    "delta",
    "leaf",
    "u64",
    "stats",
    "loader",
    "snapshot",
    "store",
    "batch",
    "txn_cursor",
    "txn",
    "changes",
];

/// Verbs of one word or more, with the objects that have them ("" is the tree).
const VERBS: &[(&str, &[&str])] = &[
    ("create", &["", "batch"]),
    ("destroy", &["", "batch", "txn", "changes"]),
    ("clear", &["", "batch"]),
    ("get", &["", "txn"]),
    ("copy", &[""]),
    ("contains", &[""]),
    ("put", &["", "store", "batch", "txn"]),
    ("exchange", &["", "store"]),
    ("insert", &["", "store", "txn"]),
    ("remove", &["", "store", "batch", "txn"]),
    ("pop_first", &[""]),
    ("pop_last", &[""]),
    ("replace", &[""]),
    ("compare_exchange", &[""]),
    ("remove_if_equal", &[""]),
    ("update", &[""]),
    ("get_or_insert_with", &[""]),
    ("scan", &["", "txn"]),
    ("scan_delimited", &[""]),
    ("longest_prefix", &[""]),
    ("count", &[""]),
    ("estimate", &[""]),
    ("bulk_load_from", &[""]),
    ("bulk_load", &[""]),
    ("add", &["", "loader"]),
    ("append", &[""]),
    ("sample", &[""]),
    ("export", &["store"]),
    ("changes", &["store"]),
    ("import", &["store"]),
    ("verify", &["store"]),
    ("export_to", &[""]),
    ("hold", &[""]),
    ("validate", &[""]),
    ("retire", &[""]),
    ("flush", &[""]),
    ("barrier", &[""]),
    ("maintain", &[""]),
    ("compact", &[""]),
    ("len", &["", "batch"]),
    ("memory_held", &[""]),
    ("check", &[""]),
    ("dump", &[""]),
    ("pivots", &[""]),
    ("stats", &["", "store"]),
    ("stats_json", &["store"]),
    ("json", &["stats"]),
    ("enter", &["guard"]),
    ("leave", &["guard"]),
    ("refresh", &["guard", "cursor"]),
    ("record", &["guard"]),
    (
        "open",
        &["cursor", "loader", "snapshot", "store", "txn_cursor"],
    ),
    ("open_in", &["cursor"]),
    (
        "close",
        &["cursor", "loader", "snapshot", "store", "txn_cursor"],
    ),
    ("seek", &["cursor", "", "txn_cursor"]),
    ("first", &["cursor"]),
    ("last", &["cursor"]),
    ("next", &["cursor", "held", "txn_cursor", "changes"]),
    ("prev", &["cursor", "txn_cursor"]),
    ("key", &["cursor", "txn_cursor"]),
    ("value", &["cursor"]),
    ("track", &["cursor"]),
    ("observations", &["cursor"]),
    ("observation", &["held"]),
    ("delta", &["held"]),
    ("finish", &["held", "loader"]),
    ("apply", &["delta"]),
    ("size", &["leaf", "cursor"]),
    ("version", &["leaf", "cursor", "txn_cursor"]),
    ("to_key", &["u64"]),
    ("from_key", &["u64"]),
    ("put_unless_newer", &[""]),
    ("put_digested", &[""]),
    ("digest_version", &[""]),
    ("verify_digests", &[""]),
    ("remove_range", &[""]),
    ("get_operands", &[""]),
    ("scan_versions", &[""]),
    ("scan_range_tombstones", &[""]),
    ("open_versions", &["cursor"]),
    ("open_versions_in", &["cursor"]),
    ("next_seqno", &[""]),
    ("publish", &[""]),
    ("trim_versions", &[""]),
    ("seal", &[""]),
    ("versions", &["stats"]),
    ("seqno", &["snapshot", "txn"]),
    ("rename", &["store", "batch", "txn"]),
    ("tree", &["store"]),
    ("list_trees", &["store"]),
    ("snapshot", &["store"]),
    ("list_snapshots", &["store"]),
    ("drop_tree", &["store"]),
    ("replace_if", &["store"]),
    ("remove_if", &["store"]),
    ("commit", &["store", "txn"]),
    ("failure", &["store"]),
    ("wait", &["store", "changes"]),
    ("checkpoint", &["store"]),
    ("sync", &["store"]),
    ("durable", &["store"]),
    ("on_durable", &["store"]),
    ("begin", &["txn"]),
    ("reset", &["txn"]),
    ("abort", &["txn"]),
    ("conflict", &["txn"]),
    ("transact", &["store"]),
    ("assert_absent", &["batch"]),
    ("assert_present", &["batch"]),
    ("assert_version", &["batch"]),
    ("assert_value", &["batch"]),
    ("assert_prefix_empty", &["batch"]),
];

/// The suffixes of a verb, in their order.
const SUFFIXES: [&[&str]; 5] = [&["_many"], &["_bytes"], &["_u64"], &["_at"], &["_observed"]];

/// Functions that work on no tree.
const OF_THE_LIBRARY: [&str; 4] = [
    "strerror",
    "version_number",
    "version_string",
    "abi_version",
];

fn fits_the_grammar(name: &str) -> bool {
    if OF_THE_LIBRARY.contains(&name) {
        return true;
    }
    let object = (OBJECTS.iter().copied())
        .find(|object| (name.strip_prefix(object)).is_some_and(|rest| rest.starts_with('_')));
    let (object, name) = match object {
        Some(object) => (object, &name[object.len() + 1..]),
        None => ("", name),
    };
    VERBS.iter().any(|(verb, objects)| {
        let Some(mut rest) = name.strip_prefix(verb) else {
            return false;
        };
        for suffixes in SUFFIXES {
            let suffix = suffixes.iter().find_map(|suffix| rest.strip_prefix(suffix));
            rest = suffix.unwrap_or(rest);
        }
        rest.is_empty() && objects.contains(&object)
    })
}

/// Returns the names and parameters of the functions that the C headers declare.
fn functions() -> Vec<(String, Vec<String>)> {
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let others = fs::read_dir(include.join("masstree")).expect("the headers exist");
    let mut headers = vec![include.join("masstree.h")];
    headers.extend(
        (others.map(|entry| entry.unwrap().path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "h")),
    );
    let mut functions = Vec::new();
    for header in headers {
        let text = fs::read_to_string(header).expect("a header is UTF-8");
        let mut declaration = String::new();
        let mut in_comment = false;
        for line in text.lines() {
            in_comment |= line.trim_start().starts_with("/*");
            if !in_comment && !line.starts_with('#') {
                declaration += line.trim();
                declaration.push(' ');
            }
            in_comment &= !line.ends_with("*/");
            if !line.ends_with(';') || in_comment {
                continue;
            }
            let found = std::mem::take(&mut declaration);
            let Some((before, parameters)) = found.split_once('(') else {
                continue;
            };
            let name = before.rsplit([' ', '*']).next().unwrap();
            if let Some(name) = name.strip_prefix("masstree_")
                && !found.starts_with("typedef")
            {
                let parameters = parameters.trim_end_matches([';', ' ', ')']);
                let parameters = parameters.split(", ").map(str::to_owned).collect();
                functions.push((name.to_owned(), parameters));
            }
        }
    }
    functions
}

/// Put back: rename `masstree_get_u64_observed` to `masstree_get_observed_u64`.
#[test]
fn names_of_functions_fit_the_grammar() {
    let functions = functions();
    assert!(functions.len() > 90, "{} functions", functions.len());
    let others: Vec<&String> = (functions.iter().map(|(name, _)| name))
        .filter(|name| !fits_the_grammar(name))
        .collect();
    assert!(
        others.is_empty(),
        "masstree_… do not fit the grammar: {others:?}; a new verb or object goes into tests/grammar.rs"
    );
    assert!(!fits_the_grammar("get_observed_u64"));
    assert!(!fits_the_grammar("get_copy"));
    assert!(!fits_the_grammar("cursor_put"));
}

/// Put back: swap two parameters of a function of `src/ffi`.
#[test]
fn objects_come_first_then_trees_then_guards() {
    for (name, parameters) in functions() {
        // A pointer to a pointer is an output.
        let place = |kind: &str| {
            (parameters.iter())
                .map(|parameter| parameter.trim_start_matches("const "))
                .position(|parameter| {
                    parameter.starts_with(kind) && !parameter[kind.len()..].starts_with('*')
                })
        };
        let store = place("masstree_store_t *");
        // A batch, or a transaction.
        let batch = place("masstree_batch_t *").or_else(|| place("masstree_txn_t *"));
        assert!(
            store.is_none_or(|place| place == 0),
            "{name}: {parameters:?}"
        );
        let objects = usize::from(store.is_some()) + usize::from(batch.is_some());
        assert!(
            batch.is_none_or(|place| place == objects - 1),
            "{name}: {parameters:?}"
        );
        let tree = place("masstree_t *");
        assert!(
            tree.is_none_or(|place| place == objects),
            "{name}: {parameters:?}"
        );
        let guard = place("masstree_guard_t *");
        let expected = objects + usize::from(tree.is_some());
        assert!(
            guard.is_none_or(|place| place == expected),
            "{name}: {parameters:?}"
        );
    }
}
