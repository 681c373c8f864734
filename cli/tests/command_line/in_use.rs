//! A store that another process has open.

use std::io::{BufRead, BufReader, Write};

use crate::support::Place;

/// Put back: the exit code of a locked store is that of other failures.
#[test]
fn a_store_in_use_is_refused() {
    let place = Place::with(&[("a", "1")]);
    // A load that waits for its input has the store open to write. It prints when it has opened it: the
    // first record of its progress.
    let mut loading = place.start(["load", "store", "--json"]);
    let mut input = loading.stdin.take().expect("it is a pipe");
    let entry = |key: usize| format!(" key{key:08}\t{:0>1000}\n", key);
    let feeder = std::thread::spawn(move || {
        let _ = input.write_all(b"masstree dump 1\nformat text\ntree t\n");
        for key in 0..8000 {
            let _ = input.write_all(entry(key).as_bytes());
        }
        input
    });
    let mut line = String::new();
    let mut output = BufReader::new(loading.stdout.take().expect("it is a pipe"));
    output.read_line(&mut line).expect("the load prints");
    for args in [
        ["stat", "store"].as_slice(),
        &["verify", "store"],
        &["trees", "store"],
        &["get", "store", "t", "a"],
        &["put", "store", "t", "a", "2"],
        &["rm", "store", "t", "a"],
        &["drop", "store", "t"],
        &["scan", "store", "t"],
        &["dump", "store"],
        &["export", "store", "copy"],
        &["log", "store"],
        &["import", "store", "copy"],
        &["import", "--create", "other", "store"],
        &["checkpoint", "store"],
    ] {
        place
            .run(args)
            .fails(4, "another process has the store open");
    }
    let dump = b"masstree dump 1\nformat text\ntree t\nend\n";
    place
        .run_with(["load", "store"], dump)
        .fails(4, "another process has the store open");
    let mut input = feeder.join().expect("the thread does not panic");
    input.write_all(b"end\n").expect("the load reads");
    drop(input);
    assert!(loading.wait().expect("it was started").success());
    assert_eq!(place.run(["get", "store", "t", "a"]).text(), "1\n");
}

/// A pipe that is not read keeps a scan, and the store, open.
#[test]
fn commands_that_read_share_a_store_and_keep_writers_out() {
    let keys: Vec<String> = (0..30_000).map(|key| format!("key{key:06}")).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), "value")).collect();
    let place = Place::with(&entries);
    let mut scanning = place.start(["scan", "store", "t"]);
    let mut first = [0; 1];
    let mut output = scanning.stdout.take().expect("it is a pipe");
    std::io::Read::read_exact(&mut output, &mut first).expect("the scan prints");
    assert_eq!(
        place.run(["get", "store", "t", "key000007"]).text(),
        "value\n"
    );
    place
        .run(["put", "store", "t", "a", "2"])
        .fails(4, "another process has the store open");
    drop(output);
    assert_eq!(scanning.wait().expect("it was started").code(), Some(141));
    place.run(["put", "store", "t", "a", "2"]).text();
}
