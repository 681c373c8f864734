//! Batches during which memory runs out: row 18.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::Ordering;

use masstree::ffi::index::write_many::{
    masstree_insert_many_u64, masstree_put_many_u64, masstree_remove_many_u64,
};
use masstree::ffi::status::{MASSTREE_EXISTS, MASSTREE_NOMEM, MASSTREE_OK};
use masstree::{Range, Tree};

use crate::support::{assert_sound, collect, handle};
use crate::{Ledger, NONE, WORDS};

const UNTOUCHED: u64 = 0xDEAD_BEEF;

/// A tree of three levels, and what it must contain.
struct Trial<'l> {
    ledger: &'l Ledger,
    tree: Tree,
    model: BTreeMap<Vec<u8>, u64>,
}

impl<'l> Trial<'l> {
    fn new(ledger: &'l Ledger) -> Self {
        let tree = ledger.tree(WORDS);
        let guard = tree.guard().unwrap();
        let mut model = BTreeMap::new();
        for number in (0..300_u64).map(|n| 10 * n) {
            tree.put(guard.pin(), &number.to_be_bytes(), number)
                .unwrap();
            model.insert(number.to_be_bytes().to_vec(), number);
        }
        drop(guard);
        Self {
            ledger,
            tree,
            model,
        }
    }

    /// Puts or inserts keys in one call, whose allocations fail after `nth` others. Returns how
    /// many keys ran out of memory: they are not written, and all others are.
    fn write(&mut self, keys: &[u64], only_absent: bool, nth: usize) -> usize {
        let values: Vec<u64> = (1000..).take(keys.len()).collect();
        let (mut statuses, mut present) = (vec![99; keys.len()], vec![UNTOUCHED; keys.len()]);
        let (tree, first) = (handle(&self.tree), keys.as_ptr().cast::<c_void>());
        let (guard, count, values_at) = (null_mut(), keys.len(), values.as_ptr());
        let (present_at, statuses_at) = (present.as_mut_ptr(), statuses.as_mut_ptr());
        self.ledger.arm(nth);
        // SAFETY: a live tree, and as many keys, values and statuses as the count says.
        let status = unsafe {
            if only_absent {
                masstree_insert_many_u64(
                    tree,
                    guard,
                    first,
                    8,
                    values_at,
                    count,
                    present_at,
                    statuses_at,
                )
            } else {
                masstree_put_many_u64(tree, guard, first, 8, values_at, count, statuses_at)
            }
        };
        self.ledger.arm(NONE);
        for (index, key) in keys
            .iter()
            .map(|key| key.to_be_bytes().to_vec())
            .enumerate()
        {
            let there = self.model.get(&key).copied().filter(|_| only_absent);
            assert_eq!(present[index], there.unwrap_or(UNTOUCHED), "{index}");
            match (statuses[index], there) {
                (MASSTREE_NOMEM, None) | (MASSTREE_EXISTS, Some(_)) => {}
                (MASSTREE_OK, None) => _ = self.model.insert(key, values[index]),
                (status, _) => panic!("status {status} of key {index}"),
            }
        }
        let failed = (statuses.iter())
            .filter(|&&status| status == MASSTREE_NOMEM)
            .count();
        assert_eq!(status, [MASSTREE_OK, MASSTREE_NOMEM][failed.min(1)]);
        self.compare();
        failed
    }

    /// Removes need no memory: removes all keys while there is none.
    fn remove_all(&mut self) {
        let keys: Vec<u64> = (0..4000).collect();
        let mut statuses = vec![99; keys.len()];
        let (tree, first) = (handle(&self.tree), keys.as_ptr().cast::<c_void>());
        let (count, statuses_at) = (keys.len(), statuses.as_mut_ptr());
        self.ledger.arm(0);
        // SAFETY: a live tree, and as many keys and statuses as the count says.
        let status = unsafe {
            masstree_remove_many_u64(tree, null_mut(), first, 8, count, null_mut(), statuses_at)
        };
        self.ledger.arm(NONE);
        assert_eq!(status, MASSTREE_OK);
        let removed = statuses.iter().filter(|&&status| status == MASSTREE_OK);
        assert_eq!(removed.count(), self.model.len());
        self.model.clear();
        self.compare();
    }

    fn compare(&self) {
        assert_sound(&self.tree);
        let guard = self.tree.guard().unwrap();
        let found = collect(&self.tree, guard.pin(), &Range::all());
        assert!(found.into_iter().eq(self.model.clone()), "the tree differs");
    }
}

/// A key for which memory runs out is reported and not written, and the keys before and after it
/// are written, also if their descents began before, and through nodes that split meanwhile. Put
/// back: in `put_many`, report MASSTREE_OK for a key that ran out of memory; or in
/// `Tree::write_each`, do not call `done` for it.
#[test]
fn a_batch_goes_on_after_a_key_that_ran_out_of_memory() {
    // Equal keys, present keys, and keys that split leaves, not in order.
    let keys: Vec<u64> = (0..200_u64).map(|n| n * n * 7 % 1999).collect();
    for (only_absent, lasting) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut most = 0;
        // Ends: a batch makes a bounded number of allocations.
        for nth in 0.. {
            let ledger = Ledger::new();
            ledger.lasting.store(lasting, Ordering::Relaxed);
            let mut trial = Trial::new(&ledger);
            let failed = trial.write(&keys, only_absent, nth);
            most = most.max(failed);
            // Once more, with memory.
            trial.write(&keys, only_absent, NONE);
            trial.remove_all();
            drop(trial);
            ledger.assert_balanced();
            if failed == 0 {
                assert!(nth > 10, "{nth} allocations");
                break;
            }
        }
        assert!(if lasting { most > 10 } else { most == 1 }, "{most}");
    }
}
