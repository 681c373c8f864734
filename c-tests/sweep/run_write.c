/* Writes. */
#include "sweep/run.h"

void run_put(struct run *run, uint64_t number, uint64_t value)
{
    struct key key = key_of(number);
    run_put_key(run, key.bytes, key.len, value, ANSWERS);
}

void run_put_key(struct run *run, const void *key, size_t key_len, uint64_t value,
                 enum lenience lenience)
{
    unsigned char bytes[VALUE_MAX];
    masstree_slice_t slice = value_of(value, bytes);
    int32_t status;
    do {
        status = run->holds_bytes
                     ? masstree_put_bytes(run->tree, NULL, key, key_len, slice.data, slice.len)
                     : masstree_put(run->tree, NULL, key, key_len, value);
    } while (again(run, status, lenience));
    assert_int_equal(MASSTREE_OK, status);
    model_put(&run->model, key, key_len, value);
}

bool run_has(struct run *run, const struct key *key)
{
    return model_find(&run->model, key->bytes, key->len) != NULL;
}

void run_exchange(struct run *run, masstree_guard_t *guard, uint64_t number, uint64_t value)
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
    assert_int_equal(run_has(run, &key) ? MASSTREE_OK : MASSTREE_NOT_FOUND, status);
    model_put(&run->model, key.bytes, key.len, value);
}

void run_insert(struct run *run, masstree_guard_t *guard, uint64_t number, uint64_t value)
{
    struct key key = key_of(number);
    unsigned char bytes[VALUE_MAX];
    masstree_slice_t slice = value_of(value, bytes);
    masstree_slice_t present = {NULL, 77};
    uint64_t word = UNTOUCHED;
    bool there = run_has(run, &key);
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

void run_replace(struct run *run, uint64_t number, uint64_t value)
{
    struct key key = key_of(number);
    unsigned char bytes[VALUE_MAX];
    masstree_slice_t slice = value_of(value, bytes);
    bool there = run_has(run, &key);
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

void run_compare_exchange(struct run *run, uint64_t number, uint64_t value)
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
void run_remove(struct run *run, uint64_t number, bool only_if_equal)
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

/* A pop that runs out of memory removes nothing. */
void run_pop(struct run *run, bool last)
{
    struct key key = {0};
    int32_t status;
    do {
        status = (last ? masstree_pop_last : masstree_pop_first)(
            run->tree, NULL, NULL, key.bytes, sizeof key.bytes, &key.len, NULL);
    } while (again(run, status, ANSWERS));
    if (run->model.count == 0) {
        assert_int_equal(MASSTREE_NOT_FOUND, status);
        return;
    }
    assert_int_equal(MASSTREE_OK, status);
    const struct entry *entry = &run->model.entries[last ? run->model.count - 1 : 0];
    assert_slice(entry->key, entry->len, (masstree_slice_t){key.bytes, key.len});
    model_remove(&run->model, key.bytes, key.len);
}

/* What was removed before memory ran out is counted. */
void run_remove_range(struct run *run, uint64_t number, size_t limit)
{
    struct key key = key_of(number);
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.lower = key.bytes;
    range.lower_len = key.len;
    size_t left = limit;
    int32_t status;
    do {
        size_t removed = SIZE_MAX;
        range.limit = left;
        status = masstree_remove_range(run->tree, NULL, &range, &removed);
        assert_true(removed <= left);
        left -= removed;
        for (; removed > 0; removed--) {
            size_t at = model_position(&run->model, key.bytes, key.len);
            const struct entry *entry = &run->model.entries[at];
            model_remove(&run->model, entry->key, entry->len);
        }
    } while (again(run, status, ANSWERS) && left > 0);
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
    return MASSTREE_ACTION_SET;
}

static int32_t make_value(uint64_t *value, void *ctx)
{
    return set_value(NULL, value, ctx) == MASSTREE_ACTION_SET ? MASSTREE_OK : MASSTREE_INVALID;
}

/* Memory is reserved before the callback is called: after a failure it was not called. */
void run_update(struct run *run, uint64_t number, uint64_t value, bool only_if_absent)
{
    struct key key = key_of(number);
    struct making making = {.value = value};
    bool there = run_has(run, &key);
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

/* After running out of memory the thread holds nothing: the leaf can be written, and another be
   held. */
void run_hold(struct run *run, masstree_guard_t *guard, uint64_t number, uint64_t value)
{
    static const int32_t actions[] = {MASSTREE_ACTION_SET, MASSTREE_ACTION_SET,
                                      MASSTREE_ACTION_KEEP, MASSTREE_ACTION_REMOVE};
    struct key key = key_of(number);
    int32_t action = actions[value % COUNT(actions)];
    struct entry *entry = model_find(&run->model, key.bytes, key.len);
    uint64_t word = UNTOUCHED;
    masstree_held_t held;
    int32_t status;
    do {
        status = masstree_hold(run->tree, guard, key.bytes, key.len, MASSTREE_HOLD_INSERT, &held,
                               &word);
        if (status == MASSTREE_NOMEM) {
            assert_int_equal(UNTOUCHED, word);
            assert_int_equal(MASSTREE_INVALID, masstree_held_finish(&held, action, value, NULL));
        } else {
            assert_int_equal(entry != NULL ? MASSTREE_OK : MASSTREE_NOT_FOUND, status);
            assert_int_equal(MASSTREE_OK, masstree_held_finish(&held, action, value, NULL));
        }
    } while (again(run, status, entry != NULL ? MAY_DO_WITHOUT : ANSWERS));
    assert_int_equal(entry != NULL ? entry->value : UNTOUCHED, word);
    if (action == MASSTREE_ACTION_SET) {
        model_put(&run->model, key.bytes, key.len, value);
    } else if (action == MASSTREE_ACTION_REMOVE && entry != NULL) {
        model_remove(&run->model, key.bytes, key.len);
    }
}

static void fill_batch(struct batch *batch, uint64_t first)
{
    for (size_t i = 0; i < BATCH; i++) {
        batch_set(batch, i, key_of(first + i), first + 3 * i);
    }
}

/* The items that were done are in the model before `again` compares. */
void run_put_batch(struct run *run, uint64_t first)
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

void run_insert_batch(struct run *run, uint64_t first)
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
                assert_false(run_has(run, &batch.keys[i]));
                model_put(&run->model, batch.keys[i].bytes, batch.keys[i].len, batch.words[i]);
            } else if (statuses[i] == MASSTREE_EXISTS) {
                assert_true(run_has(run, &batch.keys[i]));
            } else {
                assert_int_equal(MASSTREE_NOMEM, statuses[i]);
                failed++;
            }
        }
        assert_int_equal(failed == 0 ? MASSTREE_OK : MASSTREE_NOMEM, status);
    } while (again(run, status, MAY_DO_WITHOUT));
}

/* The forms for integers, with keys that no other step uses: each form often enough that some of
   its calls split a leaf. */
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

/* On the way the pools grow to where they get caches, which they may do without. */
void run_integer_forms(struct run *run)
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
        } while (again(run, status, MAY_DO_WITHOUT));
        assert_int_equal(form == 1 ? MASSTREE_NOT_FOUND : MASSTREE_OK, status);
        model_put(&run->model, key, 8, 6);
    }
}
