//! `masstree`: looks at, and changes, stores of libmasstree.
//!
//! A command opens the store, does one thing, and closes it. What it has written is durable when it ends with the
//! exit code 0. docs/command-line.md describes the commands, their output and the exit codes.

mod args;
mod batch;
mod bench;
mod dump;
mod failure;
mod generate;
mod keys;
mod load;
mod log;
mod output;
mod progress;
mod scan;
mod stat;
mod store;
mod text;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use failure::{Kind, Outcome};

fn run(command: &Command) -> Outcome<()> {
    match command {
        Command::Stat(args) => stat::stat(args),
        Command::Verify(args) => stat::verify(args),
        Command::Log(args) => log::log(args),
        Command::Trees(args) => keys::trees(args),
        Command::Get(args) => keys::get(args),
        Command::Put(args) => keys::put(args),
        Command::Rm(args) => keys::rm(args),
        Command::Drop(args) => keys::drop_tree(args),
        Command::Scan(args) => keys::scan(args),
        Command::Dump(args) => dump::dump(args),
        Command::Load(args) => load::load(args),
        Command::Export(args) => keys::export(args),
        Command::Import(args) => keys::import(args),
        Command::Checkpoint(args) => keys::checkpoint(args),
        Command::Bench(args) => bench::bench(args),
        Command::Generate(args) => generate::generate(args),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure.kind != Kind::Pipe {
                eprintln!("masstree: {failure}");
            }
            ExitCode::from(failure.kind as u8)
        }
    }
}
