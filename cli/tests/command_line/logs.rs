//! log and import.

use std::fs;

use crate::support::Place;

/// A store with two trees, some commits, and its path.
fn place() -> Place {
    let place = Place::new();
    let put = |args: &[&str]| {
        let args = [&["put", "--create", "store"], args].concat();
        place.run(args).text();
    };
    put(&["t", "a", "one"]);
    put(&["t", "b", "\\00"]);
    put(&["dropped", "c", ""]);
    place.run(["rm", "store", "t", "a"]).text();
    place.run(["drop", "store", "dropped"]).text();
    place
}

/// Put back: leave the name of a dropped tree out; print values without `--values`.
#[test]
fn the_log_shows_what_commits_have_changed() {
    let place = place();
    let log = |args: &[&str]| place.run([&["log", "store"], args].concat());
    let text = log(&[]).text();
    let shown: Vec<&str> = (text.lines())
        .map(|line| line.split_once('\t').expect("a number and the rest").1)
        .collect();
    let expected = [
        "make\tt",
        "put\tt\ta\t3 bytes",
        "put\tt\tb\t1 bytes",
        "make\tdropped",
        "put\tdropped\tc\t0 bytes",
        "remove\tt\ta",
        "drop\tdropped",
    ];
    assert_eq!(shown, expected);
    let rows = log(&["--json", "--values"]).json();
    assert_eq!(rows.len(), expected.len());
    assert_eq!(rows[2]["value"], "\\00");
    assert_eq!(
        (&rows[2]["change"], &rows[2]["key"]),
        (&"put".into(), &"b".into())
    );
    assert_eq!(
        (&rows[2]["value_bytes"], &rows[2]["last"]),
        (&1.into(), &true.into())
    );
    assert_eq!(
        (&rows[2]["tree"], &rows[2]["tree_number"]),
        (&"t".into(), &1.into())
    );
    assert!(rows[0].get("key").is_none() && rows[5].get("value_bytes").is_none());
    let third = rows[2]["commit"].to_string();
    assert_eq!(log(&["--since", &third]).text().lines().count(), 4);
    assert_eq!(
        log(&["--since", &third, "--limit", "1"])
            .text()
            .lines()
            .count(),
        1
    );
    assert_eq!(log(&["--tree", "dropped"]).text().lines().count(), 3);
    assert!(
        log(&["--hex", "--values", "--tree", "t"])
            .text()
            .contains("\t62\t00\n")
    );
    let beyond = u64::MAX.to_string();
    log(&["--since", &beyond]).fails(1, "there is no commit");
    place.run(["log", "none"]).fails(1, "there is no store");
}

/// Put back: show nothing of a damaged log; report no damage.
#[test]
fn a_damaged_log_is_shown_up_to_the_damage() {
    let place = place();
    let whole = place.run(["log", "store"]).text();
    let mut logs: Vec<_> = fs::read_dir(place.path("store"))
        .expect("it is a directory")
        .map(|file| file.expect("it can be listed").path())
        .filter(|path| path.to_string_lossy().contains("/log-"))
        .collect();
    logs.sort();
    // The first commit of the second process.
    let path = &logs[1];
    let mut bytes = fs::read(path).expect("it can be read");
    bytes[150] ^= 1;
    fs::write(path, &bytes).expect("it can be written");
    let run = place.run(["log", "store"]);
    let shown = String::from_utf8(run.out).expect("it is UTF-8");
    assert_eq!(run.code, 3);
    assert!(
        run.err.contains("/log-") && run.err.contains("at byte 80"),
        "{}",
        run.err
    );
    assert!(whole.starts_with(&shown), "{shown}");
    assert_eq!(shown.lines().count(), 2);
}

/// Put back: in `log`, begin at 0.
#[test]
fn a_log_that_was_cut_begins_with_what_there_is() {
    let place = place();
    place.run(["checkpoint", "store"]).text();
    place.run(["put", "store", "t", "new", "1"]).text();
    let text = place.run(["log", "store"]).text();
    assert!(text.ends_with("\tput\tt\tnew\t1 bytes\n"), "{text}");
    place
        .run(["log", "store", "--since", "0"])
        .fails(1, "does not keep this number");
}

/// Put back: in `import`, take the status for a success.
#[test]
fn an_import_copies_the_trees_of_a_store() {
    let place = place();
    place.run(["export", "store", "copy"]).text();
    place
        .run(["import", "other", "copy"])
        .fails(1, "other: there is no store");
    let imported = place.run(["import", "--create", "other", "copy"]).text();
    assert_eq!(imported, "imported 1 trees, 1 keys, 2 bytes\n");
    assert_eq!(place.run(["get", "other", "t", "b"]).text(), "\\00\n");
    place
        .run(["import", "other", "copy"])
        .fails(1, "the tree \"t\" is not empty");
    place.run(["put", "other", "t", "more", "1"]).text();
    let rows = place
        .run(["import", "--replace", "--json", "other", "copy"])
        .json();
    assert_eq!(
        (&rows[0]["trees"], &rows[0]["keys"]),
        (&1.into(), &1.into())
    );
    assert_eq!(place.run(["scan", "other", "t"]).text(), "b\t\\00\n");
    place
        .run(["import", "other", "none"])
        .fails(1, "none: there is no store");
}
