/* Transactions of several sessions read, scan, write and remove keys, in many small histories: each
   history is serializable, as the checker of c-tests/silo finds from what was read and written. In most
   histories one thread runs the steps of all sessions in turns, so that a seed repeats it; in the others
   each session has a thread. With snapshot isolation, which validates no reads, histories are not
   serializable, and the checker finds that.

   A version is the number of the commit that wrote it, also for a key that it has removed.

   usage: test_store_histories [-n HISTORIES] [-s SEED] */
#include "../silo/checker.h"
#include "stores.h"

#include <inttypes.h>
#include <sched.h>

enum { SESSIONS = 4, KEYS = 10, READS = 3 * KEYS, WRITES = 3 };

struct session {
    masstree_store_t *store;
    masstree_t *tree;
    masstree_txn_t *txn;
    masstree_txn_options_t options;
    uint32_t number;
    uint64_t random;
    size_t left; /* transactions to begin */
    size_t steps; /* of this one */
    struct access reads[READS];
    size_t read_count;
    struct access writes[WRITES];
    size_t write_count;
    uint64_t read_only; /* how many have written nothing */
    uint64_t refused;
    struct history history;
};

static char *key_of(uint32_t key, char *text)
{
    snprintf(text, 12, "key %02" PRIu32, key);
    return text;
}

/* The version of a key that the snapshot does not have: that which has removed it, or 0. */
static uint64_t absent_version(const struct session *session, uint32_t key)
{
    char text[12];
    masstree_version_t version = {0};
    masstree_guard_t *guard = NULL;
    REQUIRE(masstree_guard_enter(session->tree, &guard) == MASSTREE_OK);
    int32_t status = masstree_get_at(session->tree, guard, key_of(key, text), 6,
                                     masstree_txn_seqno(session->txn), &version);
    REQUIRE(status == MASSTREE_NOT_FOUND || status == MASSTREE_DELETED);
    masstree_guard_leave(guard);
    return status == MASSTREE_DELETED ? version.seqno : 0;
}

static void note_read(struct session *session, uint32_t key, uint64_t version)
{
    REQUIRE(session->read_count < READS);
    session->reads[session->read_count++] = (struct access){key, version};
}

static bool has_written(const struct session *session, uint32_t key)
{
    for (size_t i = 0; i < session->write_count; i++) {
        if (session->writes[i].key == key) {
            return true;
        }
    }
    return false;
}

/* Returns whether the key has a value; *version is its version. */
static bool read_key(struct session *session, uint32_t key, uint64_t *version)
{
    char text[12];
    masstree_version_t found = {0};
    int32_t status = masstree_txn_get(session->txn, session->tree, key_of(key, text), 6, &found);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
    *version = status == MASSTREE_OK ? found.seqno : absent_version(session, key);
    note_read(session, key, *version);
    return status == MASSTREE_OK;
}

struct scan {
    struct session *session;
    uint64_t versions[KEYS]; /* UINT64_MAX: not there */
};

static int32_t visit_key(const void *key, size_t len, const masstree_version_t *version, void *ctx)
{
    struct scan *scan = ctx;
    const char *digits = (const char *)key + 4;
    REQUIRE(len == 6);
    scan->versions[10 * (digits[0] - '0') + digits[1] - '0'] = version->seqno;
    return MASSTREE_VISIT_CONTINUE;
}

/* Reads a range, in either direction; keys that are absent in it are read, too. */
static void read_range(struct session *session)
{
    char lower[12];
    char upper[12];
    struct scan scan = {.session = session};
    masstree_range_t range = MASSTREE_RANGE_INIT;
    uint32_t first = (uint32_t)random_below(&session->random, KEYS);
    uint32_t end = first + 1 + (uint32_t)random_below(&session->random, KEYS - first);
    range.lower = key_of(first, lower);
    range.upper = key_of(end, upper);
    range.lower_len = range.upper_len = 6;
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    range.flags = random_below(&session->random, 2) == 0 ? MASSTREE_SCAN_REVERSE : 0;
    memset(scan.versions, 0xff, sizeof scan.versions);
    REQUIRE(masstree_txn_scan(session->txn, session->tree, &range, visit_key, &scan, NULL) ==
            MASSTREE_OK);
    for (uint32_t key = first; key < end; key++) {
        if (!has_written(session, key)) {
            uint64_t version = scan.versions[key];
            note_read(session, key, version == UINT64_MAX ? absent_version(session, key) : version);
        }
    }
}

static void write_key(struct session *session)
{
    char text[12];
    uint64_t before = 0;
    uint32_t key = (uint32_t)random_below(&session->random, KEYS);
    if (session->write_count == WRITES || has_written(session, key)) {
        return;
    }
    bool is_there = read_key(session, key, &before);
    bool removes = random_below(&session->random, 3) == 0;
    key_of(key, text);
    if (removes && !is_there) {
        return;
    }
    int32_t status = removes ? masstree_txn_remove(session->txn, session->tree, text, 6)
                             : masstree_txn_put(session->txn, session->tree, text, 6, text, 6);
    REQUIRE(status == MASSTREE_OK);
    session->writes[session->write_count++] = (struct access){key, before};
}

static void end_transaction(struct session *session)
{
    uint64_t commit = 0;
    int32_t status = masstree_txn_commit(session->txn, &commit);
    if (status == MASSTREE_CONFLICT) {
        REQUIRE(masstree_txn_conflict(session->txn, NULL, NULL, NULL) == MASSTREE_OK);
        session->refused++;
    } else {
        REQUIRE(status == MASSTREE_OK);
        if (session->write_count == 0) {
            /* No number of its own: one that no commit has. */
            commit = (uint64_t)1 << 60 | (uint64_t)session->number << 40 | ++session->read_only;
        }
        struct committed committed = {.number = commit,
                                      .session = session->number,
                                      .reads = session->reads,
                                      .read_count = session->read_count,
                                      .writes = session->writes,
                                      .write_count = session->write_count};
        history_add(&session->history, &committed);
    }
    masstree_txn_destroy(session->txn);
    session->txn = NULL;
}

/* Takes the next step; false when all is done. */
static bool go_on(struct session *session)
{
    uint64_t version = 0;
    if (session->txn == NULL) {
        if (session->left == 0) {
            return false;
        }
        session->left--;
        session->read_count = session->write_count = 0;
        session->steps = 1 + random_below(&session->random, 4);
        REQUIRE(masstree_txn_begin(session->store, &session->options, &session->txn) == MASSTREE_OK);
        return true;
    }
    if (session->steps-- == 0) {
        end_transaction(session);
        return true;
    }
    uint32_t key = (uint32_t)random_below(&session->random, KEYS);
    switch (session->read_count + KEYS < READS ? random_below(&session->random, 4) : 3) {
    case 0:
        read_range(session);
        break;
    case 1:
        if (!has_written(session, key)) {
            read_key(session, key, &version);
        }
        break;
    default:
        write_key(session);
    }
    return true;
}

static void run_session(void *arg)
{
    struct session *session = arg;
    while (go_on(session)) {
        if (random_below(&session->random, 32) == 0) {
            sched_yield();
        }
    }
}

struct setting {
    uint32_t isolation;
    bool has_threads;
    size_t transactions; /* of each session */
};

struct outcome {
    uint64_t histories, committed, refused, not_serializable;
};

static void run_sessions(struct session *sessions, bool has_threads, uint64_t *random)
{
    void (*run[SESSIONS])(void *);
    if (has_threads) {
        for (size_t i = 0; i < SESSIONS; i++) {
            run[i] = run_session;
        }
        run_together(SESSIONS, run, sessions, sizeof sessions[0]);
        return;
    }
    for (size_t running = SESSIONS; running > 0;) {
        struct session *session = &sessions[random_below(random, SESSIONS)];
        if (session->left > 0 || session->txn != NULL) {
            go_on(session);
            running -= session->left == 0 && session->txn == NULL ? 1 : 0;
        }
    }
}

/* One history, which its seed determines if it has no threads. */
static bool run_history(const struct setting *setting, uint64_t seed, struct outcome *outcome,
                        FILE *out)
{
    static struct session sessions[SESSIONS];
    struct history history = {NULL, 0, 0};
    uint64_t random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    masstree_store_t *store = NULL;
    masstree_t *tree = NULL;
    REQUIRE(masstree_store_open(NULL, NULL, &store) == MASSTREE_OK);
    REQUIRE(masstree_store_tree(store, "tree", &tree) == MASSTREE_OK);
    memset(sessions, 0, sizeof sessions);
    for (size_t i = 0; i < SESSIONS; i++) {
        masstree_txn_options_t options = MASSTREE_TXN_OPTIONS_INIT;
        options.isolation = setting->isolation;
        sessions[i].store = store;
        sessions[i].tree = tree;
        sessions[i].options = options;
        sessions[i].number = (uint32_t)i;
        sessions[i].random = random_u64(&random);
        sessions[i].left = setting->transactions;
    }
    run_sessions(sessions, setting->has_threads, &random);
    for (size_t i = 0; i < SESSIONS; i++) {
        outcome->committed += sessions[i].history.count;
        outcome->refused += sessions[i].refused;
        history_take(&history, &sessions[i].history);
    }
    REQUIRE(masstree_store_close(store) == MASSTREE_OK);
    bool is_sound = is_serializable(&history, out);
    history_clear(&history);
    outcome->histories++;
    outcome->not_serializable += is_sound ? 0 : 1;
    if (!is_sound && out != NULL) {
        fprintf(out, "seed %" PRIu64 ": not serializable\n", seed);
    }
    return is_sound;
}

static struct outcome run_histories(const char *what, struct setting setting, uint64_t histories,
                                    uint64_t seed, FILE *out)
{
    struct outcome outcome = {0};
    for (uint64_t i = 0; i < histories; i++) {
        run_history(&setting, seed + i, &outcome, out);
    }
    printf("%s: %" PRIu64 " histories, %" PRIu64 " transactions committed, %" PRIu64
           " refused; %" PRIu64 " histories not serializable\n",
           what, outcome.histories, outcome.committed, outcome.refused, outcome.not_serializable);
    fflush(stdout);
    return outcome;
}

int main(int argc, char **argv)
{
    uint64_t histories = scaled(400);
    uint64_t seed = 1;
    read_arguments(argc, argv, "HISTORIES", &histories, &seed);
    struct setting in_turns = {MASSTREE_TXN_SERIALIZABLE, false, 15};
    struct setting threads = {MASSTREE_TXN_SERIALIZABLE, true, 300};
    struct setting without_reads = {MASSTREE_TXN_SNAPSHOT, false, 15};
    printf("seed %" PRIu64 "\n", seed);
    bool passed = run_histories("in turns", in_turns, histories, seed, stderr).not_serializable == 0;
    passed = run_histories("with threads", threads, histories / 20 + 1, seed, stderr)
                     .not_serializable == 0 && passed;
    passed = run_histories("without validated reads", without_reads, 100, seed, NULL)
                     .not_serializable > 0 && passed;
    if (!passed) {
        fprintf(stderr, "test_store_histories: failed\n");
    }
    return passed ? 0 : 1;
}
