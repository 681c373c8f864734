//! libmasstree: a concurrent ordered map from byte strings to 64-bit words, or to byte
//! strings (Masstree, a trie of B+trees: Mao, Kohler, Morris, EuroSys 2012).
//!
//! Caveats:
//!
//! - MASSTREE_OK is 0; positive statuses are regular outcomes other than success, negative ones
//!   are errors. Write `masstree_get(...) == MASSTREE_OK`, never `if (masstree_get(...))`.
//!   Every function that returns int32_t returns a status; its documentation lists them all.
//! - An output parameter may be NULL, unless its documentation says otherwise. Outputs are
//!   written only with the statuses for which the documentation says so.
//! - Any number of threads may use one tree, without registration. Only masstree_destroy
//!   requires that no other thread uses the tree, that every guard was left, and that every cursor
//!   and every loader was closed.
//! - Operations on one key are atomic, and all threads see them in the same order. A thread
//!   that synchronises with a writer, by any means of C11, sees its write. A write is not a
//!   full fence: if two threads each write one key and then read the other's, both may miss the
//!   other's write, unless each executes atomic_thread_fence(memory_order_seq_cst) in between.
//! - A value that is a pointer stays valid only while a guard is held, if the tree's value
//!   destructor frees it; so does a byte string that was not copied. Memory that readers may
//!   still use is not freed before their guards are refreshed or left: regularly refresh a
//!   guard that is held for long. masstree_stats reports how much memory waits, and for how
//!   long.
//! - Out of memory is MASSTREE_NOMEM, and the tree is as it was before the call; in functions for
//!   many keys, the items with this status are. The exception
//!   are the lists of memory reclamation, a few KiB for a tree, a thread or a guard and 4 KiB
//!   for every 128 objects that wait to be freed: they come from malloc, and the process aborts
//!   if that fails.
//! - After fork, the child cannot use trees of its parent: functions return MASSTREE_FORKED,
//!   and those that return nothing do nothing. The child can create trees of its own. But if,
//!   at the fork, another thread was entering or leaving a guard (leaving takes long if it runs a
//!   destructor that does), masstree_create returns MASSTREE_FORKED, too. Handlers of
//!   pthread_atfork may use the library if they were registered after it was loaded.
//! - Freeing memory uses the system call membarrier, where the kernel has it. A seccomp filter
//!   must allow it, or be installed before the first tree is created, which is when the library
//!   tests for it. If the call is refused later, the process aborts with an explanation on
//!   standard error (docs/memory.md, also on the system calls that waiting uses).
//! - Apart from that, the library does not print. It installs no signal handler, and stays
//!   loaded until the process ends, even after dlclose. No function changes errno, not even
//!   when it runs out of memory or waits: any call may run an allocator, a value destructor or
//!   the free function of a retired object, so the library restores errno after them. Changes
//!   that other callbacks make to errno stay.
//! - With NULL for a guard, a call pins for its own duration, and must end on the thread on
//!   which it began: if a callback may yield to a scheduler that continues it on another
//!   thread, pass a guard; without one, memory that the call reads may be freed. On one thread
//!   such calls may overlap and end in any order; memory that they may read is not freed while
//!   any of them is running. A library with debug assertions aborts if a call without a guard
//!   continues on another thread.
//! - "Takes no lock" means that a call locks nothing that other threads wait for, not that it
//!   never waits. A reader waits while another thread splits or merges the node that it reads,
//!   or moves its suffixes, and starts over if the node has changed; a writer waits for the thread
//!   that has locked its leaf, for a write or by masstree_hold. So do not call the library
//!   from a signal handler: the interrupted thread may be in the middle of such a change, and
//!   then masstree_get waits for ever. A waiting thread spins, then yields, then sleeps up to a
//!   millisecond at a time, so that a thread of lower priority can finish its change; there is
//!   no priority inheritance.
//! - ThreadSanitizer sees the synchronisation inside the library only if the library was built
//!   for it: see docs/sanitizers.md.
//! - Where a callback may end a call with a negative number, the call returns this number. Those
//!   from MASSTREE_OWN_STATUS down are the program's own: the library never returns one of them by
//!   itself.
//! - Callbacks run with no lock held, except for those of masstree_update and
//!   masstree_get_or_insert_with. masstree_hold returns with a leaf locked.
//!
//! Example:
//!
//! ```c
//! masstree_t *tree;
//! uint64_t value;
//! if (masstree_create(NULL, &tree) != MASSTREE_OK) ...
//! masstree_put(tree, NULL, "key", 3, 42);
//! if (masstree_get(tree, NULL, "key", 3, &value) == MASSTREE_OK) ...
//! masstree_destroy(tree);
//! ```

pub mod options;

pub mod tree;

pub mod get;

pub mod point;

pub mod guard;

pub mod scan;

pub mod scan_delimited;

pub mod estimate;

pub mod sample;

pub mod remove_range;

pub mod update;

pub mod add;

pub mod get_or_insert;

pub mod bytes;

pub mod bytes_write;

pub mod update_bytes;

pub mod pop;

pub mod cursor;

pub mod cursor_open;

pub mod cursor_move;

pub mod seek;

pub mod longest_prefix;

pub mod get_many;

pub mod write_many;

pub mod bulk_load;

pub mod bulk_load_from;

pub mod loader;

pub mod export_to;

pub mod memory;

pub mod inspect;

pub mod stats;

pub mod version;

pub(in crate::ffi) mod batch;

#[cfg(all(
    test,
    debug_assertions,
    target_os = "linux",
    target_env = "gnu",
    not(any(loom, shuttle))
))]
mod fibers;
