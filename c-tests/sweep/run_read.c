/* Reads that need memory: cursors, scans. */
#include "sweep/run.h"

/* Cursors. A call that fails does not move the cursor. */
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

int32_t move_many(struct run *run, masstree_cursor_t *cursor, bool reverse,
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

/* When memory runs out, fewer than requested are a valid result, but at least one. */
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

masstree_cursor_t *run_open_cursor(struct run *run, masstree_guard_t *guard)
{
    masstree_cursor_t *const none = (masstree_cursor_t *)(void *)run;
    masstree_cursor_t *cursor = none;
    int32_t status;
    do {
        assert_ptr_equal(none, cursor);
        status = run->opened % 2 == 0
                     ? masstree_cursor_open(run->tree, guard, &cursor)
                     : masstree_cursor_open_in(run->tree, guard, run->lent, sizeof run->lent, &cursor);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    run->opened++;
    return cursor;
}

/* A step that runs out of memory within a leaf may still succeed from the root of the tree. */
void run_cursors(struct run *run, masstree_guard_t *guard)
{
    size_t last = run->model.count - 1;
    for (unsigned how = 0; how < 6; how++) {
        masstree_cursor_t *cursor = run_open_cursor(run, how % 2 == 0 ? guard : NULL);
        size_t at = SIZE_MAX;
        int32_t status;
        do {
            assert_cursor_at(run, cursor, at);
            status = move(run, cursor, how, last / 2);
        } while (again(run, status, MAY_DO_WITHOUT));
        assert_int_equal(MASSTREE_OK, status);
        masstree_cursor_close(cursor);
    }
    masstree_cursor_t *cursor = run_open_cursor(run, NULL);
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
    cursor = run_open_cursor(run, guard);
    walk_with_many(run, cursor, SIZE_MAX, false);
    masstree_cursor_close(cursor);
    /* Backwards from no key. */
    cursor = run_open_cursor(run, guard);
    masstree_slice_t keys[64];
    size_t count = 0;
    int32_t status;
    do {
        status = move_many(run, cursor, true, keys, COUNT(keys), &count);
    } while (again(run, status, MAY_DO_WITHOUT));
    assert_int_equal(MASSTREE_OK, status);
    masstree_cursor_close(cursor);
}

/* A scan that runs out of memory has visited as many keys as it says, and can be resumed there. */
void run_scan(struct run *run)
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

enum { MY_NUMBER = MASSTREE_OWN_STATUS - 5 };

/* Visitors that end with a number at the last key. */
static int32_t word_to_a_number(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct comparison *comparison = ctx;
    int32_t answer = compare_word(key, key_len, value, ctx);
    return comparison->place == comparison->run->model.count ? MY_NUMBER : answer;
}

static int32_t bytes_to_a_number(const void *key, size_t key_len, const void *value,
                                 size_t value_len, void *ctx)
{
    struct comparison *comparison = ctx;
    int32_t answer = compare_bytes(key, key_len, value, value_len, ctx);
    return comparison->place == comparison->run->model.count ? MY_NUMBER : answer;
}

/* A scan that runs out of memory has no number of a visitor's. */
void run_scan_to_a_number(struct run *run)
{
    int32_t number = 77;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.visitor_result = &number;
    struct comparison comparison;
    int32_t status;
    do {
        assert_int_equal(77, number);
        comparison = (struct comparison){.run = run};
        status = run->holds_bytes
                     ? masstree_scan_bytes(run->tree, NULL, &range, bytes_to_a_number, &comparison,
                                           NULL)
                     : masstree_scan(run->tree, NULL, &range, word_to_a_number, &comparison, NULL);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    assert_int_equal(MY_NUMBER, number);
    assert_false(comparison.differs);
    assert_int_equal(run->model.count, comparison.place);
}

static int32_t ignore_prefix(const void *prefix, size_t prefix_len, void *ctx)
{
    (void)prefix;
    (void)prefix_len;
    (void)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t ignore_key(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)value;
    return ignore_prefix(key, key_len, ctx);
}

static int32_t ignore_pair(const void *key, size_t key_len, const void *value, size_t value_len,
                          void *ctx)
{
    (void)value;
    (void)value_len;
    return ignore_prefix(key, key_len, ctx);
}

/* The keys of the model, those with a common prefix counted once. */
static size_t entries_of(const struct run *run, unsigned char delimiter)
{
    size_t count = 0;
    const unsigned char *last = NULL;
    size_t last_len = 0;
    for (size_t i = 0; i < run->model.count; i++) {
        const struct entry *entry = &run->model.entries[i];
        const unsigned char *end = memchr(entry->key, delimiter, entry->len);
        size_t len = end == NULL ? 0 : (size_t)(end - (const unsigned char *)entry->key) + 1;
        bool again = len != 0 && len == last_len && memcmp(last, entry->key, len) == 0;
        count += !again;
        last = entry->key;
        last_len = len;
    }
    return count;
}

void run_scan_delimited(struct run *run)
{
    static const unsigned char delimiters[] = {0, 'a'};
    for (size_t i = 0; i < COUNT(delimiters); i++) {
        size_t visited = 77, entries = entries_of(run, delimiters[i]);
        int32_t status;
        do {
            status = run->holds_bytes
                         ? masstree_scan_delimited_bytes(run->tree, NULL, NULL, &delimiters[i], 1,
                                                         ignore_pair, ignore_prefix, NULL, &visited)
                         : masstree_scan_delimited(run->tree, NULL, NULL, &delimiters[i], 1, ignore_key,
                                                   ignore_prefix, NULL, &visited);
            assert_true(visited <= entries);
        } while (again(run, status, ANSWERS));
        assert_int_equal(MASSTREE_OK, status);
        assert_int_equal(entries, visited);
    }
}

void run_count(struct run *run, uint32_t flags)
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

/* Needs memory if the key has many layers. */
void run_longest_prefix(struct run *run, const void *key, size_t key_len)
{
    struct entry *entry = NULL;
    size_t expected = key_len + 1;
    size_t len = UNTOUCHED;
    int32_t status;
    while (entry == NULL && expected > 0) {
        entry = model_find(&run->model, key, --expected);
    }
    do {
        assert_int_equal(UNTOUCHED, len);
        status = run->holds_bytes
                     ? masstree_longest_prefix_bytes(run->tree, NULL, key, key_len, &len, NULL)
                     : masstree_longest_prefix(run->tree, NULL, key, key_len, &len, NULL);
    } while (again(run, status, ANSWERS));
    assert_int_equal(entry == NULL ? MASSTREE_NOT_FOUND : MASSTREE_OK, status);
    assert_int_equal(entry == NULL ? UNTOUCHED : expected, len);
}

struct drawing {
    struct run *run;
    size_t drawn;
};

static int32_t draw_word(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct drawing *drawing = ctx;
    const struct entry *entry = model_find(&drawing->run->model, key, key_len);
    assert_non_null(entry);
    assert_true(drawing->run->holds_bytes || entry->value == value);
    drawing->drawn++;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t draw_bytes(const void *key, size_t key_len, const void *value, size_t value_len,
                          void *ctx)
{
    (void)value;
    (void)value_len;
    return draw_word(key, key_len, 0, ctx);
}

/* A sample that runs out of memory has visited as many keys as it says. */
void run_sample(struct run *run, size_t count)
{
    struct drawing drawing = {run, 0};
    uint64_t state = 1;
    size_t total = 0;
    int32_t status;
    do {
        size_t visited = UNTOUCHED;
        status = run->holds_bytes ? masstree_sample_bytes(run->tree, NULL, &state, count - total,
                                                          draw_bytes, &drawing, &visited)
                                  : masstree_sample(run->tree, NULL, &state, count - total,
                                                    draw_word, &drawing, &visited);
        total += visited;
        assert_int_equal(drawing.drawn, total);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    assert_int_equal(count, total);
}
