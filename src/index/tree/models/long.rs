//! Models of writes of keys that are longer than a slice.

use super::harness::{Model, explore, tail};
use crate::index::tree::Inserted;
use crate::protocol::Line;
use crate::protocol::models::check;

/// A key is found in a slot; before its leaf is locked, another key gets the slot. The value is not
/// stored there.
#[test]
fn a_value_is_stored_where_its_key_is() {
    check(&[Line::FoundSlotIsUnchanged], || {
        explore(|| {
            let mut model = Model::with([tail(0)]);
            model.thread(|tree, pin| {
                tree.remove(pin, &tail(0));
                assert_eq!(tree.insert(pin, &tail(2), 2), Ok(Inserted::New));
            });
            model.thread(|tree, pin| {
                tree.put(pin, &tail(0), 9).unwrap();
                assert!(matches!(tree.get(pin, &tail(2)), None | Some(2)));
                tree.remove(pin, &tail(0));
            });
            model.end(vec![tail(2)]);
        });
    });
}
