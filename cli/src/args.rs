//! The command line's arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::failure::{Failure, Outcome};
use crate::scan::{Bound, LATEST, Scan};
use crate::text::Notation;

const TOP: &str = "\
Keys and values are text: printable ASCII characters stand for themselves, \\\\ for a backslash, and \\xx for
the byte with these two hexadecimal digits. With --hex they are hexadecimal throughout.

Exit codes: 0 done; 1 no such key, tree or store, or the key exists; 2 wrong arguments or input; 3 a
damaged store or dump; 4 another process has the store open; 5 a file operation failed, or the disk is full;
6 anything else, such as out of memory; 141 the reader of the output has gone away.

A command that only reads opens a store beside others that only read. Neither opens one to which another
process writes.";

const EXAMPLES: &str = "\
Examples:
  masstree put --create fruit.store fruit apple red
  masstree get fruit.store fruit apple
  masstree scan fruit.store fruit --prefix a --limit 10
  masstree dump fruit.store | masstree load copy.store
  masstree stat fruit.store --json";

/// Looks at, and changes, stores of libmasstree
#[derive(Parser)]
#[command(name = "masstree", version, max_term_width = 100, after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{TOP}"))]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Shows what a store has: trees, keys, bytes, log, checkpoint
    Stat(StatArgs),
    /// Reads a store, checks everything in its files, and changes nothing
    Verify(StatArgs),
    /// Shows the changes of the commits in the log
    #[command(after_help = "Examples:\n  masstree log fruit.store --limit 10\n  \
        masstree log fruit.store --since 4194305 --values --json")]
    Log(LogArgs),
    /// Lists the names of the trees
    Trees(TreesArgs),
    /// Prints the value of a key
    #[command(after_help = "Examples:\n  masstree get fruit.store fruit apple\n  \
        masstree get fruit.store images pear.png --raw >pear.png")]
    Get(GetArgs),
    /// Stores a value under a key, durably
    #[command(
        after_help = "Examples:\n  masstree put fruit.store fruit apple red\n  \
        masstree put fruit.store images pear.png --file pear.png"
    )]
    Put(PutArgs),
    /// Removes keys, durably
    Rm(RmArgs),
    /// Drops a tree with all of its keys, durably
    Drop(DropArgs),
    /// Prints keys and values in order
    #[command(
        after_help = "Examples:\n  masstree scan fruit.store fruit --from b --to d\n  \
        masstree scan fruit.store paths --prefix usr/ --delimiter /\n  \
        masstree scan fruit.store fruit --reverse --limit 1 --json"
    )]
    Scan(ScanArgs),
    /// Writes the content of a store to a file
    #[command(after_help = "Examples:\n  masstree dump fruit.store >fruit.txt\n  \
        masstree dump fruit.store --format binary --output fruit.dump --tree fruit")]
    Dump(DumpArgs),
    /// Stores what dump has written; one that was stopped goes on
    #[command(after_help = "Examples:\n  masstree load copy.store fruit.txt\n  \
        masstree dump fruit.store | masstree load copy.store")]
    Load(LoadArgs),
    /// Copies a store to a new directory, which is a store afterwards
    #[command(after_help = "Examples:\n  masstree export fruit.store backup.store")]
    Export(ExportArgs),
    /// Copies the trees of another store, such as an export, to a store
    #[command(
        after_help = "Examples:\n  masstree import fruit.store backup.store\n  \
        masstree import --create --replace fruit.store backup.store"
    )]
    Import(ImportArgs),
    /// Makes a checkpoint, and removes the log before it
    Checkpoint(CheckpointArgs),
    /// Measures puts, gets and scans of a new store, which is removed afterwards
    #[command(
        after_help = "Examples:\n  masstree bench /var/tmp/bench.store --threads 4\n  \
        masstree bench --keys 1000000 --value-bytes 10     (in memory only)"
    )]
    Bench(BenchArgs),
    /// Writes the man page and completions for shells into a directory
    #[command(hide = true)]
    Generate(GenerateArgs),
}

#[derive(Args)]
pub(crate) struct Directory {
    /// The directory of the store
    #[arg(value_name = "STORE")]
    pub(crate) directory: PathBuf,
}

#[derive(Args)]
pub(crate) struct TreeArgs {
    #[command(flatten)]
    pub(crate) store: Directory,
    /// The name of the tree
    pub(crate) tree: String,
}

#[derive(Args)]
pub(crate) struct Format {
    /// Keys and values are hexadecimal
    #[arg(long)]
    pub(crate) hex: bool,
}

impl Format {
    pub(crate) fn notation(&self) -> Notation {
        match self.hex {
            true => Notation::Hex,
            false => Notation::Escaped,
        }
    }

    pub(crate) fn read(&self, what: &str, text: &str) -> Outcome<Vec<u8>> {
        (self.notation().read(text.as_bytes()))
            .map_err(|wrong| Failure::usage(format!("{what} {text:?}: {wrong}")))
    }
}

#[derive(Args)]
pub(crate) struct Json {
    /// Prints JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct LogBuffer {
    /// Bytes of the log's buffer; an entry takes at most half of it
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20)]
    pub(crate) log_buffer: usize,
}

#[derive(Args)]
pub(crate) struct StatArgs {
    #[command(flatten)]
    pub(crate) store: Directory,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Args)]
pub(crate) struct TreesArgs {
    #[command(flatten)]
    pub(crate) store: Directory,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(crate) tree: TreeArgs,
    /// The key
    #[arg(allow_hyphen_values = true)]
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) format: Format,
    /// Writes the bytes of the value, and nothing else
    #[arg(long, conflicts_with = "json")]
    pub(crate) raw: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Args)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    pub(crate) tree: TreeArgs,
    /// The key
    #[arg(allow_hyphen_values = true)]
    pub(crate) key: String,
    /// The value, unless --file is given
    #[arg(
        allow_hyphen_values = true,
        required_unless_present = "file",
        conflicts_with = "file"
    )]
    pub(crate) value: Option<String>,
    /// Takes the bytes of a file for the value; -: of standard input
    #[arg(long)]
    pub(crate) file: Option<PathBuf>,
    /// Stores the value only if the key has none
    #[arg(long)]
    pub(crate) if_absent: bool,
    /// Makes the store and the tree, if they do not exist
    #[arg(long)]
    pub(crate) create: bool,
    #[command(flatten)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) buffer: LogBuffer,
}

#[derive(Args)]
pub(crate) struct RmArgs {
    #[command(flatten)]
    pub(crate) tree: TreeArgs,
    /// The keys
    #[arg(required = true, allow_hyphen_values = true)]
    pub(crate) keys: Vec<String>,
    #[command(flatten)]
    pub(crate) format: Format,
}

#[derive(Args)]
pub(crate) struct DropArgs {
    #[command(flatten)]
    pub(crate) tree: TreeArgs,
}

/// A range of keys.
#[derive(Args)]
pub(crate) struct RangeArgs {
    /// Only keys that begin with this
    #[arg(
        long,
        value_name = "KEY",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub(crate) prefix: String,
    /// Only this key and greater ones
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// Only keys that are less than this one
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
}

/// The bytes of a [`RangeArgs`].
#[derive(Default)]
pub(crate) struct KeyRange {
    prefix: Vec<u8>,
    from: Option<Vec<u8>>,
    to: Option<Vec<u8>>,
}

impl RangeArgs {
    pub(crate) fn decode(&self, format: &Format) -> Outcome<KeyRange> {
        let read = |what, text: &Option<String>| {
            (text.as_ref().map(|text| format.read(what, text))).transpose()
        };
        Ok(KeyRange {
            prefix: format.read("--prefix", &self.prefix)?,
            from: read("--from", &self.from)?,
            to: read("--to", &self.to)?,
        })
    }
}

impl KeyRange {
    pub(crate) fn scan(&self) -> Scan<'_> {
        let lower = self.from.as_deref().map_or(Bound::Open, Bound::Included);
        let upper = self.to.as_deref().map_or(Bound::Open, Bound::Excluded);
        Scan {
            lower,
            upper,
            prefix: &self.prefix,
            ..Scan::default()
        }
    }
}

#[derive(Args)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    pub(crate) tree: TreeArgs,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// Begins behind this key, or common prefix, of the scan's order
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub(crate) start_after: Option<String>,
    /// Rolls up keys in which this occurs behind the prefix: prints what they have in common
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub(crate) delimiter: String,
    /// In descending order
    #[arg(long)]
    pub(crate) reverse: bool,
    /// At most so many; 0: all
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub(crate) limit: usize,
    /// As of the commit with this number
    #[arg(long, value_name = "NUMBER", default_value_t = LATEST, hide_default_value = true)]
    pub(crate) at: u64,
    /// Prints no values
    #[arg(long)]
    pub(crate) keys_only: bool,
    #[command(flatten)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum DumpFormat {
    /// Lines of text, with escapes
    Text,
    /// Lines of text, in hexadecimal
    Hex,
    /// Bytes with lengths and a checksum
    Binary,
}

#[derive(Args)]
pub(crate) struct DumpArgs {
    #[command(flatten)]
    pub(crate) store: Directory,
    /// Only this tree; may be repeated
    #[arg(long = "tree", value_name = "TREE")]
    pub(crate) trees: Vec<String>,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// How the dump is written
    #[arg(long, value_enum, default_value_t = DumpFormat::Text)]
    pub(crate) format: DumpFormat,
    /// Keys of --prefix, --from and --to are hexadecimal
    #[command(flatten)]
    pub(crate) keys: Format,
    /// Writes to this file, and makes it durable, instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    pub(crate) store: Directory,
    /// The dump; standard input, if it is left out or -
    #[arg(value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Begins anew, whatever an earlier load of this store has done
    #[arg(long)]
    pub(crate) restart: bool,
    /// Prints how many entries were loaded as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) buffer: LogBuffer,
}

#[derive(Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) store: Directory,
    /// The new directory, whose parent exists
    #[arg(value_name = "DIRECTORY")]
    pub(crate) to: PathBuf,
}

#[derive(Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) store: Directory,
    /// The directory of the other store
    #[arg(value_name = "DIRECTORY")]
    pub(crate) from: PathBuf,
    /// Drops trees that the store has first, if the other store has trees with their names
    #[arg(long)]
    pub(crate) replace: bool,
    /// Makes the store, if it does not exist
    #[arg(long)]
    pub(crate) create: bool,
    #[command(flatten)]
    pub(crate) json: Json,
    #[command(flatten)]
    pub(crate) buffer: LogBuffer,
}

#[derive(Args)]
pub(crate) struct LogArgs {
    #[command(flatten)]
    pub(crate) store: Directory,
    /// Only commits with greater numbers; default: all that the log has
    #[arg(long, value_name = "NUMBER")]
    pub(crate) since: Option<u64>,
    /// At most so many changes; 0: all
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub(crate) limit: usize,
    /// Only changes of trees with this name
    #[arg(long)]
    pub(crate) tree: Option<String>,
    /// Prints values, not only their lengths
    #[arg(long)]
    pub(crate) values: bool,
    #[command(flatten)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Args)]
pub(crate) struct CheckpointArgs {
    #[command(flatten)]
    pub(crate) store: Directory,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// A directory that does not exist; without one, the store is in memory only
    #[arg(value_name = "STORE")]
    pub(crate) directory: Option<PathBuf>,
    /// Keys of the store
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) keys: u64,
    /// Bytes of a value
    #[arg(long, default_value_t = 100)]
    pub(crate) value_bytes: usize,
    /// Threads that run a workload
    #[arg(long, default_value_t = 1, value_parser = positive)]
    pub(crate) threads: usize,
    /// How long each workload runs
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    pub(crate) seconds: f64,
    #[command(flatten)]
    pub(crate) json: Json,
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=4096) => Ok(number),
        _ => Err("a number from 1 to 4096 is needed".into()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number from 0 to 86400 is needed".into()),
    }
}

#[derive(Args)]
pub(crate) struct GenerateArgs {
    pub(crate) directory: PathBuf,
}
