/*
 * Writes to a store, or prints what a store has: programs for two processors exchange their stores (see
 * exchange.sh). The store has a checkpoint, a log behind it, a dropped tree, batches and renames.
 *
 * usage: exchange write|print DIRECTORY
 */
#include <inttypes.h>
#include <masstree.h>
#include <masstree/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 2000, LONG = 300 };

static void require(int32_t status, const char *call)
{
    if (status != MASSTREE_OK) {
        fprintf(stderr, "exchange: %s: %s\n", call, masstree_strerror(status));
        exit(1);
    }
}

static masstree_t *tree_named(masstree_store_t *store, const char *name)
{
    masstree_t *tree;
    require(masstree_store_tree(store, name, &tree), "tree");
    return tree;
}

/* Keys and values of all lengths up to LONG. */
static size_t fill_text(unsigned char *text, uint32_t number)
{
    size_t len = number % LONG;
    for (size_t i = 0; i < len; i++)
        text[i] = (unsigned char)(number >> (8 * (i % 4))) ^ (unsigned char)(i / 4);
    return len;
}

static void put_numbers(masstree_store_t *store, masstree_t *tree, uint32_t from)
{
    unsigned char key[LONG], value[LONG];
    for (uint32_t i = from; i < from + KEYS; i++)
        require(masstree_store_put(store, tree, key, fill_text(key, i * 2654435761u), value,
                                   fill_text(value, i * 40503u), NULL), "put");
}

static void commit_batch(masstree_store_t *store, masstree_t *first, masstree_t *second)
{
    masstree_batch_t *batch;
    require(masstree_batch_create(store, &batch), "batch");
    require(masstree_batch_put(batch, first, "moved", 5, "away", 4), "batch_put");
    require(masstree_batch_put(batch, second, "", 0, "empty key", 9), "batch_put");
    require(masstree_batch_put(batch, second, "empty value", 11, NULL, 0), "batch_put");
    require(masstree_store_commit(store, batch, NULL, NULL), "commit");
    masstree_batch_destroy(batch);
}

static void write_store(const char *directory)
{
    masstree_store_t *store;
    require(masstree_store_open(directory, NULL, &store), "open");
    masstree_t *numbers = tree_named(store, "numbers"), *others = tree_named(store, "others");
    masstree_t *dropped = tree_named(store, "dropped");
    put_numbers(store, numbers, 0);
    put_numbers(store, dropped, 0);
    commit_batch(store, numbers, others);
    require(masstree_store_checkpoint(store), "checkpoint");
    put_numbers(store, numbers, KEYS / 2);
    require(masstree_store_rename(store, numbers, "moved", 5, "here", 4, MASSTREE_RENAME_FORCE, NULL), "rename");
    require(masstree_store_remove(store, others, "empty value", 11, NULL), "remove");
    require(masstree_store_drop_tree(store, "dropped", NULL), "drop");
    commit_batch(store, others, numbers);
    require(masstree_store_close(store), "close");
}

static int32_t print_key(const void *key, size_t key_len, const masstree_version_t *version, void *ctx)
{
    const unsigned char *text = key, *value = version->value;
    (void)ctx;
    printf("%" PRIu64 " ", version->seqno);
    for (size_t i = 0; i < key_len; i++)
        printf("%02x", text[i]);
    printf(" = ");
    for (size_t i = 0; i < version->value_len; i++)
        printf("%02x", value[i]);
    printf("\n");
    return MASSTREE_VISIT_CONTINUE;
}

static void print_tree(masstree_store_t *store, const char *name)
{
    masstree_guard_t *guard;
    masstree_t *tree = tree_named(store, name);
    printf("tree %s\n", name);
    require(masstree_guard_enter(tree, &guard), "guard");
    require(masstree_scan_at(tree, guard, NULL, MASSTREE_SEQNO_LATEST, print_key, NULL, NULL), "scan");
    masstree_guard_leave(guard);
}

static void print_store(const char *directory)
{
    masstree_store_t *store;
    masstree_store_verified_t verified = MASSTREE_STORE_VERIFIED_INIT;
    require(masstree_store_verify(directory, NULL, &verified), "verify");
    printf("checkpoint of %" PRIu64 ", %" PRIu64 " keys; %" PRIu64 " records\n", verified.checkpoint_commit,
           verified.checkpoint_keys, verified.log_records);
    require(masstree_store_open(directory, NULL, &store), "open");
    print_tree(store, "numbers");
    print_tree(store, "others");
    require(masstree_store_close(store), "close");
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "write") == 0) {
        write_store(argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "print") == 0) {
        print_store(argv[2]);
    } else {
        fprintf(stderr, "usage: %s write|print DIRECTORY\n", argv[0]);
        return 2;
    }
    return 0;
}
