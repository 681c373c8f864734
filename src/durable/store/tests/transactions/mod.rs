//! Transactions: what they read and write, and what is refused.

mod conflicts;
mod histories;
mod scans;

use super::*;

fn begin(store: &Store) -> Transaction<'_> {
    Transaction::begin(store, TransactionOptions::default()).unwrap()
}

fn begin_with(store: &Store, isolation: Isolation) -> Transaction<'_> {
    let options = TransactionOptions {
        isolation,
        ..TransactionOptions::default()
    };
    Transaction::begin(store, options).unwrap()
}

fn seen<'s>(of: &mut Transaction<'s>, tree: &'s StoreTree, key: &[u8]) -> Option<Vec<u8>> {
    let seen = of.get(tree, key).unwrap();
    seen.map(|seen| seen.bytes.to_vec())
}

fn scanned<'s>(
    of: &mut Transaction<'s>,
    tree: &'s StoreTree,
    range: Range<'_>,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut walk = Walk::new(tree, range, tree.index().allocator());
    let mut found = Vec::new();
    while of.advance(&mut walk).unwrap() {
        let (key, seen) = walk.item().unwrap();
        found.push((key.to_vec(), seen.bytes.to_vec()));
    }
    found
}

fn with_prefix(prefix: &[u8]) -> Range<'_> {
    Range {
        prefix,
        ..Range::all()
    }
}

#[test]
fn a_transaction_sees_its_snapshot_and_its_own_writes() {
    let store = in_memory();
    let (tree, other) = (tree_named(&store, "t"), tree_named(&store, "other"));
    let first = put(&store, tree, b"a", b"1");
    let mut transaction = begin(&store);
    put(&store, tree, b"a", b"2");
    put(&store, tree, b"b", b"2");
    let read = transaction.get(tree, b"a").unwrap().unwrap();
    assert_eq!((read.number, read.bytes), (first, &b"1"[..]));
    assert_eq!(seen(&mut transaction, tree, b"b"), None);
    transaction.put(tree, b"c", b"own").unwrap();
    transaction.put(other, b"a", b"other").unwrap();
    let read = transaction.get(tree, b"c").unwrap().unwrap();
    assert_eq!((read.number, read.bytes), (0, &b"own"[..]));
    assert!(!transaction.insert(tree, b"c", b"").unwrap());
    assert!(transaction.remove(tree, b"c").unwrap());
    assert!(!transaction.remove(tree, b"c").unwrap());
    assert!(transaction.insert(tree, b"c", b"again").unwrap());
    assert_eq!(get(tree, b"c"), None);
    assert_eq!(transaction.commit(), Ok(Ending::Conflict));
    let conflict = transaction.conflict().unwrap();
    assert_eq!((conflict.tree.number(), &conflict.key[..]), (1, &b"a"[..]));
    assert_eq!(get(tree, b"c"), None);
    assert_eq!(transaction.get(tree, b"a").err(), Some(StoreFault::Ended));
    transaction.restart().unwrap();
    assert!(transaction.conflict().is_none());
    assert_eq!(seen(&mut transaction, tree, b"a"), Some(b"2".to_vec()));
    transaction.put(tree, b"c", b"own").unwrap();
    transaction.put(other, b"a", b"other").unwrap();
    let Ok(Ending::Done(number)) = transaction.commit() else {
        panic!("it is not refused");
    };
    assert_eq!(store.last_commit(), number);
    assert_eq!(get(tree, b"c"), Some(b"own".to_vec()));
    assert_eq!(get(other, b"a"), Some(b"other".to_vec()));
    assert_eq!(transaction.commit(), Err(StoreFault::Ended));
    check(tree);
}

#[test]
fn a_rename_moves_a_value() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    put(&store, tree, b"a", b"1");
    put(&store, tree, b"b", b"2");
    let mut transaction = begin(&store);
    let mut rename =
        |from: &[u8], to: &[u8], replaces| transaction.rename(tree, from, to, replaces).unwrap();
    assert_eq!(rename(b"c", b"d", false), Moved::NoSource);
    assert_eq!(rename(b"a", b"b", false), Moved::TargetExists);
    assert_eq!(rename(b"a", b"a", false), Moved::Done);
    assert_eq!(rename(b"a", b"b", true), Moved::Done);
    assert_eq!(rename(b"b", b"c", false), Moved::Done);
    assert!(matches!(transaction.commit(), Ok(Ending::Done(_))));
    assert_eq!(content(tree), [(b"c".to_vec(), b"1".to_vec())]);
}

/// Put back: take the bytes from a version that is visible at no snapshot, such as the newest.
#[test]
fn what_was_read_stays_readable() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    for index in 0..100u8 {
        put(&store, tree, &[index], &[index; 100]);
    }
    let mut transaction = begin(&store);
    let mut walk = Walk::new(tree, Range::all(), store.source());
    assert!(transaction.advance(&mut walk).unwrap());
    let first = walk.item().unwrap().1.bytes;
    for round in 0..50 {
        for index in 0..100u8 {
            put(&store, tree, &[index], &[round; 100]);
        }
    }
    assert_eq!(first, [0; 100]);
    let mut count = 1u8;
    while transaction.advance(&mut walk).unwrap() {
        assert_eq!(walk.item().unwrap().1.bytes, [count; 100]);
        count += 1;
    }
    assert_eq!(count, 100);
}

#[test]
fn limits_and_isolation_refuse_operations() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    let options = TransactionOptions {
        most_bytes: 4096,
        ..TransactionOptions::default()
    };
    let mut transaction = Transaction::begin(&store, options).unwrap();
    assert_eq!(
        transaction.put(tree, b"a", &[0; 5000]),
        Err(StoreFault::TooLarge)
    );
    let mut fits = 0u32;
    while transaction.put(tree, &fits.to_be_bytes(), b"value").is_ok() {
        fits += 1;
    }
    assert!(fits > 10);
    assert_eq!(
        transaction.get(tree, b"other").err(),
        Some(StoreFault::TooLarge)
    );
    assert!(matches!(transaction.commit(), Ok(Ending::Done(_))));
    assert_eq!(content(tree).len(), fits as usize);

    let mut reader = begin_with(&store, Isolation::ReadOnly);
    put(&store, tree, b"later", b"");
    assert_eq!(
        scanned(&mut reader, tree, Range::all()).len(),
        fits as usize
    );
    assert_eq!(reader.put(tree, b"a", b""), Err(StoreFault::ReadOnly));
    let number = reader.number().unwrap();
    assert_eq!(reader.commit(), Ok(Ending::Done(number)));
}

/// Put back: leave the changes of an aborted record in it.
#[test]
fn a_refused_transaction_is_not_in_the_log() {
    let disk = Disk::default();
    {
        let store = Store::open(on(&disk)).unwrap();
        let tree = tree_named(&store, "t");
        let mut transaction = begin(&store);
        seen(&mut transaction, tree, b"a");
        transaction.put(tree, b"b", b"").unwrap();
        let ended = transaction.commit_between(|| _ = put(&store, tree, b"a", b"1"));
        assert_eq!(ended, Ok(Ending::Conflict));
        transaction.restart().unwrap();
        transaction.put(tree, b"c", b"").unwrap();
        assert!(matches!(transaction.commit(), Ok(Ending::Done(_))));
        drop(transaction);
        store.close().unwrap();
    }
    let options = StoreOptions {
        is_read_only: true,
        ..on(&disk)
    };
    let store = Store::open(options).unwrap();
    let tree = tree_named(&store, "t");
    let mut transaction = begin(&store);
    let found = scanned(&mut transaction, tree, Range::all());
    assert_eq!(
        found,
        [(b"a".to_vec(), b"1".to_vec()), (b"c".to_vec(), Vec::new())]
    );
    assert_eq!(transaction.put(tree, b"d", b""), Err(StoreFault::ReadOnly));
    assert!(matches!(transaction.commit(), Ok(Ending::Done(_))));
}
