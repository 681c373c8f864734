/* Keys and values of the soak test, and what is known about them. */
#include "soak.h"

/* Group 0 may be plain integers, eight bytes that begin with a zero; all others begin with their
   own tag. */
void soak_choose_groups(struct soak *soak, uint64_t *random)
{
    soak->groups = 1 + (unsigned)random_below(random, SOAK_GROUPS);
    for (unsigned i = 0; i < soak->groups; i++) {
        struct soak_group *group = &soak->group[i];
        *group = (struct soak_group){.family = (enum family)random_below(random, FAMILIES)};
        if (i == 0 && random_below(random, 2) == 0) {
            group->family = FAMILY_U64;
            continue;
        }
        group->tagged = true;
        group->before = random_below(random, 2) == 0 ? random_below(random, 120) : 7;
        group->after = random_below(random, 2) == 0 ? random_below(random, 200) : 0;
    }
}

struct soak_key soak_key_of(const struct soak *soak, uint32_t number)
{
    const struct soak_group *group = &soak->group[number % soak->groups];
    struct soak_key key = {.len = 0};
    if (group->tagged) {
        key.bytes[key.len++] = (unsigned char)(1 + number % soak->groups);
        memset(key.bytes + key.len, 'b', group->before);
        key.len += group->before;
    }
    key.len += family_key(group->family, number / soak->groups, key.bytes + key.len);
    /* If some keys are prefixes of others, an equally long tail for all keeps them distinct. */
    memset(key.bytes + key.len, 0x80, group->after);
    key.len += group->after;
    return key;
}

/* Of each row of numbers one is shared by all threads and one is stable; each other one belongs
   to a thread. */
enum { ROW = SOAK_THREADS + 2 };

enum soak_kind soak_kind_of(uint32_t number)
{
    switch (number % ROW) {
    case SOAK_THREADS:
        return SOAK_SHARED;
    case SOAK_THREADS + 1:
        return SOAK_STABLE;
    default:
        return SOAK_OWNED;
    }
}

static bool is_own(const struct soak_worker *worker, uint32_t number)
{
    return number % ROW == worker->id;
}

/* Most are close to each other for a while, so that leaves there fill and empty. */
static uint32_t row_near(struct soak_worker *worker)
{
    uint32_t rows = worker->soak->keys / ROW;
    uint32_t width = rows < 64 ? rows : 64;
    if (random_below(&worker->random, 4) == 0) {
        return (uint32_t)random_below(&worker->random, rows);
    }
    uint64_t place = worker->steps / 4096 * UINT64_C(0x9E3779B97F4A7C15) + worker->soak->seed;
    return (uint32_t)((place + random_below(&worker->random, width)) % rows);
}

uint32_t soak_writable(struct soak_worker *worker)
{
    uint32_t kind = random_below(&worker->random, 3) == 0 ? SOAK_THREADS : worker->id;
    return row_near(worker) * ROW + kind;
}

uint32_t soak_any(struct soak_worker *worker)
{
    return row_near(worker) * ROW + (uint32_t)random_below(&worker->random, ROW);
}

uint64_t soak_value(uint32_t number, unsigned thread, uint64_t mark)
{
    return (uint64_t)(number + 1) << 40 | (uint64_t)thread << 32 | (mark & UINT32_MAX);
}

uint64_t soak_fresh(struct soak_worker *worker, uint32_t number)
{
    return soak_value(number, worker->id + 1, ++worker->made);
}

uint32_t soak_number(uint64_t value)
{
    return (uint32_t)(value >> 40) - 1;
}

masstree_slice_t soak_encode(uint64_t value, unsigned char *bytes)
{
    size_t len = sizeof value + value % (SOAK_VALUE_MAX - sizeof value);
    memcpy(bytes, &value, sizeof value);
    memset(bytes + sizeof value, (int)(value & 0xFF), len - sizeof value);
    return (masstree_slice_t){bytes, len};
}

uint64_t soak_decode(struct soak_worker *worker, const void *data, size_t len)
{
    unsigned char bytes[SOAK_VALUE_MAX];
    uint64_t value = 0;
    if (!EXPECT(worker, data != NULL && len >= sizeof value)) {
        return 0;
    }
    memcpy(&value, data, sizeof value);
    masstree_slice_t whole = soak_encode(value, bytes);
    EXPECT(worker, whole.len == len && memcmp(bytes, data, len) == 0);
    return value;
}

void soak_saw(struct soak_worker *worker, uint32_t number, uint64_t value)
{
    const struct soak *soak = worker->soak;
    EXPECT(worker, value == 0 || soak_number(value) == number);
    if (soak->wild) {
        return;
    }
    if (is_own(worker, number)) {
        EXPECT(worker, value == soak->held[number]);
    } else if (soak_kind_of(number) == SOAK_STABLE) {
        EXPECT(worker, value == soak_value(number, 0, 0));
    }
}

void soak_set(struct soak_worker *worker, uint32_t number, uint64_t value)
{
    if (is_own(worker, number)) {
        worker->soak->held[number] = value;
    }
}

void soak_accepted(struct soak_worker *worker, uint64_t value)
{
    worker->accepted.values++;
    worker->accepted.sum += value;
}

void soak_taken(struct soak_worker *worker, uint64_t value)
{
    worker->taken.values++;
    worker->taken.sum += value;
}

masstree_guard_t *soak_guard(struct soak_worker *worker)
{
    return random_below(&worker->random, 2) == 0 ? worker->guard : NULL;
}
