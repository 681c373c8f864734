/* Status codes: frozen numbers, and a sentence for each. */
#include "support.h"

#define STATUS(name) {MASSTREE_##name, "MASSTREE_" #name ": "}

static const struct {
    int32_t number;
    const char *prefix;
} statuses[] = {
    STATUS(OK), STATUS(NOT_FOUND), STATUS(EXISTS), STATUS(MISMATCH),
    STATUS(END), STATUS(CLEARED), STATUS(BUSY), STATUS(INVALID), STATUS(NOMEM),
    STATUS(KEY_TOO_LONG), STATUS(WRONG_TREE), STATUS(WRONG_KIND), STATUS(FORKED),
    STATUS(CORRUPT), STATUS(TOO_SMALL), STATUS(UNSORTED), STATUS(CONFLICT),
};

static void numbers_are_frozen(void **state)
{
    (void)state;
    assert_int_equal(0, MASSTREE_OK);
    assert_int_equal(1, MASSTREE_NOT_FOUND);
    assert_int_equal(2, MASSTREE_EXISTS);
    assert_int_equal(3, MASSTREE_MISMATCH);
    assert_int_equal(4, MASSTREE_END);
    assert_int_equal(5, MASSTREE_CLEARED);
    assert_int_equal(6, MASSTREE_BUSY);
    assert_int_equal(8, MASSTREE_CONFLICT);
    assert_int_equal(-1, MASSTREE_INVALID);
    assert_int_equal(-2, MASSTREE_NOMEM);
    assert_int_equal(-3, MASSTREE_KEY_TOO_LONG);
    assert_int_equal(-4, MASSTREE_WRONG_TREE);
    assert_int_equal(-5, MASSTREE_WRONG_KIND);
    assert_int_equal(-6, MASSTREE_FORKED);
    assert_int_equal(-7, MASSTREE_CORRUPT);
    assert_int_equal(-8, MASSTREE_TOO_SMALL);
    assert_int_equal(-9, MASSTREE_UNSORTED);
}

/* The library's statuses are all that have a sentence of their own. */
static void numbers_of_callbacks_are_no_statuses(void **state)
{
    (void)state;
    assert_int_equal(-1000, MASSTREE_OWN_STATUS);
    const char *sentence = masstree_strerror(INT32_MIN);
    for (int32_t number = MASSTREE_OWN_STATUS; number > -100000; number--) {
        assert_string_equal(sentence, masstree_strerror(number));
    }
}

static void constants_are_frozen(void **state)
{
    (void)state;
    assert_int_equal(0, MASSTREE_BOUND_OPEN);
    assert_int_equal(1, MASSTREE_BOUND_INCLUSIVE);
    assert_int_equal(2, MASSTREE_BOUND_EXCLUSIVE);
    assert_int_equal(1, MASSTREE_SCAN_REVERSE);
    assert_int_equal(2, MASSTREE_SCAN_KEYS_ONLY);
    assert_int_equal(4, MASSTREE_SCAN_VALUES_ONLY);
    assert_int_equal(0, MASSTREE_SEEK_GE);
    assert_int_equal(1, MASSTREE_SEEK_GT);
    assert_int_equal(2, MASSTREE_SEEK_LE);
    assert_int_equal(3, MASSTREE_SEEK_LT);
    assert_int_equal(0, MASSTREE_VALUES_WORDS);
    assert_int_equal(1, MASSTREE_VALUES_BYTES);
    assert_int_equal(0, MASSTREE_DUMP_TEXT);
    assert_int_equal(1, MASSTREE_DUMP_GRAPHVIZ);
    assert_int_equal(1, MASSTREE_STATS_NODES);
    assert_int_equal(0, MASSTREE_VISIT_CONTINUE);
    assert_int_equal(1, MASSTREE_VISIT_STOP);
    assert_int_equal(0, MASSTREE_ACTION_KEEP);
    assert_int_equal(1, MASSTREE_ACTION_SET);
    assert_int_equal(2, MASSTREE_ACTION_REMOVE);
}

/* Put back: exchange two sentences of masstree_strerror, or leave a name out. */
static void every_status_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        const char *text = masstree_strerror(statuses[i].number);
        size_t len = strlen(statuses[i].prefix);
        assert_non_null(text);
        assert_memory_equal(statuses[i].prefix, text, len);
        assert_true(strlen(text) > len);
    }
}

static void unknown_codes_are_said_to_be_unknown(void **state)
{
    (void)state;
    static const int32_t unknown[] = {99, 1000, INT32_MAX, -99, INT32_MIN};
    const char *sentence = masstree_strerror(unknown[0]);
    for (size_t i = 0; i < COUNT(unknown); i++) {
        assert_string_equal(sentence, masstree_strerror(unknown[i]));
    }
    for (size_t i = 0; i < COUNT(statuses); i++) {
        assert_string_not_equal(sentence, masstree_strerror(statuses[i].number));
    }
}

static void sentences_are_static(void **state)
{
    (void)state;
    const char *first = masstree_strerror(MASSTREE_NOMEM);
    assert_ptr_not_equal(first, masstree_strerror(MASSTREE_INVALID));
    assert_ptr_equal(first, masstree_strerror(MASSTREE_NOMEM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_frozen),
        cmocka_unit_test(numbers_of_callbacks_are_no_statuses),
        cmocka_unit_test(constants_are_frozen),
        cmocka_unit_test(every_status_has_a_sentence_of_its_own),
        cmocka_unit_test(unknown_codes_are_said_to_be_unknown),
        cmocka_unit_test(sentences_are_static),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
