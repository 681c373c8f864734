/* A C program that hides symbols around the headers, and calls a function of each. Put back: either
   header without its `#pragma GCC visibility`; then this does not link. */
#pragma GCC visibility push(hidden)
#include <masstree/occ.h>
#include <masstree/store.h>
#pragma GCC visibility pop

int main(void)
{
    masstree_t *tree = NULL;
    masstree_observation_t observation;
    uint64_t value = 0;
    int done = masstree_create(NULL, &tree) == MASSTREE_OK &&
               masstree_put(tree, NULL, "key", 3, 42) == MASSTREE_OK &&
               masstree_get_observed(tree, NULL, "key", 3, &value, &observation) == MASSTREE_OK &&
               value == 42;
    masstree_destroy(tree);
    masstree_store_t *store = NULL;
    masstree_snapshot_t *snapshot = NULL;
    done = done && masstree_store_open(NULL, NULL, &store) == MASSTREE_OK &&
           masstree_store_tree(store, "", &tree) == MASSTREE_OK &&
           masstree_snapshot_open(tree, &snapshot) == MASSTREE_OK;
    masstree_snapshot_close(snapshot);
    masstree_store_close(store);
    return done ? 0 : 1;
}
