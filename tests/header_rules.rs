//! Sentences that the comments of the C headers repeat at every function to which they apply.

/// Returns every comment of the headers with its function, in one line each.
fn functions() -> Vec<(String, String)> {
    let header = concat!(
        include_str!("../include/masstree.h"),
        include_str!("../include/masstree/occ.h")
    );
    let comments = header.split("/**").skip(1);
    let pairs = comments.filter_map(|text| text.split_once("*/"));
    let one_line = |text: &str| {
        let lines = text.lines().map(|line| line.trim().trim_start_matches('*'));
        let words = lines.flat_map(str::split_whitespace).collect::<Vec<_>>();
        words.join(" ")
    };
    let declared = |(comment, rest): (&str, &str)| {
        let declaration = rest.split_once(';')?.0;
        let called = declaration.contains('(') && !declaration.trim_start().starts_with("typedef");
        called.then(|| (one_line(comment), one_line(declaration)))
    };
    pairs.filter_map(declared).collect()
}

/// Put back: remove the sentence from one of the functions.
#[test]
fn functions_that_return_an_old_word_say_when_there_is_none() {
    const NAMES: [&str; 4] = ["exchange", "replace", "update", "held_finish"];
    let mut found = 0;
    for (comment, declaration) in functions() {
        let name = declaration.split('(').next().unwrap_or_default();
        let name = name
            .trim_start_matches("int32_t masstree_")
            .trim_end_matches("_u64");
        if !declaration.contains("uint64_t *old") {
            continue;
        }
        let removes = name.starts_with("remove");
        let sentence = "Storing the value that the key already has displaces nothing: the tree \
             keeps it, and *old is not written.";
        assert_eq!(comment.contains(sentence), !removes, "{name}");
        assert!(removes || NAMES.contains(&name), "{name}");
        found += usize::from(!removes);
    }
    assert_eq!(found, 7);
}

/// Put back: remove the sentence from one of the functions.
#[test]
fn comparisons_say_when_they_write_the_actual_value() {
    let sentence = "*actual is written only with MASSTREE_MISMATCH: then it is the value that the \
         key has, which the tree still owns.";
    let mut found = 0;
    for (comment, declaration) in functions() {
        let has_output = declaration.ends_with("*actual)");
        assert_eq!(comment.contains(sentence), has_output, "{declaration}");
        found += usize::from(has_output);
    }
    assert_eq!(found, 6);
}

/// Put back: remove a name from cmake/cbindgen.toml.
#[test]
fn types_are_named_for_the_library() {
    let headers = [
        include_str!("../include/masstree.h"),
        include_str!("../include/masstree/occ.h"),
        include_str!("../include/masstree/versioned.h"),
        include_str!("../include/masstree/store.h"),
    ];
    let mut found = 0;
    for line in headers.iter().flat_map(|header| header.lines()) {
        let callback = line.starts_with("typedef ").then(|| line.split_once("(*"));
        let name = match callback {
            Some(Some((_, name))) => name,
            Some(None) => line.rsplit(' ').next().unwrap_or_default(),
            None => line.strip_prefix("} ").unwrap_or("masstree_"),
        };
        // The first line of a struct ends with its brace.
        assert!(name.starts_with("masstree_") || name == "{", "{line}");
        found += usize::from(callback.is_some());
    }
    assert!(found > 50, "{found}");
}
