//! The commands stat and verify.

use std::ffi::CString;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Value, json};

use crate::args::StatArgs;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::scan::{Entry, Scan};
use crate::store::{self, Opening, Store, Tree};

/// What a tree has.
#[derive(Default)]
struct Content {
    name: String,
    keys: u64,
    key_bytes: u64,
    value_bytes: u64,
    memory: u64,
}

impl Content {
    fn of(name: &CString, tree: Tree<'_>) -> Outcome<Self> {
        let mut content = Self {
            name: name.to_string_lossy().into_owned(),
            memory: tree.memory()?,
            ..Self::default()
        };
        tree.scan(&Scan::default(), &mut |entry| {
            if let Entry::Key { key, value, .. } = entry {
                content.keys += 1;
                content.key_bytes += key.len() as u64;
                content.value_bytes += value.len() as u64;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(content)
    }

    fn json(&self) -> Value {
        json!({
            "tree": self.name,
            "keys": self.keys,
            "key_bytes": self.key_bytes,
            "value_bytes": self.value_bytes,
            "memory_bytes": self.memory,
        })
    }
}

/// Files of the directory whose names begin alike.
#[derive(Default)]
struct Files {
    count: u64,
    bytes: u64,
}

impl Files {
    fn of(directory: &Path, beginning: &str) -> Outcome<Self> {
        let failed = |error| Failure::of_file(directory.display(), &error);
        let mut files = Self::default();
        for file in fs::read_dir(directory).map_err(failed)? {
            let file = file.map_err(failed)?;
            if file
                .file_name()
                .as_encoded_bytes()
                .starts_with(beginning.as_bytes())
            {
                files.count += 1;
                files.bytes += file.metadata().map_err(failed)?.len();
            }
        }
        Ok(files)
    }
}

fn contents(store: &Store) -> Outcome<Vec<Content>> {
    let names = store.tree_names()?;
    names
        .iter()
        .map(|name| Content::of(name, store.tree(name)?))
        .collect()
}

pub(crate) fn stat(args: &StatArgs) -> Outcome<()> {
    let directory = &args.store.directory;
    let store = Store::open(directory, Opening::to_read())?;
    let (stats, trees) = (store.stats()?, contents(&store)?);
    let log = Files::of(directory, "log-")?;
    let checkpoint = Files::of(directory, "checkpoint-")?;
    let mut output = Output::new();
    if args.json.json {
        output.json(&json!({
            "last_commit": stats.last_commit,
            "trees": trees.iter().map(Content::json).collect::<Vec<_>>(),
            "log": {
                "files": log.count,
                "file_bytes": log.bytes,
                "records": stats.read_records,
                "groups": stats.read_groups,
                "bytes": stats.read_bytes,
                "torn_bytes": stats.torn_bytes,
            },
            "checkpoint": {
                "commit": stats.checkpoint_commit,
                "files": checkpoint.count,
                "file_bytes": checkpoint.bytes,
            },
        }))?;
        return output.finish();
    }
    for tree in &trees {
        output.line(&format!(
            "tree {:?}: {} keys, {} bytes of keys, {} of values, {} of memory",
            tree.name, tree.keys, tree.key_bytes, tree.value_bytes, tree.memory
        ))?;
    }
    output.line(&format!("last commit: {}", stats.last_commit))?;
    output.line(&format!(
        "log: {} records, {} bytes, in {} files of {} bytes",
        stats.read_records, stats.read_bytes, log.count, log.bytes
    ))?;
    if stats.torn_bytes != 0 {
        let torn = stats.torn_bytes;
        output.line(&format!(
            "log: a crash has left {torn} incomplete bytes at its end"
        ))?;
    }
    output.line(&match stats.checkpoint_commit {
        0 => "checkpoint: none".into(),
        commit => format!(
            "checkpoint: at commit {commit}, {} files of {} bytes",
            checkpoint.count, checkpoint.bytes
        ),
    })?;
    output.finish()
}

pub(crate) fn verify(args: &StatArgs) -> Outcome<()> {
    let directory = &args.store.directory;
    let verified = store::verify(directory)?;
    let mut output = Output::new();
    match args.json.json {
        true => output.json(&json!({
            "trees": verified.trees,
            "log_files": verified.log_files,
            "log_records": verified.log_records,
            "log_bytes": verified.log_bytes,
            "torn_bytes": verified.torn_bytes,
            "checkpoint_commit": verified.checkpoint_commit,
            "checkpoint_files": verified.checkpoint_files,
            "checkpoint_keys": verified.checkpoint_keys,
        }))?,
        false => output.line(&format!(
            "{}: no damage: {} trees, {} keys of the checkpoint, {} records of the log",
            directory.display(),
            verified.trees,
            verified.checkpoint_keys,
            verified.log_records
        ))?,
    }
    output.finish()
}
