/* Cursors in the caller's memory, with an allocator that counts. `cursor/field.c` runs the tests of other
   cursors on them, too. */
#include "support.h"

enum { KEYS = 60, ROOM = 4096, MARGIN = 64 };

/* Memory for a cursor, between bytes that it must not touch. */
struct place {
    unsigned char before[MARGIN];
    _Alignas(16) unsigned char memory[ROOM];
    unsigned char after[MARGIN];
};

static void blank_place(struct place *place)
{
    assert_true(masstree_cursor_size() <= ROOM);
    memset(place, 0x5A, sizeof *place);
}

static void assert_margins(const struct place *place)
{
    for (size_t i = 0; i < MARGIN; i++) {
        assert_int_equal(0x5A, place->before[i]);
        assert_int_equal(0x5A, place->after[i]);
    }
}

enum opening { OPEN_KEYS, OPEN_AT, OPEN_VERSIONS, OPENINGS };

static int32_t open_in(enum opening opening, masstree_t *tree, masstree_guard_t *guard, void *memory,
                       size_t size, masstree_cursor_t **cursor)
{
    switch (opening) {
    case OPEN_KEYS:
        return masstree_cursor_open_in(tree, guard, memory, size, cursor);
    case OPEN_AT:
        return masstree_cursor_open_in_at(tree, guard, memory, size, MASSTREE_SEQNO_LATEST, cursor);
    default:
        return masstree_cursor_open_versions_in(tree, guard, memory, size, 0, cursor);
    }
}

static masstree_t *new_versions_of(struct allocator *allocator, uint32_t flags)
{
    masstree_options_t options = allocator_options(allocator, MASSTREE_VALUES_VERSIONED);
    masstree_t *tree = NULL;
    options.version_flags = flags;
    assert_ok(masstree_create(&options, &tree));
    return tree;
}

static void fill(masstree_t *tree, enum family family)
{
    for (uint64_t number = 0; number < KEYS; number++) {
        unsigned char key[FAMILY_KEY_MAX];
        size_t len = family_key(family, number, key);
        assert_ok(masstree_put_at(tree, NULL, key, len, number + 1, MASSTREE_VERSION_VALUE, key, len));
    }
}

/* Every key in both directions. */
static void walk(masstree_cursor_t *cursor)
{
    masstree_slice_t key;
    size_t count = 0;
    while (masstree_cursor_next(cursor) == MASSTREE_OK) {
        assert_ok(masstree_cursor_key(cursor, &key));
        count++;
    }
    assert_int_equal(KEYS, count);
    while (masstree_cursor_prev(cursor) == MASSTREE_OK) {
        count--;
    }
    assert_int_equal(1, count);
    assert_ok(masstree_cursor_seek(cursor, "", 0, MASSTREE_SEEK_GE));
}

/* Put back: in `Place::lend`, return the tree's allocator; or, in `handle_of`, make the position with it;
   or, in `Walk::reserve_frame`, reserve one frame at a time, doubling. */
static void a_cursor_in_the_callers_memory_allocates_nothing(void **state)
{
    (void)state;
    struct allocator allocator;
    for (enum family family = 0; family <= FAMILY_PREFIX16; family++) {
        allocator_start(&allocator);
        masstree_t *tree = new_versions_of(&allocator, 0);
        fill(tree, family);
        masstree_guard_t *guard = new_guard(tree);
        allocator.fail_on = true;
        for (enum opening opening = 0; opening < OPENINGS; opening++) {
            struct place place;
            masstree_cursor_t *cursor = NULL;
            blank_place(&place);
            size_t calls = allocator.calls;
            allocator.fail_at = calls + 1;
            assert_ok(open_in(opening, tree, guard, place.memory, masstree_cursor_size(), &cursor));
            assert_ptr_equal(place.memory, cursor);
            walk(cursor);
            masstree_cursor_close(cursor);
            assert_int_equal(calls, allocator.calls);
            assert_margins(&place);
        }
        allocator.fail_at = 0;
        masstree_guard_leave(guard);
        end_tree(tree);
        allocator_end(&allocator);
    }
}

/* Put back: in `Arena::free`, free nothing beyond the lent memory. */
static void what_does_not_fit_is_allocated_and_freed(void **state)
{
    (void)state;
    struct allocator allocator;
    static unsigned char key[2 * ROOM];
    allocator_start(&allocator);
    masstree_t *tree = new_versions_of(&allocator, 0);
    fill(tree, FAMILY_PREFIX24);
    memset(key, 'k', sizeof key);
    assert_ok(masstree_put_at(tree, NULL, key, sizeof key, 1, MASSTREE_VERSION_VALUE, NULL, 0));
    masstree_guard_t *guard = new_guard(tree);
    for (enum opening opening = 0; opening < OPENINGS; opening++) {
        struct place place;
        masstree_cursor_t *cursor = NULL;
        masstree_slice_t at;
        blank_place(&place);
        size_t bytes = allocator_bytes(&allocator);
        assert_ok(open_in(opening, tree, guard, place.memory, ROOM, &cursor));
        assert_ok(masstree_cursor_seek(cursor, key, 1, MASSTREE_SEEK_GE));
        assert_ok(masstree_cursor_key(cursor, &at));
        assert_slice(key, sizeof key, at);
        assert_true(allocator_bytes(&allocator) >= bytes + sizeof key);
        assert_ok(masstree_cursor_first(cursor));
        masstree_guard_refresh(guard);
        assert_ok(masstree_cursor_next(cursor));
        masstree_cursor_close(cursor);
        assert_int_equal(bytes, allocator_bytes(&allocator));
        assert_margins(&place);
    }
    masstree_guard_leave(guard);
    end_tree(tree);
    allocator_end(&allocator);
}

/* Put back: in `Place::new`, ignore the size or the alignment. */
static void small_or_unaligned_memory_is_refused(void **state)
{
    (void)state;
    masstree_t *tree = new_versioned_tree();
    masstree_guard_t *guard = new_guard(tree);
    for (enum opening opening = 0; opening < OPENINGS; opening++) {
        struct place place;
        masstree_cursor_t *cursor = NULL;
        size_t size = masstree_cursor_size();
        blank_place(&place);
        assert_status(MASSTREE_INVALID, open_in(opening, tree, guard, NULL, size, &cursor));
        assert_status(MASSTREE_INVALID, open_in(opening, tree, guard, place.memory, size - 1, &cursor));
        assert_status(MASSTREE_INVALID,
                      open_in(opening, tree, guard, place.memory + 8, size, &cursor));
        assert_status(MASSTREE_INVALID, open_in(opening, tree, guard, place.memory, size, NULL));
        assert_status(MASSTREE_INVALID, open_in(opening, NULL, guard, place.memory, size, &cursor));
        assert_null(cursor);
        for (size_t i = 0; i < ROOM; i++) {
            assert_int_equal(0x5A, place.memory[i]);
        }
    }
    masstree_guard_leave(guard);
    end_tree(tree);
}

static size_t guards_of(const masstree_t *tree)
{
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    assert_ok(masstree_stats(tree, NULL, &stats));
    return stats.guards;
}

/* Put back: in `pin_for`, ignore that reads need no guard. */
static void cursors_of_append_only_trees_have_no_guard(void **state)
{
    (void)state;
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_versions_of(&allocator, MASSTREE_VERSIONS_APPEND_ONLY);
    fill(tree, FAMILY_PREFIX8);
    size_t calls = allocator.calls;
    struct place places[OPENINGS];
    masstree_cursor_t *cursors[OPENINGS];
    masstree_cursor_t *allocated = NULL;
    for (enum opening opening = 0; opening < OPENINGS; opening++) {
        blank_place(&places[opening]);
        assert_ok(open_in(opening, tree, NULL, places[opening].memory, ROOM, &cursors[opening]));
        walk(cursors[opening]);
    }
    assert_int_equal(calls, allocator.calls);
    assert_ok(masstree_cursor_open_at(tree, NULL, MASSTREE_SEQNO_LATEST, &allocated));
    walk(allocated);
    assert_int_equal(0, guards_of(tree));
    assert_ok(masstree_barrier(tree));
    for (enum opening opening = 0; opening < OPENINGS; opening++) {
        masstree_cursor_refresh(cursors[opening]);
        assert_ok(masstree_cursor_next(cursors[opening]));
        masstree_cursor_close(cursors[opening]);
        assert_margins(&places[opening]);
    }
    masstree_cursor_close(allocated);
    end_tree(tree);
    allocator_end(&allocator);
}

/* Put back: in `open`, store the cursor before the guard was entered. */
static void without_memory_for_a_guard_no_cursor_is_opened(void **state)
{
    (void)state;
    enum { MANY = 400 };
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_versions_of(&allocator, 0);
    struct place *places = calloc(MANY, sizeof *places);
    masstree_cursor_t *cursors[MANY];
    size_t opened = 0;
    assert_non_null(places);
    masstree_guard_leave(new_guard(tree)); /* there is room for some guards */
    allocator.fail_at = allocator.calls + 1;
    allocator.fail_on = true;
    int32_t status = MASSTREE_OK;
    while (opened < MANY && status == MASSTREE_OK) {
        void *memory = places[opened].memory;
        status = open_in(opened % OPENINGS, tree, NULL, memory, ROOM, &cursors[opened]);
        opened += status == MASSTREE_OK;
    }
    assert_true(opened > 0 && opened < MANY);
    masstree_cursor_t *none = NULL;
    for (enum opening opening = 0; opening < OPENINGS; opening++) {
        assert_status(MASSTREE_NOMEM,
                      open_in(opening, tree, NULL, places[opened].memory, ROOM, &none));
        assert_null(none);
    }
    allocator.fail_at = 0;
    while (opened > 0) {
        masstree_cursor_close(cursors[--opened]);
    }
    free(places);
    end_tree(tree);
    allocator_end(&allocator);
}

/* Put back: in `Tree::seek` or `VersionedTree::seek`, take memory from the tree's allocator. */
static void seeks_allocate_nothing(void **state)
{
    (void)state;
    const uint32_t kinds[] = {MASSTREE_VALUES_WORDS, MASSTREE_VALUES_BYTES, MASSTREE_VALUES_VERSIONED};
    for (size_t kind = 0; kind < COUNT(kinds); kind++) {
        struct allocator allocator;
        allocator_start(&allocator);
        masstree_t *tree = new_tree_of(&allocator, kinds[kind]);
        masstree_guard_t *guard = new_guard(tree);
        unsigned char key[FAMILY_KEY_MAX];
        size_t found = 0;
        for (uint64_t number = 0; number < KEYS; number++) {
            size_t len = family_key(FAMILY_PREFIX16, number, key);
            assert_ok(kind == 0   ? masstree_put(tree, guard, key, len, 1)
                      : kind == 1 ? masstree_put_bytes(tree, guard, key, len, "value", 5)
                                  : masstree_put_at(tree, guard, key, len, 1, MASSTREE_VERSION_VALUE,
                                                    NULL, 0));
        }
        size_t calls = allocator.calls;
        for (uint64_t number = 0; number < KEYS; number++) {
            size_t len = family_key(FAMILY_PREFIX16, number, key);
            int32_t status =
                kind == 0   ? masstree_seek(tree, guard, key, len, MASSTREE_SEEK_LT, NULL, 0, NULL, NULL)
                : kind == 1 ? masstree_seek_bytes(tree, guard, key, len, MASSTREE_SEEK_LT, NULL, 0, NULL,
                                                  NULL)
                            : masstree_seek_at(tree, guard, key, len, 1, MASSTREE_SEEK_LT, NULL, 0, NULL,
                                               NULL);
            found += status == MASSTREE_OK;
        }
        assert_int_equal(KEYS - 1, found);
        assert_int_equal(calls, allocator.calls);
        masstree_guard_leave(guard);
        end_tree(tree);
        allocator_end(&allocator);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cursor_in_the_callers_memory_allocates_nothing),
        cmocka_unit_test(what_does_not_fit_is_allocated_and_freed),
        cmocka_unit_test(small_or_unaligned_memory_is_refused),
        cmocka_unit_test(cursors_of_append_only_trees_have_no_guard),
        cmocka_unit_test(without_memory_for_a_guard_no_cursor_is_opened),
        cmocka_unit_test(seeks_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
