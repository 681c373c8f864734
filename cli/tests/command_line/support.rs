//! Runs the tool on a store in a directory of its own.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A directory for stores, which is removed with everything in it.
pub(crate) struct Place(TempDir);

/// What a run has printed, and its exit code.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("the tool is not killed"),
            out: output.stdout,
            err: String::from_utf8(output.stderr).expect("messages are UTF-8"),
        }
    }

    /// Standard output of a run that was to succeed.
    #[track_caller]
    pub(crate) fn text(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""));
        String::from_utf8(self.out).expect("the output is UTF-8")
    }

    /// The lines of the output, as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> Vec<Value> {
        let text = self.text();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str(line).expect(line));
        lines.collect()
    }

    /// Checks that the run has printed one message and nothing else.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, message: &str) {
        assert_eq!(self.code, code, "{}", self.err);
        assert!(self.err.starts_with("masstree: "), "{}", self.err);
        assert!(self.err.contains(message), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        assert!(self.out.is_empty());
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        // Where syncs cost nothing, if there is such a place.
        let memory = Path::new("/dev/shm");
        let made = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        Self(made.expect("a directory can be made"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A store with a tree `t` that has these entries.
    pub(crate) fn with(entries: &[(&str, &str)]) -> Self {
        let place = Self::new();
        place.load("t", entries);
        place
    }

    pub(crate) fn load(&self, tree: &str, entries: &[(&str, &str)]) {
        let mut dump = format!("masstree dump 1\nformat text\ntree {tree}\n");
        for (key, value) in entries {
            dump += &format!(" {key}\t{value}\n");
        }
        dump += "end\n";
        let loaded = format!("loaded {} entries\n", entries.len());
        assert_eq!(
            self.run_with(["load", "store"], dump.as_bytes()).text(),
            loaded
        );
    }

    /// A command of the tool, to be started in the directory.
    pub(crate) fn command(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_masstree"));
        command.args(args).current_dir(self.0.path());
        command
    }

    pub(crate) fn run(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
        self.run_with(args, b"")
    }

    /// Runs the tool with these bytes as its standard input.
    pub(crate) fn run_with(
        &self,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
        input: &[u8],
    ) -> Run {
        let mut child = self.start(args);
        // The tool may end before it has read everything.
        let _ = child.stdin.take().expect("it is a pipe").write_all(input);
        Run::of(child.wait_with_output().expect("the tool runs"))
    }

    /// Starts the tool, with pipes for all its streams.
    pub(crate) fn start(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Child {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tool starts")
    }
}
