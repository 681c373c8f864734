/* Writes that depend on the value: update_bytes, append_bytes, add. */
#include "sweep/run.h"

struct deciding {
    int32_t action;
    masstree_slice_t value;
    bool there;
    size_t calls;
};

static int32_t decide(const masstree_slice_t *present, masstree_slice_t *value, void *ctx)
{
    struct deciding *deciding = ctx;
    assert_int_equal(deciding->there, present != NULL);
    deciding->calls++;
    *value = deciding->value;
    return deciding->action;
}

/* Unlike masstree_update, it may call back before it runs out of memory. */
void run_update_bytes(struct run *run, masstree_guard_t *guard, uint64_t number, uint64_t value)
{
    static const int32_t actions[] = {MASSTREE_ACTION_SET, MASSTREE_ACTION_SET,
                                      MASSTREE_ACTION_KEEP, MASSTREE_ACTION_REMOVE};
    struct key key = key_of(number);
    unsigned char bytes[VALUE_MAX];
    struct deciding deciding = {actions[value % COUNT(actions)], value_of(value, bytes),
                                run_has(run, &key), 0};
    bool sets = deciding.action == MASSTREE_ACTION_SET;
    masstree_slice_t old = {NULL, 77};
    int32_t status;
    do {
        assert_int_equal(77, old.len);
        status = masstree_update_bytes(run->tree, guard, key.bytes, key.len, decide, &deciding,
                                       &old);
    } while (again(run, status, sets ? ANSWERS : MAY_DO_WITHOUT));
    assert_int_equal(MASSTREE_OK, status);
    assert_in_range(deciding.calls, 1, 3); /* at most two calls run out of memory here */
    bool displaces = deciding.there && deciding.action != MASSTREE_ACTION_KEEP;
    assert_true(displaces == (old.len != 77));
    if (sets) {
        model_put(&run->model, key.bytes, key.len, value);
    } else if (displaces) {
        model_remove(&run->model, key.bytes, key.len);
    }
}

/* The next number whose bytes are those of `value` and some more. */
static uint64_t longer(uint64_t value)
{
    unsigned char bytes[2][VALUE_MAX];
    masstree_slice_t first = value_of(value, bytes[0]);
    for (uint64_t next = value + 1;; next++) {
        masstree_slice_t second = value_of(next, bytes[1]);
        if (second.len >= first.len && memcmp(bytes[0], bytes[1], first.len) == 0) {
            return next;
        }
    }
}

void run_append(struct run *run, uint64_t number, uint64_t value)
{
    struct key key = key_of(number);
    const struct entry *entry = model_find(&run->model, key.bytes, key.len);
    unsigned char bytes[VALUE_MAX];
    size_t begin = entry == NULL ? 0 : value_of(entry->value, bytes).len;
    uint64_t whole = entry == NULL ? value : longer(entry->value);
    masstree_slice_t slice = value_of(whole, bytes);
    size_t len = UNTOUCHED;
    int32_t status;
    do {
        assert_int_equal(UNTOUCHED, len);
        status = masstree_append_bytes(run->tree, NULL, key.bytes, key.len, bytes + begin,
                                       slice.len - begin, &len);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    assert_int_equal(slice.len, len);
    model_put(&run->model, key.bytes, key.len, whole);
}

void run_add(struct run *run, uint64_t number, uint64_t value)
{
    struct key key = key_of(number);
    const struct entry *entry = model_find(&run->model, key.bytes, key.len);
    uint64_t expected = value + (entry == NULL ? 0 : entry->value);
    uint64_t sum = UNTOUCHED;
    int32_t status;
    do {
        assert_int_equal(UNTOUCHED, sum);
        status = masstree_add(run->tree, NULL, key.bytes, key.len, value, &sum);
        /* A value that is there is changed without memory. */
    } while (again(run, status, entry == NULL ? ANSWERS : MAY_DO_WITHOUT));
    assert_int_equal(MASSTREE_OK, status);
    assert_int_equal(expected, sum);
    model_put(&run->model, key.bytes, key.len, expected);
}
