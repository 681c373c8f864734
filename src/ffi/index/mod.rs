//! libmasstree: a concurrent ordered map from byte strings to 64-bit words, or to byte
//! strings (Masstree, a trie of B+trees: Mao, Kohler, Morris, EuroSys 2012).
//!
//! Caveats, before anything else:
//!
//! - MASSTREE_OK is 0, answers are positive, errors negative. Zero means "yes,
//!   done", so write `masstree_get(...) == MASSTREE_OK`, never `if (masstree_get(...))`.
//!   Every function that returns int32_t returns a status, documented with it.
//! - An output pointer may be NULL ("not wanted"). Outputs are written only when
//!   the function's documentation says so for the status it returns.
//! - Any number of threads may use one tree, without registration. Only
//!   masstree_destroy needs the tree for itself, and every guard left.
//! - Operations on one key are atomic, in one order for all threads. Who learns of a write
//!   from its thread, in whatever way C11 calls synchronisation, sees it. A write is not a
//!   full fence: where two threads each write one key and then read the other's, both may
//!   miss the other's write, unless atomic_thread_fence(memory_order_seq_cst) comes between.
//! - A value that is a pointer stays valid only while a guard is held, if the
//!   tree's value destructor frees it; so does a byte string that was not copied. Memory
//!   that readers may still see waits for their guards: refresh a guard that is kept for
//!   long. masstree_stats shows how much waits, and for how long.
//! - Out of memory is MASSTREE_NOMEM, and the tree is as it was before the call. The
//!   exception are the lists of memory reclamation, a few KiB for a tree, a thread
//!   or a guard and 4 KiB for every 128 objects that wait to be freed: they come from
//!   malloc, cannot fail, and the process aborts if memory runs out just there.
//! - After fork, the child cannot use trees of its parent: MASSTREE_FORKED, and functions
//!   that return nothing do nothing. It can make trees of its own; but if another thread
//!   was just entering or leaving a guard, in a destructor that took its time,
//!   masstree_create answers MASSTREE_FORKED too. Handlers of pthread_atfork may use the
//!   library if they were registered after it was loaded.
//! - Freeing needs the system call membarrier, where the kernel has it. A seccomp filter must
//!   allow it, or be installed before the first tree is made, when the library finds out.
//!   If it is refused later, the process aborts, with an explanation on standard error
//!   (docs/memory.md, also for the system calls that waiting needs).
//! - But for that, the library does not print. It installs no signal handler, and stays loaded
//!   until the process ends, also after dlclose. No function changes errno, also where memory runs
//!   out or it waits: what an allocator, a value destructor or the function of a retired
//!   object sets is undone, since any call may run them; what other callbacks set stays.
//! - NULL for a guard pins for that call, which must end on the thread it began on: a
//!   callback that may yield to a scheduler, and go on on another thread, needs a call with
//!   a guard; without one, what the call reads may have been freed. On one thread such calls
//!   may overlap and end in any order; what they could see is freed when none is under way.
//!   A library with debug assertions aborts where a call goes on on another thread.
//! - "Takes no lock" says that a call locks nothing that others wait for, not that it never
//!   waits: a reader waits while another thread splits or merges the very node that it reads,
//!   or moves its suffixes, and starts over when it has changed; a writer waits for the
//!   writer, or the holder, of the same leaf. So do not call the library from a signal
//!   handler: the thread it interrupted may be in the midst of such a change, and get waits
//!   for ever. A waiting thread spins, then yields, then sleeps up to a millisecond at a time,
//!   so that a thread of lower priority gets to end what it began; there is no priority
//!   inheritance.
//! - ThreadSanitizer sees what this library orders only if it was built for that: see
//!   docs/sanitizers.md.
//! - Callbacks run with no lock held, but for those of masstree_update and
//!   masstree_get_or_insert_with; masstree_hold keeps a lock for its caller.
//!
//! In short:
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

pub mod update;

pub mod get_or_insert;

pub mod bytes;

pub mod bytes_conditional;

pub mod cursor;

pub mod cursor_many;

pub mod batch;

pub mod batch_write;

pub mod bulk_load;

pub mod memory;

pub mod inspect;

pub mod stats;

pub mod version;

#[cfg(all(
    test,
    debug_assertions,
    target_os = "linux",
    target_env = "gnu",
    not(any(loom, shuttle))
))]
mod fibers;
