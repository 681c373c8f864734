//! dump, and load of what it has written.

use std::fs;

use crate::support::Place;

/// A store with two trees, an empty one, and bytes of all kinds.
fn sample() -> Place {
    let place = Place::new();
    place.load(
        "t",
        &[
            ("", ""),
            ("\\00\\09\\0a\\ff", "\\\\"),
            ("key", "\\0avalue "),
        ],
    );
    place.load("empty\\c3\\a9", &[]);
    place.load("u", &[("b/1", "x"), ("b/2", "y"), ("c", "z")]);
    place
}

/// The content of a store, by trees.
fn content(place: &Place, store: &str) -> Vec<String> {
    let trees = place.run(["trees", store]).text();
    let scan = |tree| format!("{tree}:{}", place.run(["scan", store, tree]).text());
    trees.lines().map(scan).collect()
}

/// Put back: the text format writes the key's bytes without escapes.
#[test]
fn every_format_is_loaded_to_the_same_content() {
    let place = sample();
    for format in ["text", "hex", "binary"] {
        let dump = place.run(["dump", "store", "--format", format]);
        assert_eq!((dump.code, dump.err.as_str()), (0, ""));
        let loaded = place.run_with(["load", format], &dump.out).text();
        assert_eq!(loaded, "loaded 6 entries\n");
        assert_eq!(content(&place, format), content(&place, "store"));
    }
}

#[test]
fn the_text_format_is_as_documented() {
    let place = Place::with(&[("", ""), ("a\\09b", "\\\\")]);
    let dump = place.run(["dump", "store"]).text();
    let lines: Vec<_> = dump
        .lines()
        .filter(|line| !line.starts_with("commit "))
        .collect();
    let wanted = [
        "masstree dump 1",
        "format text",
        "tree t",
        " \t",
        " a\\09b\t\\\\",
        "end",
    ];
    assert_eq!(lines, wanted);
    assert_eq!(lines.len() + 1, dump.lines().count());
}

#[test]
fn a_dump_has_the_trees_and_the_range_that_were_asked_for() {
    let place = sample();
    let args = [
        "dump", "store", "--tree", "u", "--prefix", "b/", "--output", "dump",
    ];
    assert_eq!(place.run(args).text(), "");
    assert_eq!(
        place.run(["load", "copy", "dump"]).text(),
        "loaded 2 entries\n"
    );
    assert_eq!(content(&place, "copy"), ["u:b/1\tx\nb/2\ty\n"]);
    place
        .run(["dump", "store", "--tree", "none"])
        .fails(1, "there is no tree \"none\"");
}

/// A dump that was cut off, or changed, is no dump: `dump::read` tests each byte.
#[test]
fn a_damaged_dump_is_refused() {
    let place = sample();
    for format in ["text", "binary"] {
        let whole = place.run(["dump", "store", "--format", format]).out;
        let cut = &whole[..whole.len() - 1];
        place
            .run_with(["load", "cut"], cut)
            .fails(3, "standard input");
        let mut wrong = whole.clone();
        wrong[whole.len() - 3] ^= 1;
        place
            .run_with(["load", "wrong"], &wrong)
            .fails(3, "standard input");
        place
            .run_with(["load", "long"], &[&whole[..], b"x"].concat())
            .fails(3, "its end");
    }
}

#[test]
fn what_is_no_dump_is_refused() {
    let place = Place::new();
    fs::write(place.path("file"), "no dump, but a text").expect("the file can be written");
    place
        .run(["load", "store", "file"])
        .fails(2, "file: this is not a dump");
    place
        .run(["load", "store", "none"])
        .fails(5, "none: No such file");
    assert!(!place.path("store").exists());
    for (dump, message) in [
        ("format odd\n", "does not name a format"),
        ("format text\n a\tb\nend\n", "an entry before any tree"),
        (
            "format text\ntree t\n a b\nend\n",
            "line 4: there is no tab",
        ),
        ("format text\ntree t\n a\\\t\nend\n", "line 4: a backslash"),
        ("format hex\ntree t\n 0\t\nend\n", "line 4: an odd number"),
        ("format text\nkey\n", "line 3: this is no line of a dump"),
    ] {
        let dump = format!("masstree dump 1\n{dump}");
        let run = place.run_with(["load", "store"], dump.as_bytes());
        let code = if message.starts_with("an entry") {
            2
        } else {
            3
        };
        run.fails(code, message);
    }
}
