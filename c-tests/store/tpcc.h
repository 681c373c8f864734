/* Transactions like TPC-C's, over small tables that are trees of a store; and its consistency conditions. */
#ifndef MASSTREE_TEST_TPCC_H
#define MASSTREE_TEST_TPCC_H

#include "workloads.h"

enum { WAREHOUSES = 2, DISTRICTS = 3, CUSTOMERS = 20, ITEMS = 60, MOST_LINES = 15 };

/* Keys: warehouse; warehouse, district; warehouse, district, customer; ... */
enum table {
    WAREHOUSE,
    DISTRICT,
    CUSTOMER,
    STOCK,          /* warehouse, item */
    ORDER,          /* warehouse, district, order */
    CUSTOMER_ORDER, /* warehouse, district, customer, order: an index; no value */
    NEW_ORDER,      /* warehouse, district, order; no value */
    ORDER_LINE,     /* warehouse, district, order, line */
    TABLES
};

struct warehouse {
    int64_t ytd;
};
struct district {
    int64_t ytd;
    uint32_t next_order;
};
struct customer {
    int64_t balance, paid;
    uint32_t payments, deliveries;
};
struct stock {
    int64_t ytd;
    uint32_t quantity, orders;
};
struct order {
    uint32_t customer, carrier, lines;
};
struct order_line {
    uint32_t item, quantity;
    int64_t amount;
    uint64_t is_delivered;
};

struct tpcc {
    masstree_store_t *store;
    masstree_t *tables[TABLES];
};

/* What a thread runs. */
struct terminal {
    struct tpcc *tpcc;
    size_t transactions;
    uint64_t random;
    /* Of the transaction that runs: the same for each repetition. */
    uint32_t warehouse, district, customer, lines, carrier, threshold;
    uint32_t items[MOST_LINES], suppliers[MOST_LINES], quantities[MOST_LINES];
    int64_t amount;
    bool rolls_back;
};

/* Opens the tables, and fills them if they are empty. */
void tpcc_open(struct tpcc *tpcc, const char *directory);
/* Runs a transaction, which is chosen by the terminal's random numbers. */
void tpcc_run_one(struct terminal *terminal);
/* Whether the consistency conditions 1 to 4 hold (TPC-C 3.3.2), and all money is accounted for. */
bool tpcc_is_consistent(struct tpcc *tpcc);

#endif
