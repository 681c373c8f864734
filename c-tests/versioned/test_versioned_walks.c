/* Versioned trees: scans and cursors, at a number and over all versions. */
#include "support.h"

static masstree_t *tree;

static void put(const char *key, uint64_t seqno, uint32_t kind)
{
    assert_ok(masstree_put_at(tree, NULL, key, strlen(key), seqno, kind, key, strlen(key)));
}

/* In the order of versions: a9 a5 a1 b8(merge) b2 c7(tombstone) c3 d6 d4(tombstone); [b, c) is
   deleted at 5. */
static int make(void **state)
{
    (void)state;
    tree = new_versioned_tree();
    for (uint64_t seqno = 1; seqno <= 9; seqno += 4) {
        put("a", seqno, MASSTREE_VERSION_VALUE);
    }
    put("b", 2, MASSTREE_VERSION_VALUE);
    put("b", 8, MASSTREE_VERSION_MERGE);
    put("c", 3, MASSTREE_VERSION_VALUE);
    put("c", 7, MASSTREE_VERSION_TOMBSTONE);
    put("d", 6, MASSTREE_VERSION_VALUE);
    put("d", 4, MASSTREE_VERSION_TOMBSTONE);
    assert_ok(masstree_remove_range_at(tree, NULL, "b", 1, "c", 1, 5));
    return 0;
}

static int end(void **state)
{
    (void)state;
    end_tree(tree);
    return 0;
}

struct text {
    char bytes[100];
    int32_t answer;
};

static int32_t write_version(const void *key, size_t key_len, const masstree_version_t *version,
                             void *ctx)
{
    struct text *text = ctx;
    size_t len = strlen(text->bytes);
    snprintf(text->bytes + len, sizeof text->bytes - len, "%.*s%u ", (int)key_len,
             (const char *)key, (unsigned)version->seqno);
    assert_slice(key, key_len, (masstree_slice_t){version->value, version->value_len});
    return text->answer;
}

static void assert_seen(uint64_t seqno, uint32_t flags, const char *expected)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    struct text text = {.answer = MASSTREE_VISIT_CONTINUE};
    range.flags = flags;
    assert_ok(masstree_scan_at(tree, NULL, &range, seqno, write_version, &text, NULL));
    assert_string_equal(expected, text.bytes);
    masstree_cursor_t *cursor = NULL;
    assert_ok(masstree_cursor_open_at(tree, NULL, seqno, &cursor));
    text.bytes[0] = '\0';
    bool reverse = (flags & MASSTREE_SCAN_REVERSE) != 0;
    int32_t moved;
    while ((moved = reverse ? masstree_cursor_prev(cursor) : masstree_cursor_next(cursor)) ==
           MASSTREE_OK) {
        masstree_slice_t key;
        masstree_version_t version;
        assert_ok(masstree_cursor_key(cursor, &key));
        masstree_cursor_refresh(cursor);
        assert_ok(masstree_cursor_version(cursor, &version));
        (void)write_version(key.data, key.len, &version, &text);
    }
    assert_status(MASSTREE_END, moved);
    assert_string_equal(expected, text.bytes);
    masstree_cursor_close(cursor);
}

static void walks_at_a_number_see_what_look_ups_see(void **state)
{
    (void)state;
    assert_seen(0, 0, "");
    assert_seen(3, 0, "a1 b2 c3 ");
    assert_seen(4, MASSTREE_SCAN_REVERSE, "c3 b2 a1 ");
    assert_seen(5, 0, "a5 c3 ");
    assert_seen(7, MASSTREE_SCAN_REVERSE, "d6 a5 ");
    assert_seen(MASSTREE_SEQNO_LATEST, 0, "a9 b8 d6 ");
    assert_seen(MASSTREE_SEQNO_LATEST, MASSTREE_SCAN_REVERSE, "d6 b8 a9 ");
}

static void scans_end_as_their_visitors_say(void **state)
{
    (void)state;
    struct text text = {.answer = -100};
    size_t visited = 0;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    assert_status(-100, masstree_scan_at(tree, NULL, NULL, 9, write_version, &text, &visited));
    assert_int_equal(1, visited);
    assert_status(-100, masstree_scan_versions(tree, NULL, NULL, write_version, &text, &visited));
    assert_int_equal(1, visited);
    text = (struct text){.answer = MASSTREE_VISIT_CONTINUE};
    range.limit = 2;
    assert_ok(masstree_scan_at(tree, NULL, &range, 9, write_version, &text, &visited));
    assert_string_equal("a9 b8 ", text.bytes);
    assert_int_equal(2, visited);
    range.flags = 64;
    assert_status(MASSTREE_INVALID,
                  masstree_scan_at(tree, NULL, &range, 9, write_version, &text, NULL));
    assert_status(MASSTREE_INVALID, masstree_scan_at(tree, NULL, NULL, 9, NULL, NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_scan_versions(tree, NULL, NULL, NULL, NULL, NULL));
}

struct bounds {
    uint32_t lower_bound;
    const char *lower;
    uint64_t lower_seqno;
    uint32_t upper_bound;
    const char *upper;
    uint64_t upper_seqno;
    uint64_t since;
    const char *expected;
    const char *reversed;
};

static void bounds_are_on_keys_and_numbers(void **state)
{
    (void)state;
    enum { OPEN = MASSTREE_BOUND_OPEN, IN = MASSTREE_BOUND_INCLUSIVE,
           EX = MASSTREE_BOUND_EXCLUSIVE };
    const uint64_t latest = MASSTREE_SEQNO_LATEST;
    const struct bounds cases[] = {
        {OPEN, "", 0, OPEN, "", 0, 0, "a9 a5 a1 b8 b2 c7 c3 d6 d4 ",
         "d4 d6 c3 c7 b2 b8 a1 a5 a9 "},
        {IN, "a", 5, IN, "b", 8, 0, "a5 a1 b8 ", "b8 a1 a5 "},
        {EX, "a", 5, EX, "b", 2, 0, "a1 b8 ", "b8 a1 "},
        {IN, "a", 8, IN, "a", 2, 0, "a5 ", "a5 "},
        {EX, "a", 5, EX, "a", 5, 0, "", ""},
        {IN, "a", 5, IN, "a", 5, 0, "a5 ", "a5 "},
        {IN, "b", latest, IN, "c", 0, 0, "b8 b2 c7 c3 ", "c3 c7 b2 b8 "},
        {EX, "b", 0, OPEN, "", 0, 0, "c7 c3 d6 d4 ", "d4 d6 c3 c7 "},
        {OPEN, "", 0, EX, "b", latest, 0, "a9 a5 a1 ", "a1 a5 a9 "},
        {OPEN, "", 0, OPEN, "", 0, 5, "a9 b8 c7 d6 ", "d6 c7 b8 a9 "},
        {IN, "bb", 3, IN, "bc", 3, 0, "", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bounds *c = &cases[i];
        masstree_version_range_t range = MASSTREE_VERSION_RANGE_INIT;
        range.lower_bound = c->lower_bound;
        range.lower = c->lower;
        range.lower_len = strlen(c->lower);
        range.lower_seqno = c->lower_seqno;
        range.upper_bound = c->upper_bound;
        range.upper = c->upper;
        range.upper_len = strlen(c->upper);
        range.upper_seqno = c->upper_seqno;
        range.since = c->since;
        for (unsigned reverse = 0; reverse < 2; reverse++) {
            struct text text = {.answer = MASSTREE_VISIT_CONTINUE};
            range.flags = reverse != 0 ? MASSTREE_SCAN_REVERSE : 0;
            assert_ok(masstree_scan_versions(tree, NULL, &range, write_version, &text, NULL));
            assert_string_equal(reverse != 0 ? c->reversed : c->expected, text.bytes);
        }
    }
    masstree_version_range_t range = MASSTREE_VERSION_RANGE_INIT;
    range.lower_bound = range.upper_bound = IN;
    range.lower = range.upper = "a";
    range.lower_len = range.upper_len = 1;
    range.upper_seqno = 9;
    range.lower_seqno = 5;
    assert_status(MASSTREE_INVALID,
                  masstree_scan_versions(tree, NULL, &range, write_version, NULL, NULL));
}

static int32_t write_range(const void *lower, size_t lower_len, const void *upper, size_t upper_len,
                           uint64_t seqno, void *ctx)
{
    struct text *text = ctx;
    snprintf(text->bytes, sizeof text->bytes, "%.*s-%.*s at %u", (int)lower_len,
             (const char *)lower, (int)upper_len, (const char *)upper, (unsigned)seqno);
    return text->answer;
}

static void range_tombstones_are_listed(void **state)
{
    (void)state;
    struct text text = {.answer = -100};
    size_t visited = 0;
    assert_status(MASSTREE_INVALID, masstree_scan_range_tombstones(tree, NULL, NULL, NULL, NULL));
    assert_status(-100, masstree_scan_range_tombstones(tree, NULL, write_range, &text, &visited));
    assert_string_equal("b-c at 5", text.bytes);
    assert_int_equal(1, visited);
    text.answer = MASSTREE_VISIT_CONTINUE;
    assert_ok(masstree_remove_range_at(tree, NULL, "x", 1, "z", 1, 5));
    assert_ok(masstree_scan_range_tombstones(tree, NULL, write_range, &text, &visited));
    assert_int_equal(2, visited);
}

static void assert_at(masstree_cursor_t *cursor, int32_t moved, const char *key, uint64_t seqno)
{
    masstree_slice_t at;
    masstree_version_t version;
    if (key == NULL) {
        assert_status(MASSTREE_END, moved);
        return;
    }
    assert_ok(moved);
    assert_ok(masstree_cursor_key(cursor, &at));
    assert_slice(key, strlen(key), at);
    assert_ok(masstree_cursor_version(cursor, &version));
    assert_int_equal(seqno, version.seqno);
}

static void cursors_seek_versions(void **state)
{
    (void)state;
    masstree_cursor_t *c = NULL;
    assert_ok(masstree_cursor_open_versions(tree, NULL, 0, &c));
    assert_status(MASSTREE_NOT_FOUND, masstree_cursor_version(c, NULL));
    assert_status(MASSTREE_NOT_FOUND, masstree_cursor_key(c, NULL));
    assert_at(c, masstree_cursor_seek_at(c, "a", 1, 5, MASSTREE_SEEK_GE), "a", 5);
    assert_at(c, masstree_cursor_seek_at(c, "a", 1, 5, MASSTREE_SEEK_GT), "a", 1);
    assert_at(c, masstree_cursor_seek_at(c, "a", 1, 0, MASSTREE_SEEK_GT), "b", 8);
    assert_at(c, masstree_cursor_seek_at(c, "a", 1, 0, MASSTREE_SEEK_GE), "b", 8);
    assert_at(c, masstree_cursor_seek_at(c, "a", 1, 5, MASSTREE_SEEK_LE), "a", 5);
    assert_at(c, masstree_cursor_seek_at(c, "a", 1, 5, MASSTREE_SEEK_LT), "a", 9);
    assert_at(c, masstree_cursor_seek_at(c, "b", 1, UINT64_MAX, MASSTREE_SEEK_LT), "a", 1);
    assert_at(c, masstree_cursor_seek_at(c, "a", 1, 9, MASSTREE_SEEK_LT), NULL, 0);
    assert_at(c, masstree_cursor_seek_at(c, "d", 1, 3, MASSTREE_SEEK_GE), NULL, 0);
    assert_at(c, MASSTREE_OK, "a", 1); /* has not moved */
    assert_at(c, masstree_cursor_seek(c, "c", 1, MASSTREE_SEEK_GE), "c", 7);
    assert_at(c, masstree_cursor_seek(c, "c", 1, MASSTREE_SEEK_LE), "c", 3);
    assert_at(c, masstree_cursor_next(c), "d", 6);
    assert_at(c, masstree_cursor_prev(c), "c", 3);
    assert_at(c, masstree_cursor_prev(c), "c", 7);
    assert_at(c, masstree_cursor_first(c), "a", 9);
    assert_at(c, masstree_cursor_last(c), "d", 4);
    assert_at(c, masstree_cursor_seek_u64(c, 0, MASSTREE_SEEK_GE), "a", 9);
    assert_status(MASSTREE_INVALID, masstree_cursor_seek_at(c, "a", 1, 5, 9));
    assert_status(MASSTREE_INVALID, masstree_cursor_seek(c, "a", 1, 9));
    masstree_cursor_close(c);
    assert_ok(masstree_cursor_open_versions(tree, NULL, 7, &c));
    assert_at(c, masstree_cursor_next(c), "a", 9);
    assert_at(c, masstree_cursor_next(c), "b", 8);
    assert_at(c, masstree_cursor_next(c), NULL, 0);
    masstree_cursor_close(c);
}

static void cursors_over_versions_refuse_what_they_cannot_do(void **state)
{
    (void)state;
    masstree_cursor_t *c = NULL;
    masstree_cursor_t *plain = NULL;
    uint64_t word = 0;
    size_t count = 0;
    const masstree_observation_t *observations = NULL;
    assert_status(MASSTREE_INVALID, masstree_cursor_open_at(tree, NULL, 1, NULL));
    assert_status(MASSTREE_INVALID, masstree_cursor_open_versions(tree, NULL, 1, NULL));
    assert_ok(masstree_cursor_open_at(tree, NULL, 9, &c));
    assert_ok(masstree_cursor_open(tree, NULL, &plain));
    assert_status(MASSTREE_WRONG_KIND, masstree_cursor_seek_at(c, "a", 1, 5, MASSTREE_SEEK_GE));
    assert_status(MASSTREE_WRONG_KIND, masstree_cursor_track(c));
    assert_status(MASSTREE_WRONG_KIND, masstree_cursor_observations(c, &observations, &count));
    assert_status(MASSTREE_WRONG_KIND, masstree_cursor_next_many(c, NULL, NULL, 1, &count));
    assert_status(MASSTREE_WRONG_KIND, masstree_cursor_prev_many(c, NULL, NULL, 1, &count));
    assert_status(MASSTREE_WRONG_KIND, masstree_cursor_value(c, &word));
    assert_status(MASSTREE_WRONG_KIND, masstree_cursor_version(plain, NULL));
    assert_status(MASSTREE_WRONG_KIND,
                  masstree_cursor_seek_at(plain, "a", 1, 5, MASSTREE_SEEK_GE));
    /* A plain cursor passes every key that has a version. */
    for (size_t i = 0; i < 4; i++) {
        assert_ok(masstree_cursor_next(plain));
    }
    assert_status(MASSTREE_END, masstree_cursor_next(plain));
    masstree_cursor_close(plain);
    masstree_cursor_close(c);
}

static void cursor_at_the_latest_number_keeps_what_it_sees(void **state)
{
    (void)state;
    masstree_cursor_t *c = NULL;
    assert_ok(masstree_cursor_open_at(tree, NULL, MASSTREE_SEQNO_LATEST, &c));
    put("a", 10, MASSTREE_VERSION_TOMBSTONE);
    put("b", 10, MASSTREE_VERSION_TOMBSTONE);
    while (masstree_trim_versions(tree, MASSTREE_SEQNO_LATEST, 3, NULL) != MASSTREE_END) {
    }
    assert_at(c, masstree_cursor_next(c), "a", 9);
    assert_at(c, masstree_cursor_next(c), "b", 8);
    assert_at(c, masstree_cursor_next(c), "d", 6);
    masstree_cursor_close(c);
    assert_seen(MASSTREE_SEQNO_LATEST, 0, "d6 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(walks_at_a_number_see_what_look_ups_see, make, end),
        cmocka_unit_test_setup_teardown(scans_end_as_their_visitors_say, make, end),
        cmocka_unit_test_setup_teardown(bounds_are_on_keys_and_numbers, make, end),
        cmocka_unit_test_setup_teardown(range_tombstones_are_listed, make, end),
        cmocka_unit_test_setup_teardown(cursors_seek_versions, make, end),
        cmocka_unit_test_setup_teardown(cursors_over_versions_refuse_what_they_cannot_do, make,
                                        end),
        cmocka_unit_test_setup_teardown(cursor_at_the_latest_number_keeps_what_it_sees, make, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
