#include "tpcc.h"

#include <inttypes.h>

/* Sums over the rows of a district, or with a prefix. */
struct sums {
    uint32_t count, least, greatest; /* the orders */
    uint64_t lines;
    int64_t ytd, amounts, paid, balance;
};

struct visit {
    enum table table;
    struct sums sums;
};

static int32_t visit_row(const void *key, size_t len, const masstree_version_t *version, void *ctx)
{
    struct visit *visit = ctx;
    struct sums *sums = &visit->sums;
    const void *row = version->value;
    uint32_t order = len >= 12 ? number_in(key, 2) : 0;
    sums->count++;
    sums->least = sums->count == 1 ? order : sums->least;
    sums->greatest = order;
    if (visit->table == ORDER) {
        sums->lines += ((const struct order *)row)->lines;
    }
    if (visit->table == CUSTOMER) {
        struct customer customer;
        memcpy(&customer, row, sizeof customer);
        sums->paid += customer.paid;
        sums->balance += customer.balance;
    }
    if (visit->table == ORDER_LINE) {
        struct order_line line;
        memcpy(&line, row, sizeof line);
        sums->amounts += line.is_delivered ? line.amount : 0;
    }
    return MASSTREE_VISIT_CONTINUE;
}

static struct sums sum(masstree_txn_t *txn, struct tpcc *tpcc, enum table table,
                       struct row_key prefix)
{
    struct visit visit = {.table = table};
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.prefix = prefix.bytes;
    range.prefix_len = prefix.len;
    REQUIRE(masstree_txn_scan(txn, tpcc->tables[table], &range, visit_row, &visit, NULL) ==
            MASSTREE_OK);
    return visit.sums;
}

static bool is_right(bool condition, const char *what, uint32_t warehouse, uint32_t district)
{
    if (!condition) {
        fprintf(stderr, "warehouse %" PRIu32 ", district %" PRIu32 ": %s\n", warehouse, district,
                what);
    }
    return condition;
}

static bool check_district(masstree_txn_t *txn, struct tpcc *tpcc, uint32_t w, uint32_t d,
                           int64_t *ytd)
{
    struct district district;
    struct row_key key = KEY(w, d);
    REQUIRE(row_get(txn, tpcc->tables[DISTRICT], key, &district, sizeof district));
    struct sums orders = sum(txn, tpcc, ORDER, key);
    struct sums undelivered = sum(txn, tpcc, NEW_ORDER, key);
    struct sums lines = sum(txn, tpcc, ORDER_LINE, key);
    struct sums customers = sum(txn, tpcc, CUSTOMER, key);
    *ytd += district.ytd;
    bool right = is_right(district.next_order - 1 == orders.greatest &&
                              orders.count == orders.greatest &&
                              (undelivered.count == 0 || undelivered.greatest == orders.greatest),
                          "2: the next order follows the last one", w, d);
    right = is_right(undelivered.count == 0 ||
                         undelivered.greatest - undelivered.least + 1 == undelivered.count,
                     "3: new orders are contiguous", w, d) && right;
    right = is_right(orders.lines == lines.count, "4: orders have their lines", w, d) && right;
    right = is_right(customers.paid == district.ytd, "customers have paid what was received", w, d) &&
            right;
    return is_right(customers.balance == lines.amounts - customers.paid,
                    "balances are what was delivered less what was paid", w, d) && right;
}

struct check {
    struct tpcc *tpcc;
    bool is_right;
};

static int32_t check_all(masstree_txn_t *txn, void *ctx)
{
    struct check *check = ctx;
    check->is_right = true;
    for (uint32_t w = 0; w < WAREHOUSES; w++) {
        struct warehouse warehouse;
        int64_t ytd = 0;
        REQUIRE(row_get(txn, check->tpcc->tables[WAREHOUSE], KEY(w), &warehouse, sizeof warehouse));
        for (uint32_t d = 0; d < DISTRICTS; d++) {
            check->is_right = check_district(txn, check->tpcc, w, d, &ytd) && check->is_right;
        }
        check->is_right =
            is_right(warehouse.ytd == ytd, "1: the year to date is the districts' sum", w, 0) &&
            check->is_right;
    }
    return MASSTREE_OK;
}

bool tpcc_is_consistent(struct tpcc *tpcc)
{
    struct check check = {tpcc, false};
    masstree_txn_options_t options = MASSTREE_TXN_OPTIONS_INIT;
    options.isolation = MASSTREE_TXN_READ_ONLY;
    REQUIRE(masstree_store_transact(tpcc->store, &options, check_all, &check, NULL) == MASSTREE_OK);
    return check.is_right;
}
