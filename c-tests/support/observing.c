#include "observing.h"

bool of_words = false;
bool of_bytes = true;

int make_subject(void **state)
{
    struct subject *subject = calloc(1, sizeof *subject);
    assert_non_null(subject);
    subject->bytes = *(const bool *)*state;
    subject->tree = subject->bytes ? new_bytes_tree() : new_tree();
    subject->guard = new_guard(subject->tree);
    *state = subject;
    return 0;
}

int end_subject(void **state)
{
    struct subject *subject = *state;
    masstree_guard_leave(subject->guard);
    end_tree(subject->tree);
    free(subject);
    return 0;
}

struct key text_key(const char *text)
{
    struct key key = {.len = strlen(text)};
    REQUIRE(key.len <= sizeof key.bytes);
    memcpy(key.bytes, text, key.len);
    return key;
}

struct key number_key(uint64_t number)
{
    struct key key = {.len = 8};
    masstree_u64_to_key(number, key.bytes);
    return key;
}

void put_key(const struct subject *subject, masstree_guard_t *guard, struct key key)
{
    int32_t status =
        subject->bytes
            ? masstree_put_bytes(subject->tree, guard, key.bytes, key.len, "value", 5)
            : masstree_put(subject->tree, guard, key.bytes, key.len, 1);
    REQUIRE(status == MASSTREE_OK);
}

int32_t insert_key(const struct subject *subject, masstree_guard_t *guard, struct key key)
{
    int32_t status =
        subject->bytes
            ? masstree_insert_bytes(subject->tree, guard, key.bytes, key.len, "value", 5, NULL)
            : masstree_insert(subject->tree, guard, key.bytes, key.len, 1, NULL);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_EXISTS);
    return status;
}

void remove_key(const struct subject *subject, masstree_guard_t *guard, struct key key)
{
    REQUIRE(masstree_remove(subject->tree, guard, key.bytes, key.len, NULL) == MASSTREE_OK);
}

int32_t hold_key(const struct subject *subject, const struct key *key, uint32_t flags,
                 masstree_held_t *held, uint64_t *value)
{
    return masstree_hold(subject->tree, subject->guard, key->bytes, key->len, flags, held, value);
}

uint64_t seed_of(uint64_t otherwise)
{
    const char *given = getenv("MASSTREE_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : otherwise;
    print_message("MASSTREE_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

void put_text(const struct subject *subject, const char *key)
{
    put_key(subject, NULL, text_key(key));
}

void remove_text(const struct subject *subject, const char *key)
{
    remove_key(subject, NULL, text_key(key));
}

int32_t collect(const masstree_observation_t *observation, void *ctx)
{
    struct observations *observations = ctx;
    REQUIRE(observations->count < OBSERVATIONS);
    observations->all[observations->count++] = *observation;
    return MASSTREE_VISIT_CONTINUE;
}

bool all_hold(const masstree_t *tree, const struct observations *observations)
{
    int32_t status = masstree_validate(tree, observations->all, observations->count, NULL);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_MISMATCH);
    return status == MASSTREE_OK;
}

bool holds(const masstree_t *tree, masstree_observation_t observation)
{
    int32_t status = masstree_validate(tree, &observation, 1, NULL);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_MISMATCH);
    return status == MASSTREE_OK;
}

masstree_observation_t observe_key(const struct subject *subject, struct key key, bool *is_there)
{
    masstree_observation_t observation = {0, 0, 0};
    int32_t status =
        subject->bytes ? masstree_get_bytes_observed(subject->tree, subject->guard, key.bytes,
                                                     key.len, NULL, &observation)
                       : masstree_get_observed(subject->tree, NULL, key.bytes, key.len, NULL,
                                               &observation);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
    REQUIRE(observation.leaf != 0 && observation.leaf % 64 == 0);
    *is_there = status == MASSTREE_OK;
    return observation;
}

masstree_observation_t observe_absent(const struct subject *subject, const char *key)
{
    bool is_there = false;
    masstree_observation_t observation = observe_key(subject, text_key(key), &is_there);
    assert_false(is_there);
    return observation;
}

masstree_observation_t observe_present(const struct subject *subject, const char *key)
{
    bool is_there = false;
    masstree_observation_t observation = observe_key(subject, text_key(key), &is_there);
    assert_true(is_there);
    return observation;
}

struct meeting {
    struct met met;
    struct observations *observations;
};

static int32_t meet_leaf(const masstree_observation_t *observation, void *ctx)
{
    struct meeting *meeting = ctx;
    return collect(observation, meeting->observations);
}

/* A sum of hashes is independent of the direction. */
static int32_t meet_key(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct meeting *meeting = ctx;
    uint64_t hash = UINT64_C(0xCBF29CE484222325) + key_len;
    (void)value;
    for (size_t i = 0; i < key_len; i++) {
        hash = (hash ^ ((const unsigned char *)key)[i]) * UINT64_C(0x100000001B3);
    }
    meeting->met.keys++;
    meeting->met.digest += hash ^ hash >> 29;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t meet_bytes(const void *key, size_t key_len, const void *value, size_t value_len,
                          void *ctx)
{
    (void)value;
    return meet_key(key, key_len, value_len, ctx);
}

struct met scan_range(const struct subject *subject, masstree_guard_t *guard,
                      const masstree_range_t *range, struct observations *observations)
{
    struct meeting meeting = {.observations = observations};
    size_t before = observations->count;
    int32_t status =
        subject->bytes ? masstree_scan_bytes_observed(subject->tree, guard, range, meet_leaf,
                                                      meet_bytes, &meeting, NULL)
                       : masstree_scan_observed(subject->tree, guard, range, meet_leaf, meet_key,
                                                &meeting, NULL);
    REQUIRE(status == MASSTREE_OK);
    REQUIRE(observations->count > before);
    return meeting.met;
}

void add_cursor_observations(masstree_cursor_t *cursor, struct observations *seen)
{
    const masstree_observation_t *leaves = NULL;
    size_t count = 0;
    REQUIRE(masstree_cursor_observations(cursor, &leaves, &count) == MASSTREE_OK);
    for (size_t i = 0; i < count; i++) {
        collect(&leaves[i], seen);
    }
}
