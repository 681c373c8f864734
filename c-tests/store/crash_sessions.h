/* Sessions that run transactions in a process that is killed, and note in memory that it shares with the process
   that checks, a mapped file, what each has read and written.

   A session describes a transaction before its commit (`begun`), and notes the number afterwards (`returned`). So of
   each session at most one transaction has an unknown outcome. One that was refused is not counted. */
#ifndef MASSTREE_TEST_CRASH_SESSIONS_H
#define MASSTREE_TEST_CRASH_SESSIONS_H

#include "../silo/checker.h"
#include "stores.h"

#include <stdatomic.h>

enum {
    SESSIONS = 4,
    TREES = 3,
    KEYS = 8, /* of a tree */
    ALL_KEYS = TREES * KEYS,
    READS = 4 * KEYS,
    WRITES = 3,
    ENTRIES = 1 << 12, /* transactions of a session in a round, at most */
    KEY_LENGTH = 6,
    KEY_ROOM = 12,
};

/* The tree in which each session stores how many transactions it has committed. */
#define COUNTERS "counters"

struct place_in_session {
    uint64_t round;
    uint64_t count;
};

struct told {
    uint64_t number; /* of the commit, or of the snapshot */
    uint32_t read_count, write_count;
    bool is_safe; /* the commit has returned as written, or as durable */
    bool removes[WRITES];
    struct access reads[READS];
    struct access writes[WRITES];
};

struct lane {
    _Atomic uint64_t begun;
    _Atomic uint64_t returned;
    struct told entries[ENTRIES];
};

struct sessions {
    uint32_t isolation;
    bool meets; /* transactions of all sessions begin together, so that each runs beside others */
    uint64_t round;
    uint64_t absent[ALL_KEYS]; /* which commits have written the keys last, before this round */
    struct lane lanes[SESSIONS];
};

/* Maps the file, which is made if it is not there. */
struct sessions *sessions_map(const char *path);
void sessions_unmap(struct sessions *sessions);
/* Begins a round: nothing has begun. */
void sessions_begin(struct sessions *sessions, uint64_t round);

const char *tree_name(uint32_t key);
const char *key_text(uint32_t key, char *text);

/* Opens the store, and runs the sessions until the process is killed. */
_Noreturn void sessions_run(struct sessions *sessions, const char *directory, uint64_t seed);

#endif
