//! Help, and wrong arguments.

use crate::support::Place;

const COMMANDS: [&str; 10] = [
    "stat",
    "verify",
    "trees",
    "get",
    "put",
    "rm",
    "scan",
    "dump",
    "load",
    "checkpoint",
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
