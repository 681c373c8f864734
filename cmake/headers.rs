//! Renders the C headers from `src/ffi`.
//!
//! cbindgen writes the declarations. This file puts each of them below the heading of its module,
//! in the order of the `pub mod` lines; within a module, constants come first, then types with
//! their initializers, then functions. A module whose documentation begins with `# Heading` begins
//! a section; other modules continue the section before.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

/// A header, the directories whose modules it declares, and its `#include` lines.
struct Header {
    path: &'static str,
    guard: &'static str,
    directories: &'static [&'static str],
    includes: &'static str,
}

const HEADERS: [Header; 4] = [
    Header {
        path: "include/masstree.h",
        guard: "MASSTREE_H",
        directories: &["src/ffi", "src/ffi/index"],
        includes: "#include <stddef.h>\n#include <stdint.h>\n",
    },
    Header {
        path: "include/masstree/occ.h",
        guard: "MASSTREE_OCC_H",
        directories: &["src/ffi/occ"],
        includes: "#include \"../masstree.h\"\n",
    },
    Header {
        path: "include/masstree/versioned.h",
        guard: "MASSTREE_VERSIONED_H",
        directories: &["src/ffi/versioned"],
        includes: "#include \"../masstree.h\"\n",
    },
    Header {
        path: "include/masstree/store.h",
        guard: "MASSTREE_STORE_H",
        directories: &["src/ffi/store"],
        includes: "#include \"versioned.h\"\n",
    },
];

/// A program may include a header where the default visibility is hidden.
const VISIBLE: &str = "#if defined(__GNUC__)\n#pragma GCC visibility push(default)\n#endif\n\n";
const END_VISIBLE: &str = "\n#if defined(__GNUC__)\n#pragma GCC visibility pop\n#endif\n";

/// A declaration of a header, with its comment.
struct Item {
    name: String,
    text: String,
}

/// Returns the path and the text of each header.
pub(crate) fn render() -> Vec<(&'static str, String)> {
    let config = cbindgen::Config::from_file(Path::new("cmake/cbindgen.toml"))
        .expect("cmake/cbindgen.toml is a cbindgen configuration");
    let modules: Vec<Vec<Module>> = HEADERS.iter().map(modules).collect();
    let mut builder = cbindgen::Builder::new().with_config(config.clone());
    for module in modules.iter().flatten() {
        builder = builder.with_src(&module.path);
    }
    let mut text = Vec::new();
    builder.generate().expect("src/ffi parses").write(&mut text);
    let items = items(&String::from_utf8(text).expect("the declarations are UTF-8"));
    let structs = structs(&items);
    let mut unplaced: Vec<&str> = items.iter().map(|item| item.name.as_str()).collect();
    let rendered = HEADERS.iter().zip(&modules).map(|(header, modules)| {
        let mut text = preface(header);
        for module in modules {
            text += &section(module, &items, &structs, &config, &mut unplaced);
        }
        text += "\n#ifdef __cplusplus\n}\n#endif\n";
        text += END_VISIBLE;
        text.push('\n');
        writeln!(text, "#endif /* {} */", header.guard).expect("writing to a string");
        (header.path, text)
    });
    let rendered = rendered.collect();
    assert!(unplaced.is_empty(), "no module declares {unplaced:?}");
    rendered
}

/// A module of `src/ffi` with declarations for C.
struct Module {
    path: String,
    source: String,
}

impl Module {
    /// Returns the heading of the section that the module begins, if it begins one.
    fn heading(&self) -> Option<&str> {
        self.source.lines().next()?.strip_prefix("//! # ")
    }

    /// Whether the module declares an item.
    fn declares(&self, item: &Item, config: &cbindgen::Config) -> bool {
        let renamed = &config.export.rename;
        let of_type = (renamed.iter()).find_map(|(rust, c)| (*c == item.name).then_some(rust));
        let name = of_type.unwrap_or(&item.name);
        ["pub const", "pub type", "pub struct", "fn"]
            .iter()
            .any(|kind| {
                let declaration = format!("{kind} {name}");
                (self.source.match_indices(&declaration)).any(|(place, _)| {
                    let after = self.source[place + declaration.len()..].chars().next();
                    !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
                })
            })
    }
}

/// Returns the modules of a header in the order of their `pub mod` lines.
fn modules(header: &Header) -> Vec<Module> {
    let mut modules = Vec::new();
    for directory in header.directories {
        let list = fs::read_to_string(format!("{directory}/mod.rs")).expect("a list of modules");
        for line in list.lines() {
            let name = (line.strip_prefix("pub mod ")).and_then(|rest| rest.strip_suffix(';'));
            let Some(name) = name else { continue };
            let path = format!("{directory}/{name}.rs");
            // A directory of modules belongs to another header.
            if let Ok(source) = fs::read_to_string(&path) {
                modules.push(Module { path, source });
            }
        }
    }
    modules
}

/// Splits the output of cbindgen into items.
fn items(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut item = String::new();
    let mut in_comment = false;
    for line in text.lines() {
        if item.is_empty() && line.is_empty() {
            continue;
        }
        in_comment |= line.starts_with("/**");
        item += line;
        item.push('\n');
        if in_comment {
            in_comment = !line.ends_with("*/");
            continue;
        }
        let is_open = item.contains("typedef struct {") && !line.starts_with('}');
        if line.starts_with("#define") || (line.ends_with(';') && !is_open) {
            items.push(Item {
                name: name_of(&item),
                text: std::mem::take(&mut item),
            });
        }
    }
    items
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Returns the name that an item declares.
fn name_of(item: &str) -> String {
    let declaration = match item.split_once("*/\n") {
        Some((comment, after)) if comment.starts_with("/**") => after,
        _ => item,
    };
    let name = if let Some(define) = declaration.strip_prefix("#define ") {
        define.split_whitespace().next()
    } else if let Some((_, after)) = declaration.split_once("(*")
        && !declaration.starts_with("typedef struct {")
    {
        after.split(')').next()
    } else if declaration.starts_with("typedef") {
        declaration
            .trim_end_matches([';', '\n'])
            .rsplit([' ', '}'])
            .next()
    } else {
        declaration
            .split('(')
            .next()
            .and_then(|before| before.rsplit(|c| !is_name(c)).next())
    };
    name.expect("a declaration has a name").to_owned()
}

/// Returns the declarations of the fields of each struct.
fn structs(items: &[Item]) -> HashMap<&str, Vec<&str>> {
    let mut structs = HashMap::new();
    for item in items {
        let Some((_, body)) = item.text.split_once("typedef struct {\n") else {
            continue;
        };
        let fields = (body.lines())
            .map(str::trim)
            .filter(|line| line.ends_with(';') && !line.starts_with(['*', '}']));
        structs.insert(item.name.as_str(), fields.collect());
    }
    structs
}

/// Returns the initializer macro of a struct, if its first field is its size.
fn initializer(name: &str, structs: &HashMap<&str, Vec<&str>>) -> Option<String> {
    let fields = structs.get(name)?;
    fields
        .first()
        .filter(|field| field.contains("struct_size"))?;
    let mut values = vec![format!("sizeof({name})")];
    values.extend(fields[1..].iter().map(|field| zero(field, structs)));
    let mut lines = String::new();
    let mut width = usize::MAX;
    for value in &values {
        if width.saturating_add(value.len()) > 84 {
            lines += if lines.is_empty() {
                " \\\n    { "
            } else {
                ", \\\n      "
            };
            width = 0;
        } else {
            lines += ", ";
        }
        lines += value;
        width += value.len() + 2;
    }
    let macro_name = name.strip_suffix("_t")?.to_uppercase() + "_INIT";
    Some(format!(
        "/** Initializer of {name}: sets struct_size, and every other field to 0 or NULL. */\n\
         #define {macro_name}{lines} }}\n"
    ))
}

/// Returns the initializer of a field.
fn zero(field: &str, structs: &HashMap<&str, Vec<&str>>) -> String {
    let kind = field.split(' ').next().expect("a field has a type");
    if field.ends_with("];") {
        return "{ 0 }".to_owned();
    }
    if field.contains('*') {
        return "NULL".to_owned();
    }
    if let Some(fields) = structs.get(kind) {
        let zeros: Vec<String> = fields.iter().map(|field| zero(field, structs)).collect();
        return format!("{{ {} }}", zeros.join(", "));
    }
    // All other types of the library are callbacks.
    let is_callback = kind.starts_with("masstree_");
    if is_callback { "NULL" } else { "0" }.to_owned()
}

/// Renders the declarations of a module below its heading.
fn section(
    module: &Module,
    items: &[Item],
    structs: &HashMap<&str, Vec<&str>>,
    config: &cbindgen::Config,
    unplaced: &mut Vec<&str>,
) -> String {
    let mut text = String::new();
    if let Some(heading) = module.heading() {
        let line = "=".repeat(76);
        write!(text, "\n/* {line}\n * {heading}\n * {line} */\n").expect("writing to a string");
    }
    for item in items.iter().filter(|item| module.declares(item, config)) {
        unplaced.retain(|name| *name != item.name);
        write!(text, "\n{}", negative_in_parentheses(&item.text)).expect("writing to a string");
        if let Some(initializer) = initializer(&item.name, structs) {
            write!(text, "\n{initializer}").expect("writing to a string");
        }
    }
    text
}

fn negative_in_parentheses(item: &str) -> String {
    match item.rsplit_once(" -") {
        Some((before, number)) if before.contains("\n#define ") && !before.ends_with("*/") => {
            format!("{before} (-{})\n", number.trim_end())
        }
        _ => item.to_owned(),
    }
}

/// Renders the head of a header: the documentation of its list of modules, and its includes.
fn preface(header: &Header) -> String {
    let directory = header.directories.last().expect("a header has modules");
    let list = fs::read_to_string(format!("{directory}/mod.rs")).expect("a list of modules");
    let mut text = String::from("/*\n");
    let mut is_code = false;
    for line in list.lines().map_while(|line| line.strip_prefix("//!")) {
        if line.starts_with(" ```") {
            is_code = !is_code;
            continue;
        }
        let indent = if is_code { "    " } else { "" };
        writeln!(text, " *{indent}{line}").expect("writing to a string");
    }
    writeln!(
        text,
        " *\n * This file is generated from {directory}; `make header` updates it.\n */\n\n\
         #ifndef {guard}\n#define {guard}\n\n{}",
        header.includes,
        guard = header.guard
    )
    .expect("writing to a string");
    if header.guard == "MASSTREE_H" {
        text += &version_macros();
    }
    text += VISIBLE;
    text + "#ifdef __cplusplus\nextern \"C\" {\n#endif\n"
}

fn version_macros() -> String {
    let part = |name: &str| env::var(format!("CARGO_PKG_VERSION_{name}")).expect("set by cargo");
    let mut text = String::new();
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
    writeln!(
        text,
        "/** The version of this header, as text. */\n\
         #define MASSTREE_VERSION_STRING \"{version}\"\n\
         /** The version of this header as a number, in the format of masstree_version_number. */\n\
         #define MASSTREE_VERSION_NUMBER \\\n    \
         (MASSTREE_VERSION_MAJOR * 1000000 + MASSTREE_VERSION_MINOR * 1000 + MASSTREE_VERSION_PATCH)\n"
    )
    .expect("writing to a string");
    text
}
