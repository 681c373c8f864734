#include "crash_sessions.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

struct session {
    struct sessions *all;
    struct lane *lane;
    struct told *entry; /* of the transaction that runs */
    masstree_store_t *store;
    masstree_t *trees[TREES];
    masstree_t *counters;
    masstree_txn_t *txn;
    pthread_barrier_t *meeting; /* NULL: they meet by chance */
    uint64_t random;
    unsigned char number;
};

struct sessions *sessions_map(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT, 0600);
    REQUIRE(file >= 0 && ftruncate(file, sizeof(struct sessions)) == 0);
    void *memory =
        mmap(NULL, sizeof(struct sessions), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    REQUIRE(memory != MAP_FAILED);
    close(file);
    return memory;
}

void sessions_unmap(struct sessions *sessions)
{
    munmap(sessions, sizeof *sessions);
}

void sessions_begin(struct sessions *sessions, uint64_t round)
{
    sessions->round = round;
    for (size_t i = 0; i < SESSIONS; i++) {
        atomic_store(&sessions->lanes[i].begun, 0);
        atomic_store(&sessions->lanes[i].returned, 0);
    }
}

const char *tree_name(uint32_t key)
{
    static const char *const names[TREES] = {"red", "green", "blue"};
    return names[key / KEYS];
}

const char *key_text(uint32_t key, char *text)
{
    snprintf(text, KEY_ROOM, "key %02u", key % KEYS);
    return text;
}

/* The version of a key that the snapshot does not have: that which has removed it, or 0. After an opening a
   tombstone may be gone. */
static uint64_t absent_version(const struct session *session, uint32_t key)
{
    char text[KEY_ROOM];
    masstree_version_t version = {0};
    masstree_guard_t *guard = NULL;
    masstree_t *tree = session->trees[key / KEYS];
    REQUIRE(masstree_guard_enter(tree, &guard) == MASSTREE_OK);
    int32_t status = masstree_get_at(tree, guard, key_text(key, text), KEY_LENGTH,
                                     masstree_txn_seqno(session->txn), &version);
    REQUIRE(status == MASSTREE_NOT_FOUND || status == MASSTREE_DELETED);
    masstree_guard_leave(guard);
    return status == MASSTREE_DELETED ? version.seqno : session->all->absent[key];
}

static void note_read(struct session *session, uint32_t key, uint64_t version)
{
    struct told *entry = session->entry;
    REQUIRE(entry->read_count < READS);
    entry->reads[entry->read_count++] = (struct access){key, version};
}

static bool has_written(const struct session *session, uint32_t key)
{
    for (size_t i = 0; i < session->entry->write_count; i++) {
        if (session->entry->writes[i].key == key) {
            return true;
        }
    }
    return false;
}

/* Returns whether the key has a value; *version is its version. */
static bool read_key(struct session *session, uint32_t key, uint64_t *version)
{
    char text[KEY_ROOM];
    masstree_version_t found = {0};
    int32_t status = masstree_txn_get(session->txn, session->trees[key / KEYS],
                                      key_text(key, text), KEY_LENGTH, &found);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
    *version = status == MASSTREE_OK ? found.seqno : absent_version(session, key);
    note_read(session, key, *version);
    return status == MASSTREE_OK;
}

struct walk {
    uint64_t versions[KEYS]; /* UINT64_MAX: not there */
};

static int32_t visit_key(const void *key, size_t len, const masstree_version_t *version, void *ctx)
{
    struct walk *walk = ctx;
    const char *digits = (const char *)key + 4;
    REQUIRE(len == KEY_LENGTH);
    walk->versions[10 * (digits[0] - '0') + digits[1] - '0'] = version->seqno;
    return MASSTREE_VISIT_CONTINUE;
}

/* Reads the keys of a tree from `first` on, before `end`, by a cursor. */
static void walk_with_cursor(struct session *session, uint32_t tree, uint32_t first, uint32_t end,
                             struct walk *walk)
{
    char lower[KEY_ROOM];
    char upper[KEY_ROOM];
    masstree_txn_cursor_t *cursor = NULL;
    masstree_slice_t key;
    masstree_version_t version;
    snprintf(upper, sizeof upper, "key %02u", end);
    REQUIRE(masstree_txn_cursor_open(session->txn, session->trees[tree], &cursor) == MASSTREE_OK);
    int32_t status = masstree_txn_cursor_seek(cursor, key_text(first, lower), KEY_LENGTH,
                                              MASSTREE_SEEK_GE);
    while (status == MASSTREE_OK) {
        REQUIRE(masstree_txn_cursor_key(cursor, &key) == MASSTREE_OK);
        REQUIRE(masstree_txn_cursor_version(cursor, &version) == MASSTREE_OK);
        if (memcmp(key.data, upper, KEY_LENGTH) >= 0) {
            break;
        }
        visit_key(key.data, key.len, &version, walk);
        status = masstree_txn_cursor_next(cursor);
    }
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_END);
    masstree_txn_cursor_close(cursor);
}

static void walk_with_scan(struct session *session, uint32_t tree, uint32_t first, uint32_t end,
                           struct walk *walk)
{
    char lower[KEY_ROOM];
    char upper[KEY_ROOM];
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.lower = key_text(first, lower);
    snprintf(upper, sizeof upper, "key %02u", end);
    range.upper = upper;
    range.lower_len = range.upper_len = KEY_LENGTH;
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    range.flags = random_below(&session->random, 2) == 0 ? MASSTREE_SCAN_REVERSE : 0;
    REQUIRE(masstree_txn_scan(session->txn, session->trees[tree], &range, visit_key, walk, NULL) ==
            MASSTREE_OK);
}

/* Reads a range; keys that are absent in it are read, too. */
static void read_range(struct session *session)
{
    struct walk walk;
    uint32_t tree = (uint32_t)random_below(&session->random, TREES);
    uint32_t first = (uint32_t)random_below(&session->random, KEYS);
    uint32_t end = first + 1 + (uint32_t)random_below(&session->random, KEYS - first);
    memset(&walk, 0xff, sizeof walk);
    if (random_below(&session->random, 2) == 0) {
        walk_with_cursor(session, tree, first, end, &walk);
    } else {
        walk_with_scan(session, tree, first, end, &walk);
    }
    for (uint32_t i = first; i < end; i++) {
        uint32_t key = tree * KEYS + i;
        if (!has_written(session, key)) {
            uint64_t version = walk.versions[i];
            note_read(session, key,
                      version == UINT64_MAX ? absent_version(session, key) : version);
        }
    }
}

static void write_key(struct session *session)
{
    char text[KEY_ROOM];
    uint64_t before = 0;
    struct told *entry = session->entry;
    uint32_t key = (uint32_t)random_below(&session->random, ALL_KEYS);
    masstree_t *tree = session->trees[key / KEYS];
    if (entry->write_count == WRITES || has_written(session, key)) {
        return;
    }
    bool is_there = read_key(session, key, &before);
    bool removes = random_below(&session->random, 3) == 0;
    key_text(key, text);
    if (removes && !is_there) {
        return;
    }
    int32_t status = removes ? masstree_txn_remove(session->txn, tree, text, KEY_LENGTH)
                             : masstree_txn_put(session->txn, tree, text, KEY_LENGTH, text, KEY_LENGTH);
    REQUIRE(status == MASSTREE_OK);
    entry->removes[entry->write_count] = removes;
    entry->writes[entry->write_count++] = (struct access){key, before};
}

static void step(struct session *session)
{
    uint64_t version = 0;
    uint32_t key = (uint32_t)random_below(&session->random, ALL_KEYS);
    bool has_room = session->entry->read_count + KEYS + WRITES < READS;
    switch (has_room ? random_below(&session->random, 4) : 3) {
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
}

/* Runs a transaction; it is the one at `place` unless it is refused. */
static void run_transaction(struct session *session, uint64_t place)
{
    masstree_txn_options_t options = MASSTREE_TXN_OPTIONS_INIT;
    struct told *entry = session->entry = &session->lane->entries[place];
    struct place_in_session counter = {session->all->round, place + 1};
    size_t level = random_below(&session->random, 64);
    options.isolation = session->all->isolation;
    options.level = level == 0 ? MASSTREE_DURABLE : level < 8 ? MASSTREE_WRITTEN : MASSTREE_MEMORY;
    entry->read_count = entry->write_count = 0;
    entry->is_safe = options.level != MASSTREE_MEMORY;
    REQUIRE(masstree_txn_begin(session->store, &options, &session->txn) == MASSTREE_OK);
    if (session->meeting != NULL) {
        pthread_barrier_wait(session->meeting);
    }
    for (size_t steps = 1 + random_below(&session->random, 4); steps > 0; steps--) {
        step(session);
    }
    if (entry->write_count > 0) {
        REQUIRE(masstree_txn_put(session->txn, session->counters, &session->number, 1, &counter,
                                 sizeof counter) == MASSTREE_OK);
    }
    atomic_store(&session->lane->begun, place + 1);
    int32_t status = masstree_txn_commit(session->txn, &entry->number);
    if (status == MASSTREE_CONFLICT) {
        atomic_store(&session->lane->begun, place);
    } else {
        REQUIRE(status == MASSTREE_OK);
        atomic_store(&session->lane->returned, place + 1);
    }
    masstree_txn_destroy(session->txn);
}

static void run_session(void *arg)
{
    struct session *session = arg;
    uint64_t place;
    while ((place = atomic_load(&session->lane->returned)) < ENTRIES) {
        run_transaction(session, place);
    }
}

_Noreturn void sessions_run(struct sessions *sessions, const char *directory, uint64_t seed)
{
    static struct session each[SESSIONS];
    void (*run[SESSIONS])(void *);
    masstree_store_t *store = NULL;
    static pthread_barrier_t meeting;
    /* If the process that checks is gone. */
    alarm(WATCHDOG_SECONDS);
    REQUIRE(pthread_barrier_init(&meeting, NULL, SESSIONS) == 0);
    REQUIRE(masstree_store_open(directory, NULL, &store) == MASSTREE_OK);
    for (unsigned char i = 0; i < SESSIONS; i++) {
        struct session *session = &each[i];
        session->all = sessions;
        session->lane = &sessions->lanes[i];
        session->store = store;
        session->number = i;
        session->meeting = sessions->meets ? &meeting : NULL;
        session->random = random_u64(&seed);
        for (uint32_t tree = 0; tree < TREES; tree++) {
            REQUIRE(masstree_store_tree(store, tree_name(tree * KEYS), &session->trees[tree]) ==
                    MASSTREE_OK);
        }
        REQUIRE(masstree_store_tree(store, COUNTERS, &session->counters) == MASSTREE_OK);
        run[i] = run_session;
    }
    run_together(SESSIONS, run, each, sizeof each[0]);
    for (;;) {
        pause();
    }
}
