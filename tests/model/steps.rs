//! Random steps: keys built to collide, and operations on them.

use std::collections::BTreeMap;

use masstree::{Bound, Range};
use proptest::prelude::*;

pub(crate) type Model = BTreeMap<Vec<u8>, u64>;

/// Keys that share slices, differ in length only, or hold zero and 0xFF bytes.
pub(crate) fn key() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0u8), Just(1), Just(b'a'), Just(255)];
    let short = prop::collection::vec(byte.clone(), 0..=10);
    prop_oneof![
        8 => (prefix(), short).prop_map(|(prefix, rest)| [&prefix, &rest[..]].concat()),
        1 => prop::collection::vec(byte, 0..=40),
        1 => (0u64..300).prop_map(|n| n.to_be_bytes().to_vec()),
        3 => group_key(),
        1 => (0u16..300).prop_map(|n| [&b"long shared prefix of a key, "[..], &n.to_be_bytes()].concat()),
    ]
}

/// Keys under a few slices: some end in the slice and some are longer, about as many as a
/// leaf holds.
pub(crate) fn group_key() -> impl Strategy<Value = Vec<u8>> {
    let slice = (0u8..5).prop_map(|n| vec![b'g', n, 0, 0, 0, 0, 0, 0]);
    const TAILS: &[&[u8]] = &[b"", b"and its tail", b"and another tail of it"];
    let tail = prop::sample::select(TAILS);
    let rest = (1u8..5, 0usize..3, tail).prop_map(|(n, more, tail)| {
        let ones = [1; 2];
        [&[n], &ones[..more], tail].concat()
    });
    prop_oneof![
        1 => (slice.clone(), 1usize..=8).prop_map(|(slice, len)| slice[..len].to_vec()),
        3 => (slice, rest).prop_map(|(slice, rest)| [slice, rest].concat()),
    ]
}

pub(crate) fn prefix() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => Just(&b""[..]),
        1 => Just(&b"12345678"[..]),
        1 => Just(&b"1234567812345678"[..]),
        1 => Just(&b"123456781234567812345678"[..]),
        1 => Just(&[0u8; 8][..]),
        1 => Just(&[255u8; 16][..]),
    ]
    .prop_map(<[u8]>::to_vec)
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Put(Vec<u8>, u64),
    Insert(Vec<u8>, u64),
    Remove(Vec<u8>),
    Replace(Vec<u8>, u64),
    /// Expects the current value, or another.
    CompareExchange(Vec<u8>, bool, u64),
    RemoveIfEqual(Vec<u8>, bool),
    /// Toggles: removes a key that exists, sets one that does not; or keeps it. Only for
    /// words.
    Update(Vec<u8>, Option<u64>),
    /// Removes the existing key of this rank.
    RemoveNth(prop::sample::Index),
    /// Puts many keys under one prefix, each with this ending.
    Fill(Run),
    /// Removes the keys of such a run, except one in every few.
    Thin(Run, usize),
    Get(Vec<u8>),
    Scan(Scan),
    Clear,
    BulkLoad(Run),
    Maintain(usize),
    /// Fill, limit.
    Compact(usize, usize),
    Cursor(Move),
}

#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) prefix: Vec<u8>,
    pub(crate) ending: &'static [u8],
    pub(crate) len: u16,
}

impl Run {
    pub(crate) fn keys(&self) -> impl Iterator<Item = Vec<u8>> {
        (0..self.len).map(|n| [&self.prefix, &n.to_be_bytes()[..], self.ending].concat())
    }
}

pub(crate) fn run() -> impl Strategy<Value = Run> {
    const ENDINGS: &[&[u8]] = &[b"", b"tail", b"six or", b"a suffix of some length"];
    (prefix(), prop::sample::select(ENDINGS), 0u16..120).prop_map(|(prefix, ending, len)| Run {
        prefix,
        ending,
        len,
    })
}

#[derive(Clone, Debug)]
pub(crate) enum Move {
    First,
    Last,
    /// To a key, with one of the four kinds of `Seek` that take one.
    Seek(u8, Vec<u8>),
    /// To its own key, which may be removed.
    SeekOwn(u8),
    Step(bool),
    StepMany(bool, usize),
    Value,
    LetGo,
}

pub(crate) fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        1 => Just(Move::First),
        1 => Just(Move::Last),
        3 => (0u8..4, key()).prop_map(|(how, key)| Move::Seek(how, key)),
        1 => (0u8..4).prop_map(Move::SeekOwn),
        12 => any::<bool>().prop_map(Move::Step),
        4 => (any::<bool>(), 1usize..40).prop_map(|(reverse, most)| Move::StepMany(reverse, most)),
        3 => Just(Move::Value),
        1 => Just(Move::LetGo),
    ]
}

#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) lower: (u8, Vec<u8>),
    pub(crate) upper: (u8, Vec<u8>),
    pub(crate) prefix: Vec<u8>,
    pub(crate) limit: usize,
    pub(crate) reverse: bool,
    pub(crate) values_only: bool,
}

pub(crate) fn scan() -> impl Strategy<Value = Scan> {
    let bound = || (0u8..3, key());
    let limit = prop_oneof![3 => Just(usize::MAX), 1 => 0usize..20];
    let prefix = prop_oneof![3 => Just(Vec::new()), 1 => key(), 1 => Just(b"1234567812".to_vec())];
    let flags = any::<(bool, bool)>();
    (bound(), bound(), prefix, limit, flags).prop_map(
        |(lower, upper, prefix, limit, (reverse, values_only))| Scan {
            lower,
            upper,
            prefix,
            limit,
            reverse,
            values_only,
        },
    )
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (key(), any::<u64>()).prop_map(|(key, value)| Step::Put(key, value)),
        6 => (key(), any::<u64>()).prop_map(|(key, value)| Step::Insert(key, value)),
        4 => key().prop_map(Step::Remove),
        2 => (key(), any::<u64>()).prop_map(|(key, value)| Step::Replace(key, value)),
        2 => (key(), any::<bool>(), any::<u64>())
            .prop_map(|(key, hit, value)| Step::CompareExchange(key, hit, value)),
        2 => (key(), any::<bool>()).prop_map(|(key, hit)| Step::RemoveIfEqual(key, hit)),
        4 => (key(), any::<Option<u64>>()).prop_map(|(key, value)| Step::Update(key, value)),
        8 => any::<prop::sample::Index>().prop_map(Step::RemoveNth),
        2 => run().prop_map(Step::Fill),
        2 => (run(), 2usize..20).prop_map(|(run, every)| Step::Thin(run, every)),
        4 => key().prop_map(Step::Get),
        4 => scan().prop_map(Step::Scan),
        1 => Just(Step::Clear),
        1 => run().prop_map(Step::BulkLoad),
        3 => prop_oneof![0usize..20, Just(usize::MAX)].prop_map(Step::Maintain),
        3 => (0usize..17, prop_oneof![0usize..20, Just(usize::MAX)]).prop_map(|(fill, limit)| Step::Compact(fill, limit)),
        24 => moves().prop_map(Step::Cursor),
    ]
}

pub(crate) fn bound((kind, bytes): &(u8, Vec<u8>)) -> Bound<'_> {
    match kind {
        0 => Bound::Open,
        1 => Bound::Included(bytes),
        _ => Bound::Excluded(bytes),
    }
}

pub(crate) fn expected(model: &Model, range: &Range<'_>) -> Vec<Vec<u8>> {
    let inside = |key: &[u8]| {
        let above = match range.lower {
            Bound::Open => true,
            Bound::Included(bytes) => key >= bytes,
            Bound::Excluded(bytes) => key > bytes,
        };
        let below = match range.upper {
            Bound::Open => true,
            Bound::Included(bytes) => key <= bytes,
            Bound::Excluded(bytes) => key < bytes,
        };
        above && below && key.starts_with(range.prefix)
    };
    let mut all: Vec<_> = model.keys().filter(|key| inside(key)).cloned().collect();
    if range.reverse {
        all.reverse();
    }
    all.truncate(range.limit);
    all
}
