#include "sweep.h"

struct key key_of(uint64_t number)
{
    struct key key;
    key.len = family_key(number % FAMILIES, number / FAMILIES, key.bytes);
    if (number % 11 == 3) {
        memset(key.bytes + key.len, 's', 300);
        key.len += number % 300;
    }
    return key;
}

masstree_slice_t value_of(uint64_t number, unsigned char *bytes)
{
    size_t len = number % VALUE_MAX;
    memset(bytes, (int)(number % 251), len);
    return (masstree_slice_t){bytes, len};
}

void batch_set(struct batch *batch, size_t place, struct key key, uint64_t number)
{
    batch->keys[place] = key;
    batch->slices[place] = (masstree_slice_t){batch->keys[place].bytes, key.len};
    batch->words[place] = number;
    batch->values[place] = value_of(number, batch->bytes[place]);
}

void sweep(sweep_run *run, bool holds_bytes, bool fail_on)
{
    size_t step = scaled(64) < 64 ? 64 / scaled(64) : 1;
    struct tally tally = {0};
    size_t fail_at = 1;
    while (run(holds_bytes, fail_at, fail_on, &tally)) {
        fail_at += step;
    }
    assert_true(tally.refused * step > 100);
    print_message("%s, %s: %zu places, %zu refusals, %zu done without\n",
                  holds_bytes ? "byte strings" : "words",
                  fail_on ? "one fails and the rest of the call" : "one fails",
                  (fail_at - 1) / step, tally.refused, tally.absorbed);
}
