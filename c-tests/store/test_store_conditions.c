/* Conditional writes: every condition, held and not. */
#include "stores.h"

static masstree_store_t *store;
static masstree_t *tree;

static int make(void **state)
{
    (void)state;
    store = open_store(NULL, NULL);
    tree = tree_named(store, "tree");
    return 0;
}

static int end(void **state)
{
    (void)state;
    close_store(store);
    return 0;
}

static masstree_store_condition_t condition_of(uint32_t kind)
{
    return (masstree_store_condition_t){.kind = kind};
}

static masstree_store_condition_t of_version(uint64_t seqno)
{
    return (masstree_store_condition_t){.kind = MASSTREE_IF_VERSION, .seqno = seqno};
}

static masstree_store_condition_t of_value(const char *value)
{
    return (masstree_store_condition_t){
        .kind = MASSTREE_IF_VALUE, .value = value, .value_len = strlen(value)};
}

static int32_t replace(masstree_store_condition_t condition, uint64_t *commit)
{
    return masstree_store_replace_if(store, tree, "key", 3, &condition, "new", 3, commit);
}

static int32_t remove_if(masstree_store_condition_t condition, uint64_t *commit)
{
    return masstree_store_remove_if(store, tree, "key", 3, &condition, commit);
}

/* Put back: in `Condition::holds`, answer true for absent keys. */
static void a_key_without_a_value_meets_only_one_condition(void **state)
{
    (void)state;
    uint64_t commit = 77;
    /* Also after a removal, which leaves a tombstone. */
    for (int round = 0; round < 2; round++) {
        commit = 77;
        assert_status(MASSTREE_NOT_FOUND, replace(condition_of(MASSTREE_IF_PRESENT), &commit));
        assert_status(MASSTREE_NOT_FOUND, replace(of_version(0), &commit));
        assert_status(MASSTREE_NOT_FOUND, replace(of_value(""), &commit));
        assert_status(MASSTREE_NOT_FOUND, remove_if(condition_of(MASSTREE_IF_PRESENT), &commit));
        assert_status(MASSTREE_NOT_FOUND, remove_if(of_version(0), &commit));
        assert_status(MASSTREE_NOT_FOUND, remove_if(of_value(""), &commit));
        assert_int_equal(77, commit);
        assert_no_value(tree, "key");
        assert_ok(replace(condition_of(MASSTREE_IF_ABSENT), &commit));
        assert_int_equal(commit, assert_value(tree, "key", "new"));
        uint64_t before = commit;
        assert_ok(remove_if(condition_of(MASSTREE_IF_PRESENT), &commit));
        assert_true(commit > before);
    }
}

/* Put back: in `Condition::holds`, compare only lengths of values; or versions with `<=`. */
static void a_condition_on_the_value_or_version_is_exact(void **state)
{
    (void)state;
    uint64_t before = store_text(store, tree, "key", "old");
    uint64_t commit = 77;
    assert_status(MASSTREE_MISMATCH, replace(condition_of(MASSTREE_IF_ABSENT), &commit));
    assert_status(MASSTREE_MISMATCH, replace(of_version(before - 1), &commit));
    assert_status(MASSTREE_MISMATCH, replace(of_version(before + 1), &commit));
    assert_status(MASSTREE_MISMATCH, replace(of_value("odd"), &commit));
    assert_status(MASSTREE_MISMATCH, replace(of_value("ol"), &commit));
    assert_status(MASSTREE_MISMATCH, replace(of_value("olds"), &commit));
    assert_status(MASSTREE_MISMATCH, remove_if(of_version(before + 1), &commit));
    assert_status(MASSTREE_MISMATCH, remove_if(of_value("odd"), &commit));
    assert_int_equal(77, commit);
    assert_int_equal(before, assert_value(tree, "key", "old"));
    assert_ok(replace(of_version(before), &commit));
    assert_int_equal(commit, assert_value(tree, "key", "new"));
    assert_status(MASSTREE_MISMATCH, replace(of_version(before), NULL));
    assert_ok(replace(of_value("new"), &before));
    assert_ok(replace(condition_of(MASSTREE_IF_PRESENT), NULL));
    assert_ok(remove_if(of_value("new"), NULL));
    assert_no_value(tree, "key");
    assert_ok(replace(condition_of(MASSTREE_IF_ABSENT), &commit));
    assert_ok(remove_if(of_version(commit), &before));
    assert_no_value(tree, "key");
    assert_true(before > commit);
}

/* Put back: in `decode` of conditions, do not check `reserved`. */
static void conditions_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    uint64_t commit = 77;
    masstree_store_condition_t no_value = of_value("");
    masstree_store_condition_t reserved = condition_of(MASSTREE_IF_PRESENT);
    no_value.value = NULL;
    no_value.value_len = 1;
    reserved.reserved = 1;
    store_text(store, tree, "key", "old");
    for (int which = 0; which < 4; which++) {
        masstree_store_condition_t wrong = which == 0   ? condition_of(0)
                                           : which == 1 ? condition_of(MASSTREE_IF_VALUE + 1)
                                           : which == 2 ? no_value
                                                        : reserved;
        assert_status(MASSTREE_INVALID, replace(wrong, &commit));
        assert_status(MASSTREE_INVALID, remove_if(wrong, &commit));
    }
    assert_status(MASSTREE_INVALID,
                  masstree_store_replace_if(store, tree, "key", 3, NULL, "v", 1, &commit));
    assert_status(MASSTREE_INVALID,
                  masstree_store_remove_if(store, tree, "key", 3, NULL, &commit));
    assert_status(MASSTREE_INVALID, remove_if(condition_of(MASSTREE_IF_ABSENT), &commit));
    assert_int_equal(77, commit);
    assert_value(tree, "key", "old");
    no_value.value_len = 0;
    store_text(store, tree, "key", "");
    assert_ok(replace(no_value, NULL));
    assert_value(tree, "key", "new");
}

enum { THREADS = 4, ROUNDS = 2000 };

/* Increments a counter, which a key holds as a word. */
static void count_up(void *arg)
{
    masstree_guard_t *guard = NULL;
    masstree_version_t version;
    size_t rounds = scaled(ROUNDS);
    (void)arg;
    REQUIRE(masstree_guard_enter(tree, &guard) == MASSTREE_OK);
    for (size_t done = 0; done < rounds;) {
        uint64_t count = 0;
        REQUIRE(masstree_get_at(tree, guard, "count", 5, MASSTREE_SEQNO_LATEST, &version) ==
                MASSTREE_OK);
        memcpy(&count, version.value, sizeof count);
        count++;
        masstree_store_condition_t unchanged = of_version(version.seqno);
        int32_t status = masstree_store_replace_if(store, tree, "count", 5, &unchanged, &count,
                                                   sizeof count, NULL);
        REQUIRE(status == MASSTREE_OK || status == MASSTREE_MISMATCH);
        done += status == MASSTREE_OK;
        masstree_guard_refresh(guard);
    }
    masstree_guard_leave(guard);
}

/* Put back: in `Store::write`, take every condition as met. */
static void no_commit_comes_between_the_condition_and_the_write(void **state)
{
    (void)state;
    uint64_t count = 0;
    void (*run[THREADS])(void *) = {count_up, count_up, count_up, count_up};
    char args[THREADS];
    assert_ok(masstree_store_put(store, tree, "count", 5, &count, sizeof count, NULL));
    run_together(THREADS, run, args, 1);
    masstree_version_t version;
    masstree_guard_t *guard = new_guard(tree);
    assert_ok(masstree_get_at(tree, guard, "count", 5, MASSTREE_SEQNO_LATEST, &version));
    memcpy(&count, version.value, sizeof count);
    masstree_guard_leave(guard);
    assert_int_equal(THREADS * scaled(ROUNDS), count);
}

#define WITH_STORE(test)                                                                          \
    {                                                                                             \
        #test, test, make, end, NULL                                                              \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_key_without_a_value_meets_only_one_condition),
        WITH_STORE(a_condition_on_the_value_or_version_is_exact),
        WITH_STORE(conditions_that_mean_nothing_are_refused),
        WITH_STORE(no_commit_comes_between_the_condition_and_the_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
