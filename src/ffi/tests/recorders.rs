//! Two recorders of changes: of a layer above the index, and of its user.

use std::ptr::{NonNull, null, null_mut};

use crate::ffi::boundary::tree_of;
use crate::ffi::handle;
use crate::ffi::index::guard::{masstree_guard_enter, masstree_guard_leave};
use crate::ffi::index::point::masstree_put_u64;
use crate::ffi::index::tree::{masstree_create, masstree_destroy};
use crate::ffi::occ::delta::{LeafDelta, masstree_guard_record};
use crate::ffi::occ::observe::LeafObservation;
use crate::ffi::status::*;
use crate::index::node::{Delta, DeltaRecorder, Observation};
use crate::index::reclaim::pin_of;

fn empty() -> LeafDelta {
    LeafDelta {
        struct_size: size_of::<LeafDelta>(),
        created: null_mut(),
        created_capacity: 0,
        created_count: 0,
        before: LeafObservation::of(&Observation::default()),
        after: LeafObservation::of(&Observation::default()),
        flags: 0,
        reserved: 0,
    }
}

fn versions(delta: &LeafDelta) -> [u64; 2] {
    [delta.before.version, delta.after.version]
}

/// Put back: give the pin of a guard the recorder in its slot, in `GuardState::pin`.
#[test]
fn a_layer_and_its_user_record_writes_apart() {
    let (mut tree, mut guard) = (null_mut(), null_mut());
    let mut users = empty();
    let users = &raw mut users;
    let mut room = [Observation::default(); 2];
    let mut layers = Delta::with_room(&mut room);
    let layers = &raw mut layers;
    // SAFETY: the tree, the guard and both deltas outlive their uses, on this thread.
    unsafe {
        assert_eq!(masstree_create(null(), &raw mut tree), MASSTREE_OK);
        assert_eq!(masstree_guard_enter(tree, &raw mut guard), MASSTREE_OK);
        assert_eq!(masstree_guard_record(guard, users), MASSTREE_OK);
        assert_eq!(masstree_put_u64(tree, guard, 1, 1), MASSTREE_OK);
        let first = versions(&*users);
        assert_ne!(first[0], first[1]);

        let inner = tree_of(tree).unwrap();
        let pin = pin_of(handle::slot(guard).unwrap());
        let recorder = DeltaRecorder::new(NonNull::new_unchecked(layers));
        let key = |number: u64| number.to_be_bytes();
        assert_eq!(
            inner.put(pin.with_recorder(Some(recorder)), &key(2), 2),
            Ok(None)
        );
        let second = [(*layers).before.version, (*layers).after.version];
        assert_eq!(second[0], first[1], "the layer's write follows its user's");
        assert_ne!(second[0], second[1]);
        assert_eq!(versions(&*users), first);

        assert_eq!(inner.put(pin, &key(3), 3), Ok(None));
        assert_eq!(versions(&*users), first, "not every write is recorded");
        assert_eq!((*layers).after.version, second[1]);

        assert_eq!(masstree_put_u64(tree, guard, 4, 4), MASSTREE_OK);
        assert_ne!(
            versions(&*users),
            first,
            "the user's recorder stays in the guard"
        );
        assert_eq!((*layers).after.version, second[1]);
        masstree_guard_leave(guard);
        masstree_destroy(tree);
    }
}
