/* Shared by the workloads of transactions: arguments, keys, rows, and what is printed. */
#ifndef MASSTREE_TEST_WORKLOADS_H
#define MASSTREE_TEST_WORKLOADS_H

#include "stores.h"

struct workload {
    size_t threads;
    size_t transactions; /* of each thread */
    uint64_t seed;
};

/* Reads [-t THREADS] [-n TRANSACTIONS] [-s SEED]. */
void workload_arguments(int argc, char **argv, struct workload *workload);

/* A key of numbers, which sorts as they do. */
struct row_key {
    unsigned char bytes[16];
    size_t len;
};
struct row_key key_of(size_t count, const uint32_t *numbers);
#define KEY(...)                                                                                   \
    key_of(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (uint32_t[]){__VA_ARGS__})
/* The number at a place of a key. */
uint32_t number_in(const void *key, size_t place);

/* Copy a row; `row_get` returns false if there is none. The process ends with an error if the operation has one. */
bool row_get(masstree_txn_t *txn, masstree_t *tree, struct row_key key, void *row, size_t size);
void row_put(masstree_txn_t *txn, masstree_t *tree, struct row_key key, const void *row,
             size_t size);

/* Runs the threads; prints what they took. `args` are those of run_together. */
void workload_run(const char *name, masstree_store_t *store, size_t threads, void (*run)(void *),
                  void *args, size_t size);

#endif
