//! Verifying a directory finds what opening it finds.

use super::checkpoint_faults::some_checkpoints;
use super::*;

fn read_only(disk: &Disk) -> StoreOptions {
    StoreOptions {
        is_read_only: true,
        must_exist: true,
        ..on(disk)
    }
}

/// Put back: in `Store::verify`, leave out `follow`, the parts, or the log; check the records of no frame.
#[test]
fn it_refuses_what_an_opening_refuses() {
    let (disk, _) = some_checkpoints();
    let files = disk.files();
    let (mut whole, mut corrupt) = (0, 0);
    for (path, bytes) in &files {
        for at in (0..bytes.len()).step_by(7) {
            let mut flipped = files.clone();
            flipped.get_mut(path).unwrap()[at] ^= 1 << (at % 8);
            let disk = Disk::with(flipped);
            let opened = Store::open(read_only(&disk));
            let verified = Store::verify(read_only(&disk));
            match (opened, verified) {
                (Ok(store), Ok(verified)) => {
                    assert_eq!(*store.report(), verified.log);
                    assert_eq!(store.tree_count(), verified.trees);
                    whole += 1;
                }
                (Err(OpenFault::Corrupt(opened)), Err(OpenFault::Corrupt(verified))) => {
                    assert_eq!(opened, verified, "byte {at} of {path:?}");
                    corrupt += 1;
                }
                (opened, verified) => {
                    panic!(
                        "byte {at} of {path:?}: {:?}, {verified:?}",
                        opened.map(|_| ())
                    )
                }
            }
        }
    }
    assert!(whole > 0 && corrupt > 100, "{whole}, {corrupt}");
}

#[test]
fn it_counts_and_changes_nothing() {
    let (disk, history) = some_checkpoints();
    let before = disk.operations();
    let verified = Store::verify(on(&disk)).unwrap();
    assert_eq!(disk.operations(), before);
    let store = Store::open(read_only(&disk)).unwrap();
    assert!(verified.checkpoint > 0 && verified.parts > 1);
    assert_eq!(verified.log, *store.report());
    assert!(verified.keys > 0 && !history.states.is_empty());
    let none = Store::verify(on(&Disk::default()));
    assert!(matches!(none, Err(OpenFault::NotFound)), "{none:?}");
}
