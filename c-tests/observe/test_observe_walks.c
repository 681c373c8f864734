/* Observations of walks: ranges and cursors, in random trees. While observations are valid, the
   same read returns the same result, whatever other threads write. MASSTREE_TEST_SEED repeats a
   run. */
#include "observing.h"

#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>

static uint64_t first_seed(void)
{
    const char *given = getenv("MASSTREE_TEST_SEED");
    uint64_t seed = given == NULL ? 1 : strtoull(given, NULL, 10);
    print_message("MASSTREE_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

static struct key random_key(uint64_t *random, enum family family, size_t keys)
{
    struct key key;
    key.len = family_key(family, random_below(random, keys), key.bytes);
    return key;
}

/* A query to a tree, its result, and the leaves that prove it. */
struct probe {
    enum { PROBE_KEY, PROBE_RANGE, PROBE_WALK, PROBE_STEP, PROBE_KINDS } kind;
    struct key low;
    struct key high;
    masstree_range_t range;
    struct met met;
    struct observations seen;
};

static void choose_range(struct probe *probe, uint64_t *random, enum family family, size_t keys)
{
    static const size_t limits[] = {0, 0, 1, 2, 20};
    struct key left = random_key(random, family, keys);
    struct key right = random_key(random, family, keys);
    bool swapped = compare_keys(left.bytes, left.len, right.bytes, right.len) > 0;
    probe->low = swapped ? right : left;
    probe->high = swapped ? left : right;
    probe->range = (masstree_range_t)MASSTREE_RANGE_INIT;
    probe->range.lower = probe->low.bytes;
    probe->range.lower_len = probe->low.len;
    probe->range.upper = probe->high.bytes;
    probe->range.upper_len = probe->high.len;
    probe->range.lower_bound = (uint32_t)random_below(random, 3);
    probe->range.upper_bound = (uint32_t)random_below(random, 3);
    probe->range.limit = limits[random_below(random, COUNT(limits))];
    probe->range.flags = random_below(random, 2) == 0 ? 0 : MASSTREE_SCAN_REVERSE;
    probe->range.prefix = probe->low.bytes;
    if (random_below(random, 4) == 0) {
        probe->range.lower_bound = probe->range.upper_bound = MASSTREE_BOUND_OPEN;
        probe->range.prefix_len = random_below(random, probe->low.len + 1);
    }
}

static void meet_at_cursor(masstree_cursor_t *cursor, struct met *met)
{
    masstree_slice_t key = {NULL, 0};
    REQUIRE(masstree_cursor_key(cursor, &key) == MASSTREE_OK);
    uint64_t digest = key.len + 1;
    for (size_t i = 0; i < key.len; i++) {
        digest = digest * 31 + ((const unsigned char *)key.data)[i];
    }
    met->keys++;
    met->digest = met->digest * 1000003 + digest;
}

/* A seek, and some steps from there: many at once, or one by one. */
static struct met walk(const struct subject *subject, struct probe *probe)
{
    masstree_cursor_t *cursor = NULL;
    struct met met = {0, 0};
    masstree_slice_t keys[20];
    uint32_t how = (uint32_t)(probe->high.len + probe->low.len) % 4;
    bool reverse = probe->range.flags != 0;
    REQUIRE(masstree_cursor_open(subject->tree, NULL, &cursor) == MASSTREE_OK);
    REQUIRE(masstree_cursor_track(cursor) == MASSTREE_OK);
    int32_t status = masstree_cursor_seek(cursor, probe->low.bytes, probe->low.len, how);
    add_cursor_observations(cursor, &probe->seen);
    for (size_t i = 0; status == MASSTREE_OK && i <= probe->range.limit; i++) {
        size_t count = 0;
        meet_at_cursor(cursor, &met);
        if (i % 5 == 4) {
            status = reverse ? masstree_cursor_prev_many(cursor, keys, NULL, COUNT(keys), &count)
                             : masstree_cursor_next_many(cursor, keys, NULL, COUNT(keys), &count);
            met.keys += count;
        } else {
            status = reverse ? masstree_cursor_prev(cursor) : masstree_cursor_next(cursor);
        }
        add_cursor_observations(cursor, &probe->seen);
        if (i % 3 == 2) {
            masstree_cursor_refresh(cursor);
        }
    }
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_END);
    met.digest = met.digest * 2 + (status == MASSTREE_END ? 1 : 0);
    masstree_cursor_close(cursor);
    REQUIRE(probe->seen.count > 0);
    return met;
}

/* One step from an existing key, of which only the step is to be proved. */
static struct met step(const struct subject *subject, struct probe *probe, bool is_first)
{
    masstree_cursor_t *cursor = NULL;
    struct met met = {0, 0};
    bool reverse = probe->range.flags != 0;
    uint32_t how = reverse ? MASSTREE_SEEK_LT : MASSTREE_SEEK_GT;
    REQUIRE(masstree_cursor_open(subject->tree, NULL, &cursor) == MASSTREE_OK);
    REQUIRE(masstree_cursor_track(cursor) == MASSTREE_OK);
    int32_t status = masstree_cursor_seek(cursor, probe->low.bytes, probe->low.len,
                                          is_first ? MASSTREE_SEEK_GE : how);
    if (is_first && status == MASSTREE_OK) {
        masstree_slice_t key = {NULL, 0};
        REQUIRE(masstree_cursor_key(cursor, &key) == MASSTREE_OK && key.len <= FAMILY_KEY_MAX);
        memcpy(probe->low.bytes, key.data, key.len);
        probe->low.len = key.len;
        status = reverse ? masstree_cursor_prev(cursor) : masstree_cursor_next(cursor);
    }
    add_cursor_observations(cursor, &probe->seen);
    if (status == MASSTREE_OK) {
        meet_at_cursor(cursor, &met);
    } else if (is_first && masstree_cursor_key(cursor, &(masstree_slice_t){0}) != MASSTREE_OK) {
        met.keys = SIZE_MAX; /* no key to step from */
    }
    masstree_cursor_close(cursor);
    return met;
}

/* The result of the probe's query; adds the leaves that prove it. */
static struct met ask(const struct subject *subject, struct probe *probe, bool is_first)
{
    bool is_there = false;
    switch (probe->kind) {
    case PROBE_KEY: {
        masstree_observation_t seen = observe_key(subject, probe->low, &is_there);
        collect(&seen, &probe->seen);
        return (struct met){is_there ? 1 : 0, 0};
    }
    case PROBE_RANGE:
        return scan_range(subject, NULL, &probe->range, &probe->seen);
    case PROBE_WALK:
        return walk(subject, probe);
    default:
        return step(subject, probe, is_first);
    }
}

static bool is_answered_alike(const struct subject *subject, const struct probe *probe)
{
    static _Thread_local struct probe again;
    again.kind = probe->kind;
    again.low = probe->low;
    again.high = probe->high;
    again.range = probe->range;
    again.range.lower = again.range.prefix = again.low.bytes;
    again.range.upper = again.high.bytes;
    again.seen.count = 0;
    struct met met = ask(subject, &again, false);
    return met.keys == probe->met.keys && met.digest == probe->met.digest;
}

static void ask_for_key(const struct subject *subject, struct probe *probe)
{
    probe->kind = PROBE_KEY;
    probe->seen.count = 0;
    probe->met = ask(subject, probe, true);
}

static void ask_anew(const struct subject *subject, struct probe *probe, uint64_t *random,
                     enum family family, size_t keys)
{
    probe->kind = (int)random_below(random, PROBE_KINDS);
    choose_range(probe, random, family, keys);
    probe->seen.count = 0;
    probe->met = ask(subject, probe, true);
    if (probe->met.keys == SIZE_MAX) {
        ask_for_key(subject, probe);
    }
}

/* Totals. */
struct tally {
    uint64_t held;
    uint64_t phantoms; /* detected */
    uint64_t others;   /* whose leaves were reported as changed, although the result was the same */
};

static void write_at_random(const struct subject *subject, uint64_t *random, enum family family,
                            size_t keys, bool *adds_or_takes)
{
    struct key key = random_key(random, family, keys);
    int32_t there = masstree_contains(subject->tree, NULL, key.bytes, key.len);
    *adds_or_takes = true;
    switch (random_below(random, 24)) {
    case 0:
        REQUIRE(masstree_maintain(subject->tree, NULL, 20, NULL) >= MASSTREE_OK);
        break;
    case 1:
        if (random_below(random, 10) == 0) {
            REQUIRE(masstree_clear(subject->tree, NULL) == MASSTREE_OK);
            break;
        }
        /* fall through */
    default:
        if (there == MASSTREE_OK && random_below(random, 3) > 0) {
            remove_key(subject, NULL, key);
            break;
        }
        *adds_or_takes = there != MASSTREE_OK;
        put_key(subject, NULL, key);
    }
}

enum { PROBES = 24 };

/* One thread: after every write each probe with valid observations is repeated. */
static void valid_observations_repeat_results(void **state)
{
    struct subject *subject = *state;
    static struct probe probes[PROBES];
    struct tally tally = {0, 0, 0};
    uint64_t seed = first_seed();
    for (enum family family = 0; family < FAMILIES; family++, seed++) {
        uint64_t random = seed;
        size_t keys = 30 + random_below(&random, 200);
        for (size_t i = 0; i < PROBES; i++) {
            ask_anew(subject, &probes[i], &random, family, keys);
        }
        for (size_t step = 0; step < scaled(3000); step++) {
            bool adds_or_takes;
            write_at_random(subject, &random, family, keys, &adds_or_takes);
            for (size_t i = 0; i < PROBES; i++) {
                bool is_alike = is_answered_alike(subject, &probes[i]);
                if (all_hold(subject->tree, &probes[i].seen)) {
                    if (!is_alike) {
                        fail_msg("phantom in a probe of kind %d, family %s, seed %" PRIu64,
                                 (int)probes[i].kind, family_name(family), seed);
                    }
                    tally.held++;
                    continue;
                }
                assert_true(adds_or_takes); /* an overwrite invalidates nothing */
                tally.phantoms += is_alike ? 0 : 1;
                tally.others += is_alike ? 1 : 0;
                ask_anew(subject, &probes[i], &random, family, keys);
            }
        }
        assert_ok(masstree_clear(subject->tree, NULL));
        masstree_guard_refresh(subject->guard);
    }
    print_message("%" PRIu64 " held, %" PRIu64 " phantoms found, %" PRIu64
                  " that only might have been\n",
                  tally.held, tally.phantoms, tally.others);
    assert_true(tally.held > 1000 && tally.phantoms > 10);
}

/* Threads: some write, one clears and loads, others query twice and validate the first result's
   leaves: if they are valid, nothing changed in between, and the second result is equal. */
struct crowd {
    struct subject subject;
    enum family family;
    size_t keys;
    atomic_bool done;
    atomic_uint_fast64_t held;
    atomic_uint_fast64_t changed;
    atomic_size_t most; /* leaves of a result */
    size_t rounds;
};

struct member {
    struct crowd *crowd;
    uint64_t random;
    struct probe probe;
};

/* Of one key, unless another thread inserted one into the empty tree first. */
static void load(const struct subject *subject, struct key key)
{
    masstree_slice_t slice = {key.bytes, key.len};
    masstree_slice_t bytes = SLICE("value");
    uint64_t word = 1;
    int32_t status =
        subject->bytes ? masstree_bulk_load_bytes(subject->tree, NULL, &slice, &bytes, 1, NULL)
                       : masstree_bulk_load(subject->tree, NULL, &slice, &word, 1, NULL);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_EXISTS);
}

static void write_on(void *arg)
{
    struct member *member = arg;
    struct crowd *crowd = member->crowd;
    uint64_t *random = &member->random;
    while (!atomic_load(&crowd->done)) {
        struct key key = random_key(random, crowd->family, crowd->keys);
        size_t what = random_below(random, 400);
        if (what == 0) {
            REQUIRE(masstree_clear(crowd->subject.tree, NULL) == MASSTREE_OK);
            load(&crowd->subject, key);
        } else if (what < 20) {
            REQUIRE(masstree_maintain(crowd->subject.tree, NULL, 20, NULL) >= MASSTREE_OK);
        } else if (what < 200) {
            put_key(&crowd->subject, NULL, key);
        } else {
            REQUIRE(masstree_remove(crowd->subject.tree, NULL, key.bytes, key.len, NULL) >=
                    MASSTREE_OK);
        }
    }
}

/* Whether some answers have held and others not. */
static bool has_seen_both(struct crowd *crowd)
{
    return atomic_load(&crowd->held) > 0 && atomic_load(&crowd->changed) > 0;
}

/* Ends: the writers go on until then, so sooner or later a write comes between two answers, and none between two
   others. */
static void ask_twice(void *arg)
{
    struct member *member = arg;
    struct crowd *crowd = member->crowd;
    struct subject subject = crowd->subject;
    REQUIRE(masstree_guard_enter(subject.tree, &subject.guard) == MASSTREE_OK);
    for (size_t round = 0; round < crowd->rounds || !has_seen_both(crowd); round++) {
        ask_anew(&subject, &member->probe, &member->random, crowd->family, crowd->keys);
        if (random_below(&member->random, 16) == 0) {
            sched_yield();
        }
        bool is_alike = is_answered_alike(&subject, &member->probe);
        bool has_held = all_hold(subject.tree, &member->probe.seen);
        REQUIRE(is_alike || !has_held);
        if (member->probe.seen.count > atomic_load(&crowd->most)) {
            atomic_store(&crowd->most, member->probe.seen.count);
        }
        atomic_fetch_add(has_held ? &crowd->held : &crowd->changed, 1);
        masstree_guard_refresh(subject.guard);
    }
    masstree_guard_leave(subject.guard);
    atomic_store(&crowd->done, true);
}

static void valid_observations_repeat_results_while_others_write(void **state)
{
    const struct subject *subject = *state;
    static struct member members[4];
    void (*const run[])(void *) = {write_on, write_on, ask_twice, ask_twice};
    uint64_t seed = first_seed();
    uint64_t held = 0;
    uint64_t changed = 0;
    size_t most = 0;
    for (enum family family = 0; family < FAMILIES; family++) {
        struct crowd crowd = {.subject = *subject,
                              .family = family,
                              .keys = 40,
                              .rounds = scaled(1500)};
        for (size_t i = 0; i < COUNT(members); i++) {
            members[i].crowd = &crowd;
            members[i].random = seed++;
        }
        run_together(COUNT(members), run, members, sizeof members[0]);
        held += atomic_load(&crowd.held);
        changed += atomic_load(&crowd.changed);
        most = atomic_load(&crowd.most) > most ? atomic_load(&crowd.most) : most;
        assert_ok(masstree_clear(subject->tree, NULL));
        masstree_guard_refresh(subject->guard);
    }
    print_message("%" PRIu64 " answers that held, %" PRIu64 " that did not; of %zu leaves at most\n",
                  held, changed, most);
    assert_true(held > 0 && changed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOTH_KINDS(valid_observations_repeat_results),
        WITH_BOTH_KINDS(valid_observations_repeat_results_while_others_write),
    };
    return cmocka_run_group_tests_name("observe_walks", tests, NULL, NULL);
}
