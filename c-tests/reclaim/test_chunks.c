/* Chunks from the caller's allocator, and trees that are destroyed by chunk. */
#include "support.h"

#define CHUNK (UINT64_C(2) << 20)

/* An allocator that counts. Its memory is on lists of its own, so that a test can see each allocation. */
struct allocation {
    void *memory;
    size_t size;
    size_t align;
};
struct source {
    pthread_mutex_t lock;
    struct allocation *live;
    size_t count;
    size_t capacity;
    size_t calls;
    size_t fail_at; /* the number of the call that fails; 0: none */
    size_t chunks;  /* live allocations of 2 MiB */
    size_t bytes;
};

static void source_start(struct source *source)
{
    *source = (struct source){0};
    REQUIRE(pthread_mutex_init(&source->lock, NULL) == 0);
}

/* Asserts that everything was freed. */
static void source_end(struct source *source)
{
    assert_int_equal(0, source->count);
    assert_int_equal(0, source->bytes);
    free(source->live);
    REQUIRE(pthread_mutex_destroy(&source->lock) == 0);
}

static void *give(size_t size, size_t align, void *ctx)
{
    struct source *source = ctx;
    void *memory = NULL;
    pthread_mutex_lock(&source->lock);
    REQUIRE(align <= 128 || (align == CHUNK && size == CHUNK));
    if (++source->calls != source->fail_at &&
        posix_memalign(&memory, align < sizeof(void *) ? sizeof(void *) : align, size) == 0) {
        if (source->count == source->capacity) {
            source->capacity = 2 * source->capacity + 64;
            source->live = realloc(source->live, source->capacity * sizeof *source->live);
            REQUIRE(source->live != NULL);
        }
        source->live[source->count++] = (struct allocation){memory, size, align};
        source->chunks += align == CHUNK;
        source->bytes += size;
    }
    pthread_mutex_unlock(&source->lock);
    return memory;
}

static void take(void *memory, size_t size, size_t align, void *ctx)
{
    struct source *source = ctx;
    pthread_mutex_lock(&source->lock);
    size_t at = source->count;
    do {
        REQUIRE(at > 0);
        at--;
    } while (source->live[at].memory != memory);
    REQUIRE(source->live[at].size == size && source->live[at].align == align);
    source->live[at] = source->live[--source->count];
    source->chunks -= align == CHUNK;
    source->bytes -= size;
    pthread_mutex_unlock(&source->lock);
    free(memory);
}

static masstree_options_t options_of(struct source *source, uint32_t kind)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.alloc = give;
    options.free = take;
    options.alloc_ctx = source;
    options.value_kind = kind;
    options.huge_pages = MASSTREE_HUGE_PAGES_FROM_ALLOCATOR;
    return options;
}

static masstree_t *create(const masstree_options_t *options)
{
    masstree_t *tree = NULL;
    assert_ok(masstree_create(options, &tree));
    return tree;
}

/* A key with a suffix too long for its leaf, in an order that splits leaves everywhere. */
static size_t key_of(size_t number, char *key)
{
    return (size_t)sprintf(key, "%08u and a suffix of %u", (unsigned)(number * 2654435761U % 100000000),
                           (unsigned)number);
}

static int32_t put(masstree_t *tree, uint32_t kind, size_t number, size_t value_len)
{
    static const char value[4096];
    char key[64];
    size_t len = key_of(number, key);
    switch (kind) {
    case MASSTREE_VALUES_WORDS:
        return masstree_put(tree, NULL, key, len, number);
    case MASSTREE_VALUES_BYTES:
        return masstree_put_bytes(tree, NULL, key, len, value, value_len);
    default:
        return masstree_put_at(tree, NULL, key, len, number + 1, MASSTREE_VERSION_VALUE, value,
                               value_len);
    }
}

static const uint32_t kinds[] = {MASSTREE_VALUES_WORDS, MASSTREE_VALUES_BYTES,
                                 MASSTREE_VALUES_VERSIONED};

/* Put back: in `Memory::new`, keep values out of blocks; or, in `Chunk::new`, take huge pages from the kernel. */
static void all_content_comes_in_chunks(void **state)
{
    (void)state;
    const size_t keys = scaled(300000);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct source source;
        source_start(&source);
        masstree_options_t options = options_of(&source, kinds[i]);
        masstree_t *tree = create(&options);
        for (size_t number = 0; number < keys; number++) {
            assert_ok(put(tree, kinds[i], number, 20));
        }
        if (NODES_ARE_POOLED && keys == 300000) {
            assert_true(source.chunks > 5);
            /* Small chunks, and what is not content: the handle, lists, guards. */
            assert_true(source.count - source.chunks < 120);
            uint64_t held = 0;
            assert_ok(masstree_memory_held(tree, &held));
            assert_in_range(held, source.chunks * CHUNK, source.bytes);
        }
        assert_consistent(tree);
        masstree_destroy(tree);
        source_end(&source);
    }
}

/* Put back: in `Tree::with_options`, do not destroy the domain when there is no memory for a leaf. */
static void each_call_of_the_allocator_may_fail(void **state)
{
    (void)state;
    const size_t keys = scaled(120000);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        size_t failures = 0;
        for (size_t fail_at = 1;; fail_at++) {
            struct source source;
            source_start(&source);
            masstree_options_t options = options_of(&source, kinds[i]);
            masstree_t *tree = NULL;
            source.fail_at = fail_at;
            int32_t status = masstree_create(&options, &tree);
            for (size_t number = 0; status == MASSTREE_OK && number < keys; number++) {
                status = put(tree, kinds[i], number, 20);
                if (status == MASSTREE_NOMEM) {
                    failures++;
                    status = put(tree, kinds[i], number, 20);
                }
            }
            assert_true(status == MASSTREE_OK || (status == MASSTREE_NOMEM && tree == NULL));
            bool was_called = source.calls >= fail_at;
            source.fail_at = 0;
            if (tree != NULL) {
                assert_int_equal(keys, tree_len(tree));
                assert_ok(masstree_check(tree, NULL, NULL, NULL));
            }
            masstree_destroy(tree);
            source_end(&source);
            if (!was_called || (!NODES_ARE_POOLED && fail_at == 20)) {
                break;
            }
        }
        assert_true(failures > 5);
    }
}

/* What lies outside of chunks is freed, too: values and suffixes that are too large for blocks. Put back: in
   `Memory::allocate_block`, do not count what is outside; or, in `Domain::frees_by_chunk`, ask for nothing
   but the kind of the values. */
static void trees_with_large_values_are_visited(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct source source;
        char key[4000];
        memset(key, 'k', sizeof key);
        source_start(&source);
        masstree_options_t options = options_of(&source, kinds[i]);
        masstree_t *tree = create(&options);
        for (size_t number = 0; number < 1000; number++) {
            assert_ok(put(tree, kinds[i], number, number % 10 == 0 ? 3000 : 10));
        }
        if (kinds[i] == MASSTREE_VALUES_WORDS) {
            assert_ok(masstree_put(tree, NULL, key, sizeof key, 1));
        }
        assert_consistent(tree);
        masstree_destroy(tree);
        source_end(&source);
    }
}

static void count_value(uint64_t value, void *ctx)
{
    *(uint64_t *)ctx += value;
}

/* Put back: in `Domain::frees_by_chunk`, ignore the destructor. */
static void the_destructor_gets_every_value(void **state)
{
    (void)state;
    for (unsigned from_allocator = 0; from_allocator < 2; from_allocator++) {
        struct source source;
        uint64_t sum = 0;
        source_start(&source);
        masstree_options_t options = MASSTREE_OPTIONS_INIT;
        if (from_allocator != 0) {
            options = options_of(&source, MASSTREE_VALUES_WORDS);
        }
        options.value_destructor = count_value;
        options.value_ctx = &sum;
        masstree_t *tree = create(&options);
        for (size_t number = 0; number < 1000; number++) {
            assert_ok(put(tree, MASSTREE_VALUES_WORDS, number, 0));
        }
        masstree_destroy(tree);
        assert_int_equal(1000 * 999 / 2, sum);
        source_end(&source);
    }
}

static void free_nothing(void *object, size_t bytes, void *ctx)
{
    (void)object;
    (void)bytes;
    ++*(size_t *)ctx;
}

/* A custom allocator without huge pages: nodes lie in chunks, suffixes do not. What waits for guards is freed
   in every kind of tree. Put back: in `Memory::holds_only_chunks`, ask for `OutsideBytes` in all trees. */
static void suffixes_outside_of_chunks_are_freed(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < 2; mode++) {
        for (size_t i = 0; i < COUNT(kinds); i++) {
            struct source source;
            size_t freed = 0;
            source_start(&source);
            masstree_options_t options = options_of(&source, kinds[i]);
            options.huge_pages = mode == 0 ? MASSTREE_HUGE_PAGES_FROM_ALLOCATOR
                                           : MASSTREE_HUGE_PAGES_FOR_LARGE_TREES;
            masstree_t *tree = create(&options);
            masstree_guard_t *guard = new_guard(tree);
            for (size_t number = 0; number < 3000; number++) {
                assert_ok(put(tree, kinds[i], number, 30));
                if (kinds[i] != MASSTREE_VALUES_VERSIONED) {
                    assert_ok(put(tree, kinds[i], number / 2, 40)); /* displaces a value */
                }
            }
            if (kinds[i] != MASSTREE_VALUES_VERSIONED) {
                char key[64];
                for (size_t number = 0; number < 3000; number += 3) {
                    assert_ok(masstree_remove(tree, guard, key, key_of(number, key), NULL));
                }
            }
            assert_ok(masstree_retire(tree, guard, &freed, 1, free_nothing, &freed));
            masstree_guard_leave(guard);
            masstree_destroy(tree);
            assert_int_equal(1, freed);
            source_end(&source);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_content_comes_in_chunks),
        cmocka_unit_test(each_call_of_the_allocator_may_fail),
        cmocka_unit_test(trees_with_large_values_are_visited),
        cmocka_unit_test(the_destructor_gets_every_value),
        cmocka_unit_test(suffixes_outside_of_chunks_are_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
