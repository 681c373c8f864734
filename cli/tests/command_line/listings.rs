//! scan, trees, stat, verify and checkpoint.

use std::io::{BufRead, BufReader};

use serde_json::json;

use crate::support::{Place, Run};

const PATHS: [(&str, &str); 5] = [
    ("a", "1"),
    ("b/x", "2"),
    ("b/y", "3"),
    ("b/z/1", "4"),
    ("c", "5"),
];

fn scan(args: &[&str]) -> String {
    let place = Place::with(&PATHS);
    let lines = place.run(["scan", "store", "t"].iter().chain(args)).text();
    lines.replace('\t', "=").replace('\n', " ")
}

#[test]
fn a_scan_has_bounds_a_prefix_and_an_order() {
    assert_eq!(scan(&[]), "a=1 b/x=2 b/y=3 b/z/1=4 c=5 ");
    assert_eq!(scan(&["--prefix", "b/"]), "b/x=2 b/y=3 b/z/1=4 ");
    assert_eq!(scan(&["--from", "b/y", "--to", "c"]), "b/y=3 b/z/1=4 ");
    assert_eq!(scan(&["--reverse", "--limit", "2"]), "c=5 b/z/1=4 ");
    assert_eq!(scan(&["--keys-only", "--limit", "1"]), "a ");
    assert_eq!(
        scan(&["--prefix", "622f", "--hex", "--limit", "1"]),
        "622f78=32 "
    );
}

/// A range whose lower bound is above the upper one has no keys.
#[test]
fn a_reversed_range_is_empty() {
    assert_eq!(scan(&["--from", "c", "--to", "a"]), "");
    assert_eq!(scan(&["--to", "b", "--start-after", "c"]), "");
}

/// Put back: `start_after` replaces a bound that is behind it.
#[test]
fn start_after_goes_on_behind_a_key_within_the_bounds() {
    assert_eq!(scan(&["--start-after", "b/y"]), "b/z/1=4 c=5 ");
    assert_eq!(scan(&["--start-after", "b/y", "--reverse"]), "b/x=2 a=1 ");
    assert_eq!(scan(&["--start-after", "a", "--from", "c"]), "c=5 ");
    assert_eq!(
        scan(&["--start-after", "c", "--to", "b/y", "--reverse"]),
        "b/x=2 a=1 "
    );
}

#[test]
fn a_delimiter_rolls_keys_up() {
    assert_eq!(scan(&["--delimiter", "/"]), "a=1 b/ c=5 ");
    assert_eq!(
        scan(&["--delimiter", "/", "--prefix", "b/"]),
        "b/x=2 b/y=3 b/z/ "
    );
    assert_eq!(scan(&["--delimiter", "/", "--start-after", "b/"]), "c=5 ");
    let lines = scan(&["--delimiter", "/", "--json", "--keys-only", "--to", "c"]);
    assert!(lines.contains("{\"prefix\":\"b/\"}"), "{lines}");
}

/// An opened store keeps the newest values. Put back: the scan begins to print before it knows.
#[test]
fn a_scan_at_a_number_is_refused_if_the_store_does_not_keep_it() {
    let place = Place::with(&PATHS);
    place.run(["put", "store", "t", "a", "9"]).text();
    let row = place
        .run(["get", "store", "t", "a", "--json"])
        .json()
        .remove(0);
    let newest = row["commit"].as_u64().expect("it is a number");
    let at = |number: u64| place.run(["scan", "store", "t", "--at", &number.to_string()]);
    at(newest - 1).fails(1, "does not keep this number");
    at(1).fails(1, "does not keep this number");
    assert!(at(u64::MAX >> 8).text().starts_with("a\t9\n"));
}

#[test]
fn every_listing_is_json_on_demand() {
    let place = Place::with(&PATHS);
    place.load("empty tree", &[]);
    let rows = place.run(["scan", "store", "t", "--json"]).json();
    assert_eq!(rows.len(), PATHS.len());
    assert_eq!(
        (&rows[1]["key"], &rows[1]["value"]),
        (&json!("b/x"), &json!("2"))
    );
    assert!(rows[1]["commit"].as_u64() > Some(0));
    let trees = place.run(["trees", "store", "--json"]).json();
    assert_eq!(
        trees,
        [json!({ "tree": "t" }), json!({ "tree": "empty tree" })]
    );
    let stat = place.run(["stat", "store", "--json"]).json().remove(0);
    assert_eq!(stat["trees"][0]["keys"], 5);
    assert_eq!(stat["trees"][0]["key_bytes"], 13);
    assert_eq!(stat["trees"][1]["keys"], 0);
    assert_eq!(stat["checkpoint"]["commit"], 0);
    assert_eq!(stat["log"]["torn_bytes"], 0);
}

#[test]
fn a_checkpoint_takes_the_place_of_the_log() {
    let place = Place::with(&PATHS);
    let made = place
        .run(["checkpoint", "store", "--json"])
        .json()
        .remove(0);
    assert_eq!(made["keys"], 5);
    let stat = place.run(["stat", "store", "--json"]).json().remove(0);
    assert_eq!(stat["checkpoint"]["commit"], made["commit"]);
    assert_eq!(stat["log"]["records"], 0);
    assert_eq!(stat["trees"][0]["keys"], 5);
    assert!(
        place
            .run(["stat", "store"])
            .text()
            .contains("tree \"t\": 5 keys")
    );
    assert!(place.run(["verify", "store"]).text().contains("no damage"));
    assert_eq!(
        place.run(["verify", "store", "--json"]).json()[0]["trees"],
        1
    );
}

/// Put back: the status that says that the directory has a store is a success.
#[test]
fn an_export_is_a_store_and_replaces_none() {
    let place = Place::with(&PATHS);
    place.load("empty tree", &[]);
    assert_eq!(place.run(["export", "store", "copy"]).text(), "");
    for args in [
        ["trees", "store"].as_slice(),
        &["scan", "store", "t", "--json"],
    ] {
        let copied: Vec<_> = args
            .iter()
            .map(|&arg| if arg == "store" { "copy" } else { arg })
            .collect();
        assert_eq!(place.run(copied).text(), place.run(args).text());
    }
    place.run(["put", "copy", "t", "new", "6"]).text();
    place
        .run(["export", "store", "copy"])
        .fails(1, "there is a store already");
    assert_eq!(place.run(["get", "copy", "t", "new"]).text(), "6\n");
    place
        .run(["export", "store", "none/copy"])
        .fails(5, "none/copy");
    place
        .run(["export", "none", "copy"])
        .fails(1, "there is no store");
}

/// Put back: a failure of standard output is reported as any other.
#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let keys: Vec<String> = (0..30_000).map(|key| format!("key{key:06}")).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), "value")).collect();
    let place = Place::with(&entries);
    for command in [["scan", "store", "t"].as_slice(), &["dump", "store"]] {
        let mut child = place.start(command);
        let mut first = String::new();
        let out = child.stdout.take().expect("it is a pipe");
        BufReader::new(out)
            .read_line(&mut first)
            .expect("there is a line");
        let run = Run::of(child.wait_with_output().expect("the tool runs"));
        assert_eq!((run.code, run.err.as_str()), (141, ""));
    }
}
