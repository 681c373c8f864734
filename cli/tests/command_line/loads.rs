//! A load that is killed, and goes on.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};

use serde_json::Value;

use crate::support::Place;

/// Large enough for some records of the progress.
const ENTRIES: usize = 100_000;

fn big_dump() -> String {
    let mut dump = "masstree dump 1\nformat text\ntree first\n".to_owned();
    for entry in 0..ENTRIES {
        if entry == ENTRIES / 3 {
            dump += "tree second\n";
        }
        writeln!(dump, " key{entry:08}\t{:0100}", entry * 7).expect("a string has room");
    }
    dump + "end\n"
}

/// Loads a dump, but for its end, and kills the tool when it has recorded progress twice. Returns
/// the second record.
fn kill_in_the_middle(place: &Place, dump: &str) -> Value {
    let mut child = place.start(["load", "store", "--json"]);
    let mut input = child.stdin.take().expect("it is a pipe");
    let output = BufReader::new(child.stdout.take().expect("it is a pipe"));
    // The tool waits for the rest when it is killed. The thread ends at the latest then.
    let beginning = dump.as_bytes()[..dump.len() - 5].to_vec();
    let writer = std::thread::spawn(move || {
        let _ = input.write_all(&beginning);
        input
    });
    let line = output
        .lines()
        .nth(1)
        .expect("there are two lines")
        .expect("they are text");
    child.kill().expect("the tool runs");
    child.wait().expect("the tool was started");
    drop(writer.join().expect("the thread does not panic"));
    serde_json::from_str(&line).expect(&line)
}

/// Put back: the load begins anew, or goes on behind the entry after the recorded one.
#[test]
fn a_killed_load_goes_on_where_it_was() {
    let (place, dump) = (Place::new(), big_dump());
    let record = kill_in_the_middle(&place, &dump);
    let loaded = record["entries"].as_u64().expect("it is a number");
    assert!(0 < loaded && loaded < ENTRIES as u64);
    // What was recorded is not stored again: this key keeps the value that is put now.
    place
        .run(["put", "store", "first", "key00000000", "newer"])
        .text();
    let text = place.run_with(["load", "store"], dump.as_bytes()).text();
    assert_eq!(text, format!("loaded {ENTRIES} entries\n"));
    let stat = place.run(["stat", "store", "--json"]).json().remove(0);
    assert_eq!(stat["trees"][0]["keys"], ENTRIES / 3);
    assert_eq!(stat["trees"][1]["keys"], ENTRIES - ENTRIES / 3);
    assert_eq!(
        place.run(["get", "store", "first", "key00000000"]).text(),
        "newer\n"
    );
    let last = format!("{:0100}\n", (ENTRIES - 1) * 7);
    let key = format!("key{:08}", ENTRIES - 1);
    assert_eq!(place.run(["get", "store", "second", &key]).text(), last);
    assert!(!place.path("store/load-progress").exists());
}

/// Put back: the checksum of what was loaded is not compared.
#[test]
fn a_killed_load_does_not_go_on_with_another_dump() {
    let (place, dump) = (Place::new(), big_dump());
    kill_in_the_middle(&place, &dump);
    let other = dump.replacen("key00000007", "kex00000007", 1);
    let run = place.run_with(["load", "store"], other.as_bytes());
    run.fails(2, "use --restart");
    let short = "masstree dump 1\nformat text\ntree first\nend\n";
    place
        .run_with(["load", "store"], short.as_bytes())
        .fails(2, "use --restart");
    let text = place
        .run_with(["load", "store", "--restart"], other.as_bytes())
        .text();
    assert_eq!(text, format!("loaded {ENTRIES} entries\n"));
    let keys = ["scan", "store", "first", "--prefix", "kex", "--keys-only"];
    assert_eq!(place.run(keys).text(), "kex00000007\n");
}

#[test]
fn a_damaged_record_of_progress_counts_as_none() {
    let place = Place::with(&[]);
    let dump = "masstree dump 1\nformat text\ntree t\n a\tb\nend\n";
    for record in ["", "{}", "{\"offset\":1", "[]"] {
        std::fs::write(place.path("store/load-progress"), record).expect("it can be written");
        let text = place.run_with(["load", "store"], dump.as_bytes()).text();
        assert_eq!(text, "loaded 1 entries\n");
    }
}
