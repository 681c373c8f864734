#include "calls.h"

static int32_t give_value(uint64_t *value, void *ctx)
{
    ++*(size_t *)ctx;
    *value = 1;
    return MASSTREE_OK;
}

static int32_t set_value(const uint64_t *present, uint64_t *value, void *ctx)
{
    (void)present;
    return give_value(value, ctx) == MASSTREE_OK ? MASSTREE_ACTION_SET : MASSTREE_INVALID;
}

static int32_t visit_word(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)value;
    ++*(size_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t set_bytes(const masstree_slice_t *present, masstree_slice_t *value, void *ctx)
{
    (void)present;
    *value = SLICE("value");
    ++*(size_t *)ctx;
    return MASSTREE_ACTION_SET;
}

static int32_t visit_pivot(const void *key, size_t key_len, size_t index, void *ctx)
{
    return visit_word(key, key_len, index, ctx);
}

static int32_t visit_bytes(const void *key, size_t key_len, const void *value, size_t value_len,
                           void *ctx)
{
    (void)value;
    return visit_word(key, key_len, value_len, ctx);
}

static int32_t visit_leaf(const masstree_observation_t *observation, void *ctx)
{
    (void)observation;
    ++*(size_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t visit_prefix(const void *prefix, size_t prefix_len, void *ctx)
{
    return visit_word(prefix, prefix_len, 0, ctx);
}

static void free_nothing(void *object, size_t bytes, void *ctx)
{
    (void)object;
    (void)bytes;
    ++*(size_t *)ctx;
}

static void write_nothing(const char *text, size_t len, void *ctx)
{
    (void)text;
    (void)len;
    ++*(size_t *)ctx;
}

static int32_t no_keys(masstree_slice_t *keys, uint64_t *values, size_t capacity, size_t *count,
                       void *ctx)
{
    (void)keys;
    (void)values;
    (void)capacity;
    (void)count;
    ++*(size_t *)ctx;
    return MASSTREE_END;
}

static int32_t no_strings(masstree_slice_t *keys, masstree_slice_t *values, size_t capacity,
                          size_t *count, void *ctx)
{
    (void)values;
    return no_keys(keys, NULL, capacity, count, ctx);
}

static int32_t take_words(const masstree_slice_t *keys, const uint64_t *values, size_t count,
                          void *ctx)
{
    (void)keys;
    (void)values;
    *(size_t *)ctx += count;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t take_bytes(const masstree_slice_t *keys, const masstree_slice_t *values,
                          size_t count, void *ctx)
{
    (void)values;
    return take_words(keys, NULL, count, ctx);
}

static int32_t visit_version(const void *key, size_t key_len, const masstree_version_t *version,
                             void *ctx)
{
    return visit_word(key, key_len, version->seqno, ctx);
}

static int32_t visit_range(const void *lower, size_t lower_len, const void *upper, size_t upper_len,
                           uint64_t seqno, void *ctx)
{
    (void)upper;
    (void)upper_len;
    return visit_word(lower, lower_len, seqno, ctx);
}

static int32_t visit_fault(const void *key, size_t key_len, uint64_t seqno, uint32_t fault, void *ctx)
{
    (void)fault;
    return visit_word(key, key_len, seqno, ctx);
}

/* A range that begins at the key. */
static const masstree_range_t *range_of(const struct arguments *a)
{
    static _Thread_local masstree_range_t range;
    range = (masstree_range_t)MASSTREE_RANGE_INIT;
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.lower = a->key;
    range.lower_len = a->key_len;
    return &range;
}

static const masstree_slice_t *key_of(const struct arguments *a)
{
    static _Thread_local masstree_slice_t key;
    key = (masstree_slice_t){a->key, a->key_len};
    return &key;
}

static masstree_stats_t *blank_stats(void)
{
    static _Thread_local masstree_stats_t stats;
    stats = (masstree_stats_t)MASSTREE_STATS_INIT;
    return &stats;
}

/* A range of versions that begins at the key. */
static const masstree_version_range_t *versions_of(const struct arguments *a)
{
    static _Thread_local masstree_version_range_t range;
    range = (masstree_version_range_t)MASSTREE_VERSION_RANGE_INIT;
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.lower = a->key;
    range.lower_len = a->key_len;
    range.lower_seqno = MASSTREE_SEQNO_LATEST;
    return &range;
}

static masstree_version_stats_t *blank_version_stats(void)
{
    static _Thread_local masstree_version_stats_t stats;
    stats = (masstree_version_stats_t)MASSTREE_VERSION_STATS_INIT;
    return &stats;
}

static masstree_estimate_t *blank_estimate(void)
{
    static _Thread_local masstree_estimate_t estimate;
    estimate = (masstree_estimate_t)MASSTREE_ESTIMATE_INIT;
    return &estimate;
}

static uint64_t *seed(void)
{
    static _Thread_local uint64_t state;
    return &state;
}

static const uint64_t number = 12345;
static const uint64_t word = 1;
static const masstree_slice_t slice = {"value", 5};

/* Name, values, what it takes, the arguments. */
#define CALLS(X)                                                                                  \
    X(guard_enter, ANY, TREE, a->tree, &a->out.guard)                                             \
    X(clear, ANY, TREE | GUARD, a->tree, a->guard)                                                \
    X(get, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, &a->out.word)        \
    X(get_u64, WORDS, TREE | GUARD, a->tree, a->guard, number, &a->out.word)                      \
    X(contains, ANY, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len)                   \
    X(contains_u64, ANY, TREE | GUARD, a->tree, a->guard, number)                                 \
    X(put, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, word)                \
    X(put_u64, WORDS, TREE | GUARD, a->tree, a->guard, number, word)                              \
    X(exchange, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, word,           \
      &a->out.word)                                                                               \
    X(exchange_u64, WORDS, TREE | GUARD, a->tree, a->guard, number, word, &a->out.word)           \
    X(insert, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, word,             \
      &a->out.word)                                                                               \
    X(insert_u64, WORDS, TREE | GUARD, a->tree, a->guard, number, word, &a->out.word)             \
    X(remove, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, &a->out.word)     \
    X(remove_u64, WORDS, TREE | GUARD, a->tree, a->guard, number, &a->out.word)                   \
    X(replace, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, word,            \
      &a->out.word)                                                                               \
    X(replace_u64, WORDS, TREE | GUARD, a->tree, a->guard, number, word, &a->out.word)            \
    X(compare_exchange, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, word,   \
      word + 1, &a->out.word)                                                                     \
    X(compare_exchange_u64, WORDS, TREE | GUARD, a->tree, a->guard, number, word, word + 1,       \
      &a->out.word)                                                                               \
    X(remove_if_equal, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, word,    \
      &a->out.word)                                                                               \
    X(remove_if_equal_u64, WORDS, TREE | GUARD, a->tree, a->guard, number, word, &a->out.word)    \
    X(update, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, set_value,        \
      &a->out.called_back, &a->out.word)                                                          \
    X(update_u64, WORDS, TREE | GUARD, a->tree, a->guard, number, set_value,                      \
      &a->out.called_back, &a->out.word)                                                          \
    X(get_or_insert_with, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len,       \
      give_value, &a->out.called_back, &a->out.word)                                              \
    X(get_or_insert_with_u64, WORDS, TREE | GUARD, a->tree, a->guard, number, give_value,         \
      &a->out.called_back, &a->out.word)                                                          \
    X(add, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, word, &a->out.word)    \
    X(add_u64, WORDS, TREE | GUARD, a->tree, a->guard, number, word, &a->out.word)                 \
    X(get_bytes, BYTES, TREE | HELD | KEY, a->tree, a->guard, a->key, a->key_len,                 \
      &a->out.slices[0])                                                                          \
    X(copy_bytes, BYTES, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, a->out.buffer,  \
      sizeof a->out.buffer, &a->out.size)                                                         \
    X(put_bytes, BYTES, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, "value", 5)    \
    X(exchange_bytes, BYTES, TREE | HELD | KEY, a->tree, a->guard, a->key, a->key_len, "value",   \
      5, &a->out.slices[0])                                                                       \
    X(insert_bytes, BYTES, TREE | HELD | KEY, a->tree, a->guard, a->key, a->key_len, "value", 5,  \
      &a->out.slices[0])                                                                          \
    X(replace_bytes, BYTES, TREE | HELD | KEY, a->tree, a->guard, a->key, a->key_len, "value",    \
      5, &a->out.slices[0])                                                                       \
    X(compare_exchange_bytes, BYTES, TREE | HELD | KEY, a->tree, a->guard, a->key, a->key_len,    \
      slice, slice, &a->out.slices[0])                                                            \
    X(remove_bytes, BYTES, TREE | HELD | KEY, a->tree, a->guard, a->key, a->key_len,              \
      &a->out.slices[0])                                                                          \
    X(remove_if_equal_bytes, BYTES, TREE | HELD | KEY, a->tree, a->guard, a->key, a->key_len,     \
      slice, &a->out.slices[0])                                                                   \
    X(update_bytes, BYTES, TREE | HELD | KEY, a->tree, a->guard, a->key, a->key_len, set_bytes,    \
      &a->out.called_back, &a->out.slices[0])                                                     \
    X(append_bytes, BYTES, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, "value", 5,  \
      &a->out.size)                                                                               \
    X(sample, WORDS, TREE | GUARD, a->tree, a->guard, seed(), 3, visit_word, &a->out.called_back,  \
      &a->out.size)                                                                               \
    X(sample_bytes, BYTES, TREE | GUARD, a->tree, a->guard, seed(), 3, visit_bytes,                \
      &a->out.called_back, &a->out.size)                                                          \
    X(scan, WORDS, TREE | GUARD | KEY, a->tree, a->guard, range_of(a), visit_word,                \
      &a->out.called_back, &a->out.size)                                                          \
    X(scan_bytes, BYTES, TREE | GUARD | KEY, a->tree, a->guard, range_of(a), visit_bytes,         \
      &a->out.called_back, &a->out.size)                                                          \
    X(scan_delimited, WORDS, TREE | GUARD | KEY, a->tree, a->guard, range_of(a), "/", 1,           \
      visit_word, visit_prefix, &a->out.called_back, &a->out.size)                                \
    X(scan_delimited_bytes, BYTES, TREE | GUARD | KEY, a->tree, a->guard, range_of(a), "/", 1,     \
      visit_bytes, visit_prefix, &a->out.called_back, &a->out.size)                               \
    X(count, ANY, TREE | GUARD | KEY, a->tree, a->guard, range_of(a), &a->out.size)               \
    X(remove_range, ANY, TREE | GUARD | KEY, a->tree, a->guard, range_of(a), &a->out.size)        \
    X(pop_first, WORDS, TREE | GUARD | KEY, a->tree, a->guard, range_of(a), NULL, 0,              \
      &a->out.size, &a->out.word)                                                                 \
    X(pop_last, WORDS, TREE | GUARD | KEY, a->tree, a->guard, range_of(a), NULL, 0,               \
      &a->out.size, &a->out.word)                                                                 \
    X(pop_first_bytes, BYTES, TREE | HELD | KEY, a->tree, a->guard, range_of(a), NULL, 0,         \
      &a->out.size, &a->out.slices[0])                                                            \
    X(pop_last_bytes, BYTES, TREE | HELD | KEY, a->tree, a->guard, range_of(a), NULL, 0,          \
      &a->out.size, &a->out.slices[0])                                                            \
    X(estimate, ANY, TREE | GUARD | KEY, a->tree, a->guard, range_of(a), blank_estimate())          \
    X(seek, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, MASSTREE_SEEK_GE,   \
      NULL, 0, &a->out.size, &a->out.word)                                                        \
    X(seek_bytes, BYTES, TREE | HELD | KEY, a->tree, a->guard, a->key, a->key_len,                \
      MASSTREE_SEEK_LE, NULL, 0, &a->out.size, &a->out.slices[0])                                 \
    X(longest_prefix, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len,           \
      &a->out.size, &a->out.word)                                                                 \
    X(longest_prefix_bytes, BYTES, TREE | HELD | KEY, a->tree, a->guard, a->key, a->key_len,      \
      &a->out.size, &a->out.slices[0])                                                            \
    X(cursor_open, ANY, TREE | GUARD, a->tree, a->guard, &a->out.cursor)                          \
    X(cursor_open_in, ANY, TREE | GUARD, a->tree, a->guard, a->lent, sizeof a->lent,              \
      &a->out.cursor)                                                                             \
    X(cursor_seek, ANY, CURSOR | KEY, a->cursor, a->key, a->key_len, MASSTREE_SEEK_GE)            \
    X(cursor_seek_u64, ANY, CURSOR, a->cursor, number, MASSTREE_SEEK_GE)                          \
    X(cursor_first, ANY, CURSOR, a->cursor)                                                       \
    X(cursor_last, ANY, CURSOR, a->cursor)                                                        \
    X(cursor_next, ANY, CURSOR, a->cursor)                                                        \
    X(cursor_prev, ANY, CURSOR, a->cursor)                                                        \
    X(cursor_key, ANY, CURSOR, a->cursor, &a->out.slices[0])                                      \
    X(cursor_value, WORDS, CURSOR, a->cursor, &a->out.word)                                       \
    X(cursor_value_bytes, BYTES, CURSOR, a->cursor, &a->out.slices[0])                            \
    X(cursor_next_many, WORDS, CURSOR, a->cursor, &a->out.slices[0], &a->out.word, 1,             \
      &a->out.size)                                                                               \
    X(cursor_prev_many, WORDS, CURSOR, a->cursor, &a->out.slices[0], &a->out.word, 1,             \
      &a->out.size)                                                                               \
    X(cursor_next_many_bytes, BYTES, CURSOR, a->cursor, &a->out.slices[0], &a->out.slices[1], 1,  \
      &a->out.size)                                                                               \
    X(cursor_prev_many_bytes, BYTES, CURSOR, a->cursor, &a->out.slices[0], &a->out.slices[1], 1,  \
      &a->out.size)                                                                               \
    X(get_many, WORDS, TREE | GUARD | KEY, a->tree, a->guard, key_of(a), 1, &a->out.word, NULL)   \
    X(get_many_u64, WORDS, TREE | GUARD, a->tree, a->guard, &number, 8, 1, &a->out.word, NULL)    \
    X(get_many_bytes, BYTES, TREE | HELD | KEY, a->tree, a->guard, key_of(a), 1,                  \
      &a->out.slices[0], NULL)                                                                    \
    X(put_many, WORDS, TREE | GUARD | KEY, a->tree, a->guard, key_of(a), &word, 1, NULL)          \
    X(put_many_u64, WORDS, TREE | GUARD, a->tree, a->guard, &number, 8, &word, 1, NULL)           \
    X(put_many_bytes, BYTES, TREE | GUARD | KEY, a->tree, a->guard, key_of(a), &slice, 1, NULL)   \
    X(insert_many, WORDS, TREE | GUARD | KEY, a->tree, a->guard, key_of(a), &word, 1,             \
      &a->out.word, NULL)                                                                         \
    X(insert_many_u64, WORDS, TREE | GUARD, a->tree, a->guard, &number, 8, &word, 1,              \
      &a->out.word, NULL)                                                                         \
    X(remove_many, WORDS, TREE | GUARD | KEY, a->tree, a->guard, key_of(a), 1, &a->out.word,      \
      NULL)                                                                                       \
    X(remove_many_u64, WORDS, TREE | GUARD, a->tree, a->guard, &number, 8, 1, &a->out.word, NULL) \
    X(bulk_load, WORDS, TREE | GUARD | KEY, a->tree, a->guard, key_of(a), &word, 1, NULL)         \
    X(bulk_load_u64, WORDS, TREE | GUARD, a->tree, a->guard, &number, 8, &word, 1, NULL)          \
    X(bulk_load_bytes, BYTES, TREE | GUARD | KEY, a->tree, a->guard, key_of(a), &slice, 1, NULL)  \
    X(bulk_load_from, WORDS, TREE | GUARD, a->tree, a->guard, no_keys, &a->out.called_back,       \
      &a->out.size)                                                                               \
    X(bulk_load_from_bytes, BYTES, TREE | GUARD, a->tree, a->guard, no_strings,                   \
      &a->out.called_back, &a->out.size)                                                          \
    X(export_to, WORDS, TREE | GUARD | KEY, a->tree, a->guard, range_of(a), take_words,           \
      &a->out.called_back, &a->out.size)                                                          \
    X(export_to_bytes, BYTES, TREE | GUARD | KEY, a->tree, a->guard, range_of(a), take_bytes,     \
      &a->out.called_back, &a->out.size)                                                          \
    X(loader_open, ANY, TREE, a->tree, &a->out.loader)                                            \
    X(loader_finish, ANY, TREE | GUARD, a->tree, a->guard, NULL, 0, &a->out.size)                 \
    X(get_observed, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len,             \
      &a->out.word, &a->out.observation)                                                          \
    X(get_u64_observed, WORDS, TREE | GUARD, a->tree, a->guard, number, &a->out.word,             \
      &a->out.observation)                                                                        \
    X(get_bytes_observed, BYTES, TREE | HELD | KEY, a->tree, a->guard, a->key, a->key_len,        \
      &a->out.slices[0], &a->out.observation)                                                     \
    X(leaf_size, ANY, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, &a->out.size,    \
      &a->out.observation)                                                                        \
    X(scan_observed, WORDS, TREE | GUARD | KEY, a->tree, a->guard, range_of(a), visit_leaf,       \
      visit_word, &a->out.called_back, &a->out.size)                                              \
    X(scan_bytes_observed, BYTES, TREE | GUARD | KEY, a->tree, a->guard, range_of(a), visit_leaf, \
      visit_bytes, &a->out.called_back, &a->out.size)                                             \
    X(cursor_track, ANY, CURSOR, a->cursor)                                                     \
    X(cursor_observations, ANY, CURSOR, a->cursor, &a->out.observations, &a->out.size)            \
    X(validate, ANY, TREE, a->tree, NULL, 0, &a->out.size)                                        \
    X(hold, WORDS, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len,                      \
      MASSTREE_HOLD_INSERT, &a->out.held, &a->out.word)                                           \
    X(retire, ANY, TREE | GUARD, a->tree, a->guard, NULL, 0, free_nothing, &a->out.called_back)   \
    X(flush, ANY, TREE | GUARD, a->tree, a->guard)                                                \
    X(barrier, ANY, TREE, a->tree)                                                                \
    X(maintain, ANY, TREE | GUARD, a->tree, a->guard, SIZE_MAX, &a->out.size)                     \
    X(compact, ANY, TREE | GUARD, a->tree, a->guard, 0, SIZE_MAX, &a->out.size)                   \
    X(len, ANY, TREE, a->tree, &a->out.word)                                                      \
    X(memory_held, ANY, TREE, a->tree, &a->out.word)                                              \
    X(check, ANY, TREE | GUARD, a->tree, a->guard, write_nothing, &a->out.called_back)            \
    X(dump, ANY, TREE | GUARD, a->tree, a->guard, MASSTREE_DUMP_TEXT, write_nothing,              \
      &a->out.called_back)                                                                        \
    X(pivots, ANY, TREE | GUARD, a->tree, a->guard, 3, visit_pivot, &a->out.called_back,          \
      &a->out.size)                                                                               \
    X(stats, ANY, TREE | GUARD, a->tree, a->guard, blank_stats())                                 \
    X(stats_json, ANY, TREE | GUARD, a->tree, a->guard, 0, write_nothing, &a->out.called_back)    \
    X(put_at, VERSIONED, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len, number,        \
      MASSTREE_VERSION_VALUE, "value", 5)                                                         \
    X(put_digested_at, VERSIONED, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len,       \
      number, MASSTREE_VERSION_VALUE, "value", 5, MASSTREE_DIGEST_CRC32C, 1)                       \
    X(verify_digests, VERSIONED, TREE | GUARD, a->tree, a->guard, visit_fault,                     \
      &a->out.called_back, &a->out.word)                                                          \
    X(put_unless_newer_at, VERSIONED, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len,   \
      number, MASSTREE_VERSION_VALUE, "value", 5, &a->out.word)                                   \
    X(put_many_at, VERSIONED, TREE | GUARD | KEY, a->tree, a->guard, key_of(a), &number, NULL,     \
      &slice, 1, NULL)                                                                            \
    X(remove_range_at, VERSIONED, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len,       \
      "\xFF", 1, number)                                                                          \
    X(get_at, VERSIONED, TREE | HELD | KEY, a->tree, a->guard, a->key, a->key_len, number,         \
      &a->out.version)                                                                            \
    X(seek_at, VERSIONED, TREE | HELD | KEY, a->tree, a->guard, a->key, a->key_len, number,        \
      MASSTREE_SEEK_GE, NULL, 0, &a->out.size, &a->out.version)                                   \
    X(get_many_at, VERSIONED, TREE | HELD | KEY, a->tree, a->guard, key_of(a), 1, number,          \
      &a->out.version, NULL)                                                                      \
    X(get_operands_at, VERSIONED, TREE | GUARD | KEY, a->tree, a->guard, a->key, a->key_len,       \
      number, visit_version, &a->out.called_back, &a->out.size)                                   \
    X(scan_at, VERSIONED, TREE | GUARD | KEY, a->tree, a->guard, range_of(a),                      \
      MASSTREE_SEQNO_LATEST, visit_version, &a->out.called_back, &a->out.size)                    \
    X(scan_delimited_at, VERSIONED, TREE | GUARD | KEY, a->tree, a->guard, range_of(a),            \
      MASSTREE_SEQNO_LATEST, "/", 1, visit_version, visit_prefix, &a->out.called_back,            \
      &a->out.size)                                                                               \
    X(scan_versions, VERSIONED, TREE | GUARD | KEY, a->tree, a->guard, versions_of(a),             \
      visit_version, &a->out.called_back, &a->out.size)                                           \
    X(scan_range_tombstones, VERSIONED, TREE | GUARD, a->tree, a->guard, visit_range,              \
      &a->out.called_back, &a->out.size)                                                          \
    X(cursor_open_at, VERSIONED, TREE | GUARD, a->tree, a->guard, MASSTREE_SEQNO_LATEST,           \
      &a->out.cursor)                                                                             \
    X(cursor_open_in_at, VERSIONED, TREE | GUARD, a->tree, a->guard, a->lent, sizeof a->lent,      \
      MASSTREE_SEQNO_LATEST, &a->out.cursor)                                                      \
    X(cursor_open_versions, VERSIONED, TREE | GUARD, a->tree, a->guard, 0, &a->out.cursor)         \
    X(cursor_open_versions_in, VERSIONED, TREE | GUARD, a->tree, a->guard, a->lent,                \
      sizeof a->lent, 0, &a->out.cursor)                                                          \
    X(cursor_seek_at, VERSIONED, CURSOR | KEY, a->cursor, a->key, a->key_len, number,              \
      MASSTREE_SEEK_GE)                                                                           \
    X(cursor_version, VERSIONED, CURSOR, a->cursor, &a->out.version)                              \
    X(next_seqno, VERSIONED, TREE, a->tree, 1, &a->out.word)                                      \
    X(publish, VERSIONED, TREE, a->tree, 1, &a->out.word)                                         \
    X(snapshot_open, VERSIONED, TREE, a->tree, &a->out.snapshot)                                  \
    X(trim_versions, VERSIONED, TREE, a->tree, 1, 10, &a->out.size)                               \
    X(stats_versions, VERSIONED, TREE | GUARD, a->tree, a->guard, blank_version_stats())          \
    X(seal, VERSIONED, TREE, a->tree)

#define TREE TAKES_TREE
#define GUARD TAKES_GUARD
#define HELD (TAKES_GUARD | NEEDS_GUARD)
#define KEY TAKES_KEY
#define CURSOR TAKES_CURSOR

#define DEFINE(name, values, takes, ...)                                                          \
    static int32_t run_##name(struct arguments *a)                                                \
    {                                                                                             \
        return masstree_##name(__VA_ARGS__);                                                      \
    }
CALLS(DEFINE)

#define ROW(name, values, takes, ...) {#name, run_##name, VALUES_##values, takes},
const struct call calls[] = {CALLS(ROW)};
const size_t call_count = COUNT(calls);

void blank(struct arguments *arguments)
{
    memset(&arguments->out, 0xA5, sizeof arguments->out);
}

bool is_blank(const struct arguments *arguments)
{
    const unsigned char *bytes = (const unsigned char *)&arguments->out;
    for (size_t i = 0; i < sizeof arguments->out; i++) {
        if (bytes[i] != 0xA5) {
            return false;
        }
    }
    return true;
}
