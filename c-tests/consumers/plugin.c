/* A plugin that contains libmasstree, linked statically, and exports none of its functions. */
#include <masstree.h>

__attribute__((visibility("default"))) int plugin_count(void);

int plugin_count(void)
{
    masstree_t *tree = NULL;
    uint64_t keys = 0;
    if (masstree_create(NULL, &tree) != MASSTREE_OK) {
        return -1;
    }
    for (uint64_t i = 0; i < 100; i++) {
        if (masstree_put_u64(tree, NULL, i, i) != MASSTREE_OK) {
            return -1;
        }
    }
    if (masstree_len(tree, &keys) != MASSTREE_OK) {
        return -1;
    }
    masstree_destroy(tree);
    return (int)keys;
}
