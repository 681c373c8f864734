#include "tpcc.h"

enum { ROLLED_BACK = 1000 };

static const char *const names[TABLES] = {"warehouse", "district",       "customer",  "stock",
                                          "order",     "customer_order", "new_order", "order_line"};

static int32_t fill(masstree_txn_t *txn, void *ctx)
{
    struct tpcc *tpcc = ctx;
    struct warehouse warehouse = {0};
    struct district district = {0, 1};
    struct customer customer = {0, 0, 0, 0};
    struct stock stock = {0, 50, 0};
    for (uint32_t w = 0; w < WAREHOUSES; w++) {
        row_put(txn, tpcc->tables[WAREHOUSE], KEY(w), &warehouse, sizeof warehouse);
        for (uint32_t d = 0; d < DISTRICTS; d++) {
            row_put(txn, tpcc->tables[DISTRICT], KEY(w, d), &district, sizeof district);
            for (uint32_t c = 0; c < CUSTOMERS; c++) {
                row_put(txn, tpcc->tables[CUSTOMER], KEY(w, d, c), &customer, sizeof customer);
            }
        }
        for (uint32_t i = 0; i < ITEMS; i++) {
            row_put(txn, tpcc->tables[STOCK], KEY(w, i), &stock, sizeof stock);
        }
    }
    return MASSTREE_OK;
}

void tpcc_open(struct tpcc *tpcc, const char *directory)
{
    tpcc->store = open_store(directory, NULL);
    for (size_t i = 0; i < TABLES; i++) {
        tpcc->tables[i] = tree_named(tpcc->store, names[i]);
    }
    if (count_keys(tpcc->tables[WAREHOUSE]) == 0) {
        assert_ok(masstree_store_transact(tpcc->store, NULL, fill, tpcc, NULL));
    }
}

static void order_item(masstree_txn_t *txn, struct terminal *t, uint32_t order, uint32_t line)
{
    struct stock stock;
    struct row_key key = KEY(t->suppliers[line], t->items[line]);
    struct order_line row = {.item = t->items[line], .quantity = t->quantities[line]};
    REQUIRE(row_get(txn, t->tpcc->tables[STOCK], key, &stock, sizeof stock));
    stock.quantity = stock.quantity >= row.quantity + 10 ? stock.quantity - row.quantity
                                                         : stock.quantity + 91 - row.quantity;
    stock.ytd += row.quantity;
    stock.orders++;
    row_put(txn, t->tpcc->tables[STOCK], key, &stock, sizeof stock);
    row.amount = (int64_t)row.quantity * (1 + row.item);
    row_put(txn, t->tpcc->tables[ORDER_LINE], KEY(t->warehouse, t->district, order, line), &row,
            sizeof row);
}

static int32_t new_order(masstree_txn_t *txn, void *ctx)
{
    struct terminal *t = ctx;
    masstree_t *const *tables = t->tpcc->tables;
    struct district district;
    struct warehouse warehouse;
    struct customer customer;
    struct order row = {t->customer, 0, t->lines};
    struct row_key of_district = KEY(t->warehouse, t->district);
    REQUIRE(row_get(txn, tables[WAREHOUSE], KEY(t->warehouse), &warehouse, sizeof warehouse));
    REQUIRE(row_get(txn, tables[CUSTOMER], KEY(t->warehouse, t->district, t->customer), &customer,
                    sizeof customer));
    REQUIRE(row_get(txn, tables[DISTRICT], of_district, &district, sizeof district));
    uint32_t order = district.next_order++;
    struct row_key key = KEY(t->warehouse, t->district, order);
    struct row_key indexed = KEY(t->warehouse, t->district, t->customer, order);
    row_put(txn, tables[DISTRICT], of_district, &district, sizeof district);
    REQUIRE(masstree_txn_insert(txn, tables[ORDER], key.bytes, key.len, &row, sizeof row) ==
            MASSTREE_OK);
    REQUIRE(masstree_txn_insert(txn, tables[NEW_ORDER], key.bytes, key.len, NULL, 0) ==
            MASSTREE_OK);
    row_put(txn, tables[CUSTOMER_ORDER], indexed, NULL, 0);
    for (uint32_t line = 0; line < t->lines; line++) {
        order_item(txn, t, order, line);
    }
    /* The last item does not exist. */
    return t->rolls_back ? ROLLED_BACK : MASSTREE_OK;
}

static int32_t payment(masstree_txn_t *txn, void *ctx)
{
    struct terminal *t = ctx;
    masstree_t *const *tables = t->tpcc->tables;
    struct warehouse warehouse;
    struct district district;
    struct customer customer;
    struct row_key of_district = KEY(t->warehouse, t->district);
    struct row_key of_customer = KEY(t->warehouse, t->district, t->customer);
    REQUIRE(row_get(txn, tables[WAREHOUSE], KEY(t->warehouse), &warehouse, sizeof warehouse));
    REQUIRE(row_get(txn, tables[DISTRICT], of_district, &district, sizeof district));
    REQUIRE(row_get(txn, tables[CUSTOMER], of_customer, &customer, sizeof customer));
    warehouse.ytd += t->amount;
    district.ytd += t->amount;
    customer.balance -= t->amount;
    customer.paid += t->amount;
    customer.payments++;
    row_put(txn, tables[WAREHOUSE], KEY(t->warehouse), &warehouse, sizeof warehouse);
    row_put(txn, tables[DISTRICT], of_district, &district, sizeof district);
    row_put(txn, tables[CUSTOMER], of_customer, &customer, sizeof customer);
    return MASSTREE_OK;
}

struct lines {
    uint32_t count, delivered;
    int64_t amount;
    bool has_item[ITEMS];
};

static int32_t visit_line(const void *key, size_t len, const masstree_version_t *version, void *ctx)
{
    struct lines *lines = ctx;
    struct order_line line;
    (void)key;
    REQUIRE(len == 16 && version->value_len == sizeof line);
    memcpy(&line, version->value, sizeof line);
    lines->count++;
    lines->delivered += line.is_delivered != 0;
    lines->amount += line.amount;
    lines->has_item[line.item] = true;
    return MASSTREE_VISIT_CONTINUE;
}

static struct lines read_lines(masstree_txn_t *txn, struct tpcc *tpcc, struct row_key prefix)
{
    struct lines lines = {.count = 0};
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.prefix = prefix.bytes;
    range.prefix_len = prefix.len;
    REQUIRE(masstree_txn_scan(txn, tpcc->tables[ORDER_LINE], &range, visit_line, &lines, NULL) ==
            MASSTREE_OK);
    return lines;
}

/* The first or last key of a table with a prefix, whose last number it returns; 0: there is none. */
static uint32_t end_of(masstree_txn_t *txn, masstree_t *table, struct row_key prefix, bool last)
{
    uint32_t number = 0;
    masstree_slice_t key = {NULL, 0};
    masstree_txn_cursor_t *cursor = NULL;
    struct row_key bound = prefix;
    memset(bound.bytes + bound.len, last ? 0xFF : 0, 4);
    bound.len += 4;
    REQUIRE(masstree_txn_cursor_open(txn, table, &cursor) == MASSTREE_OK);
    int32_t status = masstree_txn_cursor_seek(cursor, bound.bytes, bound.len,
                                              last ? MASSTREE_SEEK_LE : MASSTREE_SEEK_GE);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_END);
    if (status == MASSTREE_OK) {
        REQUIRE(masstree_txn_cursor_key(cursor, &key) == MASSTREE_OK);
        if (memcmp(key.data, prefix.bytes, prefix.len) == 0) {
            number = number_in(key.data, prefix.len / 4);
        }
    }
    masstree_txn_cursor_close(cursor);
    return number;
}

static int32_t order_status(masstree_txn_t *txn, void *ctx)
{
    struct terminal *t = ctx;
    struct order row;
    uint32_t order = end_of(txn, t->tpcc->tables[CUSTOMER_ORDER],
                            KEY(t->warehouse, t->district, t->customer), true);
    if (order == 0) {
        return MASSTREE_OK;
    }
    struct row_key key = KEY(t->warehouse, t->district, order);
    REQUIRE(row_get(txn, t->tpcc->tables[ORDER], key, &row, sizeof row));
    struct lines lines = read_lines(txn, t->tpcc, key);
    REQUIRE(row.customer == t->customer && row.lines == lines.count);
    REQUIRE(lines.delivered == (row.carrier == 0 ? 0 : row.lines));
    return MASSTREE_OK;
}

static void deliver(masstree_txn_t *txn, struct terminal *t, uint32_t district)
{
    masstree_t *const *tables = t->tpcc->tables;
    struct order row;
    struct customer customer;
    uint32_t order = end_of(txn, tables[NEW_ORDER], KEY(t->warehouse, district), false);
    if (order == 0) {
        return;
    }
    struct row_key key = KEY(t->warehouse, district, order);
    REQUIRE(masstree_txn_remove(txn, tables[NEW_ORDER], key.bytes, key.len) == MASSTREE_OK);
    REQUIRE(row_get(txn, tables[ORDER], key, &row, sizeof row) && row.carrier == 0);
    row.carrier = t->carrier;
    row_put(txn, tables[ORDER], key, &row, sizeof row);
    struct lines lines = read_lines(txn, t->tpcc, key);
    for (uint32_t line = 0; line < row.lines; line++) {
        struct order_line of;
        struct row_key at = KEY(t->warehouse, district, order, line);
        REQUIRE(row_get(txn, tables[ORDER_LINE], at, &of, sizeof of));
        of.is_delivered = 1;
        row_put(txn, tables[ORDER_LINE], at, &of, sizeof of);
    }
    struct row_key of_customer = KEY(t->warehouse, district, row.customer);
    REQUIRE(row_get(txn, tables[CUSTOMER], of_customer, &customer, sizeof customer));
    customer.balance += lines.amount;
    customer.deliveries++;
    row_put(txn, tables[CUSTOMER], of_customer, &customer, sizeof customer);
}

static int32_t delivery(masstree_txn_t *txn, void *ctx)
{
    for (uint32_t district = 0; district < DISTRICTS; district++) {
        deliver(txn, ctx, district);
    }
    return MASSTREE_OK;
}

static int32_t stock_level(masstree_txn_t *txn, void *ctx)
{
    struct terminal *t = ctx;
    struct district district;
    uint32_t low = 0;
    REQUIRE(row_get(txn, t->tpcc->tables[DISTRICT], KEY(t->warehouse, t->district), &district,
                    sizeof district));
    uint32_t first = district.next_order > 20 ? district.next_order - 20 : 1;
    for (uint32_t order = first; order < district.next_order; order++) {
        struct lines lines = read_lines(txn, t->tpcc, KEY(t->warehouse, t->district, order));
        REQUIRE(lines.count > 0);
        for (uint32_t item = 0; item < ITEMS; item++) {
            struct stock stock;
            if (lines.has_item[item]) {
                REQUIRE(row_get(txn, t->tpcc->tables[STOCK], KEY(t->warehouse, item), &stock,
                                sizeof stock));
                low += stock.quantity < t->threshold;
            }
        }
    }
    return low <= 20 * MOST_LINES ? MASSTREE_OK : MASSTREE_INVALID;
}

/* Chooses the inputs of a transaction. */
static void choose(struct terminal *t)
{
    uint64_t *random = &t->random;
    t->warehouse = (uint32_t)random_below(random, WAREHOUSES);
    t->district = (uint32_t)random_below(random, DISTRICTS);
    t->customer = (uint32_t)random_below(random, CUSTOMERS);
    t->lines = 5 + (uint32_t)random_below(random, MOST_LINES - 4);
    t->carrier = 1 + (uint32_t)random_below(random, 10);
    t->threshold = 10 + (uint32_t)random_below(random, 11);
    t->amount = 1 + (int64_t)random_below(random, 5000);
    t->rolls_back = random_below(random, 100) == 0;
    for (uint32_t i = 0; i < t->lines; i++) {
        bool is_remote = random_below(random, 100) == 0;
        t->suppliers[i] = is_remote ? (t->warehouse + 1) % WAREHOUSES : t->warehouse;
        t->items[i] = (uint32_t)random_below(random, ITEMS);
        t->quantities[i] = 1 + (uint32_t)random_below(random, 10);
    }
}

void tpcc_run_one(struct terminal *t)
{
    static const struct {
        int32_t (*body)(masstree_txn_t *txn, void *ctx);
        uint8_t percent;
        uint32_t isolation;
    } kinds[] = {{new_order, 45, MASSTREE_TXN_SERIALIZABLE},
                 {payment, 43, MASSTREE_TXN_SERIALIZABLE},
                 {order_status, 4, MASSTREE_TXN_READ_ONLY},
                 {delivery, 4, MASSTREE_TXN_SERIALIZABLE},
                 {stock_level, 4, MASSTREE_TXN_READ_ONLY}};
    masstree_txn_options_t options = MASSTREE_TXN_OPTIONS_INIT;
    size_t left = random_below(&t->random, 100);
    size_t kind = 0;
    while (left >= kinds[kind].percent) {
        left -= kinds[kind++].percent;
    }
    choose(t);
    options.isolation = kinds[kind].isolation;
    int32_t status =
        masstree_store_transact(t->tpcc->store, &options, kinds[kind].body, t, NULL);
    bool rolls_back = kinds[kind].body == new_order && t->rolls_back;
    REQUIRE(status == (rolls_back ? ROLLED_BACK : MASSTREE_OK));
}
