//! The threads of a history: they make calls of all kinds, and log each call's effects on its
//! keys.

use std::ops::ControlFlow;
use std::thread;

use masstree::{Bound, Cursor, Decision, Guard, Inserted, LoadOutcome, Pinned, Range, Seek, Tree};

use super::history::{Begun, Effect, Log};
use super::plan::Field;
use super::{Random, bulk_load_bytes, decoded, encoded, words};

/// A thread of a history.
pub(crate) struct Actor<'f, 'c> {
    field: &'f Field<'f>,
    guard: Guard<'f>,
    pub(crate) log: Log<'c>,
    id: usize,
    random: Random,
    made: u64,
    /// The value that this thread saw last under each hot key.
    last: Vec<Option<u64>>,
    /// Which of its own keys exist.
    present: Vec<bool>,
}

impl<'f, 'c> Actor<'f, 'c> {
    pub(crate) fn new(field: &'f Field<'f>, log: Log<'c>, id: usize) -> Self {
        let seed = field.plan.seed.wrapping_mul(8) + id as u64;
        Self {
            field,
            guard: field.tree.guard().expect("memory for a guard"),
            log,
            id,
            random: Random(Random(seed).next()),
            made: 0,
            last: vec![None; field.hot.len()],
            present: vec![false; field.own[id.min(field.plan.threads)].len()],
        }
    }

    /// A value that no other thread uses.
    fn fresh(&mut self) -> u64 {
        self.made += 1;
        (self.id as u64 + 1) << 32 | self.made
    }

    fn note(&mut self, begun: Begun, name: &'static str, effects: Vec<Effect>) {
        self.log.end(begun, name, effects);
        let effects = &self.log.last().effects;
        effects
            .iter()
            .for_each(|effect| self.last[effect.key] = effect.after);
    }

    /// Gets every hot key.
    pub(crate) fn look_at_all(&mut self) {
        (0..self.field.hot.len()).for_each(|key| self.get(key));
    }

    /// Makes one call, at random.
    pub(crate) fn act(&mut self) {
        let key = self.random.below(self.field.hot.len());
        if self.random.below(8) == 0 {
            self.guard.refresh();
        }
        match self.random.below(24) {
            0..=2 => self.change_own_keys(),
            3 | 4 => self.get(key),
            5 | 6 => self.remove(key),
            7 | 8 => self.insert(key),
            9 | 10 => self.put(key),
            11 => self.replace(key),
            12 => self.compare_exchange(key),
            13 => self.remove_if_equal(key),
            14 if self.field.plan.clears => self.clear_or_load(),
            _ if self.field.plan.bytes => self.get(key),
            14 => self.get_or_insert(key),
            15 | 16 => self.update(key),
            17 | 18 => self.step_to(key),
            19 => self.scan_one(key),
            _ if self.field.plan.whole => self.go_on_from(key),
            _ => self.batch(key),
        }
    }

    fn get(&mut self, key: usize) {
        let Field {
            tree, hot, plan, ..
        } = self.field;
        let begun = self.log.begin();
        let value = match plan.bytes {
            true => tree.get_bytes(self.guard.pin(), &hot[key]).map(decoded),
            false => tree.get(self.guard.pin(), &hot[key]),
        };
        self.note(begun, "get", vec![Effect::saw(key, value)]);
    }

    /// One call that changes a key: logs the value that it found, and the value `after` it.
    fn change(
        &mut self,
        name: &'static str,
        key: usize,
        call: impl FnOnce(&Tree, Pinned<'_>, &[u8]) -> Option<u64>,
        after: impl FnOnce(Option<u64>) -> Option<u64>,
    ) {
        let begun = self.log.begin();
        let before = call(self.field.tree, self.guard.pin(), &self.field.hot[key]);
        let effect = Effect::wrote(key, before, after(before));
        self.note(begun, name, vec![effect]);
    }

    fn put(&mut self, key: usize) {
        let (new, bytes) = (self.fresh(), self.field.plan.bytes);
        let call = |tree: &Tree, pin: Pinned<'_>, place: &[u8]| match bytes {
            true => (tree.put_bytes(pin, place, &encoded(new)).unwrap()).map(decoded),
            false => tree.put(pin, place, new).unwrap(),
        };
        self.change("put", key, call, |_| Some(new));
    }

    fn insert(&mut self, key: usize) {
        let (new, bytes) = (self.fresh(), self.field.plan.bytes);
        let call = |tree: &Tree, pin: Pinned<'_>, place: &[u8]| match bytes {
            true => (tree.insert_bytes(pin, place, &encoded(new)).unwrap()).map(decoded),
            false => match tree.insert(pin, place, new).unwrap() {
                Inserted::New => None,
                Inserted::Present(present) => Some(present),
            },
        };
        self.change("insert", key, call, |present| present.or(Some(new)));
    }

    fn get_or_insert(&mut self, key: usize) {
        let new = self.fresh();
        let call =
            |tree: &Tree, _: Pinned<'_>, place: &[u8]| words::get_or_insert_with(tree, place, new);
        self.change("get_or_insert_with", key, call, |old| old.or(Some(new)));
    }

    fn remove(&mut self, key: usize) {
        let bytes = self.field.plan.bytes;
        let call = |tree: &Tree, pin: Pinned<'_>, place: &[u8]| match bytes {
            true => tree.remove_bytes(pin, place).map(decoded),
            false => tree.remove(pin, place),
        };
        self.change("remove", key, call, |_| None);
    }

    fn replace(&mut self, key: usize) {
        let (new, bytes) = (self.fresh(), self.field.plan.bytes);
        let call = |tree: &Tree, pin: Pinned<'_>, place: &[u8]| match bytes {
            true => (tree.replace_bytes(pin, place, &encoded(new)).unwrap()).map(decoded),
            false => tree.replace(pin, place, new),
        };
        self.change("replace", key, call, |old| old.and(Some(new)));
    }

    fn compare_exchange(&mut self, key: usize) {
        let (new, bytes) = (self.fresh(), self.field.plan.bytes);
        let expected = self.last[key].unwrap_or(1);
        let call = |tree: &Tree, pin: Pinned<'_>, place: &[u8]| match bytes {
            true => {
                let (expected, new) = (encoded(expected), encoded(new));
                let seen = tree.compare_exchange_bytes(pin, place, &expected, &new);
                seen.unwrap().map(|(_, present)| decoded(present))
            }
            false => tree.compare_exchange(pin, place, expected, new),
        };
        self.change("compare_exchange", key, call, |actual| match actual {
            Some(actual) if actual == expected => Some(new),
            other => other,
        });
    }

    fn remove_if_equal(&mut self, key: usize) {
        let bytes = self.field.plan.bytes;
        let expected = self.last[key].unwrap_or(1);
        let call = |tree: &Tree, pin: Pinned<'_>, place: &[u8]| match bytes {
            true => {
                let seen = tree.remove_bytes_if_equal(pin, place, &encoded(expected));
                seen.map(|(_, present)| decoded(present))
            }
            false => tree.remove_if_equal(pin, place, expected),
        };
        let after = |actual: Option<u64>| actual.filter(|actual| *actual != expected);
        self.change("remove_if_equal", key, call, after);
    }

    /// Its decision depends on the value found; now and then it keeps the leaf locked for
    /// longer.
    fn update(&mut self, key: usize) {
        let new = self.fresh();
        let dice = self.random.below(8);
        let mut effect = None;
        let begun = self.log.begin();
        let present = self
            .field
            .tree
            .update(self.guard.pin(), &self.field.hot[key], |present| {
                if dice == 0 {
                    thread::yield_now();
                }
                let (decision, after) = match (dice % 4, present) {
                    (0, _) => (Decision::Keep, present),
                    (1, Some(_)) => (Decision::Remove, None),
                    _ => (Decision::Set(new), Some(new)),
                };
                effect = Some(Effect::wrote(key, present, after));
                decision
            });
        let effect = effect.expect("the callback was called");
        self.note(begun, "update", vec![effect]);
        assert_eq!(present.map(Some), Ok(effect.before));
    }

    /// A cursor's step from next to a key reads that key, unless another key is between them.
    fn step_to(&mut self, key: usize) {
        let (tree, place) = (self.field.tree, self.field.hot[key].as_slice());
        let guard = tree.guard().expect("memory for a guard");
        let pin = guard.pin();
        let mut cursor = Cursor::new(tree);
        let reverse = self.random.below(2) == 0;
        let beside = if reverse {
            Seek::Above(place)
        } else {
            Seek::Below(place)
        };
        let found = cursor.seek(tree, pin, beside).expect("memory for a cursor");
        let begun = self.log.begin();
        let moved = match found {
            true => cursor
                .step(tree, pin, reverse)
                .expect("memory for a cursor"),
            false => cursor
                .seek(
                    tree,
                    pin,
                    if reverse {
                        Seek::AtMost(place)
                    } else {
                        Seek::AtLeast(place)
                    },
                )
                .expect("memory for a cursor"),
        };
        let met = cursor.key().filter(|_| moved);
        let passed = met.is_none_or(|met| if reverse { met < place } else { met > place });
        let found = met == Some(place);
        if found || passed {
            let value = if found { cursor.value(tree, pin) } else { None };
            assert_eq!(value.is_some(), found);
            self.note(begun, "cursor", vec![Effect::saw(key, value)]);
        }
    }

    /// A cursor's step determines the next key at one moment: the keys between are absent.
    fn go_on_from(&mut self, key: usize) {
        let Field { tree, hot, .. } = self.field;
        let guard = tree.guard().expect("memory for a guard");
        let pin = guard.pin();
        let mut cursor = Cursor::new(tree);
        let reverse = self.random.below(2) == 0;
        let place = hot[key].as_slice();
        let start = if reverse {
            Seek::AtMost(place)
        } else {
            Seek::AtLeast(place)
        };
        // The key from which it continues; a seek reads this key itself, too.
        let mut from: Option<Vec<u8>> = None;
        for _ in 0..4 {
            let begun = self.log.begin();
            let moved = match from {
                None => cursor.seek(tree, pin, start),
                Some(_) => cursor.step(tree, pin, reverse),
            };
            let moved = moved.expect("memory for a cursor");
            let value = if moved { cursor.value(tree, pin) } else { None };
            let to = cursor.key().filter(|_| moved);
            let is_behind = |hot: &[u8]| match &from {
                None => {
                    if reverse {
                        hot <= place
                    } else {
                        hot >= place
                    }
                }
                Some(from) => {
                    if reverse {
                        hot < from
                    } else {
                        hot > from
                    }
                }
            };
            let is_before =
                |hot: &[u8]| to.is_none_or(|to| if reverse { hot >= to } else { hot <= to });
            let passed = (0..)
                .zip(hot)
                .filter(|(_, hot)| is_behind(hot) && is_before(hot));
            let effects =
                passed.map(|(n, hot)| Effect::saw(n, value.filter(|_| to == Some(hot.as_slice()))));
            let effects: Vec<_> = effects.collect();
            from = to.map(<[u8]>::to_vec);
            self.note(begun, "cursor", effects);
            if from.is_none() {
                return;
            }
        }
    }

    /// A scan of one key.
    fn scan_one(&mut self, key: usize) {
        let (tree, place) = (self.field.tree, self.field.hot[key].as_slice());
        let range = Range {
            lower: Bound::Included(place),
            upper: Bound::Included(place),
            reverse: self.random.below(2) == 0,
            ..Range::all()
        };
        let mut value = None;
        let begun = self.log.begin();
        let visited = tree.scan(self.guard.pin(), &range, &mut |met, found| {
            assert_eq!(met, place);
            value = Some(found);
            ControlFlow::Continue(())
        });
        assert_eq!(visited, Ok(value.iter().len()));
        self.note(begun, "scan", vec![Effect::saw(key, value)]);
    }

    /// A batch of keys, from `key` on.
    fn batch(&mut self, key: usize) {
        let Field { tree, hot, .. } = self.field;
        let places: Vec<_> = (0..hot.len()).map(|n| (key + n) % hot.len()).collect();
        let places = &places[..1 + self.random.below(hot.len())];
        let keys: Vec<_> = places.iter().map(|place| hot[*place].as_slice()).collect();
        let fresh: Vec<_> = places.iter().map(|_| self.fresh()).collect();
        let all = || places.iter().copied().zip(&fresh);
        let dice = self.random.below(4);
        let begun = self.log.begin();
        let (name, effects) = match dice {
            0 => {
                words::put_many(tree, &keys, &fresh);
                let effects = all().map(|(key, new)| Effect::overwrote(key, Some(*new)));
                ("put_many", effects.collect())
            }
            1 => {
                let present = words::insert_many(tree, &keys, &fresh);
                let effects = all().zip(present).map(|((key, new), present)| {
                    Effect::wrote(key, present, present.or(Some(*new)))
                });
                ("insert_many", effects.collect())
            }
            2 => {
                let old = words::remove_many(tree, &keys);
                let effects = all()
                    .zip(old)
                    .map(|((key, _), old)| Effect::wrote(key, old, None));
                ("remove_many", effects.collect())
            }
            _ => {
                let found = words::get_many(tree, &keys);
                let effects = all()
                    .zip(found)
                    .map(|((key, _), found)| Effect::saw(key, found));
                ("get_many", effects.collect())
            }
        };
        self.note(begun, name, effects);
    }

    /// Changes all keys at once.
    fn clear_or_load(&mut self) {
        let Field {
            tree, hot, plan, ..
        } = self.field;
        if self.random.below(2) == 0 {
            let begun = self.log.begin();
            tree.clear(self.guard.pin()).expect("memory for a clear");
            let effects = (0..hot.len()).map(|key| Effect::overwrote(key, None));
            return self.note(begun, "clear", effects.collect());
        }
        let fresh: Vec<_> = hot.iter().map(|_| self.fresh()).collect();
        let pairs: Vec<_> = hot.iter().cloned().zip(fresh.iter().copied()).collect();
        let begun = self.log.begin();
        let loaded = match plan.bytes {
            true => bulk_load_bytes(tree, &pairs),
            false => tree.bulk_load(
                self.guard.pin(),
                pairs.len(),
                |place, hand_on| hand_on(&pairs[place].0),
                |place| Ok(pairs[place].1),
            ),
        };
        // A load that found the tree not empty says nothing about these keys.
        if loaded == Ok(LoadOutcome::Done) {
            let effects = (0..).zip(fresh);
            let effects = effects.map(|(key, new)| Effect::wrote(key, None, Some(new)));
            self.note(begun, "bulk_load", effects.collect());
        }
    }

    /// Inserts or removes a stretch of its own keys.
    fn change_own_keys(&mut self) {
        let own = &self.field.own[self.id];
        if own.is_empty() {
            return;
        }
        let (tree, bytes) = (self.field.tree, self.field.plan.bytes);
        let from = self.random.below(own.len());
        let len = 1 + self.random.below(40);
        let appear = self.random.below(2) == 0;
        for (key, present) in own.iter().zip(&mut self.present).skip(from).take(len) {
            let pin = self.guard.pin();
            let was = match (appear, bytes) {
                (true, true) => tree.put_bytes(pin, key, b"own").unwrap().is_some(),
                (true, false) => tree.put(pin, key, 0).unwrap().is_some(),
                (false, true) => tree.remove_bytes(pin, key).is_some(),
                (false, false) => tree.remove(pin, key).is_some(),
            };
            let cleared = self.field.plan.clears;
            assert!(
                was == *present || cleared,
                "a key of a thread's own: {key:x?}"
            );
            *present = appear;
        }
    }
}
