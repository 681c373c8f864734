//! Models of raising the levels below of nodes, while other threads split or merge these nodes. At
//! the end of each model, `check` fails if a node records too few levels.

use super::*;

/// A key that is longer than one slice: `above` is its first slice, `n` is its second.
fn below(above: u64, n: u64) -> Vec<u8> {
    [number(above), number(n)].concat()
}

/// Fills a tree with keys and with a link to a layer whose only leaf is full. Then one thread
/// splits that leaf, so that the layer gets its first internode, while another inserts a key.
fn grow_beside(initial: Vec<Vec<u8>>, link: u64, last: Vec<Vec<u8>>, inserted: u64) {
    let layer: Vec<_> = (0..15).map(|n| below(link, 10 * n)).collect();
    let all = [initial, layer, last].concat();
    let mut model = Model::with(all.clone());
    model.thread(move |tree, pin| _ = tree.insert(pin, &below(link, 75), 1).unwrap());
    model.thread(move |tree, pin| _ = tree.insert(pin, &number(inserted), 1).unwrap());
    model.end([all, vec![below(link, 75), number(inserted)]].concat());
}

/// The insert splits the leaf with the link.
#[test]
fn levels_are_raised_beside_a_split_of_the_leaf() {
    let lines = [Line::GrownLayerIsRaised, Line::LevelsAreCopied];
    check(&lines, || {
        explore(|| {
            let initial = numbers((0..13).map(|n| 10 * n));
            grow_beside(initial, 125, numbers([1]), 5);
        });
        // Another link moves to the new leaf, and this one does not.
        explore(|| {
            let initial = numbers((0..12).map(|n| 10 * n));
            let other = (0..3).map(|n| below(135, n)).chain([number(1)]);
            grow_beside(initial, 5, other.collect(), 125);
        });
    });
}

/// The insert splits the internode above the leaf with the link. (Internodes are narrow here: this
/// one has four leaves.)
#[test]
fn levels_are_raised_beside_a_split_of_the_internode() {
    let lines = [Line::LevelsAreCopied, Line::RaisedIsTheParent];
    check(&lines, || {
        explore(|| {
            let initial = numbers((0..48).map(|n| 10 * n));
            grow_beside(initial, 475, Vec::new(), 225);
        });
    });
}

/// The root of a layer, a leaf, gets its second link.
#[test]
fn a_second_link_is_a_level() {
    check(&[Line::SecondLinkIsRaised], || {
        explore(|| {
            let two_below = |one: u64, n: u64| [below(7, one), number(n)].concat();
            let initial: Vec<_> = (0..3).map(|n| two_below(1, n)).collect();
            let mut model = Model::with(initial.clone());
            let news: Vec<_> = (0..3).map(|n| two_below(2, n)).collect();
            for key in news.clone() {
                model.thread(move |tree, pin| _ = tree.insert(pin, &key, 1).unwrap());
            }
            model.end([initial, news].concat());
        });
    });
}

/// A leaf that links to a layer is merged with the previous leaf, which is under another internode,
/// while two layers get their first internodes.
#[test]
fn merged_leaves_say_what_both_said() {
    let lines = [Line::MergeRaisesLevels];
    check(&lines, || {
        explore(|| {
            let initial = numbers((0..150).map(|n| 10 * n));
            let mut model = Model::with(initial);
            let guard = model.tree.guard().unwrap();
            let (tree, pin) = (Arc::clone(&model.tree), guard.pin());
            let AnyNode::Internode(root) = tree.root(pin).kind() else {
                panic!("the tree is not high enough");
            };
            // The first leaf under the second internode, and the leaf before it.
            let low = root.key(0) / 10;
            let sparse = low - 15..low + 15;
            let thin_out = |kept: std::ops::Range<u64>| {
                for n in sparse.clone().filter(|n| !kept.contains(&(n % 15))) {
                    _ = tree.remove(pin, &number(10 * n));
                }
            };
            // Not so sparse that the layer's first keys merge them.
            thin_out(1..9);
            let links = [10 * low + 5, 10 * low + 15];
            let of_each = |&link: &u64| (0..15).map(move |n| below(link, 10 * n));
            let layer: Vec<_> = links.iter().flat_map(of_each).collect();
            for key in &layer {
                tree.put(pin, key, 0).unwrap();
            }
            thin_out(1..2);
            let stays = |n: &u64| !sparse.contains(n) || n % 15 == 1;
            let stay = numbers((0..150).filter(stays).map(|n| 10 * n));
            drop(guard);
            model.thread(|tree, pin| _ = tree.maintain(pin, 40).unwrap());
            let news = links.map(|link| below(link, 75));
            for key in news.clone() {
                model.thread(move |tree, pin| _ = tree.insert(pin, &key, 1).unwrap());
            }
            model.end([stay, layer, news.to_vec()].concat());
        });
    });
}
