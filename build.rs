//! Sets the shared library's name and link options, and makes sure that
//! include/masstree.h is what src/ffi says.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

/// The modules of src/ffi that C sees, in the order of the header, simple ones first;
/// with the heading of the section that the functions of a module begin, if they do.
const EXPORTED: [(&str, &str); 25] = [
    ("index/version", "What the library says of itself"),
    ("status", ""),
    ("handle", ""),
    ("index/options", ""),
    ("index/tree", "Trees"),
    ("index/get", "One key"),
    ("index/point", ""),
    ("index/guard", "Guards"),
    ("index/scan", "Ranges"),
    ("index/update", "One key, on conditions"),
    ("index/get_or_insert", ""),
    ("index/bytes", "Values that are byte strings"),
    ("index/bytes_conditional", ""),
    ("index/cursor", "Cursors"),
    ("index/cursor_many", ""),
    ("index/batch", "Many keys at once"),
    ("index/batch_write", ""),
    ("index/bulk_load", ""),
    ("occ/observe", "What was read, to be validated later"),
    ("occ/validate", ""),
    ("occ/delta", ""),
    ("occ/held", "Held leaves"),
    ("index/memory", "Memory that readers may still hold"),
    ("index/inspect", "Looking at a whole tree"),
    ("index/stats", ""),
];
const HEADER: &str = "include/masstree.h";
/// Macros that cbindgen has no way to say.
const INITIALIZERS: &str = r"
/** Initializer of masstree_options_t: the defaults. */
#define MASSTREE_OPTIONS_INIT \
    { sizeof(masstree_options_t), NULL, NULL, NULL, NULL, NULL, 0, MASSTREE_VALUES_WORDS, 0 }

/** Initializer of masstree_stats_t: without a visit to every node. */
#define MASSTREE_STATS_INIT \
    { sizeof(masstree_stats_t), 0, 0, \
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
      0, 0, 0, 0, 0, 0, 0, 0, 0, \
      { 0 }, { 0 }, { 0 }, { 0 } }

/** Initializer of masstree_delta_t: without room for created leaves. */
#define MASSTREE_DELTA_INIT \
    { sizeof(masstree_delta_t), NULL, 0, 0, { 0, 0, 0 }, { 0, 0, 0 }, 0, 0 }

/** Initializer of masstree_range_t: every key, forward, no limit. */
#define MASSTREE_RANGE_INIT \
    { sizeof(masstree_range_t), NULL, 0, NULL, 0, NULL, 0, 0, 0, 0, 0, 0 }
";
const ABI: &str = "0";

fn main() {
    println!("cargo::rerun-if-changed=src/ffi");
    println!("cargo::rerun-if-changed=cmake/cbindgen.toml");
    println!("cargo::rerun-if-changed={HEADER}");
    println!("cargo::rerun-if-env-changed=MASSTREE_WRITE_HEADER");
    link_arguments();
    allow_vectors();
    let rendered = render_header();
    let committed = fs::read_to_string(HEADER).unwrap_or_default();
    if rendered == committed {
        return;
    }
    if env::var_os("MASSTREE_WRITE_HEADER").is_some() {
        fs::write(HEADER, rendered).expect("include/masstree.h is writable");
    } else {
        println!("cargo::error={HEADER} is not what src/ffi says; write it anew with: make header");
    }
}

/// The SONAME carries the ABI number. The library is never unloaded
/// (`nodelete`): threads that used it run thread-local destructors of it when
/// they exit, maybe after a dlclose. What it calls for `abort` explains some of them, see
/// `reclaim::membarrier`.
fn link_arguments() {
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libmasstree.so.{ABI}");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        let arch = env::var("CARGO_CFG_TARGET_ARCH");
        if matches!(arch.as_deref(), Ok("x86_64" | "aarch64")) {
            println!("cargo::rustc-cdylib-link-arg=-Wl,--defsym=abort=libmasstree_abort");
        }
    }
}

/// Vector code is for processors that it is written for, and not for builds that look
/// for races (see `node::search`).
fn allow_vectors() {
    println!("cargo::rustc-check-cfg=cfg(masstree_vectors)");
    let is_set = |name: &str| env::var_os(format!("CARGO_CFG_{name}")).is_some();
    let looks_for_races = [
        "LOOM",
        "SHUTTLE",
        "MASSTREE_ASAN",
        "MASSTREE_TSAN",
        "MASSTREE_PERTURB",
    ];
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("x86_64")
        && !looks_for_races.into_iter().any(is_set)
    {
        println!("cargo::rustc-cfg=masstree_vectors");
    }
}

fn render_header() -> String {
    let mut config = cbindgen::Config::from_file(Path::new("cmake/cbindgen.toml"))
        .expect("cmake/cbindgen.toml is a cbindgen configuration");
    config.after_includes = Some(version_macros() + INITIALIZERS);
    let mut builder = cbindgen::Builder::new().with_config(config);
    for (module, _) in EXPORTED {
        builder = builder.with_src(source_of(module));
    }
    let mut text = Vec::new();
    builder.generate().expect("src/ffi parses").write(&mut text);
    let mut text = String::from_utf8(text).expect("the header is UTF-8");
    for (module, heading) in EXPORTED {
        if !heading.is_empty() {
            insert_heading(&mut text, module, heading);
        }
    }
    text
}

fn source_of(module: &str) -> String {
    format!("src/ffi/{module}.rs")
}

/// Puts a heading before the first function of a module.
fn insert_heading(header: &mut String, module: &str, heading: &str) {
    let source = fs::read_to_string(source_of(module)).expect("the module has a file");
    let (_, after) = (source.split_once("extern \"C\" fn ")).expect("the module has functions");
    let (function, _) = after.split_once('(').expect("a function has parameters");
    // The introduction, before, may call it too.
    let declared = (header.rfind(&format!("{function}("))).expect("the function is in the header");
    let comment = (header[..declared].rfind("\n/**")).expect("the function has a comment");
    let line = "=".repeat(76);
    let heading = format!("\n/* {line}\n * {heading}\n * {line} */\n");
    header.insert_str(comment, &heading);
}

fn version_macros() -> String {
    let part = |name: &str| env::var(format!("CARGO_PKG_VERSION_{name}")).expect("set by cargo");
    let mut text = String::from("\n");
    for (place, name) in [("first", "MAJOR"), ("second", "MINOR"), ("third", "PATCH")] {
        writeln!(
            text,
            "/** The {place} number of this header's version. */\n\
             #define MASSTREE_VERSION_{name} {}",
            part(name)
        )
        .expect("writing to a string");
    }
    let version = env::var("CARGO_PKG_VERSION").expect("set by cargo");
    write!(
        text,
        "/** The version of this header, as text. */\n\
         #define MASSTREE_VERSION_STRING \"{version}\"\n\
         /** The version of this header as masstree_version_number counts. */\n\
         #define MASSTREE_VERSION_NUMBER \\\n    \
         (MASSTREE_VERSION_MAJOR * 1000000 + MASSTREE_VERSION_MINOR * 1000 + MASSTREE_VERSION_PATCH)\n"
    )
    .expect("writing to a string");
    text
}
