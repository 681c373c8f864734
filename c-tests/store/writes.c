/* Every function that commits. */
#include "stores.h"

static int32_t run_put(struct target *t)
{
    return masstree_store_put(t->store, t->tree, t->key, t->key_len, t->value, t->value_len,
                              &t->commit);
}

static int32_t run_insert(struct target *t)
{
    return masstree_store_insert(t->store, t->tree, t->key, t->key_len, t->value, t->value_len,
                                 &t->commit);
}

static int32_t run_remove(struct target *t)
{
    return masstree_store_remove(t->store, t->tree, t->key, t->key_len, &t->commit);
}

static int32_t run_exchange(struct target *t)
{
    masstree_version_t old;
    return masstree_store_exchange(t->store, t->tree, t->guard, t->key, t->key_len, t->value,
                                   t->value_len, &old, &t->commit);
}

static const masstree_store_condition_t is_present = {MASSTREE_IF_PRESENT, 0, 0, NULL, 0};

static int32_t run_replace_if(struct target *t)
{
    return masstree_store_replace_if(t->store, t->tree, t->key, t->key_len, &is_present, t->value,
                                     t->value_len, &t->commit);
}

static int32_t run_remove_if(struct target *t)
{
    return masstree_store_remove_if(t->store, t->tree, t->key, t->key_len, &is_present, &t->commit);
}

static int32_t run_commit(struct target *t)
{
    return masstree_store_commit(t->store, t->batch, &t->commit, NULL);
}

static int32_t run_rename(struct target *t)
{
    return masstree_store_rename(t->store, t->tree, t->src, strlen(t->src), t->key, t->key_len,
                                 MASSTREE_RENAME_FORCE, &t->commit);
}

static int32_t put_in(masstree_txn_t *txn, void *ctx)
{
    struct target *t = ctx;
    return masstree_txn_put(txn, t->tree, t->key, t->key_len, t->value, t->value_len);
}

static int32_t run_txn_commit(struct target *t)
{
    masstree_txn_t *txn = NULL;
    int32_t status = masstree_txn_begin(t->store, NULL, &txn);
    if (status == MASSTREE_OK) {
        status = put_in(txn, t);
    }
    if (status == MASSTREE_OK) {
        status = masstree_txn_commit(txn, &t->commit);
    }
    masstree_txn_destroy(txn);
    return status;
}

static int32_t run_transact(struct target *t)
{
    return masstree_store_transact(t->store, NULL, put_in, t, &t->commit);
}

const struct write writes[] = {
    {"put", run_put, TAKES_KEY | TAKES_VALUE},
    {"insert", run_insert, TAKES_KEY | TAKES_VALUE | NEEDS_NONE},
    {"remove", run_remove, TAKES_KEY | NEEDS_VALUE},
    {"exchange", run_exchange, TAKES_KEY | TAKES_VALUE | NEEDS_VALUE},
    {"replace_if", run_replace_if, TAKES_KEY | TAKES_VALUE | NEEDS_VALUE},
    {"remove_if", run_remove_if, TAKES_KEY | NEEDS_VALUE},
    {"commit", run_commit, 0},
    {"rename", run_rename, TAKES_KEY},
    {"txn_commit", run_txn_commit, TAKES_KEY | TAKES_VALUE},
    {"transact", run_transact, TAKES_KEY | TAKES_VALUE},
};
const size_t write_count = COUNT(writes);

void target_find(struct target *target, masstree_store_t *store, masstree_t *tree)
{
    *target = (struct target){
        .store = store,
        .tree = tree,
        .guard = new_guard(tree),
        .batch = new_batch(store),
        .src = "src",
        .key = "key",
        .key_len = 3,
        .value = "value",
        .value_len = 5,
    };
    assert_ok(masstree_batch_put(target->batch, tree, "key", 3, "value", 5));
}

void target_make(struct target *target, const struct write *write, masstree_store_t *store,
                 masstree_t *tree)
{
    store_text(store, tree, "src", "source");
    store_text(store, tree, "src2", "second source");
    if ((write->takes & NEEDS_VALUE) != 0) {
        store_text(store, tree, "key", "old");
    }
    target_find(target, store, tree);
}

void target_end(struct target *target)
{
    masstree_batch_destroy(target->batch);
    masstree_guard_leave(target->guard);
}
