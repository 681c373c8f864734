/* Every allocation fails once. A workload over everything that allocates runs again and
   again, in trees whose nodes are allocations of their own; in the n-th run the n-th
   allocation fails, or that and all that follow during the same call, until a run makes
   fewer. The call that meets the failure answers MASSTREE_NOMEM, has stored nothing and
   changed nothing, and succeeds when it is made again. At the end all memory is back
   (known-failures row 18). */
#include "support.h"

#define UNTOUCHED UINT64_C(0xDEADBEEFDEADBEEF)

struct run {
    struct allocator allocator;
    masstree_t *tree;
    struct model model;
    bool holds_bytes;
    size_t refused;  /* calls that answered MASSTREE_NOMEM */
    size_t absorbed; /* failures that a call did without */
    size_t freed;    /* retired objects */
};

enum { VALUE_MAX = 300 };

/* What a tree of byte strings has for a number. */
static masstree_slice_t value_of(uint64_t number, unsigned char *bytes)
{
    size_t len = number % VALUE_MAX;
    memset(bytes, (int)(number % 251), len);
    return (masstree_slice_t){bytes, len};
}

struct comparison {
    struct run *run;
    size_t place;
    bool differs;
};

static int32_t compare_word(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct comparison *comparison = ctx;
    const struct model *model = &comparison->run->model;
    if (comparison->place < model->count) {
        const struct entry *entry = &model->entries[comparison->place++];
        if (compare_keys(entry->key, entry->len, key, key_len) == 0 &&
            (comparison->run->holds_bytes || entry->value == value)) {
            return MASSTREE_CONTINUE;
        }
    }
    comparison->differs = true;
    return MASSTREE_STOP;
}

static int32_t compare_bytes(const void *key, size_t key_len, const void *value, size_t value_len,
                             void *ctx)
{
    struct comparison *comparison = ctx;
    int32_t answer = compare_word(key, key_len, 0, ctx);
    if (answer == MASSTREE_CONTINUE) {
        unsigned char bytes[VALUE_MAX];
        uint64_t number = comparison->run->model.entries[comparison->place - 1].value;
        masstree_slice_t expected = value_of(number, bytes);
        if (compare_keys(expected.data, expected.len, value, value_len) != 0) {
            comparison->differs = true;
            return MASSTREE_STOP;
        }
    }
    return answer;
}

static void assert_as_the_model(struct run *run)
{
    size_t fail_at = run->allocator.fail_at;
    struct comparison comparison = {.run = run};
    run->allocator.fail_at = 0;
    assert_consistent(run->tree);
    if (run->holds_bytes) {
        assert_ok(masstree_scan_bytes(run->tree, NULL, NULL, compare_bytes, &comparison, NULL));
    } else {
        assert_ok(masstree_scan(run->tree, NULL, NULL, compare_word, &comparison, NULL));
    }
    assert_false(comparison.differs);
    assert_int_equal(run->model.count, comparison.place);
    assert_int_equal(run->model.count, tree_len(run->tree));
    run->allocator.fail_at = fail_at;
}

/* What a call may do when memory lacks. */
enum lenience { ANSWERS, MAY_DO_WITHOUT };

/* Whether the call that answered this status met a failure and is to be made again. */
static bool again(struct run *run, int32_t status, enum lenience lenience)
{
    if (run->allocator.failures == 0) {
        assert_true(status != MASSTREE_NOMEM);
        return false;
    }
    run->allocator.failures = 0;
    run->allocator.fail_at = 0;
    if (status != MASSTREE_NOMEM) {
        if (lenience == ANSWERS) {
            fail_msg("an allocation failed, and the answer was %d", status);
        }
        run->absorbed++;
        return false;
    }
    run->refused++;
    if (run->tree != NULL) {
        assert_as_the_model(run);
    }
    return true;
}

struct key {
    unsigned char bytes[FAMILY_KEY_MAX + 300];
    size_t len;
};

/* Of all families, some with long suffixes. */
static struct key key_of(uint64_t number)
{
    struct key key;
    key.len = family_key(number % FAMILIES, number / FAMILIES, key.bytes);
    if (number % 11 == 3) {
        memset(key.bytes + key.len, 's', 300);
        key.len += number % 300;
    }
    return key;
}

/* Each of the following makes its call until it does not lack memory, and does to the
   model what the call did to the tree. */
static void put(struct run *run, uint64_t number, uint64_t value)
{
    struct key key = key_of(number);
    unsigned char bytes[VALUE_MAX];
    masstree_slice_t slice = value_of(value, bytes);
    int32_t status;
    do {
        status = run->holds_bytes
                     ? masstree_put_bytes(run->tree, NULL, key.bytes, key.len, slice.data,
                                          slice.len)
                     : masstree_put(run->tree, NULL, key.bytes, key.len, value);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    model_put(&run->model, key.bytes, key.len, value);
}

static bool model_has(struct run *run, const struct key *key)
{
    return model_find(&run->model, key->bytes, key->len) != NULL;
}

static void exchange(struct run *run, masstree_guard_t *guard, uint64_t number, uint64_t value)
{
    struct key key = key_of(number);
    unsigned char bytes[VALUE_MAX];
    masstree_slice_t slice = value_of(value, bytes);
    masstree_slice_t old = {NULL, 77};
    uint64_t word = UNTOUCHED;
    int32_t status;
    do {
        assert_int_equal(UNTOUCHED, word);
        assert_int_equal(77, old.len);
        status = run->holds_bytes ? masstree_exchange_bytes(run->tree, guard, key.bytes, key.len,
                                                            slice.data, slice.len, &old)
                                  : masstree_exchange(run->tree, guard, key.bytes, key.len, value,
                                                      &word);
    } while (again(run, status, ANSWERS));
    assert_int_equal(model_has(run, &key) ? MASSTREE_OK : MASSTREE_NOT_FOUND, status);
    model_put(&run->model, key.bytes, key.len, value);
}

static void insert(struct run *run, masstree_guard_t *guard, uint64_t number, uint64_t value)
{
    struct key key = key_of(number);
    unsigned char bytes[VALUE_MAX];
    masstree_slice_t slice = value_of(value, bytes);
    masstree_slice_t present = {NULL, 77};
    uint64_t word = UNTOUCHED;
    bool there = model_has(run, &key);
    int32_t status;
    do {
        assert_int_equal(UNTOUCHED, word);
        assert_int_equal(77, present.len);
        status = run->holds_bytes ? masstree_insert_bytes(run->tree, guard, key.bytes, key.len,
                                                          slice.data, slice.len, &present)
                                  : masstree_insert(run->tree, guard, key.bytes, key.len, value,
                                                    &word);
        /* A copy of a value that is not inserted need not be made. */
    } while (again(run, status, there ? MAY_DO_WITHOUT : ANSWERS));
    assert_int_equal(there ? MASSTREE_EXISTS : MASSTREE_OK, status);
    if (!there) {
        model_put(&run->model, key.bytes, key.len, value);
    }
}

static void replace(struct run *run, uint64_t number, uint64_t value)
{
    struct key key = key_of(number);
    unsigned char bytes[VALUE_MAX];
    masstree_slice_t slice = value_of(value, bytes);
    bool there = model_has(run, &key);
    int32_t status;
    do {
        status = run->holds_bytes
                     ? masstree_replace_bytes(run->tree, NULL, key.bytes, key.len, slice.data,
                                              slice.len, NULL)
                     : masstree_replace(run->tree, NULL, key.bytes, key.len, value, NULL);
    } while (again(run, status, there ? ANSWERS : MAY_DO_WITHOUT));
    assert_int_equal(there ? MASSTREE_OK : MASSTREE_NOT_FOUND, status);
    if (there) {
        model_put(&run->model, key.bytes, key.len, value);
    }
}

static void compare_exchange(struct run *run, uint64_t number, uint64_t value)
{
    struct key key = key_of(number);
    struct entry *entry = model_find(&run->model, key.bytes, key.len);
    unsigned char bytes[2][VALUE_MAX];
    uint64_t expected = entry == NULL ? 5 : entry->value;
    int32_t status;
    do {
        status = run->holds_bytes
                     ? masstree_compare_exchange_bytes(run->tree, NULL, key.bytes, key.len,
                                                       value_of(expected, bytes[0]),
                                                       value_of(value, bytes[1]), NULL)
                     : masstree_compare_exchange(run->tree, NULL, key.bytes, key.len, expected,
                                                 value, NULL);
    } while (again(run, status, entry != NULL ? ANSWERS : MAY_DO_WITHOUT));
    assert_int_equal(entry == NULL ? MASSTREE_NOT_FOUND : MASSTREE_OK, status);
    if (entry != NULL) {
        entry->value = value;
    }
}

/* Removes need no memory. */
static void remove_key(struct run *run, uint64_t number, bool only_if_equal)
{
    struct key key = key_of(number);
    struct entry *entry = model_find(&run->model, key.bytes, key.len);
    unsigned char bytes[VALUE_MAX];
    uint64_t expected = entry == NULL ? 5 : entry->value;
    int32_t status;
    if (!only_if_equal) {
        status = masstree_remove(run->tree, NULL, key.bytes, key.len, NULL);
    } else if (run->holds_bytes) {
        status = masstree_remove_if_equal_bytes(run->tree, NULL, key.bytes, key.len,
                                                value_of(expected, bytes), NULL);
    } else {
        status = masstree_remove_if_equal(run->tree, NULL, key.bytes, key.len, expected, NULL);
    }
    assert_false(again(run, status, MAY_DO_WITHOUT));
    assert_int_equal(entry == NULL ? MASSTREE_NOT_FOUND : MASSTREE_OK, status);
    if (entry != NULL) {
        model_remove(&run->model, key.bytes, key.len);
    }
}

struct making {
    uint64_t value;
    size_t calls;
};

static int32_t set_value(const uint64_t *present, uint64_t *value, void *ctx)
{
    struct making *making = ctx;
    (void)present;
    making->calls++;
    *value = making->value;
    return MASSTREE_UPDATE_SET;
}

static int32_t make_value(uint64_t *value, void *ctx)
{
    return set_value(NULL, value, ctx) == MASSTREE_UPDATE_SET ? MASSTREE_OK : MASSTREE_INVALID;
}

/* Memory is there before the callback is called: after a failure it was not. */
static void update(struct run *run, uint64_t number, uint64_t value, bool only_if_absent)
{
    struct key key = key_of(number);
    struct making making = {.value = value};
    bool there = model_has(run, &key);
    uint64_t word = UNTOUCHED;
    int32_t status;
    do {
        assert_int_equal(0, making.calls);
        assert_int_equal(UNTOUCHED, word);
        status = only_if_absent
                     ? masstree_get_or_insert_with(run->tree, NULL, key.bytes, key.len, make_value,
                                                   &making, &word)
                     : masstree_update(run->tree, NULL, key.bytes, key.len, set_value, &making,
                                       &word);
    } while (again(run, status, there ? MAY_DO_WITHOUT : ANSWERS));
    assert_int_equal(only_if_absent && there ? MASSTREE_EXISTS : MASSTREE_OK, status);
    assert_int_equal(only_if_absent && there ? 0 : 1, making.calls);
    if (!only_if_absent || !there) {
        model_put(&run->model, key.bytes, key.len, value);
    }
}

enum { BATCH = 20 };

struct batch {
    struct key keys[BATCH];
    masstree_slice_t slices[BATCH];
    uint64_t words[BATCH];
    unsigned char bytes[BATCH][VALUE_MAX];
    masstree_slice_t values[BATCH];
};

static void fill_batch(struct batch *batch, uint64_t first)
{
    for (uint64_t i = 0; i < BATCH; i++) {
        batch->keys[i] = key_of(first + i);
        batch->slices[i] = (masstree_slice_t){batch->keys[i].bytes, batch->keys[i].len};
        batch->words[i] = first + 3 * i;
        batch->values[i] = value_of(batch->words[i], batch->bytes[i]);
    }
}

/* The items that were done are in the model before `again` compares. */
static void put_batch(struct run *run, uint64_t first)
{
    struct batch batch;
    int32_t status;
    fill_batch(&batch, first);
    do {
        int32_t statuses[BATCH];
        status = run->holds_bytes ? masstree_put_many_bytes(run->tree, NULL, batch.slices,
                                                            batch.values, BATCH, statuses)
                                  : masstree_put_many(run->tree, NULL, batch.slices, batch.words,
                                                      BATCH, statuses);
        size_t failed = 0;
        for (size_t i = 0; i < BATCH; i++) {
            if (statuses[i] == MASSTREE_OK) {
                model_put(&run->model, batch.keys[i].bytes, batch.keys[i].len, batch.words[i]);
            } else {
                assert_int_equal(MASSTREE_NOMEM, statuses[i]);
                failed++;
            }
        }
        assert_int_equal(failed == 0 ? MASSTREE_OK : MASSTREE_NOMEM, status);
    } while (again(run, status, ANSWERS));
}

static void insert_batch(struct run *run, uint64_t first)
{
    struct batch batch;
    int32_t status;
    fill_batch(&batch, first);
    do {
        int32_t statuses[BATCH];
        size_t failed = 0;
        status = masstree_insert_many(run->tree, NULL, batch.slices, batch.words, BATCH, NULL,
                                      statuses);
        for (size_t i = 0; i < BATCH; i++) {
            if (statuses[i] == MASSTREE_OK) {
                assert_false(model_has(run, &batch.keys[i]));
                model_put(&run->model, batch.keys[i].bytes, batch.keys[i].len, batch.words[i]);
            } else if (statuses[i] == MASSTREE_EXISTS) {
                assert_true(model_has(run, &batch.keys[i]));
            } else {
                assert_int_equal(MASSTREE_NOMEM, statuses[i]);
                failed++;
            }
        }
        assert_int_equal(failed == 0 ? MASSTREE_OK : MASSTREE_NOMEM, status);
    } while (again(run, status, MAY_DO_WITHOUT));
}

/* The forms for integers, with keys that no other step uses: each form often enough that
   some of its calls split a leaf. */
static int32_t integer_form(struct run *run, uint64_t form, uint64_t number)
{
    struct making making = {.value = 6};
    uint64_t word = 6;
    switch (form) {
    case 0:
        return masstree_put_u64(run->tree, NULL, number, 6);
    case 1:
        return masstree_exchange_u64(run->tree, NULL, number, 6, NULL);
    case 2:
        return masstree_insert_u64(run->tree, NULL, number, 6, NULL);
    case 3:
        return masstree_update_u64(run->tree, NULL, number, set_value, &making, NULL);
    case 4:
        return masstree_get_or_insert_with_u64(run->tree, NULL, number, make_value, &making, NULL);
    case 5:
        return masstree_put_many_u64(run->tree, NULL, &number, 8, &word, 1, NULL);
    default:
        return masstree_insert_many_u64(run->tree, NULL, &number, 8, &word, 1, NULL, NULL);
    }
}

static void integer_forms(struct run *run)
{
    enum { FORMS = 7, EACH = 200 };
    for (uint64_t i = 0; i < FORMS * EACH; i++) {
        uint64_t form = i / EACH; /* so that each splits some leaves */
        uint64_t number = UINT64_C(1) << 60 | i;
        uint8_t key[8];
        int32_t status;
        masstree_u64_to_key(number, key);
        do {
            status = integer_form(run, form, number);
        } while (again(run, status, ANSWERS));
        assert_int_equal(form == 1 ? MASSTREE_NOT_FOUND : MASSTREE_OK, status);
        model_put(&run->model, key, 8, 6);
    }
}

/* Cursors. A call that fails leaves the cursor where it was. */
static void assert_cursor_at(struct run *run, masstree_cursor_t *cursor, size_t place)
{
    masstree_slice_t key = {NULL, 0};
    if (place == SIZE_MAX) {
        assert_int_equal(MASSTREE_NOT_FOUND, masstree_cursor_key(cursor, &key));
        return;
    }
    const struct entry *entry = &run->model.entries[place];
    assert_ok(masstree_cursor_key(cursor, &key));
    assert_slice(entry->key, entry->len, key);
}

static int32_t move(struct run *run, masstree_cursor_t *cursor, unsigned how, size_t target)
{
    const struct entry *entry = &run->model.entries[target];
    switch (how) {
    case 0:
        return masstree_cursor_first(cursor);
    case 1:
        return masstree_cursor_last(cursor);
    case 2:
        return masstree_cursor_next(cursor);
    case 3:
        return masstree_cursor_prev(cursor);
    case 4:
        return masstree_cursor_seek(cursor, entry->key, entry->len, MASSTREE_SEEK_GE);
    default:
        return masstree_cursor_seek_u64(cursor, UINT64_C(1) << 61, MASSTREE_SEEK_LE);
    }
}

static int32_t move_many(struct run *run, masstree_cursor_t *cursor, bool reverse,
                         masstree_slice_t *keys, size_t capacity, size_t *count)
{
    masstree_slice_t values[64];
    uint64_t words[64];
    if (run->holds_bytes) {
        return reverse ? masstree_cursor_prev_many_bytes(cursor, keys, values, capacity, count)
                       : masstree_cursor_next_many_bytes(cursor, keys, values, capacity, count);
    }
    return reverse ? masstree_cursor_prev_many(cursor, keys, words, capacity, count)
                   : masstree_cursor_next_many(cursor, keys, words, capacity, count);
}

/* Fewer than there is room for are an answer when memory lacks, but one at least. */
static void walk_with_many(struct run *run, masstree_cursor_t *cursor, size_t place, bool reverse)
{
    masstree_slice_t keys[64];
    for (;;) {
        size_t count = 0;
        int32_t status;
        do {
            assert_cursor_at(run, cursor, place);
            status = move_many(run, cursor, reverse, keys, COUNT(keys), &count);
        } while (again(run, status, MAY_DO_WITHOUT));
        if (status == MASSTREE_END) {
            break;
        }
        assert_int_equal(MASSTREE_OK, status);
        assert_in_range(count, 1, COUNT(keys));
        for (size_t i = 0; i < count; i++) {
            place = reverse ? place - 1 : place + 1; /* SIZE_MAX + 1 is 0 */
            const struct entry *entry = &run->model.entries[place];
            assert_slice(entry->key, entry->len, keys[i]);
        }
        assert_cursor_at(run, cursor, place);
    }
    assert_int_equal(reverse ? 0 : run->model.count - 1, place);
}

static masstree_cursor_t *open_cursor(struct run *run, masstree_guard_t *guard)
{
    masstree_cursor_t *const none = (masstree_cursor_t *)(void *)run;
    masstree_cursor_t *cursor = none;
    int32_t status;
    do {
        assert_ptr_equal(none, cursor);
        status = masstree_cursor_open(run->tree, guard, &cursor);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    return cursor;
}

/* A step that lacks memory within a leaf may still succeed from the top of the tree. */
static void move_cursors(struct run *run, masstree_guard_t *guard)
{
    size_t last = run->model.count - 1;
    for (unsigned how = 0; how < 6; how++) {
        masstree_cursor_t *cursor = open_cursor(run, how % 2 == 0 ? guard : NULL);
        size_t at = SIZE_MAX;
        int32_t status;
        do {
            assert_cursor_at(run, cursor, at);
            status = move(run, cursor, how, last / 2);
        } while (again(run, status, MAY_DO_WITHOUT));
        assert_int_equal(MASSTREE_OK, status);
        masstree_cursor_close(cursor);
    }
    masstree_cursor_t *cursor = open_cursor(run, NULL);
    for (size_t place = 0; place <= last; place++) {
        int32_t status;
        do {
            assert_cursor_at(run, cursor, place == 0 ? SIZE_MAX : place - 1);
            status = masstree_cursor_next(cursor);
        } while (again(run, status, MAY_DO_WITHOUT));
        assert_int_equal(MASSTREE_OK, status);
        assert_cursor_at(run, cursor, place);
        if (place % 7 == 0) {
            masstree_cursor_refresh(cursor);
        }
    }
    walk_with_many(run, cursor, last, true);
    masstree_cursor_close(cursor);
    cursor = open_cursor(run, guard);
    walk_with_many(run, cursor, SIZE_MAX, false);
    masstree_cursor_close(cursor);
    /* Backwards from no key at all. */
    cursor = open_cursor(run, guard);
    masstree_slice_t keys[64];
    size_t count = 0;
    int32_t status;
    do {
        status = move_many(run, cursor, true, keys, COUNT(keys), &count);
    } while (again(run, status, MAY_DO_WITHOUT));
    assert_int_equal(MASSTREE_OK, status);
    masstree_cursor_close(cursor);
}

/* A scan that lacks memory has visited what it says, and can be resumed there. */
static void scan(struct run *run)
{
    struct comparison comparison = {.run = run};
    masstree_range_t range = MASSTREE_RANGE_INIT;
    size_t total = 0;
    int32_t status;
    do {
        size_t visited = UINT64_C(77777);
        const struct entry *after =
            comparison.place == 0 ? NULL : &run->model.entries[comparison.place - 1];
        if (after != NULL) {
            range.lower = after->key;
            range.lower_len = after->len;
            range.lower_bound = MASSTREE_BOUND_EXCLUSIVE;
        }
        status = run->holds_bytes
                     ? masstree_scan_bytes(run->tree, NULL, &range, compare_bytes, &comparison,
                                           &visited)
                     : masstree_scan(run->tree, NULL, &range, compare_word, &comparison, &visited);
        total += visited;
        assert_int_equal(comparison.place, total);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    assert_false(comparison.differs);
    assert_int_equal(run->model.count, total);
}

static void count_keys(struct run *run, uint32_t flags)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    unsigned char bound[100];
    size_t count = 77;
    int32_t status;
    memset(bound, 0, sizeof bound);
    range.flags = flags;
    range.lower = bound;
    range.lower_len = 0;
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    do {
        assert_int_equal(77, count);
        status = masstree_count(run->tree, NULL, &range, &count);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    assert_int_equal(run->model.count, count);
}

static void count_freed(void *object, size_t bytes, void *ctx)
{
    (void)object;
    (void)bytes;
    ((struct run *)ctx)->freed++;
}

static void retire(struct run *run, size_t objects)
{
    for (size_t i = 0; i < objects; i++) {
        int32_t status;
        do {
            status = masstree_retire(run->tree, NULL, run, 8, count_freed, run);
        } while (again(run, status, ANSWERS));
        assert_int_equal(MASSTREE_OK, status);
    }
}

static masstree_guard_t *enter(struct run *run)
{
    masstree_guard_t *const none = (masstree_guard_t *)(void *)run;
    masstree_guard_t *guard = none;
    int32_t status;
    do {
        assert_ptr_equal(none, guard);
        status = masstree_guard_enter(run->tree, &guard);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    return guard;
}

/* More than there are places for without asking for memory. */
static void enter_many(struct run *run)
{
    masstree_guard_t *guards[200];
    for (size_t i = 0; i < COUNT(guards); i++) {
        guards[i] = enter(run);
    }
    for (size_t i = 0; i < COUNT(guards); i++) {
        masstree_guard_leave(guards[i]);
    }
}

static void maintain(struct run *run)
{
    int32_t status;
    do {
        do {
            status = masstree_maintain(run->tree, NULL, 5, NULL);
        } while (again(run, status, MAY_DO_WITHOUT));
    } while (status == MASSTREE_OK);
    assert_int_equal(MASSTREE_END, status);
}

static void check(struct run *run)
{
    int32_t status;
    do {
        status = masstree_check(run->tree, NULL, NULL, NULL);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
}

static void write_nothing(const char *text, size_t len, void *ctx)
{
    (void)text;
    *(size_t *)ctx += len;
}

static int32_t count_visit(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)value;
    ++*(size_t *)ctx;
    return MASSTREE_CONTINUE;
}

static void look(struct run *run)
{
    masstree_stats_t stats;
    size_t written = 0;
    int32_t status;
    do {
        stats = (masstree_stats_t)MASSTREE_STATS_INIT;
        stats.flags = MASSTREE_STATS_NODES;
        status = masstree_stats(run->tree, NULL, &stats);
        assert_int_equal(status == MASSTREE_OK ? run->model.count : 0, stats.keys);
    } while (again(run, status, ANSWERS));
    do {
        assert_int_equal(0, written);
        status = masstree_stats_json(run->tree, NULL, MASSTREE_STATS_NODES, write_nothing,
                                     &written);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    do {
        status = masstree_dump(run->tree, NULL, MASSTREE_DUMP_TEXT, write_nothing, &written);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    do {
        size_t visits = 0;
        size_t visited = 0;
        status = masstree_pivots(run->tree, NULL, 5, count_visit, &visits, &visited);
        assert_true(status != MASSTREE_OK || visits == visited);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
}

static void clear(struct run *run)
{
    int32_t status;
    do {
        status = masstree_clear(run->tree, NULL);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    model_free(&run->model);
}

/* Into the empty tree. */
static void bulk_load(struct run *run, bool of_integers)
{
    enum { LOADED = 150 };
    static uint64_t words[LOADED];
    static unsigned char bytes[LOADED][VALUE_MAX];
    masstree_slice_t slices[LOADED];
    masstree_slice_t values[LOADED];
    struct model model = {0};
    size_t offender = 77;
    int32_t status;
    for (uint64_t i = 0; i < LOADED; i++) {
        struct key key = key_of(i);
        if (of_integers) {
            key.len = 8;
            masstree_u64_to_key(i, key.bytes);
        }
        model_put(&model, key.bytes, key.len, i);
    }
    for (uint64_t i = 0; i < LOADED; i++) {
        model.entries[i].value = words[i] = i;
        slices[i] = (masstree_slice_t){model.entries[i].key, model.entries[i].len};
        values[i] = value_of(i, bytes[i]);
    }
    do {
        status = run->holds_bytes
                     ? masstree_bulk_load_bytes(run->tree, NULL, slices, values, LOADED, &offender)
                 : of_integers
                     ? masstree_bulk_load_u64(run->tree, NULL, words, 8, words, LOADED, &offender)
                     : masstree_bulk_load(run->tree, NULL, slices, words, LOADED, &offender);
        assert_int_equal(77, offender);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    model_free(&run->model);
    run->model = model;
}

static void create(struct run *run)
{
    masstree_options_t options = allocator_options(
        &run->allocator, run->holds_bytes ? MASSTREE_VALUES_BYTES : MASSTREE_VALUES_WORDS);
    int32_t status;
    do {
        assert_null(run->tree);
        status = masstree_create(&options, &run->tree);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
}

static void work(struct run *run)
{
    uint64_t random = 1;
    create(run);
    /* What fills the pool comes first: later there are nodes that were given back. */
    if (!run->holds_bytes) {
        bulk_load(run, true);
        clear(run);
    }
    masstree_guard_t *guard = enter(run);
    if (!run->holds_bytes) {
        integer_forms(run);
    }
    for (uint64_t number = 0; number < 260; number++) {
        put(run, number, number);
    }
    for (uint64_t step = 0; step < 400; step++) {
        uint64_t number = random_below(&random, 500);
        switch (random_below(&random, 8)) {
        case 0:
            exchange(run, guard, number, step);
            break;
        case 1:
            insert(run, guard, number, step);
            break;
        case 2:
            replace(run, number, step);
            break;
        case 3:
            compare_exchange(run, number, step);
            break;
        case 4:
        case 5:
            remove_key(run, number, step % 2 == 0);
            break;
        default:
            if (run->holds_bytes) {
                put(run, number, step);
            } else {
                update(run, number, step, step % 2 == 0);
            }
        }
        if (step % 50 == 0) {
            masstree_guard_refresh(guard);
        }
    }
    put_batch(run, 480);
    if (!run->holds_bytes) {
        insert_batch(run, 490);
    }
    move_cursors(run, guard);
    scan(run);
    count_keys(run, 0);
    count_keys(run, MASSTREE_SCAN_REVERSE);
    retire(run, 50);
    for (uint64_t number = 0; number < 500; number++) {
        if (number % 4 != 0) {
            remove_key(run, number, false);
        }
    }
    maintain(run);
    check(run);
    look(run);
    masstree_guard_leave(guard);
    enter_many(run);
    clear(run);
    bulk_load(run, false);
    clear(run);
    put(run, 1000, 1);
    assert_as_the_model(run);
}

/* Runs the workload with one failure; false if it came to its end without. */
static bool run_once(struct run *run, bool holds_bytes, size_t fail_at, bool fail_on)
{
    *run = (struct run){.holds_bytes = holds_bytes};
    allocator_start(&run->allocator);
    run->allocator.fail_at = fail_at;
    run->allocator.fail_on = fail_on;
    work(run);
    bool failed = run->allocator.fail_at == 0;
    masstree_destroy(run->tree);
    assert_int_equal(50, run->freed);
    model_free(&run->model);
    allocator_end(&run->allocator);
    return failed;
}

static void sweep(bool holds_bytes, bool fail_on)
{
    struct run run;
    size_t step = scaled(64) < 64 ? 64 / scaled(64) : 1; /* of slow builds, every so many */
    size_t refused = 0;
    size_t absorbed = 0;
    size_t fail_at = 1;
    for (; run_once(&run, holds_bytes, fail_at, fail_on); fail_at += step) {
        refused += run.refused;
        absorbed += run.absorbed;
    }
    assert_true(refused * step > 100);
    print_message("%s, %s: %zu allocations, %zu refusals, %zu done without\n",
                  holds_bytes ? "byte strings" : "words",
                  fail_on ? "one fails and the rest of the call" : "one fails", fail_at - 1,
                  refused, absorbed);
}

static void each_allocation_of_a_tree_of_words_may_fail(void **state)
{
    (void)state;
    sweep(false, false);
}

static void each_allocation_of_a_tree_of_byte_strings_may_fail(void **state)
{
    (void)state;
    sweep(true, false);
}

static void all_allocations_of_a_call_from_any_on_may_fail_with_words(void **state)
{
    (void)state;
    sweep(false, true);
}

static void all_allocations_of_a_call_from_any_on_may_fail_with_byte_strings(void **state)
{
    (void)state;
    sweep(true, true);
}

static void many_steps_that_lack_memory_store_nothing(void **state)
{
    (void)state;
    for (unsigned form = 0; form < 4; form++) {
        struct run run = {.holds_bytes = (form & 1) != 0};
        allocator_start(&run.allocator);
        create(&run);
        put(&run, 3, 1); /* with a suffix */
        masstree_cursor_t *cursor = open_cursor(&run, NULL);
        masstree_slice_t keys[1] = {{NULL, 77}};
        size_t count = 77;
        run.allocator.fail_at = run.allocator.calls + 1;
        assert_int_equal(MASSTREE_NOMEM,
                         move_many(&run, cursor, (form & 2) != 0, keys, 1, &count));
        assert_int_equal(77, keys[0].len);
        assert_int_equal(77, count);
        masstree_cursor_close(cursor);
        masstree_destroy(run.tree);
        model_free(&run.model);
        allocator_end(&run.allocator);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_of_a_tree_of_words_may_fail),
        cmocka_unit_test(each_allocation_of_a_tree_of_byte_strings_may_fail),
        cmocka_unit_test(all_allocations_of_a_call_from_any_on_may_fail_with_words),
        cmocka_unit_test(all_allocations_of_a_call_from_any_on_may_fail_with_byte_strings),
        cmocka_unit_test(many_steps_that_lack_memory_store_nothing),
    };
    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
