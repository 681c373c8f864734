#include "support.h"

/* The header before each allocation. */
struct block {
    struct block *next;
    struct block *prev;
    size_t size;
    size_t align;
    uint64_t magic;
};
enum { BLOCK_HEADER = 128 };
/* As large as the alignment. */
static size_t header_of(size_t align)
{
    return align > BLOCK_HEADER ? align : BLOCK_HEADER;
}
#define BLOCK_OUT UINT64_C(0x0B10C00B10C00B10)
#define BLOCK_FREED UINT64_C(0xDEAD0B10DEAD0B10)

static bool allocator_fails(struct allocator *allocator)
{
    size_t call = ++allocator->calls;
    if (allocator->fail_at == 0 || call < allocator->fail_at ||
        (call > allocator->fail_at && !allocator->fail_on)) {
        return false;
    }
    allocator->failures++;
    return true;
}

static void *allocator_give(size_t size, size_t align, void *ctx)
{
    struct allocator *allocator = ctx;
    void *memory = NULL;
    REQUIRE(size != 0);
    REQUIRE(align != 0 && (align & (align - 1)) == 0);
    size_t header = header_of(align);
    pthread_mutex_lock(&allocator->lock);
    if (!allocator_fails(allocator) && size < SIZE_MAX / 4 &&
        posix_memalign(&memory, header, header + size) == 0) {
        struct block *block = (struct block *)(void *)((char *)memory + header - BLOCK_HEADER);
        *block = (struct block){allocator->blocks, NULL, size, align, BLOCK_OUT};
        if (block->next != NULL) {
            block->next->prev = block;
        }
        allocator->blocks = block;
        allocator->bytes += size;
        allocator->largest_align = align > allocator->largest_align ? align
                                                                    : allocator->largest_align;
        memory = (char *)memory + header;
        memset(memory, 0xA5, size);
    }
    pthread_mutex_unlock(&allocator->lock);
    return memory;
}

static void allocator_take(void *memory, size_t size, size_t align, void *ctx)
{
    struct allocator *allocator = ctx;
    REQUIRE(memory != NULL);
    struct block *block = (struct block *)(void *)((char *)memory - BLOCK_HEADER);
    pthread_mutex_lock(&allocator->lock);
    REQUIRE(block->magic == BLOCK_OUT);
    REQUIRE(block->size == size && block->align == align);
    if (block->next != NULL) {
        block->next->prev = block->prev;
    }
    if (block->prev != NULL) {
        block->prev->next = block->next;
    } else {
        allocator->blocks = block->next;
    }
    allocator->bytes -= size;
    block->magic = BLOCK_FREED;
    memset(memory, 0xDD, size);
    pthread_mutex_unlock(&allocator->lock);
    free((char *)memory - header_of(align));
}

void allocator_start(struct allocator *allocator)
{
    *allocator = (struct allocator){0};
    REQUIRE(pthread_mutex_init(&allocator->lock, NULL) == 0);
}

void allocator_end(struct allocator *allocator)
{
    assert_int_equal(0, allocator_bytes(allocator));
    assert_null(allocator->blocks);
    REQUIRE(pthread_mutex_destroy(&allocator->lock) == 0);
}

size_t allocator_bytes(struct allocator *allocator)
{
    pthread_mutex_lock(&allocator->lock);
    size_t bytes = allocator->bytes;
    pthread_mutex_unlock(&allocator->lock);
    return bytes;
}

bool next_fails(struct allocator *allocator, int32_t status, size_t *failures)
{
    allocator->fail_at = 0;
    if (status != MASSTREE_NOMEM) {
        assert_int_equal(MASSTREE_OK, status);
        assert_true(*failures > 1);
        return false;
    }
    allocator->fail_at = allocator->calls + ++*failures;
    return true;
}

void allocator_each(struct allocator *allocator,
                    void (*visit)(void *memory, size_t size, void *ctx), void *ctx)
{
    pthread_mutex_lock(&allocator->lock);
    for (struct block *block = allocator->blocks; block != NULL; block = block->next) {
        visit((char *)block + BLOCK_HEADER, block->size, ctx);
    }
    pthread_mutex_unlock(&allocator->lock);
}

masstree_options_t allocator_options(struct allocator *allocator, uint32_t value_kind)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.alloc = allocator_give;
    options.free = allocator_take;
    options.alloc_ctx = allocator;
    options.chunk_size = 1;
    options.value_kind = value_kind;
    return options;
}

masstree_t *new_tree_of(struct allocator *allocator, uint32_t value_kind)
{
    masstree_options_t options = allocator_options(allocator, value_kind);
    masstree_t *tree = NULL;
    assert_ok(masstree_create(&options, &tree));
    assert_non_null(tree);
    return tree;
}
