//! A tree and its model, which take the same steps.

use std::ops::Bound as Edge;

use masstree::{Cursor, Decision, Guard, Inserted, LoadOutcome, Pinned, Range, Seek, Tree};

use crate::steps::{Model, Move, Run, Scan, Step, bound, expected};
use crate::support::{VALUE_LENGTHS, bulk_load_bytes, collect, decoded, encoded};

/// The model's cursor: its key, and the value that the cursor must return: the word under the
/// key, or `None` if the key was removed; unknown until the tree is asked.
pub(crate) struct At {
    pub(crate) key: Vec<u8>,
    pub(crate) word: Option<Option<u64>>,
}

/// A tree and its model.
pub(crate) struct Subject<'g> {
    pub(crate) tree: &'g Tree,
    /// The cursor uses one or the other, and is detached in between.
    pub(crate) guards: &'g [Guard<'g>; 2],
    pub(crate) cursor: Cursor<'g>,
    pub(crate) cursor_guard: usize,
    pub(crate) model: Model,
    pub(crate) at: Option<At>,
}

impl<'g> Subject<'g> {
    pub(crate) fn new(tree: &'g Tree, guards: &'g [Guard<'g>; 2]) -> Self {
        Self {
            tree,
            guards,
            cursor: Cursor::new(tree),
            cursor_guard: 0,
            model: Model::new(),
            at: None,
        }
    }

    pub(crate) fn pin(&self) -> Pinned<'g> {
        self.guards[0].pin()
    }

    /// Returns the model's word under a key, after comparing the tree's value with it.
    pub(crate) fn word(&self, key: &[u8]) -> u64 {
        let word = self.tree.get(self.pin(), key).expect("the key exists");
        if self.tree.holds_bytes() {
            let bytes = self.tree.get_bytes(self.pin(), key).unwrap();
            assert_eq!(decoded(bytes), self.model[key]);
        } else {
            assert_eq!(word, self.model[key]);
        }
        word
    }

    pub(crate) fn run(&mut self, step: &Step) {
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
            Step::Compact(fill, limit) => {
                let swept = self.tree.compact(self.pin(), *fill, *limit).unwrap();
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
pub(crate) fn other_than(present: Option<u64>, hit: bool) -> u64 {
    (present.unwrap_or(0)).wrapping_add(if hit { 0 } else { VALUE_LENGTHS })
}
