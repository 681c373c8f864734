//! Writes the nodes of a tree for people: as indented text, or as a graph.

use std::fmt::{self, Write};

use super::nodes::{Content, NodeView};
use crate::index::key::{SLICE_LEN, SUFFIX, Shown};
use crate::index::memory::OutOfMemory;
use crate::index::node::Entry;
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;

/// The format of a dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Lines of text, indented by layer and level.
    Text,
    /// A graph in Graphviz's language: `dot -Tsvg`.
    Graphviz,
}

/// The most spaces before a line, however many layers there are.
const DEEPEST: usize = 64;

impl Tree {
    /// Writes the tree's nodes to `to`; the C header documents the format at `masstree_dump`.
    /// An error from `to` ends the dump and is returned; no more is written then.
    pub fn dump(
        &self,
        pin: Pinned<'_>,
        format: Format,
        to: &mut dyn Write,
    ) -> Result<fmt::Result, OutOfMemory> {
        self.admit(pin, &[]);
        let mut outcome = Ok(());
        if format == Format::Graphviz {
            outcome = to.write_str("digraph masstree {\n  node [shape=box, fontname=monospace];\n");
        }
        self.visit_nodes(pin, &mut |node| {
            if outcome.is_ok() {
                outcome = match format {
                    Format::Text => self.write_text(pin, to, &node),
                    Format::Graphviz => self.write_graph(pin, to, &node),
                };
            }
        })?;
        if format == Format::Graphviz {
            outcome = outcome.and_then(|()| to.write_str("}\n"));
        }
        Ok(outcome)
    }

    fn write_text(
        &self,
        pin: Pinned<'_>,
        to: &mut dyn Write,
        node: &NodeView<'_, '_>,
    ) -> fmt::Result {
        let outer = (4 * node.layer).min(DEEPEST);
        let indent = (outer + 2 * node.depth_in_layer).min(DEEPEST);
        if node.depth_in_layer == 0 {
            write!(to, "{:outer$}layer {}", "", node.layer)?;
            match node.parent {
                None => to.write_char('\n')?,
                Some(parent) => writeln!(to, ", under node {parent}")?,
            }
        }
        let number = node.number;
        match &node.content {
            Content::Internode(keys) => {
                let len = keys.len();
                write!(to, "{:indent$}  internode {number}, {len} keys:", "")?;
                for key in *keys {
                    write!(to, " {}", Shown(&key.to_be_bytes()))?;
                }
                to.write_char('\n')
            }
            Content::Leaf(_, entries) => {
                let len = entries.len();
                writeln!(to, "{:indent$}  leaf {number}, {len} entries", "")?;
                for entry in entries.iter() {
                    write!(to, "{:indent$}    ", "")?;
                    self.write_entry(pin, to, &entry)?;
                    to.write_char('\n')?;
                }
                Ok(())
            }
        }
    }

    fn write_graph(
        &self,
        pin: Pinned<'_>,
        to: &mut dyn Write,
        node: &NodeView<'_, '_>,
    ) -> fmt::Result {
        let number = node.number;
        write!(to, "  n{number} [label=\"")?;
        match &node.content {
            Content::Internode(keys) => {
                write!(to, "internode {number}\\l")?;
                for key in *keys {
                    write!(Escaped(to), "{}", Shown(&key.to_be_bytes()))?;
                    to.write_str("\\l")?;
                }
            }
            Content::Leaf(_, entries) => {
                write!(to, "leaf {number}\\l")?;
                for entry in entries.iter() {
                    self.write_entry(pin, &mut Escaped(to), &entry)?;
                    to.write_str("\\l")?;
                }
            }
        }
        to.write_str("\"];\n")?;
        let Some(parent) = node.parent else {
            return Ok(());
        };
        let style = if node.depth_in_layer == 0 {
            " [style=dashed]"
        } else {
            ""
        };
        writeln!(to, "  n{parent} -> n{number}{style};")
    }

    fn write_entry(&self, pin: Pinned<'_>, to: &mut dyn Write, entry: &Entry<'_>) -> fmt::Result {
        let slice = entry.slice.to_be_bytes();
        let len = usize::from(entry.kind).min(SLICE_LEN);
        write!(to, "{}", Shown(&slice[..len]))?;
        if entry.kind == SUFFIX {
            write!(to, " + {}", Shown(&entry.suffix))?;
        }
        if entry.layer().is_some() {
            return to.write_str(" -> layer");
        }
        to.write_str(" = ")?;
        // SAFETY: the value was found under this pin.
        unsafe { (pin.domain().values().show)(entry.value(), to) }
    }
}

/// Escapes text for a quoted string of Graphviz.
struct Escaped<'w>(&'w mut dyn Write);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(['"', '\\']) {
            let (plain, last) = match piece.strip_suffix(['"', '\\']) {
                Some(plain) => (plain, &piece[plain.len()..]),
                None => (piece, ""),
            };
            self.0.write_str(plain)?;
            if !last.is_empty() {
                self.0.write_char('\\')?;
                self.0.write_str(last)?;
            }
        }
        Ok(())
    }
}

// These tests assume the usual greatest size of a group.
#[cfg(all(test, not(any(loom, shuttle, masstree_perturb))))]
mod tests {
    use super::*;
    use crate::index::node::GROUP_MAX;

    fn dump_of(format: Format) -> String {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        let keys = [
            "",
            "a\"b\\",
            "shared slice one",
            "shared slice two",
            "short\0",
        ];
        let layer = (0..=GROUP_MAX).map(|n| format!("a layer {n}"));
        for (i, key) in keys.map(str::to_owned).into_iter().chain(layer).enumerate() {
            tree.put(pin, key.as_bytes(), i as u64).unwrap();
        }
        let mut text = String::new();
        assert_eq!(tree.dump(pin, format, &mut text), Ok(Ok(())));
        text
    }

    #[test]
    fn text_shows_every_key_and_layer() {
        let expected = "\
layer 0
  leaf 0, 6 entries
    \"\" = 0
    \"a layer \" -> layer
    \"a\\\"b\\\\\" = 1
    \"shared s\" + \"lice one\" = 2
    \"shared s\" + \"lice two\" = 3
    \"short\\x00\" = 4
    layer 1, under node 0
      leaf 1, 7 entries
        \"0\" = 5
        \"1\" = 6
        \"2\" = 7
        \"3\" = 8
        \"4\" = 9
        \"5\" = 10
        \"6\" = 11
";
        assert_eq!(dump_of(Format::Text), expected);
    }

    #[test]
    fn a_graph_quotes_what_graphviz_would_read() {
        let expected = r#"digraph masstree {
  node [shape=box, fontname=monospace];
  n0 [label="leaf 0\l\"\" = 0\l\"a layer \" -> layer\l\"a\\\"b\\\\\" = 1\l\"shared s\" + \"lice one\" = 2\l\"shared s\" + \"lice two\" = 3\l\"short\\x00\" = 4\l"];
  n1 [label="leaf 1\l\"0\" = 5\l\"1\" = 6\l\"2\" = 7\l\"3\" = 8\l\"4\" = 9\l\"5\" = 10\l\"6\" = 11\l"];
  n0 -> n1 [style=dashed];
}
"#;
        assert_eq!(dump_of(Format::Graphviz), expected);
    }

    /// A sink with room for this many bytes; asserts that it is not written to after it
    /// failed.
    struct Full(usize);

    impl Write for Full {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            assert_ne!(self.0, usize::MAX, "asked again after it failed");
            let left = self.0.checked_sub(text.len());
            self.0 = left.unwrap_or(usize::MAX);
            left.map(|_| ()).ok_or(fmt::Error)
        }
    }

    /// Put back: write the next node after an error.
    #[test]
    fn a_dump_ends_where_it_cannot_be_written() {
        for format in [Format::Text, Format::Graphviz] {
            let tree = Tree::new(None).unwrap();
            let guard = tree.guard().unwrap();
            for n in 0..100_u64 {
                tree.put(guard.pin(), &n.to_be_bytes(), n).unwrap();
            }
            let mut whole = String::new();
            let outcome = tree.dump(guard.pin(), format, &mut whole);
            assert_eq!(outcome, Ok(Ok(())));
            for room in 0..whole.len() {
                let outcome = tree.dump(guard.pin(), format, &mut Full(room));
                assert_eq!(outcome, Ok(Err(fmt::Error)));
            }
            let outcome = tree.dump(guard.pin(), format, &mut Full(whole.len()));
            assert_eq!(outcome, Ok(Ok(())));
        }
    }

    /// Found in review: formatting panics on a width over 65535. Put back: indent by the
    /// number of layers without a limit.
    #[test]
    fn thousands_of_layers_are_shown_in_short_lines() {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let mut key = vec![b'p'; 200_000];
        for last in 0..=GROUP_MAX {
            key.push(last as u8);
            tree.put(guard.pin(), &key, 0).unwrap();
            key.pop();
        }
        let mut text = String::new();
        let outcome = tree.dump(guard.pin(), Format::Text, &mut text);
        assert_eq!(outcome, Ok(Ok(())));
        assert!(text.lines().all(|line| line.len() < 200));
        assert!(text.contains("layer 25000"));
    }
}
