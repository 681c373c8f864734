/* Shared by tests of scans: keys, trees, ranges, and a visitor that counts. */
#ifndef MASSTREE_TEST_SCAN_RANGES_H
#define MASSTREE_TEST_SCAN_RANGES_H

#include "support.h"

/* Lengths of bounds. */
enum { KINDS = 3 };
extern const uint32_t kinds[KINDS];

struct key {
    unsigned char bytes[FAMILY_KEY_MAX];
    size_t len;
};
struct key key_of(enum family family, uint64_t number);

/* A tree with the keys of `count` numbers, `step` apart. */
masstree_t *filled(enum family family, uint64_t count, uint64_t step, struct model *model);

masstree_range_t range_of(uint32_t lower_bound, const struct key *lower, uint32_t upper_bound,
                          const struct key *upper, uint32_t flags);
masstree_range_t range_from(uint32_t lower_bound, const void *lower, size_t lower_len);
masstree_range_t range_down_from(uint32_t upper_bound, const void *upper, size_t upper_len);
masstree_range_t range_of_prefix(const void *prefix, size_t prefix_len, uint32_t flags);

/* A visitor that counts, and returns `answer` in call number `at`. */
struct counting {
    size_t calls;
    size_t at;
    int32_t answer;
};
int32_t count_and_answer(const void *key, size_t key_len, uint64_t value, void *ctx);
size_t visited_by(const masstree_t *tree, const masstree_range_t *range);

#endif
