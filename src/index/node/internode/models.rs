//! A model check (`make check-models`), as those of leaves.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::index::node::{AnyNode, Leaf, Portable};
use crate::protocol::models::check;

/// Who goes up without a lock, as a walk does to ask for leaves ahead, finds all of an
/// internode that is just made: another child in each place that a slice leads to.
#[test]
fn who_goes_up_finds_a_whole_internode() {
    check(&[Line::FilledBeforeParent], || {
        loom::model(|| {
            let children = [Arc::new(Leaf::new()), Arc::new(Leaf::new())];
            let above = Arc::new(Internode::new());
            let writer = {
                let (children, above) = (children.clone(), above.clone());
                thread::spawn(move || {
                    let children = [0, 1].map(|index| NodeRef::from(&*children[index]));
                    Locked::private(&*above).fill(&[7], &children);
                })
            };
            // SAFETY: null, or the internode, which lives on.
            if let Some(found) = unsafe { NodeRef::load(children[0].parent_word()) } {
                let AnyNode::Internode(found) = found.kind() else {
                    unreachable!("there is no layer")
                };
                assert_eq!(found.child_index::<Portable>(6), 0);
                assert_eq!(found.child_index::<Portable>(7), 1);
                for (index, word) in found.children.iter().enumerate() {
                    let child = NodeRef::from(&*children[index.min(1)]);
                    assert_eq!(word.load(Ordering::SeqCst), child.as_ptr());
                }
            }
            writer.join().unwrap();
        });
    });
}
