/* Each commit that returned has its number, so their order is known. Of the operations that had not returned,
   those that were committed are recognised by what they stored: a put by its value, a rename by
   the number of its target, which only its thread writes, a batch by its counter. Whatever else of them is
   hidden by later commits. Only a removal may be both unrecognised and visible: then its key may have no
   value. */
#include "crash_oracle.h"

#include <inttypes.h>

struct commit {
    uint64_t number;
    size_t thread;
    uint64_t index;
};

struct check {
    struct crash_journal *journal;
    const struct crash_state *base;
    const struct crash_state *found;
    struct crash_state model;
    struct commit *commits;
    size_t count;
    size_t different; /* keys whose model is not what was found */
};

struct reading {
    struct crash_state *found;
    size_t tree;
    bool is_right;
};

static int32_t read_key(const void *key, size_t key_len, const masstree_version_t *version,
                        void *ctx)
{
    struct reading *reading = ctx;
    unsigned char value[CRASH_VALUE_MAX];
    uint64_t tag = 0;
    size_t number = 0;
    if (!crash_key_number(key, key_len, &number) || version->value_len < sizeof tag) {
        fprintf(stderr, "a key or value of no operation: %.*s\n", (int)key_len, (const char *)key);
        reading->is_right = false;
        return MASSTREE_VISIT_CONTINUE;
    }
    memcpy(&tag, version->value, sizeof tag);
    size_t len = crash_value(tag, value);
    if (len != version->value_len || memcmp(value, version->value, len) != 0) {
        fprintf(stderr, "key %zu: a wrong value, tag %" PRIx64 "\n", number, tag);
        reading->is_right = false;
    }
    reading->found->of[reading->tree][number] = (struct crash_version){version->seqno, tag};
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t count_tree(const char *name, masstree_t *tree, void *ctx)
{
    (void)name;
    (void)tree;
    ++*(size_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

bool crash_read(masstree_store_t *store, struct crash_state *found)
{
    struct reading reading = {.found = found, .is_right = true};
    size_t trees = 0;
    memset(found, 0, sizeof *found);
    REQUIRE(masstree_store_list_trees(store, count_tree, &trees) == MASSTREE_OK);
    for (size_t i = 0; i < trees && i < CRASH_TREES; i++) {
        masstree_t *tree = NULL;
        reading.tree = i;
        REQUIRE(masstree_store_tree(store, crash_tree_name(i), &tree) == MASSTREE_OK);
        REQUIRE(masstree_scan_at(tree, NULL, NULL, MASSTREE_SEQNO_LATEST, read_key, &reading,
                                 NULL) == MASSTREE_OK);
        REQUIRE(masstree_check(tree, NULL, NULL, NULL) == MASSTREE_OK);
    }
    return reading.is_right && trees <= CRASH_TREES;
}

static bool is_same(struct crash_version left, struct crash_version right)
{
    return left.number == right.number && (left.number == 0 || left.tag == right.tag);
}

static void set(struct check *check, struct crash_change change, struct crash_version version)
{
    struct crash_version *model = &check->model.of[change.tree][change.key];
    struct crash_version found = check->found->of[change.tree][change.key];
    check->different -= !is_same(*model, found);
    *model = version;
    check->different += !is_same(version, found);
}

static void apply(struct check *check, const struct commit *commit)
{
    const struct crash_entry *entry =
        &check->journal->lanes[commit->thread].entries[commit->index];
    struct crash_version nothing = {0, 0};
    if (entry->kind == CRASH_RENAME) {
        const struct crash_change *src = &entry->changes[0];
        uint64_t tag = check->model.of[src->tree][src->key].tag;
        set(check, *src, nothing);
        set(check, entry->changes[1], (struct crash_version){commit->number, tag});
        return;
    }
    for (size_t i = 0; i < entry->count; i++) {
        uint64_t tag = crash_tag(check->journal->round, commit->thread, commit->index, i);
        set(check, entry->changes[i],
            entry->changes[i].removes ? nothing : (struct crash_version){commit->number, tag});
    }
}

/* The operation of a thread that has not returned, if there is one. */
static const struct crash_entry *in_flight(struct crash_journal *journal, size_t thread,
                                           uint64_t *index)
{
    struct crash_lane *lane = &journal->lanes[thread];
    *index = atomic_load(&lane->returned);
    return atomic_load(&lane->begun) > *index ? &lane->entries[*index] : NULL;
}

/* Whether a thread was removing a key, which has no value. */
static bool may_be_removed(const struct check *check, size_t tree, size_t key)
{
    for (size_t thread = 0; thread < check->journal->threads; thread++) {
        uint64_t index = 0;
        const struct crash_entry *entry = in_flight(check->journal, thread, &index);
        if (entry != NULL && entry->kind == CRASH_REMOVE && entry->changes[0].tree == tree &&
            entry->changes[0].key == key && check->found->of[tree][key].number == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the model is what was found. */
static bool is_state(const struct check *check, bool prints)
{
    bool is_found = true;
    if (check->different > CRASH_THREADS && !prints) {
        return false;
    }
    for (size_t tree = 0; check->different > 0 && tree < CRASH_TREES; tree++) {
        for (size_t key = 0; key < CRASH_KEYS; key++) {
            struct crash_version model = check->model.of[tree][key];
            struct crash_version found = check->found->of[tree][key];
            if (is_same(model, found) || may_be_removed(check, tree, key)) {
                continue;
            }
            is_found = false;
            if (prints) {
                fprintf(stderr,
                        "tree %zu, key %zu: found %" PRIu64 " (%" PRIx64 "), expected %" PRIu64
                        " (%" PRIx64 ")\n",
                        tree, key, found.number, found.tag, model.number, model.tag);
            }
        }
    }
    return is_found;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = ((const struct commit *)left)->number, b = ((const struct commit *)right)->number;
    return (a > b) - (a < b);
}

/* The number under which an operation that has not returned was found; 0 if it was not. The commits are
   those that have returned. */
static uint64_t number_found(const struct check *check, size_t thread)
{
    uint64_t index = 0;
    const struct crash_entry *entry = in_flight(check->journal, thread, &index);
    if (entry == NULL || entry->kind == CRASH_REMOVE) {
        return 0;
    }
    size_t shows = entry->kind == CRASH_RENAME ? 1 : 0;
    struct crash_change change = entry->changes[shows];
    struct crash_version found = check->found->of[change.tree][change.key];
    if (entry->kind != CRASH_RENAME) {
        uint64_t tag = crash_tag(check->journal->round, thread, index, shows);
        return found.number > 0 && found.tag == tag ? found.number : 0;
    }
    struct commit wanted = {.number = found.number};
    bool is_known = found.number <= check->base->last ||
                    bsearch(&wanted, check->commits, check->count, sizeof wanted, compare) != NULL;
    return is_known ? 0 : found.number;
}

static void add(struct check *check, uint64_t number, size_t thread, uint64_t index)
{
    if (number > 0) {
        check->commits[check->count++] = (struct commit){number, thread, index};
    }
}

/* Collects the commits in their order. */
static void collect(struct check *check)
{
    struct crash_journal *journal = check->journal;
    uint64_t numbers[CRASH_THREADS], most = 0;
    for (size_t thread = 0; thread < journal->threads; thread++) {
        most += atomic_load(&journal->lanes[thread].begun);
    }
    check->commits = malloc((most + 1) * sizeof *check->commits);
    REQUIRE(check->commits != NULL);
    for (size_t thread = 0; thread < journal->threads; thread++) {
        struct crash_lane *lane = &journal->lanes[thread];
        for (uint64_t i = 0; i < atomic_load(&lane->returned); i++) {
            add(check, lane->entries[i].number, thread, i);
        }
    }
    qsort(check->commits, check->count, sizeof *check->commits, compare);
    for (size_t thread = 0; thread < journal->threads; thread++) {
        numbers[thread] = number_found(check, thread);
    }
    for (size_t thread = 0; thread < journal->threads; thread++) {
        add(check, numbers[thread], thread, atomic_load(&journal->lanes[thread].returned));
    }
    qsort(check->commits, check->count, sizeof *check->commits, compare);
}

/* No number is given out twice. */
static bool numbers_are_new(const struct check *check)
{
    uint64_t last = check->base->last;
    for (size_t i = 0; i < check->count; i++) {
        if (check->commits[i].number <= last) {
            fprintf(stderr, "the number %" PRIu64 " was given out twice, or after %" PRIu64 "\n",
                    check->commits[i].number, last);
            return false;
        }
        last = check->commits[i].number;
    }
    return true;
}

static void start(struct check *check)
{
    check->model = *check->base;
    check->different = 0;
    for (size_t tree = 0; tree < CRASH_TREES; tree++) {
        for (size_t key = 0; key < CRASH_KEYS; key++) {
            check->different += !is_same(check->model.of[tree][key], check->found->of[tree][key]);
        }
    }
}

/* Applies commits until the model is what was found, at least those that must be there; returns how many,
   or more than there are. */
static size_t find_end(struct check *check, uint64_t least)
{
    start(check);
    for (size_t i = 0; i <= check->count; i++) {
        bool is_enough = i == check->count || check->commits[i].number > least;
        if (is_enough && is_state(check, false)) {
            return i;
        }
        if (i < check->count) {
            apply(check, &check->commits[i]);
        }
    }
    return check->count + 1;
}

/* Prints how the state that comes nearest differs. */
static void explain(struct check *check, uint64_t least)
{
    size_t nearest = SIZE_MAX;
    for (int prints = 0; prints < 2; prints++) {
        start(check);
        for (size_t i = 0; i <= check->count; i++) {
            bool is_enough = i == check->count || check->commits[i].number > least;
            if (prints == 1 && is_enough && check->different == nearest) {
                fprintf(stderr, "no state at or after %" PRIu64 ", of %zu commits; after %zu:\n",
                        least, check->count, i);
                is_state(check, true);
                return;
            }
            nearest = is_enough && check->different < nearest ? check->different : nearest;
            if (i < check->count) {
                apply(check, &check->commits[i]);
            }
        }
    }
}

static uint64_t highest(const struct crash_state *state)
{
    uint64_t most = 0;
    for (size_t tree = 0; tree < CRASH_TREES; tree++) {
        for (size_t key = 0; key < CRASH_KEYS; key++) {
            uint64_t number = state->of[tree][key].number;
            most = number > most ? number : most;
        }
    }
    return most;
}

bool crash_check(const struct crash_state *base, struct crash_journal *journal,
                 uint64_t acknowledged, struct crash_state *found, struct crash_counts *counts)
{
    static struct check check;
    check = (struct check){.journal = journal, .base = base, .found = found};
    collect(&check);
    uint64_t seen = highest(found);
    uint64_t least = seen > acknowledged ? seen : acknowledged;
    size_t end = find_end(&check, least);
    bool is_right = numbers_are_new(&check) && end <= check.count;
    if (end > check.count) {
        explain(&check, least);
    } else {
        counts->commits += end;
        counts->lost += check.count - end;
        counts->acknowledged += acknowledged > 0;
    }
    found->last = check.count > 0 ? check.commits[check.count - 1].number : 0;
    found->last = found->last > base->last ? found->last : base->last;
    free(check.commits);
    return is_right;
}

void crash_finish(struct crash_state *state, struct crash_journal *journal)
{
    static struct check check;
    static struct crash_state base;
    base = *state;
    check = (struct check){.journal = journal, .base = &base, .found = state};
    collect(&check);
    start(&check);
    for (size_t i = 0; i < check.count; i++) {
        apply(&check, &check.commits[i]);
        check.model.last = check.commits[i].number;
    }
    *state = check.model;
    free(check.commits);
}
