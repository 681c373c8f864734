//! Commands for single keys, listings, and whole trees and stores: get, put, rm, drop, scan, trees, export, import,
//! checkpoint.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;

use masstree::ffi::store::open::MASSTREE_STORE_MUST_EXIST;
use masstree::ffi::store::wait::MASSTREE_DURABLE;
use serde_json::json;

use crate::args::*;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::{Output, Rows};
use crate::scan::{Bound, Entry, LATEST, Scan};
use crate::store::{Opening, Store, no_tree};

/// Converts the name of a tree.
pub(crate) fn tree_name(name: &str) -> Outcome<CString> {
    CString::new(name).map_err(|_| Failure::usage("the name of a tree has no zero byte"))
}

/// How a store is opened to change a few keys.
fn to_write(log_buffer_bytes: usize, creates: bool) -> Opening {
    Opening {
        flags: if creates {
            0
        } else {
            MASSTREE_STORE_MUST_EXIST
        },
        level: MASSTREE_DURABLE,
        log_buffer_bytes,
        makes_checkpoints: false,
    }
}

fn no_key(key: &str) -> Failure {
    Failure::new(Kind::Absent, format!("there is no key {key:?}"))
}

pub(crate) fn get(args: &GetArgs) -> Outcome<()> {
    let key = args.format.read("key", &args.key)?;
    let store = Store::open(&args.tree.store.directory, Opening::to_read())?;
    let tree = store.tree(&tree_name(&args.tree.tree)?)?;
    let mut output = Output::new();
    let notation = args.format.notation();
    let found = tree.get(&key, LATEST, |value, number| {
        if args.raw {
            return output.write(value);
        }
        if args.json.json {
            let keys_only = false;
            let rows = Rows {
                notation,
                json: true,
                keys_only,
            };
            let key = &key;
            return rows.print(Entry::Key { key, value, number }, &mut output);
        }
        output.line(&notation.show(value))
    })?;
    found.ok_or_else(|| no_key(&args.key))??;
    output.finish()
}

/// Reads a file, or standard input.
fn read_file(path: &Path) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => io::stdin().lock().read_to_end(&mut bytes),
        false => File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    read.map_err(|error| Failure::of_file(path.display(), &error))?;
    Ok(bytes)
}

pub(crate) fn put(args: &PutArgs) -> Outcome<()> {
    let key = args.format.read("key", &args.key)?;
    let value = match (&args.file, &args.value) {
        (Some(file), _) => read_file(file)?,
        (None, Some(value)) => args.format.read("value", value)?,
        (None, None) => return Err(Failure::usage("there is no value")),
    };
    let opening = to_write(args.buffer.log_buffer, args.create);
    let store = Store::open(&args.tree.store.directory, opening)?;
    let name = tree_name(&args.tree.tree)?;
    let tree = match args.create {
        true => store.make_tree(&name)?,
        false => store.tree(&name)?,
    };
    if !args.if_absent {
        tree.put(&key, &value)?;
    } else if tree.insert(&key, &value)?.is_none() {
        let message = format!("the key {:?} exists", args.key);
        return Err(Failure::new(Kind::Absent, message));
    }
    store.close()
}

pub(crate) fn rm(args: &RmArgs) -> Outcome<()> {
    let keys = args.keys.iter().map(|key| args.format.read("key", key));
    let keys: Vec<Vec<u8>> = keys.collect::<Outcome<_>>()?;
    let store = Store::open(&args.tree.store.directory, to_write(0, false))?;
    let tree = store.tree(&tree_name(&args.tree.tree)?)?;
    let mut missing = None;
    for (key, text) in keys.iter().zip(&args.keys) {
        if tree.remove(key)?.is_none() {
            missing = missing.or(Some(no_key(text)));
        }
    }
    store.close()?;
    missing.map_or(Ok(()), Err)
}

/// Narrows a scan to what follows a key in its order.
fn start_after<'k>(scan: &mut Scan<'k>, after: &'k [u8]) {
    let is_behind = |bound| match (bound, scan.is_reverse) {
        (Bound::Open, _) => true,
        (Bound::Included(key) | Bound::Excluded(key), false) => key <= after,
        (Bound::Included(key) | Bound::Excluded(key), true) => key >= after,
    };
    let bound = match scan.is_reverse {
        false => &mut scan.lower,
        true => &mut scan.upper,
    };
    if is_behind(*bound) {
        *bound = Bound::Excluded(after);
    }
}

pub(crate) fn scan(args: &ScanArgs) -> Outcome<()> {
    let range = args.range.decode(&args.format)?;
    let delimiter = args.format.read("--delimiter", &args.delimiter)?;
    let after = args
        .start_after
        .as_ref()
        .map(|key| args.format.read("--start-after", key));
    let after = after.transpose()?;
    let mut scan = Scan {
        delimiter: &delimiter,
        is_reverse: args.reverse,
        limit: args.limit,
        number: args.at,
        ..range.scan()
    };
    if let Some(after) = &after {
        start_after(&mut scan, after);
    }
    let rows = Rows {
        notation: args.format.notation(),
        json: args.json.json,
        keys_only: args.keys_only,
    };
    let store = Store::open(&args.tree.store.directory, Opening::to_read())?;
    let tree = store.tree(&tree_name(&args.tree.tree)?)?;
    // Nothing is printed if the store does not keep the number. Nothing is trimmed meanwhile.
    tree.get(b"", args.at, |_, _| ())?;
    let mut output = Output::new();
    tree.scan(&scan, &mut |entry| {
        rows.print(entry, &mut output)?;
        Ok(ControlFlow::Continue(()))
    })?;
    output.finish()
}

pub(crate) fn trees(args: &TreesArgs) -> Outcome<()> {
    let store = Store::open(&args.store.directory, Opening::to_read())?;
    let mut output = Output::new();
    for name in store.tree_names()? {
        let name = name.to_string_lossy();
        match args.json.json {
            true => output.json(&json!({ "tree": name }))?,
            false => output.line(&name)?,
        }
    }
    output.finish()
}

pub(crate) fn drop_tree(args: &DropArgs) -> Outcome<()> {
    let name = tree_name(&args.tree.tree)?;
    let store = Store::open(&args.tree.store.directory, to_write(0, false))?;
    match store.drop_tree(&name)? {
        true => store.close(),
        false => Err(no_tree(&name)),
    }
}

pub(crate) fn export(args: &ExportArgs) -> Outcome<()> {
    let store = Store::open(&args.store.directory, Opening::to_read())?;
    store.export(&args.to)
}

pub(crate) fn import(args: &ImportArgs) -> Outcome<()> {
    let opening = to_write(args.buffer.log_buffer, args.create);
    let store = Store::open(&args.store.directory, opening)?;
    let imported = store.import(&args.from, args.replace)?;
    store.close()?;
    let mut output = Output::new();
    match args.json.json {
        true => output.json(&json!({
            "trees": imported.trees,
            "keys": imported.keys,
            "bytes": imported.bytes,
        }))?,
        false => output.line(&format!(
            "imported {} trees, {} keys, {} bytes",
            imported.trees, imported.keys, imported.bytes
        ))?,
    }
    output.finish()
}

pub(crate) fn checkpoint(args: &CheckpointArgs) -> Outcome<()> {
    let store = Store::open(&args.store.directory, to_write(0, false))?;
    store.checkpoint()?;
    let stats = store.stats()?;
    let mut output = Output::new();
    match args.json.json {
        true => output.json(&json!({
            "commit": stats.checkpoint_commit,
            "keys": stats.checkpoint_keys,
            "bytes": stats.checkpoint_bytes,
        }))?,
        false => output.line(&format!(
            "checkpoint at commit {}: {} keys, {} bytes",
            stats.checkpoint_commit, stats.checkpoint_keys, stats.checkpoint_bytes
        ))?,
    }
    store.close()?;
    output.finish()
}
