//! Batches: what they change, and what they are refused for.

use super::*;

/// Commits a batch of these operations on one tree.
fn commit(store: &Store, tree: &StoreTree, operations: &[(&[u8], Action<'_>)]) -> Committed {
    let mut batch = Batch::new(store.source());
    for &(key, action) in operations {
        add(&mut batch, tree, key, action);
    }
    store.commit(&batch).unwrap()
}

fn failed(committed: Committed) -> Option<(usize, bool)> {
    match committed {
        Committed::Done(_) => None,
        Committed::Failed(unmet) => Some((unmet.operation, unmet.is_present)),
    }
}

/// Put back: judge conditions by what the key has before the batch, in `Plan::demand`.
#[test]
fn operations_see_those_before_them() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    let committed = commit(
        &store,
        tree,
        &[
            (b"a", Action::AssertAbsent),
            (b"a", Action::Put { value: b"1" }),
            (b"a", Action::AssertValue { value: b"1" }),
            (
                b"a",
                Action::Rename {
                    to: b"b",
                    replaces: false,
                },
            ),
            (b"a", Action::AssertAbsent),
            (b"b", Action::AssertPresent),
            (b"b", Action::Remove),
            (b"b", Action::AssertAbsent),
            (b"c", Action::Put { value: b"2" }),
            (b"c", Action::Put { value: b"3" }),
        ],
    );
    assert_eq!(failed(committed), None);
    assert_eq!(content(tree), [(b"c".to_vec(), b"3".to_vec())]);
    let value = Action::AssertValue { value: b"2" };
    let refused = commit(&store, tree, &[(b"c", value), (b"d", Action::Remove)]);
    assert_eq!(failed(refused), Some((0, true)));
    // What the batch has written has no number.
    let version = Action::AssertVersion { number: 1 };
    let put = Action::Put { value: b"4" };
    assert_eq!(
        failed(commit(&store, tree, &[(b"c", put), (b"c", version)])),
        Some((1, true))
    );
    assert_eq!(get(tree, b"c").unwrap(), b"3");
}

/// Put back: resolve the marks of a refused batch as if it were decided.
#[test]
fn refused_batches_change_nothing() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    let number = put(&store, tree, b"b", b"1");
    let change = (&b"a"[..], Action::Put { value: b"x" });
    let after = (&b"c"[..], Action::Put { value: b"x" });
    let refusals = [
        ((&b"b"[..], Action::AssertAbsent), (1, true)),
        ((&b"n"[..], Action::AssertPresent), (1, false)),
        (
            (&b"b"[..], Action::AssertVersion { number: number + 1 }),
            (1, true),
        ),
        ((&b"n"[..], Action::AssertVersion { number }), (1, false)),
        ((&b"b"[..], Action::AssertValue { value: b"2" }), (1, true)),
        ((&b"b"[..], Action::AssertPrefixEmpty), (1, true)),
        ((&b""[..], Action::AssertPrefixEmpty), (1, true)),
        (
            (
                &b"n"[..],
                Action::Rename {
                    to: b"m",
                    replaces: true,
                },
            ),
            (1, false),
        ),
        (
            (
                &b"a"[..],
                Action::Rename {
                    to: b"b",
                    replaces: false,
                },
            ),
            (1, true),
        ),
    ];
    for (condition, expected) in refusals {
        let committed = commit(&store, tree, &[change, condition, after]);
        assert_eq!(failed(committed), Some(expected), "{condition:?}");
        assert_eq!(
            content(tree),
            [(b"b".to_vec(), b"1".to_vec())],
            "{condition:?}"
        );
    }
    // The keys can be written again.
    put(&store, tree, b"a", b"2");
    put(&store, tree, b"n", b"2");
}

/// Put back: leave out the keys that the batch names before `AssertPrefixEmpty`.
#[test]
fn empty_prefixes_count_what_the_batch_has_changed() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    put(&store, tree, b"dir/a", b"1");
    put(&store, tree, b"dis", b"1");
    let empty = (&b"dir/"[..], Action::AssertPrefixEmpty);
    let remove = (&b"dir/a"[..], Action::Remove);
    let put_b = (&b"dir/b"[..], Action::Put { value: b"2" });
    let put_0 = (&b"dir0"[..], Action::Put { value: b"2" });
    assert_eq!(
        failed(commit(&store, tree, &[empty, remove])),
        Some((0, true))
    );
    assert_eq!(
        failed(commit(&store, tree, &[remove, put_b, empty])),
        Some((2, true))
    );
    assert_eq!(
        failed(commit(&store, tree, &[remove, put_0, empty, put_b])),
        None
    );
    let keys: Vec<_> = content(tree).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [&b"dir/b"[..], b"dir0", b"dis"]);
}

/// Put back: mark keys in the order of the operations.
#[test]
fn batches_change_several_trees() {
    let store = in_memory();
    let (one, two) = (tree_named(&store, "1"), tree_named(&store, "2"));
    put(&store, two, b"k", b"old");
    let mut batch = Batch::new(store.source());
    add(&mut batch, two, b"k", Action::AssertValue { value: b"old" });
    add(&mut batch, two, b"k", Action::Remove);
    add(&mut batch, one, b"k", Action::Put { value: b"new" });
    assert!(matches!(store.commit(&batch).unwrap(), Committed::Done(_)));
    assert_eq!(
        (get(one, b"k").unwrap(), get(two, b"k")),
        (b"new".to_vec(), None)
    );
    // A batch that has nothing to change keeps its condition.
    batch.clear();
    add(&mut batch, one, b"k", Action::AssertPresent);
    assert!(matches!(store.commit(&batch).unwrap(), Committed::Done(_)));
    assert_eq!(batch.len(), 1);
}

/// Put back: take the value of a rename from what the batch's plan read, without the condition that it is
/// still the newest.
#[test]
fn renames_move_the_newest_value() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    assert_eq!(
        store.rename(tree, b"a", b"b", false).unwrap(),
        Renamed::NoSource
    );
    put(&store, tree, b"a", b"1");
    assert!(matches!(
        store.rename(tree, b"a", b"a", false).unwrap(),
        Renamed::Done(_)
    ));
    assert!(matches!(
        store.rename(tree, b"a", b"b", false).unwrap(),
        Renamed::Done(_)
    ));
    assert_eq!(content(tree), [(b"b".to_vec(), b"1".to_vec())]);
    put(&store, tree, b"a", b"2");
    assert_eq!(
        store.rename(tree, b"a", b"b", false).unwrap(),
        Renamed::TargetExists
    );
    assert!(matches!(
        store.rename(tree, b"a", b"b", true).unwrap(),
        Renamed::Done(_)
    ));
    assert_eq!(content(tree), [(b"b".to_vec(), b"2".to_vec())]);
}

/// The record of a batch has the size that docs/store.md states, and fits if that is at most half of the buffer.
///
/// Put back: in `Log::reserve`, compare with a quarter of the ring; in `units_of`, leave out the first word.
#[test]
fn a_batch_fits_into_half_of_the_buffer() {
    let disk = Disk::default();
    let store = Store::open(StoreOptions {
        log_buffer_bytes: 4 << 10,
        ..on(&disk)
    });
    let store = store.unwrap();
    let tree = tree_named(&store, "t");
    let batch_of = |last: usize| {
        let mut batch = Batch::new(store.source());
        for (key, length) in [(b"a", 300), (b"b", 300), (b"c", 300), (b"d", last)] {
            let value = vec![b'v'; length];
            add(&mut batch, tree, key, Action::Put { value: &value });
        }
        // Takes no room.
        add(&mut batch, tree, b"a", Action::AssertPresent);
        add(&mut batch, tree, b"e", Action::AssertAbsent);
        batch
    };
    assert!(store.commit(&batch_of(300)).is_ok());
    let border = 2048 - 8 - 4 * (16 + 1) - 3 * 300;
    assert!(store.commit(&batch_of(border)).is_ok());
    let before = content(tree);
    assert_eq!(
        store.commit(&batch_of(border + 1)).err(),
        Some(StoreFault::TooLarge)
    );
    assert_eq!(content(tree), before);
    drop(store);
    let store = Store::open(on(&disk)).unwrap();
    assert_eq!(content(tree_named(&store, "t")), before);
}
