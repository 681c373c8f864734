/*
 * What happens when memory runs out, and how does a cache make room?
 *
 * The call returns MASSTREE_NOMEM and leaves the tree unchanged. This cache limits the memory of
 * its tree, and evicts the oldest entries when the limit is reached. Memory of removed entries is
 * reused when no guard protects it any more: masstree_flush submits it.
 *
 * Prints:
 *     20000 entries were put, memory ran out on the way
 *     the newest is there, the oldest is not, and the tree is sound
 */
#include <masstree.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { ENTRIES = 20000, BUDGET = 256 << 10, EVICTED_AT_ONCE = 500 };

static atomic_long used;

static void *within_budget(size_t size, size_t align, void *ctx)
{
    (void)ctx;
    if (atomic_fetch_add(&used, (long)size) + (long)size > BUDGET) {
        atomic_fetch_sub(&used, (long)size);
        return NULL;
    }
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void give_back(void *memory, size_t size, size_t align, void *ctx)
{
    (void)align;
    (void)ctx;
    atomic_fetch_sub(&used, (long)size);
    free(memory);
}

static void require(int32_t status)
{
    if (status < 0) {
        fprintf(stderr, "out_of_memory: %s\n", masstree_strerror(status));
        exit(1);
    }
}

/* Keys ascend with time, so the first are the oldest. */
static uint64_t evict(masstree_t *tree, uint64_t oldest)
{
    for (int i = 0; i < EVICTED_AT_ONCE; i++)
        require(masstree_remove_u64(tree, NULL, oldest++, NULL));
    require(masstree_flush(tree, NULL));
    return oldest;
}

int main(void)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree;
    uint64_t oldest = 0;
    options.alloc = within_budget;
    options.free = give_back;
    options.chunk_size = 16 << 10;
    require(masstree_create(&options, &tree));
    for (uint64_t key = 0; key < ENTRIES; key++) {
        int32_t status;
        while ((status = masstree_put_u64(tree, NULL, key, key)) == MASSTREE_NOMEM && oldest < key)
            oldest = evict(tree, oldest);
        require(status);
    }
    printf("%d entries were put, memory %s on the way\n", ENTRIES,
           oldest > 0 ? "ran out" : "never ran out");
    bool newest_there = masstree_contains_u64(tree, NULL, ENTRIES - 1) == MASSTREE_OK;
    bool oldest_there = masstree_contains_u64(tree, NULL, 0) == MASSTREE_OK;
    bool sound = masstree_check(tree, NULL, NULL, NULL) == MASSTREE_OK;
    printf("the newest is%s there, the oldest is%s, and the tree is %s\n", newest_there ? "" : " not",
           oldest_there ? "" : " not", sound ? "sound" : "damaged");
    masstree_destroy(tree);
}
