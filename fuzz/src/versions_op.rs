//! Operations on versioned trees.

use arbitrary::{Arbitrary, Unstructured};

/// A key: one of a few of each family, so that keys have many versions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyChoice(pub(crate) u8);

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Put {
        key: KeyChoice,
        number: u8,
        kind: u8,
        bytes: u8,
        digested: bool,
    },
    PutUnlessNewer(KeyChoice, u8),
    RemoveRange(KeyChoice, KeyChoice, u8),
    Get(KeyChoice, u8),
    Scan(u8, bool),
    Versions {
        lower: End,
        upper: End,
        since: u8,
        reverse: bool,
    },
    Walk(KeyChoice, u8, u8),
    OpenSnapshot,
    CloseSnapshot(u8),
    Trim(u8, u8),
    Verify,
    Refresh,
}

/// One end of a range of versions.
pub(crate) type End = Option<(KeyChoice, u8, bool)>;

impl<'a> Arbitrary<'a> for KeyChoice {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self(u.arbitrary()?))
    }
}

fn end(u: &mut Unstructured<'_>) -> arbitrary::Result<End> {
    let kind: u8 = u.arbitrary()?;
    Ok(match kind % 3 {
        0 => None,
        kind => Some((u.arbitrary()?, u.arbitrary()?, kind == 1)),
    })
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.int_in_range(0..=23_u8)? {
            0..=8 => Self::Put {
                key: u.arbitrary()?,
                number: u.arbitrary()?,
                kind: u.arbitrary()?,
                bytes: u.arbitrary()?,
                digested: u.arbitrary()?,
            },
            9 => Self::PutUnlessNewer(u.arbitrary()?, u.arbitrary()?),
            10 | 11 => Self::RemoveRange(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?),
            12 | 13 => Self::Get(u.arbitrary()?, u.arbitrary()?),
            14 => Self::Scan(u.arbitrary()?, u.arbitrary()?),
            15 | 16 => Self::Versions {
                lower: end(u)?,
                upper: end(u)?,
                since: u.arbitrary()?,
                reverse: u.arbitrary()?,
            },
            17 => Self::Walk(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?),
            18 => Self::OpenSnapshot,
            19 => Self::CloseSnapshot(u.arbitrary()?),
            20 | 21 => Self::Trim(u.arbitrary()?, u.arbitrary()?),
            22 => Self::Verify,
            _ => Self::Refresh,
        })
    }
}
