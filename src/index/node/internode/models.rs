//! A model check (`make check-models`), like those of leaves.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::index::node::{AnyNode, Leaf, Portable};
use crate::protocol::models::check;

/// A thread that follows a parent word without a lock, as a walk does to prefetch leaves, finds
/// a new internode filled: the right child at each index.
#[test]
fn a_parent_word_never_points_to_a_partly_filled_internode() {
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

/// A thread raises the levels below of an internode while another splits it: either the split
/// copies the raised levels, or the raising thread detects that the internode has changed.
#[test]
fn raised_levels_are_copied_or_raised_again() {
    let lines = [
        Line::FenceAfterLevelsAreRaised,
        Line::FenceBeforeLevelsAreCopied,
        Line::RaisedIsValidated,
    ];
    check(&lines, || {
        loom::model(|| {
            let node = Arc::new(Internode::new());
            drop(Locked::private(&*node));
            let version = node.version().stable();
            let splits = {
                let node = node.clone();
                thread::spawn(move || {
                    let mut locked = Locked::lock(&*node);
                    locked.mark_dirty();
                    locked.levels_to_copy()
                })
            };
            node.raise_below(7);
            let is_raised = node.is_as_raised(version);
            let copied = splits.join().unwrap();
            assert!(!is_raised || copied == 7);
        });
    });
}
