/* Stores: opening and closing, their trees, and reading them. */
#include "stores.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct place place;

static int make(void **state)
{
    (void)state;
    place_make(&place);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_remove(&place);
    return 0;
}

static masstree_store_t *open_flagged(uint32_t flags)
{
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    options.flags = flags;
    return open_store(place.path, &options);
}

static int32_t try_open(const char *directory, uint32_t flags)
{
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    masstree_store_t *store = NULL;
    options.flags = flags;
    options.failure = &failure;
    int32_t status = masstree_store_open(directory, &options, &store);
    assert_null(store);
    return status;
}

/* Put back: in `masstree_store_put`, demand that the key has no value. */
static void a_store_in_memory_has_what_is_written(void **state)
{
    (void)state;
    masstree_store_t *store = open_store(NULL, NULL);
    masstree_t *tree = tree_named(store, "tree");
    uint64_t first = store_text(store, tree, "key", "value");
    assert_int_equal(first, assert_value(tree, "key", "value"));
    uint64_t second = store_text(store, tree, "key", "");
    assert_true(second > first);
    assert_int_equal(second, assert_value(tree, "key", ""));
    assert_ok(masstree_store_put(store, tree, NULL, 0, NULL, 0, NULL));
    assert_value(tree, "", "");
    assert_int_equal(2, count_keys(tree));
    assert_consistent(tree);
    close_store(store);
    assert_ok(masstree_store_close(NULL));
}

/* Put back: in `Replay::take`, leave out changes. */
static void what_was_written_is_found_again(void **state)
{
    (void)state;
    uint64_t last = 0;
    masstree_t *tree;
    masstree_store_t *store;
    char key[16];
    for (int round = 0; round < 3; round++) {
        store = open_flagged(round == 0 ? 0 : MASSTREE_STORE_MUST_EXIST);
        tree = tree_named(store, "tree");
        assert_int_equal(2 * round, count_keys(tree));
        for (int i = 0; i < 3; i++) {
            snprintf(key, sizeof key, "%d %d", round, i);
            uint64_t commit = store_text(store, tree, key, key);
            assert_true(commit > last);
            last = commit;
        }
        uint64_t removal = 0;
        assert_ok(masstree_store_remove(store, tree, key, strlen(key), &removal));
        assert_true(removal > last);
        last = removal;
        close_store(store);
    }
    store = open_flagged(0);
    tree = tree_named(store, "tree");
    assert_value(tree, "0 1", "0 1");
    assert_value(tree, "2 0", "2 0");
    assert_no_value(tree, "2 2");
    assert_true(stats_of(store).last_commit >= last);
    close_store(store);
}

/* Put back: in `decode`, forget `is_read_only`. */
static void a_store_can_be_opened_only_to_read(void **state)
{
    (void)state;
    char path[512];
    masstree_t *tree = NULL;
    assert_status(MASSTREE_NOT_FOUND, try_open(place.path, MASSTREE_STORE_READ_ONLY));
    masstree_store_t *store = open_flagged(0);
    store_text(store, tree_named(store, "tree"), "key", "value");
    close_store(store);
    first_segment(&place, path, sizeof path);
    uint64_t size = file_size(path);
    store = open_flagged(MASSTREE_STORE_READ_ONLY);
    masstree_store_t *other = open_flagged(MASSTREE_STORE_READ_ONLY);
    assert_status(MASSTREE_LOCKED, try_open(place.path, 0));
    tree = tree_named(store, "tree");
    assert_value(tree, "key", "value");
    assert_value(tree_named(other, "tree"), "key", "value");
    assert_status(MASSTREE_NOT_FOUND, masstree_store_tree(store, "none", &tree));
    assert_int_equal(1, stats_of(store).trees);
    close_store(store);
    close_store(other);
    assert_int_equal(size, file_size(path));
}

/* Put back: in `lock` of the store, do not ask for the answer. */
static void one_store_at_a_time_has_a_directory(void **state)
{
    (void)state;
    masstree_store_t *store = open_flagged(0);
    tree_named(store, "tree");
    assert_status(MASSTREE_LOCKED, try_open(place.path, 0));
    assert_status(MASSTREE_LOCKED, try_open(place.path, MASSTREE_STORE_READ_ONLY));
    pid_t child = fork();
    if (child == 0) {
        masstree_store_t *again = NULL;
        REQUIRE(masstree_store_open(place.path, NULL, &again) == MASSTREE_LOCKED);
        end_child();
    }
    assert_child_was_content(child);
    close_store(store);
    close_store(open_flagged(MASSTREE_STORE_MUST_EXIST));
}

/* Put back: in `lock`, create the directory also if it must exist; in `Store::read`, do not ask
   whether it must. */
static void a_store_that_must_exist_is_not_made(void **state)
{
    (void)state;
    struct stat found;
    char path[256];
    assert_status(MASSTREE_NOT_FOUND, try_open(place.path, MASSTREE_STORE_MUST_EXIST));
    assert_int_not_equal(0, stat(place.path, &found));
    snprintf(path, sizeof path, "%s/none/store", place.path);
    assert_status(MASSTREE_FAILED, try_open(path, 0));
    /* A directory without a store. */
    assert_int_equal(0, mkdir(place.path, 0700));
    assert_status(MASSTREE_NOT_FOUND, try_open(place.path, MASSTREE_STORE_MUST_EXIST));
    close_store(open_flagged(0));
    assert_status(MASSTREE_NOT_FOUND, try_open(place.path, MASSTREE_STORE_MUST_EXIST));
}

static int32_t open_with(const masstree_store_options_t *options)
{
    masstree_store_t *store = NULL;
    int32_t status = masstree_store_open(place.path, options, &store);
    assert_null(store);
    return status;
}

/* Put back: in `decode` of options, accept any size. */
static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    struct allocator memory;
    allocator_start(&memory);
    assert_status(MASSTREE_INVALID, masstree_store_open(place.path, NULL, NULL));
    options.flags = 8;
    assert_status(MASSTREE_INVALID, open_with(&options));
    options.flags = MASSTREE_STORE_READ_ONLY;
    masstree_store_t *store = NULL;
    assert_status(MASSTREE_INVALID, masstree_store_open(NULL, &options, &store));
    options.flags = MASSTREE_STORE_MUST_EXIST;
    assert_status(MASSTREE_INVALID, masstree_store_open(NULL, &options, &store));
    options.flags = 0;
    options.level = MASSTREE_DURABLE + 1;
    assert_status(MASSTREE_INVALID, open_with(&options));
    options.level = MASSTREE_MEMORY;
    options.struct_size--;
    assert_status(MASSTREE_INVALID, open_with(&options));
    options.struct_size++;
    options.log_buffer_bytes = SIZE_MAX;
    assert_status(MASSTREE_INVALID, open_with(&options));
    options.log_buffer_bytes = 0;
    options.log_segment_bytes = UINT64_MAX;
    assert_status(MASSTREE_INVALID, open_with(&options));
    options.log_segment_bytes = 0;
    options.alloc = allocator_options(&memory, 0).alloc;
    assert_status(MASSTREE_INVALID, open_with(&options));
    options.alloc = NULL;
    masstree_io_t none = {0};
    options.io = &none;
    assert_status(MASSTREE_INVALID, open_with(&options));
    allocator_end(&memory);
}

/* Put back: in `StoreTree::make`, attach before the tree is moved to its place. */
static void opening_without_memory_changes_nothing(void **state)
{
    (void)state;
    struct allocator memory;
    allocator_start(&memory);
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    masstree_options_t of_trees = allocator_options(&memory, 0);
    masstree_store_t *store = open_flagged(0);
    store_text(store, tree_named(store, "tree"), "key", "value");
    close_store(store);
    store = NULL;
    options.alloc = of_trees.alloc;
    options.free = of_trees.free;
    options.alloc_ctx = &memory;
    int32_t status = MASSTREE_NOMEM;
    for (size_t n = 1; status == MASSTREE_NOMEM; n++) {
        memory.calls = 0;
        memory.fail_at = n;
        status = masstree_store_open(place.path, &options, &store);
        assert_true(status == MASSTREE_OK || allocator_bytes(&memory) == 0);
    }
    memory.fail_at = 0;
    assert_ok(status);
    assert_true(memory.failures > 3);
    assert_value(tree_named(store, "tree"), "key", "value");
    close_store(store);
    allocator_end(&memory);
}

/* Put back: in `check_name`, allow a byte more. */
static void trees_have_names(void **state)
{
    (void)state;
    char longest[257];
    memset(longest, 'n', sizeof longest);
    longest[255] = 0;
    masstree_store_t *store = open_flagged(0);
    masstree_t *tree = tree_named(store, "");
    store_text(store, tree, "key", "empty");
    store_text(store, tree_named(store, longest), "key", "long");
    store_text(store, tree_named(store, "\xc3\xa9"), "key", "accent");
    assert_ptr_equal(tree, tree_named(store, ""));
    longest[255] = 'n';
    longest[256] = 0;
    assert_status(MASSTREE_INVALID, masstree_store_tree(store, longest, &tree));
    assert_status(MASSTREE_INVALID, masstree_store_tree(store, "\xc3", &tree));
    assert_status(MASSTREE_INVALID, masstree_store_tree(store, NULL, &tree));
    assert_status(MASSTREE_INVALID, masstree_store_tree(NULL, "", &tree));
    assert_status(MASSTREE_INVALID, masstree_store_tree(store, "", NULL));
    close_store(store);
    store = open_flagged(0);
    longest[255] = 0;
    assert_value(tree_named(store, ""), "key", "empty");
    assert_value(tree_named(store, longest), "key", "long");
    assert_value(tree_named(store, "\xc3\xa9"), "key", "accent");
    close_store(store);
}

struct names {
    char text[64];
    int32_t answer;
};

static int32_t append_name(const char *name, masstree_t *tree, void *ctx)
{
    struct names *names = ctx;
    assert_int_equal(0, count_keys(tree));
    snprintf(names->text + strlen(names->text), sizeof names->text - strlen(names->text), "%s;",
             name);
    return names->answer;
}

/* Put back: in `Catalog::each`, go by names. */
static void trees_are_listed_in_the_order_of_their_making(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        masstree_store_t *store = open_flagged(0);
        struct names names = {0};
        tree_named(store, "two");
        tree_named(store, "one");
        tree_named(store, "");
        assert_ok(masstree_store_list_trees(store, append_name, &names));
        assert_string_equal("two;one;;", names.text);
        names = (struct names){.answer = MASSTREE_VISIT_STOP};
        assert_ok(masstree_store_list_trees(store, append_name, &names));
        assert_string_equal("two;", names.text);
        names = (struct names){.answer = -77};
        assert_status(-77, masstree_store_list_trees(store, append_name, &names));
        assert_string_equal("two;", names.text);
        assert_status(MASSTREE_INVALID, masstree_store_list_trees(NULL, append_name, &names));
        assert_status(MASSTREE_INVALID, masstree_store_list_trees(store, NULL, NULL));
        close_store(store);
    }
}

/* Put back: in `StoreTree::make`, attach before the tree is moved to its place. */
static void a_tree_without_memory_is_not_made(void **state)
{
    (void)state;
    struct allocator memory;
    allocator_start(&memory);
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    masstree_options_t of_trees = allocator_options(&memory, 0);
    options.alloc = of_trees.alloc;
    options.free = of_trees.free;
    options.alloc_ctx = &memory;
    masstree_store_t *store = open_store(place.path, &options);
    size_t before = allocator_bytes(&memory);
    int32_t status = MASSTREE_NOMEM;
    masstree_t *tree = NULL;
    for (size_t n = 1; status == MASSTREE_NOMEM; n++) {
        memory.calls = 0;
        memory.fail_at = n;
        status = masstree_store_tree(store, "tree", &tree);
        assert_true(status == MASSTREE_OK || allocator_bytes(&memory) == before);
        assert_int_equal(status == MASSTREE_OK, stats_of(store).trees);
    }
    memory.fail_at = 0;
    assert_ok(status);
    assert_true(memory.failures > 3);
    close_store(store);
    allocator_end(&memory);
}

/* Put back: in `masstree_seal` or `masstree_destroy`, ask nothing of stores. */
static void functions_of_the_index_only_read_the_trees(void **state)
{
    (void)state;
    masstree_store_t *store = open_store(NULL, NULL);
    masstree_t *tree = tree_named(store, "tree");
    store_text(store, tree, "key", "value");
    uint64_t number = 77;
    assert_status(MASSTREE_READ_ONLY, masstree_put_at(tree, NULL, "key", 3, MASSTREE_SEQNO_MAX,
                                                      MASSTREE_VERSION_VALUE, "other", 5));
    assert_status(MASSTREE_READ_ONLY,
                  masstree_remove_range_at(tree, NULL, "a", 1, "z", 1, MASSTREE_SEQNO_MAX));
    assert_status(MASSTREE_READ_ONLY, masstree_next_seqno(tree, 1, &number));
    assert_status(MASSTREE_READ_ONLY, masstree_publish(tree, 1, NULL));
    assert_status(MASSTREE_READ_ONLY, masstree_seal(tree));
    assert_status(MASSTREE_WRONG_KIND, masstree_remove(tree, NULL, "key", 3, NULL));
    assert_status(MASSTREE_WRONG_KIND, masstree_clear(tree, NULL));
    assert_int_equal(77, number);
    masstree_destroy(tree);
    assert_value(tree, "key", "value");
    store_text(store, tree, "key", "other");
    assert_value(tree, "key", "other");
    close_store(store);
}

/* Put back: in `installed`, which the clock asks, return 0: the program does not end. */
static void snapshots_and_cursors_read_the_trees(void **state)
{
    (void)state;
    masstree_store_t *store = open_flagged(0);
    masstree_t *tree = tree_named(store, "tree");
    masstree_snapshot_t *snapshot = NULL;
    masstree_cursor_t *cursor = NULL;
    masstree_version_t version;
    store_text(store, tree, "a", "old a");
    store_text(store, tree, "b", "old b");
    assert_ok(masstree_snapshot_open(tree, &snapshot));
    store_text(store, tree, "a", "new a");
    store_text(store, tree, "c", "new c");
    assert_ok(masstree_store_remove(store, tree, "b", 1, NULL));
    uint64_t at = masstree_snapshot_seqno(snapshot);
    masstree_guard_t *guard = new_guard(tree);
    assert_ok(masstree_get_at(tree, guard, "a", 1, at, &version));
    assert_slice("old a", 5, (masstree_slice_t){version.value, version.value_len});
    assert_ok(masstree_get_at(tree, guard, "b", 1, at, &version));
    assert_slice("old b", 5, (masstree_slice_t){version.value, version.value_len});
    assert_status(MASSTREE_NOT_FOUND, masstree_get_at(tree, guard, "c", 1, at, &version));
    assert_ok(masstree_cursor_open_versions(tree, guard, at, &cursor));
    size_t newer = 0;
    while (masstree_cursor_next(cursor) == MASSTREE_OK) {
        assert_ok(masstree_cursor_version(cursor, &version));
        newer += version.seqno > at;
    }
    assert_int_equal(3, newer);
    masstree_cursor_close(cursor);
    masstree_guard_leave(guard);
    masstree_snapshot_close(snapshot);
    assert_int_equal(2, count_keys(tree));
    close_store(store);
}

static void no_text(const char *text, size_t len, void *ctx)
{
    (void)text;
    (void)len;
    (void)ctx;
    abort();
}

static int32_t no_tree(const char *name, masstree_t *tree, void *ctx)
{
    (void)name;
    (void)tree;
    (void)ctx;
    abort();
}

static void no_call(uint64_t commit, int32_t status, void *ctx)
{
    (void)commit;
    (void)status;
    (void)ctx;
    abort();
}

static void require_forked(struct target *target)
{
    masstree_store_t *store = target->store;
    masstree_store_stats_t stats = MASSTREE_STORE_STATS_INIT;
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    masstree_batch_t *batch = NULL;
    masstree_t *tree = NULL;
    for (size_t i = 0; i < write_count; i++) {
        REQUIRE(writes[i].run(target) == MASSTREE_FORKED);
    }
    REQUIRE(target->commit == 0);
    REQUIRE(masstree_store_tree(store, "tree", &tree) == MASSTREE_FORKED);
    REQUIRE(masstree_store_list_trees(store, no_tree, NULL) == MASSTREE_FORKED);
    REQUIRE(masstree_store_drop_tree(store, "tree", NULL) == MASSTREE_FORKED);
    REQUIRE(masstree_store_export(store, NULL, "/none/none", NULL, NULL, NULL) == MASSTREE_FORKED);
    REQUIRE(masstree_store_import(store, "/none/none", 0, NULL, NULL, NULL, NULL) ==
            MASSTREE_FORKED);
    masstree_changes_t *changes = NULL;
    REQUIRE(masstree_store_changes(store, 0, NULL, &changes) == MASSTREE_FORKED);
    REQUIRE(masstree_batch_create(store, &batch) == MASSTREE_FORKED);
    REQUIRE(masstree_batch_put(target->batch, target->tree, "k", 1, "v", 1) == MASSTREE_FORKED);
    REQUIRE(masstree_batch_len(target->batch) == 1);
    REQUIRE(masstree_store_wait(store, 1, MASSTREE_DURABLE) == MASSTREE_FORKED);
    REQUIRE(masstree_store_sync(store) == MASSTREE_FORKED);
    REQUIRE(masstree_store_checkpoint(store) == MASSTREE_FORKED);
    REQUIRE(masstree_store_durable(store) == 0);
    REQUIRE(masstree_store_on_durable(store, 1, no_call, NULL) == MASSTREE_FORKED);
    REQUIRE(masstree_store_stats(store, &stats) == MASSTREE_FORKED);
    REQUIRE(masstree_store_stats_json(store, no_text, NULL) == MASSTREE_FORKED);
    REQUIRE(masstree_store_failure(store, &failure) == MASSTREE_FORKED);
    masstree_batch_destroy(target->batch);
    REQUIRE(masstree_batch_len(target->batch) == 1);
    REQUIRE(masstree_store_close(store) == MASSTREE_FORKED);
    REQUIRE(masstree_store_close(store) == MASSTREE_FORKED);
}

/* Put back: in `Store::is_forked`, answer false. */
static void a_child_has_no_store(void **state)
{
    (void)state;
    struct target target;
    masstree_store_t *store = open_flagged(0);
    masstree_t *tree = tree_named(store, "tree");
    store_text(store, tree, "key", "value");
    target_find(&target, store, tree);
    pid_t child = fork();
    if (child == 0) {
        alarm(WATCHDOG_SECONDS);
        require_forked(&target);
        end_child();
    }
    assert_child_was_content(child);
    target_end(&target);
    store_text(store, tree, "key", "after");
    close_store(store);
    store = open_flagged(0);
    assert_value(tree_named(store, "tree"), "key", "after");
    close_store(store);
}

#define WITH_PLACE(test)                                                                          \
    {                                                                                             \
        #test, test, make, end, NULL                                                              \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_in_memory_has_what_is_written),
        WITH_PLACE(what_was_written_is_found_again),
        WITH_PLACE(a_store_can_be_opened_only_to_read),
        WITH_PLACE(one_store_at_a_time_has_a_directory),
        WITH_PLACE(a_store_that_must_exist_is_not_made),
        WITH_PLACE(options_out_of_range_are_refused),
        WITH_PLACE(opening_without_memory_changes_nothing),
        WITH_PLACE(trees_have_names),
        WITH_PLACE(trees_are_listed_in_the_order_of_their_making),
        WITH_PLACE(a_tree_without_memory_is_not_made),
        cmocka_unit_test(functions_of_the_index_only_read_the_trees),
        WITH_PLACE(snapshots_and_cursors_read_the_trees),
        WITH_PLACE(a_child_has_no_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
