//! The driver of the benchmarks: libmasstree's shared library beside other ordered maps,
//! in one run, on the same keys.
//!
//! - `args`: the command line. `campaign`: which runs there are, and in which order.
//! - `suite`: what is measured, the rows of the table. `keys`: the sets of keys.
//! - `child`, `latency`, `timing`: one run, in a process of its own.
//! - `map`, `peers`: what is measured.
//! - `results`: medians and ratios. `report`: text, Markdown, chart. `machine`: whose.

mod args;
mod campaign;
mod child;
mod keys;
mod latency;
mod machine;
mod map;
mod peers;
mod report;
mod results;
mod suite;
mod timing;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::results::Results;

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every run succeeded.
fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    if let Some(task) = &args.child {
        let findings = child::run(&serde_json::from_str(task)?);
        println!("{}", serde_json::to_string(&findings)?);
        return Ok(true);
    }
    if args.list {
        for row in suite::rows(&args.only) {
            println!("{}", row.label());
        }
        return Ok(true);
    }
    let results = match args.from.as_slice() {
        [] => campaign::run(args)?,
        [first, others @ ..] => {
            let mut results = read(first)?;
            for path in others {
                results.add(read(path)?)?;
            }
            results
        }
    };
    if let Some(path) = &args.json {
        fs::write(path, serde_json::to_string_pretty(&results)?)?;
    }
    if let Some(path) = &args.svg {
        report::chart::draw(&results, &args.only, path)?;
    }
    match &args.markdown {
        Some(path) if path.as_os_str() == "-" => print!("{}", report::markdown::table(&results)),
        Some(path) => {
            fs::write(path, report::markdown::table(&results))?;
            print!("{}", report::text::report(&results));
        }
        None => print!("{}", report::text::report(&results)),
    }
    Ok(results.failures.is_empty())
}

/// Reads what `--json` wrote.
fn read(path: &Path) -> Result<Results, Box<dyn Error>> {
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}
