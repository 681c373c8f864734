//! Generates what is installed beside the tool: its man page, and completions for shells.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;

use crate::args::{Arguments, GenerateArgs};
use crate::failure::{Failure, Outcome};

/// The date of the man page, which changes with the commands.
const DATE: &str = "2026-11-30";

type Rendered = std::io::Result<()>;

/// Lines with which each section of clap_mangen's begins.
fn is_preamble(line: &str) -> bool {
    line.starts_with(".ie \\n(.g ") || line.starts_with(".el .ds ")
}

/// The lines of a section.
fn section(render: impl FnOnce(&mut Vec<u8>) -> Rendered) -> String {
    let mut section = Vec::new();
    render(&mut section).expect("a vector takes everything");
    let text = String::from_utf8(section).expect("the arguments are UTF-8");
    let lines = text.lines().filter(|line| !is_preamble(line));
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A section of a command, as paragraphs below the command's own heading.
fn paragraphs(render: impl FnOnce(&mut Vec<u8>) -> Rendered) -> String {
    let section = section(render);
    let lines = section.lines().filter(|line| !line.starts_with(".SH "));
    std::iter::once(".PP\n".into())
        .chain(lines.map(|line| format!("{line}\n")))
        .collect()
}

/// The man page: one for all commands.
fn man_page() -> String {
    let command = Arguments::command();
    let man = Man::new(command.clone()).date(DATE).manual("libmasstree");
    let mut page = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n".to_owned();
    page += &section(|to| man.render_title(to));
    page += &section(|to| man.render_name_section(to));
    page += &section(|to| man.render_synopsis_section(to));
    page += ".SH COMMANDS\n";
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        page += &command_section(sub);
    }
    page += ".SH NOTES\n";
    page += paragraphs(|to| man.render_extra_section(to)).trim_start_matches(".PP\n");
    page += ".SH SEE ALSO\n.BR masstree (3);\ncommand-line.md and store.md in the documentation\n";
    page
}

fn command_section(command: &Command) -> String {
    let name = command.get_name();
    let full = format!("masstree {name}");
    let command = command.clone().disable_help_flag(true);
    let man = Man::new(command.display_name(full.clone()).bin_name(full));
    let about = section(|to| man.render_description_section(to));
    let about = about.lines().filter(|line| !line.starts_with(".SH "));
    let about: String = about.collect();
    let mut text = format!(".SS {name}\n{about}.\n");
    text += &paragraphs(|to| man.render_synopsis_section(to));
    text += &paragraphs(|to| man.render_options_section(to));
    text += &paragraphs(|to| man.render_extra_section(to));
    text.replace(".PP\n.TP\n", ".TP\n")
        .trim_end_matches(".PP\n")
        .to_owned()
}

pub(crate) fn generate(args: &GenerateArgs) -> Outcome<()> {
    let to: &Path = &args.directory;
    let failed = |error| Failure::of_file(to.display(), &error);
    fs::write(to.join("masstree.1"), man_page()).map_err(failed)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut Arguments::command(), "masstree", to).map_err(failed)?;
    }
    Ok(())
}
