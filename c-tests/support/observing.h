/* Shared by the tests of observations: trees of either kind of values under the same calls, sets
   of observations, and ranges. */
#ifndef MASSTREE_TEST_OBSERVING_H
#define MASSTREE_TEST_OBSERVING_H

#include "support.h"

/* The tree under test, of words or of byte strings, and a guard of it. */
struct subject {
    masstree_t *tree;
    masstree_guard_t *guard;
    bool bytes;
};
/* The initial state of a test says which kind. */
extern bool of_words, of_bytes;
int make_subject(void **state);
int end_subject(void **state);
/* A kind, as an item of an array of tests. */
#define WITH_WORDS(test)                                                                          \
    {                                                                                             \
        #test, test, make_subject, end_subject, &of_words                                         \
    }
/* Both kinds, as items of an array of tests. */
#define WITH_BOTH_KINDS(test)                                                                     \
    {#test " with words", test, make_subject, end_subject, &of_words},                            \
    {                                                                                             \
        #test " with byte strings", test, make_subject, end_subject, &of_bytes                    \
    }

struct key {
    unsigned char bytes[FAMILY_KEY_MAX];
    size_t len;
};
struct key text_key(const char *text);
struct key number_key(uint64_t number);

/* Write under a guard, or none; assert that they succeed. */
void put_key(const struct subject *subject, masstree_guard_t *guard, struct key key);
/* Returns MASSTREE_OK or MASSTREE_EXISTS. */
int32_t insert_key(const struct subject *subject, masstree_guard_t *guard, struct key key);
void remove_key(const struct subject *subject, masstree_guard_t *guard, struct key key);
/* Under the subject's guard; the key must stay valid. */
int32_t hold_key(const struct subject *subject, const struct key *key, uint32_t flags,
                 masstree_held_t *held, uint64_t *value);
/* MASSTREE_TEST_SEED, if it is set; prints the seed. */
uint64_t seed_of(uint64_t otherwise);
void put_text(const struct subject *subject, const char *key);
void remove_text(const struct subject *subject, const char *key);

enum { OBSERVATIONS = 4096 };
struct observations {
    masstree_observation_t all[OBSERVATIONS];
    size_t count;
};
/* A leaf visitor; ctx is a struct observations. */
int32_t collect(const masstree_observation_t *observation, void *ctx);
bool all_hold(const masstree_t *tree, const struct observations *observations);
bool holds(const masstree_t *tree, masstree_observation_t observation);

/* The observations of a cursor's last call. */
void add_cursor_observations(masstree_cursor_t *cursor, struct observations *seen);

/* The leaf that proves whether a key exists. */
masstree_observation_t observe_key(const struct subject *subject, struct key key, bool *is_there);
masstree_observation_t observe_absent(const struct subject *subject, const char *key);
masstree_observation_t observe_present(const struct subject *subject, const char *key);

/* The result of a scan: a digest of the keys in order, as a forward scan would visit them. */
struct met {
    uint64_t keys;
    uint64_t digest;
};
/* Scans, and adds the leaves to a set. Any thread. */
struct met scan_range(const struct subject *subject, masstree_guard_t *guard,
                      const masstree_range_t *range, struct observations *observations);

#endif
