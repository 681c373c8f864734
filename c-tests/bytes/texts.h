/* Shared by tests of byte strings: texts under keys. */
#ifndef MASSTREE_TEST_TEXTS_H
#define MASSTREE_TEST_TEXTS_H

#include "support.h"

/* A slice that was not written. */
extern const masstree_slice_t UNTOUCHED;
void assert_untouched(masstree_slice_t slice);

/* Keys and values are strings of C. */
void store_text(masstree_t *tree, const char *key, const char *value);
void assert_text(masstree_t *tree, const char *key, const char *value);
void assert_absent(masstree_t *tree, const char *key);

/* Bytes that differ with the seed. */
void fill_pattern(unsigned char *bytes, size_t len, uint64_t seed);
/* Stores under a family's key a value that the number `value` determines. */
void put_numbered(masstree_t *tree, enum family family, uint64_t number, uint64_t value);

#endif
