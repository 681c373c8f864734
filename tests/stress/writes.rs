//! Writes: rows 4 to 6.

use std::collections::BTreeMap;
use std::sync::Mutex;

use masstree::{Bound, Inserted, Range, Tree};

use crate::support::race::{WRITERS, race};
use crate::support::{Random, assert_sound, backwards, collect, new_tree, scaled};
use crate::{maintain, mixed, ordered_scan};

/// A writer with keys of its own and a model of them, so that every acknowledged insert and
/// remove is verified. It fills and empties in turns: few keys are left in between, and whole
/// leaves and layers are removed.
fn churn(tree: &Tree, id: usize, steps: usize, keys: &[Vec<u8>]) -> BTreeMap<Vec<u8>, u64> {
    let mut random = Random(id as u64);
    let mut model = BTreeMap::new();
    let mut guard = tree.guard().unwrap();
    for step in 0..steps {
        let key = &keys[random.below(keys.len())];
        let value = step as u64;
        let pin = guard.pin();
        let emptying = step / (keys.len() * 3) % 2 == 1;
        let choice = match random.below(10) {
            choice @ 0..=7 if emptying => 4 + choice % 3,
            choice => choice % 8,
        };
        match choice {
            0..=2 => assert_eq!(
                tree.put(pin, key, value),
                Ok(model.insert(key.clone(), value))
            ),
            3 => {
                let expected = match model.get(key) {
                    Some(present) => Inserted::Present(*present),
                    None => Inserted::New,
                };
                assert_eq!(tree.insert(pin, key, value), Ok(expected));
                model.entry(key.clone()).or_insert(value);
            }
            4..=6 => assert_eq!(tree.remove(pin, key), model.remove(key)),
            _ => assert_eq!(tree.get(pin, key), model.get(key).copied()),
        }
        if step % 64 == 0 {
            guard.refresh();
        }
    }
    model
}

/// Churns families of keys from several threads under readers and scanners.
fn churn_family(family: impl Fn(usize, usize) -> Vec<u8> + Sync, per_thread: usize, steps: usize) {
    churn_under(2, &new_tree(), family, per_thread, steps);
}

/// The third reader, if there is one, merges leaves all the time.
fn churn_under(
    readers: usize,
    tree: &Tree,
    family: impl Fn(usize, usize) -> Vec<u8> + Sync,
    per_thread: usize,
    steps: usize,
) {
    let result = Mutex::new(BTreeMap::new());
    let keys: Vec<Vec<Vec<u8>>> = (0..WRITERS)
        .map(|id| (0..per_thread).map(|n| family(id, n)).collect())
        .collect();
    race(
        readers,
        |id| {
            let model = churn(tree, id, steps, &keys[id]);
            result.lock().unwrap().extend(model);
        },
        |id, random| {
            if id == 2 {
                return maintain(tree, random);
            }
            let guard = tree.guard().unwrap();
            let range = if id == 0 { Range::all() } else { backwards() };
            ordered_scan(tree, guard.pin(), &range, |key, _| {
                assert!(
                    keys.iter().flatten().any(|known| known == key),
                    "a key that no thread wrote"
                );
            });
            let bound = &keys[random.below(WRITERS)][random.below(per_thread)];
            let range = Range {
                lower: Bound::Included(bound),
                limit: 20,
                reverse: random.below(2) == 0,
                ..Range::all()
            };
            ordered_scan(tree, guard.pin(), &range, |key, _| {
                assert!(key >= bound.as_slice())
            });
        },
    );
    assert_sound(tree);
    let guard = tree.guard().unwrap();
    let model = result.into_inner().unwrap();
    assert!(
        collect(tree, guard.pin(), &Range::all())
            .into_iter()
            .eq(model)
    );
}

/// Row 4. Few leaves, so that inserts meet leaves that are being unlinked. Put back: in
/// `lock_reached`, do not check whether the leaf is deleted.
#[test]
fn no_acknowledged_insert_is_lost_when_leaves_empty_and_split() {
    churn_family(
        |id, n| ((n * WRITERS + id) as u64).to_be_bytes().to_vec(),
        20,
        scaled(100_000),
    );
    churn_family(
        |id, n| (mixed(n * WRITERS + id)).to_be_bytes().to_vec(),
        300,
        scaled(60_000),
    );
}

/// Row 4 in a high tree: threads fill and empty overlapping windows of keys, so that whole
/// subtrees are removed and boundaries move on every level while other threads descend there.
/// Put back: in `collapse::unlink`, mark dirty only the ancestor that loses a child and the
/// one with the boundary (with `--cfg masstree_perturb`).
#[test]
fn no_acknowledged_insert_is_lost_when_subtrees_vanish() {
    const KEYS: usize = 1500;
    const WINDOW: usize = 60;
    let tree = new_tree();
    let rounds = scaled(400);
    race(
        1,
        |id| {
            let mut random = Random(id as u64);
            let mut guard = tree.guard().unwrap();
            for round in 0..rounds {
                let from = random.below(KEYS - WINDOW);
                let own = (from..from + WINDOW).filter(|n| n % WRITERS == id);
                let mut own: Vec<_> = own.map(|n| (n as u64).to_be_bytes()).collect();
                if round % 2 == 0 {
                    random.shuffle(&mut own);
                }
                for key in &own {
                    assert_eq!(tree.insert(guard.pin(), key, 1), Ok(Inserted::New));
                    assert_eq!(tree.get(guard.pin(), key), Some(1), "an insert was lost");
                }
                for key in &own {
                    assert_eq!(tree.remove(guard.pin(), key), Some(1), "a key was lost");
                    assert_eq!(tree.get(guard.pin(), key), None);
                }
                guard.refresh();
            }
        },
        |_, _| {
            let guard = tree.guard().unwrap();
            ordered_scan(&tree, guard.pin(), &Range::all(), |_, _| ());
        },
    );
    assert_sound(&tree);
    assert_eq!(tree.key_count(), 0);
}

/// Rows 5 and 6. Layers one, two and three slices deep fill and empty all the time, under
/// scans in both directions, which must end. Put back, row 5: in `Frame::advance`, read a
/// deleted leaf again instead of resuming (it hangs). Row 6: in `Locked::move_entries`, do
/// not set the new parent of layers that move.
#[test]
fn layers_fill_and_empty_under_scans_in_both_directions() {
    let prefixes = [
        &b"one 8 by"[..],
        b"one 8 bytwo 8 by",
        b"one 8 bytwo 8 bythree by",
    ];
    churn_family(
        |id, n| [prefixes[n % 3], &[(n / 3) as u8, id as u8]].concat(),
        60,
        scaled(50_000),
    );
    // Many tiny layers, of at most twelve keys: the leaves that link to them split and empty
    // too. Groups fill, become layers, and are groups again after a layer was empty.
    churn_family(
        |id, n| {
            [
                &mixed(n / 4).to_be_bytes()[..],
                b"tail",
                &[id as u8, n as u8],
            ]
            .concat()
        },
        60,
        scaled(50_000),
    );
}

/// Row 4 for leaves that are merged. Put back, with `--cfg masstree_perturb`: in
/// `Locked::copy_entries_to`, do not set the new parent of layers (it hangs); in
/// `Tree::merge`, do not mark the previous leaf dirty, or do not move the boundary (`holder`
/// is `None`).
#[test]
fn no_acknowledged_insert_is_lost_when_leaves_are_merged() {
    churn_under(
        3,
        &new_tree(),
        |id, n| ((n * WRITERS + id) as u64).to_be_bytes().to_vec(),
        20,
        scaled(50_000),
    );
    churn_under(
        3,
        &new_tree(),
        |id, n| (mixed(n * WRITERS + id)).to_be_bytes().to_vec(),
        300,
        scaled(50_000),
    );
    // Layers whose links move to another leaf while they grow and are removed.
    churn_under(
        3,
        &new_tree(),
        |id, n| {
            [
                &mixed(n / 3).to_be_bytes()[..],
                b"tail",
                &[id as u8, n as u8],
            ]
            .concat()
        },
        150,
        scaled(50_000),
    );
}
