//! Every operation against `BTreeMap`, on keys built to collide, in trees of words and
//! in trees of byte strings.

mod support;

use std::collections::BTreeMap;
use std::ops::{Bound as Edge, ControlFlow};

use masstree::{
    Bound, Cursor, Decision, Guard, Inserted, LoadOutcome, Pinned, Range, Seek, Tree, TreeOptions,
    Values,
};
use proptest::prelude::*;
use support::{
    Random, VALUE_LENGTHS, assert_sound, backwards, bulk_load_bytes, collect, decoded, encoded,
    new_tree,
};

type Model = BTreeMap<Vec<u8>, u64>;

/// Keys that share slices, differ in length only, or hold zero and 0xFF bytes.
fn key() -> impl Strategy<Value = Vec<u8>> {
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
fn group_key() -> impl Strategy<Value = Vec<u8>> {
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

fn prefix() -> impl Strategy<Value = Vec<u8>> {
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
enum Step {
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
    Cursor(Move),
}

#[derive(Clone, Debug)]
struct Run {
    prefix: Vec<u8>,
    ending: &'static [u8],
    len: u16,
}

impl Run {
    fn keys(&self) -> impl Iterator<Item = Vec<u8>> {
        (0..self.len).map(|n| [&self.prefix, &n.to_be_bytes()[..], self.ending].concat())
    }
}

fn run() -> impl Strategy<Value = Run> {
    const ENDINGS: &[&[u8]] = &[b"", b"tail", b"six or", b"a suffix of some length"];
    (prefix(), prop::sample::select(ENDINGS), 0u16..120).prop_map(|(prefix, ending, len)| Run {
        prefix,
        ending,
        len,
    })
}

#[derive(Clone, Debug)]
enum Move {
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

fn moves() -> impl Strategy<Value = Move> {
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
struct Scan {
    lower: (u8, Vec<u8>),
    upper: (u8, Vec<u8>),
    prefix: Vec<u8>,
    limit: usize,
    reverse: bool,
    values_only: bool,
}

fn scan() -> impl Strategy<Value = Scan> {
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

fn step() -> impl Strategy<Value = Step> {
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
        24 => moves().prop_map(Step::Cursor),
    ]
}

fn bound((kind, bytes): &(u8, Vec<u8>)) -> Bound<'_> {
    match kind {
        0 => Bound::Open,
        1 => Bound::Included(bytes),
        _ => Bound::Excluded(bytes),
    }
}

fn expected(model: &Model, range: &Range<'_>) -> Vec<Vec<u8>> {
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

/// The model's cursor: its key, and the value that the cursor must return: the word under the
/// key, or `None` if the key was removed; unknown until the tree is asked.
struct At {
    key: Vec<u8>,
    word: Option<Option<u64>>,
}

/// A tree and its model.
struct Subject<'g> {
    tree: &'g Tree,
    /// The cursor uses one or the other, and is detached in between.
    guards: &'g [Guard<'g>; 2],
    cursor: Cursor<'g>,
    cursor_guard: usize,
    model: Model,
    at: Option<At>,
}

impl<'g> Subject<'g> {
    fn new(tree: &'g Tree, guards: &'g [Guard<'g>; 2]) -> Self {
        Self {
            tree,
            guards,
            cursor: Cursor::new(tree),
            cursor_guard: 0,
            model: Model::new(),
            at: None,
        }
    }

    fn pin(&self) -> Pinned<'g> {
        self.guards[0].pin()
    }

    /// Returns the model's word under a key, after comparing the tree's value with it.
    fn word(&self, key: &[u8]) -> u64 {
        let word = self.tree.get(self.pin(), key).expect("the key exists");
        if self.tree.holds_bytes() {
            let bytes = self.tree.get_bytes(self.pin(), key).unwrap();
            assert_eq!(decoded(bytes), self.model[key]);
        } else {
            assert_eq!(word, self.model[key]);
        }
        word
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Fill(run) => {
                for (n, key) in run.keys().enumerate() {
                    self.change(&Step::Put(key, n as u64));
                }
            }
            Step::Thin(run, every) => {
                for (n, key) in run.keys().enumerate() {
                    if n % every != 0 {
                        self.change(&Step::Remove(key));
                    }
                }
            }
            Step::RemoveNth(index) => {
                if !self.model.is_empty() {
                    let nth = index.index(self.model.len());
                    let key = self.model.keys().nth(nth).unwrap().clone();
                    self.change(&Step::Remove(key));
                }
            }
            Step::Get(key) => match self.model.contains_key(key) {
                true => _ = self.word(key),
                false => assert_eq!(self.tree.get(self.pin(), key), None),
            },
            Step::Scan(scan) => self.scan(scan),
            Step::Clear => {
                assert_eq!(self.tree.clear(self.pin()), Ok(()));
                self.model.clear();
            }
            Step::BulkLoad(run) => self.bulk_load(run),
            Step::Maintain(limit) => {
                let swept = self.tree.maintain(self.pin(), *limit).unwrap();
                assert!(*limit > 0 || swept.merged == 0);
                assert!(swept.ended || *limit < usize::MAX);
            }
            Step::Cursor(to) => self.go(to),
            change if self.tree.holds_bytes() => self.change_bytes(change),
            change => self.change_words(change),
        }
    }

    fn change(&mut self, change: &Step) {
        match self.tree.holds_bytes() {
            true => self.change_bytes(change),
            false => self.change_words(change),
        }
    }

    /// Applies a change to a tree of words. Long, since it is one match over all changes.
    fn change_words(&mut self, change: &Step) {
        let (tree, pin, model) = (self.tree, self.pin(), &mut self.model);
        match change {
            Step::Put(key, value) => {
                let old = model.insert(key.clone(), *value);
                assert_eq!(tree.put(pin, key, *value), Ok(old));
            }
            Step::Insert(key, value) => {
                let done = tree.insert(pin, key, *value).unwrap();
                match model.get(key) {
                    Some(present) => assert_eq!(done, Inserted::Present(*present)),
                    None => {
                        assert_eq!(done, Inserted::New);
                        model.insert(key.clone(), *value);
                    }
                }
            }
            Step::Remove(key) => assert_eq!(tree.remove(pin, key), model.remove(key)),
            Step::Replace(key, value) => {
                let present = model.get_mut(key);
                let old = present.map(|present| std::mem::replace(present, *value));
                assert_eq!(tree.replace(pin, key, *value), old);
            }
            Step::CompareExchange(key, hit, value) => {
                let present = model.get(key).copied();
                let expected = other_than(present, *hit);
                let seen = tree.compare_exchange(pin, key, expected, *value);
                assert_eq!(seen, present);
                if present == Some(expected) {
                    model.insert(key.clone(), *value);
                }
            }
            Step::RemoveIfEqual(key, hit) => {
                let present = model.get(key).copied();
                let expected = other_than(present, *hit);
                assert_eq!(tree.remove_if_equal(pin, key, expected), present);
                if present == Some(expected) {
                    model.remove(key);
                }
            }
            Step::Update(key, value) => {
                let present = model.get(key).copied();
                let mut calls = 0;
                let seen = tree.update(pin, key, |now| {
                    assert_eq!(now, present);
                    calls += 1;
                    match (value, now) {
                        (None, _) => Decision::Keep,
                        (Some(_), Some(_)) => Decision::Remove,
                        (Some(value), None) => Decision::Set(*value),
                    }
                });
                assert_eq!((seen, calls), (Ok(present), 1));
                match (value, present) {
                    (None, _) => {}
                    (Some(_), Some(_)) => _ = model.remove(key),
                    (Some(value), None) => _ = model.insert(key.clone(), *value),
                }
            }
            other => unreachable!("{other:?} is no change of one key"),
        }
    }

    fn change_bytes(&mut self, change: &Step) {
        let (tree, pin, model) = (self.tree, self.pin(), &mut self.model);
        match change {
            Step::Put(key, value) => {
                let old = tree.put_bytes(pin, key, &encoded(*value)).unwrap();
                assert_eq!(old.map(decoded), model.insert(key.clone(), *value));
            }
            Step::Insert(key, value) => {
                let present = tree.insert_bytes(pin, key, &encoded(*value)).unwrap();
                assert_eq!(present.map(decoded), model.get(key).copied());
                model.entry(key.clone()).or_insert(*value);
            }
            Step::Remove(key) => {
                let old = tree.remove_bytes(pin, key);
                assert_eq!(old.map(decoded), model.remove(key));
            }
            Step::Replace(key, value) => {
                let present = model.get_mut(key);
                let old = present.map(|present| std::mem::replace(present, *value));
                let seen = tree.replace_bytes(pin, key, &encoded(*value)).unwrap();
                assert_eq!(seen.map(decoded), old);
            }
            Step::CompareExchange(key, hit, value) => {
                let present = model.get(key).copied();
                let expected = encoded(other_than(present, *hit));
                let desired = encoded(*value);
                let seen = tree.compare_exchange_bytes(pin, key, &expected, &desired);
                let seen = seen.unwrap().map(|(done, old)| (done, decoded(old)));
                assert_eq!(seen, present.map(|present| (*hit, present)));
                if *hit && present.is_some() {
                    model.insert(key.clone(), *value);
                }
            }
            Step::RemoveIfEqual(key, hit) => {
                let present = model.get(key).copied();
                let expected = encoded(other_than(present, *hit));
                let seen = tree.remove_bytes_if_equal(pin, key, &expected);
                let seen = seen.map(|(done, old)| (done, decoded(old)));
                assert_eq!(seen, present.map(|present| (*hit, present)));
                if *hit {
                    model.remove(key);
                }
            }
            // Only for words.
            Step::Update(..) => {}
            other => unreachable!("{other:?} is no change of one key"),
        }
    }

    fn scan(&self, scan: &Scan) {
        let range = Range {
            lower: bound(&scan.lower),
            upper: bound(&scan.upper),
            prefix: &scan.prefix,
            limit: scan.limit,
            reverse: scan.reverse,
            values_only: scan.values_only,
        };
        let keys = expected(&self.model, &range);
        let pairs = keys.into_iter().map(|key| {
            let word = self.word(&key);
            (if range.values_only { vec![] } else { key }, word)
        });
        let pairs: Vec<_> = pairs.collect();
        assert_eq!(collect(self.tree, self.pin(), &range), pairs, "{range:?}");
    }

    fn bulk_load(&mut self, run: &Run) {
        let pairs: Vec<_> = (run.keys().zip(7_u64..)).collect();
        let loaded = if self.tree.holds_bytes() {
            bulk_load_bytes(self.tree, &pairs).unwrap()
        } else {
            let mut asked = 0;
            let loaded = self.tree.bulk_load(
                self.pin(),
                pairs.len(),
                |place, put| put(&pairs[place].0),
                |place| {
                    assert_eq!(place, asked);
                    asked += 1;
                    Ok(pairs[place].1)
                },
            );
            loaded.unwrap()
        };
        if self.model.is_empty() {
            assert_eq!(loaded, LoadOutcome::Done);
            self.model.extend(pairs);
        } else {
            assert_eq!(loaded, LoadOutcome::NotEmpty);
        }
    }

    /// The keys after, or before, the cursor's key.
    fn ahead(&self, reverse: bool) -> Vec<Vec<u8>> {
        let edge = self
            .at
            .as_ref()
            .map_or(Edge::Unbounded, |at| Edge::Excluded(at.key.as_slice()));
        if reverse {
            let before = self.model.range::<[u8], _>((Edge::Unbounded, edge));
            before.rev().map(|(key, _)| key.clone()).collect()
        } else {
            let after = self.model.range::<[u8], _>((edge, Edge::Unbounded));
            after.map(|(key, _)| key.clone()).collect()
        }
    }

    fn found(&self, seek: Seek<'_>) -> Option<Vec<u8>> {
        let range = |from, to| self.model.range::<[u8], _>((from, to));
        let found = match seek {
            Seek::First => self.model.first_key_value(),
            Seek::Last => self.model.last_key_value(),
            Seek::AtLeast(key) => range(Edge::Included(key), Edge::Unbounded).next(),
            Seek::Above(key) => range(Edge::Excluded(key), Edge::Unbounded).next(),
            Seek::AtMost(key) => range(Edge::Unbounded, Edge::Included(key)).next_back(),
            Seek::Below(key) => range(Edge::Unbounded, Edge::Excluded(key)).next_back(),
        };
        found.map(|(key, _)| key.clone())
    }

    fn arrive(&mut self, key: Option<Vec<u8>>) {
        if let Some(key) = key {
            let word = Some(Some(self.word(&key)));
            self.at = Some(At { key, word });
        }
        let at = self.at.as_ref().map(|at| at.key.as_slice());
        assert_eq!(self.cursor.key(), at);
    }

    fn go(&mut self, to: &Move) {
        let pin = self.guards[self.cursor_guard].pin();
        let own = self.at.as_ref().map_or(vec![], |at| at.key.clone());
        let way = |how: u8, key| match how {
            0 => Seek::AtLeast(key),
            1 => Seek::Above(key),
            2 => Seek::AtMost(key),
            _ => Seek::Below(key),
        };
        let seek = match to {
            Move::First => Seek::First,
            Move::Last => Seek::Last,
            Move::Seek(how, key) => way(*how, key),
            Move::SeekOwn(how) => way(*how, &own),
            Move::Step(reverse) => {
                let next = self.ahead(*reverse).into_iter().next();
                let moved = self.cursor.step(self.tree, pin, *reverse);
                assert_eq!(moved, Ok(next.is_some()), "to {next:?}");
                return self.arrive(next);
            }
            Move::StepMany(reverse, most) => return self.step_many(pin, *reverse, *most),
            Move::Value => return self.compare_value(pin),
            Move::LetGo => {
                self.cursor.detach();
                self.cursor_guard = 1 - self.cursor_guard;
                if let Some(at) = &mut self.at {
                    at.word = None;
                }
                return self.arrive(None);
            }
        };
        let found = self.found(seek);
        let outcome = self.cursor.seek(self.tree, pin, seek);
        assert_eq!(outcome, Ok(found.is_some()), "{seek:?}: {found:?}");
        self.arrive(found);
    }

    fn step_many(&mut self, pin: Pinned<'g>, reverse: bool, most: usize) {
        let mut keys = self.ahead(reverse);
        keys.truncate(most);
        let mut found = Vec::new();
        let moved = self
            .cursor
            .step_many(self.tree, pin, reverse, most, |end, word| {
                found.push((end, word));
            });
        assert_eq!(moved, Ok(!keys.is_empty()));
        let mut start = self.cursor.first_start();
        let pairs = found.into_iter().map(|(end, word)| {
            let key = self.cursor.keys()[start..end].to_vec();
            start = end;
            (key, word)
        });
        let pairs: Vec<_> = pairs.collect();
        let wanted = keys.iter().map(|key| (key.clone(), self.word(key)));
        assert!(pairs.iter().cloned().eq(wanted), "{pairs:?}");
        self.arrive(keys.pop());
    }

    fn compare_value(&mut self, pin: Pinned<'g>) {
        let word = |key: &[u8]| self.model.contains_key(key).then(|| self.word(key));
        let now = self.at.as_ref().and_then(|at| word(&at.key));
        let wanted = match &mut self.at {
            Some(at) => *at.word.get_or_insert(now),
            None => None,
        };
        assert_eq!(self.cursor.value(self.tree, pin), wanted);
    }
}

/// The value that a change expects: the current one, or a different one of the same length.
fn other_than(present: Option<u64>, hit: bool) -> u64 {
    (present.unwrap_or(0)).wrapping_add(if hit { 0 } else { VALUE_LENGTHS })
}

fn cases() -> u32 {
    std::env::var("MASSTREE_CASES").map_or(400, |cases| cases.parse().expect("a number of cases"))
}

fn tree_of(values: Values) -> Tree {
    let options = TreeOptions {
        values,
        ..TreeOptions::default()
    };
    Tree::with_options(&options).unwrap()
}

fn agree(tree: &Tree, steps: &[Step]) {
    let guards = [(); 2].map(|()| tree.guard().unwrap());
    let mut subject = Subject::new(tree, &guards);
    for step in steps {
        subject.run(step);
    }
    let pin = subject.pin();
    let forward = collect(tree, pin, &Range::all());
    let wanted = subject
        .model
        .keys()
        .map(|key| (key.clone(), subject.word(key)));
    assert!(forward.iter().cloned().eq(wanted));
    let backward = collect(tree, pin, &backwards());
    assert!(backward.iter().rev().eq(forward.iter()));
    // Empties the tree in another order: whatever shape is left must collapse.
    let mut keys: Vec<_> = subject.model.clone().into_iter().collect();
    keys.sort_by_key(|(_, value)| *value);
    let len = keys.len() as u64;
    drop(subject);
    drop(guards);
    assert_sound(tree);
    assert_eq!(tree.key_count(), len);
    let guard = tree.guard().unwrap();
    for (key, value) in keys {
        let removed = match tree.holds_bytes() {
            true => tree.remove_bytes(guard.pin(), &key).map(decoded),
            false => tree.remove(guard.pin(), &key),
        };
        assert_eq!(removed, Some(value));
        assert_eq!(tree.get(guard.pin(), &key), None);
    }
    assert_sound(tree);
    assert!(collect(tree, guard.pin(), &Range::all()).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// Put back: in `Cursor::new`, create a scan's walk; in `Tree::scan`, ignore the end when
    /// only values are wanted; in `Locked::copy_entries_to`, omit an entry.
    #[test]
    fn operations_on_words_agree_with_a_btreemap(steps in prop::collection::vec(step(), 1..400)) {
        agree(&tree_of(Values::words(None)), &steps);
    }

    /// Put back: in `Tree::compare_exchange_bytes`, compare lengths only; in
    /// `Cursor::step_from_root`, do not restore the cursor's old key when no key was found.
    #[test]
    fn operations_on_byte_strings_agree_with_a_btreemap(steps in prop::collection::vec(step(), 1..400)) {
        agree(&tree_of(Values::BYTES), &steps);
    }
}

/// Put back: in `Tree::scan`, continue when the visitor returns `Break`.
#[test]
fn a_scan_ends_where_its_visitor_says() {
    let tree = new_tree();
    for n in 0..1000u64 {
        support::put(&tree, &n.to_be_bytes(), n);
    }
    for stop in [1, 14, 15, 16, 500, 1000] {
        let mut seen = 0;
        let guard = tree.guard().unwrap();
        let count = tree.scan(guard.pin(), &Range::all(), &mut |_, _| {
            seen += 1;
            if seen == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!(count, Ok(stop));
    }
}

/// Everything that a leaf may hold under one slice, and more: short keys, and longer ones in
/// every order, until they become a layer; then removed in every order. Put back: in
/// `Leaf::racing_search`, return absent when one suffix differs; in `place_among`, return the
/// position of the first.
#[test]
fn groups_grow_into_layers_and_shrink_in_every_order() {
    let mut random = Random(8);
    for round in 0..400 {
        let short: Vec<_> = (0..=8).map(|len| vec![0; len]).collect();
        let tails = [&b""[..], b" of a longer suffix", b"12345678"];
        let tail = tails[round % 3];
        let long = |n: usize| [&[0; 8][..], &[n as u8], tail].concat();
        let mut keys: Vec<_> = (0..1 + round % 8).map(long).collect();
        // Alone, or in a full leaf.
        if round % 2 == 0 {
            keys.extend(short);
        }
        let tree = new_tree();
        let mut model = Model::new();
        for grow in [true, false] {
            random.shuffle(&mut keys);
            for (key, value) in keys.iter().zip(0..) {
                if grow {
                    assert_eq!(support::put(&tree, key, value), None);
                    model.insert(key.clone(), value);
                } else {
                    assert_eq!(support::remove(&tree, key), model.remove(key));
                }
                for key in &keys {
                    assert_eq!(support::get(&tree, key), model.get(key).copied());
                }
                let guard = tree.guard().unwrap();
                assert!(
                    collect(&tree, guard.pin(), &Range::all())
                        .into_iter()
                        .eq(model.clone())
                );
                assert_sound(&tree);
            }
        }
    }
}

/// A scan is inside a group when its visitor turns the group into a layer: keys that existed
/// throughout are visited once, in order.
#[test]
fn a_scan_continues_when_a_group_becomes_a_layer() {
    let key = |n: u8| [&b"a slice and "[..], &[n], b"a tail"].concat();
    for at in 0..5 {
        for reverse in [false, true] {
            let tree = new_tree();
            // One key that sorts before the keys to be inserted, and one after.
            let group: Vec<_> = (0..5).map(|n| key(n * 50)).collect();
            group.iter().for_each(|key| _ = support::put(&tree, key, 0));
            let guard = tree.guard().unwrap();
            let range = Range {
                reverse,
                ..Range::all()
            };
            let mut cursor = Cursor::new(&tree);
            let mut seen = Vec::new();
            tree.scan(guard.pin(), &range, &mut |found, _| {
                let stepped = cursor.step(&tree, guard.pin(), reverse);
                assert_eq!(stepped, Ok(true));
                while cursor.key() != Some(found) {
                    assert_eq!(cursor.step(&tree, guard.pin(), reverse), Ok(true));
                }
                if found == group[at] {
                    (0..250).for_each(|n| _ = support::put(&tree, &key(n), 0));
                }
                seen.push(found.to_vec());
                ControlFlow::Continue(())
            })
            .unwrap();
            assert!(seen.is_sorted_by(|a, b| (a < b) != reverse && a != b));
            assert!(group.iter().all(|key| seen.contains(key)));
            assert_sound(&tree);
        }
    }
}
