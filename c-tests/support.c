#include "support.h"

#include <sys/mman.h>
#include <unistd.h>

_Noreturn void require_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: required: %s\n", file, line, condition);
    abort();
}

size_t scaled(size_t full)
{
    const char *text = getenv("MASSTREE_TEST_DIVISOR");
    unsigned long divisor = text == NULL ? 1 : strtoul(text, NULL, 10);
    size_t size = divisor > 1 ? full / divisor : full;
    return size == 0 ? 1 : size;
}

/* Splitmix64. */
uint64_t random_u64(uint64_t *state)
{
    uint64_t mixed = (*state += UINT64_C(0x9E3779B97F4A7C15));
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ (mixed >> 31);
}

size_t random_below(uint64_t *state, size_t limit)
{
    return (size_t)(random_u64(state) % limit);
}

int compare_keys(const void *left, size_t left_len, const void *right, size_t right_len)
{
    size_t shorter = left_len < right_len ? left_len : right_len;
    int order = shorter == 0 ? 0 : memcmp(left, right, shorter);
    if (order != 0) {
        return order;
    }
    return (left_len > right_len) - (left_len < right_len);
}

masstree_t *new_tree(void)
{
    masstree_t *tree = NULL;
    assert_ok(masstree_create(NULL, &tree));
    assert_non_null(tree);
    return tree;
}

static void print_text(const char *text, size_t len, void *ctx)
{
    (void)ctx;
    fwrite(text, 1, len, stderr);
}

void assert_consistent(const masstree_t *tree)
{
    assert_ok(masstree_check(tree, NULL, print_text, NULL));
}

void end_tree(masstree_t *tree)
{
    assert_consistent(tree);
    masstree_destroy(tree);
}

uint64_t tree_len(const masstree_t *tree)
{
    uint64_t len = UINT64_MAX;
    assert_ok(masstree_len(tree, &len));
    return len;
}

/* The header before each allocation, as large as the alignment. */
struct block {
    struct block *next;
    struct block *prev;
    size_t size;
    size_t align;
    uint64_t magic;
};
enum { BLOCK_HEADER = 128 };
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
    REQUIRE(align != 0 && (align & (align - 1)) == 0 && align <= BLOCK_HEADER);
    pthread_mutex_lock(&allocator->lock);
    if (!allocator_fails(allocator) && size < SIZE_MAX / 4 &&
        posix_memalign(&memory, BLOCK_HEADER, BLOCK_HEADER + size) == 0) {
        struct block *block = memory;
        *block = (struct block){allocator->blocks, NULL, size, align, BLOCK_OUT};
        if (block->next != NULL) {
            block->next->prev = block;
        }
        allocator->blocks = block;
        allocator->bytes += size;
        allocator->largest_align = align > allocator->largest_align ? align
                                                                    : allocator->largest_align;
        memory = (char *)memory + BLOCK_HEADER;
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
    free(block);
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

masstree_t *new_bytes_tree(void)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree = NULL;
    options.value_kind = MASSTREE_VALUES_BYTES;
    assert_ok(masstree_create(&options, &tree));
    assert_non_null(tree);
    return tree;
}

masstree_guard_t *new_guard(const masstree_t *tree)
{
    masstree_guard_t *guard = NULL;
    assert_ok(masstree_guard_enter(tree, &guard));
    assert_non_null(guard);
    return guard;
}

void assert_slice(const void *data, size_t len, masstree_slice_t slice)
{
    assert_int_equal(len, slice.len);
    assert_non_null(slice.data);
    if (len != 0) {
        assert_memory_equal(data, slice.data, len);
    }
}

static size_t prefixed_key(size_t prefix_len, uint64_t number, unsigned char *key)
{
    memset(key, 'p', prefix_len);
    if (number == 0) {
        return prefix_len;
    }
    /* The digits reversed, so that adjacent numbers are not adjacent in order. */
    size_t len = prefix_len;
    for (uint64_t rest = number; rest != 0; rest /= 10) {
        key[len++] = (unsigned char)('0' + rest % 10);
    }
    return len;
}

/* The binary digits of number + 1 after the leading one, each as three bytes: every string of
   digits belongs to some number, so some keys are prefixes of others. */
static size_t mixed_key(uint64_t number, unsigned char *key)
{
    uint64_t digits = number + 1;
    size_t len = 0;
    for (unsigned bit = 63 - (unsigned)__builtin_clzll(digits); bit-- > 0;) {
        memset(key + len, (digits >> bit & 1) != 0 ? 0xFF : 0x00, 3);
        len += 3;
    }
    return len;
}

size_t family_key(enum family family, uint64_t number, unsigned char *key)
{
    switch (family) {
    case FAMILY_PREFIX8:
        return prefixed_key(8, number, key);
    case FAMILY_PREFIX16:
        return prefixed_key(16, number, key);
    case FAMILY_PREFIX24:
        return prefixed_key(24, number, key);
    case FAMILY_MIXED:
        return mixed_key(number, key);
    default:
        masstree_u64_to_key(number, key);
        return 8;
    }
}

const char *family_name(enum family family)
{
    static const char *const names[FAMILIES] = {"u64", "prefix8", "prefix16", "prefix24", "mixed"};
    return names[family];
}

static uint64_t number_of_digits(const unsigned char *digits, size_t count)
{
    uint64_t number = 0;
    for (size_t i = count; i-- > 0;) {
        number = number * 10 + (uint64_t)(digits[i] - '0');
    }
    return number;
}

static uint64_t number_of_bits(const unsigned char *bytes, size_t len)
{
    uint64_t digits = 1;
    for (size_t i = 0; i + 2 < len; i += 3) {
        digits = digits << 1 | (bytes[i] & 1);
    }
    return digits - 1;
}

bool family_number(enum family family, const void *key, size_t key_len, uint64_t *number)
{
    size_t prefix_len = family == FAMILY_U64 || family == FAMILY_MIXED ? 0 : 8 * (size_t)family;
    if (key_len < prefix_len || key_len > FAMILY_KEY_MAX) {
        return false;
    }
    if (family == FAMILY_U64) {
        if (masstree_u64_from_key(key, key_len, number) != MASSTREE_OK) {
            return false;
        }
    } else if (family == FAMILY_MIXED) {
        *number = number_of_bits(key, key_len);
    } else {
        *number = number_of_digits((const unsigned char *)key + prefix_len, key_len - prefix_len);
    }
    unsigned char again[FAMILY_KEY_MAX];
    size_t len = family_key(family, *number, again);
    return compare_keys(again, len, key, key_len) == 0;
}

size_t model_position(const struct model *model, const void *key, size_t len)
{
    size_t low = 0;
    size_t high = model->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct entry *entry = &model->entries[middle];
        if (compare_keys(entry->key, entry->len, key, len) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct entry *model_find(const struct model *model, const void *key, size_t len)
{
    size_t at = model_position(model, key, len);
    if (at == model->count) {
        return NULL;
    }
    struct entry *entry = &model->entries[at];
    return compare_keys(entry->key, entry->len, key, len) == 0 ? entry : NULL;
}

void model_put(struct model *model, const void *key, size_t len, uint64_t value)
{
    struct entry *present = model_find(model, key, len);
    if (present != NULL) {
        present->value = value;
        return;
    }
    if (model->count == model->capacity) {
        model->capacity = model->capacity == 0 ? 64 : 2 * model->capacity;
        model->entries = realloc(model->entries, model->capacity * sizeof *model->entries);
        REQUIRE(model->entries != NULL);
    }
    size_t at = model_position(model, key, len);
    struct entry *entry = &model->entries[at];
    memmove(entry + 1, entry, (model->count - at) * sizeof *entry);
    entry->key = malloc(len + 1);
    REQUIRE(entry->key != NULL);
    if (len != 0) {
        memcpy(entry->key, key, len);
    }
    entry->len = len;
    entry->value = value;
    model->count++;
}

bool model_remove(struct model *model, const void *key, size_t len)
{
    struct entry *entry = model_find(model, key, len);
    if (entry == NULL) {
        return false;
    }
    free(entry->key);
    size_t after = (size_t)(model->entries + model->count - (entry + 1));
    memmove(entry, entry + 1, after * sizeof *entry);
    model->count--;
    return true;
}

void model_free(struct model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        free(model->entries[i].key);
    }
    free(model->entries);
    *model = (struct model){0};
}

void put_both(masstree_t *tree, struct model *model, const void *key, size_t len, uint64_t value)
{
    assert_ok(masstree_put(tree, NULL, key, len, value));
    model_put(model, key, len, value);
}

void remove_both(masstree_t *tree, struct model *model, const void *key, size_t len)
{
    bool was_there = model_remove(model, key, len);
    assert_status(was_there ? MASSTREE_OK : MASSTREE_NOT_FOUND,
                  masstree_remove(tree, NULL, key, len, NULL));
}

static bool begins_with(const struct entry *entry, const void *prefix, size_t len)
{
    return len == 0 || (entry->len >= len && memcmp(entry->key, prefix, len) == 0);
}

static bool in_range(const struct entry *entry, const masstree_range_t *range)
{
    if (range->lower_bound != MASSTREE_BOUND_OPEN) {
        int order = compare_keys(entry->key, entry->len, range->lower, range->lower_len);
        if (order < 0 || (order == 0 && range->lower_bound == MASSTREE_BOUND_EXCLUSIVE)) {
            return false;
        }
    }
    if (range->upper_bound != MASSTREE_BOUND_OPEN) {
        int order = compare_keys(entry->key, entry->len, range->upper, range->upper_len);
        if (order > 0 || (order == 0 && range->upper_bound == MASSTREE_BOUND_EXCLUSIVE)) {
            return false;
        }
    }
    return begins_with(entry, range->prefix, range->prefix_len);
}

struct comparison {
    const struct model *model;
    const masstree_range_t *range;
    size_t next;
    size_t seen;
};

/* The next entry of the range in the scan's direction; NULL at its end. */
static const struct entry *next_expected(struct comparison *comparison)
{
    const struct model *model = comparison->model;
    bool reverse = (comparison->range->flags & MASSTREE_SCAN_REVERSE) != 0;
    while (comparison->next < model->count) {
        size_t at = comparison->next++;
        const struct entry *entry = &model->entries[reverse ? model->count - 1 - at : at];
        if (in_range(entry, comparison->range)) {
            return entry;
        }
    }
    return NULL;
}

static void print_key(const char *what, const void *key, size_t len)
{
    fprintf(stderr, "%s %zu bytes:", what, len);
    for (size_t i = 0; i < len && i < 96; i++) {
        fprintf(stderr, " %02x", ((const unsigned char *)key)[i]);
    }
    fputs("\n", stderr);
}

/* Not a status of the tree, so that the test recognises it. */
#define DISAGREES INT32_C(-1000)

static int32_t compare_visited(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct comparison *comparison = ctx;
    const struct entry *expected = next_expected(comparison);
    if (key != NULL && expected != NULL && value == expected->value &&
        compare_keys(expected->key, expected->len, key, key_len) == 0) {
        comparison->seen++;
        return MASSTREE_VISIT_CONTINUE;
    }
    fprintf(stderr, "scan, after %zu keys as expected:\n", comparison->seen);
    print_key("  visited ", key, key == NULL ? 0 : key_len);
    if (expected != NULL) {
        print_key("  expected", expected->key, expected->len);
    } else {
        fputs("  expected the end\n", stderr);
    }
    return DISAGREES;
}

void assert_scan_agrees(const masstree_t *tree, masstree_guard_t *guard, const struct model *model,
                        const masstree_range_t *range)
{
    static const masstree_range_t everything = MASSTREE_RANGE_INIT;
    struct comparison comparison = {.model = model, .range = range != NULL ? range : &everything};
    size_t visited = SIZE_MAX;
    assert_ok(masstree_scan(tree, guard, range, compare_visited, &comparison, &visited));
    assert_int_equal(comparison.seen, visited);
    if (range != NULL && range->limit != 0 && visited == range->limit) {
        return;
    }
    assert_null(next_expected(&comparison));
}

void assert_agrees(const masstree_t *tree, const struct model *model)
{
    masstree_range_t reverse = MASSTREE_RANGE_INIT;
    reverse.flags = MASSTREE_SCAN_REVERSE;
    assert_scan_agrees(tree, NULL, model, NULL);
    assert_scan_agrees(tree, NULL, model, &reverse);
    for (size_t i = 0; i < model->count; i++) {
        const struct entry *entry = &model->entries[i];
        uint64_t value = ~entry->value;
        assert_ok(masstree_get(tree, NULL, entry->key, entry->len, &value));
        assert_int_equal(entry->value, value);
    }
    assert_int_equal(model->count, tree_len(tree));
}

struct page_end page_end_new(size_t usable)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct page_end pages = {.usable = (usable + page - 1) / page * page};
    pages.mapped = pages.usable + page;
    pages.mapping = mmap(NULL, pages.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                         -1, 0);
    REQUIRE(pages.mapping != MAP_FAILED);
    REQUIRE(mprotect(pages.mapping + pages.usable, page, PROT_NONE) == 0);
    return pages;
}

void page_end_free(struct page_end *pages)
{
    REQUIRE(munmap(pages->mapping, pages->mapped) == 0);
    *pages = (struct page_end){0};
}

const unsigned char *page_end_put(const struct page_end *pages, const void *bytes, size_t len)
{
    REQUIRE(len <= pages->usable);
    unsigned char *place = pages->mapping + pages->usable - len;
    if (len != 0) {
        memcpy(place, bytes, len);
    }
    return place;
}

struct start {
    pthread_barrier_t *barrier;
    void (*run)(void *);
    void *arg;
};

static void *wait_and_run(void *arg)
{
    struct start *start = arg;
    pthread_barrier_wait(start->barrier);
    start->run(start->arg);
    return NULL;
}

void run_together(size_t count, void (*const *run)(void *), void *args, size_t size)
{
    pthread_barrier_t barrier;
    pthread_t *threads = calloc(count, sizeof *threads);
    struct start *starts = calloc(count, sizeof *starts);
    REQUIRE(threads != NULL && starts != NULL);
    REQUIRE(pthread_barrier_init(&barrier, NULL, (unsigned)count) == 0);
    for (size_t i = 0; i < count; i++) {
        starts[i] = (struct start){&barrier, run[i], (char *)args + i * size};
        REQUIRE(pthread_create(&threads[i], NULL, wait_and_run, &starts[i]) == 0);
    }
    for (size_t i = 0; i < count; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    REQUIRE(pthread_barrier_destroy(&barrier) == 0);
    free(starts);
    free(threads);
}
