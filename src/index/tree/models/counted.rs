//! Models of the key count when a tree is cleared or loaded beside writers.

use std::sync::Arc;

use super::harness::{Model, explore, number, numbers, scan};
use crate::index::tree::LoadOutcome;
use crate::protocol::Line;
use crate::protocol::models::check;

/// The key count must be right once all threads are done. A cleared tree is not freed as long
/// as the models' guards are held.
fn assert_counted(model: Model) {
    let Model { tree, threads } = model;
    let guard = tree.guard().unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
    let keys = scan(&tree, guard.pin(), false).len() as u64;
    assert_eq!(tree.key_count(), keys);
    let sound = tree.check(guard.pin(), &mut |line| panic!("{line}"));
    assert_eq!(sound, Ok(true));
}

/// A key may be inserted or removed before the tree is cleared and counted after it, or the
/// other way round.
#[test]
fn keys_are_counted_in_their_own_tree() {
    check(&[Line::KeysAreRecounted], || {
        explore(|| {
            let mut model = Model::with(numbers(0..2));
            let cleared = Arc::clone(&model.tree);
            let guard = cleared.guard().unwrap();
            model.thread_unguarded(|tree, pin| _ = tree.insert(pin, &number(5), 1).unwrap());
            model.thread_unguarded(|tree, pin| _ = tree.remove(pin, &number(1)));
            model.thread(|tree, pin| tree.clear(pin).unwrap());
            assert_counted(model);
            drop(guard);
        });
    });
}

/// A tree is loaded while it is cleared: the tree to load may have been built in the
/// previous era.
#[test]
fn a_load_beside_a_clearing_is_counted() {
    check(&[Line::LoadedHasTheEra], || {
        explore(|| {
            let mut model = Model::with(numbers([]));
            model.thread(|tree, pin| {
                let keys = numbers(0..18);
                let load = tree.bulk_load(pin, 18, |index, put| put(&keys[index]), |_| Ok(1));
                assert!(matches!(
                    load,
                    Ok(LoadOutcome::Done | LoadOutcome::NotEmpty)
                ));
            });
            model.thread(|tree, pin| {
                tree.clear(pin).unwrap();
                tree.insert(pin, &number(7), 1).unwrap();
                tree.clear(pin).unwrap();
            });
            assert_counted(model);
        });
    });
}
