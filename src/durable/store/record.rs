//! Records of the log: what a commit changes, and which trees a store has.
//!
//! A record is a kind and a body. Bodies, with all integers little-endian (docs/store-format.md):
//!
//! - *commit*: its changes, one after the other. A change is a head of 16 bytes (the number of its tree, the
//!   length of its key, the length of its value in 56 bits, its kind) and the key and the value, without
//!   padding. A record has at most one change of a key.
//! - *tree*: the number of a tree that is made, and its name.
//! - *dropped*: the number of a tree that is dropped, and its name: so that a reader of the log knows
//!   which tree that was.
//! - *void*: a commit that took its number and was then refused. It changes nothing.
//!
//! Changes are physical: a rename is a removal and a value. A commit is replayed by storing its
//! changes under its number, so replaying it twice does no harm.

use crate::versioned::Kind;

/// What a record of the log is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RecordKind {
    Commit = 1,
    Tree = 2,
    Void = 3,
    Dropped = 4,
}

impl RecordKind {
    pub(crate) fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Commit,
            2 => Self::Tree,
            3 => Self::Void,
            4 => Self::Dropped,
            _ => return None,
        })
    }
}

/// The bytes of the head of a change.
pub(crate) const CHANGE_HEAD: usize = 16;

/// A change of one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Change<'b> {
    /// The number of the tree.
    pub(crate) tree: u32,
    /// A value or a tombstone.
    pub(crate) kind: Kind,
    pub(crate) key: &'b [u8],
    pub(crate) value: &'b [u8],
}

impl Change<'_> {
    /// The bytes that the change takes in a record; `None` if no record has so many.
    pub(crate) fn size(&self) -> Option<usize> {
        CHANGE_HEAD
            .checked_add(self.key.len())?
            .checked_add(self.value.len())
    }

    /// Passes the change's bytes to `write`, in order.
    pub(crate) fn encode(&self, mut write: impl FnMut(&[u8])) {
        let key_len = u32::try_from(self.key.len()).expect("keys are shorter than 4 GiB");
        let value_len = self.value.len() as u64;
        debug_assert!(value_len < 1 << 56);
        let mut head = [0; CHANGE_HEAD];
        head[..4].copy_from_slice(&self.tree.to_le_bytes());
        head[4..8].copy_from_slice(&key_len.to_le_bytes());
        head[8..].copy_from_slice(&(value_len << 8 | self.kind as u64).to_le_bytes());
        write(&head);
        write(self.key);
        write(self.value);
    }
}

/// A body that no store has written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Calls `each` with every change in the body of a commit.
pub(crate) fn decode_commit<E: From<Malformed>>(
    body: &[u8],
    mut each: impl FnMut(Change<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut rest = body;
    while !rest.is_empty() {
        let (change, after) = decode_change(rest)?;
        each(change)?;
        rest = after;
    }
    Ok(())
}

/// Returns the changes in a body that [`decode_commit`] accepts.
pub(super) fn checked_changes(body: &[u8]) -> impl Iterator<Item = Change<'_>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let (change, after) = decode_change(rest).ok()?;
        rest = after;
        Some(change)
    })
}

/// Splits the first change off.
pub(super) fn decode_change(body: &[u8]) -> Result<(Change<'_>, &[u8]), Malformed> {
    let (head, rest) = body
        .split_first_chunk::<CHANGE_HEAD>()
        .ok_or(Malformed("a change ends within its head"))?;
    let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
    let last = u64::from_le_bytes(head[8..].try_into().expect("eight bytes"));
    let kind = match Kind::of((last & 0xff) as u32) {
        Some(kind @ (Kind::Value | Kind::Tombstone)) => kind,
        _ => return Err(Malformed("a change has an unknown kind")),
    };
    let ends = Malformed("a change ends within its key or value");
    let (key, rest) = rest.split_at_checked(word(4) as usize).ok_or(ends)?;
    let value_len = usize::try_from(last >> 8).map_err(|_| ends)?;
    let (value, rest) = rest.split_at_checked(value_len).ok_or(ends)?;
    let change = Change {
        tree: word(0),
        kind,
        key,
        value,
    };
    Ok((change, rest))
}

/// The bytes of the record of a tree that is made, or dropped.
pub(crate) fn tree_size(name: &str) -> usize {
    size_of::<u32>() + name.len()
}

/// Passes the bytes of the record of a tree to `write`.
pub(crate) fn encode_tree(tree: u32, name: &str, mut write: impl FnMut(&[u8])) {
    write(&tree.to_le_bytes());
    write(name.as_bytes());
}

/// Returns the number and the name of a tree.
pub(crate) fn decode_tree(body: &[u8]) -> Result<(u32, &str), Malformed> {
    let (number, name) = body
        .split_first_chunk()
        .ok_or(Malformed("a record of a tree ends within its head"))?;
    let name = str::from_utf8(name).map_err(|_| Malformed("the name of a tree is not UTF-8"))?;
    Ok((u32::from_le_bytes(*number), name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(changes: &[Change<'_>]) -> Vec<u8> {
        let mut body = Vec::new();
        for change in changes {
            change.encode(|bytes| body.extend_from_slice(bytes));
        }
        body
    }

    type Owned = (u32, bool, Vec<u8>, Vec<u8>);

    fn changes(owned: &[Owned]) -> Vec<Change<'_>> {
        (owned.iter())
            .map(|(tree, is_value, key, value)| Change {
                tree: *tree,
                kind: if *is_value {
                    Kind::Value
                } else {
                    Kind::Tombstone
                },
                key,
                value,
            })
            .collect()
    }

    proptest! {
        /// Put back: leave the value's length out of the head.
        #[test]
        fn commits_are_decoded_as_they_were_encoded(
            owned in prop::collection::vec(any::<Owned>(), 0..20),
        ) {
            let changes = changes(&owned);
            let body = encoded(&changes);
            let sizes = changes.iter().map(|change| change.size().unwrap()).sum::<usize>();
            prop_assert_eq!(body.len(), sizes);
            let mut at = 0;
            decode_commit::<Malformed>(&body, |change| {
                assert_eq!(change, changes[at]);
                at += 1;
                Ok(())
            }).unwrap();
            prop_assert_eq!(at, changes.len());
        }

        /// Put back: take the rest of a body that is too short as the value.
        #[test]
        fn cut_commits_are_malformed_or_shorter(
            owned in prop::collection::vec(any::<Owned>(), 1..8),
            at in any::<prop::sample::Index>(),
        ) {
            let changes = changes(&owned);
            let body = encoded(&changes);
            let cut = &body[..at.index(body.len())];
            let mut size = 0;
            let decoded = decode_commit::<Malformed>(cut, |change| {
                size += change.size().unwrap();
                Ok(())
            });
            prop_assert_eq!(decoded.is_ok(), size == cut.len());
        }

        #[test]
        fn bytes_without_meaning_are_malformed_and_do_not_panic(
            body in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let _ = decode_commit::<Malformed>(&body, |_| Ok(()));
            let _ = decode_tree(&body);
        }
    }

    #[test]
    fn trees_are_decoded_as_they_were_encoded() {
        for name in ["", "a", "objects", "ключи"] {
            let mut body = Vec::new();
            encode_tree(7, name, |bytes| body.extend_from_slice(bytes));
            assert_eq!(body.len(), tree_size(name));
            assert_eq!(decode_tree(&body), Ok((7, name)));
        }
        assert!(decode_tree(&[1, 0, 0]).is_err());
        assert!(decode_tree(&[1, 0, 0, 0, 0xff]).is_err());
    }
}
