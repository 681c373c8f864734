//! Batches against a sequential model: the results, statuses and effects of a batch are those of
//! single operations in the order of its keys, whatever the keys and its size. Put back: in
//! `Lane::enter`, do not validate the node above; in `Tree::pipeline`, let the keys of the leaf
//! stage arrive in reverse; in `Tree::write_each`, do not write keys that arrive nowhere.

mod support;

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::null_mut;

use masstree::Tree;
use masstree::ffi::handle::GuardHandle;
use masstree::ffi::index::bytes::Slice;
use masstree::ffi::index::get_many::{masstree_get_many, masstree_get_many_u64};
use masstree::ffi::index::guard::{masstree_guard_enter, masstree_guard_leave};
use masstree::ffi::index::write_many::{
    masstree_insert_many, masstree_insert_many_u64, masstree_put_many, masstree_put_many_u64,
    masstree_remove_many, masstree_remove_many_u64,
};
use masstree::ffi::status::{MASSTREE_EXISTS, MASSTREE_NOT_FOUND, MASSTREE_OK};
use proptest::prelude::*;
use support::{assert_sound, handle, new_tree};

const UNTOUCHED: u64 = 0xDEAD_BEEF;

#[derive(Clone, Copy, Debug)]
enum Verb {
    Get,
    Put,
    Insert,
    Remove,
}

/// One call: what it does, to which keys, as integers or as byte strings, under a guard or not.
#[derive(Clone, Debug)]
struct Call {
    verb: Verb,
    keys: Vec<Vec<u8>>,
    integers: bool,
    guarded: bool,
}

/// Keys that are dense, so that batches contain some twice and leaves split under them, or sparse.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..40_u64, 0..3000_u64, any::<u64>()]
}

fn keys(integers: bool) -> BoxedStrategy<Vec<Vec<u8>>> {
    let size = prop_oneof![0..10_usize, 0..70_usize, Just(64_usize), 500..1100_usize];
    let key = move |long: bool| {
        (number(), 0..24_usize).prop_map(move |(number, len)| {
            let mut key = number.to_be_bytes().to_vec();
            if !integers {
                let len = if long { len } else { len.min(8) };
                key.resize(16, 7);
                // Mostly whole keys; the bytes that differ are the last of the first slice.
                key.rotate_left(if len < 4 { 6 } else { 0 });
                key.resize(if len < 4 { len } else { len.max(8) }, 7);
            }
            key
        })
    };
    let ascending = (any::<u32>(), 1..4_u64, 0..200_u64).prop_map(|(first, step, count)| {
        let numbers = (0..count).map(|i| u64::from(first) + step * i);
        numbers.map(|n| n.to_be_bytes().to_vec()).collect()
    });
    let random = (size, prop::bool::weighted(0.3))
        .prop_flat_map(move |(size, long)| prop::collection::vec(key(long), size));
    prop_oneof![4 => random, 1 => ascending].boxed()
}

fn call() -> impl Strategy<Value = Call> {
    let verb = prop_oneof![
        1 => Just(Verb::Get),
        3 => Just(Verb::Put),
        2 => Just(Verb::Insert),
        2 => Just(Verb::Remove),
    ];
    (verb, any::<bool>(), any::<bool>()).prop_flat_map(|(verb, integers, guarded)| {
        keys(integers).prop_map(move |keys| Call {
            verb,
            keys,
            integers,
            guarded,
        })
    })
}

/// The results of a call: a status for each key, and the values written.
type Results = (Vec<i32>, Vec<u64>);

fn expected(model: &mut BTreeMap<Vec<u8>, u64>, call: &Call, first: u64) -> Results {
    let results = call.keys.iter().zip(first..).map(|(key, value)| {
        let present = model.get(key).copied();
        let (status, output) = match (call.verb, present) {
            (Verb::Put, _) => (MASSTREE_OK, None),
            (Verb::Insert, None) => (MASSTREE_OK, None),
            (Verb::Insert, _) => (MASSTREE_EXISTS, present),
            (_, None) => (MASSTREE_NOT_FOUND, None),
            (_, _) => (MASSTREE_OK, present),
        };
        match call.verb {
            Verb::Put => _ = model.insert(key.clone(), value),
            Verb::Insert => _ = model.entry(key.clone()).or_insert(value),
            Verb::Remove => _ = model.remove(key),
            Verb::Get => {}
        }
        (status, output.unwrap_or(UNTOUCHED))
    });
    results.unzip()
}

fn perform(tree: &Tree, call: &Call, first: u64) -> Results {
    let count = call.keys.len();
    let values: Vec<u64> = (first..).take(count).collect();
    let (mut statuses, mut out) = (vec![99; count], vec![UNTOUCHED; count]);
    let slices: Vec<_> = (call.keys.iter())
        .map(|key| Slice {
            data: key.as_ptr().cast(),
            len: key.len(),
        })
        .collect();
    // Integers in structs of 16 bytes.
    let integers: Vec<[u64; 2]> = (call.keys.iter())
        .map(|key| [key.first_chunk().map_or(0, |n| u64::from_be_bytes(*n)), 5])
        .collect();
    let (slices, integers) = (slices.as_ptr(), integers.as_ptr().cast::<c_void>());
    let (values, out_at, statuses_at) = (values.as_ptr(), out.as_mut_ptr(), statuses.as_mut_ptr());
    let mut guard: *mut GuardHandle = null_mut();
    let tree = handle(tree);
    // SAFETY: a live tree and guard, and as many keys, values and statuses as the count says.
    let status = unsafe {
        if call.guarded {
            assert_eq!(masstree_guard_enter(tree, &raw mut guard), MASSTREE_OK);
        }
        let status = match (call.verb, call.integers) {
            (Verb::Get, true) => {
                masstree_get_many_u64(tree, guard, integers, 16, count, out_at, statuses_at)
            }
            (Verb::Get, false) => {
                masstree_get_many(tree, guard, slices, count, out_at, statuses_at)
            }
            (Verb::Put, true) => {
                masstree_put_many_u64(tree, guard, integers, 16, values, count, statuses_at)
            }
            (Verb::Put, false) => {
                masstree_put_many(tree, guard, slices, values, count, statuses_at)
            }
            (Verb::Insert, true) => masstree_insert_many_u64(
                tree,
                guard,
                integers,
                16,
                values,
                count,
                out_at,
                statuses_at,
            ),
            (Verb::Insert, false) => {
                masstree_insert_many(tree, guard, slices, values, count, out_at, statuses_at)
            }
            (Verb::Remove, true) => {
                masstree_remove_many_u64(tree, guard, integers, 16, count, out_at, statuses_at)
            }
            (Verb::Remove, false) => {
                masstree_remove_many(tree, guard, slices, count, out_at, statuses_at)
            }
        };
        masstree_guard_leave(guard);
        status
    };
    assert_eq!(status, MASSTREE_OK);
    (statuses, out)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_does_what_single_calls_do(calls in prop::collection::vec(call(), 1..16)) {
        let tree = new_tree();
        let mut model = BTreeMap::new();
        for (call, first) in calls.iter().zip((1..).step_by(10_000)) {
            let wanted = expected(&mut model, call, first);
            prop_assert_eq!(perform(&tree, call, first), wanted, "{:?}", call);
        }
        let guard = tree.guard().unwrap();
        let all = support::collect(&tree, guard.pin(), &masstree::Range::all());
        prop_assert!(all.into_iter().eq(model), "the contents differ");
        assert_sound(&tree);
    }
}
