#include "silo.h"

enum { LOCKED = 1, ABSENT = 2, DEAD = 4, NUMBER = 8 };

/* Spellings: of one slice; in a third layer; and with a dozen keys under each slice, so that
   layers are made and collapse. */
size_t silo_key(const struct silo *silo, uint32_t number, unsigned char *key)
{
    char text[SILO_KEY_MAX];
    int len;
    switch (silo->spelling) {
    case 0:
        masstree_u64_to_key(number, key);
        return 8;
    case 1:
        len = snprintf(text, sizeof text, "in the layer below: %04u", (unsigned)number);
        break;
    default:
        len = snprintf(text, sizeof text, "row %04u%02u and more", (unsigned)number / 12,
                       (unsigned)number % 12);
        break;
    }
    memcpy(key, text, (size_t)len);
    return (size_t)len;
}

uint32_t silo_number(const struct silo *silo, const void *key, size_t len)
{
    uint64_t number = 0;
    char text[SILO_KEY_MAX] = "";
    if (silo->spelling == 0) {
        REQUIRE(masstree_u64_from_key(key, len, &number) == MASSTREE_OK);
        return (uint32_t)number;
    }
    memcpy(text, key, len);
    number = strtoul(text + (silo->spelling == 1 ? 20 : 4), NULL, 10);
    return (uint32_t)(silo->spelling == 1 ? number : number / 100 * 12 + number % 100);
}

static uint64_t word_of(struct record *record)
{
    return (uint64_t)(uintptr_t)record;
}

static struct record *record_of(uint64_t word)
{
    return (struct record *)(uintptr_t)word; /* NOLINT(performance-no-int-to-ptr) */
}

static struct record *new_record(uint64_t tid, uint64_t writer, uint64_t amount)
{
    struct record *record = malloc(sizeof *record);
    REQUIRE(record != NULL);
    atomic_init(&record->tid, tid);
    atomic_init(&record->writer, writer);
    atomic_init(&record->amount, amount);
    return record;
}

void silo_open(struct silo *silo, unsigned spelling, uint32_t keys)
{
    REQUIRE(keys <= SILO_KEYS);
    memset(silo, 0, sizeof *silo);
    REQUIRE(masstree_create(NULL, &silo->tree) == MASSTREE_OK);
    silo->spelling = spelling;
    silo->keys = keys;
}

static int32_t free_record(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)ctx;
    free(record_of(value));
    return MASSTREE_VISIT_CONTINUE;
}

void silo_close(struct silo *silo)
{
    REQUIRE(masstree_check(silo->tree, NULL, NULL, NULL) == MASSTREE_OK);
    REQUIRE(masstree_scan(silo->tree, NULL, NULL, free_record, NULL, NULL) == MASSTREE_OK);
    masstree_destroy(silo->tree);
}

void silo_load(struct silo *silo, uint32_t number, uint64_t amount)
{
    unsigned char key[SILO_KEY_MAX];
    size_t len = silo_key(silo, number, key);
    struct record *record = new_record(NUMBER, 0, amount);
    REQUIRE(masstree_insert(silo->tree, NULL, key, len, word_of(record), NULL) == MASSTREE_OK);
}

void transaction_begin(struct transaction *transaction, uint64_t number)
{
    masstree_guard_refresh(transaction->guard);
    transaction->number = number;
    transaction->is_doomed = false;
    transaction->read_count = transaction->write_count = transaction->node_count = 0;
}

static bool doom(struct transaction *transaction, enum cause cause)
{
    transaction->is_doomed = true;
    transaction->cause = cause;
    return false;
}

static bool observe(struct transaction *transaction, masstree_observation_t node)
{
    if (transaction->node_count == SILO_NODES) {
        return doom(transaction, CAUSE_ROOM);
    }
    transaction->nodes[transaction->node_count++] = node;
    return true;
}

static struct write_entry *own_write(struct transaction *transaction, uint32_t key)
{
    for (size_t i = 0; i < transaction->write_count; i++) {
        if (transaction->writes[i].key == key) {
            return &transaction->writes[i];
        }
    }
    return NULL;
}

/* The row of a record, as it was under one TID; NULL: of a key that is not in the tree. */
static bool read_record(struct transaction *transaction, uint32_t key, struct record *record,
                        struct row *row)
{
    struct read_entry entry = {.record = record, .key = key};
    if (transaction->read_count == SILO_READS) {
        return doom(transaction, CAUSE_ROOM);
    }
    if (record == NULL) {
        *row = (struct row){.writer = atomic_load(&transaction->silo->gone[key])};
    } else {
        uint64_t tid = atomic_load_explicit(&record->tid, memory_order_acquire);
        row->writer = atomic_load_explicit(&record->writer, memory_order_relaxed);
        row->amount = atomic_load_explicit(&record->amount, memory_order_relaxed);
        row->is_present = (tid & ABSENT) == 0;
        atomic_thread_fence(memory_order_acquire);
        if ((tid & (LOCKED | DEAD)) != 0 ||
            tid != atomic_load_explicit(&record->tid, memory_order_relaxed)) {
            return doom(transaction, CAUSE_LOCK);
        }
        entry.tid = tid;
    }
    entry.writer = row->writer;
    transaction->reads[transaction->read_count++] = entry;
    return true;
}

bool transaction_read(struct transaction *transaction, uint32_t number, struct row *row)
{
    const struct silo *silo = transaction->silo;
    const struct write_entry *own = own_write(transaction, number);
    unsigned char key[SILO_KEY_MAX];
    masstree_observation_t node;
    uint64_t word = 0;
    if (transaction->is_doomed) {
        return false;
    }
    if (own != NULL) {
        *row = own->row;
        return true;
    }
    int32_t status = masstree_get_observed(silo->tree, transaction->guard, key,
                                           silo_key(silo, number, key), &word, &node);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
    /* A record proves itself; only the absence of one needs a leaf. */
    if (status == MASSTREE_NOT_FOUND && !observe(transaction, node)) {
        return false;
    }
    return read_record(transaction, number, status == MASSTREE_OK ? record_of(word) : NULL, row);
}

static void unlock_record(struct record *record, uint64_t tid)
{
    atomic_store_explicit(&record->tid, tid, memory_order_release);
}

/* A record for a key that is not in the tree, absent until the commit. Which transaction deleted
   the key last is known only once the record is in the tree; until then it is locked. */
static struct record *insert_absent(struct transaction *transaction, uint32_t number)
{
    struct silo *silo = transaction->silo;
    unsigned char key[SILO_KEY_MAX];
    masstree_observation_t created[16];
    masstree_delta_t delta = MASSTREE_DELTA_INIT;
    struct record *record = new_record(LOCKED | ABSENT | NUMBER, 0, 0);
    delta.created = created;
    delta.created_capacity = COUNT(created);
    REQUIRE(masstree_guard_record(transaction->guard, &delta) == MASSTREE_OK);
    int32_t status = masstree_insert(silo->tree, transaction->guard, key,
                                     silo_key(silo, number, key), word_of(record), NULL);
    REQUIRE(masstree_guard_record(transaction->guard, NULL) == MASSTREE_OK);
    if (status == MASSTREE_EXISTS) {
        free(record);
        doom(transaction, CAUSE_NODE_SET);
        return NULL;
    }
    REQUIRE(status == MASSTREE_OK);
    atomic_store(&record->writer, atomic_load(&silo->gone[number]));
    unlock_record(record, ABSENT | NUMBER);
    if (!silo->leaves_out_deltas) {
        status = masstree_delta_apply(&delta, transaction->nodes, &transaction->node_count,
                                      SILO_NODES);
        REQUIRE(status == MASSTREE_OK || status == MASSTREE_MISMATCH);
        if (status == MASSTREE_MISMATCH) {
            doom(transaction, CAUSE_DELTA);
        }
    }
    return record;
}

static const struct read_entry *earlier_read(const struct transaction *transaction, uint32_t key)
{
    for (size_t i = transaction->read_count; i-- > 0;) {
        if (transaction->reads[i].key == key) {
            return &transaction->reads[i];
        }
    }
    return NULL;
}

bool transaction_write(struct transaction *transaction, uint32_t key, bool is_present,
                       uint64_t amount)
{
    struct write_entry *own = own_write(transaction, key);
    if (transaction->is_doomed) {
        return false;
    }
    if (own == NULL) {
        const struct read_entry *read = earlier_read(transaction, key);
        REQUIRE(read != NULL && transaction->write_count < SILO_WRITES);
        own = &transaction->writes[transaction->write_count];
        *own = (struct write_entry){.record = read->record, .key = key, .before = read->writer};
        if (own->record == NULL) {
            own->record = insert_absent(transaction, key);
            own->inserts = true;
            if (own->record == NULL || !read_record(transaction, key, own->record, &own->row)) {
                return false;
            }
        }
        transaction->write_count++;
    }
    own->row = (struct row){is_present, is_present ? amount : 0, transaction->number};
    return !transaction->is_doomed;
}

/* An active scan: it passes on rows when it has read all, absent keys in between included. */
struct scanning {
    struct transaction *transaction;
    struct record *met[SILO_KEYS];
};

static int32_t scan_leaf(const masstree_observation_t *node, void *ctx)
{
    struct scanning *scanning = ctx;
    return observe(scanning->transaction, *node) ? MASSTREE_VISIT_CONTINUE : MASSTREE_VISIT_STOP;
}

static int32_t scan_record(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct scanning *scanning = ctx;
    uint32_t number = silo_number(scanning->transaction->silo, key, key_len);
    REQUIRE(number < scanning->transaction->silo->keys && scanning->met[number] == NULL);
    scanning->met[number] = record_of(value);
    return MASSTREE_VISIT_CONTINUE;
}

static void scan_with_cursor(struct scanning *scanning, uint32_t low, uint32_t high)
{
    struct transaction *transaction = scanning->transaction;
    unsigned char key[SILO_KEY_MAX];
    masstree_cursor_t *cursor = NULL;
    REQUIRE(masstree_cursor_open(transaction->silo->tree, transaction->guard, &cursor) ==
            MASSTREE_OK);
    REQUIRE(masstree_cursor_track(cursor) == MASSTREE_OK);
    int32_t status = masstree_cursor_seek(cursor, key, silo_key(transaction->silo, low, key),
                                          MASSTREE_SEEK_GE);
    for (;;) {
        const masstree_observation_t *nodes = NULL;
        masstree_slice_t at = {NULL, 0};
        uint64_t word = 0;
        size_t count = 0;
        REQUIRE(masstree_cursor_observations(cursor, &nodes, &count) == MASSTREE_OK);
        for (size_t i = 0; i < count; i++) {
            observe(transaction, nodes[i]);
        }
        if (status != MASSTREE_OK) {
            break;
        }
        REQUIRE(masstree_cursor_key(cursor, &at) == MASSTREE_OK);
        REQUIRE(masstree_cursor_value(cursor, &word) == MASSTREE_OK);
        if (silo_number(transaction->silo, at.data, at.len) >= high) {
            break;
        }
        scan_record(at.data, at.len, word, scanning);
        status = masstree_cursor_next(cursor);
    }
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_END);
    masstree_cursor_close(cursor);
}

static void scan_range(struct scanning *scanning, uint32_t low, uint32_t high, bool reverse)
{
    struct transaction *transaction = scanning->transaction;
    unsigned char lower[SILO_KEY_MAX];
    unsigned char upper[SILO_KEY_MAX];
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.lower = lower;
    range.lower_len = silo_key(transaction->silo, low, lower);
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.upper = upper;
    range.upper_len = silo_key(transaction->silo, high, upper);
    range.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    range.flags = reverse ? MASSTREE_SCAN_REVERSE : 0;
    REQUIRE(masstree_scan_observed(transaction->silo->tree, transaction->guard, &range, scan_leaf,
                                   scan_record, scanning, NULL) == MASSTREE_OK);
}

bool transaction_scan(struct transaction *transaction, uint32_t low, uint32_t high, enum how how,
                      void (*visit)(uint32_t key, const struct row *row, void *ctx), void *ctx)
{
    struct scanning scanning = {.transaction = transaction};
    if (transaction->is_doomed) {
        return false;
    }
    if (how == HOW_CURSOR) {
        scan_with_cursor(&scanning, low, high);
    } else {
        scan_range(&scanning, low, high, how == HOW_REVERSE);
    }
    for (uint32_t key = low; key < high && !transaction->is_doomed; key++) {
        const struct write_entry *own = own_write(transaction, key);
        struct row row;
        if (own != NULL) {
            row = own->row;
        } else if (!read_record(transaction, key, scanning.met[key], &row)) {
            return false;
        }
        visit(key, &row, ctx);
    }
    return !transaction->is_doomed;
}

static int compare_writes(const void *left, const void *right)
{
    const struct write_entry *a = left;
    const struct write_entry *b = right;
    return a->key < b->key ? -1 : a->key > b->key;
}

static bool lock_record(struct record *record)
{
    uint_fast64_t tid = atomic_load(&record->tid);
    if ((tid & (LOCKED | DEAD)) != 0 ||
        !atomic_compare_exchange_strong(&record->tid, &tid, tid | LOCKED)) {
        return false;
    }
    /* A thread that sees what is stored from here on sees the lock. */
    atomic_thread_fence(memory_order_release);
    return true;
}

static void unlock_writes(struct transaction *transaction, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct record *record = transaction->writes[i].record;
        unlock_record(record, atomic_load(&record->tid) & ~(uint64_t)LOCKED);
    }
}

bool transaction_lock(struct transaction *transaction)
{
    if (transaction->is_doomed) {
        return false;
    }
    qsort(transaction->writes, transaction->write_count, sizeof transaction->writes[0],
          compare_writes);
    for (size_t i = 0; i < transaction->write_count; i++) {
        if (!lock_record(transaction->writes[i].record)) {
            unlock_writes(transaction, i);
            return doom(transaction, CAUSE_LOCK);
        }
    }
    return true;
}

static bool reads_hold(struct transaction *transaction, uint64_t *greatest)
{
    for (size_t i = 0; i < transaction->read_count; i++) {
        const struct read_entry *read = &transaction->reads[i];
        if (read->record == NULL) {
            continue; /* the node set proves it */
        }
        uint64_t tid = atomic_load(&read->record->tid);
        bool is_own = own_write(transaction, read->key) != NULL;
        if ((tid & ~(uint64_t)LOCKED) != read->tid || ((tid & LOCKED) != 0 && !is_own)) {
            return false;
        }
        *greatest = tid > *greatest ? tid : *greatest;
    }
    return true;
}

static bool nodes_hold(const struct transaction *transaction)
{
    int32_t status = masstree_validate(transaction->silo->tree, transaction->nodes,
                                       transaction->node_count, NULL);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_MISMATCH);
    return status == MASSTREE_OK || transaction->silo->leaves_out_nodes;
}

static void leave_garbage(struct transaction *transaction, uint32_t key)
{
    if (transaction->garbage_count < COUNT(transaction->garbage)) {
        transaction->garbage[transaction->garbage_count++] = key;
    }
}

bool transaction_commit(struct transaction *transaction)
{
    uint64_t greatest = transaction->last_tid;
    atomic_thread_fence(memory_order_seq_cst);
    bool read_set_holds = reads_hold(transaction, &greatest);
    if (!read_set_holds || !nodes_hold(transaction)) {
        unlock_writes(transaction, transaction->write_count);
        return doom(transaction, read_set_holds ? CAUSE_NODE_SET : CAUSE_READ_SET);
    }
    for (size_t i = 0; i < transaction->write_count; i++) {
        uint64_t tid = atomic_load(&transaction->writes[i].record->tid);
        greatest = tid > greatest ? tid : greatest;
    }
    uint64_t tid = (greatest / NUMBER + 1) * NUMBER;
    transaction->last_tid = tid;
    for (size_t i = 0; i < transaction->write_count; i++) {
        const struct write_entry *write = &transaction->writes[i];
        atomic_store_explicit(&write->record->writer, write->row.writer, memory_order_relaxed);
        atomic_store_explicit(&write->record->amount, write->row.amount, memory_order_relaxed);
        unlock_record(write->record, write->row.is_present ? tid : tid | ABSENT);
        if (!write->row.is_present) {
            leave_garbage(transaction, write->key);
        }
    }
    return true;
}

void transaction_abort(struct transaction *transaction)
{
    for (size_t i = 0; i < transaction->write_count; i++) {
        if (transaction->writes[i].inserts) {
            leave_garbage(transaction, transaction->writes[i].key);
        }
    }
}

static void free_retired(void *object, size_t bytes, void *ctx)
{
    (void)bytes;
    (void)ctx;
    free(object);
}

/* Unless it is in use, or exists again, or was removed already. */
static void collect(struct transaction *transaction, uint32_t number)
{
    struct silo *silo = transaction->silo;
    unsigned char key[SILO_KEY_MAX];
    size_t len = silo_key(silo, number, key);
    uint64_t word = 0;
    if (masstree_get(silo->tree, transaction->guard, key, len, &word) != MASSTREE_OK) {
        return;
    }
    struct record *record = record_of(word);
    if (!lock_record(record)) {
        return;
    }
    uint64_t tid = atomic_load(&record->tid);
    if ((tid & ABSENT) == 0) {
        unlock_record(record, tid & ~(uint64_t)LOCKED);
        return;
    }
    atomic_store(&silo->gone[number], atomic_load(&record->writer));
    REQUIRE(masstree_remove_if_equal(silo->tree, transaction->guard, key, len, word_of(record),
                                     NULL) == MASSTREE_OK);
    unlock_record(record, ABSENT | DEAD);
    REQUIRE(masstree_retire(silo->tree, transaction->guard, record, sizeof *record, free_retired,
                            NULL) == MASSTREE_OK);
}

void transaction_collect(struct transaction *transaction)
{
    while (transaction->garbage_count > 0) {
        collect(transaction, transaction->garbage[--transaction->garbage_count]);
    }
}
