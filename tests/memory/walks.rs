//! Scans and cursors that run out of memory: row 18.

use std::ops::ControlFlow;

use masstree::{Cursor, OutOfMemory, Pinned, Range, Seek, Tree};

use crate::out_of_memory::{Trial, deep_keys, sweep};
use crate::support::backwards;
use crate::{Ledger, WORDS};

/// Row 18. Put back: in `Tree::scan`, end as if all keys were visited.
#[test]
fn a_scan_that_runs_out_of_memory_reports_it() {
    let keys = deep_keys();
    let work = |trial: &mut Trial<'_>| {
        let (tree, pin) = (trial.tree, trial.pin);
        let all = trial.model.len();
        for range in [Range::all(), backwards()] {
            let seen = trial.attempt(|| {
                let mut seen = 0;
                tree.scan(pin, &range, &mut |_, _| {
                    seen += 1;
                    ControlFlow::Continue(())
                })
                .inspect(|count| assert_eq!(*count, seen))
                .inspect_err(|_| assert!(seen < all))
            });
            assert_eq!(seen, all);
        }
    };
    sweep(WORDS, 6, |trial| trial.put_all(&keys), work);
}

/// Row 18. The leaf that a scan would read next is deleted, and no memory is left to descend
/// again to the scan's position. Put back: in `Interrupt::resume`, end the scan instead.
#[test]
fn a_scan_without_memory_to_resume_reports_it() {
    let ledger = Ledger::new();
    {
        let tree = ledger.tree(WORDS);
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        for n in 0..45u64 {
            tree.put(pin, &n.to_be_bytes(), n).unwrap();
        }
        let mut seen = 0;
        let outcome = tree.scan(pin, &Range::all(), &mut |_, _| {
            seen += 1;
            if seen == 1 {
                // All keys of the second leaf.
                for n in 15..30u64 {
                    assert_eq!(tree.remove(pin, &n.to_be_bytes()), Some(n));
                }
                ledger.arm(0);
            }
            ControlFlow::Continue(())
        });
        assert_eq!((outcome, seen), (Err(OutOfMemory), 15));
        assert!(!ledger.is_armed());
    }
    ledger.assert_balanced();
}

/// The key and value of a cursor.
fn place<'g>(cursor: &mut Cursor<'g>, tree: &Tree, pin: Pinned<'g>) -> Option<Pair> {
    let key = cursor.key()?.to_vec();
    Some((key, cursor.value(tree, pin)?))
}

/// Moves a cursor; if it fails, moves it again from the same position.
fn move_to<'g>(
    trial: &mut Trial<'g>,
    cursor: &mut Cursor<'g>,
    to: &Pair,
    mut how: impl FnMut(&mut Cursor<'g>) -> Result<bool, OutOfMemory>,
) {
    let (tree, pin) = (trial.tree, trial.pin);
    let moved = trial.attempt(|| {
        let before = place(cursor, tree, pin);
        let moved = how(cursor);
        if moved.is_err() {
            assert_eq!(place(cursor, tree, pin), before);
        }
        moved
    });
    assert!(moved);
    assert_eq!(place(cursor, tree, pin).as_ref(), Some(to));
}

/// Moves a cursor back and forth, in every way that a cursor can move.
fn move_about(trial: &mut Trial<'_>) {
    let (tree, pin) = (trial.tree, trial.pin);
    let all: Vec<_> = trial.model.clone().into_iter().collect();
    let mut cursor = Cursor::new(tree);
    for (n, pair) in all.iter().enumerate() {
        move_to(trial, &mut cursor, pair, |cursor| match n % 3 {
            // Within the walk; after `detach`, from the root of the tree.
            0 => cursor.step(tree, pin, false),
            1 => {
                cursor.detach();
                cursor.step(tree, pin, false)
            }
            _ => cursor.seek(tree, pin, Seek::AtMost(&pair.0)),
        });
    }
    for pair in all.iter().rev().skip(1) {
        move_to(trial, &mut cursor, pair, |cursor| {
            cursor.step(tree, pin, true)
        });
    }
}

/// Row 18. Put back: in `Cursor::arrive`, keep the walk's new position when memory for the
/// key runs out; in `Cursor::step_from_root`, leave `at` empty.
#[test]
fn a_cursor_that_runs_out_of_memory_stays_where_it_was() {
    let keys = deep_keys();
    sweep(WORDS, 10, |trial| trial.put_all(&keys), move_about);
}

type Pair = (Vec<u8>, u64);

/// Row 18. Steps taken before memory runs out count. Put back: in `Cursor::step_many`, fail
/// after the first step too; in `Cursor::step_once`, append the key before room for it is
/// reserved.
#[test]
fn step_many_that_runs_out_of_memory_keeps_the_steps_taken() {
    let keys = deep_keys();
    let work = |trial: &mut Trial<'_>| {
        let (tree, pin) = (trial.tree, trial.pin);
        for reverse in [false, true] {
            let mut all: Vec<_> = trial.model.clone().into_iter().collect();
            if reverse {
                all.reverse();
            }
            let mut cursor = Cursor::new(tree);
            let mut done = 0;
            while done < all.len() {
                let mut found = Vec::new();
                let moved = trial.attempt(|| {
                    found.clear();
                    let before = cursor.key().map(<[u8]>::to_vec);
                    let moved = cursor.step_many(tree, pin, reverse, 30, |end, value| {
                        found.push((end, value));
                    });
                    if moved.is_err() {
                        assert_eq!(cursor.key(), before.as_deref());
                        assert!(found.is_empty());
                    }
                    moved
                });
                assert!(moved && !found.is_empty());
                let mut start = cursor.first_start();
                for ((end, value), pair) in found.iter().zip(&all[done..]) {
                    assert_eq!((&cursor.keys()[start..*end], value), (&pair.0[..], &pair.1));
                    start = *end;
                }
                done += found.len();
                assert_eq!(cursor.key(), Some(&all[done - 1].0[..]));
            }
        }
    };
    sweep(WORDS, 10, |trial| trial.put_all(&keys), work);
}
