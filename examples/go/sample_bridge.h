/* What sample.go and parallel.go call: keys that were drawn, and pivots, go to a page (pages.h). */
#ifndef MASSTREE_GO_SAMPLE_BRIDGE_H
#define MASSTREE_GO_SAMPLE_BRIDGE_H

#include "bridge.h"
#include "pages.h"

/* A word takes the place of the version. */
static inline int32_t page_word(const void *key, size_t key_len, uint64_t value, void *page)
{
    entry_t entry = { key_len, 0, value, 0 };
    return page_add(page, entry, key, NULL);
}

static inline int32_t page_bytes(const void *key, size_t key_len, const void *value,
                                 size_t value_len, void *page)
{
    entry_t entry = { key_len, value_len, 0, 0 };
    return page_add(page, entry, key, value);
}

static inline int32_t page_pivot(const void *key, size_t key_len, size_t index, void *page)
{
    return page_word(key, key_len, index, page);
}

/* Returns the state after it. */
static inline word_t bridge_sample(handles_t in, bool of_bytes, uint64_t state, size_t count,
                                   page_t *drawn)
{
    word_t word = { state, 0 };
    word.status = of_bytes ? masstree_sample_bytes(tree_of(in), guard_of(in), &word.value, count,
                                                   page_bytes, drawn, NULL)
                           : masstree_sample(tree_of(in), guard_of(in), &word.value, count,
                                             page_word, drawn, NULL);
    return word;
}

static inline int32_t bridge_pivots(handles_t in, size_t cuts, page_t *pivots)
{
    return masstree_pivots(tree_of(in), guard_of(in), cuts, page_pivot, pivots, NULL);
}

#endif
