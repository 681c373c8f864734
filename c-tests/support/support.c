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

uint64_t argument_number(const char *text)
{
    char *end = NULL;
    uint64_t value = strtoull(text, &end, 10);
    if (end == text || *end != '\0') {
        fprintf(stderr, "not a number: %s\n", text);
        exit(2);
    }
    return value;
}

void read_arguments(int argc, char **argv, const char *what, uint64_t *count, uint64_t *seed)
{
    int option;
    while ((option = getopt(argc, argv, "n:s:")) != -1) {
        switch (option) {
        case 'n':
            *count = argument_number(optarg);
            break;
        case 's':
            *seed = argument_number(optarg);
            break;
        default:
            fprintf(stderr, "usage: %s [-n %s] [-s SEED]\n", argv[0], what);
            exit(2);
        }
    }
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

void enter_unguarded(const masstree_t *tree)
{
    static const char absent[] = "an absent key";
    REQUIRE(masstree_get(tree, NULL, absent, strlen(absent), NULL) == MASSTREE_NOT_FOUND);
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

masstree_t *new_versioned_tree(void)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree = NULL;
    options.value_kind = MASSTREE_VALUES_VERSIONED;
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
