//! Models of searches for the longest prefix, and of updates of byte strings.

use super::*;

/// A longer prefix is inserted in the layer below, and then the value of a shorter one in the layer above
/// is replaced: a search that finds the shorter one finds its old value.
#[test]
fn a_prefix_was_the_longest_when_it_had_its_value() {
    check(&[Line::PrefixIsUndisturbed], || {
        explore(|| {
            let keys = [0, 1, 2].map(tail);
            let (short, long) = (keys[0][..2].to_vec(), keys[0][..12].to_vec());
            let wanted = keys[0][..14].to_vec();
            let before = [keys.to_vec(), vec![short.clone()]].concat();
            let mut model = Model::with(before.clone());
            let inserted = long.clone();
            model.thread(move |tree, pin| {
                assert_eq!(tree.insert(pin, &inserted, 12), Ok(Inserted::New));
                assert_eq!(tree.put(pin, &short, 9), Ok(Some(3)));
            });
            model.thread(move |tree, pin| {
                let found = tree.longest_prefix(pin, &wanted).unwrap();
                assert!(matches!(found, Some((2, 3) | (12, 12))), "{found:?}");
            });
            model.end([before, vec![long]].concat());
        });
    });
}

/// A longer prefix is inserted in one leaf, and then a shorter one removed from the leaf on its left: a
/// search finds one of them.
#[test]
fn a_longest_prefix_was_in_the_tree() {
    check(&[Line::PrefixIsUndisturbed], || {
        explore_more(4, || {
            // The last one is alone in the second leaf.
            let others = numbers((0..15).map(|n| 10 * n));
            let mut model = Model::with([vec![vec![0]], others.clone()].concat());
            model.thread(move |tree, pin| {
                assert_eq!(tree.insert(pin, &number(145), 99), Ok(Inserted::New));
                assert_eq!(tree.remove(pin, &[0]), Some(0));
            });
            model.thread(move |tree, pin| {
                let found = tree.longest_prefix(pin, &number(145)).unwrap();
                assert!(matches!(found, Some((8, 99) | (1, 0))), "{found:?}");
            });
            model.end([others, vec![number(145)]].concat());
        });
    });
}

/// Two threads append to the string of one key, and neither loses what the other has appended.
#[test]
fn each_appended_string_is_there_once() {
    check(&[Line::UpdateComparesAgain], || {
        explore(|| {
            let options = TreeOptions {
                values: Values::BYTES,
                ..TreeOptions::default()
            };
            let mut model = Model::of(Tree::with_options(&options).unwrap());
            for _ in 0..2 {
                model.thread(|tree, pin| assert!(tree.append_bytes(pin, b"key", b"+").is_ok()));
            }
            model.join();
            let guard = model.tree.guard().unwrap();
            assert_eq!(model.tree.get_bytes(guard.pin(), b"key"), Some(&b"++"[..]));
        });
    });
}
