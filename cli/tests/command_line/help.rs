//! Help, and wrong arguments.

use std::fs;

use crate::support::Place;

const COMMANDS: [&str; 15] = [
    "stat",
    "verify",
    "log",
    "trees",
    "get",
    "put",
    "rm",
    "drop",
    "scan",
    "dump",
    "load",
    "export",
    "import",
    "checkpoint",
    "bench",
];

#[test]
fn help_names_every_command_and_exit_code() {
    let place = Place::new();
    let help = place.run(["--help"]).text();
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command}");
        let own = place.run([command, "--help"]).text();
        assert!(
            own.contains(&format!("Usage: masstree {command} ")),
            "{own}"
        );
    }
    for part in [
        "Examples:",
        "Exit codes: 0 done; 1 no such key",
        "2 wrong arguments",
        "141",
    ] {
        assert!(help.contains(part), "{part}");
    }
    assert!(
        place
            .run(["--version"])
            .text()
            .starts_with("masstree 0.1.0")
    );
}

/// `MASSTREE_WRITE_MAN=1` writes it.
#[test]
fn the_man_page_is_that_of_the_commands() {
    let place = Place::new();
    place.run(["generate", "."]).text();
    let page = fs::read_to_string(place.path("masstree.1")).expect("it was written");
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/masstree.1");
    if std::env::var_os("MASSTREE_WRITE_MAN").is_some() {
        fs::write(committed, &page).expect("it can be written");
    }
    let found = fs::read_to_string(committed).expect("it is committed");
    assert!(
        found == page,
        "docs/masstree.1 is not that of the commands: make header"
    );
    for command in COMMANDS {
        assert!(page.contains(&format!("\n.SS {command}\n")), "{command}");
    }
    for file in ["masstree.bash", "_masstree", "masstree.fish"] {
        let text = fs::read_to_string(place.path(file)).expect("it was written");
        assert!(
            COMMANDS.iter().all(|command| text.contains(command)),
            "{file}"
        );
    }
}

#[test]
fn wrong_arguments_are_a_failure_of_usage() {
    let place = Place::with(&[]);
    for args in [
        ["stir", "store"].as_slice(),
        &["get", "store"],
        &["put", "store", "t", "k"],
        &["put", "store", "t", "k", "v", "--file", "f"],
        &["get", "store", "t", "k", "--raw", "--json"],
        &["dump", "store", "--format", "odd"],
        &["rm", "store", "t"],
    ] {
        let run = place.run(args);
        assert_eq!((run.code, run.out.len()), (2, 0), "{args:?}: {}", run.err);
        assert!(
            run.err.contains("Usage:") || run.err.contains("--help"),
            "{}",
            run.err
        );
    }
    place
        .run(["get", "store", "t", "a\\"])
        .fails(2, "key \"a\\\\\": a backslash");
    place
        .run(["get", "store", "t", "4", "--hex"])
        .fails(2, "an odd number");
}
