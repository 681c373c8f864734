//! Pops against a model, and by several threads.

use std::collections::BTreeMap;
use std::thread;

use super::Popped;
use crate::index::reclaim::Pinned;
use crate::index::tree::write::remove_range::tests::{bound, is_in, key_of};
use crate::index::tree::{Range, Tree};
use crate::testing::Random;

/// Pops a key of at most `most` bytes; returns it with the outcome.
fn pop(
    tree: &Tree,
    pin: Pinned<'_>,
    range: &Range<'_>,
    last: bool,
    most: usize,
) -> (Vec<u8>, Popped) {
    let mut key = Vec::new();
    let mut admit = |parts: [&[u8]; 3]| {
        key = parts.concat();
        key.len() <= most
    };
    let popped = match last {
        true => tree.pop_last(pin, range, &mut admit),
        false => tree.pop_first(pin, range, &mut admit),
    };
    (key, popped.unwrap())
}

/// Put back, each noticed: in `first_in_range`, ignore the upper end; in `lock_end`, ignore the lower;
/// descend to `first_slice`; in `last_below`, do not go to the leaf before; go on behind an exhausted layer
/// with `CutSide::Before`; in `take_popped`, take eight bytes of every slice.
#[test]
fn pops_agree_with_a_model() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        let mut model = BTreeMap::new();
        let most = [10, 40, 400][seed as usize % 3];
        let forms = seed / 3 % 6;
        let some_key = |random: &mut Random| {
            let form = if forms == 5 { random.below(5) } else { forms };
            key_of(random.below(2 * most), form)
        };
        for _ in 0..most {
            let key = some_key(&mut random);
            let value = random.below(u64::MAX);
            tree.put(pin, &key, value).unwrap();
            model.insert(key, value);
        }
        for _ in 0..2 * most {
            let mut bounds = [some_key(&mut random), some_key(&mut random)];
            bounds.sort();
            let mut prefix = some_key(&mut random);
            prefix.truncate(random.below(prefix.len() as u64 + 1) as usize);
            let range = Range {
                lower: bound(random.below(4), &bounds[0]),
                upper: bound(random.below(4), &bounds[1]),
                prefix: if random.below(4) == 0 { &prefix } else { &[] },
                ..Range::all()
            };
            let last = random.below(2) == 0;
            let mut inside = model.iter().filter(|(key, _)| is_in(&range, key));
            let expected = if last {
                inside.next_back()
            } else {
                inside.next()
            };
            let expected = expected.map(|(key, &value)| (key.clone(), value));
            let Some((key, value)) = expected else {
                assert_eq!(
                    pop(&tree, pin, &range, last, 1000),
                    (vec![], Popped::Nothing)
                );
                continue;
            };
            if !key.is_empty() {
                let refused = pop(&tree, pin, &range, last, key.len() - 1);
                assert_eq!(refused, (key.clone(), Popped::Refused));
            }
            model.remove(&key);
            assert_eq!(
                pop(&tree, pin, &range, last, key.len()),
                (key, Popped::Value(value))
            );
            assert_eq!(tree.key_count(), model.len() as u64);
        }
        assert_eq!(tree.check(pin, &mut |line| panic!("{line}")), Ok(true));
    }
}

/// Threads pop from both ends while others insert: each key goes to one of them, and what a thread pops
/// from one end, with no insert under way, comes in order.
/// Put back: in `take_popped`, remove the first entry of the leaf, whichever was found.
#[test]
fn each_key_goes_to_one_thread() {
    let tree = Tree::new(None).unwrap();
    let count = 20_000_u64;
    let key = |n: u64| match n % 7 {
        0 => [&n.to_be_bytes()[..], b" and more"].concat(),
        _ => n.to_be_bytes().to_vec(),
    };
    let mut popped: Vec<u64> = thread::scope(|scope| {
        let poppers: Vec<_> = (0..3)
            .map(|number| {
                let tree = &tree;
                scope.spawn(move || {
                    let guard = tree.guard().unwrap();
                    for n in (0..count).filter(|n| n % 3 == number) {
                        assert_eq!(tree.put(guard.pin(), &key(n), n), Ok(None));
                    }
                    let mut values = Vec::new();
                    while let (_, Popped::Value(value)) =
                        pop(tree, guard.pin(), &Range::all(), number == 1, 100)
                    {
                        values.push(value);
                    }
                    values
                })
            })
            .collect();
        let values = poppers.into_iter().map(|popper| popper.join().unwrap());
        values.flatten().collect()
    });
    popped.sort_unstable();
    assert!(popped.into_iter().eq(0..count));
    let guard = tree.guard().unwrap();
    assert_eq!(
        tree.check(guard.pin(), &mut |line| panic!("{line}")),
        Ok(true)
    );
    assert_eq!(tree.key_count(), 0);
}
