//! Operations, as an input encodes them. Their keys and values depend on the tree at the
//! time when they are run.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::keys::KeyChoice;

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Point(Point),
    Run(Run),
    Scan(Scan),
    Cursor(CursorOp),
    Guard(GuardOp),
    Whole(Whole),
}

/// An operation on one key.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) action: Action,
    pub(crate) key: KeyChoice,
    /// Whether the displaced value is wanted.
    pub(crate) want: bool,
    /// Selects a variant of the action.
    pub(crate) twist: u8,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Get,
    Contains,
    Put,
    Exchange,
    Insert,
    Remove,
    Replace,
    CompareExchange,
    RemoveIfEqual,
    Update,
    GetOrInsertWith,
    Retire,
}

/// An operation on several keys, one after the other or in a batch.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) action: Many,
    pub(crate) family: u8,
    /// Each key is from another family than the one before.
    pub(crate) mixed: bool,
    pub(crate) first: u8,
    pub(crate) step: u8,
    pub(crate) count: u8,
    pub(crate) batch: bool,
    pub(crate) want: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Many {
    Get,
    Put,
    Insert,
    Remove,
}

#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) lower: Limit,
    pub(crate) upper: Limit,
    /// The first bytes of a key, and their number.
    pub(crate) prefix: Option<(KeyChoice, u8)>,
    pub(crate) limit: u8,
    pub(crate) flags: u8,
    pub(crate) stop_after: Option<u8>,
    pub(crate) count_only: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Limit {
    Open,
    At(KeyChoice, bool),
}

#[derive(Clone, Debug)]
pub(crate) struct CursorOp {
    pub(crate) which: u8,
    pub(crate) action: CursorAction,
}

#[derive(Clone, Debug)]
pub(crate) enum CursorAction {
    Open { own_guard: bool },
    Close,
    Refresh,
    Seek(KeyChoice, u8),
    End { last: bool },
    Step { back: bool },
    Many { back: bool, capacity: u8 },
    Value,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum GuardOp {
    Enter,
    Refresh,
    Leave,
}

#[derive(Clone, Debug)]
pub(crate) enum Whole {
    Maintain(u8),
    Flush,
    Barrier,
    Clear,
    BulkLoad { run: Run, unsorted: bool },
    Look(u8),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let action = match u.int_in_range(0..=63u8)? {
            0..=7 => Action::Put,
            8..=10 => Action::Insert,
            11 | 12 => Action::Exchange,
            13..=18 => Action::Remove,
            19 => Action::Replace,
            20 | 21 => Action::CompareExchange,
            22 => Action::RemoveIfEqual,
            23 => Action::Update,
            24 => Action::GetOrInsertWith,
            25 => Action::Get,
            26 => Action::Contains,
            27 => Action::Retire,
            28..=43 => return Ok(Self::Run(u.arbitrary()?)),
            44..=48 => return Ok(Self::Scan(u.arbitrary()?)),
            49..=56 => return Ok(Self::Cursor(u.arbitrary()?)),
            57 | 58 => {
                let choices = [GuardOp::Enter, GuardOp::Refresh, GuardOp::Leave];
                return Ok(Self::Guard(*u.choose(&choices)?));
            }
            _ => return Ok(Self::Whole(u.arbitrary()?)),
        };
        Ok(Self::Point(Point {
            action,
            key: u.arbitrary()?,
            want: u.arbitrary()?,
            twist: u.arbitrary()?,
        }))
    }
}

impl<'a> Arbitrary<'a> for Run {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let bits: u8 = u.arbitrary()?;
        Ok(Self {
            action: *u.choose(&[Many::Put, Many::Remove, Many::Insert, Many::Get])?,
            family: bits & 3,
            mixed: bits & 4 != 0,
            batch: bits & 8 != 0,
            want: bits & 16 != 0,
            first: u.arbitrary()?,
            step: u.int_in_range(0..=7)?,
            count: u.int_in_range(0..=63)?,
        })
    }
}

impl<'a> Arbitrary<'a> for Limit {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=2u8)? {
            0 => Self::Open,
            n => Self::At(u.arbitrary()?, n == 1),
        })
    }
}

impl<'a> Arbitrary<'a> for Scan {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let bits: u8 = u.arbitrary()?;
        Ok(Self {
            lower: u.arbitrary()?,
            upper: u.arbitrary()?,
            prefix: if bits & 3 == 3 {
                Some((u.arbitrary()?, u.arbitrary()?))
            } else {
                None
            },
            limit: if bits & 4 != 0 { u.arbitrary()? } else { 0 },
            flags: bits >> 5,
            stop_after: if bits & 8 != 0 {
                Some(u.arbitrary()?)
            } else {
                None
            },
            count_only: bits & 16 != 0,
        })
    }
}

impl<'a> Arbitrary<'a> for CursorOp {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let which = u.arbitrary()?;
        let back = which & 0x80 != 0;
        let action = match u.int_in_range(0..=15u8)? {
            0 => CursorAction::Open { own_guard: back },
            1 => CursorAction::Close,
            2 => CursorAction::Refresh,
            3..=5 => CursorAction::Seek(u.arbitrary()?, u.int_in_range(0..=3)?),
            6 => CursorAction::End { last: back },
            7..=11 => CursorAction::Step { back },
            12 | 13 => CursorAction::Many {
                back,
                capacity: u.int_in_range(1..=40)?,
            },
            _ => CursorAction::Value,
        };
        Ok(Self { which, action })
    }
}

impl<'a> Arbitrary<'a> for Whole {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=15u8)? {
            0..=5 => Self::Maintain(u.arbitrary()?),
            6 => Self::Flush,
            7 => Self::Barrier,
            8 => Self::Clear,
            9..=12 => {
                let bits: u8 = u.arbitrary()?;
                Self::BulkLoad {
                    run: u.arbitrary()?,
                    unsorted: bits.is_multiple_of(8),
                }
            }
            _ => Self::Look(u.arbitrary()?),
        })
    }
}

impl Run {
    /// The numbers of the keys, each with its family.
    pub(crate) fn places(&self) -> impl Iterator<Item = (u8, u8)> {
        let run = self.clone();
        (0..run.count).map(move |i| {
            let family = if run.mixed {
                run.family + i
            } else {
                run.family
            };
            let number = run.first.wrapping_add(i.wrapping_mul(run.step));
            (family, number)
        })
    }
}
