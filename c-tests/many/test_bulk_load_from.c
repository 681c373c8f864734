/* Bulk loads from a source: how it is called, what it may return, and what becomes of its values
   when the load fails. */
#include "many/load.h"

#define TOO_LONG ((size_t)UINT32_MAX + 1)
#define AN_ERROR (-77)

/* Stores the keys of a load in memory that it overwrites at the next call. */
struct source {
    const struct load *load;
    size_t next;
    size_t end;
    size_t most;    /* keys a call, at most; 0: as many as fit */
    int32_t last;   /* what is returned after the last key */
    size_t claimed; /* what is added to the count */
    size_t calls;
    /* Called before each batch, unless it is NULL. */
    void (*before)(struct source *source);
    masstree_t *tree;
    unsigned char *bytes;
    size_t room;
};

static struct source new_source(const struct load *load)
{
    struct source source = {.load = load, .end = load->count, .last = MASSTREE_END};
    source.room = 1 << 16;
    source.bytes = malloc(source.room);
    assert_non_null(source.bytes);
    return source;
}

static void free_source(struct source *source)
{
    free(source->bytes);
}

static size_t store(masstree_slice_t *to, masstree_slice_t from, struct source *source, size_t used)
{
    *to = from;
    if (from.data == NULL || from.len > source->room) {
        return 0;
    }
    REQUIRE(used + from.len <= source->room);
    memcpy(source->bytes + used, from.data, from.len);
    to->data = source->bytes + used;
    return from.len;
}

static int32_t next_keys(masstree_slice_t *keys, uint64_t *words, masstree_slice_t *values,
                         size_t capacity, size_t *count, struct source *source)
{
    REQUIRE(keys != NULL && capacity >= 1 && *count == 0);
    source->calls++;
    memset(source->bytes, 0xDD, source->room);
    if (source->before != NULL) {
        source->before(source);
    }
    if (source->next == source->end) {
        *count = 1;
        return source->last;
    }
    size_t used = 0;
    size_t most = source->most != 0 && source->most < capacity ? source->most : capacity;
    while (*count < most && source->next < source->end) {
        size_t at = *count;
        used += store(&keys[at], source->load->keys[source->next], source, used);
        if (values != NULL) {
            used += store(&values[at], source->load->values[source->next], source, used);
        } else {
            words[at] = source->load->words[source->next];
        }
        source->next++;
        ++*count;
    }
    if (source->next == source->end && source->claimed != 0) {
        *count = capacity + source->claimed;
    }
    return MASSTREE_OK;
}

static int32_t next_words(masstree_slice_t *keys, uint64_t *words, size_t capacity, size_t *count,
                          void *ctx)
{
    return next_keys(keys, words, NULL, capacity, count, ctx);
}

static int32_t next_bytes(masstree_slice_t *keys, masstree_slice_t *values, size_t capacity,
                          size_t *count, void *ctx)
{
    return next_keys(keys, NULL, values, capacity, count, ctx);
}

/* Put back: in `load`, pass the source the arrays of the batch before; read only one batch. */
static void source_of_any_batches_fills_a_tree(void **state)
{
    (void)state;
    static const size_t most[] = {0, 1, 2, 3, 127, 128, 129};
    struct load load = new_load(120);
    for (size_t i = 0; i < COUNT(most); i++) {
        struct source source = new_source(&load);
        struct source bytes_source = new_source(&load);
        struct destroyed destroyed = new_destroyed(load.count);
        masstree_t *tree = new_destroying_tree(&destroyed, NULL);
        masstree_t *bytes = new_bytes_tree();
        masstree_guard_t *guard = i % 2 == 0 ? new_guard(tree) : NULL;
        size_t offender = 77;
        source.most = bytes_source.most = most[i];
        assert_ok(masstree_bulk_load_from(tree, guard, next_words, &source, &offender));
        assert_ok(masstree_bulk_load_from_bytes(bytes, NULL, next_bytes, &bytes_source, NULL));
        masstree_guard_leave(guard);
        assert_int_equal(77, offender);
        assert_agrees(tree, &load.model);
        assert_consistent(tree);
        assert_int_equal(load.count, tree_len(tree));
        assert_bytes_loaded(bytes, &load, load.count);
        assert_destroyed(&destroyed, 0, 0);
        end_tree(tree);
        end_tree(bytes);
        assert_destroyed(&destroyed, 0, load.count);
        free(destroyed.times);
        free_source(&source);
        free_source(&bytes_source);
    }
    free_load(&load);
}

/* Loads from the source, which fails: the tree stays empty, and the destructor gets each value
   that was stored. Then loads the first keys without an error. */
static void load_that_fails(int32_t status, struct source *source, size_t at, size_t destroyed)
{
    struct source again = *source;
    struct destroyed counts = new_destroyed(source->load->count);
    masstree_t *tree = new_destroying_tree(&counts, NULL);
    size_t offender = 77;
    assert_status(status, masstree_bulk_load_from(tree, NULL, next_words, source, &offender));
    assert_int_equal(at, offender);
    assert_int_equal(0, tree_len(tree));
    assert_consistent(tree);
    assert_destroyed(&counts, 0, destroyed);
    again.end = 20;
    again.next = again.claimed = 0;
    again.last = MASSTREE_END;
    assert_ok(masstree_bulk_load_from(tree, NULL, next_words, &again, NULL));
    assert_int_equal(20, tree_len(tree));
    end_tree(tree);
    assert_destroyed(&counts, 0, 20);
    free(counts.times);
}

/* Put back: in `load`, do not discard the values of a batch after the offender, or discard also
   those before it; in `Builder::drop`, do not destroy the values; give the index within the batch
   as offender. */
static void key_at_fault_is_named_and_every_value_destroyed(void **state)
{
    (void)state;
    struct load load = new_load(60);
    for (size_t place = 21; place < load.count; place += 1 + place / 12) {
        masstree_slice_t kept = load.keys[place];
        const struct fault {
            masstree_slice_t key;
            int32_t status;
        } faults[] = {
            {load.keys[place - 1], MASSTREE_UNSORTED},
            {load.keys[0], MASSTREE_UNSORTED},
            {{"x", TOO_LONG}, MASSTREE_KEY_TOO_LONG},
            {{NULL, 1}, MASSTREE_INVALID},
        };
        for (size_t i = 0; i < COUNT(faults); i++) {
            struct source source = new_source(&load);
            struct source bytes_source = source;
            masstree_t *bytes = new_bytes_tree();
            size_t offender = 77;
            load.keys[place] = faults[i].key;
            source.most = bytes_source.most = 40;
            load_that_fails(faults[i].status, &source, place,
                            (place / 40 + 1) * 40 < load.count ? (place / 40 + 1) * 40
                                                               : load.count);
            assert_status(faults[i].status, masstree_bulk_load_from_bytes(
                                                bytes, NULL, next_bytes, &bytes_source, &offender));
            assert_int_equal(place, offender);
            assert_int_equal(0, tree_len(bytes));
            end_tree(bytes);
            free_source(&source);
        }
        load.keys[place] = kept;
    }
    free_load(&load);
}

/* Put back: in `load`, ignore the source's status, or read its count with a status. */
static void status_of_the_source_ends_the_load(void **state)
{
    (void)state;
    struct load load = new_load(60);
    static const int32_t ends[] = {MASSTREE_END, MASSTREE_NOT_FOUND, 1000};
    for (size_t i = 0; i < COUNT(ends); i++) {
        struct source source = new_source(&load);
        masstree_t *tree = new_tree();
        source.last = ends[i];
        assert_ok(masstree_bulk_load_from(tree, NULL, next_words, &source, NULL));
        assert_int_equal(load.count, tree_len(tree));
        end_tree(tree);
        free_source(&source);
    }
    struct source source = new_source(&load);
    source.last = AN_ERROR;
    load_that_fails(AN_ERROR, &source, 77, load.count);
    masstree_t *bytes = new_bytes_tree();
    source.next = 0;
    assert_status(AN_ERROR, masstree_bulk_load_from_bytes(bytes, NULL, next_bytes, &source, NULL));
    assert_int_equal(0, tree_len(bytes));
    end_tree(bytes);
    /* More keys than the arrays have room for: those were not stored. */
    source.next = 0;
    source.claimed = 1;
    source.most = 50;
    load_that_fails(MASSTREE_INVALID, &source, 77, (load.count - 1) / 50 * 50);
    free_source(&source);
    free_load(&load);
}

static void value_at_fault_is_named(void **state)
{
    (void)state;
    struct load load = new_load(40);
    masstree_t *bytes = new_bytes_tree();
    for (size_t i = 0; i < 2; i++) {
        struct source source = new_source(&load);
        size_t offender = 77;
        load.values[150] = (masstree_slice_t){i == 0 ? NULL : "x", i == 0 ? 1 : SIZE_MAX};
        assert_status(MASSTREE_INVALID, masstree_bulk_load_from_bytes(bytes, NULL, next_bytes,
                                                                      &source, &offender));
        assert_int_equal(150, offender);
        assert_int_equal(0, tree_len(bytes));
        free_source(&source);
    }
    end_tree(bytes);
    free_load(&load);
}

static void insert_a_key(struct source *source)
{
    REQUIRE(masstree_put(source->tree, NULL, "in the way", 10, 3) == MASSTREE_OK);
}

static void clear_the_tree(struct source *source)
{
    REQUIRE(masstree_put(source->tree, NULL, "in the way", 10, source->load->count) == MASSTREE_OK);
    REQUIRE(masstree_clear(source->tree, NULL) == MASSTREE_OK);
}

/* Put back: in `load`, call the source before the tree is found not to be empty; in
   `Tree::publish`, do not compare the era. */
static void tree_that_gets_a_key_meanwhile_is_left_alone(void **state)
{
    (void)state;
    struct load load = new_load(60);
    struct destroyed destroyed = new_destroyed(load.count + 1);
    masstree_t *tree = new_destroying_tree(&destroyed, NULL);
    struct source source = new_source(&load);
    source.tree = tree;
    source.before = insert_a_key;
    size_t offender = 77;
    uint64_t word = 0;
    assert_status(MASSTREE_EXISTS,
                  masstree_bulk_load_from(tree, NULL, next_words, &source, &offender));
    assert_int_equal(77, offender);
    assert_int_equal(load.count, source.next);
    assert_int_equal(1, tree_len(tree));
    assert_ok(masstree_get(tree, NULL, "in the way", 10, &word));
    assert_int_equal(3, word);
    assert_ok(masstree_barrier(tree));
    assert_destroyed(&destroyed, 0, load.count);
    /* Not empty at first: the source is not called. */
    source.calls = source.next = 0;
    assert_status(MASSTREE_EXISTS,
                  masstree_bulk_load_from(tree, NULL, next_words, &source, &offender));
    assert_int_equal(0, source.calls);
    assert_ok(masstree_remove(tree, NULL, "in the way", 10, &word));
    /* Cleared meanwhile: the keys are loaded. */
    source.before = clear_the_tree;
    assert_ok(masstree_bulk_load_from(tree, NULL, next_words, &source, NULL));
    assert_agrees(tree, &load.model);
    assert_int_equal(load.count, tree_len(tree));
    masstree_destroy(tree);
    for (size_t i = 0; i < load.count; i++) {
        assert_int_equal(1, destroyed.times[i]);
    }
    free(destroyed.times);
    free_source(&source);
    masstree_t *bytes = new_bytes_tree();
    struct source unused = new_source(&load);
    assert_ok(masstree_put_bytes(bytes, NULL, "in the way", 10, "", 0));
    assert_status(MASSTREE_EXISTS,
                  masstree_bulk_load_from_bytes(bytes, NULL, next_bytes, &unused, NULL));
    assert_int_equal(0, unused.calls);
    end_tree(bytes);
    free_source(&unused);
    free_load(&load);
}

static int32_t next_of_cursor(masstree_slice_t *keys, uint64_t *values, size_t capacity,
                              size_t *count, void *ctx)
{
    return masstree_cursor_next_many(ctx, keys, values, capacity, count);
}

static int32_t next_bytes_of_cursor(masstree_slice_t *keys, masstree_slice_t *values,
                                    size_t capacity, size_t *count, void *ctx)
{
    return masstree_cursor_next_many_bytes(ctx, keys, values, capacity, count);
}

static void cursor_is_a_source(void **state)
{
    (void)state;
    struct load load = new_load(scaled(1000));
    masstree_t *tree = new_tree();
    masstree_t *copy = new_tree();
    masstree_t *bytes = new_bytes_tree();
    masstree_t *bytes_copy = new_bytes_tree();
    masstree_cursor_t *cursor = NULL;
    assert_ok(masstree_bulk_load(tree, NULL, load.keys, load.words, load.count, NULL));
    assert_ok(masstree_bulk_load_bytes(bytes, NULL, load.keys, load.values, load.count, NULL));
    assert_ok(masstree_cursor_open(tree, NULL, &cursor));
    assert_ok(masstree_bulk_load_from(copy, NULL, next_of_cursor, cursor, NULL));
    masstree_cursor_close(cursor);
    assert_agrees(copy, &load.model);
    assert_ok(masstree_cursor_open(bytes, NULL, &cursor));
    assert_ok(masstree_bulk_load_from_bytes(bytes_copy, NULL, next_bytes_of_cursor, cursor, NULL));
    masstree_cursor_close(cursor);
    assert_bytes_loaded(bytes_copy, &load, load.count);
    end_tree(tree);
    end_tree(copy);
    end_tree(bytes);
    end_tree(bytes_copy);
    free_load(&load);
}

/* Put back: in `Builder::insert`, reserve after a change; in `Builder::drop`, do not free. */
static void each_allocation_may_fail(void **state)
{
    (void)state;
    struct load load = new_load(40);
    size_t failures = 0;
    for (size_t fail_at = 1;; fail_at++) {
        struct allocator allocator;
        struct destroyed destroyed = new_destroyed(load.count);
        struct source source = new_source(&load);
        allocator_start(&allocator);
        bool holds_bytes = fail_at % 2 == 0;
        masstree_t *tree = holds_bytes ? new_tree_of(&allocator, MASSTREE_VALUES_BYTES)
                                       : new_destroying_tree(&destroyed, &allocator);
        allocator.fail_at = allocator.calls + fail_at / 2 + 1;
        int32_t status = MASSTREE_NOMEM;
        for (int turn = 0; turn < 2 && status == MASSTREE_NOMEM; turn++) {
            source.next = 0;
            status = holds_bytes
                         ? masstree_bulk_load_from_bytes(tree, NULL, next_bytes, &source, NULL)
                         : masstree_bulk_load_from(tree, NULL, next_words, &source, NULL);
            if (status == MASSTREE_NOMEM) {
                failures++;
                assert_int_equal(0, tree_len(tree));
                assert_consistent(tree);
                assert_destroyed(&destroyed, 0, holds_bytes ? 0 : source.next);
            }
        }
        assert_ok(status);
        assert_int_equal(load.count, tree_len(tree));
        bool done = allocator.failures == 0;
        allocator.fail_at = 0;
        end_tree(tree);
        assert_destroyed(&destroyed, 0, holds_bytes ? 0 : load.count);
        allocator_end(&allocator);
        free(destroyed.times);
        free_source(&source);
        /* The tree of byte strings needs more allocations. */
        if (done && holds_bytes) {
            break;
        }
    }
    assert_in_range(failures, 60, 999);
    free_load(&load);
}

static void load_refuses_other_kinds_and_trees(void **state)
{
    (void)state;
    struct load load = new_load(4);
    struct source source = new_source(&load);
    masstree_t *tree = new_tree();
    masstree_t *bytes = new_bytes_tree();
    masstree_guard_t *guard = new_guard(tree);
    masstree_guard_t *bytes_guard = new_guard(bytes);
    assert_status(MASSTREE_WRONG_KIND,
                  masstree_bulk_load_from(bytes, NULL, next_words, &source, NULL));
    assert_status(MASSTREE_WRONG_KIND,
                  masstree_bulk_load_from_bytes(tree, NULL, next_bytes, &source, NULL));
    assert_status(MASSTREE_WRONG_TREE,
                  masstree_bulk_load_from(tree, bytes_guard, next_words, &source, NULL));
    assert_status(MASSTREE_WRONG_TREE,
                  masstree_bulk_load_from_bytes(bytes, guard, next_bytes, &source, NULL));
    assert_status(MASSTREE_INVALID, masstree_bulk_load_from(tree, guard, NULL, NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_bulk_load_from_bytes(bytes, NULL, NULL, NULL, NULL));
    assert_int_equal(0, source.calls);
    masstree_guard_leave(guard);
    masstree_guard_leave(bytes_guard);
    end_tree(tree);
    end_tree(bytes);
    free_source(&source);
    free_load(&load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_of_any_batches_fills_a_tree),
        cmocka_unit_test(key_at_fault_is_named_and_every_value_destroyed),
        cmocka_unit_test(status_of_the_source_ends_the_load),
        cmocka_unit_test(value_at_fault_is_named),
        cmocka_unit_test(tree_that_gets_a_key_meanwhile_is_left_alone),
        cmocka_unit_test(cursor_is_a_source),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(load_refuses_other_kinds_and_trees),
    };
    return cmocka_run_group_tests_name("bulk_load_from", tests, NULL, NULL);
}
