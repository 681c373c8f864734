/* Cursors of transactions: their moves and what they make a commit depend on, against a model. */
#include "stores.h"

#include <unistd.h>

enum { KEYS = 400, ROUNDS = 400, MOVES = 40, KEY_LEN = 4, NOWHERE = -1 };

static masstree_store_t *store;
static masstree_t *tree;
static masstree_txn_t *txn;
static masstree_txn_cursor_t *cursor;

static int make(void **state)
{
    (void)state;
    store = open_store(NULL, NULL);
    tree = tree_named(store, "tree");
    assert_ok(masstree_txn_begin(store, NULL, &txn));
    assert_ok(masstree_txn_cursor_open(txn, tree, &cursor));
    return 0;
}

static int end(void **state)
{
    (void)state;
    masstree_txn_cursor_close(cursor);
    masstree_txn_destroy(txn);
    assert_consistent(tree);
    close_store(store);
    return 0;
}

static const char *key_of(int number)
{
    static char text[2][8];
    static unsigned turn;
    char *key = text[turn++ % 2];
    snprintf(key, sizeof text[0], "k%03d", number);
    return key;
}

/* What a transaction reads, for each number of a key, and what its commit depends on. */
struct reads {
    uint64_t commits[KEYS]; /* 0: the snapshot does not have it */
    bool is_written[KEYS];
    bool is_there[KEYS];
    bool is_read[KEYS];
    int at;
};

static void model_begin(struct reads *model)
{
    for (int i = 0; i < KEYS; i++) {
        model->is_there[i] = model->commits[i] != 0;
        model->is_written[i] = model->is_read[i] = false;
    }
    model->at = NOWHERE;
}

/* Moves from `begin`, which is included; returns the status. */
static int32_t model_move(struct reads *model, int begin, bool reverse)
{
    int step = reverse ? -1 : 1;
    int i = begin;
    while (i >= 0 && i < KEYS && !model->is_there[i]) {
        i += step;
    }
    bool is_found = i >= 0 && i < KEYS;
    for (int read = begin; read >= 0 && read < KEYS; read += step) {
        model->is_read[read] = true;
        if (read == i) {
            break;
        }
    }
    if (!is_found) {
        return MASSTREE_END;
    }
    model->at = i;
    return MASSTREE_OK;
}

static int32_t model_seek(struct reads *model, int key, uint32_t how)
{
    switch (how) {
    case MASSTREE_SEEK_GE:
        return model_move(model, key, false);
    case MASSTREE_SEEK_GT:
        return model_move(model, key + 1, false);
    case MASSTREE_SEEK_LE:
        return model_move(model, key, true);
    case MASSTREE_SEEK_LT:
        return model_move(model, key - 1, true);
    case MASSTREE_SEEK_FIRST:
        return model_move(model, 0, false);
    default:
        return model_move(model, KEYS - 1, true);
    }
}

static int32_t model_step(struct reads *model, bool reverse)
{
    int step = reverse ? -1 : 1;
    int nowhere = reverse ? KEYS - 1 : 0;
    return model_move(model, model->at == NOWHERE ? nowhere : model->at + step, reverse);
}

static void assert_at(const struct reads *model, const bool *was_written)
{
    masstree_slice_t key = {NULL, 0};
    masstree_version_t version = {0};
    if (model->at == NOWHERE) {
        assert_status(MASSTREE_NOT_FOUND, masstree_txn_cursor_key(cursor, &key));
        assert_status(MASSTREE_NOT_FOUND, masstree_txn_cursor_version(cursor, &version));
        return;
    }
    assert_ok(masstree_txn_cursor_key(cursor, &key));
    assert_ok(masstree_txn_cursor_version(cursor, &version));
    assert_slice(key_of(model->at), KEY_LEN, key);
    assert_slice(key_of(model->at), KEY_LEN, (masstree_slice_t){version.value, version.value_len});
    assert_int_equal(*was_written ? 0 : model->commits[model->at], version.seqno);
}

/* A key, often near the one that the cursor is at. */
static int key_near(const struct reads *model, uint64_t *random)
{
    int key = (int)random_below(random, KEYS);
    bool is_near = model->at > 2 && model->at < KEYS - 3 && key % 2 == 0;
    return is_near ? model->at - 3 + (int)random_below(random, 7) : key;
}

static void write_one(struct reads *model, uint64_t *random)
{
    int key = key_near(model, random);
    const char *text = key_of(key);
    model->is_there[key] = random_below(random, 2) == 0;
    model->is_written[key] = true;
    if (model->is_there[key]) {
        assert_ok(masstree_txn_put(txn, tree, text, KEY_LEN, text, KEY_LEN));
        return;
    }
    /* A removal that does not read the key, since the transaction has written it. */
    assert_ok(masstree_txn_put(txn, tree, text, KEY_LEN, "", 0));
    assert_ok(masstree_txn_remove(txn, tree, text, KEY_LEN));
}

static void move_one(struct reads *model, uint64_t *random, bool *was_written)
{
    int key = (int)random_below(random, KEYS);
    int before = model->at;
    size_t choice = random_below(random, 12);
    int32_t expected, status;
    if (choice < 2) {
        uint32_t how = (uint32_t)random_below(random, 6);
        expected = model_seek(model, key, how);
        status = masstree_txn_cursor_seek(cursor, key_of(key), KEY_LEN, how);
    } else {
        /* Mostly in one direction. */
        bool reverse = random_below(random, 8) == 0 ? choice % 2 == 0 : key % 2 == 0;
        expected = model_step(model, reverse);
        status = reverse ? masstree_txn_cursor_prev(cursor) : masstree_txn_cursor_next(cursor);
    }
    assert_int_equal(expected, status);
    if (status == MASSTREE_OK) {
        *was_written = model->is_written[model->at];
    } else {
        assert_int_equal(before, model->at);
    }
    assert_at(model, was_written);
}

static void change_store(struct reads *model, int key)
{
    const char *text = key_of(key);
    if (model->commits[key] == 0) {
        assert_ok(masstree_store_put(store, tree, text, KEY_LEN, text, KEY_LEN,
                                     &model->commits[key]));
    } else {
        assert_ok(masstree_store_remove(store, tree, text, KEY_LEN, NULL));
        model->commits[key] = 0;
    }
}

/* Put back: in `Transaction::note_returned`, note nothing; or in `Transaction::note_all`; in `Walk::of_cursor`, note
   what was read ahead; in `Transaction::step`, go on with a walk in the other direction; in `Transaction::go`, keep
   a walk that has found nothing. */
static void moves_and_conflicts_are_those_of_the_model(void **state)
{
    (void)state;
    static struct reads model;
    uint64_t random = 7;
    size_t refused = 0;
    masstree_t *other = tree_named(store, "other");
    for (size_t round = 0; round < scaled(ROUNDS); round++) {
        bool was_written = false;
        /* Few keys, or many: a walk reads several of them ahead. */
        int dense = (int)(round % 8);
        for (int key = 0; key < KEYS; key++) {
            bool wanted = (int)random_below(&random, 40) < dense * dense;
            if (wanted != (model.commits[key] != 0)) {
                change_store(&model, key);
            }
        }
        assert_ok(masstree_txn_reset(txn));
        model_begin(&model);
        assert_at(&model, &was_written);
        for (size_t i = random_below(&random, MOVES); i > 0; i--) {
            if (random_below(&random, 4) == 0) {
                write_one(&model, &random);
                assert_at(&model, &was_written);
            } else {
                move_one(&model, &random, &was_written);
            }
        }
        assert_ok(masstree_txn_put(txn, other, "key", 3, "value", 5));
        int changed = key_near(&model, &random);
        change_store(&model, changed);
        uint64_t commit = 0;
        int32_t status = masstree_txn_commit(txn, &commit);
        assert_int_equal(model.is_read[changed] ? MASSTREE_CONFLICT : MASSTREE_OK, status);
        refused += status == MASSTREE_CONFLICT ? 1 : 0;
        for (int i = 0; status == MASSTREE_OK && i < KEYS; i++) {
            if (model.is_written[i]) {
                model.commits[i] = model.is_there[i] ? commit : 0;
            }
        }
    }
    assert_true(refused > scaled(ROUNDS) / 8);
}

/* Put back: in `Transaction::seek`, clear the cursor's key first. */
static void a_cursor_seeks_its_own_key(void **state)
{
    (void)state;
    masstree_slice_t key;
    masstree_version_t version;
    store_text(store, tree, "a", "1");
    store_text(store, tree, "b", "2");
    assert_ok(masstree_txn_reset(txn));
    assert_ok(masstree_txn_cursor_next(cursor));
    assert_ok(masstree_txn_cursor_key(cursor, &key));
    assert_ok(masstree_txn_cursor_seek(cursor, key.data, key.len, MASSTREE_SEEK_GT));
    assert_ok(masstree_txn_cursor_key(cursor, &key));
    assert_slice("b", 1, key);
    /* The value is as it was when the cursor moved to the key. */
    assert_ok(masstree_txn_remove(txn, tree, "b", 1));
    assert_ok(masstree_txn_cursor_version(cursor, &version));
    assert_slice("2", 1, (masstree_slice_t){version.value, version.value_len});
    assert_ok(masstree_txn_cursor_seek(cursor, key.data, key.len, MASSTREE_SEEK_LE));
    assert_ok(masstree_txn_cursor_key(cursor, &key));
    assert_slice("a", 1, key);
    assert_ok(masstree_txn_cursor_key(cursor, NULL));
    assert_ok(masstree_txn_cursor_version(cursor, NULL));
}

typedef int32_t move_of(masstree_txn_cursor_t *of);

static int32_t seek_first(masstree_txn_cursor_t *of)
{
    return masstree_txn_cursor_seek(of, NULL, 0, MASSTREE_SEEK_FIRST);
}

/* Not the functions themselves: their statuses are traced where they are called by name. */
static int32_t next(masstree_txn_cursor_t *of)
{
    return masstree_txn_cursor_next(of);
}

static int32_t prev(masstree_txn_cursor_t *of)
{
    return masstree_txn_cursor_prev(of);
}

static move_of *const moves[] = {next, prev, seek_first};

/* Put back: in `TransactionCursor::item`, return what it has. */
static void every_status(void **state)
{
    (void)state;
    masstree_txn_options_t options = MASSTREE_TXN_OPTIONS_INIT;
    masstree_store_t *foreign = open_store(NULL, NULL);
    masstree_txn_cursor_t *made = NULL;
    assert_status(MASSTREE_INVALID, masstree_txn_cursor_open(NULL, tree, &made));
    assert_status(MASSTREE_INVALID, masstree_txn_cursor_open(txn, NULL, &made));
    assert_status(MASSTREE_INVALID, masstree_txn_cursor_open(txn, tree, NULL));
    assert_status(MASSTREE_WRONG_TREE,
                  masstree_txn_cursor_open(txn, tree_named(foreign, "tree"), &made));
    close_store(foreign);
    assert_status(MASSTREE_INVALID, masstree_txn_cursor_key(NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_txn_cursor_version(NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_txn_cursor_seek(cursor, "k", 1, 6));
    assert_status(MASSTREE_INVALID, masstree_txn_cursor_seek(cursor, NULL, 1, MASSTREE_SEEK_GE));
    assert_status(MASSTREE_KEY_TOO_LONG,
                  masstree_txn_cursor_seek(cursor, "k", (size_t)UINT32_MAX + 1, MASSTREE_SEEK_GE));
    options.max_bytes = 8;
    masstree_txn_t *small = NULL;
    assert_ok(masstree_txn_begin(store, &options, &small));
    assert_ok(masstree_txn_cursor_open(small, tree, &made));
    for (size_t i = 0; i < COUNT(moves); i++) {
        assert_status(MASSTREE_INVALID, moves[i](NULL));
        assert_status(MASSTREE_END, moves[i](cursor));
        assert_status(MASSTREE_TOO_LARGE, moves[i](made));
    }
    masstree_txn_cursor_close(made);
    masstree_txn_destroy(small);
    store_text(store, tree, "a", "1");
    assert_ok(masstree_txn_reset(txn));
    assert_ok(masstree_txn_cursor_next(cursor));
    masstree_txn_abort(txn);
    for (size_t i = 0; i < COUNT(moves); i++) {
        assert_status(MASSTREE_INVALID, moves[i](cursor));
    }
    assert_status(MASSTREE_NOT_FOUND, masstree_txn_cursor_key(cursor, NULL));
    assert_status(MASSTREE_NOT_FOUND, masstree_txn_cursor_version(cursor, NULL));
    assert_status(MASSTREE_INVALID, masstree_txn_cursor_open(txn, tree, &made));
    assert_ok(masstree_store_drop_tree(store, "tree", NULL));
    assert_ok(masstree_txn_reset(txn));
    for (size_t i = 0; i < COUNT(moves); i++) {
        assert_status(MASSTREE_WRONG_TREE, moves[i](cursor));
    }
    assert_status(MASSTREE_WRONG_TREE, masstree_txn_cursor_open(txn, tree, &made));
    masstree_txn_cursor_close(NULL);
    /* The cursor of the tree that is there at the end. */
    tree = tree_named(store, "tree");
}

/* Put back: in `Store::is_forked`, answer false. */
static void a_child_cannot_use_a_cursor(void **state)
{
    (void)state;
    int child = fork();
    if (child == 0) {
        alarm(WATCHDOG_SECONDS);
        masstree_txn_cursor_t *made = NULL;
        REQUIRE(masstree_txn_cursor_open(txn, tree, &made) == MASSTREE_FORKED);
        for (size_t i = 0; i < COUNT(moves); i++) {
            REQUIRE(moves[i](cursor) == MASSTREE_FORKED);
        }
        REQUIRE(masstree_txn_cursor_key(cursor, NULL) == MASSTREE_FORKED);
        REQUIRE(masstree_txn_cursor_version(cursor, NULL) == MASSTREE_FORKED);
        masstree_txn_cursor_close(cursor);
        end_child();
    }
    assert_child_was_content(child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(moves_and_conflicts_are_those_of_the_model, make, end),
        cmocka_unit_test_setup_teardown(a_cursor_seeks_its_own_key, make, end),
        cmocka_unit_test_setup_teardown(every_status, make, end),
        cmocka_unit_test_setup_teardown(a_child_cannot_use_a_cursor, make, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
