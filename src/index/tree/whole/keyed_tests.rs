//! Trees whose values contain their keys: leaves refer to suffixes.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::thread;

use crate::errno;
use crate::index::reclaim::Pinned;
use crate::index::tree::{Range, Tree, TreeOptions};
use crate::index::value::Values;
use crate::testing::Random;

/// A value: its key.
struct Record(Vec<u8>);

/// Values, which live as long as the tree.
#[expect(clippy::vec_box, reason = "their addresses stay")]
#[derive(Default)]
struct Records(Mutex<Vec<Box<Record>>>);

impl Records {
    /// Returns the word of a new value.
    fn make(&self, key: &[u8]) -> u64 {
        let record = Box::new(Record(key.to_vec()));
        let word = std::ptr::from_ref(&*record).expose_provenance() as u64;
        errno::lock(&self.0).push(record);
        word
    }
}

unsafe extern "C" fn key_of(
    _: *mut c_void,
    value: *const c_void,
    _: usize,
    key_len: *mut usize,
) -> *const c_void {
    // SAFETY: a value of `Records`, and the caller's variable.
    unsafe {
        let Record(key) = &*value.cast::<Record>();
        *key_len = key.len();
        key.as_ptr().cast()
    }
}

fn key_in<'r>(word: u64) -> &'r [u8] {
    // SAFETY: a value of `Records`, which outlive the test's references.
    unsafe { &(*std::ptr::with_exposed_provenance::<Record>(word as usize)).0 }
}

fn keyed_tree() -> Tree {
    Tree::with_options(&TreeOptions {
        // SAFETY: the function takes the words of `Records`, which outlive the tree.
        values: unsafe { Values::words_with_keys(key_of, std::ptr::null_mut()) },
        ..TreeOptions::default()
    })
    .unwrap()
}

/// Returns a key: often with a prefix that others have, sometimes with a suffix to which no reference can
/// refer, until a layer has taken its first slices.
fn some_key(random: &mut Random) -> Vec<u8> {
    let mut key = Vec::new();
    for _ in 0..random.below(4) {
        key.extend([&b"12345678"[..], b"abcdefgh", b"a"][random.below(3)]);
    }
    if random.below(50) == 0 {
        key.resize(key.len() + 65_520 + random.below(24), b'-');
    }
    key.extend((0..random.below(12)).map(|_| b'a' + random.below(4) as u8));
    key
}

fn assert_same(tree: &Tree, pin: Pinned<'_>, model: &BTreeMap<Vec<u8>, u64>) {
    let mut faults = String::new();
    let sound = tree.check(pin, &mut |line| faults.push_str(line));
    assert_eq!((sound, faults.as_str()), (Ok(true), ""));
    let mut expected = model.iter();
    let visit = &mut |key: &[u8], value: u64| {
        let (other, word) = expected.next().expect("no more keys");
        assert!((key, value) == (other, *word));
        assert!(key_in(value) == key);
        ControlFlow::<()>::Continue(())
    };
    tree.scan(pin, &Range::all(), visit).unwrap();
    assert!(expected.next().is_none());
}

/// Put back: references to the bytes of the call, or of a bag, in `Leaf::refer`.
#[test]
fn keys_in_values_are_found_as_those_in_leaves() {
    let records = Records::default();
    for seed in 0..6 {
        let tree = keyed_tree();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        let mut random = Random(seed);
        let mut model = BTreeMap::new();
        for step in 0..6000 {
            let key = some_key(&mut random);
            match random.below(8) {
                0..5 => {
                    let word = records.make(&key);
                    assert_eq!(tree.put(pin, &key, word), Ok(model.insert(key, word)));
                }
                5 | 6 if step > 3000 => {
                    let near = model.range(key.clone()..).next();
                    let key = near.map_or(key, |(key, _)| key.clone());
                    assert_eq!(tree.remove(pin, &key), model.remove(&key));
                }
                _ => assert_eq!(tree.get(pin, &key), model.get(&key).copied()),
            }
            if step % 500 == 0 {
                _ = tree.compact(pin, 8 + random.below(8), 100).unwrap();
                _ = tree.maintain(pin, 100).unwrap();
                assert_same(&tree, pin, &model);
            }
        }
        for key in model.keys().cloned().collect::<Vec<_>>() {
            assert_eq!(tree.get(pin, &key), model.get(&key).copied());
            assert_eq!(tree.remove(pin, &key), model.remove(&key));
        }
        assert_same(&tree, pin, &model);
    }
}

/// Put back: in `last_prefix` of `longest`, do not compare suffixes.
#[test]
fn prefixes_in_values_are_found_as_those_in_leaves() {
    let records = Records::default();
    let tree = keyed_tree();
    let guard = tree.guard().unwrap();
    let pin = guard.pin();
    let mut random = Random(3);
    let mut model = BTreeMap::new();
    for step in 0..4000 {
        let key = some_key(&mut random);
        if random.below(3) == 0 {
            let word = records.make(&key);
            assert_eq!(tree.put(pin, &key, word), Ok(model.insert(key, word)));
        } else if step % 5 == 0 {
            assert_eq!(tree.remove(pin, &key), model.remove(&key));
        } else {
            // A prefix with a long run of dashes is nearly as long as the key.
            let prefixes = (0..=key.len())
                .rev()
                .filter(|len| *len < 100 || len + 50 > key.len());
            let expected = prefixes
                .filter_map(|len| Some((len, *model.get(&key[..len])?)))
                .next();
            assert_eq!(tree.longest_prefix(pin, &key), Ok(expected));
        }
    }
}

#[test]
fn sorted_keys_in_values_are_loaded() {
    let records = Records::default();
    let mut random = Random(7);
    let keys: std::collections::BTreeSet<_> = (0..4000).map(|_| some_key(&mut random)).collect();
    let model: BTreeMap<_, _> = (keys.into_iter())
        .map(|key| (key.clone(), records.make(&key)))
        .collect();
    let tree = keyed_tree();
    let guard = tree.guard().unwrap();
    let pin = guard.pin();
    let mut builder = tree.builder(pin).unwrap();
    for (key, word) in &model {
        assert_eq!(builder.add(crate::index::key::Key::new(key), *word), Ok(()));
    }
    tree.load(pin, &mut builder).unwrap();
    assert_same(&tree, pin, &model);
}

/// Readers follow references before they validate: each finds its own key, or none.
#[test]
fn readers_beside_writers_find_their_own_keys() {
    let records = Records::default();
    let tree = keyed_tree();
    thread::scope(|scope| {
        for seed in 0..4 {
            let (tree, records) = (&tree, &records);
            scope.spawn(move || {
                let guard = tree.guard().unwrap();
                let pin = guard.pin();
                let mut random = Random(seed);
                for step in 0..4000 {
                    let key = some_key(&mut random);
                    match random.below(4) {
                        0 => _ = tree.put(pin, &key, records.make(&key)).unwrap(),
                        1 => _ = tree.remove(pin, &key),
                        _ => {
                            if let Some(word) = tree.get(pin, &key) {
                                assert!(key_in(word) == key);
                            }
                        }
                    }
                    if step % 400 == 0 {
                        let visit = &mut |key: &[u8], word: u64| {
                            assert!(key_in(word) == key);
                            ControlFlow::<()>::Continue(())
                        };
                        tree.scan(pin, &Range::all(), visit).unwrap();
                        _ = tree.compact(pin, 12, 50).unwrap();
                    }
                }
            });
        }
    });
    let guard = tree.guard().unwrap();
    assert_eq!(tree.check(guard.pin(), &mut |_| {}), Ok(true));
}

/// Put back: leaves that are never referring ones.
#[test]
fn keys_in_values_take_less_memory() {
    let records = Records::default();
    let (keyed, copying) = (keyed_tree(), Tree::new(None).unwrap());
    let mut random = Random(1);
    for tree in [&keyed, &copying] {
        let guard = tree.guard().unwrap();
        for _ in 0..10_000 {
            let key: Vec<_> = (0..64).map(|_| random.below(256) as u8).collect();
            let stored = tree.put(guard.pin(), &key, records.make(&key));
            assert_eq!(stored, Ok(None));
        }
    }
    let bytes = (keyed.memory_in_use(), copying.memory_in_use());
    assert!(bytes.0 * 2 < bytes.1, "{bytes:?}");
}
