//! The command log: what the commits in a store's log have changed.
//!
//! If the log is damaged, what precedes the damage is shown; then the damage is named.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr::{NonNull, null, null_mut};

use masstree::ffi::status::*;
use masstree::ffi::store::changes::*;
use masstree::ffi::store::open::MASSTREE_STORE_SALVAGE;
use serde_json::{Map, Value, json};

use crate::args::LogArgs;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::store::{Opening, Store, describe, no_failure};
use crate::text::Notation;

/// Reads the changes of a store.
struct Changes<'s> {
    handle: NonNull<ChangesHandle>,
    store: &'s Store,
}

impl<'s> Changes<'s> {
    fn open(store: &'s Store, since: u64) -> Outcome<Self> {
        let mut handle = null_mut();
        // SAFETY: an open store, which outlives the cursor.
        let status =
            unsafe { masstree_store_changes(store.handle(), since, null(), &raw mut handle) };
        match NonNull::new(handle) {
            Some(handle) => Ok(Self { handle, store }),
            None if status == MASSTREE_NOT_FOUND => {
                let message = format!("there is no commit {since}");
                Err(Failure::new(Kind::Absent, message))
            }
            None => {
                let message = format!("{}: since {since}", store.directory().display());
                Err(Failure::of_status(status, message))
            }
        }
    }

    /// The next change. Its bytes are valid until the next call.
    fn next(&mut self) -> Outcome<Option<ChangeC>> {
        let (mut change, mut failure) = (MaybeUninit::uninit(), no_failure());
        let (handle, to) = (self.handle.as_ptr(), change.as_mut_ptr());
        // SAFETY: a cursor of an open store.
        match unsafe { masstree_changes_next(handle, to, &raw mut failure) } {
            // SAFETY: it was written.
            MASSTREE_OK => Ok(Some(unsafe { change.assume_init() })),
            MASSTREE_NOT_FOUND => Ok(None),
            status => Err(describe(status, self.store.directory(), &failure)),
        }
    }
}

impl Drop for Changes<'_> {
    fn drop(&mut self) {
        // SAFETY: a cursor of an open store.
        unsafe { masstree_changes_destroy(self.handle.as_ptr()) };
    }
}

/// The bytes that the library has returned.
///
/// # Safety
/// `length` bytes are readable, as long as the result is used.
unsafe fn bytes<'b>(from: *const std::ffi::c_void, length: usize) -> &'b [u8] {
    match from.is_null() {
        true => &[],
        // SAFETY: by contract.
        false => unsafe { std::slice::from_raw_parts(from.cast(), length) },
    }
}

/// A change, as it is printed.
struct Line<'c> {
    commit: u64,
    is_last: bool,
    kind: &'static str,
    tree: String,
    tree_number: u32,
    key: Option<&'c [u8]>,
    value: Option<&'c [u8]>,
}

impl Line<'_> {
    /// # Safety
    /// The pointers of the change are valid as long as the result is used.
    unsafe fn of(change: &ChangeC) -> Self {
        let kind = match change.kind {
            MASSTREE_CHANGE_PUT => "put",
            MASSTREE_CHANGE_REMOVE => "remove",
            MASSTREE_CHANGE_TREE_MADE => "make",
            _ => "drop",
        };
        let has_key = kind == "put" || kind == "remove";
        // SAFETY: by contract.
        unsafe {
            Self {
                commit: change.commit,
                is_last: change.is_last != 0,
                kind,
                tree: CStr::from_ptr(change.tree).to_string_lossy().into_owned(),
                tree_number: change.tree_number,
                key: has_key.then(|| bytes(change.key, change.key_len)),
                value: (kind == "put").then(|| bytes(change.value, change.value_len)),
            }
        }
    }

    /// The number, what was done, and to which tree; the key; the length of the value, or the value; with tabs between
    /// them.
    fn text(&self, notation: Notation, shows_values: bool) -> String {
        let mut text = format!("{}\t{}\t{}", self.commit, self.kind, self.tree);
        if let Some(key) = self.key {
            text += &format!("\t{}", notation.show(key));
        }
        match self.value {
            Some(value) if shows_values => text += &format!("\t{}", notation.show(value)),
            Some(value) => text += &format!("\t{} bytes", value.len()),
            None => {}
        }
        text
    }

    fn json(&self, notation: Notation, shows_values: bool) -> Value {
        let mut object = Map::new();
        object.insert("commit".into(), self.commit.into());
        object.insert("last".into(), self.is_last.into());
        object.insert("change".into(), self.kind.into());
        object.insert("tree".into(), json!(self.tree));
        object.insert("tree_number".into(), self.tree_number.into());
        if let Some(key) = self.key {
            object.insert("key".into(), notation.show(key).into());
        }
        if let Some(value) = self.value {
            object.insert("value_bytes".into(), value.len().into());
            if shows_values {
                object.insert("value".into(), notation.show(value).into());
            }
        }
        object.into()
    }
}

/// Opens a store to read; of one whose log is damaged, what precedes the damage. Returns also that.
fn open(args: &LogArgs) -> Outcome<(Store, Option<Failure>)> {
    let directory = &args.store.directory;
    match Store::open(directory, Opening::to_read()) {
        Err(damage) if damage.kind == Kind::Corrupt => {
            let mut opening = Opening::to_read();
            opening.flags |= MASSTREE_STORE_SALVAGE;
            match Store::open(directory, opening) {
                Ok(store) => Ok((store, Some(damage))),
                Err(_) => Err(damage),
            }
        }
        opened => Ok((opened?, None)),
    }
}

fn show(args: &LogArgs, store: &Store, output: &mut Output) -> Outcome<()> {
    let since = match args.since {
        Some(since) => since,
        None => store.stats()?.changes_since,
    };
    let mut changes = Changes::open(store, since)?;
    let notation = args.format.notation();
    let mut shown = 0;
    while args.limit == 0 || shown < args.limit {
        let Some(change) = changes.next()? else {
            break;
        };
        // SAFETY: the next call comes after it was printed.
        let line = unsafe { Line::of(&change) };
        if args.tree.as_ref().is_some_and(|tree| *tree != line.tree) {
            continue;
        }
        match args.json.json {
            true => output.json(&line.json(notation, args.values))?,
            false => output.line(&line.text(notation, args.values))?,
        }
        shown += 1;
    }
    Ok(())
}

pub(crate) fn log(args: &LogArgs) -> Outcome<()> {
    let (store, damage) = open(args)?;
    let mut output = Output::new();
    let shown = show(args, &store, &mut output);
    output.finish()?;
    shown?;
    damage.map_or(Ok(()), Err)
}
