//! # Looking at a whole tree
//!
//! Looking at a whole tree: its size, its health.

use std::ffi::{c_char, c_void};
use std::fmt::{self, Write};

use arrayvec::ArrayString;

use super::scan::{MASSTREE_CONTINUE, Visitor};
use crate::ffi::boundary::{self, For, give, tree_of};
use crate::ffi::handle::GuardHandle;
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;
use crate::index::tree::Format;

/// Stores the number of keys in the tree. It is exact when no thread is writing, also
/// after a masstree_clear to which threads wrote meanwhile; while threads write, it is a
/// recent approximation.
///
/// @param tree  The tree.
/// @param len   Where the number of keys is stored; NULL: not wanted.
///
/// @retval MASSTREE_OK       *len is the number of keys.
/// @retval MASSTREE_INVALID  tree is NULL.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_len(tree: *const TreeHandle, len: *mut u64) -> i32 {
    boundary::entry(|| {
        // SAFETY: NULL or a live tree by contract.
        let tree = unsafe { tree_of(tree) }?;
        // SAFETY: NULL or writable by contract.
        unsafe { give(len, tree.key_count()) };
        Ok(MASSTREE_OK)
    })
}

/// Receives text from the library, in pieces.
///
/// @param text  len bytes of UTF-8, not ended by a zero byte, valid during the call only.
/// @param len   Their number.
/// @param ctx   What was passed with the callback.
///
/// No lock is held. It must return: no longjmp, no C++ exception, no pthread_exit.
pub type WriteText =
    Option<unsafe extern "C" fn(text: *const c_char, len: usize, ctx: *mut c_void)>;

/// Walks the whole tree and verifies every invariant: the order of keys, the
/// bounds of nodes, the links among leaves, the shape of layers, the number of
/// keys. For tests and for suspicion; it visits every node.
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL to be pinned for this call.
/// @param write  Receives one line (ended by a newline) for each thing that is
///               wrong; NULL: not wanted.
/// @param ctx    Handed to write.
///
/// @retval MASSTREE_OK          Everything is as it must be.
/// @retval MASSTREE_CORRUPT     Something is not.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory for the walk.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// Thread safety: any thread, but no thread may write to the tree meanwhile: the
/// walk stays within the tree's memory, but takes a change half done for damage.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_check(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    write: WriteText,
    ctx: *mut c_void,
) -> i32 {
    boundary::entry(|| {
        // SAFETY: the callback is called as its type says.
        let mut sink = write.map(|write| unsafe { TextSink::new(write, ctx) });
        // SAFETY: as this function's contract.
        unsafe {
            boundary::on_tree(tree, guard, For::Any, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.count_call());
                let sound = tree.check(pin, &mut |line| {
                    if let Some(sink) = &mut sink {
                        // A sink takes everything.
                        let _ = sink.write_str(line);
                        sink.flush();
                    }
                })?;
                Ok(if sound { MASSTREE_OK } else { MASSTREE_CORRUPT })
            })
        }
    })
}

/// How masstree_dump shows a tree: as text, a line for each node and entry, indented by
/// layer and level.
pub const MASSTREE_DUMP_TEXT: u32 = 0;
/// How masstree_dump shows a tree: as a graph in Graphviz's language (`dot -Tsvg`).
pub const MASSTREE_DUMP_GRAPHVIZ: u32 = 1;

/// Writes what a tree is made of, node by node, for people who look for something: small
/// trees, then, for every key is written. Keys and byte-string values are in quotes, with
/// what is not printable ASCII in hexadecimal, cut after 48 bytes.
///
/// @param tree    The tree.
/// @param guard   A guard of this tree, or NULL to be pinned for this call.
/// @param format  MASSTREE_DUMP_TEXT or MASSTREE_DUMP_GRAPHVIZ.
/// @param write   Receives the text, in pieces.
/// @param ctx     Handed to write.
///
/// @retval MASSTREE_OK          Everything was written.
/// @retval MASSTREE_INVALID     tree or write is NULL, or format is unknown.
/// @retval MASSTREE_NOMEM       Out of memory for the visit; what was written is not all.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// Thread safety: any thread; takes no lock. While threads write, each node is shown as it
/// was at some moment. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_dump(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    format: u32,
    write: WriteText,
    ctx: *mut c_void,
) -> i32 {
    boundary::entry(|| {
        let write = write.ok_or(MASSTREE_INVALID)?;
        let format = match format {
            MASSTREE_DUMP_TEXT => Format::Text,
            MASSTREE_DUMP_GRAPHVIZ => Format::Graphviz,
            _ => return Err(MASSTREE_INVALID),
        };
        // SAFETY: the callback is called as its type says.
        let mut sink = unsafe { TextSink::new(write, ctx) };
        // SAFETY: as this function's contract.
        unsafe {
            boundary::on_tree(tree, guard, For::Any, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.count_call());
                // A sink takes everything.
                let _ = tree.dump(pin, format, &mut sink)?;
                Ok(MASSTREE_OK)
            })
        }
    })
}

/// Gives keys that cut a tree in parts of about as many keys each, for scans of several
/// threads at once: the first part ends before the first key given, each next begins with
/// one, and the last has no end. When no thread writes, no part has more than about twice the
/// even share and one leaf of keys. Some nodes are read for each part, not the parts; only a
/// layer with many keys that is hidden in one of many leaves takes looks at those.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
/// @param cuts     How many keys are wanted: one less than parts. Trees with fewer leaves
///                 than that may give fewer.
/// @param visit    Called for each key, in order, with its number (from 0) for a value; the
///                 rules of masstree_visitor_t apply. The keys need not be in the tree.
/// @param ctx      Handed to visit.
/// @param visited  Where the number of keys given is stored, also when memory runs out;
///                 NULL: not wanted.
///
/// @retval MASSTREE_OK          Done, or the visitor stopped.
/// @retval MASSTREE_INVALID     tree or visit is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; there may have been visits.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
/// @return A negative number that the visitor answered.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_pivots(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    cuts: usize,
    visit: Visitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    boundary::entry(|| {
        let visit = visit.ok_or(MASSTREE_INVALID)?;
        let mut count = 0;
        let mut status = MASSTREE_OK;
        let mut each = |key: &[u8]| {
            // SAFETY: the visitor is called as its type says.
            let answer = unsafe { visit(key.as_ptr().cast(), key.len(), count as u64, ctx) };
            count += 1;
            status = answer.min(MASSTREE_OK);
            answer == MASSTREE_CONTINUE
        };
        // SAFETY: as this function's contract.
        unsafe {
            let outcome = boundary::on_tree(tree, guard, For::Any, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.count_call());
                Ok(tree.pivots(pin, cuts, &mut each))
            })?;
            give(visited, count);
            outcome?;
        }
        Ok(status)
    })
}

/// Bytes of text that are handed on at once.
const PIECE: usize = 512;

/// Gathers text, and hands it on in pieces.
pub(in crate::ffi) struct TextSink {
    write: unsafe extern "C" fn(*const c_char, usize, *mut c_void),
    ctx: *mut c_void,
    text: ArrayString<PIECE>,
}

impl TextSink {
    /// # Safety
    /// `write` may be called with `ctx` and any text.
    pub(in crate::ffi) unsafe fn new(
        write: unsafe extern "C" fn(*const c_char, usize, *mut c_void),
        ctx: *mut c_void,
    ) -> Self {
        Self {
            write,
            ctx,
            text: ArrayString::new(),
        }
    }

    /// Hands on what there is.
    fn flush(&mut self) {
        if !self.text.is_empty() {
            // SAFETY: by the contract of `new`.
            unsafe { (self.write)(self.text.as_ptr().cast(), self.text.len(), self.ctx) };
            self.text.clear();
        }
    }
}

impl Write for TextSink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.text.try_push(character).is_err() {
                self.flush();
                self.text.push(character);
            }
        }
        Ok(())
    }
}

impl Drop for TextSink {
    fn drop(&mut self) {
        self.flush();
    }
}
