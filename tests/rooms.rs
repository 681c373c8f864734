//! The rooms of `src` are ordered: code of a room names only rooms below its own.
//!
//! Every path that begins with `crate` or `super` counts, in `use` declarations, in the tokens of
//! macros and elsewhere, except in code of tests. A re-exported name (`pub use`) counts as the item that
//! it names.
#![cfg(not(any(loom, shuttle)))]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ItemUse, UseTree};

/// From the bottom up. A module belongs to the room with the longest name that is a prefix of
/// its own.
const ROOMS: [&str; 30] = [
    "annotate",
    "errno",
    "sync",
    "protocol",
    "index::memory",
    "index::key",
    "index::key_source",
    "index::value",
    "index::node",
    "index::reclaim",
    "index::tree",
    "index::tree::read",
    "index::tree::walk",
    "index::tree::write",
    "index::tree::whole",
    "versioned",
    "durable::bytes",
    "durable::threads",
    "durable::io",
    "durable::log",
    "durable::checkpoint",
    "durable::store",
    "ffi::status",
    "ffi::handle",
    "ffi::boundary",
    "ffi::index",
    "ffi::occ",
    "ffi::versioned",
    "ffi::store",
    "ffi",
];

type Module = Vec<String>;

/// A module's source.
struct Source {
    file: PathBuf,
    module: Module,
    syntax: syn::File,
}

/// Collects the absolute paths that code of a module names.
struct Paths<'a> {
    module: &'a Module,
    found: BTreeSet<Module>,
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    (attributes.iter()).any(|attribute| {
        attribute.path().is_ident("cfg")
            && (attribute.meta.require_list())
                .is_ok_and(|list| list.tokens.to_string().contains("test"))
    })
}

impl Paths<'_> {
    /// Records a path if it begins with `crate` or `super`.
    fn note(&mut self, path: &[String]) {
        let supers = path.iter().take_while(|part| *part == "super").count();
        let absolute = match path.first().map(String::as_str) {
            Some("crate") => path[1..].to_vec(),
            Some("super") if supers <= self.module.len() => {
                let parent = &self.module[..self.module.len() - supers];
                [parent, &path[supers..]].concat()
            }
            _ => return,
        };
        self.found.insert(absolute);
    }

    fn note_tree(&mut self, before: &mut Module, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.note_tree(before, &path.tree);
                before.pop();
            }
            UseTree::Name(name) => {
                self.note(&[before.as_slice(), &[name.ident.to_string()]].concat());
            }
            UseTree::Rename(rename) => {
                self.note(&[before.as_slice(), &[rename.ident.to_string()]].concat());
            }
            UseTree::Glob(_) => self.note(before),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.note_tree(before, tree);
                }
            }
        }
    }
}

/// Collects the paths among the tokens of a macro: names separated by `::`. Those in the braces of
/// a `use` begin with `before`.
fn paths_in(tokens: TokenStream, before: &Module, paths: &mut Vec<Module>) {
    let mut path = before.clone();
    let mut colons = 2;
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Ident(name) => {
                if colons != 2 {
                    paths.push(std::mem::replace(&mut path, before.clone()));
                }
                path.push(name.to_string());
                colons = 0;
            }
            other => {
                let path = std::mem::replace(&mut path, before.clone());
                if let TokenTree::Group(group) = other {
                    let inside = if colons == 2 { &path } else { &Module::new() };
                    paths_in(group.stream(), inside, paths);
                }
                paths.push(path);
                colons = 2;
            }
        }
    }
    paths.push(path);
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        // A module inside a file is one of tests, and its `super` is a different module.
        if !matches!(item, syn::Item::Mod(_)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.note_tree(&mut Vec::new(), &item.tree);
        }
    }

    // `pub(in …)` names a room that may see the item; it is no use of that room.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_macro(self, item);
        }
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        let mut paths = Vec::new();
        paths_in(called.tokens.clone(), &Module::new(), &mut paths);
        for path in paths {
            self.note(&path);
        }
        visit::visit_macro(self, called);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Module = (path.segments.iter())
            .map(|segment| segment.ident.to_string())
            .collect();
        self.note(&parts);
        visit::visit_path(self, path);
    }
}

/// The library's sources, without modules of tests.
fn sources(directory: &Path, module: &Module, into: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).expect("src is a directory") {
        let path = entry.expect("an entry of src").path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if stem == "models" || stem == "tests" {
            continue;
        }
        let mut within = module.clone();
        if !["lib", "mod"].contains(&stem.as_str()) {
            within.push(stem);
        }
        if path.is_dir() {
            sources(&path, &within, into);
        } else {
            let text = fs::read_to_string(&path).expect("a source is UTF-8");
            let syntax = syn::parse_file(&text).expect("a source is Rust");
            into.push(Source {
                file: path,
                module: within,
                syntax,
            });
        }
    }
}

/// Maps each name that a module re-exports from modules below it to the item that it names.
fn reexports(sources: &[Source]) -> BTreeMap<Module, Module> {
    let modules: BTreeSet<&Module> = sources.iter().map(|source| &source.module).collect();
    let mut names = BTreeMap::new();
    for source in sources {
        for item in &source.syntax.items {
            let syn::Item::Use(item) = item else { continue };
            let mut paths = Paths {
                module: &source.module,
                found: BTreeSet::new(),
            };
            // Resolved as if the path began with `super` in a module below.
            let below = [source.module.as_slice(), &["below".to_owned()]].concat();
            paths.module = &below;
            paths.note_tree(&mut vec!["super".to_owned()], &item.tree);
            for path in paths.found {
                let (name, of) = path.split_last().unwrap();
                if modules.contains(&of.to_vec()) && of.len() > source.module.len() {
                    let here = [source.module.as_slice(), std::slice::from_ref(name)].concat();
                    names.insert(here, path);
                }
            }
        }
    }
    names
}

/// The index in `ROOMS` of a module or of an item in it; `None` for the modules that contain
/// rooms.
fn room(path: &Module) -> Option<usize> {
    let begins = |room: &str| {
        let parts: Vec<&str> = room.split("::").collect();
        path.len() >= parts.len() && parts.iter().zip(path).all(|(part, name)| part == name)
    };
    (0..ROOMS.len())
        .filter(|&place| begins(ROOMS[place]))
        .max_by_key(|&place| ROOMS[place].len())
}

fn arrows_up(sources: &[Source]) -> Vec<String> {
    let names = reexports(sources);
    let mut up = Vec::new();
    for source in sources {
        let Some(here) = room(&source.module) else {
            continue;
        };
        let mut paths = Paths {
            module: &source.module,
            found: BTreeSet::new(),
        };
        paths.visit_file(&source.syntax);
        for path in paths.found {
            let target = (1..=path.len())
                .find_map(|length| names.get(&path[..length]))
                .unwrap_or(&path);
            if room(target).is_some_and(|used| used > here) {
                let (file, named) = (source.file.display(), target.join("::"));
                up.push(format!("{file}, in {}, names {named}", ROOMS[here]));
            }
        }
    }
    up
}

/// Put back: `use crate::index::tree::Sweep;` in `src/index/reclaim/mod.rs`.
#[test]
fn no_room_names_one_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    sources(&src, &Vec::new(), &mut all);
    for source in &all {
        let known = source.module.len() < 2 || room(&source.module).is_some();
        assert!(
            known,
            "{} is in no room of tests/rooms.rs",
            source.file.display()
        );
    }
    let up = arrows_up(&all);
    assert!(up.is_empty(), "arrows that run up:\n{}", up.join("\n"));
}

fn source(module: &str, text: &str) -> Source {
    Source {
        file: module.into(),
        module: module.split("::").map(str::to_owned).collect(),
        syntax: syn::parse_str(text).unwrap(),
    }
}

#[test]
fn paths_through_reexports_are_seen() {
    let sources = [
        source("index::tree", "pub use write::put::Decision; mod write;"),
        source("index::tree::write::put", "pub enum Decision {}"),
        source(
            "index::tree::read::get",
            "use crate::index::tree::{Tree, Decision};",
        ),
        source(
            "index::tree::read::batch",
            "fn f() { super::super::write::put::g() }",
        ),
        source(
            "index::tree::write::split",
            "use crate::index::tree::Decision;",
        ),
        source("index::node", "#[cfg(test)] use crate::index::tree::Tree;"),
    ];
    let up = arrows_up(&sources);
    assert_eq!(up.len(), 2, "{up:?}");
}

/// Put back: leave out `visit_macro`.
#[test]
fn paths_in_macro_calls_are_seen() {
    let text = "fn f() {
        #[cfg(debug_assertions)]
        assert!(!crate::ffi::occ::held::is_held_under(slot), \"why\");
        assert!(x.all(|y: &crate::index::tree::Tree| { super::super::ffi::g(y) }));
        once!(use crate::{index::{key, reclaim::Guard}, versioned};);
    }";
    let up = arrows_up(&[source("index::node", text)]);
    assert_eq!(up.len(), 5, "{up:?}");
}
