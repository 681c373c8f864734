/* Compiled as C99, C11, C++11 and C++17 with warnings as errors: the header needs
   nothing before it, may be included twice, and its macros work in each language. */
#include "masstree/occ.h"
#include "masstree/store.h"
#include "masstree/versioned.h"
#include "masstree.h"
#include "masstree/occ.h"
#include "masstree/store.h"

typedef char version_fits_its_parts[MASSTREE_VERSION_NUMBER ==
                                            MASSTREE_VERSION_MAJOR * 1000000 +
                                                MASSTREE_VERSION_MINOR * 1000 +
                                                MASSTREE_VERSION_PATCH
                                        ? 1
                                        : -1];

static int32_t visit(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)ctx;
    return key_len == value ? MASSTREE_VISIT_CONTINUE : MASSTREE_VISIT_STOP;
}

int use_of_every_macro(const masstree_t *tree);
int use_of_every_macro(const masstree_t *tree)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    masstree_delta_t delta = MASSTREE_DELTA_INIT;
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    masstree_store_options_t store_options = MASSTREE_STORE_OPTIONS_INIT;
    masstree_store_stats_t store_stats = MASSTREE_STORE_STATS_INIT;
    masstree_store_verified_t verified = MASSTREE_STORE_VERIFIED_INIT;
    masstree_store_imported_t imported = MASSTREE_STORE_IMPORTED_INIT;
    masstree_changes_options_t changes = MASSTREE_CHANGES_OPTIONS_INIT;
    version_fits_its_parts unused;
    (void)unused;
    (void)delta;
    store_options.failure = &failure;
    store_options.flags = MASSTREE_STORE_READ_ONLY | MASSTREE_STORE_MUST_EXIST;
    store_options.level = MASSTREE_DURABLE;
    if (masstree_store_open(NULL, &store_options, NULL) != MASSTREE_OK ||
        masstree_store_verify(NULL, &store_options, &verified) != MASSTREE_OK ||
        masstree_store_import(NULL, "", MASSTREE_IMPORT_REPLACE, NULL, NULL, NULL, &imported) !=
            MASSTREE_OK ||
        masstree_store_changes(NULL, 0, &changes, NULL) != MASSTREE_OK ||
        masstree_store_stats(NULL, &store_stats) != MASSTREE_OK) {
        return MASSTREE_INVALID;
    }
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.upper_bound = MASSTREE_BOUND_OPEN;
    range.flags = MASSTREE_SCAN_REVERSE;
    options.value_kind = MASSTREE_VALUES_BYTES;
    stats.flags = MASSTREE_STATS_NODES;
    if (stats.struct_size != sizeof stats || masstree_stats(tree, NULL, &stats) != MASSTREE_OK) {
        return MASSTREE_INVALID;
    }
    if (options.struct_size != sizeof options || MASSTREE_VERSION_STRING[0] == 'v') {
        return MASSTREE_INVALID;
    }
    return masstree_scan(tree, NULL, &range, visit, NULL, NULL);
}
