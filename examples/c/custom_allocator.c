/*
 * How do I supply my own allocator?
 *
 * With two functions in the options. This pair allocates a tree within one region of memory,
 * and frees nothing before the end: for a tree that lives as long as the region. chunk_size
 * sets how much memory the tree requests at once.
 *
 * Prints:
 *     10000 keys in the region, the last is 9999
 *     nothing is missing
 */
#include <inttypes.h>
#include <masstree.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct region {
    char *start;
    size_t size;
    atomic_size_t used, owed; /* owed: bytes that the tree has not freed */
};

/* Threads that use the tree may call it concurrently. */
static void *take(size_t size, size_t align, void *ctx)
{
    struct region *region = ctx;
    size_t at = atomic_fetch_add(&region->used, size + align);
    if (at + size + align > region->size)
        return NULL; /* the call that needed it returns MASSTREE_NOMEM */
    uintptr_t start = (uintptr_t)(region->start + at);
    atomic_fetch_add(&region->owed, size);
    return region->start + at + (align - start % align);
}

static void give_back(void *memory, size_t size, size_t align, void *ctx)
{
    struct region *region = ctx;
    (void)memory;
    (void)align;
    atomic_fetch_sub(&region->owed, size);
}

static void require(int32_t status)
{
    if (status < 0) {
        fprintf(stderr, "custom_allocator: %s\n", masstree_strerror(status));
        exit(1);
    }
}

int main(void)
{
    struct region region = { .start = malloc(4 << 20), .size = 4 << 20 };
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree;
    uint64_t last;
    if (region.start == NULL)
        return 1;
    options.alloc = take;
    options.free = give_back;
    options.alloc_ctx = &region;
    options.chunk_size = 64 << 10;
    require(masstree_create(&options, &tree));
    for (uint64_t key = 0; key < 10000; key++)
        require(masstree_put_u64(tree, NULL, key, key));
    require(masstree_get_u64(tree, NULL, 9999, &last));
    printf("10000 keys in the region, the last is %" PRIu64 "\n", last);
    masstree_destroy(tree);
    puts(atomic_load(&region.owed) == 0 ? "nothing is missing" : "the tree kept something");
    free(region.start);
}
