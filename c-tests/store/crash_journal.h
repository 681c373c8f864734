/* What a process that is going to crash has done to a store, in memory that it shares with the process that
   checks: a mapped file, which outlives it.

   A thread describes each operation before the call (`begun`), and notes the commit's number after it
   (`returned`). So of each thread at most one operation has an unknown outcome. `written` and `durable`
   are numbers whose level was reported; all commits up to them must be found. Values tell which
   operation stored them, and every byte of them follows from that. */
#ifndef MASSTREE_TEST_CRASH_JOURNAL_H
#define MASSTREE_TEST_CRASH_JOURNAL_H

#include "support.h"

#include <stdatomic.h>

enum {
    CRASH_TREES = 2,
    CRASH_SHARED = 300,  /* keys that all threads write */
    CRASH_OWN = 12,      /* keys of each thread, which it renames */
    CRASH_THREADS = 16,  /* at most */
    CRASH_KEYS = CRASH_SHARED + CRASH_THREADS * (CRASH_OWN + 1), /* and a counter of each */
    CRASH_CHANGES = 6,   /* of an operation, at most */
    CRASH_ENTRIES = 1 << 16, /* operations of a thread, at most */
    CRASH_VALUE_MAX = 700,
    CRASH_KEY_LENGTH = 6,
};

enum crash_kind { CRASH_PUT, CRASH_REMOVE, CRASH_RENAME, CRASH_BATCH };

struct crash_change {
    uint8_t tree;
    bool removes;
    uint16_t key;
};

struct crash_entry {
    uint64_t number; /* of the commit; 0: nothing was changed */
    uint8_t kind;
    uint8_t count;
    /* Of a rename: the key, and its target. */
    struct crash_change changes[CRASH_CHANGES];
};

struct crash_lane {
    _Atomic uint64_t begun;
    _Atomic uint64_t returned;
    _Atomic uint64_t written;
    _Atomic uint64_t durable;
    struct crash_entry entries[CRASH_ENTRIES];
};

struct crash_journal {
    size_t threads;
    uint64_t round; /* part of all values */
    atomic_bool stops;
    struct crash_lane lanes[CRASH_THREADS];
};

/* Maps the file, which is made if it is not there. */
struct crash_journal *crash_journal_map(const char *path);
void crash_journal_unmap(struct crash_journal *journal);
/* Begins a round: the journal is empty. */
void crash_journal_begin(struct crash_journal *journal, size_t threads, uint64_t round);
/* Whether a thread has begun an operation. */
bool crash_has_begun(struct crash_journal *journal);
/* The highest number that was reported as durable; or, with `written`, as written. */
uint64_t crash_acknowledged(struct crash_journal *journal, bool written);
void crash_acknowledge(_Atomic uint64_t *level, uint64_t number);

size_t crash_own_key(size_t thread, size_t index);
size_t crash_counter_key(size_t thread);
const char *crash_tree_name(size_t tree);
/* CRASH_KEY_LENGTH bytes. */
void crash_key(size_t key, char *text);
/* The number of a key; false if there is no such key. */
bool crash_key_number(const void *text, size_t len, size_t *key);

/* What tells an operation from all others of all rounds, and its changes from each other. */
uint64_t crash_tag(uint64_t round, size_t thread, uint64_t index, size_t change);
/* The value with a tag; returns its length, 8 to CRASH_VALUE_MAX bytes. The tag comes first. */
size_t crash_value(uint64_t tag, unsigned char *value);

/* The writing process: opens the store, and writes until it is killed or `stops` is set. Does not
   return from an error. */
void crash_write(struct crash_journal *journal, const char *directory, uint64_t seed);

#endif
