//! Operations on a store and on transactions of it.

use arbitrary::{Arbitrary, Unstructured};

/// A key: most are short, of bytes that are delimiters or share slices.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyChoice(pub(crate) Vec<u8>);

/// A value, which may be long for the log's buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ValueChoice(pub(crate) u8);

/// Bounds of a range.
#[derive(Clone, Debug, Default)]
pub(crate) struct RangeChoice {
    pub(crate) lower: Option<(KeyChoice, bool)>,
    pub(crate) upper: Option<(KeyChoice, bool)>,
    pub(crate) prefix: KeyChoice,
    pub(crate) reverse: bool,
    pub(crate) limit: u8,
}

/// What a transaction does, and a store in one call.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    Get(KeyChoice),
    Put(KeyChoice, ValueChoice),
    Insert(KeyChoice, ValueChoice),
    Remove(KeyChoice),
    Rename(KeyChoice, KeyChoice, bool),
    Scan(RangeChoice),
}

/// How a cursor moves.
#[derive(Clone, Debug)]
pub(crate) enum Move {
    First,
    Last,
    Next,
    Prev,
    /// At least, above, at most, below.
    Seek(KeyChoice, u8),
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Of one of two transactions, in one of two trees.
    Of(bool, bool, Access),
    /// Of the same, with a cursor.
    Step(bool, bool, Move),
    CloseCursor(bool, bool),
    Begin(bool, u8),
    Reset(bool),
    Commit(bool),
    Abort(bool),
    /// Of no transaction.
    Store(bool, Access),
    List(bool, RangeChoice, u8),
    /// Opens one of two snapshots, or closes it.
    Snapshot(bool),
    GetAt(bool, bool, KeyChoice),
    ListAt(bool, bool, RangeChoice, u8),
    Drop(bool),
    /// As of a snapshot, or of the newest commit.
    Export(Option<bool>),
    Import(Import),
    /// Reads changes since the last time, of durable or of written commits; may keep the cursor.
    Follow {
        is_durable: bool,
        keeps: bool,
    },
    ChangesSince(u8),
    Checkpoint,
    Reopen,
}

/// An import of what was exported.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// What is exported: see [`Op::Export`].
    pub(crate) from: Option<bool>,
    pub(crate) replaces: bool,
    /// The report of its progress that stops it: 1 to 3, of the trees that are begun and of the end; 4: the first while
    /// the directory is read; 0: none.
    pub(crate) stop: u8,
}

impl<'a> Arbitrary<'a> for KeyChoice {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        const BYTES: [u8; 4] = [b'/', b'a', b'b', 0xFF];
        let choice: u8 = u.arbitrary()?;
        let part = |shift: u8| BYTES[usize::from(choice >> shift) % 4];
        Ok(Self(match choice % 4 {
            0 => vec![part(2); usize::from(choice >> 4) % 3],
            1 => vec![part(2), part(4), part(6)],
            2 => [vec![b'a'; 7], vec![part(2), b'/', part(4)]].concat(),
            _ => vec![b'd', b'/', part(2), part(4), b'/', part(6)],
        }))
    }
}

impl<'a> Arbitrary<'a> for ValueChoice {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self(u.arbitrary()?))
    }
}

impl ValueChoice {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let len = if self.0 < 240 {
            usize::from(self.0 % 24)
        } else {
            usize::from(self.0) * 3
        };
        vec![self.0; len]
    }
}

impl<'a> Arbitrary<'a> for RangeChoice {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind: u8 = u.arbitrary()?;
        let mut bound = |wanted: u8, inclusive: bool| match kind & wanted {
            0 => Ok(None),
            _ => Ok(Some((u.arbitrary()?, inclusive))),
        };
        let lower = bound(1, kind & 2 != 0)?;
        let upper = bound(4, kind & 8 != 0)?;
        Ok(Self {
            lower,
            upper,
            prefix: match kind & 16 {
                0 => KeyChoice(Vec::new()),
                _ => u.arbitrary()?,
            },
            reverse: kind & 32 != 0,
            limit: if kind & 64 == 0 {
                0
            } else {
                u.arbitrary::<u8>()? % 8
            },
        })
    }
}

impl<'a> Arbitrary<'a> for Access {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.int_in_range(0..=11_u8)? {
            0 | 1 => Self::Get(u.arbitrary()?),
            2..=5 => Self::Put(u.arbitrary()?, u.arbitrary()?),
            6 => Self::Insert(u.arbitrary()?, u.arbitrary()?),
            7 | 8 => Self::Remove(u.arbitrary()?),
            9 => Self::Rename(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?),
            _ => Self::Scan(u.arbitrary()?),
        })
    }
}

impl<'a> Arbitrary<'a> for Move {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let choice: u8 = u.arbitrary()?;
        Ok(match choice % 16 {
            0 => Self::First,
            1 => Self::Last,
            2..=6 => Self::Next,
            7..=11 => Self::Prev,
            _ => Self::Seek(u.arbitrary()?, choice >> 4),
        })
    }
}

impl<'a> Arbitrary<'a> for Import {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let choice: u8 = u.arbitrary()?;
        Ok(Self {
            from: (choice & 1 != 0).then_some(choice & 2 != 0),
            replaces: choice & 12 != 0,
            stop: if choice & 16 == 0 {
                0
            } else {
                1 + (choice >> 5) % 4
            },
        })
    }
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.int_in_range(0..=47_u8)? {
            0..=12 => Self::Of(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?),
            13 | 14 => Self::Begin(u.arbitrary()?, u.arbitrary()?),
            15 => Self::Reset(u.arbitrary()?),
            16..=18 => Self::Commit(u.arbitrary()?),
            19 => Self::Abort(u.arbitrary()?),
            20..=25 => Self::Store(u.arbitrary()?, u.arbitrary()?),
            26 | 27 => Self::List(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?),
            28 => Self::Drop(u.arbitrary()?),
            29 => Self::Export(u.arbitrary()?),
            30 => Self::Checkpoint,
            31 => Self::Reopen,
            32..=37 => Self::Step(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?),
            38 => Self::CloseCursor(u.arbitrary()?, u.arbitrary()?),
            39 | 40 => Self::Snapshot(u.arbitrary()?),
            41 => Self::GetAt(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?),
            42 => Self::ListAt(
                u.arbitrary()?,
                u.arbitrary()?,
                u.arbitrary()?,
                u.arbitrary()?,
            ),
            43 => Self::Import(u.arbitrary()?),
            44 => Self::ChangesSince(u.arbitrary()?),
            _ => {
                let choice: u8 = u.arbitrary()?;
                Self::Follow {
                    is_durable: choice & 1 != 0,
                    keeps: choice & 6 != 0,
                }
            }
        })
    }
}
