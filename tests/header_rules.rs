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
    const NAMES: [&str; 5] = [
        "exchange",
        "replace",
        "compare_exchange",
        "update",
        "held_finish",
    ];
    let mut found = 0;
    for (comment, declaration) in functions() {
        let name = declaration.split('(').next().unwrap_or_default();
        let name = name
            .trim_start_matches("int32_t masstree_")
            .trim_end_matches("_u64");
        let output = ["old", "actual"]
            .into_iter()
            .find(|output| declaration.contains(&format!("uint64_t *{output}")));
        let Some(output) = output else { continue };
        let removes = name.starts_with("remove");
        let sentence = format!(
            "Storing the value that the key already has displaces nothing: the tree keeps it, and \
             *{output} is not written."
        );
        assert_eq!(comment.contains(&sentence), !removes, "{name}");
        assert!(removes || NAMES.contains(&name), "{name}");
        found += usize::from(!removes);
    }
    assert_eq!(found, 9);
}
