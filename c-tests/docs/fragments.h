/*
 * Included before each C fragment of the documentation: see programs.sh.
 */
#ifndef MASSTREE_DOCS_FRAGMENTS_H
#define MASSTREE_DOCS_FRAGMENTS_H

#include <inttypes.h>
#include <masstree/occ.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Stands for a program's own error handling. */
static inline void require(int32_t status)
{
    if (status < 0) {
        fprintf(stderr, "%s\n", masstree_strerror(status));
        exit(1);
    }
}

/* Creates trees of both kinds of values that contain the fruit in the examples. */
static inline void plant(masstree_t **tree, masstree_t **bytes)
{
    static const char *const fruit[] = { "apple", "fig", "pear", "plum" };
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_kind = MASSTREE_VALUES_BYTES;
    require(masstree_create(NULL, tree));
    require(masstree_create(&options, bytes));
    for (uint64_t i = 0; i < sizeof fruit / sizeof *fruit; i++) {
        require(masstree_put(*tree, NULL, fruit[i], strlen(fruit[i]), i + 1));
        require(masstree_put_bytes(*bytes, NULL, fruit[i], strlen(fruit[i]), fruit[i], 3));
    }
}

#endif
