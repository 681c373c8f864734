/* No byte outside of a key is read (known-failures row 10): every key passed to the library ends
   where readable memory ends, or begins where it begins. Keys of all lengths are at all
   alignments. */
#include "support.h"

#include <sys/mman.h>
#include <unistd.h>

static const size_t long_lengths[] = {255, 256, 257, 1023, 4095, 4096, 4097, 70000};
enum { SHORT_LENGTHS = 41, LONGEST = 70000 };

static size_t length_count(void)
{
    return SHORT_LENGTHS + COUNT(long_lengths);
}

static size_t length_at(size_t i)
{
    return i < SHORT_LENGTHS ? i : long_lengths[i - SHORT_LENGTHS];
}

struct places {
    struct page_end key;   /* unreadable memory follows */
    struct page_end other; /* for a second bound */
    struct page_end third; /* for a prefix */
    unsigned char *plain;  /* the same bytes, in ordinary memory */
};

static struct places new_places(unsigned char fill)
{
    struct places places = {page_end_new(LONGEST), page_end_new(LONGEST), page_end_new(LONGEST),
                            malloc(LONGEST + 1)};
    assert_non_null(places.plain);
    memset(places.plain, fill, LONGEST + 1);
    return places;
}

static void free_places(struct places *places)
{
    page_end_free(&places->key);
    page_end_free(&places->other);
    page_end_free(&places->third);
    free(places->plain);
}

/* Every operation on one key that ends at the end of a page. */
static void operate(masstree_t *tree, const struct places *places, size_t len)
{
    uint64_t value = 0;
    const unsigned char *key = page_end_put(&places->key, places->plain, len);
    assert_status(MASSTREE_NOT_FOUND, masstree_get(tree, NULL, key, len, &value));
    assert_status(MASSTREE_NOT_FOUND, masstree_contains(tree, NULL, key, len));
    assert_status(MASSTREE_NOT_FOUND, masstree_remove(tree, NULL, key, len, &value));
    assert_ok(masstree_insert(tree, NULL, key, len, len, &value));
    assert_status(MASSTREE_EXISTS, masstree_insert(tree, NULL, key, len, 1, &value));
    assert_int_equal(len, value);
    assert_ok(masstree_put(tree, NULL, key, len, len + 1));
    assert_ok(masstree_exchange(tree, NULL, key, len, len + 2, &value));
    assert_int_equal(len + 1, value);
    assert_ok(masstree_get(tree, NULL, key, len, &value));
    assert_int_equal(len + 2, value);
    assert_ok(masstree_contains(tree, NULL, key, len));
}

/* A read of one byte too many would also change the result: the keys are prefixes of one
   another, of zeros, of ones and of text. */
static const unsigned char fills[] = {0x00, 0xFF, 'p'};

static void operations_read_no_byte_beyond_the_key(void **state)
{
    (void)state;
    for (size_t fill = 0; fill < COUNT(fills); fill++) {
        struct places places = new_places(fills[fill]);
        masstree_t *tree = new_tree();
        for (size_t i = 0; i < length_count(); i++) {
            operate(tree, &places, length_at(i));
        }
        assert_consistent(tree);
        for (size_t i = length_count(); i-- > 0;) {
            size_t len = length_at(i);
            uint64_t value = 0;
            const unsigned char *key = page_end_put(&places.key, places.plain, len);
            assert_ok(masstree_remove(tree, NULL, key, len, &value));
            assert_int_equal(len + 2, value);
        }
        assert_int_equal(0, tree_len(tree));
        end_tree(tree);
        free_places(&places);
    }
}

static int32_t ignore(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)value;
    (void)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

static size_t visited_between(const masstree_t *tree, const struct places *places, size_t lower,
                              size_t upper, uint32_t flags)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    size_t visited = SIZE_MAX;
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.lower = page_end_put(&places->key, places->plain, lower);
    range.lower_len = lower;
    range.upper_bound = MASSTREE_BOUND_INCLUSIVE;
    range.upper = page_end_put(&places->other, places->plain, upper);
    range.upper_len = upper;
    range.flags = flags;
    assert_ok(masstree_scan(tree, NULL, &range, ignore, NULL, &visited));
    return visited;
}

static size_t visited_with_prefix(const masstree_t *tree, const struct places *places, size_t len,
                                  uint32_t flags)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    size_t visited = SIZE_MAX;
    range.prefix = page_end_put(&places->third, places->plain, len);
    range.prefix_len = len;
    range.flags = flags;
    assert_ok(masstree_scan(tree, NULL, &range, ignore, NULL, &visited));
    return visited;
}

static void scans_read_no_byte_beyond_a_bound(void **state)
{
    (void)state;
    for (size_t fill = 0; fill < COUNT(fills); fill++) {
        struct places places = new_places(fills[fill]);
        masstree_t *tree = new_tree();
        size_t count = length_count();
        for (size_t i = 0; i < count; i++) {
            const unsigned char *key = page_end_put(&places.key, places.plain, length_at(i));
            assert_ok(masstree_put(tree, NULL, key, length_at(i), i));
        }
        for (size_t low = 0; low < count; low++) {
            for (uint32_t flags = 0; flags <= MASSTREE_SCAN_REVERSE; flags++) {
                size_t lower = length_at(low);
                assert_int_equal(count - low, visited_with_prefix(tree, &places, lower, flags));
                for (size_t high = low; high < count; high++) {
                    size_t upper = length_at(high);
                    assert_int_equal(high - low + 1,
                                     visited_between(tree, &places, lower, upper, flags));
                }
            }
        }
        end_tree(tree);
        free_places(&places);
    }
}

/* The other end: a key that begins where readable memory begins, with every alignment of its
   end. */
static void operations_read_no_byte_before_the_key(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *mapping =
        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(mapping != MAP_FAILED);
    assert_int_equal(0, mprotect(mapping, page, PROT_NONE));
    unsigned char *key = mapping + page;
    memset(key, 0xFF, page);
    masstree_t *tree = new_tree();
    for (size_t len = 0; len <= 40; len++) {
        assert_ok(masstree_insert(tree, NULL, key, len, len, NULL));
        assert_ok(masstree_get(tree, NULL, key, len, NULL));
    }
    for (size_t len = 0; len <= 40; len++) {
        assert_ok(masstree_remove(tree, NULL, key, len, NULL));
    }
    end_tree(tree);
    munmap(mapping, 2 * page);
}

/* Short keys among others that share their first slice and are longer, so that suffixes of all
   lengths are compared with the caller's bytes. */
static void suffixes_are_compared_within_the_callers_bytes(void **state)
{
    (void)state;
    struct places places = new_places('p');
    masstree_t *tree = new_tree();
    unsigned char stored[64];
    for (size_t len = 9; len <= 48; len++) {
        memset(stored, 'p', len);
        stored[7] = (unsigned char)len; /* its own slice, and so its own suffix */
        assert_ok(masstree_put(tree, NULL, stored, len, len));
    }
    for (size_t stored_len = 9; stored_len <= 48; stored_len++) {
        places.plain[7] = (unsigned char)stored_len;
        for (size_t len = 8; len <= 56; len++) {
            const unsigned char *key = page_end_put(&places.key, places.plain, len);
            assert_status(len == stored_len ? MASSTREE_OK : MASSTREE_NOT_FOUND,
                          masstree_get(tree, NULL, key, len, NULL));
        }
    }
    end_tree(tree);
    free_places(&places);
}

static void integer_key_is_read_as_eight_bytes(void **state)
{
    (void)state;
    struct places places = new_places(0x11);
    uint64_t value = 0;
    assert_ok(masstree_u64_from_key(page_end_put(&places.key, places.plain, 8), 8, &value));
    assert_int_equal(UINT64_C(0x1111111111111111), value);
    masstree_u64_to_key(value, places.key.mapping + places.key.usable - 8);
    free_places(&places);
}

/* The structs end there too: no field beyond struct_size is read. */
static void structs_are_read_up_to_their_size(void **state)
{
    (void)state;
    struct page_end pages = page_end_new(sizeof(masstree_range_t) + sizeof(masstree_options_t));
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    masstree_t *tree = NULL;
    assert_ok(masstree_create((const void *)page_end_put(&pages, &options, sizeof options), &tree));
    assert_ok(masstree_scan(tree, NULL, (const void *)page_end_put(&pages, &range, sizeof range),
                            ignore, NULL, NULL));
    end_tree(tree);
    page_end_free(&pages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_read_no_byte_beyond_the_key),
        cmocka_unit_test(scans_read_no_byte_beyond_a_bound),
        cmocka_unit_test(operations_read_no_byte_before_the_key),
        cmocka_unit_test(suffixes_are_compared_within_the_callers_bytes),
        cmocka_unit_test(integer_key_is_read_as_eight_bytes),
        cmocka_unit_test(structs_are_read_up_to_their_size),
    };
    return cmocka_run_group_tests_name("page_end", tests, NULL, NULL);
}
