//! Damaged directories.

use std::fs;
use std::path::PathBuf;

use crate::support::Place;

/// Every command that reads a store, and one that writes.
const COMMANDS: [&[&str]; 7] = [
    &["stat", "store"],
    &["verify", "store"],
    &["trees", "store"],
    &["get", "store", "t", "a"],
    &["scan", "store", "t"],
    &["dump", "store"],
    &["put", "store", "t", "a", "2"],
];

fn file(place: &Place, beginning: &str) -> PathBuf {
    let files = fs::read_dir(place.path("store")).expect("the directory is there");
    let names = files.map(|file| file.expect("it can be listed").path());
    let named = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(beginning))
    };
    names.filter(named).min().expect("there is such a file")
}

/// Put back: the message leaves out the file.
#[test]
fn a_damaged_checkpoint_or_log_is_named() {
    for (name, is_checkpointed) in [("log-", false), ("checkpoint-", true), ("manifest", true)] {
        let place = Place::with(&[("a", "1"), ("b", "2")]);
        if is_checkpointed {
            place.run(["checkpoint", "store"]).text();
        }
        // What was synced before another write is durable: a fault in it is no torn end.
        place.run(["put", "store", "t", "c", "3"]).text();
        place.run(["put", "store", "t", "d", "4"]).text();
        let path = file(&place, name);
        let mut bytes = fs::read(&path).expect("it can be read");
        let at = bytes.len().min(120) - 8;
        bytes[at] ^= 1;
        fs::write(&path, &bytes).expect("it can be written");
        let name = path
            .file_name()
            .expect("it has a name")
            .to_string_lossy()
            .into_owned();
        for args in COMMANDS {
            let run = place.run(args);
            assert!(run.err.contains("damaged"), "{}", run.err);
            run.fails(3, &name);
        }
        assert_eq!(fs::read(&path).expect("it can be read"), bytes);
    }
}

#[test]
fn what_is_no_store_is_not_found_or_cannot_be_read() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).expect("it can be made");
    fs::write(place.path("file"), "").expect("it can be written");
    for store in ["none", "empty"] {
        place.run(["stat", store]).fails(1, "there is no store");
    }
    place.run(["stat", "file"]).fails(5, "file");
    assert_eq!(
        fs::read_dir(place.path("empty"))
            .expect("it is there")
            .count(),
        0
    );
}
