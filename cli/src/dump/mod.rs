//! Dumps: the content of a store, as a file that `load` reads.
//!
//! A dump is a header with the number of the last commit; for each tree its name and its entries in order; and an
//! end, without which it is incomplete. `text` and `binary` are its formats; docs/command-line.md
//! describes them.

mod binary;
mod read;
mod text;

use std::ffi::CString;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;

pub(crate) use read::{DumpReader, Item};

use crate::args::{DumpArgs, DumpFormat};
use crate::failure::{Failure, Outcome};
use crate::keys::tree_name;
use crate::output::Output;
use crate::progress::entries_bar;
use crate::scan::Entry;
use crate::store::{Opening, Store, no_tree};
use crate::text::Notation;

/// The first bytes of a text dump.
const TEXT_MAGIC: &[u8] = b"masstree dump 1\n";
/// The first bytes of a binary dump.
const BINARY_MAGIC: &[u8] = b"MTDUMP01";

/// Kinds of records in a binary dump.
const TREE: u8 = 1;
const ENTRY: u8 = 2;
const END: u8 = 3;

/// Where a dump goes.
enum Target {
    Output(Output),
    File { file: BufWriter<File>, name: String },
}

impl Target {
    fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        match self {
            Self::Output(output) => output.write(bytes),
            Self::File { file, name } => {
                (file.write_all(bytes)).map_err(|error| Failure::of_file(name, &error))
            }
        }
    }

    fn finish(self) -> Outcome<()> {
        match self {
            Self::Output(output) => output.finish(),
            Self::File { mut file, name } => (file.flush())
                .and_then(|()| file.get_ref().sync_all())
                .map_err(|error| Failure::of_file(name, &error)),
        }
    }
}

/// Encodes the pieces of a dump.
trait Encoder {
    fn begin(&mut self, commit: u64, to: &mut Vec<u8>);
    fn tree(&mut self, name: &[u8], to: &mut Vec<u8>);
    fn entry(&mut self, key: &[u8], value: &[u8], to: &mut Vec<u8>);
    fn end(&mut self, to: &mut Vec<u8>);
}

/// Returns the trees to dump: those that were asked for, or all.
fn trees_of(store: &Store, args: &DumpArgs) -> Outcome<Vec<CString>> {
    let all = store.tree_names()?;
    if args.trees.is_empty() {
        return Ok(all);
    }
    let wanted = args.trees.iter().map(|name| tree_name(name));
    let wanted: Vec<CString> = wanted.collect::<Outcome<_>>()?;
    match wanted.iter().find(|name| !all.contains(name)) {
        None => Ok(wanted),
        Some(name) => Err(no_tree(name)),
    }
}

pub(crate) fn dump(args: &DumpArgs) -> Outcome<()> {
    let range = args.range.decode(&args.keys)?;
    let store = Store::open(&args.store.directory, Opening::to_read())?;
    let trees = trees_of(&store, args)?;
    let mut target = match &args.output {
        None => Target::Output(Output::new()),
        Some(path) => {
            let name = path.display().to_string();
            let file = File::create(path).map_err(|error| Failure::of_file(&name, &error))?;
            let file = BufWriter::with_capacity(1 << 16, file);
            Target::File { file, name }
        }
    };
    let mut encoder: Box<dyn Encoder> = match args.format {
        DumpFormat::Text => Box::new(text::Encoder(Notation::Escaped)),
        DumpFormat::Hex => Box::new(text::Encoder(Notation::Hex)),
        DumpFormat::Binary => Box::new(binary::Encoder::default()),
    };
    let bar = entries_bar("dumping");
    let mut piece = Vec::new();
    encoder.begin(store.stats()?.last_commit, &mut piece);
    for name in &trees {
        encoder.tree(name.as_bytes(), &mut piece);
        store.tree(name)?.scan(&range.scan(), &mut |entry| {
            if let Entry::Key { key, value, .. } = entry {
                encoder.entry(key, value, &mut piece);
                target.write(&piece)?;
                piece.clear();
                bar.inc(1);
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    encoder.end(&mut piece);
    target.write(&piece)?;
    bar.finish_and_clear();
    target.finish()
}
