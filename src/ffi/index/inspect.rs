//! # Whole trees
//!
//! The number of keys, verification, dumps, and pivots.

use std::ffi::{c_char, c_void};
use std::fmt::{self, Write};

use arrayvec::ArrayString;

use super::scan::MASSTREE_VISIT_CONTINUE;
use crate::ffi::boundary::{self, ValueKind, tree_of, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::tree::Format;

/// Returns the number of keys in the tree. It is exact when no thread is writing, even after a
/// masstree_clear during which other threads wrote; while threads write, it is a recent
/// approximation.
///
/// @param tree  The tree.
/// @param len   Receives the number of keys. May be NULL.
///
/// @retval MASSTREE_OK       *len is the number of keys.
/// @retval MASSTREE_INVALID  tree is NULL.
/// @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_len(tree: *const TreeHandle, len: *mut u64) -> i32 {
    boundary::status_of(|| {
        // SAFETY: NULL or a live tree by contract.
        let tree = unsafe { tree_of(tree) }?;
        // SAFETY: NULL or writable by contract.
        unsafe { write_output(len, tree.key_count()) };
        Ok(MASSTREE_OK)
    })
}

/// Returns how many bytes a tree holds, in use or not: the chunks of its pools of nodes and suffixes, and
/// what it has allocated outside of them for values, versions and suffixes. It grows with the tree.
/// Memory of displaced objects counts until it is freed or goes back to a pool. Guards, cursors,
/// snapshots and loaders, some kilobytes that every tree takes, the lists of memory reclamation, and
/// objects that were passed to masstree_retire do not count.
///
/// In trees of words and of versions it is one relaxed load of a counter, fast enough to be asked after
/// every insert; in trees of byte strings, a sum of 17. Without writers, the result is less than the
/// exact number by less than 4 KiB for each thread that has allocated, and by less than 64 KiB in all,
/// and never more.
///
/// @param tree   The tree.
/// @param bytes  Receives the number of bytes. May be NULL.
///
/// @retval MASSTREE_OK       *bytes is the number of bytes.
/// @retval MASSTREE_INVALID  tree is NULL.
/// @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_memory_held(tree: *const TreeHandle, bytes: *mut u64) -> i32 {
    boundary::status_of(|| {
        // SAFETY: NULL or a live tree by contract.
        let tree = unsafe { tree_of(tree) }?;
        // SAFETY: NULL or writable by contract.
        unsafe { write_output(bytes, tree.memory_held()) };
        Ok(MASSTREE_OK)
    })
}

/// Receives text from the library, in pieces.
///
/// @param text  len bytes of UTF-8, without a terminating zero byte; valid during this call
///              only.
/// @param len   Their length in bytes.
/// @param ctx   The ctx that was passed with the callback.
///
/// No lock is held. It must return: no longjmp, no C++ exception, no pthread_exit.
pub type WriteText =
    Option<unsafe extern "C" fn(text: *const c_char, len: usize, ctx: *mut c_void)>;

/// Verifies every invariant of a tree: the order of keys, the bounds of nodes, the links
/// between leaves, the shape of layers, the number of keys; and the lists of a versioned tree.
/// For tests and debugging; visits every node.
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
/// @param write  Called with one line of text (ending in a newline) for each violation. May be
///               NULL.
/// @param ctx    Passed to write.
///
/// @retval MASSTREE_OK          Every invariant holds.
/// @retval MASSTREE_CORRUPT     An invariant is violated.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory for the walk.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread, but no thread may write to the tree during the call: the call
/// accesses only memory of the tree, but reports a half-finished change as a violation. Trims of
/// versions, also those in the background of a store, do nothing meanwhile; one that is under way is
/// waited for, but not for long. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_check(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    write: WriteText,
    ctx: *mut c_void,
) -> i32 {
    boundary::status_of(|| {
        // SAFETY: the callback is called as its type says.
        let mut sink = write.map(|write| unsafe { TextSink::new(write, ctx) });
        // SAFETY: as this function's contract.
        unsafe {
            let versioned = tree.as_ref().and_then(TreeHandle::versioned);
            boundary::on_tree(tree, guard, ValueKind::Any, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.count_call());
                let mut report = |line: &str| {
                    if let Some(sink) = &mut sink {
                        // Writing to a sink cannot fail.
                        let _ = sink.write_str(line);
                        sink.flush();
                    }
                };
                let sound = match versioned {
                    Some(versioned) => versioned.check(pin, &mut report),
                    None => tree.check(pin, &mut report),
                }?;
                Ok(if sound { MASSTREE_OK } else { MASSTREE_CORRUPT })
            })
        }
    })
}

/// Format of masstree_dump: text, with a line for each node and entry, indented by layer and
/// level.
pub const MASSTREE_DUMP_TEXT: u32 = 0;
/// Format of masstree_dump: a graph in the language of Graphviz (`dot -Tsvg`).
pub const MASSTREE_DUMP_GRAPHVIZ: u32 = 1;

/// Writes the nodes of a tree, for debugging. Writes every key: suited to small trees. Keys and
/// byte-string values are quoted, with bytes other than printable ASCII in hexadecimal, and
/// truncated after 48 bytes.
///
/// @param tree    The tree.
/// @param guard   A guard of this tree, or NULL: then this call pins for its own duration.
/// @param format  MASSTREE_DUMP_TEXT or MASSTREE_DUMP_GRAPHVIZ.
/// @param write   Called with the text, in pieces.
/// @param ctx     Passed to write.
///
/// @retval MASSTREE_OK          Everything was written.
/// @retval MASSTREE_INVALID     tree or write is NULL, or format is unknown.
/// @retval MASSTREE_NOMEM       Out of memory for the walk; the text is incomplete.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread; takes no lock. While threads write, each node is written as it
/// was at some moment during the call. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_dump(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    format: u32,
    write: WriteText,
    ctx: *mut c_void,
) -> i32 {
    boundary::status_of(|| {
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
            boundary::on_tree(tree, guard, ValueKind::Any, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.count_call());
                // Writing to a sink cannot fail.
                let _ = tree.dump(pin, format, &mut sink)?;
                Ok(MASSTREE_OK)
            })
        }
    })
}

/// Called for each pivot of masstree_pivots, in ascending order.
///
/// @param key      The key's bytes; valid during this call only. Never NULL, not even for the
///                 empty key.
/// @param key_len  Length of the key in bytes.
/// @param index    How many keys were visited before this one: 0 for the first.
/// @param ctx      The ctx that was passed to masstree_pivots.
///
/// @return As masstree_visitor_t, whose rules apply.
pub type PivotVisitor = Option<
    unsafe extern "C" fn(key: *const c_void, key_len: usize, index: usize, ctx: *mut c_void) -> i32,
>;

/// Selects pivots: keys that divide a tree into parts of about equally many keys, for scans by
/// several threads. The first part ends before the first pivot, each further part begins with a
/// pivot, and the last part is unbounded. If no thread writes, no part has more than about
/// twice the even share and one leaf of keys. Reads the nodes on a hundred ways or so from the
/// root to a leaf for each part, never on more than about a thousand; not the parts themselves.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param cuts     Number of pivots, one less than parts. A tree with few keys for
///                 each part may have fewer pivots.
/// @param visit    Called for each pivot, in order; see masstree_pivot_visitor_t. The pivots
///                 need not be keys of the tree.
/// @param ctx      Passed to visit.
/// @param visited  Receives the number of pivots visited, also with MASSTREE_NOMEM and if the
///                 visitor ended the call. May be NULL.
///
/// @retval MASSTREE_OK          Done, or the visitor returned a positive number.
/// @retval MASSTREE_INVALID     tree or visit is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; the visitor may have been called.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
/// @return The negative number that the visitor returned.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_pivots(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    cuts: usize,
    visit: PivotVisitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    boundary::status_of(|| {
        let visit = visit.ok_or(MASSTREE_INVALID)?;
        let mut count = 0;
        let mut status = MASSTREE_OK;
        let mut each = |key: &[u8]| {
            // SAFETY: the visitor is called as its type says.
            let result = unsafe { visit(key.as_ptr().cast(), key.len(), count, ctx) };
            count += 1;
            status = result.min(MASSTREE_OK);
            result == MASSTREE_VISIT_CONTINUE
        };
        // SAFETY: as this function's contract.
        unsafe {
            let outcome = boundary::on_tree(tree, guard, ValueKind::Any, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.count_call());
                Ok(tree.pivots(pin, cuts, &mut each))
            })?;
            write_output(visited, count);
            outcome?;
        }
        Ok(status)
    })
}

/// Size in bytes of the pieces of text.
const PIECE: usize = 512;

/// Buffers text, and passes it to the callback in pieces.
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

    /// Passes the buffered text on.
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
