/* Terminals run transactions like TPC-C's: new order, payment, order status, delivery, stock level. Its consistency
   conditions 1 to 4 hold at any time: while the terminals run, at the end, and after the store was opened again.

   usage: test_store_tpcc [-t THREADS] [-n TRANSACTIONS] [-s SEED]

   Put back: in `Transaction::must_be_unchanged`, answer false. */
#include "tpcc.h"

enum { BETWEEN_CHECKS = 500 };

static void run_terminal(void *arg)
{
    struct terminal *terminal = arg;
    for (size_t i = 0; i < terminal->transactions; i++) {
        tpcc_run_one(terminal);
        if (i % BETWEEN_CHECKS == 0) {
            REQUIRE(tpcc_is_consistent(terminal->tpcc));
        }
    }
}

int main(int argc, char **argv)
{
    static struct tpcc tpcc;
    static struct terminal terminals[64];
    struct workload workload = {.threads = 3, .transactions = scaled(1500), .seed = 1};
    struct place place;
    workload_arguments(argc, argv, &workload);
    place_make(&place);
    tpcc_open(&tpcc, place.path);
    for (size_t i = 0; i < workload.threads; i++) {
        terminals[i] = (struct terminal){.tpcc = &tpcc,
                                         .transactions = workload.transactions,
                                         .random = workload.seed * 1000 + i};
    }
    workload_run("TPC-C", tpcc.store, workload.threads, run_terminal, terminals,
                 sizeof terminals[0]);
    REQUIRE(tpcc_is_consistent(&tpcc));
    assert_true(count_keys(tpcc.tables[ORDER]) > 0);
    close_store(tpcc.store);
    tpcc_open(&tpcc, place.path);
    REQUIRE(tpcc_is_consistent(&tpcc));
    assert_true(count_keys(tpcc.tables[ORDER]) > 0);
    close_store(tpcc.store);
    place_remove(&place);
    return 0;
}
