/* Loaders: several threads fill them, one loads them all. */
#include "many/load.h"

#include <stdatomic.h>

#define TOO_LONG ((size_t)UINT32_MAX + 1)
#define UNTOUCHED 77

static masstree_loader_t *new_loader(masstree_t *tree)
{
    masstree_loader_t *loader = NULL;
    assert_ok(masstree_loader_open(tree, &loader));
    assert_non_null(loader);
    return loader;
}

/* A thread's range of a load, and its loader. */
struct part {
    const struct load *load;
    size_t first;
    size_t end;
    bool as_bytes;
    masstree_loader_t *loader;
};

static void add_part(void *arg)
{
    struct part *part = arg;
    const struct load *load = part->load;
    size_t size = 1;
    for (size_t at = part->first; at < part->end; at += size) {
        size_t added = UNTOUCHED;
        size = part->end - at < size * 2 ? part->end - at : size * 2;
        int32_t status = part->as_bytes
                             ? masstree_loader_add_many_bytes(part->loader, load->keys + at,
                                                              load->values + at, size, &added)
                             : masstree_loader_add_many(part->loader, load->keys + at,
                                                        load->words + at, size, &added);
        REQUIRE(status == MASSTREE_OK && added == size);
    }
}

/* Loads the keys in parts, which as many threads add. */
enum { PARTS_MAX = 4 };
static void load_parts(masstree_t *tree, const struct load *load, size_t count, bool as_bytes)
{
    void (*const run[])(void *) = {add_part, add_part, add_part, add_part};
    struct part parts[PARTS_MAX];
    masstree_loader_t *loaders[PARTS_MAX];
    for (size_t i = 0; i < count; i++) {
        loaders[i] = new_loader(tree);
        parts[i] = (struct part){load, load->count * i / count, load->count * (i + 1) / count,
                                 as_bytes, loaders[i]};
    }
    run_together(count, run, parts, sizeof parts[0]);
    assert_int_equal(0, tree_len(tree));
    size_t offender = UNTOUCHED;
    assert_ok(masstree_loader_finish(tree, NULL, loaders, count, &offender));
    assert_int_equal(UNTOUCHED, offender);
    for (size_t i = 0; i < count; i++) {
        masstree_loader_close(loaders[i]);
    }
}

/* Put back: in `join_all`, join the loaders from the first on, or leave one out; in
   `add`, write no number. */
static void threads_fill_a_tree(void **state)
{
    (void)state;
    struct load load = new_load(scaled(2000));
    for (size_t count = 1; count <= PARTS_MAX; count++) {
        struct destroyed destroyed = new_destroyed(load.count);
        masstree_t *tree = new_destroying_tree(&destroyed, NULL);
        masstree_t *bytes = new_bytes_tree();
        load_parts(tree, &load, count, false);
        load_parts(bytes, &load, count, true);
        assert_agrees(tree, &load.model);
        assert_consistent(tree);
        assert_int_equal(load.count, tree_len(tree));
        assert_bytes_loaded(bytes, &load, load.count);
        assert_destroyed(&destroyed, 0, 0);
        end_tree(tree);
        end_tree(bytes);
        assert_destroyed(&destroyed, 0, load.count);
        free(destroyed.times);
    }
    free_load(&load);
}

static void integers_are_loaded(void **state)
{
    (void)state;
    enum { NUMBERS = 5000 };
    struct {
        uint64_t key;
        uint64_t other;
    } items[NUMBERS];
    uint64_t words[NUMBERS];
    struct model model = {0};
    masstree_t *tree = new_tree();
    masstree_loader_t *loaders[] = {new_loader(tree), new_loader(tree)};
    for (size_t i = 0; i < NUMBERS; i++) {
        uint8_t key[8];
        items[i].key = words[i] = i * UINT64_C(0x0000100200300401);
        masstree_u64_to_key(words[i], key);
        model_put(&model, key, 8, words[i]);
    }
    size_t added = 0;
    assert_ok(masstree_loader_add_many_u64(loaders[0], items, sizeof items[0], words, 2000, NULL));
    assert_ok(masstree_loader_add_many_u64(loaders[1], items + 2000, sizeof items[0], words + 2000,
                                           NUMBERS - 2000, &added));
    assert_int_equal(NUMBERS - 2000, added);
    assert_status(MASSTREE_UNSORTED,
                  masstree_loader_add_many_u64(loaders[1], items, 16, words, 1, &added));
    assert_int_equal(0, added);
    assert_status(MASSTREE_INVALID,
                  masstree_loader_add_many_u64(loaders[1], items, 7, words, 1, &added));
    assert_ok(masstree_loader_finish(tree, NULL, loaders, 2, NULL));
    assert_agrees(tree, &model);
    masstree_loader_close(loaders[0]);
    masstree_loader_close(loaders[1]);
    model_free(&model);
    end_tree(tree);
}

/* Put back: in `add`, destroy the values after the offender; in `masstree_loader_open`, do not let
   the builder own its words. */
static void refused_key_leaves_the_loader_usable(void **state)
{
    (void)state;
    struct load load = new_load(20);
    struct destroyed destroyed = new_destroyed(load.count);
    masstree_t *tree = new_destroying_tree(&destroyed, NULL);
    masstree_t *bytes = new_bytes_tree();
    masstree_loader_t *loader = new_loader(tree);
    masstree_loader_t *bytes_loader = new_loader(bytes);
    for (size_t at = 0; at < load.count;) {
        /* Two keys, and one that is refused. */
        static const masstree_slice_t bad[] = {{"x", TOO_LONG}, {NULL, 1}, {"", 0}};
        static const int32_t statuses[] = {MASSTREE_KEY_TOO_LONG, MASSTREE_INVALID,
                                           MASSTREE_UNSORTED};
        masstree_slice_t keys[] = {load.keys[at], load.keys[at + 1], bad[at / 2 % 3]};
        size_t added = UNTOUCHED;
        size_t bytes_added = UNTOUCHED;
        assert_status(statuses[at / 2 % 3],
                      masstree_loader_add_many(loader, keys, load.words + at, 3, &added));
        assert_status(statuses[at / 2 % 3],
                      masstree_loader_add_many_bytes(bytes_loader, keys, load.values + at, 3,
                                                     &bytes_added));
        assert_int_equal(2, added);
        assert_int_equal(2, bytes_added);
        at += added;
    }
    assert_ok(masstree_loader_finish(tree, NULL, &loader, 1, NULL));
    assert_ok(masstree_loader_finish(bytes, NULL, &bytes_loader, 1, NULL));
    masstree_loader_close(loader);
    masstree_loader_close(bytes_loader);
    assert_agrees(tree, &load.model);
    assert_bytes_loaded(bytes, &load, load.count);
    assert_destroyed(&destroyed, 0, 0);
    end_tree(tree);
    end_tree(bytes);
    assert_destroyed(&destroyed, 0, load.count);
    free(destroyed.times);
    free_load(&load);
}

static void adding_refuses_what_is_invalid(void **state)
{
    (void)state;
    masstree_slice_t key = SLICE("key");
    masstree_slice_t values[] = {SLICE("value"), {NULL, 1}};
    uint64_t word = 5;
    size_t added = UNTOUCHED;
    masstree_t *tree = new_tree();
    masstree_t *bytes = new_bytes_tree();
    masstree_loader_t *loader = new_loader(tree);
    masstree_loader_t *other = new_loader(bytes);
    assert_status(MASSTREE_INVALID, masstree_loader_open(NULL, &loader));
    assert_status(MASSTREE_INVALID, masstree_loader_open(tree, NULL));
    assert_status(MASSTREE_INVALID, masstree_loader_add_many(NULL, &key, &word, 1, &added));
    assert_status(MASSTREE_INVALID, masstree_loader_add_many(loader, NULL, &word, 1, &added));
    assert_status(MASSTREE_INVALID, masstree_loader_add_many(loader, &key, NULL, 1, &added));
    assert_status(MASSTREE_INVALID, masstree_loader_add_many_u64(NULL, &word, 8, &word, 1, &added));
    assert_status(MASSTREE_INVALID, masstree_loader_add_many_bytes(NULL, &key, values, 1, &added));
    assert_status(MASSTREE_WRONG_KIND, masstree_loader_add_many(other, &key, &word, 1, &added));
    assert_status(MASSTREE_WRONG_KIND,
                  masstree_loader_add_many_u64(other, &word, 8, &word, 1, &added));
    assert_status(MASSTREE_WRONG_KIND,
                  masstree_loader_add_many_bytes(loader, &key, values, 1, &added));
    assert_int_equal(UNTOUCHED, added);
    assert_ok(masstree_loader_add_many(loader, NULL, NULL, 0, NULL));
    assert_status(MASSTREE_INVALID,
                  masstree_loader_add_many_bytes(other, &key, values + 1, 1, &added));
    assert_int_equal(0, added);
    masstree_loader_close(NULL);
    masstree_loader_close(loader);
    masstree_loader_close(other);
    end_tree(tree);
    end_tree(bytes);
}

/* Put back: in `check_loaders`, compare a loader with the one before it only, although that has no
   keys; do not compare the tree. In `Builder::end`, let the builder stay open. */
static void finishing_checks_its_loaders(void **state)
{
    (void)state;
    struct load load = new_load(8);
    masstree_t *tree = new_tree();
    masstree_t *other_tree = new_tree();
    masstree_guard_t *guard = new_guard(tree);
    masstree_loader_t *low = new_loader(tree);
    masstree_loader_t *none = new_loader(tree);
    masstree_loader_t *high = new_loader(tree);
    masstree_loader_t *foreign = new_loader(other_tree);
    size_t offender = UNTOUCHED;
    size_t half = load.count / 2;
    assert_ok(masstree_loader_add_many(low, load.keys, load.words, half, NULL));
    assert_ok(masstree_loader_add_many(high, load.keys + half, load.words + half,
                                       load.count - half, NULL));
    masstree_loader_t *unsorted[] = {high, none, low};
    assert_status(MASSTREE_UNSORTED, masstree_loader_finish(tree, guard, unsorted, 3, &offender));
    assert_int_equal(2, offender);
    masstree_loader_t *twice[] = {low, low};
    assert_status(MASSTREE_UNSORTED, masstree_loader_finish(tree, guard, twice, 2, &offender));
    assert_int_equal(1, offender);
    offender = UNTOUCHED;
    masstree_loader_t *mixed[] = {low, foreign};
    assert_status(MASSTREE_WRONG_TREE, masstree_loader_finish(tree, guard, mixed, 2, &offender));
    assert_status(MASSTREE_WRONG_TREE,
                  masstree_loader_finish(other_tree, guard, &foreign, 1, &offender));
    masstree_loader_t *missing[] = {low, NULL};
    assert_status(MASSTREE_INVALID, masstree_loader_finish(tree, guard, missing, 2, &offender));
    assert_status(MASSTREE_INVALID, masstree_loader_finish(tree, guard, NULL, 1, &offender));
    assert_ok(masstree_loader_finish(tree, guard, NULL, 0, &offender));
    assert_int_equal(UNTOUCHED, offender);
    assert_int_equal(0, tree_len(tree));

    masstree_loader_t *sorted[] = {none, low, none, high};
    assert_ok(masstree_loader_finish(tree, guard, sorted, 4, &offender));
    assert_agrees(tree, &load.model);
    /* They are finished. */
    for (size_t i = 1; i < 4; i++) {
        assert_status(MASSTREE_INVALID, masstree_loader_add_many(sorted[i], load.keys, load.words,
                                                                 load.count, &offender));
    }
    assert_ok(masstree_clear(tree, guard));
    assert_ok(masstree_loader_finish(tree, guard, sorted, 4, &offender));
    assert_int_equal(0, tree_len(tree));
    masstree_guard_leave(guard);
    masstree_loader_close(low);
    masstree_loader_close(none);
    masstree_loader_close(high);
    masstree_loader_close(foreign);
    end_tree(tree);
    end_tree(other_tree);
    free_load(&load);
}

/* Put back: in `masstree_loader_finish`, end the loaders also after EXISTS; in `check_loaders`,
   accept a loader after one whose tree is complete. */
static void finishing_may_be_repeated_when_the_tree_is_empty(void **state)
{
    (void)state;
    struct load load = new_load(50);
    struct destroyed destroyed = new_destroyed(load.count);
    masstree_t *tree = new_destroying_tree(&destroyed, NULL);
    masstree_loader_t *loaders[] = {new_loader(tree), new_loader(tree), new_loader(tree)};
    size_t third = load.count / 3;
    for (size_t i = 0; i < 2; i++) {
        assert_ok(masstree_loader_add_many(loaders[i], load.keys + i * third,
                                           load.words + i * third, third, NULL));
    }
    assert_ok(masstree_loader_add_many(loaders[2], load.keys + 2 * third, load.words + 2 * third,
                                       load.count - 2 * third, NULL));
    uint64_t word = load.count;
    assert_ok(masstree_put(tree, NULL, "in the way", 10, 0));
    assert_status(MASSTREE_EXISTS, masstree_loader_finish(tree, NULL, loaders, 3, NULL));
    assert_int_equal(1, tree_len(tree));
    assert_ok(masstree_remove(tree, NULL, "in the way", 10, &word));
    assert_ok(masstree_loader_finish(tree, NULL, loaders, 3, NULL));
    assert_agrees(tree, &load.model);
    assert_destroyed(&destroyed, 0, 0);
    for (size_t i = 0; i < 3; i++) {
        masstree_loader_close(loaders[i]);
    }
    assert_destroyed(&destroyed, 0, 0);
    end_tree(tree);
    assert_destroyed(&destroyed, 0, load.count);
    free(destroyed.times);
    free_load(&load);
}

/* Put back: in `Builder::drop`, keep the words, or destroy them although a tree got them. */
static void closing_destroys_what_was_not_loaded(void **state)
{
    (void)state;
    struct load load = new_load(50);
    for (size_t count = 0; count <= load.count; count += 1 + count / 4) {
        struct allocator allocator;
        struct destroyed destroyed = new_destroyed(load.count);
        allocator_start(&allocator);
        masstree_t *tree = new_destroying_tree(&destroyed, &allocator);
        masstree_loader_t *loader = new_loader(tree);
        assert_ok(masstree_loader_add_many(loader, load.keys, load.words, count, NULL));
        masstree_loader_close(loader);
        assert_destroyed(&destroyed, 0, count);
        assert_int_equal(0, tree_len(tree));
        end_tree(tree);
        assert_destroyed(&destroyed, 0, 0);
        allocator_end(&allocator);
        free(destroyed.times);
    }
    free_load(&load);
}

/* One load of two loaders, in which an allocation fails: returns the first status that is not
   MASSTREE_OK. */
static int32_t load_once(masstree_t *tree, const struct load *load, bool as_bytes, size_t *taken)
{
    masstree_loader_t *loaders[2] = {NULL, NULL};
    int32_t status = MASSTREE_OK;
    *taken = 0;
    for (size_t i = 0; i < 2 && status == MASSTREE_OK; i++) {
        status = masstree_loader_open(tree, &loaders[i]);
        size_t first = load->count * i / 2;
        size_t count = load->count * (i + 1) / 2 - first;
        size_t added = 0;
        if (status != MASSTREE_OK) {
            assert_null(loaders[i]);
            break;
        }
        status = as_bytes ? masstree_loader_add_many_bytes(loaders[i], load->keys + first,
                                                           load->values + first, count, &added)
                          : masstree_loader_add_many(loaders[i], load->keys + first,
                                                     load->words + first, count, &added);
        *taken += added;
    }
    if (status == MASSTREE_OK) {
        status = masstree_loader_finish(tree, NULL, loaders, 2, NULL);
    }
    masstree_loader_close(loaders[0]);
    masstree_loader_close(loaders[1]);
    return status;
}

/* Put back: in `join`, do not mark the builders after a failure; in `add`, write no number when
   memory runs out. */
static void each_allocation_may_fail(void **state)
{
    (void)state;
    struct load load = new_load(40);
    size_t failures = 0;
    bool done = false;
    for (size_t turn = 0; !done; turn++) {
        struct allocator allocator;
        struct destroyed destroyed = new_destroyed(load.count);
        bool as_bytes = turn % 2 != 0;
        size_t taken = 0;
        allocator_start(&allocator);
        masstree_t *tree = as_bytes ? new_tree_of(&allocator, MASSTREE_VALUES_BYTES)
                                    : new_destroying_tree(&destroyed, &allocator);
        allocator.fail_at = allocator.calls + turn / 2 + 1;
        int32_t status = load_once(tree, &load, as_bytes, &taken);
        if (status == MASSTREE_NOMEM) {
            failures++;
            assert_int_equal(0, tree_len(tree));
            assert_consistent(tree);
            assert_destroyed(&destroyed, 0, as_bytes ? 0 : taken);
            status = load_once(tree, &load, as_bytes, &taken);
        }
        assert_ok(status);
        assert_int_equal(load.count, tree_len(tree));
        done = as_bytes && allocator.failures == 0;
        allocator.fail_at = 0;
        end_tree(tree);
        assert_destroyed(&destroyed, 0, as_bytes ? 0 : load.count);
        allocator_end(&allocator);
        free(destroyed.times);
    }
    assert_in_range(failures, 60, 999);
    free_load(&load);
}

/* A loader that ran out of memory refuses more keys, and cannot be finished. */
static void loader_out_of_memory_is_only_closed(void **state)
{
    (void)state;
    struct load load = new_load(40);
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_WORDS);
    masstree_loader_t *loader = new_loader(tree);
    size_t added = UNTOUCHED;
    allocator.fail_at = allocator.calls + 1;
    allocator.fail_on = true;
    assert_status(MASSTREE_NOMEM,
                  masstree_loader_add_many(loader, load.keys, load.words, load.count, &added));
    assert_true(added < load.count);
    allocator.fail_at = 0;
    allocator.fail_on = false;
    assert_status(MASSTREE_NOMEM, masstree_loader_add_many(loader, load.keys + added,
                                                           load.words + added, 1, &added));
    assert_int_equal(0, added);
    assert_status(MASSTREE_NOMEM, masstree_loader_add_many_u64(loader, load.words, 8, load.words,
                                                               1, &added));
    assert_status(MASSTREE_NOMEM, masstree_loader_finish(tree, NULL, &loader, 1, NULL));
    assert_int_equal(0, tree_len(tree));
    masstree_loader_close(loader);
    end_tree(tree);
    allocator_end(&allocator);
    free_load(&load);
}

/* Loads beside a reader, which sees all keys or none, and in odd turns beside a writer: the load
   succeeds exactly if the writer's key comes after it. */
struct beside {
    masstree_t *tree;
    const struct load *load;
    atomic_bool *ended;
    int32_t status;
};

static void load_beside(void *arg)
{
    struct beside *beside = arg;
    masstree_loader_t *loaders[2];
    size_t half = beside->load->count / 2;
    REQUIRE(masstree_loader_open(beside->tree, &loaders[0]) == MASSTREE_OK);
    REQUIRE(masstree_loader_open(beside->tree, &loaders[1]) == MASSTREE_OK);
    REQUIRE(masstree_loader_add_many(loaders[0], beside->load->keys, beside->load->words, half,
                                     NULL) == MASSTREE_OK);
    REQUIRE(masstree_loader_add_many(loaders[1], beside->load->keys + half,
                                     beside->load->words + half, beside->load->count - half,
                                     NULL) == MASSTREE_OK);
    beside->status = masstree_loader_finish(beside->tree, NULL, loaders, 2, NULL);
    masstree_loader_close(loaders[0]);
    masstree_loader_close(loaders[1]);
    atomic_store(beside->ended, true);
}

static void count_beside(void *arg)
{
    struct beside *beside = arg;
    size_t count = 0;
    bool ended;
    do {
        ended = atomic_load(beside->ended);
        REQUIRE(masstree_count(beside->tree, NULL, NULL, &count) == MASSTREE_OK);
        REQUIRE(count <= 1 || count >= beside->load->count);
    } while (!ended);
}

static void write_beside(void *arg)
{
    struct beside *beside = arg;
    beside->status = masstree_insert(beside->tree, NULL, "~ a key of its own", 18, 1, NULL);
}

static void loaded_keys_appear_at_once_beside_readers_and_writers(void **state)
{
    (void)state;
    struct load load = new_load(20);
    for (size_t turn = 0; turn < scaled(300); turn++) {
        atomic_bool ended = false;
        masstree_t *tree = new_tree();
        struct beside beside[] = {{tree, &load, &ended, 0}, {tree, &load, &ended, 0},
                                  {tree, &load, &ended, 0}};
        void (*const run[])(void *) = {load_beside, count_beside, write_beside};
        bool writes = turn % 2 != 0;
        run_together(writes ? 3 : 2, run, beside, sizeof beside[0]);
        assert_true(beside[0].status == MASSTREE_OK ||
                    (writes && beside[0].status == MASSTREE_EXISTS));
        assert_ok(beside[2].status);
        size_t loaded = beside[0].status == MASSTREE_OK ? load.count : 0;
        assert_int_equal(loaded + (writes ? 1 : 0), tree_len(tree));
        end_tree(tree);
    }
    free_load(&load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_fill_a_tree),
        cmocka_unit_test(integers_are_loaded),
        cmocka_unit_test(refused_key_leaves_the_loader_usable),
        cmocka_unit_test(adding_refuses_what_is_invalid),
        cmocka_unit_test(finishing_checks_its_loaders),
        cmocka_unit_test(finishing_may_be_repeated_when_the_tree_is_empty),
        cmocka_unit_test(closing_destroys_what_was_not_loaded),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(loader_out_of_memory_is_only_closed),
        cmocka_unit_test(loaded_keys_appear_at_once_beside_readers_and_writers),
    };
    return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
