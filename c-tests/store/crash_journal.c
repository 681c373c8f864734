#include "crash_journal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

struct crash_journal *crash_journal_map(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    REQUIRE(file >= 0);
    REQUIRE(ftruncate(file, sizeof(struct crash_journal)) == 0);
    void *mapping = mmap(NULL, sizeof(struct crash_journal), PROT_READ | PROT_WRITE, MAP_SHARED,
                         file, 0);
    REQUIRE(mapping != MAP_FAILED);
    close(file);
    return mapping;
}

void crash_journal_unmap(struct crash_journal *journal)
{
    REQUIRE(munmap(journal, sizeof *journal) == 0);
}

void crash_journal_begin(struct crash_journal *journal, size_t threads, uint64_t round)
{
    journal->threads = threads;
    journal->round = round;
    atomic_store(&journal->stops, false);
    for (size_t i = 0; i < CRASH_THREADS; i++) {
        struct crash_lane *lane = &journal->lanes[i];
        atomic_store(&lane->begun, 0);
        atomic_store(&lane->returned, 0);
        atomic_store(&lane->written, 0);
        atomic_store(&lane->durable, 0);
    }
}

bool crash_has_begun(struct crash_journal *journal)
{
    for (size_t i = 0; i < journal->threads; i++) {
        if (atomic_load(&journal->lanes[i].begun) > 0) {
            return true;
        }
    }
    return false;
}

uint64_t crash_acknowledged(struct crash_journal *journal, bool written)
{
    uint64_t most = 0;
    for (size_t i = 0; i < journal->threads; i++) {
        struct crash_lane *lane = &journal->lanes[i];
        uint64_t durable = atomic_load(&lane->durable);
        uint64_t kept = written ? atomic_load(&lane->written) : 0;
        most = durable > most ? durable : most;
        most = kept > most ? kept : most;
    }
    return most;
}

void crash_acknowledge(_Atomic uint64_t *level, uint64_t number)
{
    uint64_t known = atomic_load(level);
    while (known < number && !atomic_compare_exchange_weak(level, &known, number)) {
    }
}

size_t crash_own_key(size_t thread, size_t index)
{
    return CRASH_SHARED + thread * (CRASH_OWN + 1) + index;
}

size_t crash_counter_key(size_t thread)
{
    return crash_own_key(thread, CRASH_OWN);
}

const char *crash_tree_name(size_t tree)
{
    return tree == 0 ? "first" : "second";
}

void crash_key(size_t key, char *text)
{
    char digits[32];
    snprintf(digits, sizeof digits, "k%05u", (unsigned)key);
    memcpy(text, digits, CRASH_KEY_LENGTH);
}

bool crash_key_number(const void *text, size_t len, size_t *key)
{
    char digits[CRASH_KEY_LENGTH + 1] = {0};
    char again[CRASH_KEY_LENGTH];
    if (len != CRASH_KEY_LENGTH) {
        return false;
    }
    memcpy(digits, text, len);
    *key = strtoul(digits + 1, NULL, 10);
    crash_key(*key, again);
    return *key < CRASH_KEYS && memcmp(again, text, len) == 0;
}

uint64_t crash_tag(uint64_t round, size_t thread, uint64_t index, size_t change)
{
    return round << 32 | index << 8 | thread << 4 | change;
}

size_t crash_value(uint64_t tag, unsigned char *value)
{
    uint64_t state = tag;
    size_t most = random_below(&state, 16) == 0 ? CRASH_VALUE_MAX - 8 : 60;
    size_t len = 8 + random_below(&state, most + 1);
    memcpy(value, &tag, 8);
    for (size_t at = 8; at < len; at += 8) {
        uint64_t word = random_u64(&state);
        memcpy(value + at, &word, len - at < 8 ? len - at : 8);
    }
    return len;
}
