//! get, put and rm.

use std::fs;

use crate::support::Place;

#[test]
fn what_was_put_is_read_until_it_is_removed() {
    let place = Place::new();
    assert_eq!(
        place
            .run(["put", "store", "t", "k", "v", "--create"])
            .text(),
        ""
    );
    assert_eq!(place.run(["get", "store", "t", "k"]).text(), "v\n");
    assert_eq!(place.run(["put", "store", "t", "k", "w"]).text(), "");
    assert_eq!(place.run(["get", "store", "t", "k"]).text(), "w\n");
    assert_eq!(place.run(["rm", "store", "t", "k"]).text(), "");
    place
        .run(["get", "store", "t", "k"])
        .fails(1, "there is no key \"k\"");
    place
        .run(["rm", "store", "t", "k"])
        .fails(1, "there is no key \"k\"");
}

/// Put back: `put` and `get` make a store, or a tree, without --create.
#[test]
fn a_misspelt_name_makes_nothing() {
    let place = Place::with(&[]);
    for args in [
        ["put", "stor", "t", "k", "v"],
        ["put", "store", "u", "k", "v"],
    ] {
        place.run(args).fails(1, "there is no ");
    }
    for args in [["get", "stor", "t", "k"], ["rm", "store", "u", "k"]] {
        place.run(args).fails(1, "there is no ");
    }
    assert!(!place.path("stor").exists());
    assert_eq!(place.run(["trees", "store"]).text(), "t\n");
}

#[test]
fn if_absent_stores_only_under_a_key_without_a_value() {
    let place = Place::with(&[]);
    let put = |value| place.run(["put", "store", "t", "k", value, "--if-absent"]);
    assert_eq!(put("v").text(), "");
    put("w").fails(1, "the key \"k\" exists");
    assert_eq!(place.run(["get", "store", "t", "k"]).text(), "v\n");
}

/// Put back: the key's escapes are not decoded.
#[test]
fn keys_and_values_are_any_bytes() {
    let place = Place::with(&[]);
    place
        .run(["put", "store", "t", "\\00\\ff \\\\", "-\\0a"])
        .text();
    place.run(["put", "store", "t", "", ""]).text();
    assert_eq!(
        place.run(["get", "store", "t", "00ff205c", "--hex"]).text(),
        "2d0a\n"
    );
    assert_eq!(
        place.run(["get", "store", "t", "\\00\\FF \\\\"]).text(),
        "-\\0a\n"
    );
    assert_eq!(
        place
            .run(["get", "store", "t", "\\00\\ff \\\\", "--raw"])
            .text(),
        "-\n"
    );
    assert_eq!(place.run(["get", "store", "t", ""]).text(), "\n");
    assert_eq!(
        place.run(["scan", "store", "t"]).text(),
        "\t\n\\00\\ff \\\\\t-\\0a\n"
    );
    let rows = place
        .run(["get", "store", "t", "\\00\\ff \\\\", "--json"])
        .json();
    assert_eq!(
        (&rows[0]["key"], &rows[0]["value"]),
        (&"\\00\\ff \\\\".into(), &"-\\0a".into())
    );
    assert_eq!(
        place.run(["rm", "store", "t", "", "\\00\\ff \\\\"]).text(),
        ""
    );
    assert_eq!(place.run(["scan", "store", "t"]).text(), "");
}

#[test]
fn values_come_from_files_and_standard_input() {
    let place = Place::with(&[]);
    let bytes: Vec<u8> = (0..=255).collect();
    fs::write(place.path("value"), &bytes).expect("the file can be written");
    place
        .run(["put", "store", "t", "a", "--file", "value"])
        .text();
    place
        .run_with(["put", "store", "t", "b", "--file", "-"], &bytes)
        .text();
    for key in ["a", "b"] {
        assert_eq!(place.run(["get", "store", "t", key, "--raw"]).out, bytes);
    }
    place
        .run(["put", "store", "t", "a", "--file", "none"])
        .fails(5, "none: No such file");
}

#[test]
fn an_entry_that_is_too_large_is_refused_and_fits_with_a_larger_buffer() {
    let place = Place::with(&[]);
    let value = vec![b'v'; 5 << 20];
    let put = |buffer: &str| {
        let args = [
            "put",
            "store",
            "t",
            "k",
            "--file",
            "-",
            "--log-buffer",
            buffer,
        ];
        place.run_with(args, &value)
    };
    put("8388608").fails(6, "--log-buffer");
    put("16777216").text();
    assert_eq!(place.run(["get", "store", "t", "k", "--raw"]).out, value);
}

#[test]
fn a_dropped_tree_is_not_found_again() {
    let place = Place::with(&[("a", "1")]);
    place.load("u", &[("a", "2")]);
    assert_eq!(place.run(["drop", "store", "t"]).text(), "");
    place
        .run(["drop", "store", "t"])
        .fails(1, "there is no tree \"t\"");
    assert_eq!(place.run(["trees", "store"]).text(), "u\n");
    place.load("t", &[]);
    assert_eq!(place.run(["scan", "store", "t"]).text(), "");
    assert_eq!(place.run(["scan", "store", "u"]).text(), "a\t2\n");
}

#[test]
fn rm_removes_what_there_is() {
    let place = Place::with(&[("a", "1"), ("b", "2"), ("c", "3")]);
    place
        .run(["rm", "store", "t", "a", "x", "c"])
        .fails(1, "there is no key \"x\"");
    assert_eq!(place.run(["scan", "store", "t"]).text(), "b\t2\n");
}
