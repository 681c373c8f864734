#include "workloads.h"

#include <getopt.h>
#include <inttypes.h>
#include <time.h>

enum { MOST_THREADS = 64 };

static uint64_t number(const char *text)
{
    char *end = NULL;
    uint64_t value = strtoull(text, &end, 10);
    REQUIRE(end != text && *end == '\0');
    return value;
}

void workload_arguments(int argc, char **argv, struct workload *workload)
{
    int option;
    while ((option = getopt(argc, argv, "t:n:s:")) != -1) {
        switch (option) {
        case 't':
            workload->threads = number(optarg);
            break;
        case 'n':
            workload->transactions = number(optarg);
            break;
        case 's':
            workload->seed = number(optarg);
            break;
        default:
            fprintf(stderr, "usage: %s [-t THREADS] [-n TRANSACTIONS] [-s SEED]\n", argv[0]);
            exit(2);
        }
    }
    REQUIRE(workload->threads > 0 && workload->threads <= MOST_THREADS);
}

struct row_key key_of(size_t count, const uint32_t *numbers)
{
    struct row_key key = {.len = 4 * count};
    REQUIRE(key.len <= sizeof key.bytes);
    for (size_t i = 0; i < key.len; i++) {
        key.bytes[i] = (unsigned char)(numbers[i / 4] >> (24 - 8 * (i % 4)));
    }
    return key;
}

uint32_t number_in(const void *key, size_t place)
{
    const unsigned char *bytes = (const unsigned char *)key + 4 * place;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

bool row_get(masstree_txn_t *txn, masstree_t *tree, struct row_key key, void *row, size_t size)
{
    masstree_version_t version;
    int32_t status = masstree_txn_get(txn, tree, key.bytes, key.len, &version);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
    if (status == MASSTREE_OK) {
        REQUIRE(version.value_len == size);
        memcpy(row, version.value, size);
    }
    return status == MASSTREE_OK;
}

void row_put(masstree_txn_t *txn, masstree_t *tree, struct row_key key, const void *row, size_t size)
{
    REQUIRE(masstree_txn_put(txn, tree, key.bytes, key.len, row, size) == MASSTREE_OK);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void workload_run(const char *name, masstree_store_t *store, size_t threads, void (*run)(void *),
                  void *args, size_t size)
{
    void (*each[MOST_THREADS])(void *);
    for (size_t i = 0; i < threads; i++) {
        each[i] = run;
    }
    masstree_store_stats_t before = stats_of(store);
    double begin = seconds();
    run_together(threads, each, args, size);
    double took = seconds() - begin;
    masstree_store_stats_t after = stats_of(store);
    uint64_t committed = after.txns_committed - before.txns_committed;
    uint64_t keys = after.txn_key_conflicts - before.txn_key_conflicts;
    uint64_t ranges = after.txn_range_conflicts - before.txn_range_conflicts;
    uint64_t writes = after.txn_write_conflicts - before.txn_write_conflicts;
    uint64_t refused = keys + ranges + writes;
    printf("%s: %zu threads, %" PRIu64 " transactions, %.0f a second; %.2f %% refused (keys %" PRIu64
           ", ranges %" PRIu64 ", written %" PRIu64 ")\n",
           name, threads, committed, (double)committed / took,
           100.0 * (double)refused / (double)(committed + refused), keys, ranges, writes);
    fflush(stdout);
}
