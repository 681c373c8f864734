/* The process that crashes: threads that put, remove, rename and commit batches, and wait for some of
   their commits in every way that there is. */
#include "crash_journal.h"

#include <sched.h>

struct writer {
    struct crash_journal *journal;
    masstree_store_t *store;
    masstree_t *trees[CRASH_TREES];
    masstree_batch_t *batch;
    struct crash_lane *lane;
    size_t thread;
    uint64_t random;
};

static void on_durable(uint64_t commit, int32_t status, void *ctx)
{
    struct crash_lane *lane = ctx;
    if (status == MASSTREE_OK) {
        crash_acknowledge(&lane->durable, commit);
    }
}

/* Chooses an operation. */
static struct crash_entry choose(struct writer *writer)
{
    uint64_t *random = &writer->random;
    struct crash_entry entry = {.count = 1};
    uint8_t tree = (uint8_t)random_below(random, CRASH_TREES);
    size_t kind = random_below(random, 10);
    entry.kind = kind < 4 ? CRASH_PUT : kind < 6 ? CRASH_REMOVE : kind < 8 ? CRASH_RENAME : CRASH_BATCH;
    entry.changes[0] = (struct crash_change){
        tree, entry.kind == CRASH_REMOVE, (uint16_t)random_below(random, CRASH_SHARED)};
    if (entry.kind == CRASH_PUT && random_below(random, 4) == 0) {
        entry.changes[0].key =
            (uint16_t)crash_own_key(writer->thread, random_below(random, CRASH_OWN));
    }
    if (entry.kind == CRASH_RENAME) {
        size_t from = random_below(random, CRASH_OWN);
        size_t to = (from + 1 + random_below(random, CRASH_OWN - 1)) % CRASH_OWN;
        entry.count = 2;
        entry.changes[0] = (struct crash_change){
            tree, true, (uint16_t)crash_own_key(writer->thread, from)};
        entry.changes[1] = (struct crash_change){
            tree, false, (uint16_t)crash_own_key(writer->thread, to)};
    }
    if (entry.kind == CRASH_BATCH) {
        /* The counter, which only this thread writes, shows afterwards whether the batch was committed. */
        entry.count = (uint8_t)(2 + random_below(random, CRASH_CHANGES - 1));
        entry.changes[0] = (struct crash_change){
            tree, false, (uint16_t)crash_counter_key(writer->thread)};
        for (size_t i = 1; i < entry.count; i++) {
            entry.changes[i] = (struct crash_change){
                (uint8_t)random_below(random, CRASH_TREES), random_below(random, 3) == 0,
                (uint16_t)random_below(random, CRASH_SHARED)};
        }
    }
    return entry;
}

static int32_t commit_batch(struct writer *writer, const struct crash_entry *entry, uint64_t index,
                            uint64_t *number)
{
    unsigned char value[CRASH_VALUE_MAX];
    masstree_batch_clear(writer->batch);
    for (size_t i = 0; i < entry->count; i++) {
        const struct crash_change *change = &entry->changes[i];
        masstree_t *tree = writer->trees[change->tree];
        char key[CRASH_KEY_LENGTH];
        crash_key(change->key, key);
        size_t len = crash_value(crash_tag(writer->journal->round, writer->thread, index, i), value);
        REQUIRE((change->removes
                     ? masstree_batch_remove(writer->batch, tree, key, sizeof key)
                     : masstree_batch_put(writer->batch, tree, key, sizeof key, value, len)) ==
                MASSTREE_OK);
    }
    return masstree_store_commit(writer->store, writer->batch, number, NULL);
}

static int32_t run(struct writer *writer, const struct crash_entry *entry, uint64_t index,
                   uint64_t *number)
{
    unsigned char value[CRASH_VALUE_MAX];
    char key[CRASH_KEY_LENGTH], target[CRASH_KEY_LENGTH];
    masstree_t *tree = writer->trees[entry->changes[0].tree];
    crash_key(entry->changes[0].key, key);
    size_t len = 0;
    switch (entry->kind) {
    case CRASH_PUT:
        len = crash_value(crash_tag(writer->journal->round, writer->thread, index, 0), value);
        return masstree_store_put(writer->store, tree, key, sizeof key, value, len, number);
    case CRASH_REMOVE:
        return masstree_store_remove(writer->store, tree, key, sizeof key, number);
    case CRASH_RENAME:
        crash_key(entry->changes[1].key, target);
        return masstree_store_rename(writer->store, tree, key, sizeof key, target, sizeof target,
                                     MASSTREE_RENAME_FORCE, number);
    default:
        return commit_batch(writer, entry, index, number);
    }
}

/* Waits for the commit, or not; notes what was reported. */
static void acknowledge(struct writer *writer, uint64_t number)
{
    struct crash_lane *lane = writer->lane;
    switch (random_below(&writer->random, 150)) {
    case 0:
        REQUIRE(masstree_store_wait(writer->store, number, MASSTREE_DURABLE) == MASSTREE_OK);
        crash_acknowledge(&lane->durable, number);
        break;
    case 1:
        REQUIRE(masstree_store_sync(writer->store) == MASSTREE_OK);
        crash_acknowledge(&lane->durable, number);
        break;
    case 2:
        REQUIRE(masstree_store_on_durable(writer->store, number, on_durable, lane) == MASSTREE_OK);
        break;
    case 3:
    case 4:
    case 5:
        REQUIRE(masstree_store_wait(writer->store, number, MASSTREE_WRITTEN) == MASSTREE_OK);
        crash_acknowledge(&lane->written, number);
        break;
    case 6:
        crash_acknowledge(&lane->durable, masstree_store_durable(writer->store));
        break;
    default:
        break;
    }
}

static void write_on(void *argument)
{
    struct writer *writer = argument;
    struct crash_lane *lane = writer->lane;
    REQUIRE(masstree_batch_create(writer->store, &writer->batch) == MASSTREE_OK);
    for (uint64_t i = 0; i < CRASH_ENTRIES && !atomic_load(&writer->journal->stops); i++) {
        uint64_t number = 0;
        lane->entries[i] = choose(writer);
        atomic_store(&lane->begun, i + 1);
        int32_t status = run(writer, &lane->entries[i], i, &number);
        bool is_done = status == MASSTREE_OK;
        REQUIRE(is_done || (status == MASSTREE_NOT_FOUND && lane->entries[i].kind != CRASH_PUT));
        lane->entries[i].number = is_done ? number : 0;
        atomic_store(&lane->returned, i + 1);
        if (is_done) {
            acknowledge(writer, number);
        }
    }
    masstree_batch_destroy(writer->batch);
}

void crash_write(struct crash_journal *journal, const char *directory, uint64_t seed)
{
    static struct writer writers[CRASH_THREADS];
    void (*runs[CRASH_THREADS])(void *);
    masstree_store_t *store = NULL;
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    /* Small: the log goes on in a new file now and then, and is cut by checkpoints. */
    options.log_buffer_bytes = 1 << 15;
    options.checkpoint_log_bytes = 1 << 16;
    options.sync_interval_us = 3000;
    REQUIRE(masstree_store_open(directory, &options, &store) == MASSTREE_OK);
    for (size_t i = 0; i < journal->threads; i++) {
        runs[i] = write_on;
        writers[i] = (struct writer){.journal = journal, .store = store, .thread = i,
                                     .lane = &journal->lanes[i], .random = seed * CRASH_THREADS + i};
        for (size_t tree = 0; tree < CRASH_TREES; tree++) {
            REQUIRE(masstree_store_tree(store, crash_tree_name(tree), &writers[i].trees[tree]) ==
                    MASSTREE_OK);
        }
    }
    run_together(journal->threads, runs, writers, sizeof writers[0]);
    /* All operations are done, or the journal is full: then it ends when it is killed. */
    while (!atomic_load(&journal->stops)) {
        sched_yield();
    }
    REQUIRE(masstree_store_close(store) == MASSTREE_OK);
}
